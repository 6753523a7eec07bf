//! When a stored answer is asked again, and by whom: whether a hit calls for it is a pure decision,
//! and a claim makes sure that one refresh of an entry is under way at a time.
//!
//! Sending the request and storing its answer is the gateway's business.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{CacheKey, Entry};
use crate::config::settings;
use crate::now::Now;

/// Hits in its present life that make an entry one in demand. An entry that is asked again early
/// loses about the time between two hits of its life, one part in so many at most.
const IN_DEMAND: u64 = 8;

/// After a refresh that brought nothing to store, the entry is left alone for so long: an upstream in
/// trouble is not asked once per hit.
const PAUSE: Duration = Duration::from_secs(10);

/// Keys remembered. Beyond it nothing is refreshed until some are forgotten: entries then expire as
/// they would without.
const MAX_CLAIMS: usize = 10_000;

/// Why an entry is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It was served past its expiry.
    Stale,
    /// It is in demand and about to expire.
    Ahead,
}

/// Whether serving `entry` calls for a refresh. `chance` is uniform in (0, 1].
///
/// Ahead of expiry this is probabilistic early expiration (Vattani, Chierichetti and Lowenstein,
/// 2015): the nearer the expiry the likelier, on the scale of the time that a new answer takes. We
/// add the usual time between two hits, since the refresh must come with a hit: of an entry that is
/// asked for once a minute, the last hit before its expiry falls into the last minute, not into the
/// last second.
pub fn due(entry: &Entry, settings: &settings::Cache, now: Now, chance: f64) -> Option<Due> {
    if !entry.is_fresh(now) {
        return Some(Due::Stale);
    }
    let hits = entry.hits.load(Ordering::Relaxed);
    if !settings.refresh_ahead || hits < IN_DEMAND {
        return None;
    }
    let gap = entry.age(now).as_secs_f64() / hits as f64;
    let scale = entry.took.as_secs_f64() + gap;
    let early = scale * -chance.ln();
    (early >= entry.remaining(now).as_secs_f64()).then_some(Due::Ahead)
}

/// The refreshes under way, and those that failed a moment ago. Clones share the list.
#[derive(Debug, Clone, Default)]
pub struct Refreshes(Arc<Mutex<HashMap<CacheKey, State>>>);

#[derive(Debug, Clone, Copy)]
enum State {
    Running,
    /// Nobody tries before then.
    Failed(Instant),
}

/// The right to refresh one entry. Dropped, it is free for others.
#[derive(Debug)]
pub struct Claim {
    refreshes: Refreshes,
    key: CacheKey,
    failed: Option<Instant>,
}

impl Refreshes {
    /// `None`: somebody is at it, or it failed just now.
    pub fn claim(&self, key: CacheKey, now: Now) -> Option<Claim> {
        let mut claims = self.lock();
        if claims.len() >= MAX_CLAIMS {
            claims.retain(|_, state| !matches!(state, State::Failed(until) if *until <= now.mono));
        }
        let is_taken = match claims.get(&key) {
            Some(State::Running) => true,
            Some(State::Failed(until)) => *until > now.mono,
            None => claims.len() >= MAX_CLAIMS,
        };
        if is_taken {
            return None;
        }
        claims.insert(key, State::Running);
        Some(Claim { refreshes: self.clone(), key, failed: None })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Nothing came of it: nobody tries again for a while.
    pub fn failed(mut self, now: Now) {
        self.failed = Some(now.mono + PAUSE);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claims = self.refreshes.lock();
        match self.failed {
            Some(until) => _ = claims.insert(self.key, State::Failed(until)),
            None => _ = claims.remove(&self.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::memory::tests::{entry, settings};

    const CERTAIN: f64 = 1e-300;

    #[test]
    fn what_was_served_late_is_due_and_what_is_fresh_only_in_demand() {
        let (start, mut settings) = (Now::read(), settings());
        let entry = entry("e", "a", "What is a monad?", 0.0, start);
        let after = |seconds| start.after(Duration::from_secs(seconds));
        assert_eq!(due(&entry, &settings, after(3600), 1.0), Some(Due::Stale));
        assert_eq!(due(&entry, &settings, after(3599), CERTAIN), None, "not switched on");
        settings.refresh_ahead = true;
        assert_eq!(due(&entry, &settings, after(3599), CERTAIN), None, "nobody asks for it");
        entry.hits.store(IN_DEMAND, Ordering::Relaxed);
        assert_eq!(due(&entry, &settings, after(3599), CERTAIN), Some(Due::Ahead));
        assert_eq!(due(&entry, &settings, after(3599), 1.0), None, "chance decides");
    }

    #[test]
    fn the_nearer_the_expiry_the_likelier() {
        let (start, mut settings) = (Now::read(), settings());
        settings.refresh_ahead = true;
        let mut entry = entry("e", "a", "What is a monad?", 0.0, start);
        entry.took = Duration::from_secs(2);
        entry.hits.store(3600, Ordering::Relaxed);
        // Of a thousand equally likely chances, those that refresh: e^(−left / 3 s).
        let share = |left: u64| {
            let now = start.after(Duration::from_secs(3600 - left));
            let chances = (1..=1000).map(|n| f64::from(n) / 1000.0);
            chances.filter(|chance| due(&entry, &settings, now, *chance).is_some()).count()
        };
        assert_eq!([share(60), share(30)], [0, 0]);
        assert!(share(9).abs_diff(50) <= 1 && share(3).abs_diff(368) <= 1, "{}", share(3));
        assert!(share(9) < share(3) && share(3) < share(1));
    }

    #[test]
    fn one_refresh_at_a_time_and_a_pause_after_a_failure() {
        let (refreshes, now) = (Refreshes::default(), Now::read());
        let key = CacheKey([1; 32]);
        let claim = refreshes.claim(key, now).expect("free");
        assert!(refreshes.claim(key, now).is_none());
        let other = refreshes.claim(CacheKey([2; 32]), now);
        assert!(other.is_some(), "another entry is another matter");
        drop(claim);
        refreshes.claim(key, now).expect("free again").failed(now);
        assert!(refreshes.claim(key, now.after(PAUSE - Duration::from_millis(1))).is_none());
        assert!(refreshes.claim(key, now.after(PAUSE)).is_some());
    }

    #[test]
    fn what_failed_is_not_remembered_for_ever() {
        let (refreshes, now) = (Refreshes::default(), Now::read());
        let key = |n: usize| CacheKey(*blake3::hash(&n.to_le_bytes()).as_bytes());
        for n in 0..MAX_CLAIMS {
            refreshes.claim(key(n), now).expect("room").failed(now);
        }
        assert!(refreshes.claim(key(MAX_CLAIMS), now).is_none(), "full");
        assert!(refreshes.claim(key(MAX_CLAIMS), now.after(PAUSE)).is_some());
        assert_eq!(refreshes.lock().len(), 0);
    }
}
