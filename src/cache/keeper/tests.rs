//! A cache that stops and starts again: what is there, what is gone for good.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::follow::SETTLED;
use super::*;
use crate::cache::memory::tests::{entry, exact, keyed, semantic, settings};
use crate::cache::store::{FILE, Fault, Kept};
use crate::cache::{Cache, Level, learn};
use crate::config::settings;

mod learnt;
mod measured;

const EMBEDDER: &str = "bag@1";
const MISS: &str = "miss None";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn of(settings: &settings::Cache, folder: &Path) -> Cache {
    let cache = Cache::new(settings).expect("a thread");
    cache.keep_in(folder, Some(EMBEDDER)).expect("a thread")
}

/// A cache that has read all that there was.
fn warm(folder: &Path) -> Cache {
    let cache = of(&settings(), folder);
    cache.flush();
    cache
}

fn filled(folder: &Path, now: Now) {
    let cache = warm(folder);
    for place in 0..200 {
        let scope = ["a", "b"][place % 2];
        cache.admit(entry(&format!("{place}"), scope, &format!("question {place}"), 0.0, now));
    }
    cache.close();
}

#[test]
fn a_restart_brings_both_levels_back() {
    let (folder, now) = (folder(), Now::read());
    filled(folder.path(), now);
    let cache = warm(folder.path());
    assert_eq!((cache.entries(Level::Exact), cache.entries(Level::Semantic)), (200, 200));
    assert_eq!(exact(&cache, "b", "question 7", now), "7");
    assert_eq!(semantic(&cache, "b", "Question 7!", 0.0, now), "7", "a near-literal repeat");
    assert_eq!(exact(&cache, "a", "question 7", now), MISS);
}

#[tokio::test]
async fn an_exact_key_is_found_before_everything_is_read() {
    let (folder, now) = (folder(), Now::read());
    filled(folder.path(), now);
    let cache = of(&settings(), folder.path());
    // Whichever comes first: the pass over all rows, or the answer to the question.
    for _ in 0..500 {
        if exact(&cache, "b", "question 199", now) == "199" {
            return;
        }
        cache.fetch(&keyed("b", "question 199")).await;
    }
    panic!("it was never found");
}

#[tokio::test]
async fn a_cache_that_is_warm_asks_the_file_for_nothing() {
    let (folder, now) = (folder(), Now::read());
    filled(folder.path(), now);
    let cache = warm(folder.path());
    assert!(!cache.fetch(&keyed("a", "never asked")).await);
    assert!(!Cache::synchronous(&settings()).fetch(&keyed("a", "q")).await);
}

#[test]
fn what_was_purged_stays_purged() {
    let now = Now::read();
    for is_warm in [true, false] {
        let folder = folder();
        filled(folder.path(), now);
        let cache = of(&settings(), folder.path());
        if is_warm {
            cache.flush();
        }
        // Half of it may have been read, and the rest be on its way.
        let purged = cache.purge(&Purge::Tenant("a".into()), now);
        assert_eq!(purged, Ok(100), "warm: {is_warm}");
        assert_eq!(exact(&cache, "a", "question 100", now), MISS);
        cache.flush();
        assert_eq!(cache.entries(Level::Exact), 100, "warm: {is_warm}");
        drop(cache);
        let cache = warm(folder.path());
        assert_eq!((cache.entries(Level::Exact), cache.entries(Level::Semantic)), (100, 100));
    }
}

#[test]
fn a_withdrawal_arrives_in_the_file() {
    let (folder, now) = (folder(), Now::read());
    filled(folder.path(), now);
    let cache = warm(folder.path());
    assert_eq!(cache.withdraw(&Purge::Entry("7".into()), now), 1);
    assert_eq!(exact(&cache, "b", "question 7", now), MISS);
    drop(cache);
    assert_eq!(warm(folder.path()).entries(Level::Exact), 199);
}

/// What the file would bring back if the process died now.
fn in_file(cache: &Cache) -> Vec<String> {
    let store = cache.store().expect("it has a file");
    assert!(store.flush(Duration::from_secs(30)));
    let names = store.reader().and_then(|reader| reader.names()).expect("readable");
    names.into_iter().map(|(_, id)| id).collect()
}

