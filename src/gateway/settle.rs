//! What remains to be done once an upstream answers: bill it, store it, close the record. A whole
//! answer settles before its head is written; a stream carries its settlement to its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::cache::admission::{self, Candidate, Refusal};
use crate::cache::learn::{Lesson, Pending};
use crate::cache::ttl::Life;
use crate::cache::{Cache, CacheKey, CacheVerdict, Entry, Keyed, Level, TtlClass};
use crate::config::settings::Model;
use crate::dialect::Usage;
use crate::dialect::openai::answer::Completion;
use crate::dialect::openai::estimate_usage;
use crate::dispatch::AttemptLog;
use crate::embed::Vector;
use crate::judge::Verdict;
use crate::now::Now;
use crate::policy::{Choice, ForcedBy};
use crate::price::Money;
use crate::record::decision::Attempt;
use crate::record::{Bill, OpenRecord};
use crate::route::Planned;

use super::errand::{Landed, Origin};
use super::recall::Recall;
use super::teach::Look;
use super::trial::Trial;
use super::{Asked, Gateway};

/// Bytes of a streamed answer that a record with content keeps at most.
const MAX_RECORDED_ANSWER: usize = 8 << 20;

/// What a request brings along when it asks upstream.
#[derive(Debug)]
pub struct Claim {
    pub(super) asked: Asked,
    cache: Arc<Cache>,
    /// `None`: this answer is not to be stored.
    admission: Option<Admission>,
    /// `None`: nobody else is asked.
    trial: Option<Trial>,
    permit: OwnedSemaphorePermit,
}

/// The open business of one answered request.
#[derive(Debug)]
pub struct Settlement {
    pub(super) asked: Asked,
    cache: Arc<Cache>,
    planned: Planned,
    status: u16,
    /// Place of the answering attempt in the record's log.
    attempt: usize,
    /// What savings are counted against.
    baseline: Option<Arc<Model>>,
    /// `None`: this answer is not to be stored.
    admission: Option<Admission>,
    /// `None`: nobody else is asked.
    trial: Option<Trial>,
    /// Held until the answer has come.
    _permit: OwnedSemaphorePermit,
}

/// What the cache needs to know of an answer besides the answer.
#[derive(Debug)]
pub struct Admission {
    keyed: Keyed,
    vector: Option<Vector>,
    /// What learning from the answer needs.
    pending: Option<Pending>,
}

impl Claim {
    pub fn new(
        gateway: &Gateway,
        asked: Asked,
        memory: &Recall,
        look: Option<&Look>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let admission = Admission::of(&asked, memory);
        let trial = gateway.draw_trial(&asked, look);
        Self { cache: gateway.cache.clone(), admission, trial, asked, permit }
    }

    /// `planned` answers under this status, in the attempt at this place of the record's log.
    pub fn settle(self, planned: Planned, status: u16, attempt: usize) -> Settlement {
        Settlement {
            cache: self.cache,
            planned,
            status,
            attempt,
            baseline: baseline(&self.asked),
            admission: self.admission,
            trial: self.trial,
            asked: self.asked,
            _permit: self.permit,
        }
    }
}

impl Settlement {
    /// The exact key under which the answer would be stored.
    pub fn key(&self) -> Option<CacheKey> {
        self.admission.as_ref().map(|admission| admission.keyed.exact)
    }

    /// Bytes of events worth keeping for the whole answer.
    pub fn answer_limit(&self) -> usize {
        if self.asked.settings.telemetry.content {
            MAX_RECORDED_ANSWER
        } else {
            usize::try_from(self.asked.settings.cache.max_entry).unwrap_or(usize::MAX)
        }
    }

    /// Whether the answer's events are worth keeping: they will be stored, compared or recorded.
    pub fn wants_answer(&self) -> bool {
        self.admission.is_some() || self.trial.is_some() || self.asked.settings.telemetry.content
    }

