//! Has the traffic, or have the answers, changed? A cumulative sum (Page 1954) over verdicts that
//! should nearly all be *same*. Pure.

use serde::{Deserialize, Serialize};

use super::judged::Errors;

/// The statistic at which it is an alarm.
const ALARM: f32 = 9.0;

/// The rise in the error rate that is looked for.
const RISE: f32 = 0.25;

/// Verdicts count where so much error at most was expected.
pub const MOST_EXPECTED: f32 = 0.25;

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Drift {
    pub statistic: f32,
    /// Number of the lookup at which the statistic last left zero.
    since: u64,
}

impl Drift {
    /// Takes in a verdict on a lookup whose expected error was `expected`. On an alarm returns the
    /// number of the lookup from which on what was learnt is void, and begins anew.
    pub fn take(&mut self, lookup: u64, same: bool, expected: f32, judge: &Errors) -> Option<u64> {
        let before = expected.max(0.01);
        let after = before + RISE * (1.0 - before);
        let (before, after) = (judge.seen(before), judge.seen(after));
        let step = if same { (1.0 - after) / (1.0 - before) } else { after / before };
        if self.statistic == 0.0 {
            self.since = lookup;
        }
        self.statistic = (self.statistic + step.ln()).max(0.0);
        if self.statistic <= ALARM {
            return None;
        }
        let since = self.since;
        *self = Self::default();
        Some(since)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    const ERRS: Errors = Errors { false_same: 0.05, false_different: 0.05 };

    /// Takes in verdicts of which a share is *different*; returns the alarms as (at, void from).
    fn alarms(
        wrong: f32,
        verdicts: u64,
        expected: f32,
        judge: &Errors,
        seed: u64,
    ) -> Vec<(u64, u64)> {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut drift = Drift::default();
        let take = |lookup| {
            let same = rng.random::<f32>() >= wrong;
            Some((lookup, drift.take(lookup, same, expected, judge)?))
        };
        (0..verdicts).filter_map(take).collect()
    }

    /// Verdicts *different* in a row that make an alarm.
    fn run_to_alarm(expected: f32, judge: &Errors) -> Option<u64> {
        let mut drift = Drift::default();
        (1..100).find(|lookup| drift.take(*lookup, false, expected, judge).is_some())
    }

    #[test]
    fn a_burst_of_different_is_an_alarm_that_voids_from_its_first() {
        let mut drift = Drift::default();
        for lookup in 0..500 {
            assert_eq!(drift.take(lookup, true, 0.01, &Errors::NONE), None);
            assert_eq!(drift.statistic, 0.0);
        }
        // Each *different* adds ln(0.2575 / 0.01) = 3.25, a *same* in between takes 0.29.
        assert_eq!(drift.take(503, false, 0.01, &Errors::NONE), None);
        assert!((drift.statistic - 3.248).abs() < 0.001, "{}", drift.statistic);
        assert_eq!(drift.take(507, false, 0.01, &Errors::NONE), None);
        assert_eq!(drift.take(508, true, 0.01, &Errors::NONE), None);
        assert_eq!(drift.take(509, false, 0.01, &Errors::NONE), Some(503));
        assert_eq!(drift, Drift::default(), "begins anew");
    }

    #[test]
    fn where_errors_are_expected_it_takes_more_of_them() {
        assert_eq!(run_to_alarm(0.0, &Errors::NONE), Some(3));
        assert_eq!(run_to_alarm(0.01, &Errors::NONE), Some(3));
        // ln(0.4 / 0.2) = 0.69 each.
        assert_eq!(run_to_alarm(0.2, &Errors::NONE), Some(13));
        // A judge that errs: ln(0.2818 / 0.059) = 1.56 each.
        assert_eq!(run_to_alarm(0.01, &ERRS), Some(6));
    }

    #[test]
    fn errors_at_the_expected_rate_are_no_alarm() {
        for seed in 0..5 {
            for expected in [0.01, 0.05, 0.2] {
                let alarms = alarms(expected, 2000, expected, &Errors::NONE, seed);
                assert_eq!(alarms, [], "{expected} {seed}");
            }
        }
    }

    #[test]
    fn a_rise_of_the_error_is_noticed_within_some_fifty_verdicts() {
        for seed in 0..20 {
            let alarms = alarms(0.4, 60, 0.01, &Errors::NONE, seed);
            assert!(alarms.first().is_some_and(|(at, void)| void <= at), "{seed}");
        }
    }

    #[test]
    fn a_judge_known_to_err_raises_no_alarm_by_its_errors() {
        let reported = ERRS.seen(0.01);
        let count = |judge: &Errors| -> usize {
            (0..10).map(|seed| alarms(reported, 1000, 0.01, judge, seed).len()).sum()
        };
        let (told, untold) = (count(&ERRS), count(&Errors::NONE));
        assert!(told <= 1 && untold >= 10, "{told} {untold}");
        // What it does notice is a rise behind them.
        let risen = alarms(ERRS.seen(0.5), 60, 0.01, &ERRS, 1);
        assert!(!risen.is_empty());
    }
}
