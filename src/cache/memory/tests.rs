//! The cache as the line uses it: what is found, what is not, and what a purge leaves.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::cache::learn::Lane;
use crate::cache::verify::{Budget, Goals};
use crate::cache::{CacheKey, Directives, Makers, Scope, TtlClass};
use crate::config::settings::{ExactCache, SemanticCache};
use crate::dialect::Usage;

mod measured;
mod removal;

pub(in crate::cache) fn settings() -> settings::Cache {
    let defaults = settings::Cache::default();
    settings::Cache {
        exact: ExactCache { max_bytes: 10_000_000, ..defaults.exact },
        semantic: SemanticCache { max_entries: 1000, max_bytes: 10_000_000, ..defaults.semantic },
        ..defaults
    }
}

/// A unit vector in the plane of the first two axes.
pub fn at(degrees: f32) -> Vector {
    let (sin, cos) = degrees.to_radians().sin_cos();
    vec![cos, sin, 0.0, 0.0].into()
}

fn hash(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

pub(in crate::cache) fn keyed(scope: &str, prompt: &str) -> Keyed {
    Keyed {
        exact: CacheKey(hash(&format!("{scope}/{prompt}"))),
        scope: Scope(hash(scope)),
        exact_only: None,
        limit: None,
    }
}

pub(in crate::cache) fn entry(
    id: &str,
    scope: &str,
    prompt: &str,
    degrees: f32,
    stored: Now,
) -> Entry {
    let keyed = keyed(scope, prompt);
    Entry {
        id: id.into(),
        key: keyed.exact,
        scope: keyed.scope,
        lane: Lane { tenant: scope.into(), route: "auto".into() },
        tenant: scope.into(),
        key_name: None,
        prompt: prompt.into(),
        vector: Some(at(degrees)),
        answer: Bytes::from_static(b"{}"),
        usage: Usage { completion_tokens: 10, ..Usage::default() },
        model: "mini".into(),
        target: "p/mini".into(),
        tier: None,
        stored,
        ttl_class: TtlClass::Default,
        ttl: Duration::from_hours(1),
        cost: None,
        took: Duration::from_millis(800),
        tags: BTreeMap::new(),
        hits: AtomicU64::new(0),
    }
}

/// Id of the entry that a verdict serves, or the verdict in short.
fn said(verdict: &CacheVerdict) -> String {
    match verdict {
        CacheVerdict::Hit { entry, .. } => entry.id.clone(),
        CacheVerdict::Miss { detail, .. } => format!("miss {detail:?}"),
        other => format!("{other:?}"),
    }
}

/// Terms without any grace, whoever made the entries.
fn terms(directives: Directives, now: Now) -> Terms<'static> {
    Terms::new(directives, Duration::ZERO, Makers::default(), now)
}

pub(in crate::cache) fn exact(cache: &Cache, scope: &str, prompt: &str, now: Now) -> String {
    said(&cache.look_exact(&keyed(scope, prompt), &terms(Directives::default(), now)))
}

pub(in crate::cache) fn semantic(
    cache: &Cache,
    scope: &str,
    prompt: &str,
    degrees: f32,
    now: Now,
) -> String {
    let none = Directives::default();
    said(&look(cache, &keyed(scope, prompt), prompt, &at(degrees), &none, now))
}

const QUESTION: &str = "How do I reset my password?";
const OTHER_WORDS: &str = "How can I reset my password, please?";
const NOTHING: &str = "miss Some(NoCandidate)";

/// Both steps of a lookup at the semantic level, and the hit counted as by whoever serves it.
fn look(
    cache: &Cache,
    keyed: &Keyed,
    prompt: &str,
    vector: &Vector,
    directives: &Directives,
    now: Now,
) -> CacheVerdict {
    let terms = terms(*directives, now);
    look_on(cache, keyed, prompt, vector, &terms)
}

