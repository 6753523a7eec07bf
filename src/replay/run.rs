//! Sends recorded rows down the line, each at its own time, against a cache that starts empty.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use jiff::Timestamp;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use serde_json::json;

use crate::access::{ANONYMOUS, Caller};
use crate::cache::{CacheVerdict, Level};
use crate::config::Settings;
use crate::config::settings::Model;
use crate::dialect::Usage;
use crate::embed::Embedding;
use crate::gateway::{Gateway, Made, Rehearsal};
use crate::judge::Verdict;
use crate::now::Now;
use crate::price::Money;

use super::bill::{cost, outcome, usage};
use super::input::Row;
use super::report::Tally;
use super::trace::{Seen, Trace};
use super::truth::{self, Truth};

/// Of the draws that decide about exploration: two replays of one input agree.
const SEED: u64 = 1;

/// One line of `--decisions`.
#[derive(Debug, Clone, Serialize)]
pub struct Decision {
    pub id: String,
    pub level: Option<&'static str>,
    pub verdict: &'static str,
    pub detail: Option<&'static str>,
    pub entry: Option<String>,
    /// Id of the row that made the entry.
    pub entry_id: Option<String>,
    pub similarity: Option<f32>,
    pub score: Option<f32>,
    pub line: Option<f32>,
    pub tier: Option<String>,
    pub target: Option<String>,
    /// `None`: unmeasured.
    pub wrong: Option<bool>,
}

/// A run in progress.
#[derive(Debug)]
pub struct Run<'a> {
    gateway: &'a Gateway,
    settings: Arc<Settings>,
    rows: &'a [Row],
    /// Entry id to the row that made it.
    made_by: HashMap<String, usize>,
    /// Tenant and key of a row to the caller they stand for.
    callers: HashMap<(Option<String>, Option<String>), Arc<Caller>>,
    /// Wall time of the first row, and the moment it stands for.
    first: Option<(Timestamp, Now)>,
    /// One for each row, if they are wanted.
    traces: Option<Vec<Trace>>,
    /// Whom to explore, the same in every run.
    chance: SmallRng,
    /// Of whom two tiers are compared, likewise.
    shadow: SmallRng,
    pub tally: Tally,
}

impl<'a> Run<'a> {
    /// `traced`: keeps what a report's pictures need of each row.
    pub fn new(gateway: &'a Gateway, rows: &'a [Row], traced: bool) -> Self {
        if rows.iter().all(|row| row.label().is_some()) {
            gateway.cache().minds().trust_labels();
        }
        Self {
            gateway,
            settings: gateway.settings(),
            rows,
            made_by: HashMap::new(),
            callers: HashMap::new(),
            first: None,
            traces: traced.then(Vec::new),
            chance: SmallRng::seed_from_u64(SEED),
            shadow: SmallRng::seed_from_u64(SEED + 1),
            tally: Tally::default(),
        }
    }

    /// Replays one row. One that the line refuses is counted, not fatal.
    pub async fn row(&mut self, number: usize, vector: Option<Embedding>) -> Decision {
        let row = &self.rows[number];
        let now = self.moment(row.time(number));
        let caller = self.caller(row);
        let body = Bytes::from(row.body());
        let draw = Some(self.chance.random());
        let rehearsed = self.gateway.rehearse(body, &tags(row), caller, vector, draw, now).await;
        self.tally.requests += 1;
        let mut decision = blank(self.row_id(number));
        let mut trace = Trace::blank(number, now.wall);
        match rehearsed {
            Ok(rehearsal) => self.settle(&rehearsal, &mut decision, &mut trace),
            Err(error) => {
                self.tally.refused += 1;
                (trace.verdict, trace.detail) = ("refused", Some(error.outcome()));
            }
        }
        decision.verdict = trace.verdict;
        decision.detail = trace.detail;
        if let Some(traces) = &mut self.traces {
            traces.push(trace);
        }
        decision
    }

    /// What is left of the rows: their traces, if they were wanted.
    pub fn into_traces(self) -> Vec<Trace> {
        self.traces.unwrap_or_default()
    }

