//! The field table of a chat request, through the whole line: one stored answer, and every field
//! changed one by one. What must be equal never hits; what does not matter always does, so that the
//! first half cannot pass by finding nothing.

use serde_json::{Value, json};

use crate::support::{Answer, TestGateway};

/// A request with a member of every class that a cache may answer.
fn full() -> Value {
    json!({
        "model": "auto",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Name a river."},
            {"role": "assistant", "content": "The Rhine."},
            {"role": "user", "name": "ann", "content": "How long is it?"},
        ],
        "tools": [tool("look", "string")],
        "tool_choice": "required",
        "parallel_tool_calls": false,
        "response_format": {"type": "json_object"},
        "stop": ["END"],
        "temperature": 0.25,
        "top_p": 0.5,
        "frequency_penalty": 0.5,
        "presence_penalty": 0.5,
        "logit_bias": {"50256": -100},
        "reasoning_effort": "low",
        "verbosity": "low",
        "moderation": {"mode": "strict"},
        "vendor_field": {"deep": [1, 2]},
        "max_completion_tokens": 100,
        "metadata": {"session": "a"},
        "user": "u",
    })
}

fn tool(name: &str, kind: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {
        "type": "object", "properties": {"q": {"type": kind}}}}})
}

/// Places and other values for them; no value is the place left out.
fn mattering() -> Vec<(&'static str, Option<Value>)> {
    vec![
        ("/model", Some(json!("mini"))),
        ("/model", Some(json!("tier/small"))),
        ("/messages/0/content", Some(json!("Be brief"))),
        ("/messages/0/content", Some(json!("be brief."))),
        ("/messages/0/role", Some(json!("developer"))),
        ("/messages/0/name", Some(json!("ops"))),
        ("/messages/1/content", Some(json!("Name a river!"))),
        ("/messages/2/content", Some(json!("The Rhone."))),
        ("/messages/3/name", Some(json!("bob"))),
        ("/messages/3/name", None),
        (
            "/messages/3/content",
            Some(
                json!([{"type": "text", "text": "How long"}, {"type": "text", "text": " is it?"}]),
            ),
        ),
        (
            "/messages/3/content",
            Some(json!([{"type": "text", "text": "How long is it?"},
                {"type": "image_url", "image_url": {"url": "https://img.test/a.png"}}])),
        ),
        ("/tools", None),
        ("/tools/0", Some(tool("find", "string"))),
        ("/tools/0", Some(tool("look", "number"))),
        ("/tool_choice", Some(json!("none"))),
        ("/tool_choice", None),
        ("/parallel_tool_calls", Some(json!(true))),
        ("/parallel_tool_calls", None),
        ("/functions", Some(json!([{"name": "old", "parameters": {"type": "object"}}]))),
        ("/function_call", Some(json!({"name": "old"}))),
        ("/response_format", None),
        ("/response_format/type", Some(json!("text"))),
        ("/stop", Some(json!("STOP"))),
        ("/stop", None),
        ("/temperature", Some(json!(0.26))),
        ("/temperature", None),
        ("/top_p", Some(json!(0.51))),
        ("/top_p", None),
        ("/frequency_penalty", Some(json!(-0.5))),
        ("/frequency_penalty", None),
        ("/presence_penalty", Some(json!(0))),
        ("/presence_penalty", Some(json!(0.6))),
        ("/logit_bias", Some(json!({"50256": 100}))),
        ("/logit_bias", None),
        ("/seed", Some(json!(7))),
        ("/reasoning_effort", Some(json!("high"))),
        ("/reasoning_effort", None),
        ("/verbosity", Some(json!("high"))),
        ("/moderation", Some(json!({"mode": "off"}))),
        ("/vendor_field/deep/1", Some(json!(3))),
        ("/vendor_field", None),
        ("/another_field", Some(json!(true))),
        // The scope that the configuration below adds.
        ("/metadata/session", Some(json!("b"))),
        // What takes no part at all.
        ("/n", Some(json!(2))),
        ("/logprobs", Some(json!(true))),
        ("/top_logprobs", Some(json!(3))),
        ("/modalities", Some(json!(["text", "audio"]))),
        ("/audio", Some(json!({"voice": "a", "format": "mp3"}))),
        ("/web_search_options", Some(json!({}))),
        ("/store", Some(json!(true))),
        // The stored answer has ten tokens.
        ("/max_completion_tokens", Some(json!(9))),
    ]
}

