//! What becomes of those who share a call when it fails, breaks, takes too long, or is left.

use super::*;

#[tokio::test]
async fn when_the_leader_fails_one_asks_again_for_all() {
    let gateway = shared("resilience: {attempts: 1}\n").await;
    let gate = Gate::shut();
    let fails = Act::Reply { status: 500, headers: vec![], body: "{}".into() };
    gateway.upstream.then(Act::After(gate.clone(), Box::new(fails))).says("better");
    let (leader, followers) = herd(&gateway, &chat("mini", "hi"), 50).await;
    gate.open();
    assert_eq!(leader.await.expect("no panic").status, 502);
    let followers = answers(followers).await;
    assert!(followers.iter().all(|answer| answer.status == 200 && answer.content() == "better"));
    let asked = followers.iter().filter(|answer| answer.header("x-semgate-attempts") == "1");
    let statuses: Vec<_> = asked.map(|answer| answer.header("cache-status")).collect();
    assert_eq!(statuses, ["semgate; fwd=miss; stored; detail=no-candidate"]);
    assert_eq!(gateway.upstream.seen().len(), 2);
    finish(gateway).await;
}

#[tokio::test]
async fn the_second_failure_is_everybodys() {
    let gateway = shared("resilience: {attempts: 1}\n").await;
    let gate = Gate::shut();
    let fails = Act::Reply { status: 500, headers: vec![], body: "{}".into() };
    gateway.upstream.then(Act::After(gate.clone(), Box::new(fails))).fails(500);
    let (leader, followers) = herd(&gateway, &chat("mini", "hi"), 200).await;
    gate.open();
    assert_eq!(leader.await.expect("no panic").status, 502);
    for answer in answers(followers).await {
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (502, &json!("upstream_failed"))
        );
    }
    assert_eq!(gateway.upstream.seen().len(), 2);
    assert_eq!(collapsed(&gateway), 199, "all but those who asked");
    finish(gateway).await;
}

#[tokio::test]
async fn the_leaders_client_leaving_cancels_nobody() {
    let gateway = shared("").await;
    // Before the answer: its handler is dropped.
    let gate = Gate::shut();
    let says = Act::Reply { status: 200, headers: vec![], body: completion("whole").to_string() };
    gateway.upstream.then(Act::After(gate.clone(), Box::new(says)));
    let (leader, followers) = herd(&gateway, &chat("mini", "first"), 3).await;
    leader.abort();
    assert!(leader.await.is_err_and(|error| error.is_cancelled()));
    gate.open();
    assert!(answers(followers).await.iter().all(|answer| answer.content() == "whole"));
    // In the middle of a stream: its body is dropped.
    let gate = Gate::shut();
    gateway.upstream.then(paused(&gate, End::Proper));
    let body = chat_stream("mini", "second");
    let mut leader = gateway.begin(&body, &[]).await.into_body().into_data_stream();
    leader.next().await.expect("content").expect("bytes");
    let mut followers: Vec<_> = (0..2).map(|_| send(&gateway, &body, &[])).collect();
    followers.push(send(&gateway, &chat("mini", "second"), &[]));
    gateway.until_following(3).await;
    drop(leader);
    gate.open();
    let whole = followers.pop().expect("three");
    assert!(
        answers(followers).await.iter().all(|answer| answer.streamed() == "one two three four")
    );
    assert_eq!(whole.await.expect("no panic").content(), "one two three four");
    assert_eq!((gateway.upstream.seen().len(), gateway.upstream.left_early()), (2, 0));
    let records = gateway.gateway.recorder().ring.recent(usize::MAX);
    let paid: Vec<_> = records.iter().filter(|record| !record.attempts.is_empty()).collect();
    assert_eq!(paid.len(), 2);
    for record in paid {
        assert_eq!((record.outcome.as_str(), record.cache.stored), ("client_gone", true));
        assert_eq!(record.cost_usd.expect("a cost").usd(), PRICE);
        assert!(record.attempts[0].error.is_none(), "{:?}", record.attempts);
    }
    finish(gateway).await;
}