#[test]
fn what_is_retired_leaves_the_file_at_once_also_before_it_was_read() {
    let now = Now::read();
    for is_warm in [true, false] {
        let folder = folder();
        filled(folder.path(), now);
        let cache = of(&settings(), folder.path());
        if is_warm {
            cache.flush();
        }
        cache.holdings.retire(&[learn::number("7"), learn::number("199")]);
        assert_eq!(exact(&cache, "b", "question 7", now), MISS);
        cache.flush();
        assert_eq!((cache.entries(Level::Exact), cache.entries(Level::Semantic)), (198, 198));
        let names = in_file(&cache);
        assert_eq!(names.len(), 198, "warm: {is_warm}");
        assert!(!names.contains(&"7".to_owned()) && !names.contains(&"199".to_owned()));
    }
}

#[test]
fn a_superseded_answer_stays_superseded() {
    let now = Now::read();
    for is_warm in [true, false] {
        let folder = folder();
        filled(folder.path(), now);
        let cache = of(&settings(), folder.path());
        if is_warm {
            cache.flush();
        }
        cache.supersede("7");
        cache.supersede("199");
        cache.flush();
        assert_eq!((cache.entries(Level::Exact), cache.entries(Level::Semantic)), (200, 198));
        assert_eq!(
            exact(&cache, "b", "question 7", now),
            "7",
            "for its own words it is the answer"
        );
        drop(cache);
        let cache = warm(folder.path());
        assert_eq!((cache.entries(Level::Exact), cache.entries(Level::Semantic)), (200, 198));
        assert_eq!(exact(&cache, "b", "question 7", now), "7");
    }
}

#[test]
fn what_is_noted_for_a_file_that_never_comes_is_bounded() {
    let now = Now::read();
    let mut gate = Gate::default();
    let old = entry("old", "a", "question", 0.0, now);
    let new = entry("new", "a", "question", 0.0, now.after(Duration::from_secs(2)));
    (0..gate::MAX_NUMBERS as u64).for_each(|number| gate.retire(&[number], now));
    assert!(!gate.bars(&old));
    gate.supersede(0, now.after(Duration::from_secs(1)));
    assert!(gate.bars(&old), "nothing that may have been taken out comes back");
    assert!(!gate.bars(&new));
    (0..2000).for_each(|_| gate.purge(&Purge::Tenant("a".into()), now));
    assert!(gate.bars(&old) && !gate.bars(&new));
}

#[test]
fn what_expired_comes_back_as_long_as_it_may_be_served_late() {
    let (folder, now) = (folder(), Now::read());
    let mut lenient = settings();
    lenient.stale_if_error = Duration::from_secs(600);
    let cache = of(&lenient, folder.path());
    for (id, minutes) in [("fresh", 59), ("late", 69), ("too late", 71)] {
        let ago = Duration::from_secs(minutes * 60);
        let stored =
            Now { wall: now.wall - ago, mono: now.mono.checked_sub(ago).expect("a clock") };
        cache.admit(entry(id, "a", id, 0.0, stored));
    }
    drop(cache);
    for (settings, late) in [(&lenient, "Stale"), (&settings(), MISS)] {
        let cache = of(settings, folder.path());
        cache.flush();
        let found = ["fresh", "late", "too late"].map(|id| exact(&cache, "a", id, now));
        assert_eq!(found, ["fresh", late, MISS]);
        let left = 1 + usize::from(late != MISS);
        assert_eq!(in_file(&cache).len(), left, "the rest has left the file");
        let keeper = cache.holdings.keeper.get().expect("it has a file");
        keeper.shared.compare(now).expect("a file that works");
        assert_eq!(in_file(&cache).len(), left, "and what is left stays");
    }
}

