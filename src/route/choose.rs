//! Which tier is good enough, given what the classifier says: thresholds or expected loss. Numbers
//! in, a choice with its reasons out; models and requirements are `plan`'s.

use super::evidence::promise::Lack;
use super::features::Features;
use super::learn::{Learnt, Said, Word};
use super::{Evidence, Loss, RouteReason};

/// Capability positions of the trained heads: `small`, `mid`, `frontier`.
pub const HEADS: usize = 3;

/// What the classifier says about one request.
#[derive(Debug, Clone)]
pub struct Signals {
    /// P(adequate) of the heads, small to frontier; rising.
    pub adequacy: [f64; HEADS],
    /// Standard error, on traffic the heads have not seen, of the gap between each head and the
    /// frontier head.
    pub doubt: [f64; HEADS],
    pub features: Features,
    /// What was learnt of this traffic.
    pub learnt: Learnt,
}

/// One tier that is left after the requirements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    /// P(adequate), as predicted and as callers have said.
    pub adequacy: f64,
    /// Standard error of the gap to the frontier.
    pub doubt: f64,
    /// Threshold mode only.
    pub min_adequacy: Option<f64>,
    /// What the traffic's labels say of it.
    pub word: Option<Word>,
    /// What callers said near the prompt.
    pub said: Said,
}

/// The chosen candidate, and why the cheaper ones were passed over.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice {
    pub index: usize,
    pub reason: RouteReason,
    /// For each candidate before `index`.
    pub passed_over: Vec<String>,
}

/// Where tier `index` of `count` stands between the small head (0) and the frontier head (2).
///
/// A file names its tiers as it likes and may have any number of them; what the heads know is
/// capability. The dearest tier is the frontier and the cheapest of several is small; what lies
/// between is spread evenly. A single tier is the frontier.
pub(super) fn position(index: usize, count: usize) -> f64 {
    let top = (HEADS - 1) as f64;
    if count < 2 { top } else { top * index as f64 / (count - 1) as f64 }
}

/// P(adequate) at a position; between two heads the logits are interpolated.
pub fn adequacy_at(heads: &[f64; HEADS], position: f64) -> f64 {
    let (below, above, share) = around(position);
    if share == 0.0 {
        return heads[below];
    }
    sigmoid(logit(heads[below]) * (1.0 - share) + logit(heads[above]) * share)
}

/// The doubt at a position, interpolated linearly.
pub(super) fn doubt_at(doubt: &[f64; HEADS], position: f64) -> f64 {
    let (below, above, share) = around(position);
    doubt[below] * (1.0 - share) + doubt[above] * share
}

fn around(position: f64) -> (usize, usize, f64) {
    let below = (position.max(0.0) as usize).min(HEADS - 1);
    (below, (below + 1).min(HEADS - 1), position - below as f64)
}

/// Threshold mode: the first candidate whose P(adequate) reaches its value, else the last one.
/// `candidates` is not empty.
pub(super) fn by_threshold(candidates: &[Candidate]) -> Choice {
    let mut passed_over = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let Some(wanted) = candidate.min_adequacy else {
            return Choice { index, reason: RouteReason::LastTier, passed_over };
        };
        if candidate.adequacy >= wanted {
            return Choice { index, reason: RouteReason::Adequate, passed_over };
        }
        passed_over.push(format!("P(adequate) {:.3} < {wanted}", candidate.adequacy));
    }
    passed_over.pop();
    let index = candidates.len() - 1;
    Choice { index, reason: RouteReason::LastTier, passed_over }
}

/// Quality mode: the cheapest candidate of which the traffic's labels show that it keeps the stated
/// loss on requests like this one; without such labels, upward. `stop` is the place of the strongest
/// candidate that may answer, against which losses count. `candidates` is not empty.
pub(super) fn by_loss(candidates: &[Candidate], stop: usize) -> Choice {
    let mut passed_over = Vec::new();
    let mut drifted = false;
    for (index, candidate) in candidates[..stop].iter().enumerate() {
        let word = candidate.word.unwrap_or(Word::Lacks(Lack::Labels { have: 0, need: 1 }));
        let is_kept = match word {
            Word::Kept { gain, kept, .. } => gain < kept.threshold,
            Word::Free => true,
            _ => false,
        };
        if is_kept && !candidate.said.forbids() {
            return Choice { index, reason: RouteReason::WithinLoss, passed_over };
        }
        drifted |= matches!(word, Word::Drift(_));
        passed_over.push(if is_kept {
            "callers complained of its answers to like requests".to_owned()
        } else {
            word.to_string()
        });
    }
    let reason = match stop {
        0 => RouteReason::WithinLoss,
        _ if drifted => RouteReason::Drift,
        _ => RouteReason::Abstained,
    };
    Choice { index: stop, reason, passed_over }
}

/// What the chosen candidate is expected to lose against the one at `stop`.
pub(super) fn loss(candidates: &[Candidate], index: usize, stop: usize) -> Loss {
    let chosen = &candidates[index];
    if index >= stop {
        return Loss { expected: 0.0, bound: 0.0, evidence: Evidence::Baseline };
    }
    if let Some(Word::Kept { gain, kept, labels }) = chosen.word {
        return Loss { expected: gain, bound: kept.bound, evidence: Evidence::Labels(labels) };
    }
    let expected = (candidates[stop].adequacy - chosen.adequacy).max(0.0);
    Loss { expected, bound: expected + chosen.doubt, evidence: Evidence::Heads }
}

pub(super) fn sigmoid(value: f64) -> f64 {
    1.0 / (1.0 + (-value).exp())
}

fn logit(probability: f64) -> f64 {
    let inside = probability.clamp(1e-9, 1.0 - 1e-9);
    (inside / (1.0 - inside)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_tiers_finds_its_place_between_the_heads() {
        let places = |count: usize| (0..count).map(|i| position(i, count)).collect::<Vec<_>>();
        assert_eq!(places(1), [2.0]);
        assert_eq!(places(2), [0.0, 2.0]);
        assert_eq!(places(3), [0.0, 1.0, 2.0]);
        assert_eq!(places(5), [0.0, 0.5, 1.0, 1.5, 2.0]);
    }

    #[test]
    fn between_two_heads_logits_are_interpolated() {
        let heads = [0.5, 0.5, 0.9];
        assert_eq!(adequacy_at(&heads, 0.0), 0.5);
        assert_eq!(adequacy_at(&heads, 2.0), 0.9);
        assert!((adequacy_at(&heads, 0.5) - 0.5).abs() < 1e-12);
        // Half way between logit 0 and logit ln 9 lies ln 3, which is 3 to 1.
        assert!((adequacy_at(&heads, 1.5) - 0.75).abs() < 1e-12);
        assert!((doubt_at(&[0.4, 0.2, 0.0], 1.5) - 0.1).abs() < 1e-12);
        assert_eq!(doubt_at(&[0.4, 0.2, 0.0], 2.0), 0.0);
    }
}
