use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::access::Rights;
use crate::config::settings::{ExactCache, Mode, Provider, Route, SemanticCache, Timeouts, Ttl};
use crate::dialect::openai::request::Facts;
use crate::policy::ForcedBy;

/// The documented defaults.
pub(crate) fn cache_settings() -> Cache {
    Cache {
        enabled: true,
        mode: Mode::Enforce,
        scope: CacheScope::Tenant,
        scope_fields: Vec::new(),
        ignored_fields: Vec::new(),
        max_temperature: 1.0,
        max_entry: 256_000,
        tool_calls: false,
        expose_evidence: false,
        exact: ExactCache { enabled: true, max_bytes: 256_000_000 },
        semantic: SemanticCache {
            enabled: true,
            max_entries: 100_000,
            max_bytes: 1_000_000_000,
            candidates: 24,
            min_similarity: 0.5,
        },
        ttl: Ttl {
            default: Duration::from_secs(86_400),
            volatile: Duration::ZERO,
            timeless: Duration::from_secs(30 * 86_400),
        },
        rules: Vec::new(),
    }
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
        route: Arc::new(Route { name: "auto".into(), tiers, regions: None, cache: true }),
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

#[test]
fn what_is_documented_as_equal_is_equal() {
    let plain = key(&with(""));
    for member in [
        r#""temperature":1.0"#,
        r#""temperature":1"#,
        r#""temperature":1e0"#,
        r#""temperature":null"#,
        r#""top_p":1"#,
        r#""n":1"#,
        r#""frequency_penalty":0.0"#,
        r#""presence_penalty":0"#,
        r#""parallel_tool_calls":true"#,
        r#""tools":[]"#,
        r#""tools":null"#,
        r#""tool_choice":"none""#,
        r#""function_call":"none""#,
        r#""response_format":{"type":"text"}"#,
        r#""stop":null"#,
        r#""logprobs":false"#,
        r#""top_logprobs":null"#,
        r#""modalities":["text"]"#,
        r#""store":false"#,
        r#""seed":null"#,
        r#""unknown":null"#,
        // Ignored, whatever they say.
        r#""stream":true,"stream_options":{"include_usage":true}"#,
        r#""user":"u1""#,
        r#""safety_identifier":"x""#,
        r#""metadata":{"a":"b"}"#,
        r#""service_tier":"flex""#,
        r#""prompt_cache_key":"k","prompt_cache_retention":"24h","prompt_cache_options":{}"#,
        r#""prediction":{"type":"content","content":"x"}"#,
        r#""max_tokens":100"#,
        r#""max_completion_tokens":100"#,
    ] {
        let other = key(&with(member));
        assert_eq!((other.exact, other.scope), (plain.exact, plain.scope), "{member}");
        assert_eq!(other.exact_only, None, "{member}");
    }
}

#[test]
fn every_scope_field_separates_scope_and_key() {
    let mut seen = vec![(String::new(), key(&with("")))];
    for member in [
        r#""temperature":0.5"#,
        r#""temperature":0"#,
        r#""top_p":0.5"#,
        r#""frequency_penalty":0.1"#,
        r#""presence_penalty":0.1"#,
        r#""logit_bias":{"50256":-100}"#,
        r#""logit_bias":{}"#,
        r#""seed":7"#,
        r#""stop":"x""#,
        r#""stop":["x"]"#,
        r#""reasoning_effort":"low""#,
        r#""verbosity":"low""#,
        r#""moderation":{"a":1}"#,
        r#""response_format":{"type":"json_object"}"#,
        r#""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}}"#,
        r#""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"const":null}}}"#,
        r#""parallel_tool_calls":false"#,
        r#""tools":[{"type":"function","function":{"name":"f"}}]"#,
        r#""tools":[{"type":"function","function":{"name":"f","parameters":{}}}]"#,
        r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none""#,
        r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required""#,
        r#""tool_choice":"auto""#,
        r#""functions":[{"name":"f"}]"#,
        r#""functions":[{"name":"f"}],"function_call":{"name":"f"}"#,
        r#""top_k":5"#,
        r#""top_k":"5""#,
        r#""thinking":{"budget":null}"#,
        r#""thinking":{}"#,
        r#""big":18446744073709551615"#,
        r#""big":18446744073709551614"#,
        r#""big":18446744073709551616"#,
        r#""big":18446744073709551617"#,
    ] {
        seen.push((member.into(), key(&with(member))));
    }
    for (at, (left, a)) in seen.iter().enumerate() {
        for (right, b) in &seen[at + 1..] {
            assert_ne!(a.scope, b.scope, "{left} | {right}");
            assert_ne!(a.exact, b.exact, "{left} | {right}");
        }
    }
}

#[test]
fn with_tools_the_default_choice_is_auto() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    let nulls = r#""tools":[{"type":"function","function":{"name":"f","strict":null}}]"#;
    let plain = key(&with(tools));
    assert_eq!(plain, key(&with(&format!(r#"{tools},"tool_choice":"auto""#))));
    assert_eq!(plain, key(&with(nulls)));
}

fn messages(list: &str) -> Keyed {
    key(&format!(r#"{{"model":"auto","messages":[{list}]}}"#))
}

#[test]
fn a_string_is_its_single_text_part_and_null_members_are_absent() {
    let plain = messages(r#"{"role":"system","content":"S"},{"role":"user","content":"P"}"#);
    for list in [
        r#"{"role":"system","content":[{"type":"text","text":"S"}]},{"role":"user","content":"P"}"#,
        r#"{"role":"system","content":"S"},{"content":[{"text":"P","type":"text"}],"role":"user"}"#,
        r#"{"role":"system","content":"S","name":null},{"role":"user","content":"P","name":null}"#,
        r#"{"role":"system","content":"S"},
           {"role":"user","content":[{"type":"text","text":"P","prompt_cache_breakpoint":true}]}"#,
    ] {
        assert_eq!(messages(list), plain, "{list}");
    }
}

#[test]
fn the_prompt_is_in_the_key_and_not_in_the_scope() {
    let one = messages(r#"{"role":"system","content":"S"},{"role":"user","content":"P"}"#);
    let two = messages(r#"{"role":"system","content":"S"},{"role":"user","content":"Q"}"#);
    assert_eq!(one.scope, two.scope);
    assert_ne!(one.exact, two.exact);
    // Not normalised.
    let space = messages(r#"{"role":"system","content":"S"},{"role":"user","content":"P "}"#);
    assert_eq!(one.scope, space.scope);
    assert_ne!(one.exact, space.exact);
}

#[test]
fn everything_else_of_the_messages_separates() {
    let lists = [
        r#"{"role":"user","content":"P"}"#,
        r#"{"role":"system","content":"S"},{"role":"user","content":"P"}"#,
        r#"{"role":"system","content":"T"},{"role":"user","content":"P"}"#,
        r#"{"role":"developer","content":"S"},{"role":"user","content":"P"}"#,
        r#"{"role":"user","content":"P"},{"role":"system","content":"S"}"#,
        r#"{"role":"system","content":"S"},{"role":"system","content":"S"},{"role":"user","content":"P"}"#,
        r#"{"role":"system","content":[{"type":"text","text":"S"},{"type":"text","text":""}]},{"role":"user","content":"P"}"#,
        r#"{"role":"system","content":"S"},{"role":"user","content":"P","name":"bob"}"#,
        r#"{"role":"system","content":"S"},{"role":"user","content":[{"type":"text","text":"P","x":1}]}"#,
        r#"{"role":"system","content":"S"},{"role":"user","content":[{"type":"text","text":"P"},{"type":"text","text":"Q"}]}"#,
        r#"{"role":"user","content":"H"},{"role":"assistant","content":"A"},{"role":"user","content":"P"}"#,
        r#"{"role":"user","content":"H"},{"role":"assistant","content":"B"},{"role":"user","content":"P"}"#,
        r#"{"role":"user","content":"I"},{"role":"assistant","content":"B"},{"role":"user","content":"P"}"#,
        r#"{"role":"user","content":"H"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"user","content":"P"}"#,
        r#"{"role":"user","content":"H"},{"role":"assistant","refusal":"no"},{"role":"user","content":"P"}"#,
        r#"{"role":"user","content":[{"type":"text","text":"P"},{"type":"image_url","image_url":{"url":"a"}}]}"#,
        r#"{"role":"user","content":[{"type":"text","text":"P"},{"type":"image_url","image_url":{"url":"b"}}]}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"a"}},{"type":"text","text":"P"}]}"#,
        r#"{"role":"user","content":"P"},{"role":"assistant","content":"So"}"#,
        r#"{"role":"user","content":"P"},{"role":"tool","tool_call_id":"1","content":"So"}"#,
    ];
    let keys: Vec<Keyed> = lists.iter().map(|list| messages(list)).collect();
    for (at, left) in keys.iter().enumerate() {
        for (other, right) in keys.iter().enumerate().skip(at + 1) {
            assert_ne!(left.scope, right.scope, "{}\n{}", lists[at], lists[other]);
            assert_ne!(left.exact, right.exact, "{}\n{}", lists[at], lists[other]);
        }
    }
}

#[test]
fn where_text_parts_end_is_part_of_the_key() {
    let parts = |a: &str, b: &str| {
        messages(
            &json!({"role": "user", "content": [
            {"type": "text", "text": a}, {"type": "text", "text": b}]})
            .to_string(),
        )
    };
    let (one, two) = (parts("a\nb", "c"), parts("a", "b\nc"));
    assert_eq!(one.scope, two.scope);
    assert_ne!(one.exact, two.exact);
}

#[test]
fn configured_fields_move_into_the_scope_or_out() {
    let mut settings = cache_settings();
    settings.scope_fields = vec!["user".into(), "metadata.session".into()];
    settings.ignored_fields = vec!["trace_id".into(), "temperature".into()];
    let key = |member: &str| key_with(&with(member), &settings);
    let plain = key("");
    assert_eq!(key(r#""trace_id":"x""#), plain);
    assert_eq!(key(r#""metadata":{"other":1}"#), plain);
    assert_eq!(key(r#""metadata":{"session":null},"user":null"#), plain);
    // Only unknown fields can be ignored.
    assert_ne!(key(r#""temperature":0.5"#).scope, plain.scope);
    let mut scopes = vec![plain.scope];
    for member in [
        r#""user":"a""#,
        r#""user":"b""#,
        r#""metadata":{"session":"a"}"#,
        r#""metadata":{"session":"b"}"#,
        r#""metadata.session":"a""#,
        r#""trace":"x""#,
    ] {
        let keyed = key(member);
        assert!(!scopes.contains(&keyed.scope), "{member}");
        scopes.push(keyed.scope);
    }
}

#[test]
fn the_callers_limit_is_carried_beside_the_key() {
    assert_eq!(key(&with(r#""max_tokens":17"#)).limit, Some(17));
    assert_eq!(key(&with("")).limit, None);
}

#[test]
fn bypasses_have_their_reason() {
    for (member, reason) in [
        (r#""n":2"#, BypassReason::N),
        (r#""logprobs":true"#, BypassReason::Logprobs),
        (r#""top_logprobs":3"#, BypassReason::Logprobs),
        (r#""modalities":["text","audio"]"#, BypassReason::Modality),
        (r#""audio":{"voice":"a"}"#, BypassReason::Modality),
        (r#""web_search_options":{}"#, BypassReason::WebSearch),
        (r#""store":true"#, BypassReason::Store),
        (r#""temperature":1.1"#, BypassReason::Temperature),
    ] {
        assert_eq!(lookup(&with(member)), Lookup::Bypass(reason), "{member}");
    }
    let today = with("").replace("How do magnets work?", "What is the weather today?");
    assert_eq!(lookup(&today), Lookup::Bypass(BypassReason::Volatile));
}

#[test]
fn configuration_and_policy_can_rule_the_cache_out() {
    let request = decode(&with(""));
    let volatile = decode(&with("").replace("How do magnets work?", "weather today"));
    let someone = caller("acme", None);
    let reason = |change: &dyn Fn(&mut Cache, &mut Policy), request: &ChatRequest| {
        let (mut settings, mut policy) = (cache_settings(), policy(auto()));
        change(&mut settings, &mut policy);
        match identify(request, &someone, &policy, &settings) {
            Lookup::Bypass(reason) => Some(reason),
            Lookup::Keyed(_) => None,
        }
    };
    let ttl = |seconds| Some(CacheEffect::Ttl(Duration::from_secs(seconds)));
    use BypassReason::{Disabled, Rule, Temperature, Volatile};
    assert_eq!(reason(&|_, _| {}, &request), None);
    assert_eq!(reason(&|cache, _| cache.enabled = false, &request), Some(Disabled));
    assert_eq!(
        reason(
            &|cache, _| {
                cache.exact.enabled = false;
                cache.semantic.enabled = false;
            },
            &request
        ),
        Some(Disabled)
    );
    assert_eq!(reason(&|cache, _| cache.exact.enabled = false, &request), None);
    assert_eq!(reason(&|_, policy| policy.cache_allowed = false, &request), Some(Rule));
    assert_eq!(
        reason(&|_, policy| policy.cache_effect = Some(CacheEffect::Bypass), &request),
        Some(Rule)
    );
    assert_eq!(reason(&|_, policy| policy.cache_effect = ttl(0), &request), Some(Rule));
    assert_eq!(reason(&|_, policy| policy.cache_effect = ttl(5), &volatile), None);
    assert_eq!(reason(&|cache, _| cache.ttl.volatile = Duration::from_secs(9), &volatile), None);
    assert_eq!(reason(&|cache, _| cache.ttl.default = Duration::ZERO, &request), Some(Volatile));
    // A request that names no temperature has 1.0.
    assert_eq!(reason(&|cache, _| cache.max_temperature = 0.5, &request), Some(Temperature));
}

#[test]
fn a_model_that_searches_the_web_is_volatile() {
    let mut live = (*model("live")).clone();
    live.web_search = true;
    let choice = Choice::Named { model: Arc::new(live), fallbacks: Vec::new(), by: ForcedBy::Name };
    let lookup =
        identify(&decode(&with("")), &caller("acme", None), &policy(choice), &cache_settings());
    assert_eq!(lookup, Lookup::Bypass(BypassReason::Volatile));
}

#[test]
fn what_the_texts_do_not_tell_is_for_the_exact_level_only() {
    let mut request = decode(&with(""));
    for (last, expected) in [
        (LastMessage::UserText, None),
        (LastMessage::UserImage, Some(MissDetail::Image)),
        (LastMessage::UserFile, Some(MissDetail::File)),
        (LastMessage::UserAudio, Some(MissDetail::File)),
        (LastMessage::ToolResult, Some(MissDetail::ToolResult)),
        (LastMessage::Prefill, Some(MissDetail::Prefill)),
    ] {
        request.last = last;
        let lookup = identify(&request, &caller("acme", None), &policy(auto()), &cache_settings());
        assert_eq!(keyed(lookup).exact_only, expected);
    }
    assert_eq!(key(&with(r#""seed":0"#)).exact_only, Some(MissDetail::Seed));
}

#[test]
fn whoever_calls_and_whatever_is_in_force_separates() {
    let request = decode(&with(""));
    let tenant = cache_settings();
    let mut by_key = cache_settings();
    by_key.scope = CacheScope::Key;
    let changed = |change: &dyn Fn(&mut Policy)| {
        let mut policy = policy(auto());
        change(&mut policy);
        policy
    };
    let forced = |name: &str, by| policy(Choice::Forced { tier: tier(name, None), by });
    let named = |id: &str, fallbacks: Vec<Arc<Model>>| {
        policy(Choice::Named { model: model(id), fallbacks, by: ForcedBy::Name })
    };
    let regions = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
        changed(&move |policy| policy.regions = Some(names.clone()))
    };
    let one_tier = Choice::Tiers {
        route: Arc::new(Route {
            name: "auto".into(),
            tiers: vec![tier("small", Some(0.8))],
            regions: None,
            cache: true,
        }),
    };
    let acme = caller("acme", Some("web"));
    let cases = [
        (acme.clone(), policy(auto()), &tenant),
        (caller("acm", Some("web")), policy(auto()), &tenant),
        (caller("", None), policy(auto()), &tenant),
        (acme.clone(), policy(auto()), &by_key),
        (caller("acme", Some("app")), policy(auto()), &by_key),
        (caller("acme", None), policy(auto()), &by_key),
        (acme.clone(), changed(&|policy| policy.requested = "gpt-4o".into()), &tenant),
        (acme.clone(), changed(&|policy| policy.max_quality_loss = 0.05), &tenant),
        (acme.clone(), changed(&|policy| policy.confidence = 0.5), &tenant),
        (acme.clone(), policy(one_tier), &tenant),
        (acme.clone(), regions(&[]), &tenant),
        (acme.clone(), regions(&["eu"]), &tenant),
        (acme.clone(), regions(&["eu", "us"]), &tenant),
        (acme.clone(), forced("small", ForcedBy::Header), &tenant),
        (acme.clone(), forced("frontier", ForcedBy::Header), &tenant),
        (acme.clone(), named("small", Vec::new()), &tenant),
        (acme.clone(), named("small", vec![model("frontier")]), &tenant),
    ];
    let keys: Vec<Keyed> = cases
        .iter()
        .map(|(caller, policy, settings)| keyed(identify(&request, caller, policy, settings)))
        .collect();
    for (at, left) in keys.iter().enumerate() {
        for (other, right) in keys.iter().enumerate().skip(at + 1) {
            assert_ne!(left.scope, right.scope, "cases {at} and {other}");
            assert_ne!(left.exact, right.exact, "cases {at} and {other}");
        }
    }
    let same = |left: (&Caller, &Policy), right: (&Caller, &Policy)| {
        let [left, right] =
            [left, right].map(|(caller, policy)| identify(&request, caller, policy, &tenant));
        assert_eq!(left, right);
    };
    // Keys of a tenant share, unless the scope is the key; so do those who forced a tier anyhow.
    same((&acme, &policy(auto())), (&caller("acme", None), &policy(auto())));
    let rule = forced("small", ForcedBy::Rule);
    same((&acme, &forced("small", ForcedBy::Header)), (&acme, &rule));
    same((&acme, &regions(&["eu", "us"])), (&acme, &regions(&["us", "eu", "us"])));
    // Neither money nor time changes what an answer says.
    let cheap = changed(&|policy| {
        policy.max_cost = Some(crate::price::Money::from_pico(1));
        policy.timeout = Some(Duration::from_secs(1));
    });
    same((&acme, &cheap), (&acme, &policy(auto())));
}

/// Writes a value in another spelling: members reversed, white space, numbers with an exponent,
/// null members where the schema allows them.
fn respell(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            out.push_str("{ ");
            for (at, (name, value)) in members.iter().rev().enumerate() {
                out.push_str(if at == 0 { "\n" } else { " ,\t" });
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push_str(" : ");
                respell(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { " " } else { " , " });
                respell(item, out);
            }
            out.push(']');
        }
        Value::Number(number) if number.as_i64().is_some_and(|n| n.unsigned_abs() < 1 << 49) => {
            out.push_str(&format!("{number}.0e0"));
        }
        Value::String(text) => {
            out.push('"');
            for unit in text.encode_utf16() {
                out.push_str(&format!("\\u{unit:04x}"));
            }
            out.push('"');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn content() -> impl Strategy<Value = Value> {
    prop_oneof![
        ".{0,12}".prop_map(Value::from),
        proptest::collection::vec(".{0,6}", 1..3).prop_map(|texts| {
            texts.into_iter().map(|text| json!({"type": "text", "text": text})).collect()
        }),
    ]
}

fn body() -> impl Strategy<Value = Value> {
    let message = (prop::sample::select(&["system", "user", "assistant"][..]), content())
        .prop_map(|(role, content)| json!({"role": role, "content": content}));
    let tools = prop::option::of(any::<i32>());
    let top_k = prop::option::of(any::<i64>());
    (proptest::collection::vec(message, 1..4), 0.0f64..1.0, tools, top_k).prop_map(
        |(messages, temperature, minimum, top_k)| {
            let mut body = json!({
                "model": "auto", "messages": messages, "temperature": temperature, "top_k": top_k,
            });
            if let Some(minimum) = minimum {
                body["tools"] = json!([{"type": "function", "function": {
                    "name": "f", "parameters": {"minimum": minimum, "default": null}}}]);
            }
            body
        },
    )
}

/// Never volatile, so that any text gets a key.
fn lasting() -> Cache {
    let mut settings = cache_settings();
    settings.ttl.volatile = Duration::from_secs(1);
    settings.ignored_fields = vec!["trace_id".into()];
    settings
}

/// String contents as single parts and the other way round, null members, ignored fields.
fn reform(body: &Value) -> Value {
    let mut body = body.clone();
    for message in body["messages"].as_array_mut().into_iter().flatten() {
        let content = match &message["content"] {
            Value::String(text) => json!([{"type": "text", "text": text, "detail": null}]),
            Value::Array(parts) if parts.len() == 1 => parts[0]["text"].clone(),
            other => other.clone(),
        };
        message["content"] = content;
        message["name"] = Value::Null;
    }
    body["stop"] = Value::Null;
    body["stream"] = json!(true);
    body["trace_id"] = json!("x");
    body["n"] = json!(1.0);
    body
}

proptest! {
    #[test]
    fn any_spelling_of_a_request_has_its_key(body in body()) {
        let settings = lasting();
        let plain = key_with(&body.to_string(), &settings);
        let mut respelt = String::new();
        respell(&reform(&body), &mut respelt);
        prop_assert_eq!(key_with(&respelt, &settings), plain, "{}", respelt);
    }

    #[test]
    fn two_requests_share_a_key_only_if_they_are_equal(left in body(), right in body()) {
        let settings = lasting();
        let same = key_with(&left.to_string(), &settings).exact
            == key_with(&right.to_string(), &settings).exact;
        let single = |body: &Value| {
            let mut body = body.clone();
            for message in body["messages"].as_array_mut().into_iter().flatten() {
                if let Value::String(text) = &message["content"] {
                    message["content"] = json!([{"type": "text", "text": text}]);
                }
            }
            body
        };
        prop_assert_eq!(same, single(&left) == single(&right));
    }

    #[test]
    fn two_tenants_never_share(body in body(), left in ".{0,8}", right in ".{0,8}") {
        prop_assume!(left != right);
        let request = decode(&body.to_string());
        let policy = policy(auto());
        let [left, right] = [left, right].map(|tenant| {
            keyed(identify(&request, &caller(&tenant, Some("web")), &policy, &lasting()))
        });
        prop_assert_ne!(left.scope, right.scope);
        prop_assert_ne!(left.exact, right.exact);
    }
}
