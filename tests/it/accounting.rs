//! What is written down: records that can be replayed, money that was spent, and nothing too much.

use serde_json::{Value, json};

use crate::support::{Act, End, TestGateway, chat, chat_stream, completion, stream_of};

#[tokio::test]
async fn records_with_content_are_lines_and_valid_input_for_replay() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("records.jsonl");
    let record =
        format!("telemetry: {{content: true, record: {{path: \"{}\"}}}}\n", path.display());
    let gateway = TestGateway::with(&record).await;
    // As OpenAI answers, and as people send by hand.
    let body = serde_json::to_string_pretty(&completion("x")).expect("serialises");
    gateway.upstream.then(Act::Reply { status: 200, headers: vec![], body });
    let pretty = serde_json::to_string_pretty(&chat("mini", "hello")).expect("serialises");
    assert_eq!(gateway.send_raw(pretty, &[]).await.status, 200);
    assert_eq!(gateway.send_raw("{".into(), &[]).await.status, 400);
    gateway.finish().await;
    let mut input = None;
    for _ in 0..500 {
        let text = std::fs::read_to_string(&path).expect("readable");
        if text.lines().count() >= 2 {
            let valid = text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok());
            assert!(valid, "one record a line: {text}");
            input = Some(semgate::replay::input::read(&path, false).expect("valid input"));
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let input = input.expect("the file is written");
    assert_eq!((input.rows.len(), input.skipped), (1, 1));
    assert_eq!(input.rows[0].answer_text(), Some("x"));
}

#[tokio::test]
async fn attempts_that_all_failed_are_still_paid_for() {
    let gateway = TestGateway::with("resilience: {attempts: 1}\n").await;
    let events = stream_of(&[], false)[..1].to_vec();
    gateway.upstream.then(Act::Stream { events, end: End::Break });
    let answer = gateway.send(&chat_stream("mini", "hello"), &[]).await;
    assert_eq!(answer.status, 502, "{}", answer.text);
    let record = gateway.record(&answer).await;
    let cost = record["attempts"][0]["cost_usd"].as_f64().expect("a 2xx head may be billed");
    assert!(cost > 0.0);
    assert_eq!(record["cost_usd"].as_f64(), Some(cost), "{record}");
    assert_eq!(record["own_spend_usd"].as_f64(), Some(cost));
    gateway.finish().await;
}

#[tokio::test]
async fn a_giant_model_name_is_not_kept() {
    let gateway = TestGateway::start().await;
    let answer = gateway.ask(&"ä".repeat(1_000_000), "hello").await;
    assert_eq!(answer.status, 400);
    let record = gateway.record(&answer).await;
    assert!(record["route"]["requested"].as_str().expect("a name").len() <= 512);
    gateway.finish().await;
}

#[tokio::test]
async fn an_error_event_after_content_says_what_the_upstream_said() {
    let gateway = TestGateway::start().await;
    let mut events = stream_of(&["some"], false)[..2].to_vec();
    events
        .push("data: {\"error\": {\"message\": \"disk full, key sk-upstream-secret\"}}\n\n".into());
    gateway.upstream.then(Act::Stream { events, end: End::Proper });
    let answer = gateway.send(&chat_stream("mini", "hello"), &[]).await;
    let error = answer.chunks().pop().expect("an event")["error"].clone();
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("disk full"), "{message}");
    assert!(!answer.text.contains("sk-upstream-secret"), "{message}");
    assert_eq!(error["code"], "upstream_failed");
    gateway.finish().await;
}

#[tokio::test]
async fn a_stream_that_outlives_its_time_ends_as_a_timeout() {
    let gateway = TestGateway::start().await;
    let events = stream_of(&["some"], false)[..2].to_vec();
    gateway.upstream.then(Act::Stream { events, end: End::Stall });
    let body = chat_stream("mini", "hello");
    let answer = gateway.send(&body, &[("x-semgate-timeout-ms", "300")]).await;
    let error = answer.chunks().pop().expect("an event")["error"].clone();
    assert_eq!((&error["type"], &error["code"]), (&json!("server_error"), &json!("timeout")));
    gateway.finish().await;
}

#[tokio::test]
async fn a_search_in_vain_counts_as_a_lookup_of_the_semantic_level() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("x");
    let answer = gateway.ask("mini", "hello").await;
    assert_eq!(answer.header("cache-status"), "semgate; fwd=miss; stored; detail=no-candidate");
    assert_eq!(gateway.record(&answer).await["cache"]["level"], "semantic");
    gateway.finish().await;
}

#[tokio::test]
async fn a_found_answer_that_was_not_served_is_no_hit() {
    let gateway = TestGateway::with("cache: {mode: observe}\n").await;
    gateway.upstream.says("x");
    gateway.ask("mini", "hello").await;
    let headers = [("cache-control", "only-if-cached")];
    assert_eq!(gateway.send(&chat("mini", "hello"), &headers).await.status, 504);
    let spend = gateway.admin("/admin/v1/spend?by=tenant", None).await.json();
    assert_eq!(spend["data"][0]["hits"], 0, "{spend}");
    gateway.finish().await;
}
