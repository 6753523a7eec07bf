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
