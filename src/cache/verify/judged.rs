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

/// Members of a panel, at most.
pub const PANEL: usize = 3;

/// One verdict from those on several entries that are thought to have one answer: the majority, of
/// two *different* only if both say so. Returns how many spoke. Verdicts beyond [`PANEL`] are not
/// heard.
pub fn together(verdicts: impl Iterator<Item = Verdict>) -> (Verdict, u8) {
    let (mut different, mut spoke) = (0_u8, 0_u8);
    for verdict in verdicts.filter(|verdict| *verdict != Verdict::CannotTell).take(PANEL) {
        spoke += 1;
        different += u8::from(verdict == Verdict::Different);
    }
    match (spoke, different) {
        (0, _) => (Verdict::CannotTell, 1),
        (1, 1) | (_, 2..) => (Verdict::Different, spoke),
        _ => (Verdict::Same, spoke),
    }
}

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

    /// The errors of a panel's verdict (see [`together`]), if its members err independently. Where
    /// they err alike the panel calls as many equal pairs different as one member does, which is
    /// more than assumed: the line is then too strict, not too lax.
    pub fn of_panel(&self, members: u8) -> Self {
        let (a, d) = (self.false_same, self.false_different);
        let majority = |p: f32| p * p * (3.0 - 2.0 * p);
        match members {
            0 | 1 => *self,
            2 => Self { false_same: 1.0 - (1.0 - a).powi(2), false_different: d * d },
            _ => Self { false_same: majority(a), false_different: majority(d) },
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

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{CannotTell, Different, Same};

    #[test]
    fn a_panel_goes_by_the_majority() {
        for (verdicts, said) in [
            (vec![], (CannotTell, 1)),
            (vec![CannotTell, Different], (Different, 1)),
            (vec![Same], (Same, 1)),
            (vec![Same, Different], (Same, 2)),
            (vec![Different, Different], (Different, 2)),
            (vec![Different, Same, Different], (Different, 3)),
            (vec![Same, CannotTell, Different, Same, Different], (Same, 3)),
        ] {
            assert_eq!(together(verdicts.iter().copied()), said, "{verdicts:?}");
        }
    }

    /// The stated errors are those of the rule, over every way that independent members can err.
    #[test]
    fn the_errors_of_a_panel_are_those_of_its_rule() {
        let judge = Errors { false_same: 0.1, false_different: 0.03 };
        for members in 1..=PANEL {
            for (truth, wrong, rate) in
                [(Same, Different, judge.false_different), (Different, Same, judge.false_same)]
            {
                let mut errs = 0.0;
                for way in 0..1_u32 << members {
                    let said = |member: usize| if way >> member & 1 == 1 { wrong } else { truth };
                    let odds = (0..members)
                        .map(|member| if said(member) == wrong { rate } else { 1.0 - rate });
                    if together((0..members).map(said)).0 == wrong {
                        errs += odds.product::<f32>();
                    }
                }
                let panel = judge.of_panel(members as u8);
                let stated = if truth == Same { panel.false_different } else { panel.false_same };
                assert!((errs - stated).abs() < 1e-6, "{members} {truth:?}: {errs} {stated}");
            }
        }
    }

    #[test]
    fn a_verdict_moves_what_was_thought() {
        let judge = Errors { false_same: 0.05, false_different: 0.05 };
        assert!(judge.posterior(0.5, true) > 0.94 && judge.posterior(0.5, false) < 0.06);
        assert!((judge.seen(0.01) - (0.01 * 0.95 + 0.99 * 0.05)).abs() < 1e-6);
        assert_eq!(Errors::NONE.posterior(0.3, true), 1.0);
    }
}
