//! Ranking with few labels: the learnt gain and the cold-start score, each in its own standard
//! deviations, by how many labels there are. For ranking alone: decisions in money or quality use
//! the gain, promises their test. Pure.

use serde::{Deserialize, Serialize};

/// Labels at which both count alike.
const EVEN: f64 = 50.0;

/// Where two scores stand among the first prompts of the traffic; recomputed at each refit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blend {
    gain: Place,
    cold: Place,
    labels: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    mean: f64,
    /// 1 / deviation; 0 if the score does not vary, so that it says nothing.
    scale: f64,
}

impl Place {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let count = values.clone().count().max(1) as f64;
        let mean = values.clone().sum::<f64>() / count;
        let deviation = (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        Self { mean, scale: if deviation > 1e-9 { 1.0 / deviation } else { 0.0 } }
    }

    fn at(self, value: f64) -> f64 {
        (value - self.mean) * self.scale
    }
}

impl Blend {
    /// From (gain, cold score) of the first prompts, and how many labels are behind the gain.
    pub fn of(first: &[(f64, f64)], labels: f64) -> Self {
        let gain = Place::of(first.iter().map(|pair| pair.0));
        let cold = Place::of(first.iter().map(|pair| pair.1));
        Self { gain, cold, labels }
    }

    /// Higher wants the strong model.
    pub fn score(&self, gain: f64, cold: f64) -> f64 {
        (self.labels * self.gain.at(gain) + EVEN * self.cold.at(cold)) / (self.labels + EVEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_shift_the_ranking_from_the_cold_score_to_the_learnt_one() {
        let first = [(0.1, 30.0), (0.3, 10.0), (0.2, 20.0)];
        let score = |labels: f64, n: usize| Blend::of(&first, labels).score(first[n].0, first[n].1);
        assert!(score(0.0, 0) > score(0.0, 1));
        assert!((score(EVEN, 0) - score(EVEN, 1)).abs() < 1e-12);
        assert!(score(1000.0, 0) < score(1000.0, 1));
    }

    #[test]
    fn a_score_is_in_deviations_and_one_that_does_not_vary_says_nothing() {
        let blend = Blend::of(&[(0.0, 5.0), (2.0, 5.0)], EVEN);
        assert!((blend.score(3.0, 999.0) - 1.0).abs() < 1e-12);
        let nothing = Blend::of(&[], 0.0);
        assert_eq!(nothing.score(1.0, 1.0), 0.0);
    }
}
