//! Sends recorded rows down the line, each at its own time, against a cache that starts empty.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::access::Caller;
use crate::cache::{CacheVerdict, Level};
use crate::config::settings::Model;
use crate::dialect::Usage;
use crate::dialect::openai::ChatRequest;
use crate::embed::{EmbedError, Embedder, Embedding};
use crate::gateway::{Gateway, Made, Rehearsal};
use crate::judge;
use crate::now::Now;
use crate::price::Money;
use crate::route::Planned;

use super::input::{Outcome, Row};
use super::report::Tally;

/// Output tokens of a row that says nothing about them, alike for every model.
const ESTIMATED_OUTPUT: u64 = 200;

/// Texts embedded at once.
const EMBED_BATCH: usize = 512;

/// One line of `--decisions`.
#[derive(Debug, Clone, Serialize)]
pub struct Decision {
    pub id: String,
    pub level: Option<&'static str>,
    pub verdict: String,
    pub detail: Option<String>,
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

/// Embeddings of every row, in order; `None` without an embedder.
pub type Vectors = Vec<Option<Embedding>>;

/// Embeds each row's prompt, in batches. `step` hears how many are done.
pub fn embed(rows: &[Row], embedder: Option<&Embedder>, mut step: impl FnMut(usize)) -> Vectors {
    let Some(embedder) = embedder else { return vec![None; rows.len()] };
    let mut vectors = Vectors::with_capacity(rows.len());
    for batch in rows.chunks(EMBED_BATCH) {
        let prompts: Vec<String> = batch
            .iter()
            .map(|row| ChatRequest::decode(row.body().into()).map(|r| r.prompt).unwrap_or_default())
            .collect();
        let embedded: Vec<Result<Embedding, EmbedError>> = embedder.embed_blocking(&prompts);
        vectors.extend(embedded.into_iter().map(Result::ok));
        step(vectors.len());
    }
    vectors
}

/// A run in progress.
#[derive(Debug)]
pub struct Run<'a> {
    gateway: &'a Gateway,
    rows: &'a [Row],
    /// Entry id to the row that made it.
    made_by: HashMap<String, usize>,
    /// Wall time of the first row, and the moment it stands for.
    first: Option<(Timestamp, Now)>,
    pub tally: Tally,
}

impl<'a> Run<'a> {
    pub fn new(gateway: &'a Gateway, rows: &'a [Row]) -> Self {
        Self { gateway, rows, made_by: HashMap::new(), first: None, tally: Tally::default() }
    }

    /// Replays one row. `Err` is a request that the line refuses; it is counted, not fatal.
    pub async fn row(&mut self, number: usize, vector: Option<Embedding>) -> Decision {
        let row = &self.rows[number];
        let now = self.moment(row.time(number));
        let id = row.id.as_ref().map_or_else(|| (number + 1).to_string(), ToString::to_string);
        let tenant = row.tenant.clone().unwrap_or_else(|| crate::access::ANONYMOUS.to_owned());
        let caller = self.gateway.caller_of_tenant(Some(&tenant)).unwrap_or_else(|_| {
            // A tenant that has no key in this configuration keeps a scope of its own.
            Arc::new(Caller { tenant: tenant.as_str().into(), ..Caller::anonymous() })
        });
        let body = Bytes::from(row.body());
        let rehearsed = self.gateway.rehearse(body, &tags(row), caller, vector, now).await;
        self.tally.requests += 1;
        let mut decision = blank(id);
        match rehearsed {
            Ok(rehearsal) => self.settle(number, &rehearsal, &mut decision),
            Err(error) => {
                self.tally.refused += 1;
                decision.verdict = "refused".into();
                decision.detail = Some(error.outcome().into());
            }
        }
        decision
    }

    fn settle(&mut self, number: usize, rehearsal: &Rehearsal, decision: &mut Decision) {
        let verdict = &rehearsal.memory().verdict;
        decision.verdict = verdict.name().into();
        decision.detail = verdict.detail().map(Into::into);
        self.tally.lookups += usize::from(rehearsal.memory().searched);
        if let CacheVerdict::Hit { evidence, .. } | CacheVerdict::Miss { evidence, .. } = verdict
            && let Some(evidence) = evidence
        {
            decision.similarity = Some(evidence.similarity);
            decision.score = Some(evidence.score);
            decision.line = Some(evidence.line);
            decision.entry = Some(evidence.entry.clone());
        }
        match rehearsal.memory().hit() {
            Some(hit) => {
                decision.level = Some(hit.level.name());
                decision.entry = Some(hit.entry.id.clone());
                decision.tier = hit.entry.tier.as_ref().map(ToString::to_string);
                decision.target = Some(hit.entry.target.to_string());
                self.hit(number, hit.level, hit.entry.usage, decision);
            }
            None => self.miss(number, rehearsal, decision),
        }
        let maker = decision.entry.as_ref().and_then(|entry| self.made_by.get(entry));
        decision.entry_id = maker.map(|maker| self.row_id(*maker));
    }

