//! `cache`.

use std::sync::Arc;

use super::Check;
use super::server::bytes;
use super::upstream::Upstreams;
use crate::config::at::{At, OrOff};
use crate::config::raw::{RawCache, RawCacheRule, RawMode, RawScope};
use crate::config::scalar::{Share, Span};
use crate::config::settings::{
    Cache, CacheEffect, CacheRule, CacheScope, ExactCache, Mode, Model, Persistence, SemanticCache,
    Ttl,
};

/// The fields of a chat request that the cache classes itself. None of them can be declared
/// irrelevant: those that are were left out of the key already.
const KNOWN_FIELDS: [&str; 37] = [
    "messages",
    "model",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "stop",
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "seed",
    "reasoning_effort",
    "verbosity",
    "moderation",
    "max_tokens",
    "max_completion_tokens",
    "stream",
    "stream_options",
    "user",
    "safety_identifier",
    "metadata",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "prediction",
    "n",
    "logprobs",
    "top_logprobs",
    "modalities",
    "audio",
    "web_search_options",
    "store",
];

pub(super) fn mode(raw: &Option<At<RawMode>>) -> Mode {
    match raw.as_ref().map(|mode| mode.value) {
        Some(RawMode::Observe) => Mode::Observe,
        Some(RawMode::Enforce) | None => Mode::Enforce,
    }
}

pub(super) fn is_on(key: &Option<At<bool>>, default: bool) -> bool {
    key.as_ref().map_or(default, |key| key.value)
}

pub(super) fn cache(raw: &RawCache, upstreams: &Upstreams, check: &mut Check<'_>) -> Cache {
    let span = |key: &Option<At<Span>>, default| key.as_ref().map_or(default, |key| key.value.0);
    let unsaid = Cache::default();
    fields(raw, check);
    Cache {
        enabled: is_on(&raw.enabled, unsaid.enabled),
        judge: raw.judge.as_ref().and_then(|named| judge(named, upstreams, check)),
        max_wrong_hits: share(&raw.max_wrong_hits).unwrap_or(unsaid.max_wrong_hits),
        min_precision: match raw.min_precision.as_ref().map(|key| &key.value) {
            Some(OrOff::Off) => None,
            Some(OrOff::On(share)) => Some(share.0 as f32),
            None => unsaid.min_precision,
        },
        exploration: share(&raw.exploration).unwrap_or(unsaid.exploration),
        mode: mode(&raw.mode),
        scope: match raw.scope.as_ref().map(|scope| scope.value) {
            Some(RawScope::Key) => CacheScope::Key,
            Some(RawScope::Tenant) | None => CacheScope::Tenant,
        },
        scope_fields: check.texts(raw.scope_fields.as_deref(), "field"),
        ignored_fields: check.texts(raw.ignored_fields.as_deref(), "field"),
        max_temperature: check.within(&raw.max_temperature, unsaid.max_temperature, 0.0..=2.0),
        max_entry: bytes(&raw.max_entry, unsaid.max_entry, check),
        tool_calls: is_on(&raw.tool_calls, unsaid.tool_calls),
        expose_evidence: is_on(&raw.expose_evidence, unsaid.expose_evidence),
        shadow: raw.shadow.as_ref().map_or(unsaid.shadow, |shadow| shadow.value.0),
        exact: ExactCache {
            enabled: is_on(&raw.exact.enabled, unsaid.exact.enabled),
            max_bytes: bytes(&raw.exact.max_bytes, unsaid.exact.max_bytes, check),
        },
        semantic: SemanticCache {
            enabled: is_on(&raw.semantic.enabled, unsaid.semantic.enabled),
            max_entries: check.within(&raw.semantic.max_entries, 100_000, 1..=100_000_000) as usize,
            max_bytes: bytes(&raw.semantic.max_bytes, unsaid.semantic.max_bytes, check),
            candidates: check.within(&raw.semantic.candidates, 24, 1..=1000) as usize,
            min_similarity: check.within(&raw.semantic.min_similarity, 0.5, -1.0..=1.0) as f32,
        },
        ttl: Ttl {
            default: span(&raw.ttl.default, unsaid.ttl.default),
            volatile: span(&raw.ttl.volatile, unsaid.ttl.volatile),
            timeless: span(&raw.ttl.timeless, unsaid.ttl.timeless),
        },
        stale_while_revalidate: span(&raw.stale_while_revalidate, unsaid.stale_while_revalidate),
        stale_if_error: span(&raw.stale_if_error, unsaid.stale_if_error),
        refresh_ahead: is_on(&raw.refresh_ahead, unsaid.refresh_ahead),
        feedback_window: span(&raw.feedback_window, unsaid.feedback_window),
        persistence: Persistence {
            enabled: is_on(&raw.persistence.enabled, unsaid.persistence.enabled),
        },
        rules: raw.rules.iter().flatten().filter_map(|rule| cache_rule(rule, check)).collect(),
    }
}

