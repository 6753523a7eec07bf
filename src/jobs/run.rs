//! One job: dispatch, gather the answer, book what it cost. The books are closed when the job is
//! dropped, so that an answer, a failure, a panic and a shutdown are all paid for.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::dialect::Usage;
use crate::dialect::openai::answer::Completion;
use crate::dialect::openai::estimate_usage;
use crate::dialect::openai::fold::Accumulator;
use crate::dialect::openai::stream::EventKind;
use crate::dispatch::{Answer, AnswerBody, AnswerStream, AttemptLog, Dispatcher, Order};
use crate::now::Now;
use crate::record::OwnWork;
use crate::record::Recorder;

use super::{Ask, Finished, NoAnswer};

/// A job from the moment it is taken on.
pub(super) struct Running {
    ask: Ask,
    log: AttemptLog,
    usage: Option<Usage>,
    /// `done`, `failed`, `timeout`; `dropped` until it ends.
    outcome: &'static str,
    recorder: Arc<Recorder>,
}

/// An answer as it was gathered: its bytes if it is complete, and its tokens in any case.
struct Gathered {
    whole: Option<(Bytes, Completion)>,
    usage: Option<Usage>,
    output_chars: usize,
}

impl Running {
    pub fn new(ask: Ask, recorder: Arc<Recorder>) -> Self {
        Self { ask, log: AttemptLog::new(), usage: None, outcome: "dropped", recorder }
    }

    /// Sends the request and hands the answer on, within `total`.
    pub async fn finish(
        mut self,
        dispatcher: &Dispatcher,
        total: Duration,
        then: impl FnOnce(Result<Finished, NoAnswer>),
    ) {
        let answered = tokio::time::timeout(total, self.answer(dispatcher, total)).await;
        let answered = answered.unwrap_or(Err(NoAnswer::Timeout));
        self.outcome = match &answered {
            Ok(_) => "done",
            Err(NoAnswer::Timeout) => "timeout",
            Err(NoAnswer::Failed(_) | NoAnswer::Cut) => "failed",
        };
        // Booked before the answer is used: whoever reads it finds the books in order.
        drop(self);
        then(answered);
    }

    async fn answer(
        &mut self,
        dispatcher: &Dispatcher,
        total: Duration,
    ) -> Result<Finished, NoAnswer> {
        let started = Now::read();
        let order = Order {
            request: self.ask.request.clone(),
            targets: self.ask.targets.clone(),
            keep_order: self.ask.keep_order,
            forward: self.ask.forward.clone(),
            deadline: Instant::from_std(started.mono) + total,
            total,
            log: self.log.clone(),
        };
        let answer = dispatcher.dispatch(order).await.map_err(NoAnswer::Failed)?;
        let Answer { planned, status, body, attempt, .. } = answer;
        let gathered = match body {
            AnswerBody::Whole { bytes, completion } => Gathered {
                usage: completion.usage,
                output_chars: completion.output_chars,
                whole: (bytes.len() <= self.ask.max_answer).then_some((bytes, completion)),
            },
            AnswerBody::Stream(events) => gather(*events, self.ask.max_answer).await,
        };
        let usage = gathered
            .usage
            .unwrap_or_else(|| estimate_usage(&self.ask.request, gathered.output_chars));
        let price = planned.model.price;
        self.log.settle(attempt, price.map(|price| price.cost(&usage)));
        self.usage = Some(usage);
        let (body, completion) = gathered.whole.ok_or(NoAnswer::Cut)?;
        let cost = price.map(|_| self.log.spent());
        let took = Now::read().mono.saturating_duration_since(started.mono);
        Ok(Finished { planned, status, body, completion, usage, cost, took })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let outcome = if std::thread::panicking() { "panicked" } else { self.outcome };
        self.recorder.own_work(&OwnWork {
            by: self.ask.what.name(),
            outcome,
            tenant: &self.ask.tenant,
            attempts: &self.log.snapshot(),
            usage: self.usage,
        });
    }
}

/// A stream folded into its answer, if it came to its proper end.
async fn gather(mut events: AnswerStream, limit: usize) -> Gathered {
    let mut answer = Accumulator::new(limit);
    let (mut usage, mut terminated, mut broken) = (None, false, false);
    while let Some(event) = events.next().await {
        let Ok(event) = event else {
            broken = true;
            break;
        };
        match &event.kind {
            EventKind::Done => terminated = true,
            EventKind::Chunk(facts) => usage = facts.usage.or(usage),
            _ => {}
        }
        answer.push(&event);
    }
    let output_chars = answer.output_chars();
    let whole = if terminated && !broken { answer.finish() } else { None };
    let whole = whole.and_then(|body| Completion::read(&body).ok().map(|read| (body, read)));
    Gathered { whole, usage, output_chars }
}
