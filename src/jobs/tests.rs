//! Jobs over real sockets, with a scripted upstream.

use std::sync::Arc;

use tokio::sync::{Notify, oneshot, watch};

use super::*;
use crate::dispatch::tests::fixtures::{TIMEOUTS, model, order, planned, provider, settings};
use crate::dispatch::tests::upstream::*;
use crate::record::spend::By;

struct Bench {
    upstream: Upstream,
    jobs: Jobs,
    recorder: Arc<Recorder>,
    target: Planned,
    cut: watch::Sender<bool>,
}

/// An upstream that plays `scripts`, and a model at 1 pico-dollar a token, 2 for output.
async fn bench(scripts: Vec<Vec<Act>>) -> Bench {
    let upstream = Upstream::play(scripts).await;
    let provider = provider("p", upstream.base_url.clone(), &["sk-good"], TIMEOUTS);
    let models = [model(&provider, "m1", 1)];
    let settings = settings(&models);
    let recorder = Arc::new(Recorder::new(&settings).unwrap());
    let dispatcher = Arc::new(Dispatcher::new(Arc::new(settings)).unwrap());
    let (cut, cutting) = watch::channel(false);
    let jobs = Jobs::new(dispatcher, recorder.clone(), cutting);
    Bench { upstream, jobs, recorder, target: planned(&models[0], Some("small")), cut }
}

impl Bench {
    fn request(&self, what: What, stream: bool) -> Ask {
        Ask {
            what,
            request: order(&[], stream).request,
            targets: vec![self.target.clone()],
            keep_order: false,
            forward: Vec::new(),
            tenant: "acme".into(),
            max_answer: 100_000,
        }
    }

    /// Asks and waits for what comes of it; `None`: the job was given up.
    async fn ask(&self, what: What, stream: bool) -> Option<Result<Finished, NoAnswer>> {
        let (tell, told) = oneshot::channel();
        assert!(self.jobs.ask(self.request(what, stream), |answer| drop(tell.send(answer))));
        told.await.ok()
    }

    fn count(&self, what: &str, outcome: &str) -> u64 {
        self.recorder.metrics.jobs.with_label_values(&[what, outcome]).get()
    }
}

#[tokio::test]
async fn an_answer_comes_whole_and_is_booked_as_our_own_spend() {
    let stream = events(&[ROLE, HELLO, STOP, DONE]);
    let bench = bench(vec![reply(200, "", ANSWER), stream]).await;
    let whole = bench.ask(What::Refresh, false).await.unwrap().unwrap();
    assert_eq!(whole.body, ANSWER);
    assert_eq!(whole.cost, Some(Money::from_pico(11)));
    assert_eq!(&*whole.planned.model.id, "m1");
    let folded = bench.ask(What::Shadow, true).await.unwrap().unwrap();
    let text: serde_json::Value = serde_json::from_slice(&folded.body).unwrap();
    assert_eq!(text["choices"][0]["message"]["content"], "Hello");
    assert_eq!((bench.count("refresh", "done"), bench.count("shadow", "done")), (1, 1));
    let row = &bench.recorder.spend.table(By::Tenant)[0];
    let spent = (whole.cost.unwrap() + folded.cost.unwrap()).usd();
    assert_eq!((row.name.as_str(), row.requests), ("acme", 0));
    assert_eq!((row.cost_usd, row.own_spend_usd, row.saved_usd), (spent, spent, -spent));
    let metrics = bench.recorder.metrics.text();
    let refresh = r#"semgate_own_spend_usd_total{by="refresh"} 0.000000000011"#;
    assert!(metrics.contains(refresh), "{metrics}");
    assert!(metrics.contains("semgate_saved_usd -"), "the savings are net of it");
}

#[tokio::test]
async fn failures_are_told_and_broken_streams_are_no_answer() {
    let broken = events(&[ROLE, HELLO]);
    let unterminated = events(&[ROLE, HELLO, STOP]);
    let bench = bench(vec![broken, unterminated, reply(400, "", "{}")]).await;
    for stream in [true, true] {
        assert!(matches!(bench.ask(What::Refresh, stream).await, Some(Err(NoAnswer::Cut))));
    }
    let refused = bench.ask(What::Refresh, false).await;
    assert!(matches!(refused, Some(Err(NoAnswer::Failed(GatewayError::Refused { .. })))));
    assert_eq!(bench.count("refresh", "failed"), 3);
}

