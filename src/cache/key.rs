//! Which requests may share an answer: the exact key, the scope, and the reasons to take no part.
//!
//! Everything that is not known to be irrelevant counts. The table in `fields` is the only place
//! where that is said; a field that is not in it is in the scope.

use serde_json::{Map, Value};

use super::canonical::{Canonical, Nulls};
use super::fields::{Class, FIELDS, class_of};
use super::ttl::Life;
use super::{BypassReason, CacheKey, Keyed, MissDetail, Scope};
use crate::access::Caller;
use crate::config::settings::{Cache, CacheEffect, CacheScope, Model, Tier};
use crate::dialect::openai::ChatRequest;
use crate::dialect::openai::request::LastMessage;
use crate::policy::{Choice, Policy};

/// What the cache may do for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Neither level looks up or stores.
    Bypass(BypassReason),
    Keyed(Keyed),
}

/// The identity of a request, or why it has none. Pure; hashes the body once, without copying it.
///
/// `life` is that of the request's answers; zero is a bypass.
///
/// Observe mode is not decided here: it looks up and stores like the other.
pub fn identify(
    request: &ChatRequest,
    caller: &Caller,
    policy: &Policy,
    settings: &Cache,
    life: Life,
) -> Lookup {
    if let Some(reason) = bypass(request, policy, settings, life) {
        return Lookup::Bypass(reason);
    }
    let messages = request.body.get("messages").and_then(Value::as_array);
    let messages = messages.map_or(&[][..], Vec::as_slice);
    let last_user = messages.iter().rposition(|message| role(message) == Some("user"));

    let mut scope = Canonical::new("semgate cache scope, first version");
    write_caller(&mut scope, caller, settings);
    write_policy(&mut scope, policy);
    write_fields(&mut scope, &request.body, settings);
    write_messages(&mut scope, messages, last_user);
    if scope.is_inexact() {
        // The parsed body lost digits; only the same bytes are surely the same request.
        scope.tag(b'R');
        scope.bytes(&request.raw);
    }
    let scope = Scope(scope.finish());

    let mut exact = Canonical::new("semgate cache exact key, first version");
    exact.bytes(&scope.0);
    if let Some(place) = last_user {
        // Part by part: joined, `a\nb` + `c` would equal `a` + `b\nc`.
        for text in texts(&messages[place]) {
            exact.text(text);
        }
    }
    Lookup::Keyed(Keyed {
        exact: CacheKey(exact.finish()),
        scope,
        exact_only: exact_only(request),
        limit: request.max_output,
    })
}

fn bypass(
    request: &ChatRequest,
    policy: &Policy,
    settings: &Cache,
    life: Life,
) -> Option<BypassReason> {
    if !settings.enabled || !(settings.exact.enabled || settings.semantic.enabled) {
        return Some(BypassReason::Disabled);
    }
    let ruled_out = match policy.cache_effect {
        Some(CacheEffect::Bypass) => true,
        Some(CacheEffect::Ttl(ttl)) => ttl.is_zero(),
        None => false,
    };
    if ruled_out || !policy.cache_allowed {
        return Some(BypassReason::Rule);
    }
    let temperature = request.body.get("temperature").and_then(Value::as_f64).unwrap_or(1.0);
    if temperature > settings.max_temperature {
        return Some(BypassReason::Temperature);
    }
    for field in &FIELDS {
        if let Class::Bypass(reason, harmless) = field.class
            && let Some(value) = request.body.get(field.name)
            && !value.is_null()
            && !harmless(value)
        {
            return Some(reason);
        }
    }
    life.ttl.is_zero().then_some(BypassReason::Volatile)
}

/// Whether whatever answers will have searched the web. Where only some of the models in force do,
/// admission decides by the one that answered.
pub fn searches_web(choice: &Choice) -> bool {
    match choice {
        Choice::Named { model, .. } => model.web_search,
        Choice::Forced { tier, .. } => tier.models.iter().all(|model| model.web_search),
        Choice::Strategy { route, strategy } => {
            strategy.pool(route).iter().all(|model| model.web_search)
        }
        Choice::Tiers { route } => {
            !route.tiers.is_empty()
                && route.tiers.iter().flat_map(|tier| &tier.models).all(|model| model.web_search)
        }
    }
}

