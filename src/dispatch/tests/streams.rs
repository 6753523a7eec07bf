//! Streams: what is held, what fails over unseen, what ends a stream that has begun.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::fixtures::*;
use super::upstream::*;
use crate::config::settings::Timeouts;
use crate::dispatch::{Answer, AnswerBody, AnswerStream, StreamFault};
use crate::error::GatewayError;

fn stream(answer: Answer) -> AnswerStream {
    match answer.body {
        AnswerBody::Stream(stream) => *stream,
        AnswerBody::Whole { .. } => panic!("a stream was asked for"),
    }
}

/// Everything until the end, and the fault if there was one.
async fn collect(mut stream: AnswerStream) -> (String, Option<StreamFault>) {
    let mut text = String::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => text.push_str(std::str::from_utf8(&event.raw).unwrap()),
            Err(fault) => {
                assert!(stream.next().await.is_none(), "nothing follows a fault");
                return (text, Some(fault));
            }
        }
    }
    (text, None)
}

#[tokio::test]
async fn a_stream_passes_to_the_byte_and_ends_well() {
    let comment = ": OPENROUTER PROCESSING\n\n";
    let sent = [comment, ROLE, HELLO, STOP, DONE];
    let up = Upstream::play(vec![events(&sent)]).await;
    let p = provider("p", up.base_url.clone(), &["sk-good"], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let dispatcher = dispatcher(&models);
    let order = order(&models, true);
    let log = order.log.clone();
    let answer = dispatcher.dispatch(order).await.unwrap();
    assert_eq!(log.snapshot()[0].status, Some(200));
    assert_eq!(collect(stream(answer)).await, (sent.concat(), None));
    assert_eq!(log.snapshot()[0].error, None);
    assert_eq!(dispatcher.targets()[0].successes, 1);
    let request = up.requests().remove(0);
    assert!(request.contains("accept: text/event-stream"));
    assert!(request.contains(r#""include_usage":true"#));
}

#[tokio::test]
async fn a_finish_reason_ends_a_stream_without_done() {
    let up = Upstream::play(vec![events(&[HELLO, STOP])]).await;
    let p = provider("p", up.base_url.clone(), &[], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let answer = dispatcher(&models).dispatch(order(&models, true)).await.unwrap();
    assert_eq!(collect(stream(answer)).await, ([HELLO, STOP].concat(), None));
}

#[tokio::test]
async fn failures_before_the_first_content_are_invisible() {
    let html = reply(200, "connection: close\r\n", "<html>busy</html>");
    let json = reply(200, "connection: close\r\n", r#"{"error":{"message":"no","type":"x"}}"#);
    let cases: Vec<(&str, Vec<Act>)> = vec![
        ("status", reply(503, "", "{}")),
        ("error_answer", events(&[ERROR])),
        ("error_answer", events(&[": ping\n\n", ROLE, ERROR, DONE])),
        ("error_answer", events_then_stall(&[ROLE, ERROR])),
        ("error_answer", json),
        ("cut", events(&[ROLE])),
        ("malformed", events(&[])),
        ("malformed", events(&[DONE])),
        ("malformed", events(&[": ping\n\n", DONE])),
        ("malformed", html),
        ("reset", vec![]),
    ];
    for (label, script) in cases {
        let one = Upstream::play(vec![script]).await;
        let two = Upstream::play(vec![events(&[ROLE, HELLO, STOP, DONE])]).await;
        let a = provider("a", one.base_url.clone(), &[], TIMEOUTS);
        let b = provider("b", two.base_url.clone(), &[], TIMEOUTS);
        let models = [model(&a, "m1", 1), model(&b, "m2", 2)];
        let order = order(&models, true);
        let log = order.log.clone();
        let answer = dispatcher(&models).dispatch(order).await.unwrap();
        let (text, fault) = collect(stream(answer)).await;
        assert_eq!((text, fault), ([ROLE, HELLO, STOP, DONE].concat(), None), "{label}");
        assert_eq!(log.snapshot()[0].error, Some(label));
        assert_eq!(log.len(), 2);
    }
}

#[tokio::test]
async fn silence_before_the_first_content_fails_over() {
    let hasty = Timeouts { first_content: Duration::from_millis(60), ..TIMEOUTS };
    for script in [vec![Act::Stall], events_then_stall(&[": ping\n\n", ROLE])] {
        let mut one = Upstream::play(vec![script]).await;
        let two = Upstream::play(vec![events(&[HELLO, STOP, DONE])]).await;
        let a = provider("a", one.base_url.clone(), &[], hasty);
        let b = provider("b", two.base_url.clone(), &[], TIMEOUTS);
        let models = [model(&a, "m1", 1), model(&b, "m2", 2)];
        let order = order(&models, true);
        let log = order.log.clone();
        let answer = dispatcher(&models).dispatch(order).await.unwrap();
        assert_eq!(&*answer.planned.model.id, "m2");
        assert_eq!(log.snapshot()[0].error, Some("timeout"));
        assert!(log.snapshot()[0].ms >= 60.0);
        one.saw_close().await;
    }
}

#[tokio::test]
async fn a_cut_after_content_is_told() {
    let broken = vec![Act::Send(format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{:x}\r\n{HELLO}\r\n",
        HELLO.len()
    ))];
    for script in [events(&[ROLE, HELLO]), broken] {
        let up = Upstream::play(vec![script]).await;
        let p = provider("p", up.base_url.clone(), &[], TIMEOUTS);
        let models = [model(&p, "m1", 1)];
        let dispatcher = dispatcher(&models);
        let order = order(&models, true);
        let log = order.log.clone();
        let answer = dispatcher.dispatch(order).await.unwrap();
        let (text, fault) = collect(stream(answer)).await;
        assert!(text.ends_with(HELLO));
        assert_eq!(fault, Some(StreamFault::Cut));
        assert_eq!(log.snapshot()[0].error, Some("cut"));
        assert!(log.snapshot()[0].cost_usd.is_some(), "what may have been billed is on the record");
        assert_eq!(dispatcher.targets()[0].consecutive_failures, 1);
    }
}

#[tokio::test]
async fn an_error_after_content_is_told_without_our_credential() {
    let go = Arc::new(Notify::new());
    let mut acts = events(&[HELLO]);
    acts.extend([Act::Wait(go.clone()), Act::Send(ERROR.into()), Act::Stall]);
    let mut up = Upstream::play(vec![acts]).await;
    let p = provider("p", up.base_url.clone(), &["sk-good"], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let answer = dispatcher(&models).dispatch(order(&models, true)).await.unwrap();
    go.notify_one();
    let (text, fault) = collect(stream(answer)).await;
    assert_eq!(text, HELLO);
    let Some(StreamFault::Upstream(payload)) = fault else { panic!("{fault:?}") };
    let payload = String::from_utf8(payload.to_vec()).unwrap();
    assert!(payload.contains("overloaded [redacted]"), "{payload}");
    up.saw_close().await;
}

#[tokio::test]
async fn silence_after_content_ends_the_stream() {
    let hasty = Timeouts { idle: Duration::from_millis(50), ..TIMEOUTS };
    let mut up = Upstream::play(vec![events_then_stall(&[HELLO])]).await;
    let p = provider("p", up.base_url.clone(), &[], hasty);
    let models = [model(&p, "m1", 1)];
    let answer = dispatcher(&models).dispatch(order(&models, true)).await.unwrap();
    let (text, fault) = collect(stream(answer)).await;
    assert_eq!(text, HELLO);
    assert_eq!(fault, Some(StreamFault::Idle { after: hasty.idle }));
    up.saw_close().await;
}

#[tokio::test]
async fn dropping_the_stream_closes_the_upstream() {
    let mut up = Upstream::play(vec![events_then_stall(&[HELLO])]).await;
    let p = provider("p", up.base_url.clone(), &[], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let dispatcher = dispatcher(&models);
    let order = order(&models, true);
    let log = order.log.clone();
    let mut stream = stream(dispatcher.dispatch(order).await.unwrap());
    assert!(stream.next().await.is_some());
    drop(stream);
    up.saw_close().await;
    assert_eq!(log.snapshot()[0].error, Some("cancelled"));
    assert_eq!(dispatcher.targets()[0].consecutive_failures, 0, "not the target's fault");
}

#[tokio::test]
async fn dropping_the_dispatch_closes_the_upstream() {
    for stream in [true, false] {
        let mut up = Upstream::play(vec![vec![Act::Stall]]).await;
        let p = provider("p", up.base_url.clone(), &[], TIMEOUTS);
        let models = [model(&p, "m1", 1)];
        let dispatcher = dispatcher(&models);
        let order = order(&models, stream);
        let log = order.log.clone();
        tokio::select! {
            _ = dispatcher.dispatch(order) => panic!("the upstream never answers"),
            () = up.arrived() => {}
        }
        up.saw_close().await;
        assert_eq!(log.snapshot()[0].error, Some("cancelled"));
    }
}

#[tokio::test]
async fn a_kept_connection_serves_the_next_stream() {
    let chunked = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let body: String = [HELLO, STOP, DONE].iter().map(|part| chunked(part)).collect();
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let up = Upstream::play(vec![vec![Act::Send(format!("{head}{body}0\r\n\r\n"))]]).await;
    let p = provider("p", up.base_url.clone(), &[], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let dispatcher = dispatcher(&models);
    for _ in 0..10 {
        let answer = dispatcher.dispatch(order(&models, true)).await.unwrap();
        assert_eq!(collect(stream(answer)).await.1, None);
    }
    assert_eq!((up.calls(), up.connections()), (10, 1));
}

#[tokio::test]
async fn an_early_refusal_of_a_stream_keeps_its_status() {
    let up = Upstream::play(vec![reply(404, "", "<html>no</html>")]).await;
    let p = provider("p", up.base_url.clone(), &[], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let error = dispatcher(&models).dispatch(order(&models, true)).await.unwrap_err();
    let GatewayError::Refused { status, body, .. } = error else { panic!("{error:?}") };
    assert_eq!(status, 404);
    assert!(!String::from_utf8_lossy(&body).contains('<'));
}
