//! What the cache says of itself: every figure that an operator was promised, scraped from a gateway
//! that has had something to count.

use serde_json::json;

use crate::support::TestGateway;

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
