//! Which entries meet which terms, on both clocks.

use std::time::Duration;

use super::*;
use crate::cache::memory::tests::{at, entry, keyed, look_on, settings};
use crate::cache::{Cache, CacheVerdict, Level, RequestDetail};
use crate::dispatch::tests::fixtures::{TIMEOUTS, model, provider};
use crate::policy::ForcedBy;

const TTL: Duration = Duration::from_hours(1);
const PROMPT: &str = "How do I reset my password?";

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn anybody(grace: Duration, now: Now) -> Terms<'static> {
    Terms::new(Directives::default(), grace, Makers::default(), now)
}

#[test]
fn grace_prolongs_a_life_and_max_age_ends_the_grace() {
    let start = Now::read();
    let entry = entry("e", "a", PROMPT, 0.0, start);
    let young = |n| Directives { max_age: Some(seconds(n)), ..Directives::default() };
    let (fresh, late) = (Fitness::Fits { fresh: true }, Fitness::Fits { fresh: false });
    for (age, grace, directives, expected) in [
        (3599, 0, Directives::default(), fresh),
        (3600, 0, Directives::default(), Fitness::Expired),
        (3600, 60, Directives::default(), late),
        (3659, 60, Directives::default(), late),
        (3660, 60, Directives::default(), Fitness::Expired),
        (60, 60, young(60), fresh),
        (61, 60, young(60), Fitness::TooOld),
        (3601, 60, young(9999), Fitness::Expired),
    ] {
        let terms =
            Terms::new(directives, seconds(grace), Makers::default(), start.after(seconds(age)));
        assert_eq!(terms.fitness(&entry), expected, "{age} s old, grace {grace} s");
    }
}

/// Jumps of the wall clock by an hour and by three days, in either direction, while the true age
/// goes through the life of an entry: nothing is served more than five seconds past it.
#[test]
fn no_jump_of_either_clock_serves_past_the_end() {
    let start = Now::read();
    let day = Duration::from_hours(24);
    for grace in [Duration::ZERO, seconds(600)] {
        for jump in [TTL, 3 * day] {
            for forwards in [true, false] {
                for true_age in (0..7200).step_by(7).map(seconds) {
                    let cache = Cache::synchronous(&settings());
                    cache.keep_expired(&crate::config::settings::Cache {
                        stale_if_error: seconds(600),
                        ..settings()
                    });
                    cache.admit(entry("e", "a", PROMPT, 0.0, start));
                    let after = start.after(true_age);
                    let wall = if forwards { after.wall + jump } else { after.wall - jump };
                    let terms = anybody(grace, Now { wall, mono: after.mono });
                    let keyed = keyed("a", PROMPT);
                    let exact = cache.look_exact(&keyed, &terms);
                    let near = look_on(&cache, &keyed, PROMPT, &at(0.0), &terms);
                    let served = [exact, near].map(|v| matches!(v, CacheVerdict::Hit { .. }));
                    let past = true_age >= TTL + grace + seconds(5);
                    assert!(
                        !past || served == [false; 2],
                        "{true_age:?} old, {jump:?}, {forwards}"
                    );
                }
            }
        }
    }
}

/// After a restart only the wall clock knows how old an entry is, and `Age` says so.
#[test]
fn an_entry_from_before_a_restart_keeps_its_age() {
    let now = Now::read();
    let stored = Now { wall: now.wall - seconds(3000), mono: now.mono };
    let entry = entry("e", "a", PROMPT, 0.0, stored);
    assert_eq!((entry.age_seconds(now), entry.ttl_seconds(now)), (3000, 600));
    assert!(anybody(Duration::ZERO, now.after(seconds(599))).allow(&entry));
    assert!(!anybody(Duration::ZERO, now.after(seconds(600))).allow(&entry));
}