fn share(key: &Option<At<Share>>) -> Option<f32> {
    key.as_ref().map(|share| share.value.0 as f32)
}

/// The model that compares answers: one of `models:`, for a route would ask now this model, now
/// that one, with whatever errors each makes; and one with a price, or its spend could not be booked.
fn judge(named: &At<String>, upstreams: &Upstreams, check: &mut Check<'_>) -> Option<Arc<Model>> {
    let known = upstreams.known_models();
    let model = upstreams.model(&named.value);
    if model.is_none() && !known.contains(&named.value.as_str()) {
        check.unknown(named, "model", &known);
    }
    // A model that is faulty itself has its fault there already.
    if model.is_some_and(|model| model.price.is_none()) {
        let problem = format!("the price of `{}` is not known", super::short(&named.value));
        let advice = "write `price: {input: …, output: …}` at the model, zeros if it is your own";
        check.fault(named.id, problem, advice);
    }
    model.cloned()
}

fn fields(raw: &RawCache, check: &mut Check<'_>) {
    let scope = raw.scope_fields.as_deref().unwrap_or_default();
    for field in raw.ignored_fields.as_deref().unwrap_or_default() {
        let top = field.value.split('.').next().unwrap_or_default();
        if KNOWN_FIELDS.contains(&top) {
            let problem =
                format!("`{}` is a field that the cache knows", super::short(&field.value));
            check.fault(field.id, problem, "leave it out; only unknown fields can be ignored");
        } else if scope.contains(field) {
            let problem = format!("`{}` is a scope field as well", super::short(&field.value));
            check.fault(field.id, problem, "keep it in one of the two lists");
        }
    }
    for field in scope {
        if field.value.split('.').any(str::is_empty) && !field.value.trim().is_empty() {
            let problem = format!("`{}` is no path of a field", super::short(&field.value));
            check.fault(field.id, problem, "write `user` or `metadata.session`");
        }
    }
}

fn cache_rule(rule: &At<RawCacheRule>, check: &mut Check<'_>) -> Option<CacheRule> {
    const ADVICE: &str = "write one of `{bypass: true}` and `{ttl: 1h}`";
    let when = check.when(rule.id, &rule.value.when);
    let then = check.required(rule.id, "then", &rule.value.then)?;
    let effect = match (&then.value.bypass, &then.value.ttl) {
        (Some(bypass), None) if bypass.value => Some(CacheEffect::Bypass),
        (Some(bypass), None) => {
            check.fault(bypass.id, "a rule that does not bypass does nothing", ADVICE);
            None
        }
        (None, Some(ttl)) => Some(CacheEffect::Ttl(ttl.value.0)),
        (Some(_), Some(_)) => {
            check.fault(then.id, "a rule does one thing, not two", ADVICE);
            None
        }
        (None, None) => {
            if check.is_bare(then.id) {
                check.fault(then.id, "the rule does nothing", ADVICE);
            }
            None
        }
    };
    Some(CacheRule { when: when?, then: effect? })
}
