//! A record that is still being written. It is opened before anything else happens to a request
//! and closes itself when dropped, so that an answer, an error, a panic and a caller who left all
//! end as exactly one record.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::access::Caller;
use crate::cache::feedback::{Label, Served};
use crate::cache::status::{self, Fate};
use crate::cache::{CacheVerdict, Evidence, TtlClass};
use crate::dialect::Usage;
use crate::dialect::openai::ChatRequest;
use crate::dispatch::AttemptLog;
use crate::error::GatewayError;
use crate::guard::MAX_MODEL_BYTES;
use crate::now::{Now, Stopwatch};
use crate::policy::{Policy, RequestHeaders};
use crate::price::{Money, Price};
use crate::route::RouteDecision;

use super::Recorder;
use super::answers::Answer;
use super::decision::{Content, DecisionRecord, LossNote};
use super::metrics::OVERHEAD_STEPS;

/// What an answer cost, and what it saved against the baseline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bill {
    /// All attempts together; `None` when a price is unknown.
    pub cost: Option<Money>,
    /// What the baseline would have cost for the same tokens.
    pub baseline: Option<Money>,
    /// Attempts that did not answer the caller, or that need not have been.
    pub own: Option<Money>,
}

impl Bill {
    /// Net: may be negative.
    pub fn saved(&self) -> Option<Money> {
        Some(self.baseline? - self.cost?)
    }
}

/// The record of a request in progress.
#[derive(Debug)]
pub struct OpenRecord {
    /// `None` once closed.
    record: Option<Box<DecisionRecord>>,
    recorder: Arc<Recorder>,
    /// Written by dispatch as attempts start and end.
    pub attempts: AttemptLog,
    keep_content: bool,
    /// False for a rehearsal.
    counts: bool,
    /// The verdict as the caller is told it; its `stored` comes from the record.
    told: Option<Told>,
    /// Tier and target that answered.
    answered: Option<(Option<String>, String)>,
    now: Now,
    arrived: Stopwatch,
}

#[derive(Debug)]
struct Told {
    verdict: CacheVerdict,
    only_if_cached: bool,
}

impl OpenRecord {
    /// Opens the record of a request that has just arrived.
    pub fn new(recorder: Arc<Recorder>, now: Now, keep_content: bool) -> Self {
        let record = DecisionRecord::open(Uuid::now_v7().to_string(), now.wall);
        Self {
            record: Some(Box::new(record)),
            recorder,
            attempts: AttemptLog::default(),
            keep_content,
            counts: true,
            told: None,
            answered: None,
            now,
            arrived: Stopwatch::start(),
        }
    }

    /// A record that is never handed in: for requests that are only rehearsed.
    pub fn rehearsal(recorder: Arc<Recorder>, now: Now) -> Self {
        let mut record = Self::new(recorder, now, false);
        record.counts = false;
        record
    }

    /// The record, for whoever goes on with the request. What stays here is closed and counts for
    /// nothing; it is not to be read or written any more.
    pub fn hand_over(&mut self) -> Self {
        Self {
            record: self.record.take(),
            recorder: self.recorder.clone(),
            attempts: self.attempts.clone(),
            keep_content: self.keep_content,
            counts: self.counts,
            told: self.told.take(),
            answered: self.answered.take(),
            now: self.now,
            arrived: self.arrived,
        }
    }

    /// The id that the caller reads as `x-request-id`.
    pub fn id(&self) -> &str {
        &self.get().id
    }

    pub fn get(&self) -> &DecisionRecord {
        self.record.as_ref().expect("a record is read before it closes")
    }

    fn edit(&mut self) -> &mut DecisionRecord {
        self.record.as_mut().expect("a record is written before it closes")
    }

    pub fn caller(&mut self, caller: &Caller) {
        let record = self.edit();
        record.tenant = caller.tenant.to_string();
        record.key = caller.key.as_ref().map(ToString::to_string);
    }

    pub fn headers(&mut self, headers: &RequestHeaders) {
        self.edit().client_request_id.clone_from(&headers.client_request_id);
    }

    pub fn request(&mut self, request: &ChatRequest) {
        let content = Content::of(&request.raw, self.keep_content);
        let record = self.edit();
        record.request = content;
        // Longer ones are refused in a moment; the ring must not keep them whole.
        let kept = request.model.floor_char_boundary(MAX_MODEL_BYTES);
        record.route.requested = request.model[..kept].to_owned();
    }