#[test]
fn a_model_that_is_configured_no_longer_answers_no_more() {
    let start = Now::read();
    let up = provider("p", "http://up".into(), &[], TIMEOUTS);
    let (mini, other) = (model(&up, "mini", 1), model(&up, "other", 1));
    let named = |model: &Arc<Model>| Choice::Named {
        model: model.clone(),
        fallbacks: Vec::new(),
        by: ForcedBy::Name,
    };
    let entry = entry("e", "a", PROMPT, 0.0, start);
    let mut renewed = (*mini).clone();
    renewed.id = "mini-2".into();
    let mut renamed = (*mini).clone();
    renamed.name = "tiny".into();
    for (models, choice, fits) in [
        (vec![mini.clone(), other.clone()], named(&other), true),
        (vec![other.clone()], named(&other), false),
        (vec![other.clone()], named(&mini), true),
        (vec![Arc::new(renewed), other.clone()], named(&other), false),
        (vec![Arc::new(renamed), other.clone()], named(&other), false),
    ] {
        let makers = Makers::of(&models, &choice);
        let terms = Terms::new(Directives::default(), Duration::ZERO, makers, start);
        assert_eq!(terms.allow(&entry), fits, "{models:?}");
    }
}

fn found(cache: &Cache, terms: &Terms<'_>) -> CacheVerdict {
    look_on(cache, &keyed("a", "asked"), PROMPT, &at(0.0), terms)
}

fn served(verdict: &CacheVerdict) -> Option<(Level, &str)> {
    match verdict {
        CacheVerdict::Hit { level, entry, .. } => Some((*level, &entry.id)),
        _ => None,
    }
}

#[test]
fn a_fresh_neighbour_comes_before_a_nearer_one_that_has_expired() {
    let mut settings = settings();
    settings.stale_while_revalidate = TTL;
    let (cache, start) = (Cache::synchronous(&settings), Now::read());
    cache.admit(entry("old", "a", "How do I reset my password", 0.0, start));
    let later = start.after(TTL + seconds(60));
    let terms = anybody(TTL, later);
    assert_eq!(served(&found(&cache, &terms)), Some((Level::Semantic, "old")));
    assert_eq!(served(&found(&cache, &anybody(Duration::ZERO, later))), None);
    cache.admit(entry("new", "a", "how do i reset my password?", 3.0, later));
    assert_eq!(served(&found(&cache, &terms)), Some((Level::Semantic, "new")));
    let end = start.after(TTL * 2);
    found(&cache, &anybody(TTL, end));
    assert_eq!(cache.stats().semantic.entries, 1, "past the longest grace it is removed");
}

#[test]
fn max_age_is_held_against_every_neighbour_that_could_answer() {
    let (cache, start) = (Cache::synchronous(&settings()), Now::read());
    // Enough old ones to fill every place of the search, all nearer than the young one.
    for place in 0..30 {
        cache.admit(entry("old", "a", &format!("{PROMPT}{}", "+".repeat(place)), 0.0, start));
    }
    let later = start.after(seconds(600));
    let aged = |oldest| {
        let directives = Directives { max_age: Some(seconds(oldest)), ..Directives::default() };
        Terms::new(directives, Duration::ZERO, Makers::default(), later)
    };
    let verdict = found(&cache, &aged(60));
    assert!(matches!(verdict, CacheVerdict::Request(RequestDetail::MaxAge)), "{verdict:?}");
    cache.admit(entry("young", "a", "how do i reset my password", 4.0, later));
    assert_eq!(served(&found(&cache, &aged(60))), Some((Level::Semantic, "young")));
    assert_eq!(served(&found(&cache, &aged(600))), Some((Level::Semantic, "old")));
    // What would not have answered in any case is no matter of age.
    let other = "Something else in 14 days";
    let verdict = look_on(&cache, &keyed("a", "asked"), other, &at(0.0), &aged(60));
    assert!(matches!(verdict, CacheVerdict::Miss { .. }), "{verdict:?}");
}
