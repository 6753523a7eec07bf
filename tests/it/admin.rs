//! The admin plane, and that nothing of it is on the data plane.

use serde_json::{Value, json};

use crate::passthrough::keys_yaml;
use crate::support::{TestGateway, chat};

const PATHS: [&str; 5] = [
    "/admin/v1/decisions",
    "/admin/v1/cache/stats",
    "/admin/v1/targets",
    "/admin/v1/spend?by=tenant",
    "/metrics",
];

#[tokio::test]
async fn the_token_is_wanted_and_the_data_plane_knows_nothing() {
    let gateway = TestGateway::start().await;
    for path in PATHS {
        let url = format!("{}{path}", gateway.data);
        let on_data = gateway.client.get(url).bearer_auth(crate::support::ADMIN_TOKEN).send().await;
        assert_eq!(on_data.expect("an answer").status(), 404, "{path}");
        let without = gateway.get(path, &[]).await.status;
        assert_eq!(without, if path == "/metrics" { 200 } else { 401 }, "{path}");
        assert_eq!(gateway.admin(path, None).await.status, 200, "{path}");
    }
    let rebound = gateway.get("/metrics", &[("host", "evil.example")]).await;
    assert_eq!(rebound.status, 401);
    gateway.finish().await;
}

#[tokio::test]
async fn decisions_metrics_and_spend_tell_one_story() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("x");
    let miss = gateway.ask("auto", "hello").await;
    let hit = gateway.ask("auto", "hello").await;
    gateway.record(&hit).await;
    let listed = gateway.admin("/admin/v1/decisions?limit=1", None).await.json();
    assert_eq!(listed["data"][0]["id"], hit.header("x-request-id"));
    let path = format!("/admin/v1/decisions/{}", miss.header("x-request-id"));
    assert_eq!(gateway.admin(&path, None).await.json()["cache"]["verdict"], "miss");
    let metrics = gateway.get("/metrics", &[]).await.text;
    for line in [
        "semgate_requests_total{outcome=\"ok\",route=\"auto\"} 2",
        "semgate_cache_lookups_total{level=\"exact\",verdict=\"hit\"} 1",
        "semgate_cache_entries{level=\"exact\"} 1",
        "semgate_route_decisions_total{reason=\"adequate\",tier=\"small\"} 1",
        "semgate_upstream_attempts_total{outcome=\"ok\",target=\"up/up-mini\"} 1",
        "semgate_tokens_total{kind=\"prompt\",target=\"up/up-mini\"} 100",
        "semgate_cost_usd_total{target=\"up/up-mini\"} 0.00012",
        "semgate_target_healthy{target=\"up/up-mini\"} 1",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} in\n{metrics}");
    }
    let spend = gateway.admin("/admin/v1/spend?by=tenant", None).await.json();
    assert_eq!(spend["data"][0]["name"], "anonymous");
    assert_eq!(spend["data"][0]["requests"], 2);
    assert_eq!(spend["data"][0]["hits"], 1);
    let targets = gateway.admin("/admin/v1/targets", None).await.json();
    assert_eq!(targets["data"].as_array().map(Vec::len), Some(3));
    gateway.finish().await;
}

#[tokio::test]
async fn a_purge_is_effective_before_its_answer() {
    for (what, purged) in [
        (json!({"all": true}), 1),
        (json!({"tenant": "alpha"}), 1),
        (json!({"model": "mini"}), 1),
        (json!({"older_than": "0s"}), 1),
        (json!({"key": "a"}), 1),
        (json!({"tag": "feature=search"}), 1),
        (json!({"entry": "ENTRY", "all": null}), 1),
        (json!({"tenant": "beta"}), 0),
        (json!({"model": "big"}), 0),
        (json!({"older_than": "1h"}), 0),
        (json!({"key": "b"}), 0),
        (json!({"tag": "feature=chat"}), 0),
        (json!({"tag": "search=feature"}), 0),
        (json!({"entry": "no-such"}), 0),
    ] {
        let gateway = TestGateway::with(&keys_yaml()).await;
        let headers = [("x-api-key", "sg-alpha"), ("x-semgate-tags", "feature=search,team=web")];
        let question = "how do I return a parcel to the shop it came from";
        gateway.upstream.says("1");
        let stored = gateway.send(&chat("mini", question), &headers).await;
        let what = what.to_string().replace("ENTRY", stored.header("x-request-id"));
        let what: Value = serde_json::from_str(&what).expect("still JSON");
        let done = gateway.admin("/admin/v1/cache/purge", Some(what.clone())).await;
        assert_eq!(done.json(), json!({"purged": purged}), "{what}: {}", done.text);
        if purged == 1 {
            // The semantic level first: the exact one would answer an equal request before it.
            gateway.upstream.says("2");
        }
        let shouted = gateway.send(&chat("mini", &question.to_uppercase()), &headers).await;
        assert_eq!(shouted.content(), if purged == 1 { "2" } else { "1" }, "{what}");
        let other = [("x-api-key", "sg-alpha"), ("cache-control", "no-store")];
        let exact = gateway.send(&chat("mini", question), &other).await;
        let level = exact.header("cache-status");
        assert!(
            level.ends_with(if purged == 1 { "detail=semantic" } else { "detail=exact" }),
            "{level}"
        );
        gateway.finish().await;
    }
}

#[tokio::test]
async fn a_purge_that_is_not_one_thing_is_refused() {
    let gateway = TestGateway::start().await;
    for (what, param) in [
        (json!({}), json!(null)),
        (json!({"all": true, "tenant": "x"}), json!(null)),
        (json!({"all": false}), json!("all")),
        (json!({"model": "no-such"}), json!("model")),
        (json!({"model": 7}), json!("model")),
        (json!({"older_than": "soon"}), json!("older_than")),
        (json!({"key": "no-such"}), json!("key")),
        (json!({"tag": "feature"}), json!("tag")),
        (json!({"colour": "red"}), json!("colour")),
    ] {
        let refused = gateway.admin("/admin/v1/cache/purge", Some(what.clone())).await;
        assert_eq!(refused.status, 400, "{what}: {}", refused.text);
        assert_eq!(refused.json()["error"]["param"], param, "{what}");
    }
    gateway.finish().await;
}
