//! Failing upstreams, as the caller sees them.

use serde_json::json;

use crate::support::{Act, TestGateway, chat};

#[tokio::test]
async fn a_failing_tier_is_left_upwards_and_the_caller_never_sees_it() {
    let gateway = TestGateway::start().await;
    for act in [
        Act::Reply { status: 503, headers: vec![], body: "{}".into() },
        Act::Reply { status: 529, headers: vec![], body: "{}".into() },
        Act::Reply { status: 200, headers: vec![], body: "<html>".into() },
        Act::Reply { status: 200, headers: vec![], body: String::new() },
        Act::Reply {
            status: 200,
            headers: vec![],
            body: "{\"error\": {\"message\": \"no\"}}".into(),
        },
        Act::Hang,
    ] {
        gateway.upstream.then(act.clone()).says("rescued");
        let prompt = format!("prompt for {act:?}");
        let answer = gateway.ask("auto", &prompt).await;
        assert_eq!((answer.status, answer.content().as_str()), (200, "rescued"), "{act:?}");
        assert_eq!(answer.header("x-semgate-attempts"), "2");
        assert_eq!(answer.header("x-semgate-tier"), "mid", "{act:?}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_verdict_on_the_request_passes_through_without_a_retry() {
    let gateway = TestGateway::start().await;
    let body = json!({"error": {"message": "too long, key sk-upstream-secret", "type": "invalid_request_error",
        "param": "messages", "code": "context_length_exceeded"}});
    gateway.upstream.then(Act::Reply { status: 400, headers: vec![], body: body.to_string() });
    let answer = gateway.ask("auto", "hi").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["code"], "context_length_exceeded");
    assert!(!answer.text.contains("sk-upstream-secret"), "{}", answer.text);
    gateway.finish().await;
}

#[tokio::test]
async fn when_all_fail_the_caller_learns_who_and_how() {
    let gateway = TestGateway::start().await;
    gateway.upstream.fails(500).fails(500).fails(500);
    let answer = gateway.ask("auto", "hi").await;
    assert_eq!(answer.status, 502, "{}", answer.text);
    let error = answer.json()["error"].clone();
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("upstream_error"), &json!("upstream_failed"))
    );
    let message = error["message"].as_str().expect("a message");
    for target in ["up/up-mini (500)", "up/up-medium (500)", "up/up-big (500)"] {
        assert!(message.contains(target), "{message}");
    }
    assert_eq!(answer.header("x-should-retry"), "false");
    assert_eq!(answer.header("x-semgate-attempts"), "3");
    let record = gateway.record(&answer).await;
    assert_eq!(record["outcome"], "upstream_failed");
    assert_eq!(record["attempts"].as_array().map(Vec::len), Some(3));
    gateway.finish().await;
}

#[tokio::test]
async fn rate_limits_end_in_429_with_a_wait() {
    let gateway = TestGateway::start().await;
    let limited =
        Act::Reply { status: 429, headers: vec![("retry-after", "30".into())], body: "{}".into() };
    gateway.upstream.then(limited);
    let answer = gateway.ask("tier/small", "hi").await;
    assert_eq!(answer.status, 429, "{}", answer.text);
    assert_eq!(answer.json()["error"]["code"], "rate_limit_exceeded");
    let wait: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=30).contains(&wait));
    // The credential rests: the next request is refused without a call.
    let next = gateway.ask("tier/small", "hello").await;
    assert_eq!(next.status, 429);
    assert_eq!(next.header("x-semgate-attempts"), "0");
    gateway.finish().await;
}

#[tokio::test]
async fn our_own_refused_credential_is_never_the_callers_401() {
    let gateway = TestGateway::start().await;
    gateway.upstream.fails(401);
    let answer = gateway.ask("mini", "hi").await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (502, &json!("provider_auth")));
    gateway.finish().await;
}

#[tokio::test]
async fn a_forced_tier_is_never_left_and_a_model_falls_back_to_its_own() {
    let gateway = TestGateway::start().await;
    gateway.upstream.fails(503).fails(503).fails(503);
    let forced = gateway.send(&chat("auto", "hi"), &[("x-semgate-tier", "small")]).await;
    assert_eq!(forced.status, 502);
    assert!(gateway.upstream.seen().iter().all(|seen| seen.json()["model"] == "up-mini"));
    gateway.upstream.fails(503).says("from medium");
    let before = gateway.upstream.seen().len();
    let named = gateway.ask("big", "hi").await;
    assert_eq!(named.header("x-semgate-target"), "up/up-medium", "{}", named.text);
    assert_eq!(gateway.upstream.seen()[before].json()["model"], "up-big");
    gateway.finish().await;
}

#[tokio::test]
async fn the_callers_own_time_ends_in_504() {
    let gateway = TestGateway::start().await;
    gateway.upstream.then(Act::Silence);
    let answer = gateway.send(&chat("mini", "hi"), &[("x-semgate-timeout-ms", "100")]).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (504, &json!("timeout")));
    assert_eq!(answer.header("x-should-retry"), "false");
    gateway.finish().await;
}
