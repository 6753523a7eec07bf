//! What is remembered, for whom, and how it is served.

use serde_json::json;

use crate::passthrough::keys_yaml;
use crate::support::{Act, TestGateway, chat, chat_stream, completion};

#[tokio::test]
async fn a_repeat_is_served_from_memory_with_a_fresh_id() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("Paris");
    let miss = gateway.ask("auto", "capital of France?").await;
    let hit = gateway.ask("auto", "capital of France?").await;
    assert!(hit.header("cache-status").starts_with("semgate; hit; ttl="), "{:?}", hit.headers);
    assert!(hit.header("cache-status").ends_with("; detail=exact"));
    assert_eq!(hit.header("age"), "0");
    assert_eq!(hit.header("x-semgate-attempts"), "0");
    assert_eq!(hit.header("x-semgate-cost-usd"), "0");
    assert_eq!(hit.header("x-semgate-saved-usd"), "0.012");
    assert_eq!(hit.header("x-semgate-target"), miss.header("x-semgate-target"));
    let (stored, served) = (completion("Paris"), hit.json());
    assert_ne!(served["id"], stored["id"]);
    assert!(served["id"].as_str().is_some_and(|id| id.starts_with("chatcmpl-")));
    assert!(served["created"].as_i64().is_some_and(|created| created > 1_700_000_000));
    for member in ["model", "usage", "choices", "vendor_extra"] {
        assert_eq!(served[member], stored[member], "{member}");
    }
    let record = gateway.record(&hit).await;
    assert_eq!(record["cache"]["level"], "exact");
    assert_eq!(record["cache"]["entry"], gateway.record(&miss).await["id"]);
    gateway.finish().await;
}

#[tokio::test]
async fn stored_json_is_served_as_a_stream_and_the_reverse() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("one two three four five six seven eight nine ten");
    gateway.ask("auto", "count to ten").await;
    let streamed = gateway.send(&chat_stream("auto", "count to ten"), &[]).await;
    assert!(streamed.header("cache-status").contains("hit"));
    assert!(streamed.header("content-type").starts_with("text/event-stream"));
    assert_eq!(streamed.streamed(), "one two three four five six seven eight nine ten");
    assert!(streamed.chunks().len() > 3);
    assert!(streamed.chunks().iter().all(|chunk| chunk.get("usage").is_none()));
    assert!(streamed.text.ends_with("data: [DONE]\n\n"));
    assert!(
        streamed.text.contains(": semgate cost-usd=0 saved-usd=0.012\n\n"),
        "{}",
        streamed.text
    );

    gateway.upstream.streams(&["red ", "green ", "blue"]);
    gateway.send(&chat_stream("auto", "name three colours"), &[]).await;
    let whole = gateway.ask("auto", "name three colours").await;
    assert!(whole.header("cache-status").contains("hit"), "{:?}", whole.headers);
    assert_eq!(whole.content(), "red green blue");
    assert_eq!(whole.json()["usage"]["total_tokens"], 110);
    gateway.finish().await;
}

#[tokio::test]
async fn a_stream_from_memory_carries_usage_only_if_asked() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("yes");
    gateway.ask("auto", "is it so?").await;
    let mut body = chat_stream("auto", "is it so?");
    body["stream_options"] = json!({"include_usage": true});
    let streamed = gateway.send(&body, &[]).await;
    let last = streamed.chunks().pop().expect("chunks");
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(110)));
    gateway.finish().await;
}

