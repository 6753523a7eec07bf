//! How capable a model is, on the scale of the shipped heads, from a few prompts with known answers.
//! Adding a model to a tier needs no training: it is probed once, and its place is known. Pure;
//! asking the model is `gateway::probing`'s.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::route::choose::{HEADS, adequacy_at};

/// Questions that the assumed place weighs: a handful of answers must not turn a frontier model
/// into a small one.
const PRIOR: f64 = 10.0;

/// Steps in which the place is looked for.
const STEPS: usize = 200;

/// What probing a model found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capability {
    /// A name of `models:`.
    pub model: Arc<str>,
    pub at: Timestamp,
    /// Questions answered, and those of them answered rightly.
    pub asked: usize,
    pub right: usize,
    /// The same by kind of question.
    pub kinds: Vec<(String, usize, usize)>,
    /// From 0, as a small model, to 2, as a frontier one.
    pub position: f64,
    /// What it cost, in US dollars; `None` where the price is unknown.
    pub cost_usd: Option<f64>,
}

/// The place between the heads at which as many right answers are expected as were found.
///
/// `expected` are the heads' P(adequate) on the questions that were answered; `assumed` is the
/// place that the tier would have by its rank in the file.
pub fn position(expected: &[[f64; HEADS]], right: usize, assumed: f64) -> f64 {
    if expected.is_empty() {
        return assumed;
    }
    let count = expected.len() as f64;
    let at =
        |place: f64| expected.iter().map(|heads| adequacy_at(heads, place)).sum::<f64>() / count;
    let found = (right as f64 + PRIOR * at(assumed)) / (count + PRIOR);
    let top = (HEADS - 1) as f64;
    let place = |step: usize| top * step as f64 / STEPS as f64;
    // What is expected rises with the place, so that the first that reaches it is the one.
    (0..=STEPS).map(place).find(|place| at(*place) >= found).unwrap_or(top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_answers_raise_the_place() {
        let expected = [[0.3, 0.6, 0.9]; 60];
        let at = |right| position(&expected, right, 1.0);
        assert!((at(36) - 1.0).abs() < 0.02, "as expected of the middle: {}", at(36));
        assert!(at(20) < 0.5 && at(20) > 0.0);
        assert!(at(50) > 1.5 && at(60) == 2.0 && at(0) == 0.0);
        assert_eq!(position(&[], 0, 1.5), 1.5);
    }

    #[test]
    fn a_handful_says_little() {
        let place = position(&[[0.3, 0.6, 0.9]; 4], 0, 2.0);
        assert!(place > 1.0, "{place}");
    }
}
