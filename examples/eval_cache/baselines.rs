//! What semgate is measured against, both with perfect labels: one cosine threshold, chosen with
//! hindsight for the budget, and vCache (Schroeder et al., arXiv 2502.03771) at the same δ.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::run::{Counts, Outcome};
use super::stream::Stream;

/// The best fixed threshold: tried from 0.5 to 1 in steps of 0.005, each by a run of its own, since
/// what is served is not stored. The one with the most hits at no more than `limit` wrong.
pub fn fixed(stream: &Stream, limit: f64) -> (f32, Counts) {
    let runs = super::parallel(100, |step| {
        let threshold = 0.5 + step as f32 * 0.005;
        (threshold, at(stream, threshold))
    });
    let kept = runs.into_iter().filter(|(_, counts)| counts.wrong_rate() <= limit);
    let best = kept.max_by(|a, b| a.1.hit_rate().total_cmp(&b.1.hit_rate()));
    best.unwrap_or((1.0, Counts { lookups: stream.len(), ..Counts::default() }))
}

/// A fixed threshold.
pub fn at(stream: &Stream, threshold: f32) -> Counts {
    let mut stored = vec![false; stream.len()];
    let outcomes: Vec<Outcome> = (0..stream.len())
        .map(|query| match stream.nearest_one(query, &stored) {
            Some((entry, cosine)) if cosine >= threshold => told(stream, query, entry),
            _ => {
                stored[query] = true;
                Outcome::Miss
            }
        })
        .collect();
    Counts::of(&outcomes)
}

fn told(stream: &Stream, query: usize, entry: usize) -> Outcome {
    if stream.answers[query] == stream.answers[entry] { Outcome::Right } else { Outcome::Wrong }
}

/// Confidences over which vCache takes its best bound.
const EPSILONS: [f64; 8] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.45];

/// Verdicts without which an entry is always explored. Each begins with two, as the authors' own code
/// has it: nothing is alike at cosine 0, everything at 1.
const LEAST: usize = 6;
const ANCHORS: [(f64, bool); 2] = [(0.0, false), (1.0, true)];

/// vCache: each entry keeps the similarities and verdicts of the queries it was nearest to, fits a
/// logistic curve of its own to them, and is explored with the probability that keeps the error
/// below δ given the curve's confidence band.
pub fn vcache(stream: &Stream, delta: f64, seed: u64) -> Counts {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut stored = vec![false; stream.len()];
    let mut seen: Vec<Vec<(f64, bool)>> = vec![ANCHORS.to_vec(); stream.len()];
    let mut outcomes = Vec::with_capacity(stream.len());
    for query in 0..stream.len() {
        let Some((entry, cosine)) = stream.nearest_one(query, &stored) else {
            stored[query] = true;
            outcomes.push(Outcome::Miss);
            continue;
        };
        let explores = exploration(&seen[entry], f64::from(cosine), delta);
        if rng.random::<f64>() >= explores {
            outcomes.push(told(stream, query, entry));
            continue;
        }
        let same = stream.answers[query] == stream.answers[entry];
        seen[entry].push((f64::from(cosine), same));
        // A query answered alike adds nothing: the entry stands for both.
        stored[query] = !same;
        outcomes.push(Outcome::Explored);
    }
    Counts::of(&outcomes)
}

/// Probability of exploring: the least τ over confidences 1 − ε with
/// (1 − τ)(1 − α(1 − ε)) ≤ δ, where α is the lower end of the curve's band.
fn exploration(seen: &[(f64, bool)], similarity: f64, delta: f64) -> f64 {
    if seen.len() < LEAST {
        return 1.0;
    }
    let Some(curve) = Curve::fit(seen) else { return 1.0 };
    let least = |epsilon: f64| {
        let certain = curve.lower(similarity, epsilon) * (1.0 - epsilon);
        1.0 - delta / (1.0 - certain).max(f64::MIN_POSITIVE)
    };
    EPSILONS.map(least).into_iter().fold(1.0, f64::min).clamp(0.0, 1.0)
}

/// P(same | similarity) = σ(a + b · similarity), and the covariance of a and b.
struct Curve {
    at: [f64; 2],
    covariance: [[f64; 2]; 2],
}

impl Curve {
    /// Maximum likelihood with a faint ridge, since separable verdicts have none.
    fn fit(seen: &[(f64, bool)]) -> Option<Self> {
        const RIDGE: f64 = 0.01;
        let mut at = [0.0_f64; 2];
        let mut covariance = [[0.0; 2]; 2];
        for _ in 0..30 {
            let mut gradient = [RIDGE * at[0], RIDGE * at[1]];
            let mut h = [[RIDGE, 0.0], [0.0, RIDGE]];
            for (similarity, same) in seen {
                let x = [1.0, *similarity - 0.8];
                let p = sigmoid(at[0] * x[0] + at[1] * x[1]);
                for i in 0..2 {
                    gradient[i] += (p - f64::from(u8::from(*same))) * x[i];
                    for j in 0..2 {
                        h[i][j] += p * (1.0 - p) * x[i] * x[j];
                    }
                }
            }
            let determinant = h[0][0] * h[1][1] - h[0][1] * h[1][0];
            if determinant <= 0.0 {
                return None;
            }
            covariance = [
                [h[1][1] / determinant, -h[0][1] / determinant],
                [-h[1][0] / determinant, h[0][0] / determinant],
            ];
            for i in 0..2 {
                let step = covariance[i][0] * gradient[0] + covariance[i][1] * gradient[1];
                at[i] -= step.clamp(-5.0, 5.0);
            }
        }
        Some(Self { at, covariance })
    }

    /// Lower end of the one-sided band with confidence 1 − ε.
    fn lower(&self, similarity: f64, epsilon: f64) -> f64 {
        let x = [1.0, similarity - 0.8];
        let mean = self.at[0] * x[0] + self.at[1] * x[1];
        let variance: f64 =
            (0..2).map(|i| (0..2).map(|j| x[i] * self.covariance[i][j] * x[j]).sum::<f64>()).sum();
        sigmoid(mean - quantile(1.0 - epsilon) * variance.max(0.0).sqrt())
    }
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Quantile of the normal distribution for p above one half (Abramowitz and Stegun 26.2.23).
fn quantile(p: f64) -> f64 {
    let t = (-2.0 * (1.0 - p).ln()).sqrt();
    t - (2.515_517 + 0.802_853 * t + 0.010_328 * t * t)
        / (1.0 + 1.432_788 * t + 0.189_269 * t * t + 0.001_308 * t.powi(3))
}
