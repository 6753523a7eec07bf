//! What a request does once nobody else's answer will do: it asks upstream, reads the answer on its
//! way, bills it, stores it and closes its record. It tells what it learns as [`News`], which is
//! heard by its own caller and by those who follow (`flight`).
//!
//! An errand is a stream that is polled by its listeners. It goes on after its caller has left as
//! long as anybody follows; dropped before the end, it bills what had been delivered.

use std::sync::Arc;

use axum::http::HeaderMap;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::watch;

use crate::cache::feedback::Served;
use crate::cache::{CacheKey, CacheVerdict, Keyed};
use crate::config::settings::Mode;
use crate::dialect::Usage;
use crate::dialect::openai::stream::StreamEvent;
use crate::dispatch::{AnswerBody, AnswerStream, Dispatcher, Order};
use crate::error::GatewayError;
use crate::now::Stopwatch;
use crate::record::OpenRecord;

use super::flight::{Aboard, Recorded};
use super::reply::{answered_head, error_head, from_reserve};
use super::settle::Claim;
use super::stream::Pump;
use super::{Asked, SHED_WAIT};

/// What an errand tells, in this order: `Failed`; or `Whole`; or `Live`, any number of `Events`, and
/// then `Ended` or `Cut`.
#[derive(Debug, Clone)]
pub enum News {
    /// Nobody answered.
    Failed(Arc<Failure>),
    /// An answer in one piece.
    Whole(Arc<Landed>),
    /// An answer in events begins.
    Live(Arc<Origin>),
    /// What one read of the upstream brought.
    Events(Arc<[StreamEvent]>),
    /// The answer in events is complete.
    Ended(Arc<Landed>),
    /// It broke off.
    Cut(Arc<Fault>),
}

/// Who answers.
#[derive(Debug, Clone)]
pub struct Origin {
    pub tier: Option<Arc<str>>,
    /// `provider/id`.
    pub target: String,
    /// Id of the request that it was made for, under which it is stored.
    pub request: String,
    /// Its exact key; `None` where the cache takes no part.
    pub key: Option<CacheKey>,
    /// The reply's head, for the errand's own caller.
    pub head: HeaderMap,
}

/// What nobody's answer means for the errand's own caller; others make up their own mind.
#[derive(Debug)]
pub struct Failure {
    pub error: GatewayError,
    /// Of the reply, whichever it is.
    pub head: HeaderMap,
    /// An answer from memory that has expired, as it is told instead of the error.
    pub instead: Option<Bytes>,
}

/// A complete answer.
#[derive(Debug)]
pub struct Landed {
    pub origin: Origin,
    /// A whole `chat.completion`; `None` if it was too large to keep.
    pub body: Option<Bytes>,
    pub usage: Usage,
    /// Admission accepts it.
    pub shareable: bool,
    /// What a stream says before its `[DONE]` to the errand's own caller.
    pub closing: Bytes,
}

/// Why a stream broke off.
#[derive(Debug)]
pub struct Fault {
    /// What those are told who hear it in the midst of the stream.
    pub message: String,
    /// What those are told who have been sent nothing yet.
    pub error: GatewayError,
}

impl Origin {
    /// The answer as it is given to another request with these keys.
    pub fn shared_by(&self, keyed: Option<Keyed>) -> Served {
        let keys = keyed.map(|keyed| keyed.exact).zip(self.key);
        Served::shared(&self.request, keys)
    }
}

impl Landed {
    /// Whether those who have been sent nothing yet may have it.
    pub fn may_be_shared(&self) -> bool {
        self.shareable && self.body.is_some()
    }
}

impl News {
    /// Whether a follower who has been sent nothing yet may have this, as the last word.
    pub fn may_be_shared(&self) -> bool {
        match self {
            Self::Whole(landed) | Self::Ended(landed) => landed.may_be_shared(),
            Self::Live(_) | Self::Events(_) => true,
            Self::Failed(_) | Self::Cut(_) => false,
        }
    }

    /// Whether this is an answer that those who have been sent nothing yet must not have.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Whole(landed) | Self::Ended(landed) if !landed.may_be_shared())
    }
}

impl Recorded for News {
    fn weight(&self) -> usize {
        match self {
            Self::Events(events) => {
                events.iter().map(|event| event.raw.len() + size_of::<StreamEvent>()).sum()
            }
            Self::Whole(landed) => landed.body.as_ref().map_or(0, Bytes::len),
            _ => 0,
        }
    }

