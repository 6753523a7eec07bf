//! The embedder as a whole, on the real weights where they are to be had.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::config::settings;
use futures_util::FutureExt;

fn settings(threads: usize) -> settings::Embedder {
    settings::Embedder {
        model: files::DEFAULT.to_owned(),
        threads,
        max_tokens: 256,
        queue: 64,
        timeout: Duration::from_secs(60),
    }
}

/// The models folder of a checkout.
#[expect(clippy::disallowed_methods, reason = "a test is an edge")]
fn models() -> PathBuf {
    std::env::var("SEMGATE_MODELS").map_or_else(|_| "models".into(), PathBuf::from)
}

/// The embedder on the real weights; without them, says so and gives `None`.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn with_weights(threads: usize) -> Option<Embedder> {
    let folder = models();
    if !files::is_present(&folder) {
        println!(
            "SKIPPED: no weights in {}; scripts/fetch-model.sh obtains them",
            folder.display()
        );
        return None;
    }
    Some(Embedder::start(&settings(threads), &folder).expect("the weights are there"))
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A reference vector: see scripts/make-reference-vectors.py.
#[derive(serde::Deserialize)]
struct Case {
    text: String,
    tokens: usize,
    truncated: bool,
    millionths: Vec<i32>,
}

fn cases() -> Vec<Case> {
    let json = include_str!("../../tests/fixtures/embed/reference.json");
    serde_json::from_str(json).expect("the fixture parses")
}

fn axis(at: usize) -> Vec<f32> {
    let mut vector = vec![0.0; DIMENSIONS];
    vector[at] = 1.0;
    vector
}

fn worker(
    settings: &settings::Embedder,
    function: impl FnMut(&[&str]) -> Vec<Vec<f32>> + Send + 'static,
) -> Embedder {
    let engines = vec![engine::Engine::Function(Box::new(function))];
    Embedder::with_engines(settings, engines, "test".to_owned()).expect("a thread starts")
}

#[test]
fn the_reference_covers_the_window() {
    let cases = cases();
    assert!(cases.len() >= 60);
    for tokens in [2, 127, 128, 129, 255, 256] {
        assert!(cases.iter().any(|case| case.tokens == tokens && !case.truncated), "{tokens}");
    }
    assert!(cases.iter().any(|case| case.truncated));
}

#[tokio::test]
async fn vectors_equal_those_of_another_implementation() {
    let Some(embedder) = with_weights(1) else { return };
    for case in cases() {
        let ours = embedder.embed(&case.text).await.expect("a vector");
        let theirs: Vec<f32> = case.millionths.iter().map(|value| *value as f32 / 1e6).collect();
        let cosine = cosine(&ours.vector, &theirs);
        assert!(cosine > 0.9999, "{cosine} for {:?}", case.text);
        assert_eq!((ours.tokens, ours.truncated), (case.tokens, case.truncated), "{:?}", case.text);
    }
}

#[test]
fn batched_equals_single() {
    let Some(embedder) = with_weights(2) else { return };
    let texts: Vec<String> = cases().into_iter().map(|case| case.text).collect();
    let batched = embedder.embed_blocking(&texts);
    for (text, batched) in texts.iter().zip(batched) {
        let single = embedder.embed_blocking(std::slice::from_ref(text)).remove(0).unwrap();
        let batched = batched.unwrap();
        let cosine = cosine(&single.vector, &batched.vector);
        assert!(cosine > 0.99999, "{cosine} for {text:?}");
        assert_eq!(single.tokens, batched.tokens);
    }
    assert_eq!(embedder.queued(), 0);
}

#[tokio::test]
async fn what_follows_the_128th_token_matters() {
    let Some(embedder) = with_weights(1) else { return };
    let long = cases().into_iter().find(|case| case.tokens == 200).expect("a text of 200 tokens");
    let head = cases().into_iter().find(|case| case.tokens == 128).expect("a text of 128 tokens");
    assert!(long.text.starts_with(head.text.trim_end_matches(" x")), "the one heads the other");
    let long = embedder.embed(&long.text).await.unwrap();
    let head = embedder.embed(&head.text).await.unwrap();
    assert!(cosine(&long.vector, &head.vector) < 0.99);
}

#[tokio::test]
async fn a_text_beyond_the_window_gives_its_head_and_says_so() {
    let Some(embedder) = with_weights(1) else { return };
    let megabyte = "word ".repeat(200_000);
    let long = embedder.embed(&megabyte).await.unwrap();
    assert_eq!((long.tokens, long.truncated), (256, true));
    let head = embedder.embed(&megabyte[..254 * 5]).await.unwrap();
    assert_eq!((head.tokens, head.truncated), (256, false));
    assert!(cosine(&long.vector, &head.vector) > 0.99999);
}

