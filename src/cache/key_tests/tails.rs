//! Texts that are equal as far as an embedder reads and differ behind: their vectors are the same, so
//! that nothing but the key and the verifier tells them apart.

use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::*;
use crate::cache::verify::{Profile, guard};

const PAIRS: usize = 10_000;

#[test]
fn ten_thousand_pairs_with_different_tails_share_nothing() {
    let mut random = rand::rngs::SmallRng::seed_from_u64(4);
    let words =
        ["the", "old", "hall", "meets", "a", "committee", "and", "reads", "minutes", "of", "today"];
    let settings = {
        let mut settings = cache_settings();
        settings.ttl.volatile = Duration::from_secs(60);
        settings
    };
    for pair in 0..PAIRS {
        let length = if pair % 2 == 0 { 256 } else { 512 };
        let mut start = String::new();
        for _ in 0..length {
            start.push_str(words[random.random_range(0..words.len())]);
            start.push(' ');
        }
        let tail = random.random_range(1..words.len());
        let texts = [words[tail], words[tail - 1]].map(|tail| format!("{start} minute {tail}"));
        let [one, other] = texts.each_ref().map(|text| {
            let body = json!({"model": "auto", "messages": [{"role": "user", "content": text}]});
            key_with(&body.to_string(), &settings).exact
        });
        assert_ne!(one, other);
        if pair % 20 > 1 {
            continue;
        }
        let [one, other] = texts.map(|text| Profile::of(&text));
        assert!(!one.is_repeat_of(&other));
        // The shorter ones have no vector: see `truncated` of an embedding. The longer ones are
        // vetoed at any similarity as well.
        assert!(length < 512 || guard(&one, &other).is_some());
    }
}