    fn is_last(&self) -> bool {
        !matches!(self, Self::Live(_) | Self::Events(_))
    }
}

/// An errand before it has an answer.
#[derive(Debug)]
pub struct Errand {
    pub dispatcher: Arc<Dispatcher>,
    pub order: Order,
    pub claim: Claim,
    /// What memory has to offer if nobody answers.
    pub reserve: Option<CacheVerdict>,
    pub record: OpenRecord,
    pub aboard: Aboard,
    /// Turns true when shutdown ends what still runs.
    pub cut: watch::Receiver<bool>,
}

/// What is left to do.
enum Step {
    Ask(Box<Errand>),
    Pump(Box<Pump>),
    /// The upstream may end its body, so that its connection can be used again.
    Drain(Box<AnswerStream>),
}

impl Errand {
    /// The errand as a sequence of news.
    pub fn into_news(self) -> BoxStream<'static, News> {
        let first = Some(Step::Ask(Box::new(self)));
        let news = stream::unfold(first, |step| async move {
            match step? {
                Step::Ask(errand) => Some(errand.ask().await),
                Step::Pump(mut pump) => {
                    let news = pump.next().await;
                    let next = if news.is_last() {
                        pump.into_rest().map(Step::Drain)
                    } else {
                        Some(Step::Pump(pump))
                    };
                    Some((news, next))
                }
                Step::Drain(mut events) => {
                    while events.next().await.is_some_and(|event| event.is_ok()) {}
                    None
                }
            }
        });
        news.boxed()
    }

    async fn ask(mut self: Box<Self>) -> (News, Option<Step>) {
        let watch = Stopwatch::start();
        let answer = tokio::select! {
            answer = self.dispatcher.dispatch(self.order) => answer,
            () = shut_down(self.cut.clone()) => Err(GatewayError::Overloaded { retry_after: SHED_WAIT }),
        };
        self.record.step("upstream", watch.ms());
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let reserve = self.reserve.filter(|_| error.is_outage() && self.aboard.is_aboard());
                let failure = match reserve {
                    Some(reserve) => stand_in(error, &self.claim.asked, &reserve, self.record),
                    None => failed(error, self.record, &self.aboard),
                };
                return (News::Failed(Arc::new(failure)), None);
            }
        };
        let observing = self.claim.asked.settings.routing.mode == Mode::Observe;
        let (tier, target) = (answer.planned.tier.clone(), answer.planned.model.label());
        self.record.answered_by(tier.as_deref(), &target, observing);
        let settlement = self.claim.settle(answer.planned, answer.status, answer.attempt);
        let mut origin = Origin {
            tier,
            target,
            request: self.record.id().to_owned(),
            key: settlement.key(),
            head: HeaderMap::new(),
        };
        match answer.body {
            AnswerBody::Whole { bytes, completion } => {
                let mut landed = settlement.whole(origin, bytes, &completion, &mut self.record);
                if self.aboard.is_aboard() {
                    self.record.outcome("ok");
                }
                landed.origin.head = answered_head(&self.record, false, answer.headers);
                (News::Whole(Arc::new(landed)), None)
            }
            AnswerBody::Stream(events) => {
                origin.head = answered_head(&self.record, true, answer.headers);
                let pump = Pump::new(
                    settlement,
                    events,
                    origin.clone(),
                    self.record,
                    self.aboard,
                    self.cut,
                );
                (News::Live(Arc::new(origin)), Some(Step::Pump(Box::new(pump))))
            }
        }
    }
}

/// An expired answer beats none.
fn stand_in(
    error: GatewayError,
    asked: &Asked,
    reserve: &CacheVerdict,
    mut record: OpenRecord,
) -> Failure {
    match from_reserve(asked, reserve, &mut record) {
        Some((head, body)) => Failure { error, head, instead: Some(body) },
        None => failed(error, record, &Aboard::new()),
    }
}

fn failed(error: GatewayError, mut record: OpenRecord, aboard: &Aboard) -> Failure {
    if aboard.is_aboard() {
        record.fail(&error);
    }
    let head = error_head(&error, &record);
    Failure { error, head, instead: None }
}

/// Ends when shutdown cuts what still runs: who waits is told so rather than hung up on.
async fn shut_down(mut cut: watch::Receiver<bool>) {
    if cut.wait_for(|cut| *cut).await.is_err() {
        // Whoever could cut is gone, as in a replay: nothing ever will.
        std::future::pending().await
    }
}
