//! Deadlines, retry budget, reload.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::fixtures::*;
use super::upstream::*;
use crate::config::settings::Timeouts;
use crate::error::GatewayError;

#[tokio::test]
async fn the_deadline_ends_it_without_blaming_the_target() {
    for stream in [true, false] {
        let mut up = Upstream::play(vec![vec![Act::Stall]]).await;
        let p = provider("p", up.base_url.clone(), &[], TIMEOUTS);
        let models = [model(&p, "m1", 1)];
        let dispatcher = dispatcher(&models);
        let mut order = order(&models, stream);
        order.total = Duration::from_millis(50);
        order.deadline = Instant::now() + order.total;
        let log = order.log.clone();
        let error = dispatcher.dispatch(order).await.unwrap_err();
        let GatewayError::Timeout { after } = error else { panic!("{error:?}") };
        assert_eq!(after, Duration::from_millis(50));
        assert_eq!(log.snapshot()[0].error, Some("timeout"));
        up.saw_close().await;
        assert_eq!(dispatcher.targets()[0].consecutive_failures, 0, "the caller was in a hurry");
    }
}

#[tokio::test]
async fn the_configured_total_blames_the_target() {
    let total = Duration::from_millis(50);
    let up = Upstream::play(vec![vec![Act::Stall]]).await;
    let p = provider("p", up.base_url.clone(), &[], Timeouts { total, ..TIMEOUTS });
    let models = [model(&p, "m1", 1)];
    let dispatcher = dispatcher(&models);
    let mut order = order(&models, false);
    (order.total, order.deadline) = (total, Instant::now() + total);
    dispatcher.dispatch(order).await.unwrap_err();
    assert_eq!(dispatcher.targets()[0].consecutive_failures, 1);
}

#[tokio::test]
async fn a_time_that_is_up_makes_no_call() {
    let up = Upstream::play(vec![reply(200, "", ANSWER)]).await;
    let p = provider("p", up.base_url.clone(), &[], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let mut order = order(&models, false);
    order.deadline = Instant::now();
    let error = dispatcher(&models).dispatch(order).await.unwrap_err();
    assert!(matches!(error, GatewayError::Timeout { .. }));
    assert_eq!(up.calls(), 0);
}

/// Every other request fails, so that the circuit stays closed: the budget alone limits repeats.
#[tokio::test]
async fn repeats_stay_within_the_budget() {
    let script = [reply(409, "", ""), reply(409, "", ""), reply(409, "", "")];
    let up = Upstream::play(script.to_vec()).await;
    let two = Upstream::play(vec![reply(200, "", ANSWER)]).await;
    let p = provider("p", up.base_url.clone(), &[], TIMEOUTS);
    let models: Vec<_> = ["m1", "m2", "m3"].iter().map(|id| model(&p, id, 1)).collect();
    let dispatcher = dispatcher(&models);
    for _ in 0..200 {
        dispatcher.dispatch(order(&models, false)).await.unwrap_err();
    }
    assert_eq!(up.calls(), 200 + 40 + 100, "a fifth, and the floor of ten seconds");
    let q = provider("q", two.base_url.clone(), &[], TIMEOUTS);
    let elsewhere = [models[0].clone(), model(&q, "m9", 9)];
    for _ in 0..200 {
        dispatcher.dispatch(order(&elsewhere, false)).await.unwrap();
    }
    assert_eq!(two.calls(), 200, "failing over to another provider is no repeat");
}

#[tokio::test]
async fn a_reload_keeps_the_health_of_what_stayed() {
    let up = Upstream::play(vec![reply(401, "", "{}")]).await;
    let p = provider("p", up.base_url.clone(), &["sk-bad"], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let dispatcher = dispatcher(&models);
    dispatcher.dispatch(order(&models, false)).await.unwrap_err();
    assert!(!dispatcher.targets()[0].healthy);
    let more = [models[0].clone(), model(&p, "m2", 1)];
    dispatcher.reload(Arc::new(settings(&more))).unwrap();
    let healthy: Vec<bool> = dispatcher.targets().iter().map(|target| target.healthy).collect();
    assert_eq!(healthy, [false, true]);
    let renewed = provider("p", up.base_url.clone(), &["sk-new"], TIMEOUTS);
    dispatcher.reload(Arc::new(settings(&[model(&renewed, "m1", 1)]))).unwrap();
    let health = dispatcher.targets();
    assert_eq!(health.len(), 1);
    assert!(health[0].healthy, "a new credential starts well");
}

#[tokio::test]
async fn health_is_told_in_json() {
    let p = provider("p", "http://127.0.0.1:9/v1".into(), &["sk-secret"], TIMEOUTS);
    let models = [model(&p, "m1", 1)];
    let value = serde_json::to_value(dispatcher(&models).targets()).unwrap();
    assert_eq!(
        value,
        serde_json::json!([{
            "target": "p/m1", "model": "m1", "provider": "p", "region": "eu", "healthy": true,
            "breaker": "closed", "available_in_seconds": null, "bench_reason": null,
            "credentials": 1, "credentials_benched": 0, "consecutive_failures": 0,
            "first_content_ms": null, "answer_ms": null, "successes": 0, "failures": 0,
        }])
    );
}
