//! Work beside the line: upstream requests that no caller waits for. An expired answer is asked
//! again, a semantic hit is checked in the shadow, a judge model compares two answers.
//!
//! A job goes through the dispatcher like a request does (health, breakers, attempts), but has no
//! record; what it costs is booked as our own spend. What is asked, and what its answer is good
//! for, is decided by whoever asks.

mod run;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use crate::dialect::Usage;
use crate::dialect::openai::ChatRequest;
use crate::dialect::openai::answer::Completion;
use crate::dispatch::Dispatcher;
use crate::error::GatewayError;
use crate::price::Money;
use crate::record::Recorder;
use crate::route::Planned;

use run::Running;

/// Jobs under way or waiting. One more is skipped and counted: what it would have learnt or renewed
/// comes with a later request.
const MAX_JOBS: usize = 256;

/// Of these, places that judging may take: a verdict not asked for is one label less, an answer not
/// renewed is one that callers wait for.
const MAX_JUDGING: usize = MAX_JOBS / 4;

/// Renewals and checks under way at one time, so that work beside the line stays beside it.
const MAX_RUNNING: usize = 8;

/// Judgements under way at one time. They have slots of their own: an endpoint that hangs would
/// otherwise hold up every renewal.
const MAX_RUNNING_JUDGES: usize = 2;

/// A job's whole time, all attempts together, from the moment it begins. Nobody waits for it, but it
/// holds one of the few places.
const TOTAL: Duration = Duration::from_secs(120);

/// What a job is for: the label of its spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// A stored answer that has expired, or is about to, is asked again.
    Refresh,
    /// A question that was answered from memory is asked upstream as well.
    Shadow,
    /// A model compares two answers.
    Judge,
    /// Another tier is asked what one has answered, for the router to learn from.
    RouteShadow,
    /// A model is asked questions with known answers.
    Probe,
}

impl What {
    /// Name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::Shadow => "shadow",
            Self::Judge => "judge",
            Self::RouteShadow => "route_shadow",
            Self::Probe => "probe",
        }
    }
}

/// A request to be sent beside the line.
#[derive(Debug, Clone)]
pub struct Ask {
    pub what: What,
    /// Whole or streamed: the answer comes whole either way.
    pub request: Arc<ChatRequest>,
    /// Targets of a plan, in its order.
    pub targets: Vec<Planned>,
    /// As [`crate::dispatch::Order::keep_order`].
    pub keep_order: bool,
    /// Headers of the caller that go upstream; none for a request of our own.
    pub forward: Vec<(HeaderName, HeaderValue)>,
    /// On whose account the spend is shown.
    pub tenant: Arc<str>,
    /// Bytes of answer worth keeping; a longer one is billed and not delivered.
    pub max_answer: usize,
}

/// A job's answer.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Who answered, and under which status of those that say success.
    pub planned: Planned,
    pub status: u16,
    /// A whole `chat.completion` object, and what it says.
    pub body: Bytes,
    pub completion: Completion,
    /// As the upstream counted, else by estimate.
    pub usage: Usage,
    /// Of all attempts; `None` when a price is unknown.
    pub cost: Option<Money>,
    /// From the first attempt to the last byte.
    pub took: Duration,
}

/// Why a job brought no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoAnswer {
    /// No target answered.
    #[error("{}", .0.message())]
    Failed(GatewayError),
    /// The stream broke off, the answer was larger than asked for, or its terminator was missing.
    #[error("the answer was cut")]
    Cut,
    /// The job's time was up.
    #[error("the job took too long")]
    Timeout,
}

/// The queue of jobs. Clones share it.
#[derive(Clone)]
pub struct Jobs(Arc<Shared>);

struct Shared {
    dispatcher: Arc<Dispatcher>,
    recorder: Arc<Recorder>,
    slots: Arc<Semaphore>,
    judge_slots: Arc<Semaphore>,
    /// Under way or waiting.
    open: Arc<AtomicUsize>,
    /// Turns true when shutdown cuts what still runs.
    cut: watch::Receiver<bool>,
}

impl Jobs {
    pub fn new(
        dispatcher: Arc<Dispatcher>,
        recorder: Arc<Recorder>,
        cut: watch::Receiver<bool>,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(MAX_RUNNING));
        let judge_slots = Arc::new(Semaphore::new(MAX_RUNNING_JUDGES));
        let open = Arc::default();
        Self(Arc::new(Shared { dispatcher, recorder, slots, judge_slots, open, cut }))
    }

    /// Takes a job on, and returns at once. `then` gets the answer, or why there is none; it runs on
    /// the job's own task, where a panic harms nobody else. Dropped without a call, the job was
    /// given up by a shutdown.
    ///
    /// False: the job was skipped (the queue is full, the gateway is shutting down, or no runtime
    /// is there to run it), and `then` is dropped.
    pub fn ask<F>(&self, ask: Ask, then: F) -> bool
    where
        F: FnOnce(Result<Finished, NoAnswer>) + Send + 'static,
    {
        let shared = &self.0;
        let (places, slots) = match ask.what {
            What::Judge => (MAX_JUDGING, &shared.judge_slots),
            What::Refresh | What::Shadow | What::RouteShadow | What::Probe => {
                (MAX_JOBS, &shared.slots)
            }
        };
        let place = Place::take(&shared.open, places);
        let (Some(place), Ok(runtime), false) = (place, Handle::try_current(), slots.is_closed())
        else {
            shared.recorder.metrics.jobs.with_label_values(&[ask.what.name(), "skipped"]).inc();
            return false;
        };
        let running = Running::new(ask, shared.recorder.clone());
        let (dispatcher, slots) = (shared.dispatcher.clone(), slots.clone());
        let mut cut = shared.cut.clone();
        runtime.spawn(async move {
            let _place = place;
            // Closed by a shutdown: what has not begun is dropped.
            let Ok(_slot) = slots.acquire().await else { return };
            tokio::select! {
                () = running.finish(&dispatcher, TOTAL, then) => {}
                Ok(_) = cut.wait_for(|cut| *cut) => {}
            }
        });
        true
    }

    /// Takes no more jobs and drops those that have not begun.
    pub fn close(&self) {
        self.0.close();
    }

    /// Jobs under way or waiting.
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs").field("open", &self.open()).finish_non_exhaustive()
    }
}

/// Whoever holds the last handle is gone: so is the gateway that wanted the work.
impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn close(&self) {
        self.slots.close();
        self.judge_slots.close();
    }
}

/// One of the places of the queue, until dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    /// The next place, if fewer than `places` are taken, whatever for.
    fn take(open: &Arc<AtomicUsize>, places: usize) -> Option<Self> {
        let taken = open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
            (open < places).then_some(open + 1)
        });
        taken.is_ok().then(|| Self(open.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
