//! `/admin/v1/cache/entries/{id}`: what an operator sees of a stored answer, and that it can go.

use serde_json::json;

use crate::passthrough::keys_yaml;
use crate::support::{ADMIN_TOKEN, Answer, TestGateway, chat};

const ALPHA: (&str, &str) = ("x-api-key", "sg-alpha");
const QUESTION: &str = "how do I return a parcel to the shop it came from";

async fn delete(gateway: &TestGateway, path: &str, token: &str) -> Answer {
    let request = gateway.client.delete(format!("{}{path}", gateway.admin)).bearer_auth(token);
    Answer::of(request.send().await.expect("an answer")).await
}

fn path(answer: &Answer) -> String {
    format!("/admin/v1/cache/entries/{}", answer.header("x-request-id"))
}

#[tokio::test]
async fn an_entry_says_what_it_is_and_for_whom_it_was_served_why() {
    let gateway = TestGateway::with(&keys_yaml()).await;
    gateway.upstream.says("Go to the desk.");
    let headers = [ALPHA, ("x-semgate-tags", "feature=search")];
    let stored = gateway.send(&chat("mini", QUESTION), &headers).await;
    let exact = gateway.send(&chat("mini", QUESTION), &headers).await;
    let semantic = gateway.send(&chat("mini", &QUESTION.to_uppercase()), &headers).await;
    assert!(semantic.header("cache-status").ends_with("detail=semantic"), "{:?}", semantic.headers);

    let entry = gateway.admin(&path(&stored), None).await.json();
    for (member, expected) in [
        ("id", json!(stored.header("x-request-id"))),
        ("tenant", json!("alpha")),
        ("key", json!("a")),
        ("model", json!("mini")),
        ("target", json!("up/up-mini")),
        ("tier", json!("small")),
        ("levels", json!(["exact", "semantic"])),
        ("ttl_class", json!("default")),
        ("ttl_s", json!(86400.0)),
        ("cost_usd", json!(0.00012)),
        ("tags", json!({"feature": "search"})),
        ("hits", json!(2)),
        (
            "prompt",
            json!({"bytes": QUESTION.len(), "hash": blake3::hash(QUESTION.as_bytes()).to_hex().to_string()}),
        ),
    ] {
        assert_eq!(entry[member], expected, "{member} of {entry}");
    }
    assert!(!entry.to_string().contains("desk"), "{entry}");
    assert!(entry["answer"]["bytes"].as_u64().is_some_and(|bytes| bytes > 100));
    assert!(entry["remaining_s"].as_f64().is_some_and(|left| left > 86000.0 && left <= 86400.0));
    assert_eq!(entry["group"]["entries"], json!([stored.header("x-request-id")]));

    let served = entry["served"].as_array().expect("a list");
    assert_eq!(served.len(), 2);
    assert_eq!(served[0]["id"], semantic.header("x-request-id"), "newest first");
    assert_eq!(served[0]["level"], "semantic");
    let record = gateway.record(&semantic).await;
    for figure in ["similarity", "score", "line"] {
        let (shown, decided) = (served[0][figure].as_f64(), record["cache"][figure].as_f64());
        let differ = shown.zip(decided).map(|(shown, decided)| (shown - decided).abs());
        assert_eq!(shown.is_some(), decided.is_some(), "{figure}");
        assert!(differ.unwrap_or(0.0) < 1e-6, "{figure}: {shown:?} and {decided:?}");
        assert_eq!(served[1][figure], json!(null));
    }
    assert_eq!(
        (&served[1]["id"], &served[1]["level"]),
        (&json!(exact.header("x-request-id")), &json!("exact"))
    );
    gateway.finish().await;
}

#[tokio::test]
async fn its_words_are_shown_only_with_content() {
    let gateway = TestGateway::with("telemetry: {content: true}\n").await;
    gateway.upstream.says("Go to the desk.");
    let stored = gateway.ask("mini", QUESTION).await;
    let entry = gateway.admin(&path(&stored), None).await.json();
    assert_eq!(entry["prompt"], QUESTION);
    assert_eq!(entry["answer"]["choices"][0]["message"]["content"], "Go to the desk.");
    gateway.finish().await;
}

#[tokio::test]
async fn a_removed_entry_is_gone_before_the_answer() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("1").says("2");
    let stored = gateway.ask("mini", QUESTION).await;
    assert_eq!(delete(&gateway, &path(&stored), "sga-wrong").await.status, 401);
    let removed = delete(&gateway, &path(&stored), ADMIN_TOKEN).await;
    assert_eq!((removed.status, removed.text.as_str()), (204, ""));
    assert_eq!(gateway.ask("mini", &QUESTION.to_uppercase()).await.content(), "2");
    for status in [
        delete(&gateway, &path(&stored), ADMIN_TOKEN).await.status,
        gateway.admin(&path(&stored), None).await.status,
        gateway.admin("/admin/v1/cache/entries/nope", None).await.status,
    ] {
        assert_eq!(status, 404);
    }
    assert_eq!(gateway.admin(&path(&stored), Some(json!({}))).await.status, 405);
    let on_data = gateway.client.get(format!("{}{}", gateway.data, path(&stored)));
    let on_data = on_data.bearer_auth(ADMIN_TOKEN).send().await.expect("an answer");
    assert_eq!(on_data.status(), 404);
    gateway.finish().await;
}

#[tokio::test]
async fn metrics_and_stats_say_what_hits_saved() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("x").says("y");
    gateway.ask("auto", QUESTION).await;
    let exact = gateway.ask("auto", QUESTION).await;
    let semantic = gateway.ask("auto", &QUESTION.to_uppercase()).await;
    gateway.ask("auto", &format!("{QUESTION} in 14 days")).await;
    assert!(gateway.record(&exact).await["cache"]["saved_ms"].as_f64().is_some());
    gateway.record(&semantic).await;
    let metrics = gateway.get("/metrics", &[]).await.text;
    for line in [
        "semgate_cache_hits_total{level=\"exact\",reason=\"equal\"} 1",
        "semgate_cache_refusals_total{detail=\"no-candidate\",verdict=\"miss\"} 1",
        "semgate_cache_refusals_total{detail=\"guard-number\",verdict=\"miss\"} 1",
        "semgate_cache_guard_vetoes_total{guard=\"number\"} 1",
        "semgate_cache_inserts_total{level=\"semantic\"} 2",
        "semgate_cache_evictions_total{level=\"exact\"} 0",
        "semgate_cache_dropped_total 0",
        "semgate_cache_index_scopes 1",
        "semgate_cache_saved_usd_total{level=\"exact\"} 0.012",
        "semgate_feedback_answers 4",
    ] {
        assert!(metrics.lines().any(|shown| shown == line), "{line} in\n{metrics}");
    }
    assert!(metrics.contains("semgate_cache_hits_total{level=\"semantic\""), "{metrics}");
    assert!(metrics.contains("semgate_cache_saved_seconds_total{level=\"exact\"}"), "{metrics}");
    let stats = gateway.admin("/admin/v1/cache/stats", None).await.json();
    assert_eq!((&stats["exact"]["hits"], &stats["semantic"]["hits"]), (&json!(1), &json!(1)));
    assert_eq!(stats["exact"]["saved_usd"], 0.012);
    gateway.finish().await;
}
