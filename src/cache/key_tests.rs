//! Builders for the tests of `key`, and the tests themselves by what they show: which requests are
//! equal, who takes no part, what separates callers and policies, and properties.

#[path = "key_tests/bypass.rs"]
mod bypass;
#[path = "key_tests/equality.rs"]
mod equality;
#[path = "key_tests/isolation.rs"]
mod isolation;
#[path = "key_tests/mutation.rs"]
mod mutation;
#[path = "key_tests/properties.rs"]
mod properties;
#[path = "key_tests/scope.rs"]
mod scope;
#[path = "key_tests/tails.rs"]
mod tails;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) use super::*;
use crate::access::Rights;
use crate::cache::ttl;
use crate::config::settings::{Provider, Route, Timeouts};
use crate::dialect::openai::request::Facts;
use crate::policy::ForcedBy;

/// The identity of a request whose answers live as its policy and prompt say.
fn identify(request: &ChatRequest, caller: &Caller, policy: &Policy, settings: &Cache) -> Lookup {
    let life = ttl::life(&request.prompt, policy, &settings.ttl);
    super::identify(request, caller, policy, settings, life)
}

/// The documented defaults.
pub(crate) fn cache_settings() -> Cache {
    Cache::default()
}

fn caller(tenant: &str, key: Option<&str>) -> Caller {
    Caller { tenant: tenant.into(), key: key.map(Arc::from), rights: Rights::all() }
}

fn model(id: &str) -> Arc<Model> {
    let timeouts = Timeouts {
        connect: Duration::from_secs(3),
        first_content: Duration::from_secs(60),
        idle: Duration::from_secs(30),
        total: Duration::from_secs(600),
    };
    let provider = Arc::new(Provider {
        name: "openai".into(),
        base_url: "http://127.0.0.1:1/v1".into(),
        api_keys: Vec::new(),
        region: None,
        stream_usage: true,
        timeouts,
    });
    Arc::new(Model {
        name: id.into(),
        provider,
        id: id.into(),
        price: None,
        context: None,
        max_output: None,
        vision: false,
        tools: true,
        json_schema: true,
        web_search: false,
        fallbacks: Vec::new(),
        timeouts,
    })
}

fn tier(name: &str, threshold: Option<f64>) -> Arc<Tier> {
    Arc::new(Tier { name: name.into(), models: vec![model(name)], min_adequacy: threshold })
}

fn auto() -> Choice {
    let tiers = vec![tier("small", Some(0.8)), tier("frontier", None)];
    Choice::Tiers {
        route: Arc::new(Route {
            name: "auto".into(),
            tiers,
            regions: None,
            cache: true,
            strategy: Arc::default(),
        }),
    }
}

fn policy(choice: Choice) -> Policy {
    Policy {
        requested: "auto".into(),
        route_label: "auto".into(),
        choice,
        rule: None,
        cache_effect: None,
        cache_allowed: true,
        max_quality_loss: 0.02,
        confidence: 0.9,
        regions: None,
        max_cost: None,
        timeout: None,
        tags: BTreeMap::new(),
        rule_errors: 0,
    }
}

/// A request as the decoder would give it, as far as the key looks at it.
fn decode(raw: &str) -> ChatRequest {
    let Value::Object(body) = serde_json::from_str(raw).unwrap() else { panic!("an object") };
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    let prompt = messages
        .iter()
        .rfind(|message| role(message) == Some("user"))
        .map(|message| texts(message).collect::<Vec<_>>().join("\n"))
        .unwrap_or_default();
    let last = match messages.last().and_then(role) {
        Some("user") => LastMessage::UserText,
        Some("tool" | "function") => LastMessage::ToolResult,
        _ => LastMessage::Prefill,
    };
    ChatRequest {
        raw: raw.to_owned().into(),
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: false,
        include_usage: false,
        prompt,
        last,
        facts: Facts::default(),
        max_output: body.get("max_tokens").and_then(Value::as_u64),
        body,
    }
}

fn keyed(lookup: Lookup) -> Keyed {
    match lookup {
        Lookup::Keyed(keyed) => keyed,
        Lookup::Bypass(reason) => panic!("bypass: {reason:?}"),
    }
}

fn key(raw: &str) -> Keyed {
    key_with(raw, &cache_settings())
}

fn key_with(raw: &str, settings: &Cache) -> Keyed {
    keyed(identify(&decode(raw), &caller("acme", Some("web")), &policy(auto()), settings))
}

/// The plain request with one more member.
fn with(member: &str) -> String {
    format!(
        r#"{{"model":"auto","messages":[{{"role":"system","content":"Be brief."}},
           {{"role":"user","content":"How do magnets work?"}}]{}{member}}}"#,
        if member.is_empty() { "" } else { "," }
    )
}

fn lookup(raw: &str) -> Lookup {
    identify(&decode(raw), &caller("acme", None), &policy(auto()), &cache_settings())
}