pub fn look_on(
    cache: &Cache,
    keyed: &Keyed,
    prompt: &str,
    vector: &Vector,
    terms: &Terms<'_>,
) -> CacheVerdict {
    let found = cache.neighbours(keyed, vector, terms);
    let question = Question {
        lane: Lane { tenant: "a".into(), route: "auto".into() },
        prompt,
        goals: Goals { budget: Budget { lookups: 0.01, hits: None }, exploration: 0.0 },
        draw: Some(0.5),
        observing: false,
        judge: None,
    };
    let (verdict, _) = cache.verify(&question, keyed, &found, terms);
    if let CacheVerdict::Hit { entry, .. } = &verdict {
        entry.hits.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    verdict
}

#[test]
fn an_entry_is_found_by_its_key_and_by_its_meaning() {
    let (cache, now) = (Cache::synchronous(&settings()), Now::read());
    assert_eq!(exact(&cache, "a", QUESTION, now), "miss None");
    assert_eq!(semantic(&cache, "a", QUESTION, 0.0, now), NOTHING);
    cache.admit(entry("e", "a", QUESTION, 0.0, now));
    assert_eq!(exact(&cache, "a", QUESTION, now), "e");
    assert_eq!(exact(&cache, "a", OTHER_WORDS, now), "miss None");
    assert_eq!(semantic(&cache, "a", OTHER_WORDS, 15.0, now), "e");
    let unlike = "Where do I change my address?";
    assert_eq!(semantic(&cache, "a", unlike, 50.0, now), "miss Some(BelowLine)");
    assert_eq!(semantic(&cache, "a", OTHER_WORDS, 61.0, now), NOTHING, "below the floor");
    assert_eq!(cache.stats().exact.entries, 1);
    assert_eq!(cache.stats().semantic.entries, 1);
    assert_eq!(cache.bytes(), cache.stats().exact.bytes + cache.stats().semantic.bytes);
}

#[test]
fn directives_limits_and_reasons_decide_at_both_levels() {
    let (cache, start) = (Cache::synchronous(&settings()), Now::read());
    cache.admit(entry("e", "a", QUESTION, 0.0, start));
    let now = start.after(Duration::from_secs(100));
    let plain = keyed("a", QUESTION);
    let max_age = |seconds| Directives {
        max_age: Some(Duration::from_secs(seconds)),
        ..Directives::default()
    };
    let none = Directives::default();
    for (keyed, directives, at_exact, at_semantic) in [
        (plain, none, "e", "e"),
        (plain, Directives { no_store: true, ..none }, "e", "e"),
        (plain, Directives { only_if_cached: true, ..none }, "e", "e"),
        (plain, Directives { no_cache: true, ..none }, "Request(NoCache)", "Request(NoCache)"),
        (plain, max_age(100), "e", "e"),
        (plain, max_age(99), "Request(MaxAge)", "Request(MaxAge)"),
        (Keyed { limit: Some(10), ..plain }, none, "e", "e"),
        (Keyed { limit: Some(9), ..plain }, none, "miss Some(Length)", "miss Some(Length)"),
        (Keyed { exact_only: Some(MissDetail::Seed), ..plain }, none, "e", "miss Some(Seed)"),
    ] {
        let exact = said(&cache.look_exact(&keyed, &terms(directives, now)));
        assert_eq!(exact, at_exact, "{keyed:?} {directives:?}");
        let semantic = look(&cache, &keyed, QUESTION, &at(0.0), &directives, now);
        assert_eq!(said(&semantic), at_semantic, "{keyed:?} {directives:?}");
    }
}

#[test]
fn an_expired_entry_is_stale_to_its_key_and_gone_for_its_neighbours() {
    let (cache, start) = (Cache::synchronous(&settings()), Now::read());
    cache.admit(entry("e", "a", QUESTION, 0.0, start));
    let late = start.after(Duration::from_hours(1));
    assert_eq!(exact(&cache, "a", QUESTION, late), "Stale");
    assert_eq!(semantic(&cache, "a", OTHER_WORDS, 0.0, late), NOTHING);
    assert_eq!(cache.stats().semantic.entries, 0, "removed when it was met");
}

#[test]
fn expired_neighbours_do_not_crowd_out_fresh_ones() {
    let (cache, start) = (Cache::synchronous(&settings()), Now::read());
    let late = start.after(Duration::from_hours(1));
    for place in 0..30 {
        cache.admit(entry("old", "a", &format!("{QUESTION}{}", "+".repeat(place)), 0.0, start));
    }
    cache.admit(entry("new", "a", QUESTION, 5.0, late));
    assert_eq!(semantic(&cache, "a", OTHER_WORDS, 0.0, late), "new");
}

#[test]
fn a_jump_of_the_wall_clock_prolongs_no_life() {
    let (cache, start) = (Cache::synchronous(&settings()), Now::read());
    cache.admit(entry("e", "a", QUESTION, 0.0, start));
    let hour = Duration::from_hours(1);
    let both = |now| [exact(&cache, "a", QUESTION, now), semantic(&cache, "a", QUESTION, 0.0, now)];
    // Backwards by a day while an hour passed; forwards by a day while nothing passed.
    let back = Now { wall: start.wall - hour * 23, mono: start.mono + hour };
    assert_eq!(exact(&cache, "a", QUESTION, back), "Stale");
    let slightly_back = Now { wall: start.wall - Duration::from_secs(3), mono: start.mono };
    assert_eq!(both(slightly_back), ["e", "e"]);
    let forward = Now { wall: start.wall + hour * 24, mono: start.mono };
    assert_eq!(both(forward), ["Stale", NOTHING]);
}

#[test]
fn the_same_key_replaces_at_both_levels() {
    let (cache, now) = (Cache::synchronous(&settings()), Now::read());
    cache.admit(entry("old", "a", QUESTION, 0.0, now));
    cache.admit(entry("new", "a", QUESTION, 0.0, now));
    assert_eq!(exact(&cache, "a", QUESTION, now), "new");
    assert_eq!(semantic(&cache, "a", OTHER_WORDS, 0.0, now), "new");
    assert_eq!((cache.entries(Level::Exact), cache.entries(Level::Semantic)), (1, 1));
}

#[test]
fn a_level_that_is_off_neither_stores_nor_finds() {
    let now = Now::read();
    let mut no_semantic = settings();
    no_semantic.semantic.enabled = false;
    let mut no_exact = settings();
    no_exact.exact.enabled = false;
    for (settings, at_exact, at_semantic) in
        [(no_semantic, "e", NOTHING), (no_exact, "miss None", "e")]
    {
        let cache = Cache::synchronous(&settings);
        cache.admit(entry("e", "a", QUESTION, 0.0, now));
        assert_eq!(exact(&cache, "a", QUESTION, now), at_exact);
        assert_eq!(semantic(&cache, "a", QUESTION, 0.0, now), at_semantic);
    }
}

#[test]
fn what_cannot_be_stored_is_counted_and_harms_nothing() {
    let mut small = settings();
    small.semantic.max_bytes = 20_000;
    let (cache, now) = (Cache::synchronous(&small), Now::read());
    let bad = vec![f32::NAN, 0.0, 0.0, 0.0];
    cache.admit(Entry { vector: Some(bad.into()), ..entry("nan", "a", "one", 0.0, now) });
    let huge = Bytes::from(vec![b'x'; 30_000]);
    cache.admit(Entry { answer: huge, ..entry("huge", "a", "two", 0.0, now) });
    cache.admit(Entry { vector: None, ..entry("exact only", "a", "three", 0.0, now) });
    cache.admit(entry("e", "a", QUESTION, 0.0, now));
    assert_eq!(semantic(&cache, "a", OTHER_WORDS, 0.0, now), "e");
    assert_eq!(exact(&cache, "a", "three", now), "exact only");
    let stats = cache.stats().semantic;
    assert_eq!((stats.entries, stats.dropped), (1, 2));
}

#[test]
fn budgets_hold_and_the_useful_stay() {
    let mut tight = settings();
    tight.semantic.max_entries = 10;
    let (cache, now) = (Cache::synchronous(&tight), Now::read());
    // Every question in a scope of its own, so that a scope says which entry lives.
    for place in 0..10 {
        cache.admit(entry("e", &format!("s{place}"), QUESTION, 0.0, now));
    }
    assert_eq!(semantic(&cache, "s0", OTHER_WORDS, 0.0, now), "e", "and is of use thereby");
    for place in 10..15 {
        cache.admit(entry("e", &format!("s{place}"), QUESTION, 0.0, now));
        assert_eq!(cache.entries(Level::Semantic), 10);
    }
    let alive: Vec<usize> = (0..15)
        .filter(|place| semantic(&cache, &format!("s{place}"), QUESTION, 0.0, now) == "e")
        .collect();
    assert_eq!(alive, [0, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    assert_eq!(cache.stats().semantic.evictions, 5);
    assert_eq!(cache.stats().semantic.scopes, 10, "no scope outlives its entries");
}

#[test]
fn byte_budgets_hold_after_every_insert() {
    let mut tight = settings();
    tight.semantic.max_bytes = 100_000;
    tight.exact.max_bytes = 50_000;
    let (cache, now) = (Cache::synchronous(&tight), Now::read());
    for place in 0..200_usize {
        let answer = Bytes::from(vec![b'x'; place * 37 % 5000]);
        let prompt = format!("question {place}");
        cache.admit(Entry { answer, ..entry("e", "a", &prompt, 0.0, now) });
        let stats = cache.stats();
        assert!(stats.semantic.bytes <= 100_000 && stats.exact.bytes <= 50_000, "{stats:?}");
        assert_eq!(exact(&cache, "a", &prompt, now), "e", "a new entry is never refused");
    }
    assert!(cache.stats().exact.evictions > 0 && cache.stats().semantic.evictions > 0);
    cache.purge(&Purge::All, now).expect("no file to fail");
    assert_eq!((cache.bytes(), cache.stats().semantic.scopes), (0, 0), "the books balance");
}

#[test]
fn background_storing_is_complete_after_a_flush() {
    let (cache, now) = (Cache::new(&settings()).expect("a thread"), Now::read());
    for place in 0..500 {
        cache.admit(entry(&format!("{place}"), &format!("s{place}"), QUESTION, 0.0, now));
    }
    cache.flush();
    for place in 0..500 {
        assert_eq!(
            semantic(&cache, &format!("s{place}"), OTHER_WORDS, 0.0, now),
            format!("{place}")
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Tenants whose prompts, vectors and times are the same never see each other's entries.
    #[test]
    fn two_scopes_never_see_each_others_entries(
        stored in prop::collection::vec((0_u8..4, 0_u8..4), 0..24),
        asked in prop::collection::vec((0_u8..4, 0_u8..4), 1..24),
    ) {
        let (cache, now) = (Cache::synchronous(&settings()), Now::read());
        for (scope, prompt) in &stored {
            let (scope, prompt) = (format!("s{scope}"), format!("word{prompt}"));
            cache.admit(entry(&format!("{scope} {prompt}"), &scope, &prompt, 0.0, now));
        }
        for (scope, prompt) in &asked {
            let is_stored = stored.contains(&(*scope, *prompt));
            let (scope, prompt) = (format!("s{scope}"), format!("word{prompt}"));
            let own = format!("{scope} {prompt}");
            let answers = [exact(&cache, &scope, &prompt, now), semantic(&cache, &scope, &prompt, 0.0, now)];
            for answer in answers {
                prop_assert_eq!(answer == own, is_stored);
                prop_assert!(answer.starts_with("miss") || answer.starts_with(&scope), "{}", answer);
            }
        }
    }
}
