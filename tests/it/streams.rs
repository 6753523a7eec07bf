//! Streams: forwarded as they come, honest about their end.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;

use crate::support::{Act, End, TestGateway, chat_stream, stream_of};

#[tokio::test]
async fn a_stream_passes_through_and_usage_only_if_asked() {
    let gateway = TestGateway::start().await;
    gateway.upstream.streams(&["Hel", "lo"]).streams(&["Hel", "lo"]);
    let plain = gateway.send(&chat_stream("mini", "hi"), &[]).await;
    assert_eq!(gateway.upstream.seen()[0].json()["stream_options"]["include_usage"], true);
    assert_eq!(plain.streamed(), "Hello");
    assert!(plain.chunks().iter().all(|chunk| chunk.get("usage").is_none()), "{}", plain.text);
    assert!(plain.chunks().iter().all(|chunk| chunk["vendor_extra"] == 1));
    assert!(plain.chunks().iter().all(|chunk| chunk["choices"] != json!([])));
    assert_eq!(plain.header("x-accel-buffering"), "no");
    assert_eq!(plain.header("cache-control"), "no-cache");
    assert_eq!(plain.header("openai-processing-ms"), "7");
    assert_eq!(plain.header("x-semgate-cost-usd"), "", "not known when the head leaves");
    assert!(
        plain.text.contains(": semgate cost-usd=0.00012 saved-usd=0 stored\n\ndata: [DONE]\n\n"),
        "{}",
        plain.text
    );

    let mut asking = chat_stream("mini", "hi again");
    asking["stream_options"] = json!({"include_usage": true});
    let asked = gateway.send(&asking, &[]).await;
    let usages = asked.chunks().iter().filter(|chunk| chunk["usage"].is_object()).count();
    assert_eq!(usages, 1);
    gateway.finish().await;
}

#[tokio::test]
async fn a_cut_stream_is_an_error_and_is_never_stored() {
    let gateway = TestGateway::start().await;
    for end in [End::Break, End::Proper] {
        let mut events = stream_of(&["some ", "words"], false);
        events.truncate(3);
        gateway.upstream.then(Act::Stream { events, end });
        let answer = gateway.send(&chat_stream("mini", "tell me"), &[]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.streamed(), "some words");
        let last = answer.chunks().pop().expect("an event");
        assert_eq!(last["error"]["type"], "upstream_error", "{}", answer.text);
        assert_eq!(last["error"].as_object().map(|e| e.len()), Some(4));
        assert!(!answer.text.contains("[DONE]"));
        let record = gateway.record(&answer).await;
        assert_eq!(
            (&record["outcome"], &record["cache"]["stored"]),
            (&json!("cut"), &json!(false))
        );
        assert_eq!(record["usage"]["estimated"], true);
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_finished_stream_without_its_terminator_is_whole_but_not_stored() {
    let gateway = TestGateway::start().await;
    gateway.upstream.then(Act::Stream { events: stream_of(&["done"], false), end: End::Proper });
    let answer = gateway.send(&chat_stream("mini", "tell me"), &[]).await;
    assert!(answer.text.ends_with("data: [DONE]\n\n"), "{}", answer.text);
    assert!(!answer.text.contains("stored"));
    gateway.finish().await;
}

#[tokio::test]
async fn an_error_event_before_the_first_content_fails_over() {
    let gateway = TestGateway::start().await;
    let events =
        vec!["data: {\"error\": {\"message\": \"overloaded\", \"code\": 529}}\n\n".to_owned()];
    gateway.upstream.then(Act::Stream { events, end: End::Proper }).streams(&["fine"]);
    let answer = gateway.send(&chat_stream("auto", "hi"), &[]).await;
    assert_eq!(answer.streamed(), "fine");
    assert_eq!(answer.header("x-semgate-attempts"), "2");
    gateway.finish().await;
}

#[tokio::test]
async fn a_caller_who_leaves_cancels_the_upstream_and_is_billed() {
    let gateway = TestGateway::start().await;
    let mut events = stream_of(&["first ", "second"], false);
    events.truncate(3);
    gateway.upstream.then(Act::Stream { events, end: End::Stall });
    let url = format!("{}/v1/chat/completions", gateway.data);
    let request = gateway.client.post(url).header("content-type", "application/json");
    let response =
        request.body(chat_stream("mini", "hi").to_string()).send().await.expect("a head");
    let id = response.headers()["x-request-id"].to_str().expect("text").to_owned();
    let mut body = response.bytes_stream();
    body.next().await.expect("content").expect("bytes");
    drop(body);
    for _ in 0..500 {
        if gateway.upstream.left_early() == 1 && gateway.gateway.recorder().ring.find(&id).is_some()
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(gateway.upstream.left_early(), 1, "the upstream's connection is closed");
    let record = gateway.gateway.recorder().ring.find(&id).expect("the record is closed");
    assert_eq!(record.outcome, "client_gone");
    assert!(record.cost_usd.is_some_and(|cost| cost.pico() > 0));
}

#[tokio::test]
async fn shutdown_ends_what_still_runs_with_an_error_event() {
    let gateway = TestGateway::start().await;
    let mut events = stream_of(&["first"], false);
    events.truncate(2);
    gateway.upstream.then(Act::Stream { events, end: End::Stall });
    let body = chat_stream("mini", "hi");
    let sending = gateway.send(&body, &[]);
    let cutting = async {
        while gateway.upstream.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        gateway.cut();
    };
    let (answer, ()) = tokio::join!(sending, cutting);
    let last = answer.chunks().pop().expect("an event");
    assert_eq!(last["error"]["code"], "overloaded", "{}", answer.text);
    assert!(!answer.text.contains("[DONE]"));
    gateway.finish().await;
}
