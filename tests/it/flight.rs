//! Equal requests at the same time: one upstream call, told to all of them.

mod trouble;

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::passthrough::keys_yaml;
use crate::support::{
    Act, Answer, End, Gate, TestGateway, Upstream, chat, chat_stream, completion, stream_of,
};

/// One answer's price at `mini`: 100 tokens in, 10 out.
const PRICE: f64 = 0.00012;

/// A gateway that many tasks share.
async fn shared(more: &str) -> Arc<TestGateway> {
    Arc::new(TestGateway::with(&format!("{more}telemetry: {{ring: 3000}}\n")).await)
}

async fn finish(gateway: Arc<TestGateway>) {
    Arc::into_inner(gateway).expect("every request has ended").finish().await;
}

fn send(
    gateway: &Arc<TestGateway>,
    body: &Value,
    headers: &'static [(&'static str, &'static str)],
) -> JoinHandle<Answer> {
    let (gateway, body) = (gateway.clone(), body.clone());
    tokio::spawn(async move { gateway.send_inside(&body, headers).await })
}

/// One request that leads, and `count` that follow it by now.
async fn herd(
    gateway: &Arc<TestGateway>,
    body: &Value,
    count: usize,
) -> (JoinHandle<Answer>, Vec<JoinHandle<Answer>>) {
    let leader = send(gateway, body, &[]);
    until_seen(&gateway.upstream, 1).await;
    let followers = (0..count).map(|_| send(gateway, body, &[])).collect();
    gateway.until_following(count).await;
    (leader, followers)
}