    fn hit(&mut self, number: usize, level: Level, usage: Usage, decision: &mut Decision) {
        let maker = decision.entry.as_ref().and_then(|entry| self.made_by.get(entry)).copied();
        let wrong = maker.and_then(|maker| wrong(&self.rows[number], &self.rows[maker]));
        decision.wrong = wrong;
        self.tally.hit(level, wrong);
        let baseline = self.baseline();
        let (usage, estimated) = match self.usage(number, baseline.as_deref()) {
            (_, true) => (usage, true),
            known => known,
        };
        self.tally.estimated += usize::from(estimated);
        self.tally.money(Some(Money::ZERO), cost(baseline.as_deref(), &usage));
        let served = maker.and_then(|maker| {
            let target = decision.target.as_deref()?;
            outcome(&self.rows[maker], &self.names(target))?.quality
        });
        let served = if wrong == Some(true) { Some(0.0) } else { served };
        self.tally.quality(served, self.baseline_quality(number));
    }

    fn miss(&mut self, number: usize, rehearsal: &Rehearsal, decision: &mut Decision) {
        let planned = match rehearsal.decision() {
            Ok(route) => match route.targets.first() {
                Some(planned) => planned.clone(),
                None => return,
            },
            Err(error) => {
                self.tally.refused += 1;
                decision.detail = Some(error.outcome().into());
                return;
            }
        };
        decision.tier = planned.tier.as_ref().map(ToString::to_string);
        decision.target = Some(planned.model.label());
        *self.tally.tiers.entry(tier_name(&planned)).or_default() += 1;
        let (usage, estimated) = self.usage(number, Some(&planned.model));
        let baseline = self.baseline();
        let (baseline_usage, _) = self.usage(number, baseline.as_deref());
        self.tally.estimated += usize::from(estimated);
        let price = cost(Some(&planned.model), &usage);
        self.tally.money(price, cost(baseline.as_deref(), &baseline_usage));
        let served = outcome(&self.rows[number], &names_of(&planned.model));
        self.tally.quality(served.and_then(|o| o.quality), self.baseline_quality(number));
        let entry = format!("row-{}", number + 1);
        let body = completion(&self.rows[number], number, &planned.model, &usage);
        let made = Made { planned: &planned, body, usage, cost: price, took: Duration::ZERO };
        if rehearsal.remember(self.gateway, &entry, made) {
            self.made_by.insert(entry, number);
        }
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

    fn baseline(&self) -> Option<Arc<Model>> {
        self.gateway.settings().routing.baseline.clone()
    }

    fn baseline_quality(&self, number: usize) -> Option<f64> {
        outcome(&self.rows[number], &names_of(&*self.baseline()?))?.quality
    }

    /// Names under which a target's outcome may stand in a row.
    fn names(&self, target: &str) -> Vec<String> {
        let settings = self.gateway.settings();
        let model = settings.models.iter().find(|model| model.label() == target);
        model.map_or_else(|| vec![target.to_owned()], |model| names_of(model))
    }

    /// Tokens of the row's answer by this model, and whether they are an estimate.
    fn usage(&self, number: usize, model: Option<&Model>) -> (Usage, bool) {
        let row = &self.rows[number];
        if let Some(found) = model.and_then(|model| outcome(row, &names_of(model)))
            && let (Some(prompt_tokens), Some(completion_tokens)) =
                (found.input_tokens, found.output_tokens)
        {
            return (Usage { prompt_tokens, completion_tokens, ..Usage::default() }, false);
        }
        let recorded = row
            .response()
            .and_then(|response| crate::dialect::openai::read_usage(&response["usage"]));
        match recorded {
            Some(usage) => (usage, false),
            None => {
                let prompt_tokens = ChatRequest::decode(row.body().into())
                    .map_or(0, |request| request.facts.prompt_tokens);
                let completion_tokens = ESTIMATED_OUTPUT;
                let usage = Usage { prompt_tokens, completion_tokens, ..Usage::default() };
                (Usage { estimated: true, ..usage }, true)
            }
        }
    }
}

/// Labels are the truth; without them the answers are compared, and the judge may abstain.
fn wrong(asked: &Row, served: &Row) -> Option<bool> {
    if let (Some(asked), Some(served)) = (asked.label(), served.label()) {
        return Some(asked != served);
    }
    match judge::compare(asked.answer_text()?, served.answer_text()?) {
        judge::Verdict::Same => Some(false),
        judge::Verdict::Different => Some(true),
        judge::Verdict::CannotTell => None,
    }
}

fn outcome(row: &Row, names: &[String]) -> Option<Outcome> {
    names.iter().find_map(|name| row.outcomes.get(name)).copied()
}

fn names_of(model: &Model) -> Vec<String> {
    vec![model.name.to_string(), model.id.to_string(), model.label()]
}

fn cost(model: Option<&Model>, usage: &Usage) -> Option<Money> {
    Some(model?.price?.cost(usage))
}

fn tier_name(planned: &Planned) -> String {
    planned.tier.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
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
        verdict: String::new(),
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
