//! What is taken out of the file is gone for good.

use super::*;

#[test]
fn a_purge_is_complete_when_it_is_answered() {
    let now = Now::read();
    let folder = filled(10, now);
    let store = open(&folder);
    store.put(Arc::new(entry("late", "a", now)));
    let mut ids = store.purge(Purge::Tenant("a".into()), now).wait().expect("a file that works");
    ids.sort();
    let expected = ["id of late", "id of question 0", "id of question 2", "id of question 4"];
    assert_eq!(ids[..4], expected);
    // Seen by a reader at once, that is: committed.
    assert!(all(&store.reader().expect("open"), now).entries.iter().all(|it| &*it.tenant == "b"));
    let after = now.after(Duration::from_secs(100));
    let old = store.purge(Purge::OlderThan(Duration::from_secs(99)), after).wait();
    assert_eq!(old.expect("a file that works").len(), 5);
    assert!(store.purge(Purge::All, now).wait().expect("a file that works").is_empty());
}

#[test]
fn nothing_of_a_purged_text_is_left_in_the_file() {
    let now = Now::read();
    let folder = filled(50, now);
    let path = folder.path().join(FILE);
    let holds = |what: &str| {
        let read = |path: &PathBuf| fs::read(path).unwrap_or_default();
        files(&path)
            .iter()
            .any(|path| read(path).windows(what.len()).any(|window| window == what.as_bytes()))
    };
    assert!(holds("question 11") && holds("question 12"));
    let store = open(&folder);
    store.purge(Purge::Tenant("b".into()), now).wait().expect("a file that works");
    assert!(store.flush(PATIENCE), "space is freed after the answer");
    assert!(!holds("question 11") && holds("question 12"));
    drop(store);
    assert!(!holds("question 11") && holds("question 12"));
}

#[test]
fn a_file_that_cannot_purge_is_removed_whole() {
    let now = Now::read();
    let folder = filled(10, now);
    let path = folder.path().join(FILE);
    let store = open(&folder);
    // Somebody's write that does not end is in the way of ours, for longer than a purge waits.
    let other = rusqlite::Connection::open(&path).expect("a second writer");
    other.execute_batch("BEGIN IMMEDIATE; DELETE FROM states;").expect("begun");
    let done = store.purge(Purge::Tenant("a".into()), now).wait();
    assert_eq!(done, Ok(Vec::new()));
    assert!(!path.exists() || prompts(&folder, now).is_empty());
    drop(other);
    drop(store);
    assert!(!path.exists() || prompts(&folder, now).is_empty());
}

#[test]
fn what_is_withdrawn_while_the_file_fails_is_gone_when_it_works_again() {
    let now = Now::read();
    let folder = filled(4, now);
    let shared = Arc::new(Shared::new(folder.path(), Some(EMBEDDER), ROOM));
    let mut writer = Writer::new(Arc::clone(&shared));
    let named = |place: usize| {
        let prompt = format!("question {place}");
        vec![(CacheKey(hash(&prompt)), format!("id of {prompt}"))]
    };
    writer.broken(Fault::Io("no such disk".into()));
    writer.commit(vec![Change::Withdraw(named(0)), Change::Remove(named(1))], &[], &mut Vec::new());
    assert_eq!(prompts(&folder, now).len(), 4);
    writer.open();
    writer.commit(Vec::new(), &[], &mut Vec::new());
    // What memory evicted may stay for a while: it is no wrong answer.
    assert_eq!(prompts(&folder, now), ["question 1", "question 2", "question 3"]);
}

#[test]
fn a_stripped_entry_keeps_all_but_its_vector() {
    let now = Now::read();
    let folder = filled(2, now);
    let store = open(&folder);
    let name = |id: &str| vec![(CacheKey(hash("question 0")), id.to_owned())];
    store.strip(name("a newer one"));
    assert!(store.flush(PATIENCE));
    let vectors = || {
        let batch = all(&store.reader().expect("open"), now);
        assert!(batch.vectors.is_empty());
        batch.entries.iter().map(|entry| entry.vector.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(vectors(), [true, true]);
    store.strip(name("id of question 0"));
    assert!(store.flush(PATIENCE));
    assert_eq!(vectors(), [false, true]);
}

#[test]
fn one_entry_is_purged_by_its_id() {
    let now = Now::read();
    let folder = filled(3, now);
    let store = open(&folder);
    let purge = |id: &str| store.purge(Purge::Entry(id.into()), now).wait();
    assert_eq!(purge("id of question 1"), Ok(vec!["id of question 1".to_owned()]));
    assert_eq!(purge("id of question 1"), Ok(Vec::new()));
    assert_eq!(prompts(&folder, now), ["question 0", "question 2"]);
}
