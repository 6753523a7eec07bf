//! How far the score is believed where it serves. Pure.
//!
//! Weights are fitted to every labelled lookup, and most of those were asked because they scored low.
//! What scores high is labelled by chance, one lookup in fifty, and a score may be too sure of itself
//! there, or not sure enough, all over. A line through the log-odds corrects that (Platt 1999): it is
//! fitted to the explored lookups alone, and drawn to the score itself so that a few of them do not
//! move it far.

use super::judged::Errors;
use super::line::{FLOOR, modelled};
use super::window::Row;

/// How strongly the line is drawn to the score: offset and slope.
const HOLD: (f32, f32) = (3.0, 30.0);

/// Newton steps, and how far one may go.
const STEPS: usize = 12;
const STRIDE: (f32, f32) = (0.5, 0.2);

/// Nothing is believed beyond this.
const OFFSETS: (f32, f32) = (-3.0, 3.0);
const SLOPES: (f32, f32) = (0.3, 2.0);

/// The log-odds that are believed of a score: `offset + slope · z`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Belief {
    offset: f32,
    slope: f32,
}

impl Belief {
    /// From the explored lookups among `rows`.
    pub fn of<'a>(rows: impl Iterator<Item = &'a Row>, judge: &Errors) -> Self {
        let explored: Vec<&Row> = rows.filter(|row| row.is_explored()).collect();
        let mut belief = Self { offset: 0.0, slope: 1.0 };
        for _ in 0..STEPS {
            belief.step(&explored, judge);
        }
        belief
    }

    /// Probability that an answer with score `z` is wrong.
    pub fn error(&self, z: f32) -> f32 {
        modelled(self.offset + self.slope * z)
    }

    /// Towards the likeliest labels, as the judge would give them (Fisher scoring).
    fn step(&mut self, explored: &[&Row], judge: &Errors) {
        let mut gradient = (HOLD.0 * self.offset, HOLD.1 * (self.slope - 1.0));
        let mut curve = (HOLD.0, 0.0, HOLD.1);
        for row in explored {
            let errors = judge.of_panel(row.panel);
            let wrong = self.error(row.z);
            let seen = errors.seen(wrong).clamp(1e-4, 1.0 - 1e-4);
            let is_different = if row.label == Some(false) { 1.0 } else { 0.0 };
            let slope = -(wrong - FLOOR) * (1.0 - wrong) / (1.0 - FLOOR) * errors.contrast();
            let pull = (seen - is_different) * slope / (seen * (1.0 - seen));
            let weight = slope * slope / (seen * (1.0 - seen));
            gradient = (gradient.0 + pull, gradient.1 + pull * row.z);
            curve = (curve.0 + weight, curve.1 + weight * row.z, curve.2 + weight * row.z * row.z);
        }
        let determinant = curve.0 * curve.2 - curve.1 * curve.1;
        let offset = (gradient.0 * curve.2 - gradient.1 * curve.1) / determinant;
        let slope = (gradient.1 * curve.0 - gradient.0 * curve.1) / determinant;
        if !(offset.is_finite() && slope.is_finite()) {
            return;
        }
        let moved = |from: f32, by: f32, stride: f32, (low, high): (f32, f32)| {
            (from - by.clamp(-stride, stride)).clamp(low, high)
        };
        self.offset = moved(self.offset, offset, STRIDE.0, OFFSETS);
        self.slope = moved(self.slope, slope, STRIDE.1, SLOPES);
    }
}

#[cfg(test)]
mod tests {
    use super::super::features::COUNT;
    use super::*;

    /// So many explored lookups at each of several scores, `wrong(z)` of them wrong.
    fn explored(count: usize, wrong: impl Fn(f32) -> f32) -> Vec<Row> {
        let at = |z: f32| {
            let different = (wrong(z) * count as f32).round() as usize;
            (0..count).map(move |n| Row {
                values: [0.0; COUNT],
                z,
                label: Some(n >= different),
                panel: 1,
                propensity: 0.02,
                servable: true,
                served: false,
            })
        };
        [1.0, 2.0, 3.0, 4.0, 5.0].into_iter().flat_map(at).collect()
    }

    fn belief(rows: &[Row]) -> Belief {
        Belief::of(rows.iter(), &Errors::NONE)
    }

    #[test]
    fn a_score_that_is_right_is_believed() {
        let belief = belief(&explored(1000, modelled));
        assert!((belief.slope - 1.0).abs() < 0.05 && belief.offset.abs() < 0.1, "{belief:?}");
        assert_eq!(Belief::of([].iter(), &Errors::NONE), Belief { offset: 0.0, slope: 1.0 });
    }

    #[test]
    fn a_score_that_is_too_sure_is_not() {
        let rows = explored(200, |z| modelled(0.5 * z));
        let belief = belief(&rows);
        for z in [1.0, 3.0, 5.0] {
            let (believed, true_error) = (belief.error(z), modelled(0.5 * z));
            assert!((believed / true_error - 1.0).abs() < 0.35, "{z}: {believed} {true_error}");
        }
    }

    #[test]
    fn a_few_labels_do_not_move_it_far() {
        let belief = belief(&explored(1, |_| 0.0));
        assert!(belief.error(3.0) > 0.5 * modelled(3.0), "{belief:?}");
    }

    #[test]
    fn a_judge_that_errs_is_seen_through() {
        let judge = Errors { false_same: 0.05, false_different: 0.05 };
        let rows = explored(1000, |z| judge.seen(modelled(z)));
        let through = Belief::of(rows.iter(), &judge);
        assert!((through.error(4.0) / modelled(4.0) - 1.0).abs() < 0.4, "{through:?}");
        assert!(belief(&rows).error(4.0) > 2.0 * modelled(4.0));
    }

    #[test]
    fn complaints_say_nothing_of_what_nobody_complained_of() {
        let mut rows = explored(20, |_| 1.0);
        for row in &mut rows {
            row.served = true;
        }
        assert_eq!(belief(&rows), Belief { offset: 0.0, slope: 1.0 });
    }

    #[test]
    fn what_is_as_good_as_certain_moves_nothing() {
        let mut rows = explored(40, |_| 0.0);
        for row in &mut rows {
            row.z = 10.0;
        }
        assert!((belief(&rows).slope - 1.0).abs() < 0.02, "{:?}", belief(&rows));
    }

    #[test]
    fn what_was_asked_in_any_case_says_nothing() {
        let mut rows = explored(100, |_| 0.9);
        for row in &mut rows {
            row.propensity = 1.0;
        }
        assert_eq!(belief(&rows), Belief { offset: 0.0, slope: 1.0 });
    }
}
