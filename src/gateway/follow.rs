//! Following: what a request does while one whose answer it may share is on its way, until it has an
//! answer, or must ask upstream itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::cache::CacheVerdict;
use crate::error::GatewayError;
use crate::now::{Now, Stopwatch};
use crate::record::OpenRecord;

use super::errand::{Landed, News, Origin};
use super::flight::{Boarded, Heard, Passenger, Seat, Ticket};
use super::listen::{Follower, Telling};
use super::recall::Recall;
use super::reply::Answered;
use super::{Asked, DEFAULT_TOTAL, Gateway};

/// Failures of others that a request waits through. The first sends one of those who waited
/// upstream, the second is everybody's.
const FAILURES: u32 = 2;

/// What becomes of a request that the cache could not answer.
#[derive(Debug)]
pub enum Boarding {
    /// It asks upstream.
    Ask(Seat),
    Shared(Shared),
}

/// An answer that the request has not asked for itself.
#[derive(Debug)]
pub enum Shared {
    /// Stored in the meantime; the memory has it.
    Hit,
    Landed(Arc<Landed>),
    /// Still coming.
    Live(Passenger, Arc<Origin>),
}

/// How following a flight ended.
enum Followed {
    Landed(Arc<Landed>),
    Live(Arc<Origin>),
    /// There is an answer, but it is nobody else's.
    Refused,
    Failed(GatewayError),
    /// It never was in the air, or its errand broke down.
    Vacant,
}

impl Gateway {
    /// single-flight: leads, or follows an equal request, or one that differs in form only, until
    /// there is an answer to share.
    ///
    /// # Errors
    ///
    /// `Timeout` at the caller's own deadline; else what those who asked were told, the second time.
    pub(super) async fn board(
        &self,
        asked: &Asked,
        memory: &mut Recall,
        record: &mut OpenRecord,
    ) -> Result<Boarding, GatewayError> {
        let Some(ticket) = Ticket::of(asked, memory, &self.cache) else {
            return Ok(Boarding::Ask(Seat::alone()));
        };
        let replay = usize::try_from(asked.settings.cache.max_entry).unwrap_or(usize::MAX);
        let total = asked.policy.timeout.unwrap_or(DEFAULT_TOTAL);
        let deadline: Instant = (asked.now.mono + total).into();
        let mut boarded = self.flights.board(&ticket, replay, asked.now.mono);
        let mut failures = 0;
        loop {
            let mut passenger = match boarded {
                Boarded::Follow(passenger) => passenger,
                // Whoever led before has stored its answer by now, perhaps since we looked.
                Boarded::Lead(_) if self.recall_again(asked, memory, record) => {
                    return Ok(Boarding::Shared(Shared::Hit));
                }
                Boarded::Lead(seat) => return Ok(Boarding::Ask(seat)),
            };
            record.collapsed(true);
            let watch = Stopwatch::start();
            let followed = timeout_at(deadline, follow(&mut passenger, asked.request.stream)).await;
            record.step("upstream", watch.ms());
            match followed {
                Ok(Followed::Landed(landed)) => {
                    return Ok(Boarding::Shared(Shared::Landed(landed)));
                }
                Ok(Followed::Live(origin)) => {
                    return Ok(Boarding::Shared(Shared::Live(passenger, origin)));
                }
                Ok(Followed::Failed(error)) => {
                    failures += 1;
                    if failures == FAILURES || *self.cut.borrow() {
                        return Err(error);
                    }
                }
                Ok(Followed::Refused) => {
                    record.collapsed(false);
                    return Ok(Boarding::Ask(Seat::alone()));
                }
                Ok(Followed::Vacant) => {}
                Err(_) => return Err(GatewayError::Timeout { after: total }),
            }
            record.collapsed(false);
            boarded = self.flights.board_next(passenger, &ticket, replay, Now::read().mono);
        }
    }

    /// Looks into the exact level once more; true if there is an answer now.
    fn recall_again(&self, asked: &Asked, memory: &mut Recall, record: &mut OpenRecord) -> bool {
        let Some(keyed) = &memory.keyed else { return false };
        let now = Now::read();
        let found = self.cache.look_exact(keyed, &asked.terms_at(Duration::ZERO, now));
        if !matches!(found, CacheVerdict::Hit { .. }) {
            return false;
        }
        memory.verdict = found;
        // A caller's word on this answer is none on what the search had found.
        memory.pending = None;
        record.cache(&memory.verdict, asked.life.class, now);
        record.cache_status(memory.told(), asked.headers.cache.only_if_cached);
        true
    }
}

/// Listens until there is something to share, or until it is clear that there will not be.
async fn follow(passenger: &mut Passenger, stream: bool) -> Followed {
    loop {
        match passenger.next().await {
            Heard::Item(News::Live(origin)) if stream && passenger.can_stream() => {
                return Followed::Live(origin);
            }
            Heard::Item(News::Live(_) | News::Events(_)) => {}
            Heard::Item(News::Whole(landed) | News::Ended(landed)) => {
                let shared = landed.may_be_shared();
                return if shared { Followed::Landed(landed) } else { Followed::Refused };
            }
            Heard::Item(News::Failed(failed)) => return Followed::Failed(failed.error.clone()),
            Heard::Item(News::Cut(fault)) => return Followed::Failed(fault.error.clone()),
            Heard::Lost | Heard::End => return Followed::Vacant,
        }
    }
}

impl Shared {
    /// The answer as this caller gets it.
    pub fn into_answered(
        self,
        asked: &Asked,
        memory: &Recall,
        permit: OwnedSemaphorePermit,
        record: &mut OpenRecord,
    ) -> Answered {
        match self {
            Self::Hit => {
                let hit = memory.hit().expect("invariant: a hit was found before it is shared");
                Answered::hit(asked, hit, record)
            }
            Self::Landed(landed) => Answered::landed(asked, memory.keyed, &landed, record),
            Self::Live(passenger, origin) => {
                let follower =
                    Follower::new(asked, memory.keyed, &origin, record.hand_over(), permit);
                let head = follower.head();
                let telling = Telling::new(passenger, asked.request.include_usage, Some(follower));
                Answered::Stream { head, telling: Box::new(telling) }
            }
        }
    }
}