#[test]
fn purges_among_admissions_leave_memory_and_file_alike() {
    let (folder, now) = (folder(), Now::read());
    let cache = warm(folder.path());
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for place in 0..400 {
                let prompt = format!("question {place}");
                cache.admit(entry(&format!("{place}"), "a", &prompt, 0.0, now));
            }
        });
        for _ in 0..20 {
            cache.purge(&Purge::Tenant("a".into()), now).expect("a file that works");
        }
    });
    cache.flush();
    let left = |cache: &Cache| -> Vec<usize> {
        let is_there = |place: &usize| exact(cache, "a", &format!("question {place}"), now) != MISS;
        (0..400).filter(is_there).collect()
    };
    let in_memory = left(&cache);
    drop(cache);
    assert_eq!(left(&warm(folder.path())), in_memory);
}

#[test]
fn a_newer_answer_in_memory_is_not_replaced_by_the_files() {
    let (folder, now) = (folder(), Now::read());
    filled(folder.path(), now);
    let cache = of(&settings(), folder.path());
    let later = now.after(Duration::from_secs(1));
    cache.admit(entry("newer", "b", "question 199", 0.0, later));
    cache.flush();
    assert_eq!(exact(&cache, "b", "question 199", later), "newer");
    drop(cache);
    assert_eq!(exact(&warm(folder.path()), "b", "question 199", later), "newer");
}

#[test]
fn the_file_follows_memory() {
    let (folder, now) = (folder(), Now::read());
    let mut tight = settings();
    (tight.exact.max_bytes, tight.semantic.max_entries) = (20_000, 10);
    let cache = of(&tight, folder.path());
    cache.flush();
    for place in 0..100 {
        cache.admit(entry(&format!("{place}"), "a", &format!("question {place}"), 0.0, now));
    }
    cache.flush();
    let keeper = cache.holdings.keeper.get().expect("it has a file");
    let names = || keeper.store().reader().and_then(|reader| reader.names()).expect("readable");
    assert_eq!(names().len(), 100);
    let settled = now.after(SETTLED * 2);
    keeper.shared.compare(settled).expect("a file that works");
    cache.flush();
    let resident = keeper.shared.levels.resident(settled);
    assert!((10..60).contains(&resident.len()), "{}", resident.len());
    assert_eq!(names().len(), resident.len(), "what was evicted has left the file");

    // What the file lost, it is offered again.
    for path in ["", "-wal", "-shm"] {
        _ = fs::remove_file(folder.path().join(format!("{FILE}{path}")));
    }
    keeper.store().report(Fault::Damaged("somebody removed it".into()));
    cache.flush();
    assert_eq!(names().len(), 0);
    keeper.shared.compare(settled).expect("a file that works");
    cache.flush();
    assert_eq!(names().len(), resident.len());
    // An entry that has expired is not worth its place.
    let expired = now.after(Duration::from_hours(2));
    keeper.shared.compare(expired).expect("a file that works");
    cache.flush();
    assert_eq!(names().len(), 0);
}

#[test]
fn hits_are_remembered() {
    let (folder, now) = (folder(), Now::read());
    filled(folder.path(), now);
    let hits = |cache: &Cache| {
        let found = cache
            .holdings
            .levels
            .exact
            .as_ref()
            .and_then(|exact| exact.get(&keyed("b", "question 7").exact));
        found.expect("stored").hits.load(Ordering::Relaxed)
    };
    let cache = warm(folder.path());
    let found = cache
        .holdings
        .levels
        .exact
        .as_ref()
        .and_then(|exact| exact.get(&keyed("b", "question 7").exact));
    found.expect("stored").hits.store(5, Ordering::Relaxed);
    cache.close();
    drop(cache);
    assert_eq!(hits(&warm(folder.path())), 5);
}

#[test]
fn a_folder_that_cannot_be_used_costs_nothing_but_persistence() {
    let (folder, now) = (folder(), Now::read());
    let path = folder.path().join("file");
    fs::write(&path, b"not a folder").expect("written");
    let cache = of(&settings(), &path.join("below"));
    cache.admit(entry("e", "a", "question", 0.0, now));
    cache.flush();
    assert_eq!(exact(&cache, "a", "question", now), "e");
    assert!(matches!(cache.store().expect("asked for").kept(), Kept::Failing(_)));
    assert!(!cache.stats().file.expect("asked for").is_open);
}