#[tokio::test]
async fn the_same_words_hit_and_another_number_or_a_negation_does_not() {
    let gateway = TestGateway::start().await;
    let prompt = "How do I return a parcel within 14 days of delivery to my home address";
    gateway.upstream.says("A").says("B").says("C");
    gateway.ask("auto", prompt).await;
    let shouted = gateway.ask("auto", &format!("{}??", prompt.to_uppercase())).await;
    assert!(shouted.header("cache-status").ends_with("detail=semantic"), "{:?}", shouted.headers);
    let number = gateway.ask("auto", &prompt.replace("14", "30")).await;
    assert_eq!(number.header("cache-status"), "semgate; fwd=miss; stored; detail=guard-number");
    let negation = gateway.ask("auto", &prompt.replace("do I", "do I not")).await;
    assert_eq!(negation.header("cache-status"), "semgate; fwd=miss; stored; detail=guard-negation");
    let record = gateway.record(&number).await;
    assert_eq!(record["cache"]["guard"], "number");
    assert!(record["cache"]["similarity"].as_f64().is_some_and(|cosine| cosine > 0.8));
    gateway.finish().await;
}

#[tokio::test]
async fn no_answer_crosses_a_tenant_or_a_scope() {
    let gateway = TestGateway::with(&keys_yaml()).await;
    gateway.upstream.says("for alpha").says("for beta").says("with a system message");
    let alpha = [("x-api-key", "sg-alpha")];
    let beta = [("x-api-key", "sg-beta")];
    gateway.send(&chat("mini", "who am I?"), &alpha).await;
    let other = gateway.send(&chat("mini", "who am I?"), &beta).await;
    assert_eq!(other.content(), "for beta");
    let mut framed = chat("mini", "who am I?");
    framed["messages"]
        .as_array_mut()
        .expect("messages")
        .insert(0, json!({"role": "system", "content": "You are a pirate."}));
    assert_eq!(gateway.send(&framed, &alpha).await.content(), "with a system message");
    assert_eq!(gateway.send(&chat("mini", "who am I?"), &alpha).await.content(), "for alpha");
    gateway.finish().await;
}

#[tokio::test]
async fn directives_of_the_request_are_heeded() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("1").says("2").says("3");
    let only = [("cache-control", "only-if-cached")];
    let empty = gateway.send(&chat("auto", "one thing"), &only).await;
    assert_eq!(
        (empty.status, empty.header("cache-status")),
        (504, "semgate; detail=only-if-cached")
    );
    assert_eq!(empty.json()["error"]["code"], "not_cached");
    assert_eq!(empty.header("x-should-retry"), "false");
    let unstored = gateway.send(&chat("auto", "one thing"), &[("cache-control", "no-store")]).await;
    assert_eq!(unstored.header("cache-status"), "semgate; fwd=miss; detail=no-candidate");
    gateway.ask("auto", "one thing").await;
    assert_eq!(gateway.send(&chat("auto", "one thing"), &only).await.content(), "2");
    let fresh = gateway.send(&chat("auto", "one thing"), &[("cache-control", "no-cache")]).await;
    assert_eq!(fresh.header("cache-status"), "semgate; fwd=request; stored; detail=no-cache");
    assert_eq!(gateway.ask("auto", "one thing").await.content(), "3");
    gateway.finish().await;
}

#[tokio::test]
async fn what_cannot_be_shared_bypasses_with_its_reason() {
    let gateway = TestGateway::start().await;
    for (member, value, detail) in [
        ("temperature", json!(1.5), "temperature"),
        ("n", json!(2), "n"),
        ("logprobs", json!(true), "logprobs"),
        ("store", json!(true), "store"),
    ] {
        for _ in 0..2 {
            gateway.upstream.says("x");
            let mut body = chat("auto", "the same every time");
            body[member] = value.clone();
            let answer = gateway.send(&body, &[]).await;
            let status = format!("semgate; fwd=bypass; detail={detail}");
            assert_eq!(answer.header("cache-status"), status, "{}", answer.text);
        }
    }
    gateway.upstream.says("sunny");
    let now = gateway.ask("auto", "What is the weather in Berlin right now?").await;
    assert_eq!(now.header("cache-status"), "semgate; fwd=bypass; detail=volatile");
    gateway.finish().await;
}

