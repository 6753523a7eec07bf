//! What was learnt, across restarts, take-overs and a file that is begun anew.

use super::*;
use crate::cache::feedback::{Feedback, Label, Served};

/// Teaches the mind of `a` by so many answers.
fn taught(cache: &Cache, answers: usize, now: Now) {
    for place in 0..answers {
        let prompt = format!("question {place}");
        cache.admit(entry(&format!("{place}"), "a", &prompt, 0.0, now));
        _ = semantic(cache, "a", &prompt, 0.0, now);
    }
}

fn looked(cache: &Cache) -> Vec<usize> {
    cache.minds().standings().iter().map(|standing| standing.lookups as usize).collect()
}

#[test]
fn what_was_learnt_is_taken_over_where_the_file_knows_more() {
    let now = Now::read();
    for (here, expected) in [(1, 5), (7, 7)] {
        let folder = folder();
        let first = warm(folder.path());
        taught(&first, 5, now);
        // Another process has the file; this one begins without.
        let second = of(&settings(), folder.path());
        taught(&second, here, now);
        second.close();
        drop(second);
        let second = of(&settings(), folder.path());
        taught(&second, here, now);
        drop(first);
        let keeper = second.holdings.keeper.get().expect("asked for");
        while keeper.store().opened() == 0 {
            std::thread::yield_now();
        }
        second.flush();
        assert_eq!(looked(&second), [expected]);
        // It is written down again, though nothing has happened since.
        drop(second);
        assert_eq!(looked(&warm(folder.path())), [expected]);
    }
}

#[test]
fn what_was_learnt_is_written_into_a_file_that_is_begun_anew() {
    let (folder, now) = (folder(), Now::read());
    let cache = warm(folder.path());
    taught(&cache, 3, now);
    let pair = Pair::of(&keyed("a", "1").exact, &keyed("a", "2").exact);
    cache.negatives.keep(pair);
    let keeper = cache.holdings.keeper.get().expect("it has a file");
    keeper.shared.note_minds();
    keeper.store().report(Fault::Damaged("somebody spoilt it".into()));
    assert!(keeper.store().flush(Duration::from_secs(30)));
    let learnt = || {
        let reader = keeper.store().reader().expect("open");
        (reader.states().expect("readable").len(), reader.pairs().expect("readable").len())
    };
    while learnt() != (2, 1) {
        std::thread::yield_now();
    }
}

#[test]
fn questions_kept_apart_are_kept_apart_after_a_restart() {
    let (folder, now) = (folder(), Now::read());
    let cache = warm(folder.path());
    let pair = Pair::of(&keyed("a", "one way").exact, &keyed("a", "another way").exact);
    let served = Served {
        entry: "e".into(),
        level: Level::Semantic,
        pair: Some(pair),
        evidence: None,
        lookup: None,
    };
    let bad = Feedback {
        request: "r".into(),
        tenant: "a".into(),
        route: "auto".into(),
        label: Label::Bad,
        served: Some(Arc::new(served)),
    };
    cache.admit(entry("e", "a", "one way", 0.0, now));
    cache.feedback(&bad, now);
    // As a process that is killed leaves it: nothing is closed.
    assert!(in_file(&cache).is_empty());
    let store = cache.store().expect("it has a file");
    assert_eq!(store.reader().and_then(|reader| reader.pairs()), Ok(vec![pair]));
    drop(cache);
    assert_eq!(warm(folder.path()).pairs_apart(), 1);
}