/// Tenant and key come from authentication, never from the body.
fn write_caller(scope: &mut Canonical, caller: &Caller, settings: &Cache) {
    scope.text(&caller.tenant);
    match settings.scope {
        CacheScope::Tenant => scope.tag(b'T'),
        CacheScope::Key => {
            scope.tag(b'K');
            scope.optional(caller.key.as_deref());
        }
    }
}

/// What was asked for and what the policy made of it. Which tier the classifier picks is not in
/// here: it judged that tier adequate for the same name. Models are in by provider and upstream id,
/// so that answers of a model do not outlive a configuration that replaces it.
fn write_policy(scope: &mut Canonical, policy: &Policy) {
    scope.text(&policy.requested);
    match &policy.choice {
        Choice::Tiers { route } => {
            scope.tag(b'C');
            scope.count(route.tiers.len());
            for tier in &route.tiers {
                write_tier(scope, tier);
                match tier.min_adequacy {
                    Some(threshold) => scope.float(threshold),
                    None => scope.tag(b'n'),
                }
            }
            scope.float(policy.max_quality_loss);
            scope.float(policy.confidence);
        }
        // An answer by any model that the strategy may choose will do for each: the weights, which
        // say only how often, are not in here.
        Choice::Strategy { route, strategy } => {
            scope.tag(b'S');
            scope.text(strategy.name());
            let pool = strategy.pool(route);
            scope.count(pool.len());
            for model in pool {
                write_model(scope, model);
            }
        }
        Choice::Forced { tier, .. } => {
            scope.tag(b'F');
            write_tier(scope, tier);
        }
        Choice::Named { model, fallbacks, .. } => {
            scope.tag(b'M');
            write_model(scope, model);
            scope.count(fallbacks.len());
            for fallback in fallbacks {
                write_model(scope, fallback);
            }
        }
    }
    match &policy.regions {
        None => scope.tag(b'n'),
        Some(regions) => {
            let mut regions: Vec<&str> = regions.iter().map(String::as_str).collect();
            regions.sort_unstable();
            regions.dedup();
            scope.tag(b'[');
            scope.count(regions.len());
            for region in regions {
                scope.text(region);
            }
        }
    }
}

fn write_tier(scope: &mut Canonical, tier: &Tier) {
    scope.text(&tier.name);
    scope.count(tier.models.len());
    for model in &tier.models {
        write_model(scope, model);
    }
}

fn write_model(scope: &mut Canonical, model: &Model) {
    scope.text(&model.provider.name);
    // An answer on disk outlives the configuration: under the same name the next one may call
    // another endpoint.
    scope.text(&model.provider.base_url);
    scope.text(&model.id);
}

/// The top-level fields that must be equal, each with its name; then `cache.scope_fields`.
fn write_fields(scope: &mut Canonical, body: &Map<String, Value>, settings: &Cache) {
    let listed =
        |name: &str| body.get(name).and_then(Value::as_array).is_some_and(|l| !l.is_empty());
    for (name, value) in body {
        let (counts, nulls) = match class_of(name) {
            // The requested name is in the policy, without what the dialect may have made of it.
            Some(Class::Scope(_)) if name == "model" => (false, Nulls::Kept),
            Some(Class::Scope(is_default)) => {
                let default = match name.as_str() {
                    "tool_choice" => *value == default_choice(listed("tools")),
                    "function_call" => *value == default_choice(listed("functions")),
                    _ => is_default(value),
                };
                (!default, Nulls::Absent)
            }
            Some(_) => (false, Nulls::Kept),
            None => (!settings.ignored_fields.contains(name), Nulls::Kept),
        };
        if counts && !value.is_null() {
            // `logit_bias` maps tokens of the caller's; every other object is the schema's.
            let nulls = if name == "logit_bias" { Nulls::Kept } else { nulls };
            scope.tag(b'=');
            scope.text(name);
            scope.value(value, nulls);
        }
    }
    for path in &settings.scope_fields {
        if let Some(value) = at_path(body, path).filter(|value| !value.is_null()) {
            scope.tag(b'@');
            scope.text(path);
            scope.value(value, Nulls::Kept);
        }
    }
}

