//! The embedder as a whole, on the real weights where they are to be had.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::config::settings;

fn settings(threads: usize) -> settings::Embedder {
    settings::Embedder {
        model: files::DEFAULT.to_owned(),
        threads,
        max_tokens: 256,
        queue: 64,
        timeout: Duration::from_secs(60),
    }
}

/// The embedder on the real weights; without them, says so and gives `None`.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn with_weights(threads: usize) -> Option<Embedder> {
    #[expect(clippy::disallowed_methods, reason = "a test is an edge")]
    let folder = std::env::var("SEMGATE_MODELS").map_or_else(|_| "models".into(), PathBuf::from);
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

#[tokio::test]
async fn likes_are_nearer_than_unlikes() {
    let Some(embedder) = with_weights(1) else { return };
    let a = embedder.embed("How do I reset my password?").await.unwrap().vector;
    let b = embedder.embed("I forgot my password, how can I change it?").await.unwrap().vector;
    let c = embedder.embed("What is the capital of Peru?").await.unwrap().vector;
    assert!(cosine(&a, &b) > 0.7 && cosine(&a, &c) < 0.2, "{} {}", cosine(&a, &b), cosine(&a, &c));
}
