//! What the cache says of itself: every figure that an operator was promised, scraped from a gateway
//! that has had something to count.

use serde_json::json;

use crate::support::{TestGateway, chat};

async fn idle(gateway: &TestGateway) {
    for _ in 0..2000 {
        if gateway.gateway.jobs().open() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("a job does not end");
}

async fn scrape(gateway: &TestGateway) -> String {
    gateway.get("/metrics", &[]).await.text
}

/// The value of a series, if it is there.
fn value(metrics: &str, series: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().expect("a number"))
}

const PROMPT: &str = "Where in the world does the tower of Gustave Eiffel stand";

#[tokio::test]
async fn a_hit_that_is_asked_upstream_to_learn_is_own_spend() {
    let gateway = TestGateway::with("cache: {shadow: 100%}\n").await;
    gateway.upstream.says("Paris").says("Lyon").says("Paris.");
    gateway.ask("auto", PROMPT).await;
    // The shadow finds another answer: from now on the entry is under suspicion.
    let hit = gateway.ask("auto", &format!("{PROMPT}?")).await;
    assert!(hit.header("cache-status").ends_with("; detail=semantic"), "{:?}", hit.headers);
    idle(&gateway).await;
    let explored = gateway.ask("auto", &format!("{PROMPT}!")).await;
    assert_eq!(explored.header("cache-status"), "semgate; fwd=miss; stored; detail=explored");
    assert_eq!(explored.header("x-semgate-cost-usd"), "0.00012");
    let record = gateway.record(&explored).await;
    assert_eq!((&record["cost_usd"], &record["own_spend_usd"]), (&json!(0.00012), &json!(0.00012)));
    idle(&gateway).await;
    let metrics = scrape(&gateway).await;
    for (by, spent) in [("exploration", 0.00012), ("shadow", 0.00012), ("retry", 0.0)] {
        let series = format!("semgate_own_spend_usd_total{{by=\"{by}\"}}");
        assert_eq!(value(&metrics, &series), Some(spent), "{metrics}");
    }
    let spend = gateway.admin("/admin/v1/spend?by=tenant", None).await.json();
    assert_eq!(spend["data"][0]["own_spend_usd"], 0.00024);
    gateway.finish().await;
}

#[tokio::test]
async fn attempts_that_failed_before_an_explored_answer_are_retries() {
    let gateway = TestGateway::with("cache: {shadow: 100%}\n").await;
    gateway.upstream.says("Paris").says("Lyon");
    gateway.ask("auto", PROMPT).await;
    gateway.ask("auto", &format!("{PROMPT}?")).await;
    idle(&gateway).await;
    gateway.upstream.fails(500).says("Paris.");
    let explored = gateway.ask("auto", &format!("{PROMPT}!")).await;
    assert!(explored.header("cache-status").ends_with("; detail=explored"));
    let record = gateway.record(&explored).await;
    assert_eq!(record["own_spend_usd"], record["cost_usd"]);
    let by = |metrics: &str, by: &str| {
        value(metrics, &format!("semgate_own_spend_usd_total{{by=\"{by}\"}}")).unwrap_or(0.0)
    };
    let metrics = scrape(&gateway).await;
    let whole = by(&metrics, "retry") + by(&metrics, "exploration");
    assert!(
        (whole - record["own_spend_usd"].as_f64().expect("dollars")).abs() < 1e-12,
        "{metrics}"
    );
    gateway.finish().await;
}

/// Every figure of the cache, each of which a request of this test has moved.
#[tokio::test]
async fn the_cache_shows_what_it_does_and_how_well() {
    let more = "cache: {max_wrong_hits: 20%, min_precision: off, exploration: 0%, shadow: 100%}\n";
    let gateway = TestGateway::with(more).await;
    let unmeasured = gateway.admin("/admin/v1/cache/stats", None).await.json();
    assert_eq!(unmeasured["lanes"], json!([]));
    let syllables = ["bra", "cle", "dri", "fon", "gus", "hal", "jem", "kip", "lor", "mun", "nax"];
    for n in 0..110 {
        let (first, last) = (syllables[n % 11], syllables[n / 11]);
        let subject = format!("{first}{last}ner {last}u{first} qui{first}a{last}");
        // Two ways to ask for each of them; no two of them share a word that matters.
        for prompt in [format!("{subject} meaning"), format!("explain {subject}")] {
            // What is served is asked again in the shadow: one answer each in either case.
            gateway.upstream.says(&format!("The answer is {n}."));
            let answer = gateway.send_inside(&chat("auto", &prompt), &[]).await;
            assert_eq!(answer.status, 200);
            idle(&gateway).await;
        }
    }
    let stats = gateway.admin("/admin/v1/cache/stats", None).await.json();
    let lane = &stats["lanes"][0];
    assert_eq!((&lane["tenant"], &lane["route"]), (&json!("anonymous"), &json!("auto")), "{stats}");
    assert!(lane["labels"].as_u64() > Some(10), "{lane}");
    let rate = &lane["wrong_hit_rate"];
    assert!(
        rate["estimate"].as_f64() <= rate["upper"].as_f64() && rate["upper"].as_f64() < Some(0.2)
    );
    assert!(
        stats["judges"]["comparison"]["false_same"]["estimate"].as_f64() > Some(0.0),
        "{stats}"
    );

    let metrics = scrape(&gateway).await;
    let shown = |series: &str| {
        value(&metrics, series).unwrap_or_else(|| panic!("no {series} in\n{metrics}"))
    };
    for bound in ["estimate", "upper"] {
        shown(&format!("semgate_cache_wrong_hit_ratio{{bound=\"{bound}\",route=\"auto\"}}"));
    }
    assert!(shown("semgate_cache_calibration_labels{route=\"auto\"}") > 10.0);
    let same = shown("semgate_cache_labels_total{source=\"comparison\",verdict=\"same\"}");
    assert!(same > 10.0, "{metrics}");
    shown("semgate_cache_labels_total{source=\"comparison\",verdict=\"different\"}");
    shown("semgate_cache_labels_total{source=\"model\",verdict=\"same\"}");
    let hits = shown("semgate_cache_hits_total{level=\"semantic\",reason=\"line\"}");
    assert!(hits > 0.0);
    let shadowed = ["same", "different", "cannot_tell"]
        .map(|verdict| shown(&format!("semgate_cache_shadow_total{{verdict=\"{verdict}\"}}")));
    assert!(shadowed[0] > 0.0 && shadowed.iter().sum::<f64>() >= hits, "{metrics}");
    assert!(shown("semgate_own_spend_usd_total{by=\"shadow\"}") > 0.0);
    assert!(shown("semgate_cache_saved_usd_total{level=\"semantic\"}") > 0.0);
    assert!(shown("semgate_cache_saved_seconds_total{level=\"semantic\"}") >= 0.0);
    assert!(shown("semgate_cache_entries{level=\"semantic\"}") >= 110.0);
    assert!(shown("semgate_cache_bytes") > 0.0);
    assert_eq!(shown("semgate_cache_index_scopes"), 1.0);
    shown("semgate_cache_index_tombstones");
    assert_eq!(shown("semgate_cache_evictions_total{level=\"semantic\"}"), 0.0);
    let lookups = metrics.lines().filter(|line| line.starts_with("semgate_cache_lookups_total{"));
    assert!(lookups.count() >= 2, "{metrics}");
    gateway.finish().await;
}