    fn settle(&mut self, rehearsal: &Rehearsal, decision: &mut Decision, trace: &mut Trace) {
        let memory = rehearsal.memory();
        let verdict = &memory.verdict;
        (trace.verdict, trace.detail) = (verdict.name(), verdict.detail());
        (trace.searched, trace.ttl_class) = (memory.searched, Some(rehearsal.life().class));
        self.tally.lookups += usize::from(memory.searched);
        if let CacheVerdict::Hit { evidence, .. } | CacheVerdict::Miss { evidence, .. } = verdict
            && let Some(evidence) = evidence
        {
            decision.similarity = Some(evidence.similarity);
            decision.score = Some(evidence.score);
            decision.line = Some(evidence.line);
            decision.entry = Some(evidence.entry.clone());
            trace.seen = Some(Seen::of(evidence));
        }
        if let Some(hit) = memory.hit() {
            decision.entry = Some(hit.entry.id.clone());
        }
        trace.maker = decision.entry.as_ref().and_then(|entry| self.made_by.get(entry)).copied();
        decision.entry_id = trace.maker.map(|maker| self.row_id(maker));
        if memory.hit().is_some() || self.traces.is_some() {
            trace.truth = self.truth(trace);
        }
        match memory.hit() {
            Some(hit) => {
                decision.level = Some(hit.level.name());
                decision.tier = hit.entry.tier.as_ref().map(ToString::to_string);
                decision.target = Some(hit.entry.target.to_string());
                decision.wrong = trace.truth.map(|truth| truth.wrong);
                (trace.level, trace.tier) = (Some(hit.level), hit.entry.tier.clone());
                self.hit(rehearsal, hit.level, &hit.entry.model, trace);
            }
            None => self.miss(rehearsal, decision, trace),
        }
    }

    /// Whether the answer of the entry that came nearest is the right one.
    fn truth(&self, trace: &Trace) -> Option<Truth> {
        truth::of(&self.rows[trace.row], &self.rows[trace.maker?])
    }

    fn hit(&mut self, rehearsal: &Rehearsal, level: Level, model: &str, trace: &mut Trace) {
        let row = &self.rows[trace.row];
        self.tally.hit(level, trace.truth, trace.ttl_class);
        let baseline = self.settings.routing.baseline.clone();
        let usage = usage(row, rehearsal.request(), baseline.as_deref());
        self.tally.estimated += usize::from(usage.estimated);
        trace.baseline = cost(baseline.as_deref(), &usage);
        trace.cost =
            if rehearsal.renews() { self.renew(rehearsal, trace.row) } else { Some(Money::ZERO) };
        self.tally.money(trace.cost, trace.baseline);
        let served = match trace.truth {
            Some(Truth { wrong: true, .. }) => Some(0.0),
            _ => trace.maker.and_then(|maker| {
                outcome(&self.rows[maker], self.settings.model(model)?.as_ref())?.quality
            }),
        };
        self.tally.quality(served, self.baseline_quality(row));
    }

    /// What was served past its expiry is asked again, as beside the line: here at once. What that
    /// costs.
    fn renew(&mut self, rehearsal: &Rehearsal, number: usize) -> Option<Money> {
        let planned = rehearsal.decision().ok().and_then(|route| route.targets.first());
        let Some(planned) = planned else { return Some(Money::ZERO) };
        let row = &self.rows[number];
        let answered = usage(row, rehearsal.request(), Some(&planned.model));
        let spent = cost(Some(&planned.model), &answered);
        let entry = format!("row-{}", number + 1);
        let body = completion(row, number, &planned.model, &answered);
        let took = Duration::ZERO;
        let made = Made { planned, status: 200, body, usage: answered, cost: spent, took };
        let verdicts = self.verdicts(rehearsal, number);
        if rehearsal.renew(self.gateway, &entry, made, verdicts) {
            self.made_by.insert(entry, number);
        }
        spent
    }

    fn miss(&mut self, rehearsal: &Rehearsal, decision: &mut Decision, trace: &mut Trace) {
        let planned = match rehearsal.decision() {
            Ok(route) => match route.targets.first() {
                Some(planned) => planned.clone(),
                None => return,
            },
            Err(error) => {
                self.tally.refused += 1;
                trace.detail = Some(error.outcome());
                return;
            }
        };
        let row = &self.rows[trace.row];
        let request = rehearsal.request();
        decision.tier = planned.tier.as_ref().map(ToString::to_string);
        decision.target = Some(planned.model.label());
        trace.tier = planned.tier.clone();
        let tier = planned.tier.as_deref().unwrap_or("none");
        *self.tally.tiers.entry(tier.to_owned()).or_default() += 1;
        let baseline = self.settings.routing.baseline.as_deref();
        let answered = usage(row, request, Some(&planned.model));
        self.tally.estimated += usize::from(answered.estimated);
        trace.cost = cost(Some(&planned.model), &answered);
        trace.baseline = cost(baseline, &usage(row, request, baseline));
        self.tally.money(trace.cost, trace.baseline);
        let served = outcome(row, &planned.model).and_then(|outcome| outcome.quality);
        self.tally.quality(served, self.baseline_quality(row));
        let expected = rehearsal.decision().ok().and_then(|decision| decision.loss);
        self.tally.expect(expected.map(|loss| loss.expected));
        self.shadow(rehearsal, trace.row, planned.tier.as_deref());
        let entry = format!("row-{}", trace.row + 1);
        let body = completion(row, trace.row, &planned.model, &answered);
        let took = Duration::ZERO;
        let made =
            Made { planned: &planned, status: 200, body, usage: answered, cost: trace.cost, took };
        let verdicts = self.verdicts(rehearsal, trace.row);
        if rehearsal.remember(self.gateway, &entry, made, verdicts) {
            self.made_by.insert(entry, trace.row);
        }
    }