#[tokio::test]
async fn nothing_abnormal_is_stored() {
    let gateway = TestGateway::start().await;
    let abnormal = |change: fn(&mut serde_json::Value)| {
        let mut body = completion("half an ans");
        change(&mut body);
        Act::Reply { status: 200, headers: vec![], body: body.to_string() }
    };
    let acts = [
        abnormal(|body| body["choices"][0]["finish_reason"] = json!("length")),
        abnormal(|body| body["choices"][0]["finish_reason"] = json!("content_filter")),
        abnormal(|body| body["choices"][0]["message"]["content"] = json!("")),
        abnormal(|body| body["choices"][0]["message"]["refusal"] = json!("no")),
        abnormal(|body| {
            body["choices"][0]["message"]["tool_calls"] = json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
        }),
    ];
    for act in acts {
        gateway.upstream.then(act);
        let answer = gateway.ask("auto", "tell me something").await;
        assert_eq!(answer.status, 200);
        assert!(!answer.header("cache-status").contains("stored"), "{}", answer.text);
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_hit_must_fit_the_output_limit() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("ten tokens").says("shorter");
    gateway.ask("auto", "explain").await;
    let mut body = chat("auto", "explain");
    body["max_tokens"] = 5.into();
    let answer = gateway.send(&body, &[]).await;
    assert_eq!(answer.header("cache-status"), "semgate; fwd=miss; stored; detail=length");
    gateway.finish().await;
}

#[tokio::test]
async fn rules_bypass_or_set_the_time_to_live() {
    let rules = "cache:\n  rules:\n    - {when: 'tags.feature == \"quote\"', then: {bypass: true}}\n    - {when: 'prompt.contains(\"opening hours\")', then: {ttl: 90s}}\n";
    let gateway = TestGateway::with(rules).await;
    gateway.upstream.says("x").says("y");
    let tagged =
        gateway.send(&chat("auto", "a quote"), &[("x-semgate-tags", "feature=quote")]).await;
    assert_eq!(tagged.header("cache-status"), "semgate; fwd=bypass; detail=rule");
    gateway.ask("auto", "your opening hours on Sunday").await;
    let hit = gateway.ask("auto", "your opening hours on Sunday").await;
    let status = hit.header("cache-status").to_owned();
    assert!(
        status.starts_with("semgate; hit; ttl=89;") || status.starts_with("semgate; hit; ttl=90;"),
        "{status}"
    );
    gateway.finish().await;
}

#[tokio::test]
async fn observe_mode_looks_and_serves_nothing() {
    let gateway = TestGateway::with("cache: {mode: observe}\n").await;
    gateway.upstream.says("1").says("2");
    gateway.ask("auto", "look at this").await;
    let second = gateway.ask("auto", "look at this").await;
    assert_eq!(second.content(), "2");
    assert_eq!(second.header("cache-status"), "semgate; fwd=bypass; detail=observe");
    let record = gateway.record(&second).await;
    assert_eq!(record["cache"]["verdict"], "hit", "what would have been done");
    assert_eq!(record["attempts"].as_array().map(Vec::len), Some(1));
    gateway.finish().await;
}

#[tokio::test]
async fn evidence_is_shown_only_where_the_operator_says_so() {
    for (more, shown) in [("", false), ("cache: {expose_evidence: true}\n", true)] {
        let gateway = TestGateway::with(more).await;
        gateway.upstream.says("x");
        gateway.ask("auto", "a rather long question about nothing at all").await;
        let hit = gateway.ask("auto", "A rather long question about nothing at all?").await;
        assert!(hit.header("cache-status").ends_with("semantic"));
        assert_eq!(hit.header("x-semgate-cache").contains("similarity="), shown);
        gateway.finish().await;
    }
}

#[tokio::test]
async fn embedder_off_still_serves_exact_repeats() {
    let config = crate::support::CONFIG.replace("embedder: {timeout: 5s}", "embedder: off");
    let gateway = TestGateway::of(&config).await;
    gateway.upstream.says("x");
    let first = gateway.ask("auto", "hello").await;
    assert_eq!(first.header("x-semgate-tier"), "frontier", "no classifier: the strongest tier");
    assert!(gateway.ask("auto", "hello").await.header("cache-status").contains("hit"));
    gateway.finish().await;
}
