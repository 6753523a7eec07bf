//! How much of the error budget the next lookups may use. Pure.
//!
//! The operator's limit holds for a tenant and route over time, not for every hundred lookups. What
//! was not spent, mostly in the first thousand lookups, when little can be served, is spent later;
//! what was overspent is saved.

use serde::{Deserialize, Serialize};

/// Lookups over which what is left, or missing, is made good.
const HORIZON: f32 = 1200.0;

/// Shares of the limit between which the allowance stays, whatever happened before.
const LEAST: f32 = 0.3;
const MOST: f32 = 3.0;

/// Lookups whose thrift or waste is remembered: a year without a doubtful hit buys no bad month.
const REMEMBERED: f32 = 10_000.0;

/// What was spent on lookups that have left the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    lookups: f32,
    wrong: f32,
}

impl Pace {
    /// Takes in lookups that have left the window, and how many of them were wrong hits by estimate.
    pub fn leave(&mut self, lookups: f32, wrong: f32) {
        self.lookups += lookups;
        self.wrong += wrong;
        if self.lookups > REMEMBERED {
            self.wrong *= REMEMBERED / self.lookups;
            self.lookups = REMEMBERED;
        }
    }

    /// Wrong hits allowed per lookup now, where `limit` are on the whole, and the window has seen
    /// `lookups` with `wrong` wrong hits by estimate.
    pub fn allowance(&self, limit: f32, lookups: f32, wrong: f32) -> f32 {
        let left = limit * (self.lookups + lookups + HORIZON) - self.wrong - wrong;
        (left / HORIZON).clamp(LEAST * limit, MOST * limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_limit_the_limit_is_allowed() {
        let mut pace = Pace::default();
        pace.leave(1000.0, 10.0);
        assert!((pace.allowance(0.01, 6000.0, 60.0) - 0.01).abs() < 1e-5);
    }

    #[test]
    fn thrift_is_spent_later_and_waste_saved() {
        let pace = Pace::default();
        assert!(pace.allowance(0.01, 1000.0, 5.0) > 0.01);
        assert!(pace.allowance(0.01, 1000.0, 15.0) < 0.01);
        assert_eq!(pace.allowance(0.01, 6000.0, 0.0), 0.01 * MOST);
        assert_eq!(pace.allowance(0.01, 6000.0, 600.0), 0.01 * LEAST);
        assert_eq!(pace.allowance(0.0, 6000.0, 0.0), 0.0);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            pace.leave(1000.0, 0.0);
        }
        assert!(pace.lookups <= REMEMBERED);
        // 100 lookups' worth of thrift, and not a thousand.
        assert!(pace.allowance(0.01, 6000.0, 60.0 + 100.0) < 0.01 * 1.01);
    }
}