#[test]
fn a_window_the_model_does_not_have_is_refused() {
    let Some(embedder) = with_weights(1) else { return };
    assert_eq!(embedder.identity(), "all-MiniLM-L6-v2@53aa51172d14");
    for max_tokens in [2, 513] {
        let settings = settings::Embedder { max_tokens, ..settings(1) };
        let error = Embedder::start(&settings, &models()).unwrap_err().to_string();
        assert_eq!(error, format!("embedder.max_tokens is {max_tokens}; the model takes 3 to 512"));
    }
}

#[test]
fn without_files_it_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let error = Embedder::start(&settings(1), folder.path()).unwrap_err();
    assert!(matches!(error, StartError::Files(files::ModelError::Missing { .. })), "{error}");
    let other = settings::Embedder { model: "other".to_owned(), ..settings(1) };
    let error = Embedder::start(&other, folder.path()).unwrap_err();
    assert!(matches!(error, StartError::Files(files::ModelError::Unknown { .. })), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_function_answers_at_once_under_a_paused_clock() {
    let settings = settings::Embedder { timeout: Duration::from_millis(1), ..settings(1) };
    let embedder = Embedder::from_fn(&settings, |texts| {
        texts.iter().map(|text| axis(text.len() % DIMENSIONS)).collect()
    });
    let given = embedder.embed("four").await.unwrap();
    assert_eq!(&*given.vector, axis(4));
    assert_eq!((given.tokens, given.truncated), (3, false));
    assert!(embedder.embed(&"w ".repeat(300)).await.unwrap().truncated);
    assert_eq!(embedder.embed_blocking(&["to".into(), String::new()]).len(), 2);
}

#[test]
fn blocking_keeps_the_order_of_its_texts() {
    let embedder =
        worker(&settings(1), |texts| texts.iter().map(|t| axis(t.len() % DIMENSIONS)).collect());
    let texts: Vec<String> = (0..200).map(|row| "x".repeat(row * 7 % 200)).collect();
    for (text, outcome) in texts.iter().zip(embedder.embed_blocking(&texts)) {
        assert_eq!(outcome.unwrap().vector[text.len()], 1.0);
    }
    assert!(embedder.embed_blocking(&[]).is_empty());
}

#[tokio::test]
async fn a_full_queue_refuses_and_callers_that_left_are_skipped() {
    let (seen, calls) = std::sync::mpsc::channel();
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let embedder = std::sync::Arc::new(worker(
        &settings::Embedder { queue: 1, ..settings(1) },
        move |texts| {
            seen.send(texts.join(" ")).unwrap();
            gate.recv().unwrap();
            vec![axis(0); texts.len()]
        },
    ));
    let ask = |text: &'static str| {
        let embedder = embedder.clone();
        async move { embedder.embed(text).await }
    };
    let mut first = std::pin::pin!(ask("first"));
    assert!((&mut first).now_or_never().is_none());
    assert_eq!(calls.recv().unwrap(), "first");
    // The worker is busy: one may wait, the next is refused, and a place left is a place free.
    let mut second = Box::pin(ask("second"));
    assert!((&mut second).now_or_never().is_none());
    assert_eq!(embedder.queued(), 1);
    assert_eq!(ask("third").await, Err(EmbedError::Queue));
    drop(second);
    let mut fourth = std::pin::pin!(ask("fourth"));
    assert!((&mut fourth).now_or_never().is_none());
    go.send(()).unwrap();
    go.send(()).unwrap();
    assert!(first.await.is_ok() && fourth.await.is_ok());
    assert_eq!(calls.try_recv().unwrap(), "fourth");
    assert!(calls.try_recv().is_err(), "the second caller had left");
}

#[tokio::test(start_paused = true)]
async fn a_late_vector_is_a_timeout_and_nobody_waits_for_it() {
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let embedder = worker(&settings(1), move |texts| {
        // An error says that the test is over.
        let _ = gate.recv();
        vec![axis(0); texts.len()]
    });
    assert_eq!(embedder.embed("slow").await, Err(EmbedError::Timeout));
    drop(go);
}

#[tokio::test]
async fn a_panic_is_a_fault_for_those_who_wait_and_the_worker_goes_on() {
    let embedder = worker(&settings(1), |texts| {
        assert!(!texts.contains(&"boom"), "a bug in the model");
        vec![axis(0); texts.len()]
    });
    assert_eq!(embedder.embed("boom").await, Err(EmbedError::Fault));
    assert!(embedder.embed("calm").await.is_ok());
}

#[test]
fn dropping_it_ends_its_threads() {
    struct Witness(std::sync::mpsc::Sender<()>);
    impl Drop for Witness {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
    let (sender, gone) = std::sync::mpsc::channel();
    let witness = Witness(sender);
    let embedder = worker(&settings(1), move |texts| {
        let _kept = &witness;
        vec![axis(0); texts.len()]
    });
    assert!(gone.try_recv().is_err());
    drop(embedder);
    assert!(gone.try_recv().is_ok(), "the engine is gone before drop returns");
}
