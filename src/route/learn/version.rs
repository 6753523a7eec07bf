//! What has been learnt of a tenant and route, in versions: on which labels each rests and what
//! came of them. A version can be gone back to; the labels that came after it then count no more,
//! and those that come from now on do. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::knowledge::Saved;
use super::watch::Watch;
use crate::route::evidence::shift::Watched;

/// Labels are numbered as they come.
pub type Number = i64;

/// Which labels count: those within any of these ranges, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranges(Vec<(Number, Number)>);

impl Ranges {
    /// Every label after this one.
    pub fn after(number: Number) -> Self {
        Self(vec![(number + 1, Number::MAX)])
    }

    pub fn contains(&self, number: Number) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&number))
    }

    /// These up to `last`, and then every label after `now`.
    pub fn again(&self, last: Number, now: Number) -> Self {
        let clipped = self.0.iter().map(|(from, to)| (*from, (*to).min(last)));
        let mut ranges: Vec<_> = clipped.filter(|(from, to)| from <= to).collect();
        ranges.push((now + 1, Number::MAX));
        Self(ranges)
    }
}

/// Why there is a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// More labels.
    Learnt,
    /// The traffic is another: what was known is put aside.
    Drift(Watched),
    /// Somebody went back to that version.
    Rollback(u32),
}

/// What was known at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Counts from 1 within its tenant and route.
    pub number: u32,
    pub at: Timestamp,
    pub cause: Cause,
    /// What is learnt of, as far as it had come.
    pub ranges: Ranges,
    /// The last label that there was.
    pub last: Number,
    /// By name of the pair.
    pub pairs: BTreeMap<String, Saved>,
    pub watch: Watch,
    /// Why the stronger tier answers until there are new labels.
    pub fallen: Option<Watched>,
    /// Identity of the basis that `pairs` rest on.
    pub basis: String,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Learnt => f.write_str("learnt"),
            Self::Drift(watched) => write!(f, "drift of {}", watched.name()),
            Self::Rollback(to) => write!(f, "rollback to {to}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_back_drops_what_came_between() {
        let first = Ranges::after(10);
        assert!(!first.contains(10) && first.contains(11) && first.contains(99));
        let again = first.again(20, 50);
        let counting =
            |ranges: &Ranges| (0..60).filter(|n| ranges.contains(*n)).collect::<Vec<_>>();
        assert_eq!(counting(&again), (11..=20).chain(51..60).collect::<Vec<_>>());
        let twice = again.again(15, 55);
        assert_eq!(counting(&twice), (11..=15).chain(56..60).collect::<Vec<_>>());
        assert_eq!(first.again(5, 50), Ranges::after(50), "a range that had not begun is gone");
    }
}
