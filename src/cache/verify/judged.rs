//! What a judge's word is worth: its two rates of error, and what follows from them.
//! Pure. Comparing answers is `crate::judge`'s business.

use serde::{Deserialize, Serialize};

pub use crate::judge::Verdict;

/// How often a judge that speaks is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// Share of differing pairs that it calls the same.
    pub false_same: f32,
    /// Share of equal pairs that it calls different.
    pub false_different: f32,
}

/// No judge is quite right: the log-odds of a verdict stay finite.
const LEAST: f32 = 0.002;

/// Log-odds lost where the judge cannot tell.
const SILENCE: f32 = -3.0;

impl Errors {
    /// A judge that knows, as a label does.
    pub const NONE: Self = Self { false_same: 0.0, false_different: 0.0 };

    /// Verdicts that it takes to move an entry, or to verify a group.
    pub fn need(&self) -> u8 {
        if self.false_same == 0.0 && self.false_different == 0.0 { 1 } else { 2 }
    }

    /// Log-odds that a verdict adds.
    pub fn evidence(&self, verdict: Verdict) -> f32 {
        let (a, d) = (self.false_same.max(LEAST), self.false_different.max(LEAST));
        match verdict {
            Verdict::Same => ((1.0 - d) / a).ln(),
            Verdict::Different => (d / (1.0 - a)).ln(),
            Verdict::CannotTell => SILENCE,
        }
    }

    /// 1 − a − d: how much of a difference in truth shows in the verdicts.
    pub fn contrast(&self) -> f32 {
        (1.0 - self.false_same - self.false_different).max(0.05)
    }

    /// The share of verdicts *different* where a share `wrong` differs in truth.
    pub fn seen(&self, wrong: f32) -> f32 {
        wrong * (1.0 - self.false_same) + (1.0 - wrong) * self.false_different
    }

    /// Probability that a pair is the same, given the verdict and what was thought before.
    pub fn posterior(&self, before: f32, same: bool) -> f32 {
        let (a, d) = (self.false_same, self.false_different);
        let (if_same, if_not) = if same { (1.0 - d, a) } else { (d, 1.0 - a) };
        let joint = before * if_same;
        let all = joint + (1.0 - before) * if_not;
        if all <= 0.0 { before } else { joint / all }
    }
}
