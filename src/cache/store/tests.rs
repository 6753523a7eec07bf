//! What the file gives back: what was put, or nothing; never something else.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::cache::{Scope, TtlClass};
use crate::dialect::Usage;
use crate::price::Money;

mod damage;
mod learnt;
mod removal;

const EMBEDDER: &str = "bag@1";
const PATIENCE: Duration = Duration::from_secs(30);
const ROOM: u64 = 1 << 30;

fn hash(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

/// The only right answer to a prompt.
fn answer(prompt: &str) -> Bytes {
    let length = 20 + usize::from(hash(prompt)[0]) * 40;
    Bytes::from(format!("{prompt} = {}", "x".repeat(length)))
}

fn entry(prompt: &str, tenant: &str, stored: Now) -> Entry {
    let angle = f32::from(hash(prompt)[1]);
    Entry {
        id: format!("id of {prompt}"),
        key: CacheKey(hash(prompt)),
        scope: Scope(hash(tenant)),
        tenant: tenant.into(),
        key_name: Some("web".into()),
        prompt: prompt.into(),
        vector: Some(vec![angle.cos(), angle.sin(), 0.0].into()),
        answer: answer(prompt),
        usage: Usage { prompt_tokens: 7, completion_tokens: 10, ..Usage::default() },
        model: "mini".into(),
        target: "p/mini".into(),
        tier: Some("small".into()),
        stored,
        ttl_class: TtlClass::Timeless,
        ttl: Duration::from_hours(1),
        took: Duration::from_millis(1500),
        cost: Some(Money::from_pico(1_234_567)),
        tags: BTreeMap::from([("team".to_owned(), "a".to_owned())]),
        lane: crate::cache::learn::Lane { tenant: tenant.into(), route: "auto".into() },
        hits: 3.into(),
    }
}

fn open(folder: &TempDir) -> Store {
    Store::start(folder.path(), Some(EMBEDDER), ROOM).expect("a thread")
}

/// A folder whose file holds entries of two tenants, closed.
fn filled(count: usize, now: Now) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder);
    for place in 0..count {
        let tenant = ["a", "b"][place % 2];
        store.put(Arc::new(entry(&format!("question {place}"), tenant, now)));
    }
    assert!(store.close(PATIENCE));
    folder
}

fn all(reader: &Reader, now: Now) -> Batch {
    let mut whole = Batch::default();
    loop {
        let batch = reader.batch(whole.next, 7, now).expect("a file of ours");
        whole.entries.extend(batch.entries);
        whole.rejected.extend(batch.rejected);
        whole.vectors.extend(batch.vectors);
        whole.next = batch.next;
        if whole.next.is_none() {
            return whole;
        }
    }
}

fn prompts(folder: &TempDir, now: Now) -> Vec<String> {
    let reader = Reader::open(&folder.path().join(FILE), Some(EMBEDDER)).expect("a file of ours");
    all(&reader, now).entries.into_iter().map(|entry| entry.prompt).collect()
}