#[tokio::test]
async fn a_panic_in_the_use_of_an_answer_harms_nobody() {
    let bench = bench(vec![reply(200, "", ANSWER)]).await;
    let ended = Arc::new(Notify::new());
    let tell = ended.clone();
    bench.jobs.ask(bench.request(What::Judge, false), move |_| {
        struct Tell(Arc<Notify>);
        impl Drop for Tell {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }
        let _tell = Tell(tell);
        panic!("on purpose");
    });
    ended.notified().await;
    assert!(bench.ask(What::Judge, false).await.unwrap().is_ok());
    assert_eq!(bench.count("judge", "done"), 2);
}

#[tokio::test]
async fn few_run_at_a_time_and_a_full_queue_skips() {
    let go = Arc::new(Notify::new());
    let held = vec![Act::Wait(go.clone()), reply(200, "", ANSWER).remove(0)];
    let mut bench = bench(vec![held]).await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for taken in 0..MAX_JOBS {
        let tell = tell.clone();
        if taken == MAX_JUDGING {
            assert!(!bench.jobs.ask(bench.request(What::Judge, false), |_| {}));
            assert_eq!(bench.count("judge", "skipped"), 1, "room is left for what callers need");
        }
        assert!(bench.jobs.ask(bench.request(What::Shadow, false), move |answer| {
            _ = tell.send(answer.is_ok());
        }));
    }
    assert!(!bench.jobs.ask(bench.request(What::Shadow, false), |_| {}));
    assert_eq!(bench.count("shadow", "skipped"), 1);
    for _ in 0..MAX_RUNNING {
        bench.upstream.arrived().await;
    }
    assert_eq!(bench.upstream.calls(), MAX_RUNNING);
    assert_eq!(bench.jobs.open(), MAX_JOBS);

    // Shutdown: what has not begun is dropped, what has begun may end.
    bench.jobs.close();
    assert!(!bench.jobs.ask(bench.request(What::Shadow, false), |_| {}));
    for _ in 0..MAX_RUNNING {
        go.notify_one();
        assert_eq!(told.recv().await, Some(true));
    }
    drop(tell);
    assert_eq!(told.recv().await, None, "the others ended without a word");
    assert_eq!(bench.count("shadow", "done"), MAX_RUNNING as u64);
    assert_eq!(bench.count("shadow", "dropped"), (MAX_JOBS - MAX_RUNNING) as u64);
    assert_eq!(bench.upstream.calls(), MAX_RUNNING);
}

#[tokio::test]
async fn judges_that_hang_hold_up_no_renewal() {
    let mut bench = bench(vec![vec![Act::Stall]]).await;
    for _ in 0..=MAX_RUNNING {
        assert!(bench.jobs.ask(bench.request(What::Judge, false), |_| {}));
    }
    for _ in 0..MAX_RUNNING_JUDGES {
        bench.upstream.arrived().await;
    }
    assert_eq!(bench.upstream.calls(), MAX_RUNNING_JUDGES);
    assert!(bench.jobs.ask(bench.request(What::Refresh, false), |_| {}));
    bench.upstream.arrived().await;
    assert_eq!(bench.upstream.calls(), MAX_RUNNING_JUDGES + 1);
    bench.jobs.close();
    assert!(!bench.jobs.ask(bench.request(What::Judge, false), |_| {}));
}

#[tokio::test]
async fn the_cut_ends_what_runs() {
    let mut bench = bench(vec![vec![Act::Stall]]).await;
    let (tell, told) = oneshot::channel::<()>();
    bench.jobs.ask(bench.request(What::Refresh, false), move |_| _ = tell.send(()));
    bench.upstream.arrived().await;
    bench.cut.send_replace(true);
    assert!(told.await.is_err(), "given up without a word");
    bench.upstream.saw_close().await;
    assert_eq!(bench.count("refresh", "dropped"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_has_its_own_time() {
    let bench = bench(vec![vec![Act::Stall]]).await;
    let began = tokio::time::Instant::now();
    assert!(bench.ask(What::Refresh, false).await.unwrap().is_err());
    assert!(began.elapsed() >= TOTAL && began.elapsed() < 2 * TOTAL, "{:?}", began.elapsed());
}