fn harmless() -> Vec<(&'static str, Option<Value>)> {
    vec![
        ("/max_completion_tokens", Some(json!(10))),
        ("/max_completion_tokens", None),
        ("/metadata", Some(json!({"session": "a", "trace": "x"}))),
        ("/user", Some(json!("somebody else"))),
        ("/user", None),
        ("/safety_identifier", Some(json!("s"))),
        ("/service_tier", Some(json!("flex"))),
        ("/prompt_cache_key", Some(json!("k"))),
        ("/prompt_cache_retention", Some(json!("24h"))),
        ("/prediction", Some(json!({"type": "content", "content": "x"}))),
        ("/trace_id", Some(json!("t"))),
        ("/n", Some(json!(1))),
        ("/logprobs", Some(json!(false))),
        ("/store", Some(json!(false))),
        ("/messages/0/name", Some(Value::Null)),
        ("/seed", Some(Value::Null)),
        ("/messages/3/content", Some(json!([{"type": "text", "text": "How long is it?"}]))),
        // The same words once more: the semantic level.
        ("/messages/3/content", Some(json!("how long is it"))),
    ]
}

fn changed(place: &str, value: Option<Value>) -> Value {
    let mut body = full();
    let (holder, name) = place.rsplit_once('/').expect("a pointer has a slash");
    match (body.pointer_mut(holder), value) {
        (Some(Value::Object(members)), Some(value)) => drop(members.insert(name.into(), value)),
        (Some(Value::Object(members)), None) => drop(members.remove(name)),
        (Some(Value::Array(items)), Some(value)) => {
            items[name.parse::<usize>().expect("a place")] = value;
        }
        _ => panic!("no such place: {place}"),
    }
    body
}

fn hit(answer: &Answer) -> bool {
    answer.header("cache-status").starts_with("semgate; hit")
}

/// Every model does everything, so that no change is refused for another reason.
const ABLE: &str = "
embedder: {timeout: 5s}
cache: {scope_fields: [metadata.session], ignored_fields: [trace_id]}
providers:
  - {name: up, dialect: openai, base_url: \"${UPSTREAM}\", api_keys: [k], region: eu}
models:
  - {name: mini, provider: up, id: up-mini, price: {input: 1, output: 2}, vision: true, tools: true, json_schema: true}
routing:
  tiers:
    - {name: small, models: [mini], min_adequacy: 0.0}
    - {name: other, models: [mini]}
";

#[tokio::test]
async fn every_field_that_matters_separates_and_every_other_one_does_not() {
    let gateway = TestGateway::of(ABLE).await;
    let sent = [("x-semgate-tags", "a=b")];
    gateway.upstream.says("1,230 km");
    let first = gateway.send(&full(), &sent).await;
    assert_eq!(first.header("cache-status"), "semgate; fwd=miss; stored; detail=no-candidate");
    let mut wrong = Vec::new();
    for (place, value) in mattering() {
        let what = format!("{place} {value:?}");
        gateway.upstream.says("another answer");
        // Nobody shall find it: what hits is the first answer, or nothing.
        let headers = [("cache-control", "no-store")];
        let answer = gateway.send(&changed(place, value), &headers).await;
        if answer.status != 200 || hit(&answer) || answer.content() != "another answer" {
            wrong.push(format!("{what}: {} {:?}", answer.status, answer.headers));
        }
    }
    let mut older = changed("/max_completion_tokens", None);
    older["max_tokens"] = 9.into();
    gateway.upstream.says("another answer");
    let answer = gateway.send(&older, &[("cache-control", "no-store")]).await;
    assert_eq!(answer.content(), "another answer", "max_tokens: {:?}", answer.headers);
    for (header, value) in [("x-semgate-tier", "small"), ("x-semgate-tier", "other")] {
        gateway.upstream.says("another answer");
        let answer = gateway.send(&full(), &[(header, value), ("cache-control", "no-store")]).await;
        assert_eq!(answer.content(), "another answer", "{header}: {:?}", answer.headers);
    }
    for (place, value) in harmless() {
        let what = format!("{place} {value:?}");
        let answer = gateway.send(&changed(place, value), &[]).await;
        if !hit(&answer) {
            wrong.push(format!("{what}: {} {:?}", answer.text, answer.headers));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(mattering().len() >= 50 && harmless().len() >= 15);
    gateway.finish().await;
}