#[test]
fn what_was_put_comes_back_as_it_was_and_for_this_user_only() {
    let now = Now::read();
    let folder = filled(20, now);
    for path in files(&folder.path().join(FILE)).iter().filter(|path| path.exists()) {
        let mode = fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
    let store = open(&folder);
    assert_eq!(store.kept(), Kept::InFile);
    let reader = store.reader().expect("open");
    let batch = all(&reader, now);
    assert!(batch.rejected.is_empty() && batch.vectors.is_empty());
    assert_eq!(batch.entries.len(), 20);
    for found in batch.entries {
        let mut put = entry(&found.prompt, &found.tenant, now);
        assert_eq!(found.stored.wall, put.stored.wall);
        // The file has seen a later moment than this test's: the other clock may be on by that.
        put.stored = found.stored;
        assert_eq!(format!("{found:?}"), format!("{put:?}"));
    }
    let key = CacheKey(hash("question 3"));
    assert_eq!(reader.find(&key, now).expect("readable").expect("there").prompt, "question 3");
    assert!(reader.find(&CacheKey([0; 32]), now).expect("readable").is_none());
}

#[test]
fn one_key_has_one_entry_and_a_late_removal_spares_the_newer_one() {
    let (folder, now) = (tempfile::tempdir().expect("a folder"), Now::read());
    let store = open(&folder);
    let key = CacheKey(hash("q"));
    store.put(Arc::new(entry("q", "a", now)));
    store.put(Arc::new(Entry { id: "newer".into(), vector: None, ..entry("q", "a", now) }));
    assert!(store.remove(vec![(key, "id of q".to_owned())]));
    assert!(store.touch(vec![(key, 9)]));
    assert!(store.flush(PATIENCE));
    let found = all(&store.reader().expect("open"), now).entries;
    assert_eq!((found.len(), found[0].id.as_str()), (1, "newer"));
    assert_eq!((found[0].vector.is_none(), found[0].hits.load(Ordering::Relaxed)), (true, 9));
    assert!(store.remove(vec![(key, "newer".to_owned())]) && store.flush(PATIENCE));
    assert!(store.reader().expect("open").names().expect("readable").is_empty());
}

#[test]
fn a_vector_of_another_embedder_stays_behind() {
    let now = Now::read();
    let folder = filled(4, now);
    let path = folder.path().join(FILE);
    for (embedder, has_vector, dropped) in [
        (Some(EMBEDDER), true, 0),
        (Some("bag@2"), false, 4),
        // Without an embedder a vector is of no use now; nothing is wrong with it.
        (None, false, 0),
    ] {
        let batch = all(&Reader::open(&path, embedder).expect("ours"), now);
        assert_eq!(batch.entries.len(), 4, "the exact level needs no vector");
        assert!(batch.entries.iter().all(|entry| entry.vector.is_some() == has_vector));
        assert_eq!(batch.vectors.len(), dropped);
    }
}

#[test]
fn a_vector_that_is_none_stays_behind() {
    let (folder, now) = (tempfile::tempdir().expect("a folder"), Now::read());
    let store = open(&folder);
    for (place, bad) in
        [[f32::NAN, 0.0], [f32::INFINITY, 0.0], [0.0, 0.0], [0.9, 0.0]].iter().enumerate()
    {
        let vector = Some(bad.to_vec().into());
        store.put(Arc::new(Entry { vector, ..entry(&format!("{place}"), "a", now) }));
    }
    assert!(store.flush(PATIENCE));
    let batch = all(&store.reader().expect("open"), now);
    assert_eq!((batch.entries.len(), batch.vectors.len()), (4, 4));
    assert!(batch.entries.iter().all(|entry| entry.vector.is_none()));
}

#[test]
fn expiry_goes_on_while_nothing_runs_and_no_clock_stops_it() {
    let start = Now::read();
    let folder = filled(1, start);
    let hour = Duration::from_hours(1);
    let minute = Duration::from_secs(60);
    // After a restart the monotonic clock knows nothing of the time before.
    let later = |wall: Duration| Now { wall: start.wall + wall, mono: start.mono };
    assert_eq!(prompts(&folder, later(hour - minute)).len(), 1);
    assert!(prompts(&folder, later(hour)).is_empty(), "expired");
    let back = Now { wall: start.wall - minute, mono: start.mono };
    assert!(prompts(&folder, back).is_empty(), "from the future");

    let reader = Reader::open(&folder.path().join(FILE), None).expect("ours");
    let now = later(hour - minute);
    let restored = all(&reader, now).entries.remove(0);
    assert_eq!(restored.age_seconds(now), 59 * 60);
    let set_back = Now { wall: start.wall, mono: now.mono + minute * 2 };
    assert!(!restored.is_fresh(set_back), "the monotonic clock goes on from the age at the start");
}

#[test]
fn what_may_be_served_late_is_kept_for_as_long() {
    let start = Now::read();
    let folder = filled(1, start);
    let hour = Duration::from_hours(1);
    let left = |grace: Duration, after: Duration| {
        let reader = Reader::open(&folder.path().join(FILE), None).expect("ours").with_grace(grace);
        let batch = all(&reader, Now { wall: start.wall + after, mono: start.mono });
        (batch.entries.len(), batch.rejected.len())
    };
    assert_eq!(left(hour, hour + hour / 2), (1, 0));
    assert_eq!(left(hour, hour * 2), (0, 1));
    assert_eq!(left(Duration::ZERO, hour), (0, 1));
    assert_eq!(left(Duration::MAX, hour * 9), (1, 0));
}

#[test]
fn a_wall_clock_set_back_between_two_runs_prolongs_no_life() {
    let start = Now::read();
    let folder = filled(1, start);
    let file = file::File::open(&folder.path().join(FILE), ROOM);
    let mut file = file.expect("ours");
    let late = start.wall + Duration::from_hours(2);
    file.batch().and_then(|batch| batch.commit(late)).expect("committed");
    drop(file);
    assert!(prompts(&folder, start).is_empty(), "the file has seen the entry's end");
}

#[test]
fn a_second_process_leaves_the_file_alone() {
    let now = Now::read();
    let folder = filled(2, now);
    let first = open(&folder);
    let second = open(&folder);
    assert_eq!((first.kept(), second.kept()), (Kept::InFile, Kept::HeldByAnother));
    second.put(Arc::new(entry("foreign", "a", now)));
    assert!(!second.flush(PATIENCE), "and it says so");
    assert_eq!(second.stats().lost, 1);
    assert_eq!(second.purge(Purge::All, now).wait(), Ok(Vec::new()), "not its entries");
    assert!(matches!(second.reader(), Err(Fault::Held)));
    assert!(matches!(Offline::open(folder.path()), Err(Fault::Held)));
    drop((first, second));
    let offline = Offline::open(folder.path()).expect("free").expect("there");
    assert_eq!(offline.stats().expect("readable").entries, 2);
    assert_eq!(offline.purge(&Purge::Tenant("a".into()), now), Ok(1));
    assert_eq!(prompts(&folder, now), ["question 1"]);
}

#[test]
fn a_full_disk_costs_entries_and_nothing_else() {
    let (folder, now) = (tempfile::tempdir().expect("a folder"), Now::read());
    // The budget of the file is SQLite's own "disk full".
    let store = Store::start(folder.path(), Some(EMBEDDER), 300_000).expect("a thread");
    for place in 0..200 {
        store.put(Arc::new(entry(&format!("question {place}"), "a", now)));
        store.flush(PATIENCE);
    }
    let stats = store.stats();
    assert!(stats.lost > 0 && stats.written > 10, "{stats:?}");
    assert_eq!(stats.lost + stats.written, 200);
    assert!(stats.failures > 0, "{stats:?}");
    drop(store);
    let found = prompts(&folder, now);
    assert_eq!(found.len() as u64, stats.written, "what was there stays readable");
}

#[test]
fn another_version_and_another_programs_file_are_begun_anew() {
    let now = Now::read();
    for spoil in ["PRAGMA user_version = 99", "PRAGMA application_id = 1", "DROP TABLE vectors"] {
        let folder = filled(3, now);
        let db = rusqlite::Connection::open(folder.path().join(FILE)).expect("ours");
        db.execute_batch(spoil).expect("spoilt");
        drop(db);
        let store = open(&folder);
        assert_eq!((store.kept(), store.stats().renewed), (Kept::InFile, 1), "{spoil}");
        assert!(all(&store.reader().expect("open"), now).entries.is_empty(), "{spoil}");
        store.put(Arc::new(entry("new", "a", now)));
        assert!(store.flush(PATIENCE), "{spoil}");
    }
}

#[test]
fn a_changed_record_is_no_entry() {
    let now = Now::read();
    for change in [
        "UPDATE bodies SET answer = x'00'",
        "UPDATE bodies SET prompt = x'00'",
        "UPDATE bodies SET answer = CAST(answer || ' ' AS BLOB)",
        "UPDATE entries SET scope = zeroblob(32)",
        "UPDATE entries SET key = zeroblob(32)",
        "UPDATE entries SET id = x'01'",
        "UPDATE entries SET head = CAST(replace(CAST(head AS TEXT), 'small', 'large') AS BLOB)",
        "UPDATE entries SET sum = zeroblob(32)",
        "DELETE FROM bodies",
    ] {
        let folder = filled(6, now);
        let db = rusqlite::Connection::open(folder.path().join(FILE)).expect("ours");
        db.execute_batch(change).expect("changed");
        drop(db);
        let reader = Reader::open(&folder.path().join(FILE), Some(EMBEDDER)).expect("ours");
        let batch = all(&reader, now);
        assert_eq!((batch.entries.len(), batch.rejected.len()), (0, 6), "{change}");
    }
}