    /// `routing.shadow`: whoever of a drawn pair has not answered is asked as well, by what the row says
    /// of it, and what that costs is our own.
    fn shadow(&mut self, rehearsal: &Rehearsal, number: usize, served: Option<&str>) {
        let draws = std::array::from_fn(|_| self.shadow.random());
        let row = &self.rows[number];
        let quality = |model: &Model| outcome(row, model)?.quality;
        let Some(pair) = rehearsal.compare_tiers(self.gateway, draws, &quality) else { return };
        self.tally.labels += 1;
        for tier in [&pair.weak, &pair.strong] {
            let tier = self.settings.tier(tier).filter(|tier| Some(&*tier.name) != served);
            let model = tier.and_then(|tier| tier.models.iter().find(|it| quality(it).is_some()));
            if let Some(model) = model {
                let usage = usage(row, rehearsal.request(), Some(model));
                self.tally.spend_on_learning(cost(Some(model), &usage));
            }
        }
    }

    /// What labels and answers say of the entries that the row's answer is compared with.
    fn verdicts(&self, rehearsal: &Rehearsal, row: usize) -> Option<Vec<Verdict>> {
        let pending = rehearsal.memory().pending.as_ref()?;
        let verdict = |entry: &str| {
            let maker = self.made_by.get(entry)?;
            let truth = truth::of(&self.rows[row], &self.rows[*maker])?;
            Some(if truth.wrong { Verdict::Different } else { Verdict::Same })
        };
        Some(pending.rivals().map(|id| verdict(id).unwrap_or(Verdict::CannotTell)).collect())
    }

    /// Who sent the row: with the rights of its key, else of the first key of its tenant, as live.
    /// A tenant or key that the configuration does not have keeps a scope of its own.
    fn caller(&mut self, row: &Row) -> Arc<Caller> {
        let names = (row.tenant.clone(), row.key.clone());
        if let Some(known) = self.callers.get(&names) {
            return known.clone();
        }
        let tenant = row.tenant.as_deref().unwrap_or(ANONYMOUS);
        let keys = &self.settings.keys;
        let own = row
            .key
            .as_deref()
            .and_then(|name| keys.iter().find(|key| &*key.name == name && &*key.tenant == tenant));
        let like = own.or_else(|| keys.iter().find(|key| &*key.tenant == tenant));
        let key = row.key.as_deref().map(Into::into);
        let caller = Arc::new(Caller {
            tenant: tenant.into(),
            key: key.or_else(|| like.map(|key| key.name.clone())),
            ..like.map_or_else(Caller::anonymous, |key| Caller {
                rights: key.rights.clone(),
                ..Caller::anonymous()
            })
        });
        self.callers.insert(names, caller.clone());
        caller
    }

    /// Recorded time as both clocks: the monotonic one moves as the recorded one did.
    fn moment(&mut self, wall: Timestamp) -> Now {
        let (first, start) = *self.first.get_or_insert_with(|| (wall, Now::read()));
        let passed = Duration::try_from(wall.duration_since(first)).unwrap_or_default();
        Now { wall, mono: start.mono + passed }
    }

    fn row_id(&self, number: usize) -> String {
        let id = self.rows[number].id.as_ref();
        id.map_or_else(|| (number + 1).to_string(), ToString::to_string)
    }

    fn baseline_quality(&self, row: &Row) -> Option<f64> {
        outcome(row, self.settings.routing.baseline.as_deref()?)?.quality
    }
}

/// The row's own answer as a completion. A row without an answer is represented by its label, or
/// by its number where it has none.
fn completion(row: &Row, number: usize, model: &Model, usage: &Usage) -> Bytes {
    if let Some(response) = row.response() {
        return response.to_string().into();
    }
    let text = row.answer_text().map(str::to_owned).or_else(|| row.label());
    json!({
        "id": "chatcmpl-replay", "object": "chat.completion", "created": 0, "model": &*model.id,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {
            "role": "assistant",
            "content": text.unwrap_or_else(|| format!("answer to row {}", number + 1)),
        }}],
        "usage": {
            "prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        },
    })
    .to_string()
    .into()
}

/// Recorded tags, as the header that carried them.
fn tags(row: &Row) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let pairs: Vec<String> =
        row.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !pairs.is_empty()
        && let Ok(value) = HeaderValue::from_str(&pairs.join(","))
    {
        headers.insert("x-semgate-tags", value);
    }
    headers
}

fn blank(id: String) -> Decision {
    Decision {
        id,
        level: None,
        verdict: "",
        detail: None,
        entry: None,
        entry_id: None,
        similarity: None,
        score: None,
        line: None,
        tier: None,
        target: None,
        wrong: None,
    }
}
