//! Pairs of prompts in languages other than English, one change apart and with another answer, and
//! paraphrases: no different pair may be served, whatever its similarity.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::config::settings;
use crate::embed::{Embedder, files};

#[derive(serde::Deserialize)]
struct Pair {
    /// What differs; `none` for two ways to ask the same.
    change: String,
    a: String,
    b: String,
}

fn pairs() -> Vec<Pair> {
    let files = [
        include_str!("../../../tests/fixtures/languages/chinese.jsonl"),
        include_str!("../../../tests/fixtures/languages/french.jsonl"),
        include_str!("../../../tests/fixtures/languages/german.jsonl"),
        include_str!("../../../tests/fixtures/languages/italian.jsonl"),
        include_str!("../../../tests/fixtures/languages/spanish.jsonl"),
    ];
    let lines = files.iter().flat_map(|file| file.lines());
    lines.map(|line| serde_json::from_str(line).expect("a pair")).collect()
}

/// Whether any score could have one of them served with the other's answer.
fn may_be_served(a: &str, b: &str) -> bool {
    let (a, b) = (Profile::of(a), Profile::of(b));
    guards::veto(&a, &b).is_none()
}

#[test]
fn nothing_different_is_served_at_full_similarity() {
    let pairs = pairs();
    let different: Vec<&Pair> = pairs.iter().filter(|pair| pair.change != "none").collect();
    assert_eq!(different.len(), 200);
    let wrong: Vec<(&str, &str)> = different
        .iter()
        .map(|pair| (pair.a.as_str(), pair.b.as_str()))
        .filter(|(a, b)| may_be_served(a, b) || may_be_served(b, a))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn paraphrases_that_say_the_same_words_may_be_served() {
    let pairs = pairs();
    let same: Vec<&Pair> = pairs.iter().filter(|pair| pair.change == "none").collect();
    let served = same.iter().filter(|pair| may_be_served(&pair.a, &pair.b)).count();
    assert_eq!(same.len(), 50);
    assert_eq!(served, SERVED, "it moves with a review only");
}

/// Of fifty paraphrases. The others word the question anew, which an English embedder and a list of
/// common words cannot judge.
const SERVED: usize = 30;

#[test]
fn every_text_of_the_pairs_is_read() {
    for Pair { a, b, .. } in pairs() {
        for text in [a, b] {
            assert_eq!(Profile::of(&text).tongue(), Tongue::Listed, "{text}");
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "a test that is skipped or measures says so")]
fn nothing_different_is_served_with_the_real_embedder() {
    #[expect(clippy::disallowed_methods, reason = "a test is an edge")]
    let folder = std::env::var("SEMGATE_MODELS").map_or_else(|_| "models".into(), PathBuf::from);
    if !files::is_present(&folder) {
        println!("SKIPPED: no weights in {}", folder.display());
        return;
    }
    let wanted = settings::Embedder {
        model: files::DEFAULT.to_owned(),
        threads: 1,
        max_tokens: 256,
        queue: 64,
        timeout: Duration::from_secs(60),
    };
    let embedder = Embedder::start(&wanted, &folder).expect("the weights are there");
    let pairs = pairs();
    let vectors = |texts: Vec<String>| -> Vec<_> {
        let embedded = embedder.embed_blocking(&texts);
        embedded.into_iter().map(|one| one.expect("a short text has a vector").vector).collect()
    };
    let stored = vectors(pairs.iter().map(|pair| pair.a.clone()).collect());
    let asked = vectors(pairs.iter().map(|pair| pair.b.clone()).collect());
    let (mut close, mut near_enough) = (0, 0);
    for (place, (pair, query)) in pairs.iter().zip(&asked).enumerate() {
        let cosine = |other: usize| -> f32 {
            let products = query.iter().zip(stored[other].iter());
            products.map(|(a, b)| a * b).sum()
        };
        // Every stored question is a candidate, not the pair's own alone.
        let mut near: Vec<(usize, f32)> = (0..pairs.len()).map(|at| (at, cosine(at))).collect();
        near.sort_by(|a, b| b.1.total_cmp(&a.1));
        near.truncate(24);
        let is_same = pair.change == "none";
        close += usize::from(!is_same && cosine(place) >= 0.9);
        for (found, similarity) in near.into_iter().filter(|(_, similarity)| *similarity >= 0.5) {
            if may_be_served(&pair.b, &pairs[found].a) {
                let is_right = is_same && pairs[found].a == pair.a;
                assert!(is_right, "{} could get the answer to {}", pair.b, pairs[found].a);
                near_enough += usize::from(found == place && similarity >= 0.9);
            }
        }
    }
    println!(
        "different pairs at cosine 0.9 or more: {close} of 200; paraphrases that may be served there: {near_enough} of 50"
    );
    assert!(close > 50, "the pairs must be near misses for this embedder");
}