    /// A whole answer: settled at once, its bytes untouched. The outcome is left to the errand.
    pub fn whole(
        &self,
        origin: Origin,
        bytes: Bytes,
        completion: &Completion,
        record: &mut OpenRecord,
    ) -> Landed {
        let usage = completion
            .usage
            .unwrap_or_else(|| estimate_usage(&self.asked.request, completion.output_chars));
        let bill = self.bill(&usage, record);
        let shareable = self.store(completion, &bytes, &usage, bill.cost, record).is_ok();
        record.stored(shareable);
        self.compare(&bytes, completion);
        record.response(&bytes);
        Landed { origin, body: Some(bytes), usage, shareable, closing: Bytes::new() }
    }

    /// Has a complete answer compared with another tier's, if it was drawn.
    pub fn compare(&self, body: &Bytes, completion: &Completion) {
        if let Some(trial) = &self.trial {
            trial.begin(self.planned.tier.as_deref(), body, completion);
        }
    }

    /// Books usage and cost into the record.
    pub fn bill(&self, usage: &Usage, record: &mut OpenRecord) -> Bill {
        let price = self.planned.model.price;
        record.attempts.settle(self.attempt, price.map(|price| price.cost(usage)));
        let bill = Bill {
            cost: price.map(|_| spent(&record.attempts, |_| true)),
            baseline: self
                .baseline
                .as_ref()
                .and_then(|model| model.price)
                .map(|price| price.cost(usage)),
            own: price.map(|_| {
                let explored = record.get().explored;
                spent(&record.attempts, |attempt| explored || attempt.error.is_some())
            }),
        };
        record.usage(*usage);
        record.bill(&bill);
        bill
    }

    /// Stores a complete answer, or says why not.
    pub fn store(
        &self,
        completion: &Completion,
        body: &Bytes,
        usage: &Usage,
        cost: Option<Money>,
        record: &OpenRecord,
    ) -> Result<(), Refusal> {
        let Some(admission) = &self.admission else { return Err(Refusal::NoStore) };
        if record.is_condemned() {
            return Err(Refusal::Condemned);
        }
        let made = Made {
            planned: &self.planned,
            status: self.status,
            body: body.clone(),
            usage: *usage,
            cost,
            took: record.waited(),
        };
        let now = Now::read();
        let entry = admission.entry(&self.asked, record.id(), made, completion, now)?;
        keep(&self.cache, &self.asked, admission, entry, None);
        Ok(())
    }
}

/// An answer on its way into the cache.
#[derive(Debug)]
pub struct Made<'a> {
    pub planned: &'a Planned,
    /// The upstream's.
    pub status: u16,
    /// A whole `chat.completion`.
    pub body: Bytes,
    pub usage: Usage,
    pub cost: Option<Money>,
    /// What its caller waited for it.
    pub took: Duration,
}

impl Admission {
    /// The answer may be stored if the request takes part in the cache and nobody said no-store.
    pub fn of(asked: &Asked, memory: &Recall) -> Option<Self> {
        let keyed = memory.keyed?;
        if asked.headers.cache.no_store {
            return None;
        }
        let embedding = memory.embedding().filter(|embedding| !embedding.truncated);
        let vector = match (keyed.exact_only, &memory.verdict) {
            (Some(_), _) => None,
            // An exact hit needed no embedding: its entry has that of the same prompt.
            (None, CacheVerdict::Hit { level: Level::Exact, entry, .. }) => entry.vector.clone(),
            (None, _) => embedding.map(|embedding| embedding.vector.clone()),
        };
        Some(Self { keyed, vector, pending: memory.pending.clone() })
    }