#[tokio::test]
async fn when_all_have_left_the_upstream_is_left_and_paid_once() {
    let gateway = shared("").await;
    gateway.upstream.then(paused(&Gate::shut(), End::Proper));
    let body = chat_stream("mini", "hi");
    let mut leader = gateway.begin(&body, &[]).await.into_body().into_data_stream();
    leader.next().await.expect("content").expect("bytes");
    let mut follower = gateway.begin(&body, &[]).await.into_body().into_data_stream();
    follower.next().await.expect("content").expect("bytes");
    let waiting = send(&gateway, &chat("mini", "hi"), &[]);
    gateway.until_following(2).await;
    drop(leader);
    drop(follower);
    assert_eq!(gateway.upstream.left_early(), 0, "one still waits");
    waiting.abort();
    assert!(waiting.await.is_err());
    for _ in 0..5000 {
        if gateway.upstream.left_early() == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    assert_eq!(gateway.upstream.left_early(), 1);
    let records = gateway.gateway.recorder().ring.recent(usize::MAX);
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record.outcome == "client_gone"));
    let paid: Vec<f64> = records
        .iter()
        .filter_map(|record| record.cost_usd)
        .map(|cost| cost.usd())
        .filter(|cost| *cost > 0.0)
        .collect();
    assert_eq!(paid.len(), 1, "{paid:?}");
    // Nothing of it stands in the way of the next.
    gateway.upstream.says("next");
    assert_eq!(gateway.ask("mini", "hi").await.content(), "next");
    finish(gateway).await;
}

#[tokio::test]
async fn a_stream_that_breaks_breaks_for_all_who_follow_it_live() {
    let gateway = shared("").await;
    let gate = Gate::shut();
    let mut events = stream_of(&["one ", "two"], false);
    events.truncate(3);
    gateway.upstream.then(Act::Pause { events, gate: gate.clone(), rest: vec![], end: End::Break });
    let (leader, mut streams) = herd(&gateway, &chat_stream("mini", "hi"), 2).await;
    streams.push(leader);
    let whole: Vec<_> = (0..3).map(|_| send(&gateway, &chat("mini", "hi"), &[])).collect();
    gateway.until_following(5).await;
    gateway.upstream.says("again");
    gate.open();
    for answer in answers(streams).await {
        let last = answer.chunks().pop().expect("an event");
        assert_eq!(last["error"]["code"], "upstream_failed", "{}", answer.text);
        assert!(!answer.text.contains("[DONE]"));
        assert_eq!(gateway.record(&answer).await["outcome"], "cut");
    }
    assert!(answers(whole).await.iter().all(|answer| answer.content() == "again"));
    assert_eq!(gateway.upstream.seen().len(), 2, "one asks again for those who had nothing yet");
    finish(gateway).await;
}

#[tokio::test]
async fn nobody_waits_beyond_the_callers_own_time() {
    let gateway = shared("resilience: {attempts: 1}\n").await;
    let timeout: &'static [_] = &[("x-semgate-timeout-ms", "800")];
    gateway.upstream.then(Act::Silence).then(Act::Silence);
    let leader = send(&gateway, &chat("mini", "hi"), timeout);
    until_seen(&gateway.upstream, 1).await;
    let followers: Vec<_> = (0..20).map(|_| send(&gateway, &chat("mini", "hi"), timeout)).collect();
    assert_eq!(leader.await.expect("no panic").status, 504);
    for answer in answers(followers).await {
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (504, &json!("timeout")));
    }
    assert!(gateway.upstream.seen().len() <= 2);
    if gateway.upstream.seen().len() == 1 {
        // All had run out of time before one could ask again: the script is used up otherwise.
        gateway.send_inside(&chat("mini", "bye"), timeout).await;
    }
    finish(gateway).await;
}

#[tokio::test]
async fn shutdown_ends_those_who_lead_and_those_who_follow() {
    let gateway = shared("").await;
    gateway.upstream.then(Act::Silence).then(paused(&Gate::shut(), End::Proper));
    let (leader, mut whole) = herd(&gateway, &chat("mini", "silence"), 3).await;
    whole.push(leader);
    let leader = send(&gateway, &chat_stream("mini", "words"), &[]);
    until_seen(&gateway.upstream, 2).await;
    let mut streams: Vec<_> =
        (0..3).map(|_| send(&gateway, &chat_stream("mini", "words"), &[])).collect();
    let late = send(&gateway, &chat("mini", "words"), &[]);
    gateway.until_following(7).await;
    streams.push(leader);
    gateway.cut();
    whole.push(late);
    for answer in answers(whole).await {
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (503, &json!("overloaded")));
    }
    for answer in answers(streams).await {
        // One whose head has not left gets the error as its answer.
        let error = answer.chunks().pop().unwrap_or_else(|| answer.json());
        assert_eq!(error["error"]["code"], "overloaded", "{}", answer.text);
    }
    assert_eq!(gateway.upstream.seen().len(), 2);
    finish(gateway).await;
}
