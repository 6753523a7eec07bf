//! What was learnt, beside the entries.

use super::*;
use crate::cache::negatives::MAX_PAIRS;

#[test]
fn learnt_states_come_back_whole_or_not_at_all() {
    let (folder, now) = (tempfile::tempdir().expect("a folder"), Now::read());
    let store = open(&folder);
    store.save_state("acme/auto", vec![1; 3_000_000]);
    store.save_state("acme/auto", vec![2; 3_000_000]);
    store.save_state("acme/support", vec![3]);
    assert!(store.flush(PATIENCE));
    store.purge(Purge::All, now).wait().expect("a file that works");
    drop(store);
    let store = open(&folder);
    let expected =
        [("acme/auto".to_owned(), vec![2; 3_000_000]), ("acme/support".to_owned(), vec![3])];
    let states = |store: &Store| store.reader().and_then(|reader| reader.states());
    assert_eq!(
        states(&store).expect("readable"),
        expected,
        "a purge of answers leaves what was learnt"
    );
    drop(store);
    let db = rusqlite::Connection::open(folder.path().join(FILE)).expect("ours");
    db.execute("UPDATE states SET bytes = x'04' WHERE name = 'acme/support'", []).expect("changed");
    drop(db);
    assert_eq!(states(&open(&folder)).expect("readable").len(), 1);
}

#[test]
fn states_that_are_nobodys_leave_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder);
    for name in ["judge", "mind 1:a/auto", "mind 1:a/\u{1F600} \"x\"", "mind 1:b/p/gone"] {
        store.save_state(name, vec![1]);
    }
    assert!(store.flush(PATIENCE));
    let kept = ["judge", "mind 1:a/auto", "mind 1:a/\u{1F600} \"x\"", "mind 1:c/never written"];
    store.keep_states(kept.map(str::to_owned).to_vec());
    assert!(store.flush(PATIENCE));
    let states = store.reader().and_then(|reader| reader.states()).expect("readable");
    let names: Vec<String> = states.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, kept[..3]);
}

#[test]
fn pairs_that_are_kept_apart_come_back_in_their_order_and_outlive_a_purge() {
    let (folder, now) = (tempfile::tempdir().expect("a folder"), Now::read());
    let pair = |place: u8| Pair::of(&CacheKey([place; 32]), &CacheKey([200; 32]));
    let store = open(&folder);
    store.keep_apart(vec![pair(1), pair(2)]);
    store.keep_apart(vec![pair(3), pair(1)]);
    assert!(store.flush(PATIENCE));
    let pairs = |store: &Store| store.reader().and_then(|reader| reader.pairs()).expect("readable");
    assert_eq!(pairs(&store), [pair(2), pair(3), pair(1)]);
    store.purge(Purge::All, now).wait().expect("a file that works");
    drop(store);
    assert_eq!(pairs(&open(&folder)), [pair(2), pair(3), pair(1)]);
}

#[test]
fn the_oldest_pairs_give_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder);
    let pair = |place: usize| Pair::of(&CacheKey(hash(&place.to_string())), &CacheKey([0; 32]));
    store.keep_apart((0..MAX_PAIRS + 5).map(pair).collect());
    assert!(store.flush(PATIENCE));
    let pairs = store.reader().and_then(|reader| reader.pairs()).expect("readable");
    assert_eq!((pairs.len(), pairs[0]), (MAX_PAIRS, pair(5)));
}

#[test]
fn a_file_of_the_first_version_is_taken_over() {
    let now = Now::read();
    let folder = filled(3, now);
    let db = rusqlite::Connection::open(folder.path().join(FILE)).expect("ours");
    db.execute_batch("DROP TABLE apart; PRAGMA user_version = 1").expect("made older");
    drop(db);
    let store = open(&folder);
    assert_eq!((store.kept(), store.stats().renewed), (Kept::InFile, 0));
    assert_eq!(all(&store.reader().expect("open"), now).entries.len(), 3);
    store.keep_apart(vec![Pair::of(&CacheKey([1; 32]), &CacheKey([2; 32]))]);
    assert!(store.flush(PATIENCE));
    assert_eq!(store.reader().and_then(|reader| reader.pairs()).expect("readable").len(), 1);
}
