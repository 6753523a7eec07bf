//! The router's measurement on a small recorded set. Needs the recorded data and the embedding
//! model; passes with a note without.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use semgate::config::settings;
use semgate::embed::{Embedder, files};
use semgate::route::Heads;
use semgate::route::eval::traffic::Traffic;
use semgate::route::eval::unknown::Unknown;
use semgate::route::eval::{labelled, promise};
use semgate::route::recorded::vectors::{Shelf, embed};
use semgate::route::recorded::{Corpus, read};

const SET: &str = "routellm_gsm8k";

#[expect(clippy::disallowed_methods, reason = "a test finds its data by the environment")]
fn folder(variable: &str, default: &str) -> PathBuf {
    std::env::var(variable).map_or_else(|_| default.into(), PathBuf::from)
}

/// GSM8K with its vectors, and the shipped heads; `None` where data or model are not at hand.
fn gsm8k() -> Option<(Corpus, Heads)> {
    let (data, models) =
        (folder("SEMGATE_DATA", "../shared/data"), folder("SEMGATE_MODELS", "models"));
    let rows = read(&data).ok().filter(|_| files::is_present(&models));
    let Some(mut rows) = rows else {
        let (data, models) = (data.display(), models.display());
        _ = writeln!(
            std::io::stderr(),
            "skipped: no outcomes in {data}, or no weights in {models}"
        );
        return None;
    };
    rows.retain(|row| row.set == SET);
    let settings = settings::Embedder {
        model: files::DEFAULT.to_owned(),
        threads: 2,
        max_tokens: 256,
        queue: 64,
        timeout: Duration::from_secs(60),
    };
    let embedder = Embedder::start(&settings, &models).expect("the weights are there");
    let heads = Heads::shipped(embedder.identity()).expect("the shipped heads fit");
    let shelf = Shelf::below(Path::new(env!("CARGO_TARGET_TMPDIR")), &embedder, 256);
    let texts: Vec<&str> = rows.iter().map(|row| &*row.prompt).collect();
    let vectors = embed(&texts, &embedder, &shelf, |_, _| {}).expect("short texts").vectors;
    Some((Corpus::new(rows, vectors), heads))
}

#[test]
fn labels_rank_better_than_chance_and_a_promise_is_kept() {
    let Some((corpus, heads)) = gsm8k() else { return };
    // The shipped score and basis know this set: enough to see that nothing broke.
    let unknown = Unknown { cold: heads.file().cold.clone(), basis: Some(heads.basis().clone()) };
    let traffic = Traffic::of(&corpus, SET, &unknown).expect("rows with two tiers");
    let learnt = labelled::measure(&traffic, None, 1).expect("a gap");
    assert!(learnt.apgr > 0.55 && learnt.length > 0.55, "{learnt:?}");
    assert!(learnt.ci[0] < learnt.apgr && learnt.apgr < learnt.ci[1], "{learnt:?}");
    assert_eq!(labelled::measure(&traffic, None, 1), Some(learnt), "figures are seeded");
    let promises = promise::measure(&[(SET, traffic)], 6);
    assert_eq!(promises.len(), 2);
    for promise in &promises {
        assert!(promise.held >= 0.5, "{promise:?}");
        assert!(promise.saving > 0.0 && promise.saving_share < 1.0, "{promise:?}");
    }
    assert!(promises[1].saving > promises[0].saving, "more may be lost, more is saved");
}