/// Documented: `none` without tools, `auto` with them.
fn default_choice(has_tools: bool) -> &'static str {
    if has_tools { "auto" } else { "none" }
}

/// The value at a dotted path; a field whose name has the dots itself comes first.
fn at_path<'b>(body: &'b Map<String, Value>, path: &str) -> Option<&'b Value> {
    if let Some(value) = body.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    at_path(body.get(first)?.as_object()?, rest)
}

fn write_messages(scope: &mut Canonical, messages: &[Value], last_user: Option<usize>) {
    scope.tag(b'm');
    scope.count(messages.len());
    for (place, message) in messages.iter().enumerate() {
        match message.as_object() {
            Some(members) => write_message(scope, members, Some(place) == last_user),
            None => scope.value(message, Nulls::Kept),
        }
    }
}

/// A message with all its members; of the last user message everything but the text itself.
fn write_message(scope: &mut Canonical, members: &Map<String, Value>, without_text: bool) {
    scope.tag(b'{');
    for (name, value) in members {
        if name == "content" {
            write_content(scope, value, without_text);
        } else if !value.is_null() {
            scope.tag(b'=');
            scope.member(name, value, Nulls::Absent);
        }
    }
    scope.tag(b'}');
}

/// A string is the same as its single text part.
fn write_content(scope: &mut Canonical, content: &Value, without_text: bool) {
    match content {
        Value::Null => {}
        Value::Array(parts) => {
            scope.tag(b'c');
            scope.count(parts.len());
            for part in parts {
                write_part(scope, part, without_text);
            }
        }
        Value::String(text) => {
            scope.tag(b'c');
            scope.count(1);
            write_text_part(scope, text, without_text);
        }
        other => {
            scope.tag(b'?');
            scope.value(other, Nulls::Kept);
        }
    }
}

fn write_text_part(scope: &mut Canonical, text: &str, without_text: bool) {
    scope.tag(b'x');
    if !without_text {
        scope.text(text);
    }
    scope.tag(b'}');
}

fn write_part(scope: &mut Canonical, part: &Value, without_text: bool) {
    let Some(members) = part.as_object() else {
        scope.tag(b'?');
        return scope.value(part, Nulls::Kept);
    };
    let text = text_of(part);
    match text {
        Some(text) => {
            scope.tag(b'x');
            if !without_text {
                scope.text(text);
            }
        }
        None => scope.tag(b'{'),
    }
    for (name, value) in members {
        let said = text.is_some() && matches!(name.as_str(), "type" | "text");
        // A hint to the provider's own prompt cache, wherever it stands.
        if said || value.is_null() || name == "prompt_cache_breakpoint" {
            continue;
        }
        scope.tag(b'=');
        scope.member(name, value, Nulls::Absent);
    }
    scope.tag(b'}');
}

fn role(message: &Value) -> Option<&str> {
    message.get("role")?.as_str()
}

fn text_of(part: &Value) -> Option<&str> {
    (part.get("type")?.as_str()? == "text").then(|| part.get("text")?.as_str())?
}

/// The text parts of a message, in order.
fn texts(message: &Value) -> impl Iterator<Item = &str> {
    let content = message.get("content");
    let whole = content.and_then(Value::as_str);
    let parts = content.and_then(Value::as_array).into_iter().flatten();
    whole.into_iter().chain(parts.filter_map(text_of))
}

/// Why only the exact level can serve this request, if so.
fn exact_only(request: &ChatRequest) -> Option<MissDetail> {
    match request.last {
        LastMessage::UserImage => Some(MissDetail::Image),
        // Audio is a file as far as the comparison of texts goes: it cannot be compared.
        LastMessage::UserFile | LastMessage::UserAudio => Some(MissDetail::File),
        LastMessage::ToolResult => Some(MissDetail::ToolResult),
        LastMessage::Prefill => Some(MissDetail::Prefill),
        LastMessage::UserText => {
            let seeded = request.body.get("seed").is_some_and(|seed| !seed.is_null());
            seeded.then_some(MissDetail::Seed)
        }
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
pub(crate) mod tests;