    pub fn policy(&mut self, policy: &Policy) {
        let record = self.edit();
        record.tags.clone_from(&policy.tags);
        record.route.label = policy.route_label.to_string();
        record.route.rule = policy.rule.as_ref().map(|(_, text)| text.clone());
        self.recorder.metrics.rule_errors.inc_by(u64::from(policy.rule_errors));
    }

    /// What the cache decided, or would have decided in observe mode.
    pub fn cache(&mut self, verdict: &CacheVerdict, class: TtlClass, now: Now) {
        let note = &mut self.edit().cache;
        note.verdict = verdict.name().into();
        note.detail = verdict.detail().map(Into::into);
        note.ttl_class = Some(class.name());
        match verdict {
            CacheVerdict::Hit { level, entry, evidence } => {
                note.level = Some(level.name());
                note.entry = Some(entry.id.clone());
                note.age_s = Some(entry.age_seconds(now));
                note.evidence(evidence.as_ref());
            }
            CacheVerdict::Miss { evidence, .. } => note.evidence(evidence.as_ref()),
            _ => {}
        }
    }

    /// `verdict`, a hit, is served because every provider has failed.
    pub fn served_on_error(&mut self, verdict: &CacheVerdict, class: TtlClass, now: Now) {
        self.cache(verdict, class, now);
        self.edit().cache.on_error = true;
        self.told = Some(Told { verdict: verdict.clone(), only_if_cached: false });
        self.recorder.metrics.cache_stale.with_label_values(&["error"]).inc();
    }

    /// The entry was served past its expiry, and is asked again.
    pub fn served_stale(&self) {
        self.recorder.metrics.cache_stale.with_label_values(&["revalidate"]).inc();
    }

    /// The semantic level searched, be it in vain.
    pub fn searched(&mut self) {
        self.edit().cache.level.get_or_insert("semantic");
    }

    /// Memory would have answered; it is asked upstream to learn from the answer.
    pub fn explored(&mut self) {
        self.edit().explored = true;
    }

    /// What the caller is told of the verdict.
    pub fn cache_status(&mut self, verdict: CacheVerdict, only_if_cached: bool) {
        self.told = Some(Told { verdict, only_if_cached });
    }

    /// The `Cache-Status` header, once the cache has been asked.
    pub fn status_line(&self) -> Option<String> {
        let told = self.told.as_ref()?;
        let served = matches!(told.verdict, CacheVerdict::Hit { .. });
        if told.only_if_cached && !served {
            return Some(status::ONLY_IF_CACHED.into());
        }
        let note = &self.get().cache;
        let fate = Fate { stored: note.stored, collapsed: note.collapsed };
        Some(status::render(&told.verdict, fate, self.now))
    }

    pub fn stored(&mut self, stored: bool) {
        self.edit().cache.stored = stored;
    }

    /// The request waits for an equal one, or shares its answer.
    pub fn collapsed(&mut self, collapsed: bool) {
        self.edit().cache.collapsed = collapsed;
    }

    pub fn decision(&mut self, decision: &RouteDecision) {
        let note = &mut self.edit().route;
        note.features = decision.features.iter().copied().collect();
        note.probabilities =
            decision.probabilities.iter().map(|(tier, p)| (tier.to_string(), *p)).collect();
        note.tier = decision.tier.as_ref().map(ToString::to_string);
        note.target = decision.targets.first().map(|planned| planned.model.label());
        note.reason = Some(decision.reason.name());
        note.loss = decision.loss.map(|loss| LossNote {
            expected: loss.expected,
            bound: loss.bound,
            evidence: loss.evidence.name(),
            labels: loss.evidence.labels(),
            version: decision.version,
        });
    }

    /// Who answered: on a hit, who made the entry. The record says so too, unless it keeps what
    /// observe mode would have done.
    pub fn answered_by(&mut self, tier: Option<&str>, target: &str, observing: bool) {
        self.answered = Some((tier.map(Into::into), target.into()));
        self.note_answer(None);
        if !observing {
            let note = &mut self.edit().route;
            note.tier = tier.map(Into::into);
            note.target = Some(target.into());
        }
    }

    /// A stored answer was served: from now on the caller may judge it.
    pub fn served(&mut self, served: Served, took: Duration) {
        let saved = took.as_secs_f64() * 1e3 - self.arrived.ms();
        self.edit().cache.saved_ms = Some(saved.max(0.0));
        self.note_answer(Some(Arc::new(served)));
    }