async fn until_seen(upstream: &Upstream, count: usize) {
    for _ in 0..5000 {
        if upstream.seen().len() >= count {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("the upstream was never asked {count} times");
}

async fn answers(sent: Vec<JoinHandle<Answer>>) -> Vec<Answer> {
    join_all(sent).await.into_iter().map(|answer| answer.expect("no panic")).collect()
}

/// An answer in pieces, told up to the middle; the rest when the gate opens.
fn paused(gate: &Gate, end: End) -> Act {
    let mut events = stream_of(&["one ", "two ", "three ", "four"], true);
    let rest = events.split_off(3);
    Act::Pause { events, gate: gate.clone(), rest, end }
}

/// What all requests together cost, by the table of spend.
fn spent(gateway: &TestGateway) -> f64 {
    let rows = gateway.gateway.recorder().spend.table(semgate::record::spend::By::Tenant);
    rows.iter().map(|row| row.cost_usd).sum()
}

fn collapsed(gateway: &TestGateway) -> usize {
    let records = gateway.gateway.recorder().ring.recent(usize::MAX);
    records.iter().filter(|record| record.cache.collapsed).count()
}

#[tokio::test]
async fn a_thousand_equal_requests_are_one_call() {
    let gateway = shared("").await;
    let gate = Gate::shut();
    let says = Act::Reply { status: 200, headers: vec![], body: completion("Paris").to_string() };
    gateway.upstream.then(Act::After(gate.clone(), Box::new(says)));
    let (leader, followers) = herd(&gateway, &chat("mini", "capital of France?"), 999).await;
    gate.open();
    let leader = leader.await.expect("no panic");
    assert_eq!(leader.header("cache-status"), "semgate; fwd=miss; stored; detail=no-candidate");
    assert_eq!(
        (leader.header("x-semgate-attempts"), leader.header("x-semgate-cost-usd")),
        ("1", "0.00012")
    );
    assert_eq!(leader.json()["id"], "chatcmpl-up", "untouched");
    let followers = answers(followers).await;
    let mut ids = HashSet::new();
    for answer in &followers {
        assert_eq!((answer.status, answer.content()), (200, "Paris".into()), "{}", answer.text);
        assert_eq!(
            answer.header("cache-status"),
            "semgate; fwd=miss; collapsed; detail=no-candidate"
        );
        assert_eq!(
            (answer.header("x-semgate-attempts"), answer.header("x-semgate-cost-usd")),
            ("0", "0")
        );
        assert_eq!(answer.header("x-semgate-saved-usd"), "0.00012");
        assert_eq!(answer.header("x-semgate-target"), "up/up-mini");
        assert_eq!(answer.header("age"), "", "it has just come");
        ids.insert(answer.json()["id"].to_string());
    }
    assert_eq!(ids.len(), 999, "an id each");
    let record = gateway.record(&followers[0]).await;
    assert_eq!(record["cache"]["leader"], leader.header("x-request-id"), "whose answer it is");
    assert_eq!((&record["cache"]["verdict"], &record["attempts"]), (&json!("miss"), &json!([])));
    assert_eq!((gateway.upstream.seen().len(), gateway.embedded()), (1, 1));
    assert!((spent(&gateway) - PRICE).abs() < 1e-9, "the leader pays: {}", spent(&gateway));
    assert_eq!(collapsed(&gateway), 999);
    let metrics = gateway.gateway.metrics_text();
    assert!(metrics.contains("semgate_cache_collapsed_total{route=\"mini\"} 999\n"));
    assert!(metrics.contains("semgate_cache_followers 0\n"));
    assert!(gateway.ask("mini", "capital of France?").await.header("cache-status").contains("hit"));
    finish(gateway).await;
}

#[tokio::test]
async fn a_thousand_streams_and_others_follow_one_stream() {
    let gateway = shared("").await;
    let gate = Gate::shut();
    gateway.upstream.then(paused(&gate, End::Proper));
    let mut asking = chat_stream("mini", "count");
    asking["stream_options"] = json!({"include_usage": true});
    let (leader, mut streams) = herd(&gateway, &chat_stream("mini", "count"), 700).await;
    let counted = send(&gateway, &asking, &[]);
    let whole: Vec<_> = (0..298).map(|_| send(&gateway, &chat("mini", "count"), &[])).collect();
    gateway.until_following(999).await;
    gate.open();
    streams.insert(0, leader);
    let mut ids = HashSet::new();
    for (place, answer) in answers(streams).await.into_iter().enumerate() {
        assert_eq!(answer.streamed(), "one two three four");
        let cost = if place == 0 {
            "cost-usd=0.00012 saved-usd=0 stored"
        } else {
            "cost-usd=0 saved-usd=0.00012"
        };
        let end = format!(": semgate {cost}\n\ndata: [DONE]\n\n");
        assert!(answer.text.ends_with(&end), "{}", answer.text);
        assert_eq!(answer.header("x-accel-buffering"), "no");
        let chunks = answer.chunks();
        let own: HashSet<String> = chunks.iter().map(|chunk| chunk["id"].to_string()).collect();
        assert_eq!(own.len(), 1, "the same in every chunk");
        assert!(
            chunks.iter().all(|chunk| chunk.get("usage").is_none() && chunk["vendor_extra"] == 1)
        );
        ids.extend(own);
    }
    assert_eq!(ids.len(), 701);
    let counted = counted.await.expect("no panic");
    assert_eq!(counted.chunks().iter().filter(|chunk| chunk["usage"].is_object()).count(), 1);
    for answer in answers(whole).await {
        assert_eq!(answer.content(), "one two three four");
        assert_eq!(answer.json()["usage"]["total_tokens"], 110);
    }
    assert_eq!(gateway.upstream.seen().len(), 1);
    assert!((spent(&gateway) - PRICE).abs() < 1e-9);
    assert_eq!(collapsed(&gateway), 999);
    finish(gateway).await;
}

#[tokio::test]
async fn a_stream_follows_a_whole_answer() {
    let gateway = shared("").await;
    let gate = Gate::shut();
    let says =
        Act::Reply { status: 200, headers: vec![], body: completion("in one piece").to_string() };
    gateway.upstream.then(Act::After(gate.clone(), Box::new(says)));
    let (leader, _) = herd(&gateway, &chat("mini", "hi"), 0).await;
    let stream = send(&gateway, &chat_stream("mini", "hi"), &[]);
    gateway.until_following(1).await;
    gate.open();
    assert_eq!(leader.await.expect("no panic").content(), "in one piece");
    let stream = stream.await.expect("no panic");
    assert_eq!(stream.streamed(), "in one piece");
    assert!(stream.header("content-type").starts_with("text/event-stream"));
    assert!(stream.text.ends_with(": semgate cost-usd=0 saved-usd=0.00012\n\ndata: [DONE]\n\n"));
    finish(gateway).await;
}

#[tokio::test]
async fn only_what_may_share_an_entry_shares_a_call() {
    let gateway = shared(&keys_yaml()).await;
    let gate = Gate::shut();
    let says = |text: &str| {
        let body = completion(text).to_string();
        Act::After(gate.clone(), Box::new(Act::Reply { status: 200, headers: vec![], body }))
    };
    let limited = |limit: u32| {
        let mut body = chat("mini", "who am I?");
        body["max_tokens"] = limit.into();
        body
    };
    let alpha: &'static [_] = &[("x-api-key", "sg-alpha")];
    let sent = [
        ("alpha", chat("mini", "who am I?"), alpha),
        ("beta", chat("mini", "who am I?"), &[("x-api-key", "sg-beta")]),
        ("limit", limited(20), alpha),
        ("other limit", limited(21), alpha),
        (
            "ceiling",
            chat("mini", "who am I?"),
            &[("x-api-key", "sg-alpha"), ("x-semgate-max-cost-usd", "0.01")],
        ),
        (
            "timeout",
            chat("mini", "who am I?"),
            &[("x-api-key", "sg-alpha"), ("x-semgate-timeout-ms", "60000")],
        ),
        (
            "no-cache",
            chat("mini", "who am I?"),
            &[("x-api-key", "sg-alpha"), ("cache-control", "no-cache")],
        ),
        (
            "no-store",
            chat("mini", "who am I?"),
            &[("x-api-key", "sg-alpha"), ("cache-control", "no-store")],
        ),
    ];
    let mut waiting = Vec::new();
    for (place, (what, body, headers)) in sent.iter().enumerate() {
        gateway.upstream.then(says(what));
        waiting.push(send(&gateway, body, headers));
        until_seen(&gateway.upstream, place + 1).await;
    }
    // A second one of the same kind shares, whoever else is on the way.
    let again = send(&gateway, &limited(21), alpha);
    gateway.until_following(1).await;
    gate.open();
    for (answer, (what, ..)) in answers(waiting).await.iter().zip(&sent) {
        assert_eq!(answer.content(), *what);
    }
    assert_eq!(again.await.expect("no panic").content(), "other limit");
    finish(gateway).await;
}

#[tokio::test]
async fn a_question_that_differs_in_form_only_shares_the_call() {
    let gateway = shared("").await;
    let gate = Gate::shut();
    let says = |text: &str| {
        let body = completion(text).to_string();
        Act::After(gate.clone(), Box::new(Act::Reply { status: 200, headers: vec![], body }))
    };
    gateway.upstream.then(says("Paris")).then(says("Madrid"));
    let leader = send(&gateway, &chat("mini", "What's the capital of France?"), &[]);
    until_seen(&gateway.upstream, 1).await;
    let alike = ["what is the capital of france, please", "WHAT'S THE CAPITAL OF FRANCE"];
    let followers: Vec<_> =
        alike.iter().map(|prompt| send(&gateway, &chat("mini", prompt), &[])).collect();
    gateway.until_following(2).await;
    let other = send(&gateway, &chat("mini", "What's the capital of Spain?"), &[]);
    until_seen(&gateway.upstream, 2).await;
    gate.open();
    assert_eq!(other.await.expect("no panic").content(), "Madrid");
    let leader = leader.await.expect("no panic");
    for answer in answers(followers).await {
        assert_eq!(answer.content(), "Paris");
        assert_eq!(
            answer.header("cache-status"),
            leader.header("cache-status").replace("stored", "collapsed")
        );
        let record = gateway.record(&answer).await;
        assert_eq!(record["cache"]["leader"], leader.header("x-request-id"));
    }
    // What follows later is the semantic hit that it would have been.
    let later = gateway.ask("mini", "what is the capital of france").await;
    assert!(later.header("cache-status").ends_with("detail=semantic"), "{:?}", later.headers);
    finish(gateway).await;
}

#[tokio::test]
async fn what_admission_refuses_is_shared_only_with_those_who_watched_it_come() {
    let gateway = shared("").await;
    let gate = Gate::shut();
    let cut = |events: Vec<String>| -> Vec<String> {
        events.into_iter().map(|event| event.replace("\"stop\"", "\"length\"")).collect()
    };
    let mut events = cut(stream_of(&["one ", "two"], true));
    let rest = events.split_off(2);
    let mut truncated = completion("cut");
    truncated["choices"][0]["finish_reason"] = "length".into();
    let truncated = Act::Reply { status: 200, headers: vec![], body: truncated.to_string() };
    gateway.upstream.then(Act::Pause { events, gate: gate.clone(), rest, end: End::Proper });
    let (leader, mut streams) = herd(&gateway, &chat_stream("mini", "hi"), 2).await;
    streams.push(leader);
    let whole: Vec<_> = (0..3).map(|_| send(&gateway, &chat("mini", "hi"), &[])).collect();
    gateway.until_following(5).await;
    for _ in 0..3 {
        gateway.upstream.then(truncated.clone());
    }
    gate.open();
    assert!(answers(streams).await.iter().all(|answer| answer.streamed() == "one two"));
    for answer in answers(whole).await {
        assert_eq!((answer.content(), answer.header("x-semgate-attempts")), ("cut".into(), "1"));
        assert_eq!(answer.header("cache-status"), "semgate; fwd=miss; detail=no-candidate");
    }
    assert_eq!(gateway.upstream.seen().len(), 4);
    finish(gateway).await;
}

#[tokio::test]
async fn after_an_answer_that_is_not_shared_the_next_herd_does_not_queue() {
    let gateway = shared("").await;
    let mut truncated = completion("cut");
    truncated["choices"][0]["finish_reason"] = "length".into();
    let truncated = Act::Reply { status: 200, headers: vec![], body: truncated.to_string() };
    gateway.upstream.then(truncated.clone());
    gateway.ask("mini", "hi").await;
    let gate = Gate::shut();
    for _ in 0..4 {
        gateway.upstream.then(Act::After(gate.clone(), Box::new(truncated.clone())));
    }
    let herd: Vec<_> = (0..4).map(|_| send(&gateway, &chat("mini", "hi"), &[])).collect();
    until_seen(&gateway.upstream, 5).await;
    gate.open();
    for answer in answers(herd).await {
        assert_eq!(answer.header("cache-status"), "semgate; fwd=miss; detail=no-candidate");
    }
    finish(gateway).await;
}

#[tokio::test]
async fn who_comes_too_late_for_the_beginning_waits_for_the_end() {
    // The events of the answer weigh more than that, the answer less.
    let gateway = shared("cache: {max_entry: 1500B}\n").await;
    let gate = Gate::shut();
    let mut events =
        stream_of(&["one ", "two ", "three ", "four ", "five ", "six ", "seven ", "eight"], true);
    let rest = events.split_off(9);
    gateway.upstream.then(Act::Pause { events, gate: gate.clone(), rest, end: End::Proper });
    let body = chat_stream("mini", "count");
    let mut leader = gateway.begin(&body, &[]).await.into_body().into_data_stream();
    let mut told = String::new();
    while !told.contains("eight") {
        told.push_str(
            std::str::from_utf8(&leader.next().await.expect("events").expect("bytes"))
                .expect("UTF-8"),
        );
    }
    let late = send(&gateway, &body, &[]);
    gateway.until_following(1).await;
    gate.open();
    while leader.next().await.is_some() {}
    let late = late.await.expect("no panic");
    assert_eq!(late.streamed(), "one two three four five six seven eight");
    assert_eq!(late.header("cache-status"), "semgate; fwd=miss; collapsed; detail=no-candidate");
    assert_eq!(gateway.upstream.seen().len(), 1);
    finish(gateway).await;
}
