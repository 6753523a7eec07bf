//! What is taken out is out: by a purge, by a caller's word, while others store.

use super::*;
use crate::cache::feedback::Served;

#[test]
fn a_purge_removes_what_it_selects_and_counts_each_entry_once() {
    let start = Now::read();
    let now = start.after(Duration::from_secs(60));
    let fill = || {
        let cache = Cache::synchronous(&settings());
        cache.admit(entry("1", "a", "one", 0.0, start));
        cache.admit(Entry { model: "big".into(), ..entry("2", "a", "two", 20.0, now) });
        cache.admit(entry("3", "b", "three", 40.0, now));
        cache.admit(Entry { vector: None, ..entry("4", "b", "four", 0.0, start) });
        cache
    };
    for (what, gone) in [
        (Purge::All, ["1", "2", "3", "4"].as_slice()),
        (Purge::Tenant("a".into()), &["1", "2"]),
        (Purge::Tenant("nobody".into()), &[]),
        (Purge::Model("big".into()), &["2"]),
        (Purge::OlderThan(Duration::from_secs(59)), &["1", "4"]),
        (Purge::OlderThan(Duration::from_secs(60)), &[]),
    ] {
        let cache = fill();
        assert_eq!(cache.purge(&what, now), Ok(gone.len()), "{what:?}");
        for (id, scope, prompt, degrees) in [
            ("1", "a", "one", 0.0),
            ("2", "a", "two", 20.0),
            ("3", "b", "three", 40.0),
            ("4", "b", "four", 0.0),
        ] {
            let is_gone = gone.contains(&id);
            assert_eq!(exact(&cache, scope, prompt, now) != id, is_gone, "{what:?} {id}");
            let has_vector = id != "4";
            let found = semantic(&cache, scope, prompt, degrees, now) == id;
            assert_eq!(found, has_vector && !is_gone, "{what:?} {id}");
        }
    }
}

#[test]
fn a_purge_reaches_entries_that_are_still_on_their_way() {
    let (cache, now) = (Cache::new(&settings()).expect("a thread"), Now::read());
    for round in 0..50 {
        for place in 0..20 {
            cache.admit(entry(&format!("{round}-{place}"), "a", &format!("{place}"), 0.0, now));
        }
        // The worker is somewhere among the twenty.
        assert_eq!(cache.purge(&Purge::All, now), Ok(20));
        cache.flush();
        assert_eq!((cache.entries(Level::Exact), cache.entries(Level::Semantic)), (0, 0));
    }
}

#[test]
fn purges_and_inserts_at_the_same_time_leave_only_what_came_after() {
    let (cache, now) = (Cache::new(&settings()).expect("a thread"), Now::read());
    std::thread::scope(|threads| {
        for tenant in ["a", "b"] {
            let cache = &cache;
            threads.spawn(move || {
                for place in 0..400 {
                    cache.admit(entry(tenant, tenant, &format!("{place}"), 0.0, now));
                    _ = semantic(cache, tenant, &format!("{place}"), 0.0, now);
                }
            });
        }
        for _ in 0..40 {
            cache.purge(&Purge::Tenant("a".into()), now).expect("no file to fail");
        }
    });
    cache.purge(&Purge::Tenant("a".into()), now).expect("no file to fail");
    cache.flush();
    let left = |tenant: &str| {
        (0..400).filter(|place| exact(&cache, tenant, &format!("{place}"), now) == tenant).count()
    };
    assert_eq!(left("a"), 0);
    assert_eq!(left("b"), 400);
    assert_eq!(cache.entries(Level::Semantic), 400);
}

#[test]
fn a_bad_word_removes_the_entry_and_keeps_the_questions_apart() {
    let (cache, now) = (Cache::synchronous(&settings()), Now::read());
    cache.admit(entry("e", "a", QUESTION, 0.0, now));
    let kept = cache.kept("e").expect("stored");
    assert_eq!(kept.levels, [Level::Exact, Level::Semantic]);
    let query = keyed("a", OTHER_WORDS).exact;
    let served = Served::of(&kept.entry, Level::Semantic, &query, None, None);
    let feedback = |label| Feedback {
        request: "r".into(),
        tenant: "a".into(),
        route: "auto".into(),
        label,
        served: Some(Arc::new(served.clone())),
    };
    cache.feedback(&feedback(Label::Good), now);
    assert_eq!(exact(&cache, "a", QUESTION, now), "e");
    cache.feedback(&feedback(Label::Bad), now);
    assert!(cache.kept("e").is_none());
    assert_eq!(exact(&cache, "a", QUESTION, now), "miss None");
    cache.admit(entry("f", "a", QUESTION, 0.0, now));
    assert_eq!(semantic(&cache, "a", OTHER_WORDS, 15.0, now), NOTHING, "the pair is kept apart");
    assert_eq!(semantic(&cache, "a", "How can I reset my password", 15.0, now), "f");
}