    /// The answer is that of another request of this moment, under whose id it is stored.
    pub fn shares(&mut self, answer: Served) {
        self.edit().cache.leader = Some(answer.entry.clone());
        self.note_answer(Some(Arc::new(answer)));
    }

    fn note_answer(&self, served: Option<Arc<Served>>) {
        let record = self.get();
        let Some(id) = Uuid::parse_str(&record.id).ok().filter(|_| self.counts) else { return };
        let (tenant, route) = (record.tenant.as_str().into(), record.route.label.as_str().into());
        self.recorder.answers.note(id, Answer { tenant, route, at: self.now, served });
    }

    /// Whether the caller has said by now that the answer is bad.
    pub fn is_condemned(&self) -> bool {
        let said = Uuid::parse_str(self.id()).ok().and_then(|id| self.recorder.answers.said(id));
        said.is_some_and(|note| note.verdict == Label::Bad.name())
    }

    /// Tier and target that answered.
    pub fn answered(&self) -> Option<&(Option<String>, String)> {
        self.answered.as_ref()
    }

    /// Time a step took, in milliseconds.
    pub fn step(&mut self, step: &'static str, ms: f64) {
        *self.edit().timings_ms.entry(step).or_default() += ms;
    }

    /// Time since the request arrived that none of our own steps took: what its caller has waited
    /// for a provider so far.
    pub fn waited(&self) -> Duration {
        let timings = &self.get().timings_ms;
        let ours: f64 = OVERHEAD_STEPS.iter().filter_map(|step| timings.get(step)).sum();
        Duration::from_secs_f64((self.arrived.ms() - ours).max(0.0) / 1e3)
    }

    pub fn usage(&mut self, usage: Usage) {
        self.edit().usage = Some(usage);
    }

    pub fn bill(&mut self, bill: &Bill) {
        let record = self.edit();
        record.cost_usd = bill.cost;
        record.baseline_usd = bill.baseline;
        record.saved_usd = bill.saved();
        record.own_spend_usd = bill.own;
    }

    /// Books an answer that was made, and paid for, by another request. `baseline` is the price of
    /// what savings are counted against.
    pub fn shared(&mut self, usage: Usage, baseline: Option<Price>) {
        self.usage(usage);
        // Nothing, unless providers failed first and charged for it.
        let spent = Some(self.attempts.spent());
        let baseline = baseline.map(|price| price.cost(&usage));
        self.bill(&Bill { cost: spent, baseline, own: spent });
    }

    /// The answer as JSON, or its digest.
    pub fn response(&mut self, body: &[u8]) {
        self.edit().response = Some(Content::of(body, self.keep_content));
    }

    /// Time of the first content of a stream.
    pub fn first_content(&self) {
        let route = &self.get().route.label;
        let seconds = self.arrived.ms() / 1e3;
        self.recorder.metrics.first_content_seconds.with_label_values(&[route]).observe(seconds);
    }

    pub fn unknown_event(&self) {
        self.recorder.metrics.unknown_events.inc();
    }

    pub fn fail(&mut self, error: &GatewayError) {
        self.edit().outcome = error.outcome().into();
    }

    /// Sets the outcome of a request that did not end in a [`GatewayError`].
    pub fn outcome(&mut self, outcome: &'static str) {
        self.edit().outcome = outcome.into();
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        let Some(mut record) = self.record.take().filter(|_| self.counts) else { return };
        record.attempts = self.attempts.snapshot();
        if record.usage.is_none() {
            record.bill_in_vain();
        }
        record.timings_ms.insert("total", self.arrived.ms());
        if std::thread::panicking() {
            record.outcome = "internal".into();
        }
        self.recorder.close(*record);
    }
}

impl super::decision::CacheNote {
    fn evidence(&mut self, evidence: Option<&Evidence>) {
        let Some(evidence) = evidence else { return };
        self.similarity = Some(evidence.similarity);
        self.margin = Some(evidence.margin);
        self.score = Some(evidence.score);
        self.line = Some(evidence.line);
        self.guard = evidence.guard.map(|guard| guard.name());
        self.level.get_or_insert("semantic");
        self.entry.get_or_insert_with(|| evidence.entry.clone());
    }
}
