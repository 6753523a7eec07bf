//! The line without its deeds: what would happen to a request, and why. Looks into the cache
//! without counting a hit, contacts no provider, stores nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::HeaderMap;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use crate::access::Caller;
use crate::cache::CacheVerdict;
use crate::cache::key::Lookup;
use crate::error::GatewayError;
use crate::now::Now;
use crate::policy::{Choice, Policy, idle_loss_header};
use crate::route::{RouteDecision, Strategy, plan};

use super::{Asked, Gateway, Rehearsal};

/// Completion tokens that a price is shown for when nothing limits them.
const TYPICAL_OUTPUT: u64 = 200;

/// What would happen: the JSON of `semgate explain --json`.
#[derive(Debug, Serialize)]
pub struct Explanation {
    pub policy: Value,
    /// Exact key and scope in hex, or why the cache takes no part.
    pub key: Value,
    pub cache: Value,
    pub features: BTreeMap<&'static str, f32>,
    pub probabilities: BTreeMap<String, f64>,
    pub tier: Option<String>,
    pub plan: Vec<Value>,
    pub rule: Option<String>,
    pub reason: Option<&'static str>,
    /// What the choice is expected to cost in quality; null where no classifier chose.
    pub loss: Value,
    pub passed_over: Vec<Value>,
    /// What of the request had no effect, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why no plan can be made, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Gateway {
    /// Runs the decisions of the line on a chat request.
    pub async fn explain(
        &self,
        body: Bytes,
        headers: &HeaderMap,
        caller: Arc<Caller>,
    ) -> Result<Explanation, GatewayError> {
        let now = Now::read();
        let rehearsal = self.rehearse(body, headers, caller, None, None, now).await?;
        let Rehearsal { asked, memory, decision, key, status, .. } = &rehearsal;
        let key = match key {
            Lookup::Keyed(keyed) => {
                json!({"exact": hex(&keyed.exact.0), "scope": hex(&keyed.scope.0)})
            }
            Lookup::Bypass(reason) => json!({"bypass": reason.name()}),
        };
        let cache = json!({
            "verdict": memory.verdict.name(),
            "detail": memory.verdict.detail(),
            "ttl_class": asked.life.class.name(),
            "ttl_seconds": asked.life.ttl.as_secs(),
            "status": status,
            "evidence": evidence(&memory.verdict),
        });
        Ok(explained(asked, key, cache, decision))
    }
}

fn explained(
    asked: &Asked,
    key: Value,
    cache: Value,
    decision: &Result<RouteDecision, GatewayError>,
) -> Explanation {
    let mut explanation = Explanation {
        policy: policy_json(&asked.policy),
        key,
        cache,
        features: BTreeMap::new(),
        probabilities: BTreeMap::new(),
        tier: None,
        plan: Vec::new(),
        rule: asked.policy.rule.as_ref().map(|(_, text)| text.clone()),
        reason: None,
        loss: Value::Null,
        passed_over: Vec::new(),
        notes: notes(asked),
        error: None,
    };
    match decision {
        Ok(decision) => {
            let facts = &asked.request.facts;
            let output = decision.set_max_output.or(asked.request.max_output);
            explanation.features = decision.features.iter().copied().collect();
            explanation.probabilities =
                decision.probabilities.iter().map(|(tier, p)| (tier.to_string(), *p)).collect();
            explanation.tier = decision.tier.as_ref().map(ToString::to_string);
            explanation.reason = Some(decision.reason.name());
            explanation.loss = decision.loss.map_or(Value::Null, |loss| {
                json!({
                    "expected": loss.expected, "bound": loss.bound,
                    "evidence": loss.evidence.name(), "labels": loss.evidence.labels(),
                    "version": decision.version,
                })
            });
            explanation.plan = decision
                .targets
                .iter()
                .map(|planned| {
                    let cost = plan::estimate_cost(
                        &planned.model,
                        facts,
                        output.unwrap_or(TYPICAL_OUTPUT),
                    );
                    let mut shown = json!({
                        "target": planned.model.label(),
                        "tier": planned.tier,
                        "cost_usd": cost.map(crate::price::Money::usd),
                    });
                    if let Some(why) = planned.why {
                        shown["why"] = why.to_string().into();
                    }
                    shown
                })
                .collect();
            explanation.passed_over = decision
                .passed_over
                .iter()
                .map(|(what, why)| json!({"what": what, "why": why}))
                .collect();
        }
        Err(error) => explanation.error = Some(error.message()),
    }
    explanation
}

fn notes(asked: &Asked) -> Vec<String> {
    let written = asked.headers.max_quality_loss;
    let idle = written.and_then(|_| idle_loss_header(&asked.caller, &asked.policy.choice));
    let note = |why| format!("x-semgate-max-quality-loss has no effect: {why}");
    idle.map(note).into_iter().collect()
}

fn evidence(verdict: &CacheVerdict) -> Value {
    let found = match verdict {
        CacheVerdict::Hit { evidence, .. } | CacheVerdict::Miss { evidence, .. } => evidence,
        _ => &None,
    };
    found.as_ref().map_or(Value::Null, |found| {
        json!({
            "entry": found.entry, "similarity": found.similarity, "margin": found.margin,
            "score": found.score, "line": found.line,
            "guard": found.guard.map(|guard| guard.name()),
            "because": found.because.iter().copied().collect::<BTreeMap<_, _>>(),
        })
    })
}

fn policy_json(policy: &Policy) -> Value {
    let (kind, name) = match &policy.choice {
        Choice::Tiers { route } | Choice::Strategy { route, .. } => {
            ("route", route.name.to_string())
        }
        Choice::Forced { tier, .. } => ("tier", tier.name.to_string()),
        Choice::Named { model, .. } => ("model", model.name.to_string()),
    };
    json!({
        "requested": policy.requested,
        "choice": {kind: name},
        "strategy": strategy_json(&policy.choice),
        "max_quality_loss": policy.max_quality_loss,
        "confidence": policy.confidence,
        "regions": policy.regions,
        "max_cost_usd": policy.max_cost.map(crate::price::Money::usd),
        "tags": policy.tags,
        "cache": policy.cache_allowed,
    })
}

/// As in the configuration; null where a tier or model is in force.
fn strategy_json(choice: &Choice) -> Value {
    match choice {
        Choice::Tiers { .. } => "classifier".into(),
        Choice::Strategy { strategy, .. } => match &**strategy {
            Strategy::Fixed { model, .. } => json!({"fixed": model.name}),
            Strategy::Weighted(weights) => {
                let weights: BTreeMap<&str, f64> =
                    weights.iter().map(|(model, weight)| (&*model.name, *weight)).collect();
                json!({"weighted": weights})
            }
            plain => plain.name().into(),
        },
        Choice::Forced { .. } | Choice::Named { .. } => Value::Null,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
