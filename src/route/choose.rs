//! Which tier is good enough, given what the classifier says: thresholds or expected loss. Numbers
//! in, a choice with its reasons out; models and requirements are `plan`'s.

use super::RouteReason;
use super::features::Features;

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
}

/// One tier that is left after the requirements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    /// P(adequate).
    pub adequacy: f64,
    /// Standard error of the gap to the frontier.
    pub doubt: f64,
    /// Threshold mode only.
    pub min_adequacy: Option<f64>,
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
pub(super) fn adequacy_at(heads: &[f64; HEADS], position: f64) -> f64 {
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

/// Quality mode: the cheapest candidate whose loss against the baseline's tier stays within
/// `max_loss` with probability `confidence`; nothing within it is an abstention, upward.
///
/// The loss is P(baseline adequate) − P(candidate adequate). Doubt is the standard error of that
/// gap on traffic unlike the training sets; the bound is one-sided and normal. `baseline` is the
/// baseline tier's P(adequate) and its place among the candidates, if it is one: at and above it
/// nothing is lost. `candidates` is not empty.
pub(super) fn by_loss(
    candidates: &[Candidate],
    baseline: (f64, Option<usize>),
    max_loss: f64,
    confidence: f64,
) -> Choice {
    let deviations = normal_quantile(confidence).max(0.0);
    let (baseline_adequacy, baseline_index) = baseline;
    let last = candidates.len() - 1;
    let stop = baseline_index.unwrap_or(last);
    let mut passed_over = Vec::new();
    for (index, candidate) in candidates[..stop].iter().enumerate() {
        let loss = (baseline_adequacy - candidate.adequacy).max(0.0);
        let bound = loss + deviations * candidate.doubt;
        if bound <= max_loss {
            return Choice { index, reason: RouteReason::WithinLoss, passed_over };
        }
        passed_over.push(format!(
            "expected loss {:.1} %, {:.1} % at confidence {confidence}, over {:.1} %",
            loss * 100.0,
            bound * 100.0,
            max_loss * 100.0
        ));
    }
    let reason = if stop == 0 { RouteReason::WithinLoss } else { RouteReason::Abstained };
    Choice { index: stop, reason, passed_over }
}

pub(super) fn sigmoid(value: f64) -> f64 {
    1.0 / (1.0 + (-value).exp())
}

fn logit(probability: f64) -> f64 {
    let inside = probability.clamp(1e-9, 1.0 - 1e-9);
    (inside / (1.0 - inside)).ln()
}

/// Inverse of the standard normal distribution, by bisection of its integral (Abramowitz and
/// Stegun 26.2.17, error below 1e-7). Exact enough for a margin, and a dozen lines.
pub(super) fn normal_quantile(probability: f64) -> f64 {
    let wanted = probability.clamp(1e-6, 1.0 - 1e-6);
    let (mut low, mut high) = (-5.0, 5.0);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if normal_below(middle) < wanted { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

fn normal_below(value: f64) -> f64 {
    const TERMS: [f64; 5] = [0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
    let t = 1.0 / (1.0 + 0.2316419 * value.abs());
    let polynomial = TERMS.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    let density = (-value * value / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let above = density * polynomial;
    if value >= 0.0 { 1.0 - above } else { above }
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

    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        for (probability, quantile) in [(0.5, 0.0), (0.9, 1.281_552), (0.99, 2.326_348)] {
            assert!((normal_quantile(probability) - quantile).abs() < 1e-5);
            assert!((normal_quantile(1.0 - probability) + quantile).abs() < 1e-5);
        }
        assert!(normal_quantile(1.0).is_finite() && normal_quantile(0.0).is_finite());
    }
}
