//! Benches and credentials over paused time.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::dispatch::tests::fixtures::{TIMEOUTS, model, provider, settings};
use crate::now::Now;

fn setup(keys: &[&str], ids: &[&str]) -> (Arc<Health>, Vec<Arc<Model>>) {
    let provider = provider("p", "http://localhost/v1".into(), keys, TIMEOUTS);
    let models: Vec<Arc<Model>> = ids.iter().map(|id| model(&provider, id, 1)).collect();
    (Arc::new(Health::new(&settings(&models))), models)
}

fn now() -> Instant {
    Now::read().mono
}

#[test]
fn credentials_take_turns() {
    let (health, models) = setup(&["a", "b", "c"], &["m"]);
    let mut used = Vec::new();
    for _ in 0..6 {
        let mut permit = health.admit(&models[0], now()).unwrap();
        used.push(permit.credential());
        permit.alive();
    }
    assert_eq!(used, [0, 1, 2, 0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_rested_credential_returns_to_the_second() {
    let (health, models) = setup(&["a", "b"], &["m"]);
    let rest = Duration::from_secs(600);
    for _ in 0..2 {
        let mut permit = health.admit(&models[0], now()).unwrap();
        permit.bench(BenchReason::Credential, now() + rest);
        tokio::time::advance(Duration::from_secs(10)).await;
    }
    assert!(health.admit(&models[0], now()).is_none());
    assert_eq!(
        health.view(&models[0], now()).standing,
        Standing::Benched { wait: rest - Duration::from_secs(20), why: BenchReason::Credential },
        "the first to return"
    );
    tokio::time::advance(rest - Duration::from_secs(20)).await;
    for _ in 0..3 {
        let mut permit = health.admit(&models[0], now()).unwrap();
        assert_eq!(permit.credential(), 0, "the other one still rests");
        permit.alive();
    }
}

#[test]
fn a_bench_is_of_one_model_and_a_shorter_one_does_not_shorten_it() {
    let (health, models) = setup(&["a"], &["m", "n"]);
    let start = now();
    let mut first = health.admit(&models[0], start).unwrap();
    let mut second = health.admit(&models[0], start).unwrap();
    first.bench(BenchReason::Quota, start + Duration::from_secs(900));
    second.bench(BenchReason::RateLimit, start + Duration::from_secs(1));
    let Standing::Benched { wait, why } = health.view(&models[0], start).standing else {
        panic!("benched")
    };
    assert_eq!((wait, why), (Duration::from_secs(900), BenchReason::Quota));
    assert_eq!(health.view(&models[1], start), View::UNKNOWN, "the next model is not judged");
}

#[tokio::test(start_paused = true)]
async fn one_probe_at_a_time_and_a_lost_one_frees_its_place() {
    let (health, models) = setup(&[], &["m"]);
    for _ in 0..7 {
        health.admit(&models[0], now()).unwrap().failed(now(), 0.0);
    }
    assert!(health.admit(&models[0], now()).is_none());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(health.view(&models[0], now()).standing, Standing::Ready);
    let probe = health.admit(&models[0], now()).unwrap();
    assert!(health.admit(&models[0], now()).is_none());
    assert_eq!(health.list_one("p/m").breaker, "half_open");
    drop(probe);
    let mut probe = health.admit(&models[0], now()).unwrap();
    probe.began(Duration::from_millis(7), now());
    let seen = health.seen(&models[0], true, now());
    assert_eq!((seen.ready, seen.ms), (true, Some(7.0)), "known at the first content");
    let mut other = health.admit(&models[0], now()).expect("open to all at the first content");
    other.answered(Took::FirstContent(Duration::from_millis(5)), now());
    drop(probe);
    assert_eq!(health.list_one("p/m").breaker, "closed");
}

#[test]
fn invented_targets_do_not_fill_the_memory() {
    let (health, models) = setup(&["a"], &["m"]);
    let start = now();
    for number in 0..3 * ADHOC_LIMIT {
        let invented = model(&models[0].provider, &format!("x{number}"), 1);
        let mut permit = health.admit(&invented, start).unwrap();
        if number % 2 == 0 {
            permit.failed(start, 0.0);
        }
    }
    assert!(health.lock().len() <= ADHOC_LIMIT);
    assert!(health.lock().contains_key("p/m"), "configured ones stay");
}

#[test]
fn latencies_are_kept_by_kind_of_request() {
    let (health, models) = setup(&[], &["m"]);
    let start = now();
    for _ in 0..8 {
        let mut permit = health.admit(&models[0], start).unwrap();
        permit.answered(Took::FirstContent(Duration::from_millis(40)), start);
    }
    let view = health.view(&models[0], start);
    assert!(view.first_content_ms.is_some_and(|ms| (ms - 40.0).abs() < 1e-6));
    assert_eq!(view.answer_ms, None);
}

impl Health {
    fn list_one(&self, label: &str) -> TargetHealth {
        let targets = self.lock();
        targets[label].report(label.to_owned(), now())
    }
}
