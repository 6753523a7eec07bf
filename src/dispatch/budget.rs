//! The retry budget of one provider: repeats may be a share of the requests routed to it, above a
//! floor of ten a second. Pure: the clock is passed in.
//!
//! Without it, an outage multiplies the load of whoever is down by the number of attempts. The
//! balance is kept over a sliding window of ten seconds, as Finagle and Linkerd do: what was
//! neither earned nor spent within it is forgotten.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Repeats that are always allowed, per second.
const FLOOR_PER_SECOND: f64 = 10.0;
/// Length of the window.
const WINDOW: Duration = Duration::from_secs(10);
/// Grain of the window: what is older than the window leaves in steps of this.
const SLOT: Duration = Duration::from_secs(1);

/// What a provider earned and spent within the window.
#[derive(Debug, Clone, Default)]
pub struct RetryBudget {
    /// Start of each slot, requests routed and repeats made in it; oldest first.
    slots: VecDeque<(Instant, u64, u64)>,
}

impl RetryBudget {
    /// A request was routed to the provider.
    pub fn earn(&mut self, now: Instant) {
        self.slot(now).1 += 1;
    }

    /// Whether one more repeat fits, `share` being repeats per request.
    pub fn affords(&self, share: f64, now: Instant) -> bool {
        let (routed, repeated) = self
            .slots
            .iter()
            .filter(|(start, ..)| now.saturating_duration_since(*start) < WINDOW)
            .fold((0, 0), |(routed, repeated), slot| (routed + slot.1, repeated + slot.2));
        let allowed = routed as f64 * share + FLOOR_PER_SECOND * WINDOW.as_secs_f64();
        repeated as f64 + 1.0 <= allowed
    }

    /// Takes one repeat, if it fits.
    pub fn spend(&mut self, share: f64, now: Instant) -> bool {
        let affordable = self.affords(share, now);
        if affordable {
            self.slot(now).2 += 1;
        }
        affordable
    }

    fn slot(&mut self, now: Instant) -> &mut (Instant, u64, u64) {
        while let Some((start, ..)) = self.slots.front()
            && now.saturating_duration_since(*start) >= WINDOW
        {
            self.slots.pop_front();
        }
        let current = self
            .slots
            .back()
            .is_some_and(|(start, ..)| now.saturating_duration_since(*start) < SLOT);
        if !current {
            self.slots.push_back((now, 0, 0));
        }
        self.slots.back_mut().expect("a slot was pushed above if there was none")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::now::Now;

    #[test]
    fn the_floor_alone_allows_ten_a_second() {
        let start = Now::read().mono;
        let mut budget = RetryBudget::default();
        let mut spent = 0;
        for step in 0..300 {
            let now = start + Duration::from_millis(step * 100);
            for _ in 0..10 {
                spent += u64::from(budget.spend(0.2, now));
            }
        }
        assert_eq!(spent, 300, "30 s at ten a second, though 100 a second were tried");
    }

    #[test]
    fn requests_earn_their_share() {
        let now = Now::read().mono;
        let mut budget = RetryBudget::default();
        for _ in 0..1_000 {
            budget.earn(now);
        }
        let spent = (0..1_000).filter(|_| budget.spend(0.2, now)).count();
        assert_eq!(spent, 300, "a fifth of a thousand and the floor of ten seconds");
        assert!(!budget.affords(0.2, now));
        assert!(budget.affords(0.2, now + WINDOW), "what was spent is forgotten after the window");
    }

    #[test]
    fn a_share_of_zero_leaves_the_floor() {
        let now = Now::read().mono;
        let mut budget = RetryBudget::default();
        for _ in 0..1_000 {
            budget.earn(now);
        }
        assert_eq!((0..1_000).filter(|_| budget.spend(0.0, now)).count(), 100);
    }

    proptest::proptest! {
        /// In any window of ten seconds: repeats ≤ share × requests + floor. A slot is a second
        /// wide, so a window of nine full seconds is what is promised exactly.
        #[test]
        fn repeats_stay_within_the_promise(
            script in proptest::collection::vec((0u64..400, proptest::bool::ANY), 1..400)
        ) {
            let mut now = Now::read().mono;
            let mut budget = RetryBudget::default();
            let (mut earned, mut spent) = (Vec::new(), Vec::new());
            for (pause, wants_repeat) in script {
                now += Duration::from_millis(pause);
                if !wants_repeat {
                    budget.earn(now);
                    earned.push(now);
                } else if budget.spend(0.2, now) {
                    spent.push(now);
                }
                let recent = |moments: &[Instant], span: u64| moments
                    .iter()
                    .filter(|moment| now.duration_since(**moment) < Duration::from_secs(span))
                    .count() as f64;
                proptest::prop_assert!(recent(&spent, 9) <= 0.2 * recent(&earned, 10) + 100.0);
            }
        }
    }
}
