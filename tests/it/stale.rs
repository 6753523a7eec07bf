//! What has expired, or is about to: when it is served, who asks again, and how often.

use std::time::Duration;

use semgate::config::{self, Env};
use serde_json::json;

use crate::support::{Answer, CONFIG, TestGateway, chat};

/// Lets time pass without waiting for it.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// Waits until nothing runs beside the line.
async fn idle(gateway: &TestGateway) {
    for _ in 0..2000 {
        if gateway.gateway.jobs().open() == 0 {
            return;
        }
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("a job does not end");
}

async fn metrics(gateway: &TestGateway) -> String {
    gateway.get("/metrics", &[]).await.text
}

/// The seconds after `ttl=`.
fn ttl(answer: &Answer) -> i64 {
    let status = answer.header("cache-status");
    let rest = status.split("ttl=").nth(1).unwrap_or_else(|| panic!("no ttl in `{status}`"));
    rest.split(';').next().expect("a value").parse().expect("whole seconds")
}

const SHORT_LIVED: &str = "cache: {ttl: {default: 60s}, stale_while_revalidate: 30s}\n";
const QUESTION: &str = "What does the gasket of a moka pot do?";

#[tokio::test]
async fn an_expired_answer_is_served_at_once_and_asked_again_once() {
    let gateway = TestGateway::with(SHORT_LIVED).await;
    gateway.upstream.says("old").says("new");
    gateway.ask("auto", QUESTION).await;
    pass(70).await;
    let asks = (0..20).map(|_| gateway.ask("auto", QUESTION));
    for stale in futures_util::future::join_all(asks).await {
        if stale.content() == "old" {
            assert_eq!(stale.header("age"), "70");
            assert!([-10, -11].contains(&ttl(&stale)), "{}", stale.header("cache-status"));
            assert!(stale.header("cache-status").ends_with("; detail=exact"));
            assert_eq!(stale.header("x-semgate-attempts"), "0");
        } else {
            assert!(ttl(&stale) > 0, "the new answer is there already");
        }
    }
    idle(&gateway).await;
    let fresh = gateway.ask("auto", QUESTION).await;
    assert_eq!((fresh.content(), fresh.header("age")), ("new".into(), "0"));
    assert!(ttl(&fresh) >= 59, "{}", fresh.header("cache-status"));
    assert_eq!(gateway.upstream.seen().len(), 2, "one refresh, whoever asked");
    let metrics = metrics(&gateway).await;
    assert!(metrics.contains("semgate_own_spend_usd_total{by=\"refresh\"} 0.00012"), "{metrics}");
    assert!(metrics.contains("semgate_jobs_total{outcome=\"done\",what=\"refresh\"} 1"));
    let spend = gateway.admin("/admin/v1/spend?by=tenant", None).await.json();
    assert_eq!(spend["data"][0]["own_spend_usd"], 0.00012);
    gateway.finish().await;
}

#[tokio::test]
async fn an_expired_paraphrase_is_served_and_renewed_too() {
    let gateway = TestGateway::with(SHORT_LIVED).await;
    gateway.upstream.says("old").says("new");
    gateway.ask("auto", QUESTION).await;
    pass(70).await;
    let shouted = QUESTION.to_uppercase();
    let stale = gateway.ask("auto", &shouted).await;
    assert_eq!(stale.content(), "old");
    assert!(ttl(&stale) < 0 && stale.header("cache-status").ends_with("; detail=semantic"));
    idle(&gateway).await;
    let third = gateway.ask("auto", &format!("{QUESTION}!!")).await;
    assert_eq!((third.content(), ttl(&third) > 0), ("new".into(), true));
    assert_eq!(gateway.upstream.seen()[1].json()["messages"][0]["content"], shouted);
    gateway.finish().await;
}

#[tokio::test]
async fn a_renewed_answer_is_compared_with_the_old_one() {
    let gateway = TestGateway::with(SHORT_LIVED).await;
    let measured = async || {
        let stats = gateway.admin("/admin/v1/cache/stats", None).await.json();
        let judge = &stats["judges"]["comparison"];
        (judge["known_pairs"].as_f64(), judge["false_different"]["estimate"].as_f64())
    };
    let (_, before) = measured().await;
    gateway.upstream.says("It is 12.").says("It is 13.").says("It is 13.");
    gateway.ask("auto", "How many eggs are in a dozen?").await;
    pass(70).await;
    gateway.ask("auto", "How many eggs are in a dozen?").await;
    idle(&gateway).await;
    let (pairs, after) = measured().await;
    assert!(pairs == Some(1.0) && after > before, "{pairs:?} {after:?}");
    // A paraphrase: its own answer and that of its neighbour, as a miss would have taught.
    pass(70).await;
    let stale = gateway.ask("auto", "How many eggs are in a dozen").await;
    assert!(ttl(&stale) < 0 && stale.header("cache-status").ends_with("; detail=semantic"));
    idle(&gateway).await;
    let labels = "semgate_cache_labels_total{source=\"comparison\",verdict=\"same\"} 1";
    assert!(metrics(&gateway).await.contains(labels));
    gateway.finish().await;
}

#[tokio::test]
async fn who_forbids_a_stale_answer_gets_none() {
    let gateway = TestGateway::with(SHORT_LIVED).await;
    gateway.upstream.says("old");
    gateway.ask("auto", QUESTION).await;
    pass(70).await;
    for (directive, status) in [
        ("max-age=3600", "semgate; fwd=stale; stored"),
        ("no-cache", "semgate; fwd=request; stored; detail=no-cache"),
    ] {
        gateway.upstream.says("new");
        let answer = gateway.send(&chat("auto", QUESTION), &[("cache-control", directive)]).await;
        assert_eq!((answer.content(), answer.header("cache-status")), ("new".into(), status));
        pass(70).await;
    }
    // Who wants nothing stored or nothing forwarded sets off no refresh.
    for directive in ["no-store", "only-if-cached"] {
        let stale = gateway.send(&chat("auto", QUESTION), &[("cache-control", directive)]).await;
        assert!(ttl(&stale) < 0);
        idle(&gateway).await;
    }
    pass(30).await;
    gateway.upstream.says("newest");
    let late = gateway.ask("auto", QUESTION).await;
    assert_eq!(late.header("cache-status"), "semgate; fwd=stale; stored", "past the grace");
    gateway.finish().await;
}

#[tokio::test]
async fn a_refresh_that_fails_leaves_the_old_answer_and_pauses() {
    let gateway = TestGateway::with(SHORT_LIVED).await;
    gateway.upstream.says("old").fails(400);
    gateway.ask("auto", QUESTION).await;
    pass(70).await;
    for _ in 0..5 {
        let stale = gateway.ask("auto", QUESTION).await;
        assert_eq!((stale.status, stale.content()), (200, "old".into()));
        idle(&gateway).await;
    }
    assert_eq!(gateway.upstream.seen().len(), 2, "not once per hit");
    pass(10).await;
    gateway.upstream.says("new");
    gateway.ask("auto", QUESTION).await;
    idle(&gateway).await;
    assert_eq!(gateway.ask("auto", QUESTION).await.content(), "new");
    gateway.finish().await;
}

#[tokio::test]
async fn an_expired_answer_beats_none_when_every_provider_failed() {
    let more = "cache: {ttl: {default: 60s}, stale_if_error: 1h}\n";
    let gateway = TestGateway::with(more).await;
    gateway.upstream.says("old");
    gateway.ask("mini", QUESTION).await;
    pass(600).await;
    gateway.upstream.fails(500);
    let stale = gateway.ask("mini", QUESTION).await;
    assert_eq!((stale.status, stale.content()), (200, "old".into()));
    assert!([-540, -541].contains(&ttl(&stale)), "{}", stale.header("cache-status"));
    assert_eq!(stale.header("age"), "600");
    assert_ne!(stale.header("x-semgate-attempts"), "0");
    assert_eq!(stale.header("x-semgate-target"), "up/up-mini");
    let record = gateway.record(&stale).await;
    assert_eq!(record["cache"]["on_error"], true);
    assert_eq!((&record["cache"]["verdict"], &record["outcome"]), (&json!("hit"), &json!("ok")));
    assert!(metrics(&gateway).await.contains("semgate_cache_stale_hits_total{why=\"error\"} 1"));
    // A paraphrase finds it too.
    pass(60).await;
    gateway.upstream.fails(500);
    let shouted = gateway.ask("mini", &QUESTION.to_uppercase()).await;
    assert!(shouted.header("cache-status").ends_with("; detail=semantic"), "{:?}", shouted.headers);
    gateway.finish().await;
}

#[tokio::test]
async fn errors_stay_errors_where_the_request_is_at_fault_or_the_caller_says_so() {
    let more = "cache: {ttl: {default: 60s}, stale_if_error: 1h}\n";
    let gateway = TestGateway::with(more).await;
    gateway.upstream.says("old");
    gateway.ask("mini", QUESTION).await;
    pass(600).await;
    gateway.upstream.fails(422);
    assert_eq!(gateway.ask("mini", QUESTION).await.status, 422);
    for directive in ["no-cache", "max-age=3600"] {
        pass(60).await;
        gateway.upstream.fails(500);
        let failed = gateway.send(&chat("mini", QUESTION), &[("cache-control", directive)]).await;
        assert_eq!(failed.status, 502, "{directive}");
    }
    pass(3600).await;
    gateway.upstream.fails(500);
    assert_eq!(gateway.ask("mini", QUESTION).await.status, 502, "past its hour");
    gateway.finish().await;
}

/// The stampede: bursts of requests on one key around twenty expiries. Nobody but the first waits,
/// and no expiry costs more than one call.
#[tokio::test]
async fn twenty_expiries_cost_twenty_calls_at_most() {
    let more = "cache: {ttl: {default: 60s}, stale_while_revalidate: 30s, refresh_ahead: true}\n";
    let gateway = TestGateway::with(more).await;
    gateway.upstream.says("0");
    gateway.ask("auto", QUESTION).await;
    for expiry in 1..=20 {
        gateway.upstream.says(&expiry.to_string());
        // In demand all its life, then a burst within the last second and one just after it.
        for seconds in [30, 29, 1] {
            let before = gateway.upstream.seen().len();
            pass(seconds).await;
            let burst = (0..12).map(|_| gateway.ask("auto", QUESTION));
            for answer in futures_util::future::join_all(burst).await {
                assert!(answer.header("cache-status").contains("; hit;"), "{:?}", answer.headers);
            }
            idle(&gateway).await;
            assert!(gateway.upstream.seen().len() <= before + 1);
            if gateway.upstream.seen().len() > expiry {
                break;
            }
        }
        assert_eq!(gateway.upstream.seen().len(), expiry + 1, "one call for this expiry");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn an_answer_outlives_neither_its_models_id_nor_its_name() {
    let gateway = TestGateway::start().await;
    for (prompt, from, to) in [
        ("first question", "id: up-mini", "id: up-mini-2"),
        ("second question", "name: mini,", "name: tiny,"),
    ] {
        let load = |yaml: &str| {
            let env = Env::of([("UPSTREAM", gateway.upstream.url.as_str())]);
            let loaded = config::load_text("test.yaml", yaml, &env, &[]);
            loaded.unwrap_or_else(|faults| panic!("{faults}")).settings
        };
        gateway.gateway.reload(load(CONFIG)).expect("reloads");
        gateway.upstream.says("by the old one");
        gateway.ask("auto", prompt).await;
        let hit = gateway.ask("auto", prompt).await;
        assert_eq!(hit.header("x-semgate-target"), "up/up-mini");
        let renewed = CONFIG.replace(from, to).replace("models: [mini]", "models: [up-mini]");
        let renewed = match to {
            "name: tiny," => renewed.replace("models: [up-mini]", "models: [tiny]"),
            _ => renewed.replace("models: [up-mini]", "models: [mini]"),
        };
        gateway.gateway.reload(load(&renewed)).expect("reloads");
        gateway.upstream.says("by the new one");
        let miss = gateway.ask("auto", prompt).await;
        assert_eq!(miss.content(), "by the new one", "{:?}", miss.headers);
    }
    gateway.finish().await;
}

#[tokio::test]
async fn shadowed_hits_are_asked_upstream_and_compared() {
    let gateway = TestGateway::with("cache: {shadow: 100%}\n").await;
    gateway.upstream.says("Paris").says("Paris.").says("Lyon");
    let prompt = "Where in the world does the tower of Gustave Eiffel stand";
    gateway.ask("auto", prompt).await;
    gateway.ask("auto", prompt).await;
    for mark in ["?", "!"] {
        let hit = gateway.ask("auto", &format!("{prompt}{mark}")).await;
        assert!(hit.header("cache-status").ends_with("; detail=semantic"));
        assert_eq!(hit.header("x-semgate-cost-usd"), "0", "the caller is not charged");
        idle(&gateway).await;
    }
    let metrics = metrics(&gateway).await;
    for verdict in ["same", "different"] {
        let line = format!("semgate_cache_shadow_total{{verdict=\"{verdict}\"}} 1");
        assert!(metrics.contains(&line), "{metrics}");
    }
    assert!(metrics.contains("semgate_own_spend_usd_total{by=\"shadow\"} 0.00024"), "{metrics}");
    assert_eq!(gateway.upstream.seen().len(), 3, "exact hits are not shadowed");
    gateway.finish().await;
}