    /// The entry under which a complete answer is kept. How long it lives depends on who gave it.
    ///
    /// # Errors
    /// Why this answer is not to be kept.
    pub fn entry(
        &self,
        asked: &Asked,
        id: &str,
        made: Made<'_>,
        answer: &Completion,
        now: Now,
    ) -> Result<Entry, Refusal> {
        let settings = &asked.settings.cache;
        let Life { class, ttl } = asked.life.by(&made.planned.model, &asked.policy, &settings.ttl);
        let bytes = made.body.len();
        // That everything has arrived is why it comes here; that it is all there is, the status says
        // (RFC 9111, section 3: a 206 is a part, and what a 201 or 203 means here nobody knows).
        let complete = made.status == 200;
        let candidate = Candidate { answer, bytes, complete, no_store: false, ttl };
        admission::admit(&candidate, settings)?;
        Ok(Entry {
            id: id.to_owned(),
            key: self.keyed.exact,
            scope: self.keyed.scope,
            lane: asked.lane(),
            tenant: asked.caller.tenant.clone(),
            key_name: asked.caller.key.clone(),
            prompt: asked.request.prompt.clone(),
            vector: self.vector.clone(),
            // A copy: the upstream's bytes may be a part of a larger buffer, which nobody counts.
            answer: Bytes::copy_from_slice(&made.body),
            usage: made.usage,
            model: made.planned.model.name.clone(),
            target: made.planned.model.label().into(),
            tier: made.planned.tier.clone(),
            stored: now,
            ttl_class: class,
            ttl,
            cost: made.cost,
            took: made.took,
            tags: asked.policy.tags.clone(),
            hits: 0.into(),
        })
    }
}

/// Stores an entry, and learns from its answer: how it compares with those of its neighbours, and
/// with its own of before, if there was one.
///
/// `verdicts` are the truth, where it is known.
pub fn keep(
    cache: &Cache,
    asked: &Asked,
    admission: &Admission,
    entry: Entry,
    verdicts: Option<Vec<Verdict>>,
) {
    let (answer, id) = (entry.answer.clone(), entry.id.clone());
    let before = cache.before(&admission.keyed);
    cache.admit(entry);
    if let Some(pending) = admission.pending.clone() {
        let (answer, entry) = (answer.clone(), Some(id));
        cache.teach(Lesson::Answered { pending, answer, entry, verdicts });
    }
    if let Some(before) = before {
        let prompt = asked.request.prompt.clone();
        let judge = asked.judge();
        cache.teach(Lesson::Repeated { prompt, before, answer, entry: None, judge });
    }
}

/// Stores the new answer to a request that was served `old` at that level, and learns from it: of an
/// equal request, that these are two answers to one question; of another, what a miss would have
/// taught, and the old answer makes room. Nothing is learnt where an answer is expected to change.
pub fn renew(
    cache: &Cache,
    asked: &Asked,
    admission: &Admission,
    entry: Entry,
    (old, level): (&Arc<Entry>, Level),
    verdicts: Option<Vec<Verdict>>,
) {
    let (answer, id) = (entry.answer.clone(), entry.id.clone());
    let teaches = entry.ttl_class != TtlClass::Volatile;
    match level {
        Level::Semantic if teaches => keep(cache, asked, admission, entry, verdicts),
        _ => cache.admit(entry),
    }
    match level {
        Level::Semantic => cache.supersede(&old.id),
        Level::Exact if teaches => {
            let (prompt, before) = (asked.request.prompt.clone(), Arc::clone(old));
            let (entry, judge) = (Some(id), asked.judge());
            cache.teach(Lesson::Repeated { prompt, before, answer, entry, judge });
        }
        Level::Exact => {}
    }
}

/// The model that the caller named, else `routing.baseline`.
pub fn baseline(asked: &Asked) -> Option<Arc<Model>> {
    match &asked.policy.choice {
        Choice::Named { model, by: ForcedBy::Name, .. } => Some(model.clone()),
        _ => asked.settings.routing.baseline.clone(),
    }
}

/// What these attempts cost, as far as it is known.
fn spent(attempts: &AttemptLog, which: impl Fn(&Attempt) -> bool) -> Money {
    let attempts = attempts.snapshot();
    let costs = attempts.iter().filter(|attempt| which(attempt));
    costs.filter_map(|attempt| attempt.cost_usd).sum()
}
