//! Whole answers: what fails over, what passes, what benches.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};

use super::fixtures::*;
use super::upstream::*;
use crate::config::settings::{Model, Timeouts};
use crate::dispatch::{Answer, AnswerBody};
use crate::error::GatewayError;
use crate::price::Money;

fn bytes(answer: Answer) -> String {
    match answer.body {
        AnswerBody::Whole { bytes, .. } => String::from_utf8(bytes.to_vec()).unwrap(),
        AnswerBody::Stream(_) => panic!("a whole answer was asked for"),
    }
}

/// Two providers, each with a script; the first is the cheaper.
async fn pair(
    first: Vec<Vec<Act>>,
    second: Vec<Vec<Act>>,
) -> (Upstream, Upstream, [Arc<Model>; 2]) {
    let (one, two) = (Upstream::play(first).await, Upstream::play(second).await);
    let a = provider("a", one.base_url.clone(), &["sk-bad"], TIMEOUTS);
    let b = provider("b", two.base_url.clone(), &["sk-good"], TIMEOUTS);
    let models = [model(&a, "m1", 1), model(&b, "m2", 2)];
    (one, two, models)
}

#[tokio::test]
async fn a_good_answer_passes_to_the_byte() {
    let up = Upstream::play(vec![reply(
        200,
        "openai-version: 2020-10-01\r\nopenai-processing-ms: 7\r\nx-secret: 1\r\nset-cookie: a=b\r\n",
        ANSWER,
    )])
    .await;
    let p = provider("p", up.base_url.clone(), &["sk-good"], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let mut order = order(&models, false);
    order.forward = vec![
        (HeaderName::from_static("traceparent"), HeaderValue::from_static("00-1-2-01")),
        (HeaderName::from_static("cookie"), HeaderValue::from_static("a=b")),
    ];
    let log = order.log.clone();
    let answer = dispatcher(&models).dispatch(order).await.unwrap();
    let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["content-type", "openai-version", "openai-processing-ms"]);
    log.settle(answer.attempt, Some(Money::from_pico(11)));
    assert_eq!(&*answer.planned.model.id, "m1");
    assert_eq!(bytes(answer), ANSWER);
    let attempts = log.snapshot();
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].status, attempts[0].error), (Some(200), None));
    assert_eq!(attempts[0].cost_usd, Some(Money::from_pico(11)));
    let request = up.requests().remove(0).to_ascii_lowercase();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut headers: Vec<&str> =
        head.lines().skip(1).map(|line| line.split(':').next().unwrap()).collect();
    headers.sort_unstable();
    assert_eq!(
        headers,
        [
            "accept",
            "accept-encoding",
            "authorization",
            "content-length",
            "content-type",
            "host",
            "traceparent"
        ]
    );
    assert!(head.starts_with("post /v1/chat/completions "));
    assert!(head.contains("authorization: bearer sk-good"));
    assert!(head.contains("accept-encoding: identity"));
    assert!(body.contains(r#""model":"m1""#), "{body}");
}

#[tokio::test]
async fn troubled_targets_fail_over() {
    let html = "<html>Bad gateway</html>";
    let cut = vec![Act::Send(
        "HTTP/1.1 200 OK\r\ncontent-length: 500\r\nconnection: close\r\n\r\n{\"choices\":".into(),
    )];
    let gzip = reply(200, "content-encoding: gzip\r\n", ANSWER);
    let error = r#"{"error":{"message":"boom","type":"server_error","param":null,"code":null}}"#;
    let cases: Vec<(&str, Vec<Act>, Option<u16>)> = vec![
        ("status", reply(503, "", "{}"), Some(503)),
        ("status", reply(500, "", ""), Some(500)),
        ("status", reply(529, "", "{}"), Some(529)),
        ("status", reply(408, "", "{}"), Some(408)),
        ("status", reply(409, "", "{}"), Some(409)),
        ("status", reply(302, "location: http://127.0.0.1:9/\r\n", ""), Some(302)),
        ("rate_limited", reply(429, "retry-after: 30\r\n", "{}"), Some(429)),
        ("quota", reply(402, "", "{}"), Some(402)),
        ("credential", reply(401, "", "{}"), Some(401)),
        ("credential", reply(403, "", "{}"), Some(403)),
        ("malformed", reply(200, "", html), Some(200)),
        ("malformed", reply(200, "", ""), Some(200)),
        ("malformed", reply(200, "", "{\"choices\":[]}"), Some(200)),
        ("malformed", gzip, Some(200)),
        ("error_answer", reply(200, "", error), Some(200)),
        ("cut", cut, Some(200)),
        ("reset", vec![], None),
    ];
    for (label, script, status) in cases {
        let (one, two, models) = pair(vec![script], vec![reply(200, "", ANSWER)]).await;
        let order = order(&models, false);
        let log = order.log.clone();
        let answer = dispatcher(&models).dispatch(order).await.unwrap();
        assert_eq!(answer.attempt, 1, "{label}");
        assert_eq!(bytes(answer), ANSWER);
        let failed = &log.snapshot()[0];
        assert_eq!((failed.error, failed.status), (Some(label), status));
        let billed = status == Some(200);
        assert_eq!(failed.cost_usd.is_some(), billed, "{label}: prompt billed after a 2xx head");
        assert_eq!((one.calls(), two.calls()), (1, 1), "{label} {status:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_fails_over() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let two = Upstream::play(vec![reply(200, "", ANSWER)]).await;
    let plain = Upstream::play(vec![reply(200, "", ANSWER)]).await;
    let not_tls = plain.base_url.replace("http:", "https:");
    for base_url in [format!("http://{free}/v1"), not_tls, "http://no.invalid/v1".into()] {
        let hasty = Timeouts { connect: Duration::from_millis(200), ..TIMEOUTS };
        let a = provider("a", base_url.clone(), &[], hasty);
        let b = provider("b", two.base_url.clone(), &[], TIMEOUTS);
        let models = [model(&a, "m1", 1), model(&b, "m2", 2)];
        let order = order(&models, false);
        let log = order.log.clone();
        dispatcher(&models).dispatch(order).await.unwrap();
        assert_eq!(log.snapshot()[0].error, Some("connect"), "{base_url}");
    }
    assert!(!two.requests()[0].to_ascii_lowercase().contains("authorization"), "no key, no header");
}

#[tokio::test]
async fn verdicts_about_the_request_pass_without_retry() {
    for status in [400, 404, 413, 422] {
        let body = r#"{"error":{"message":"no, sk-bad","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#;
        let (one, two, models) =
            pair(vec![reply(status, "", body)], vec![reply(200, "", ANSWER)]).await;
        let error = dispatcher(&models).dispatch(order(&models, false)).await.unwrap_err();
        let GatewayError::Refused { status: passed, body: text, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(passed, status);
        assert_eq!(text, body.replace("sk-bad", "[redacted]").as_bytes());
        assert_eq!((one.calls(), two.calls()), (1, 0));
    }
}

#[tokio::test]
async fn a_refused_credential_rests_and_the_next_one_serves() {
    let refuse_first = vec![reply(401, "", "{}"), reply(200, "", ANSWER)];
    let up = Upstream::play(refuse_first).await;
    let p = provider("p", up.base_url.clone(), &["sk-bad", "sk-good"], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let dispatcher = dispatcher(&models);
    for _ in 0..20 {
        dispatcher.dispatch(order(&models, false)).await.unwrap();
    }
    let bad = up.requests().iter().filter(|request| request.contains("sk-bad")).count();
    assert_eq!((bad, up.calls()), (1, 21), "a resting credential is not called");
    let health = &dispatcher.targets()[0];
    assert!(health.healthy);
    assert_eq!((health.credentials, health.credentials_benched), (2, 1));
    assert_eq!((health.successes, health.failures), (20, 1));
}

#[tokio::test]
async fn a_limited_credential_yields_to_the_next_one_of_the_same_target() {
    let one = Upstream::play(vec![reply(429, "", "{}"), reply(200, "", ANSWER)]).await;
    let two = Upstream::play(vec![reply(200, "", ANSWER)]).await;
    let a = provider("a", one.base_url.clone(), &["sk-1", "sk-2"], TIMEOUTS);
    let b = provider("b", two.base_url.clone(), &[], TIMEOUTS);
    let models = [model(&a, "m1", 1), model(&b, "m2", 2)];
    let answer = dispatcher(&models).dispatch(order(&models, false)).await.unwrap();
    assert_eq!((answer.planned.model.label(), answer.attempt), ("a/m1".into(), 1));
    let keys: Vec<bool> = one.requests().iter().map(|text| text.contains("sk-2")).collect();
    assert_eq!(keys, [false, true]);
    assert_eq!(two.calls(), 0);
}

#[tokio::test]
async fn without_a_good_credential_it_is_provider_auth() {
    let (one, two, models) = pair(vec![reply(401, "", "sk-bad")], vec![reply(403, "", "{}")]).await;
    let dispatcher = dispatcher(&models);
    for round in 0..3 {
        let error = dispatcher.dispatch(order(&models, false)).await.unwrap_err();
        let GatewayError::ProviderAuth { attempts } = &error else { panic!("{error:?}") };
        assert_eq!(attempts.len(), 2, "round {round}");
        assert!(!error.message().contains("sk-bad"));
    }
    assert_eq!((one.calls(), two.calls()), (1, 1), "resting credentials are not called");
}

#[tokio::test]
async fn all_rate_limited_is_429_and_then_costs_no_call() {
    let limited = |wait: u32| vec![reply(429, &format!("retry-after: {wait}\r\n"), "{}")];
    let (one, two, models) = pair(limited(20), limited(40)).await;
    let dispatcher = dispatcher(&models);
    for _ in 0..5 {
        let order = order(&models, false);
        let log = order.log.clone();
        let error = dispatcher.dispatch(order).await.unwrap_err();
        let GatewayError::RateLimited { retry_after } = error else { panic!("{error:?}") };
        assert!(retry_after > Duration::from_secs(18) && retry_after <= Duration::from_secs(20));
        assert!(log.len() == 2 || log.is_empty());
    }
    assert_eq!((one.calls(), two.calls()), (1, 1));
    let health = dispatcher.targets();
    assert_eq!(health[0].bench_reason, Some("rate_limit"));
    assert!(!health[0].healthy);
    assert!(health[1].available_in_seconds.is_some_and(|wait| wait > 38.0 && wait <= 40.0));
}

#[tokio::test]
async fn a_short_limit_is_waited_for_when_nobody_else_is_left() {
    let up =
        Upstream::play(vec![reply(429, "retry-after-ms: 20\r\n", "{}"), reply(200, "", ANSWER)])
            .await;
    let p = provider("p", up.base_url.clone(), &["sk"], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let order = order(&models, false);
    let log = order.log.clone();
    dispatcher(&models).dispatch(order).await.unwrap();
    assert_eq!(log.len(), 2);
}

#[tokio::test]
async fn a_long_limit_is_not_waited_for() {
    let up = Upstream::play(vec![reply(429, "retry-after: 3\r\n", "{}")]).await;
    let p = provider("p", up.base_url.clone(), &["sk"], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let started = tokio::time::Instant::now();
    let error = dispatcher(&models).dispatch(order(&models, false)).await.unwrap_err();
    assert!(matches!(error, GatewayError::RateLimited { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(up.calls(), 1);
}

#[tokio::test]
async fn mixed_failures_name_each_attempt() {
    let (one, two, models) =
        pair(vec![reply(503, "", "{}")], vec![reply(429, "retry-after: 9\r\n", "{}")]).await;
    let error = dispatcher(&models).dispatch(order(&models, false)).await.unwrap_err();
    let GatewayError::UpstreamFailed { attempts } = error else { panic!("{error:?}") };
    let told: Vec<(&str, &str)> =
        attempts.iter().map(|note| (note.target.as_str(), note.outcome.as_str())).collect();
    assert_eq!(told, [("a/m1", "503"), ("b/m2", "429"), ("a/m1", "503")], "same target last");
    assert_eq!((one.calls(), two.calls()), (2, 1));
}

#[tokio::test]
async fn a_single_target_is_asked_again_up_to_the_limit() {
    let up =
        Upstream::play(vec![reply(503, "", ""), reply(502, "", ""), reply(200, "", ANSWER)]).await;
    let p = provider("p", up.base_url.clone(), &[], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let order = order(&models, false);
    let log = order.log.clone();
    dispatcher(&models).dispatch(order).await.unwrap();
    assert_eq!(log.len(), 3);
}

#[tokio::test]
async fn an_outage_opens_the_circuit_and_then_fails_fast() {
    let up = Upstream::play(vec![reply(500, "", "")]).await;
    let p = provider("p", up.base_url.clone(), &[], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let dispatcher = dispatcher(&models);
    for _ in 0..10 {
        let error = dispatcher.dispatch(order(&models, false)).await.unwrap_err();
        assert!(matches!(error, GatewayError::UpstreamFailed { .. }), "{error:?}");
    }
    assert_eq!(up.calls(), 7, "seven failures in a row, then no call");
    assert_eq!(dispatcher.targets()[0].breaker, "open");
    assert_eq!(dispatcher.targets()[0].consecutive_failures, 7);
}

#[tokio::test]
async fn the_first_named_target_stays_first() {
    let (one, two, models) = pair(vec![reply(200, "", ANSWER)], vec![reply(200, "", ANSWER)]).await;
    let dearer_first = [models[1].clone(), models[0].clone()];
    let dispatcher = dispatcher(&models);
    let mut named = order(&dearer_first, false);
    named.keep_order = true;
    dispatcher.dispatch(named).await.unwrap();
    assert_eq!((one.calls(), two.calls()), (0, 1));
    dispatcher.dispatch(order(&dearer_first, false)).await.unwrap();
    assert_eq!((one.calls(), two.calls()), (1, 1), "a tier's targets are tried by price");
}
