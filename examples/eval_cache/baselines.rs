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

/// Confidences 1 − ε over which vCache takes its best bound: as many, evenly spread.
const CONFIDENCES: usize = 50;

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
/// (1 − τ)(1 − α(1 − ε)) ≤ δ, where α is what the curve gives if its threshold lies at the upper end of
/// its band.
fn exploration(seen: &[(f64, bool)], similarity: f64, delta: f64) -> f64 {
    if seen.len() < LEAST {
        return 1.0;
    }
    let Some(curve) = Curve::fit(seen) else { return 1.0 };
    let least = |step: usize| {
        let epsilon = (step as f64 / (CONFIDENCES - 1) as f64).clamp(1e-6, 1.0 - 1e-6);
        let certain = curve.lower(similarity, epsilon) * (1.0 - epsilon);
        1.0 - delta / (1.0 - certain).max(f64::MIN_POSITIVE)
    };
    (0..CONFIDENCES).map(least).fold(1.0, f64::min).clamp(0.0, 1.0)
}

/// P(same | similarity) = σ(slope · (similarity − threshold)), and how well the threshold is known.
struct Curve {
    threshold: f64,
    slope: f64,
    variance: f64,
}

/// Slope where verdicts are separable and likelihood knows no end to it.
const STEEP: f64 = 1000.0;

impl Curve {
    /// Maximum likelihood. The variance is the delta method's; of separable verdicts, which have none,
    /// it follows the table that the authors' code has for them: 0.035 at six verdicts, 0.02 at ten,
    /// 0.01 from some thirteen on.
    fn fit(seen: &[(f64, bool)]) -> Option<Self> {
        let of = |kind: bool| seen.iter().filter(move |(_, same)| *same == kind).map(|(s, _)| *s);
        let highest = of(false).fold(f64::NEG_INFINITY, f64::max);
        let lowest = of(true).fold(f64::INFINITY, f64::min);
        if lowest > highest {
            let variance = (0.0354 * (6.0 / seen.len() as f64).powf(1.6)).max(0.01);
            return Some(Self {
                threshold: f64::midpoint(lowest, highest),
                slope: STEEP,
                variance,
            });
        }
        let ([a, b], covariance) = likeliest(seen)?;
        let slope = b.max(1e-6);
        let gradient = [-1.0 / slope, a / (slope * slope)];
        let variance = (0..2)
            .map(|i| (0..2).map(|j| gradient[i] * covariance[i][j] * gradient[j]).sum::<f64>())
            .sum::<f64>()
            .max(0.0);
        Some(Self { threshold: (-a / slope).clamp(0.0, 1.0), slope, variance })
    }

    /// P(same) if the threshold lies at the upper end of its band with confidence 1 − ε.
    fn lower(&self, similarity: f64, epsilon: f64) -> f64 {
        let threshold = self.threshold + quantile(1.0 - epsilon) * self.variance.sqrt();
        sigmoid(self.slope * (similarity - threshold.clamp(0.0, 1.0)))
    }
}

/// Offset and slope of the likeliest logistic curve, and their covariance, by Newton's method.
fn likeliest(seen: &[(f64, bool)]) -> Option<([f64; 2], [[f64; 2]; 2])> {
    let mut at = [0.0_f64; 2];
    let mut covariance = [[0.0; 2]; 2];
    for _ in 0..50 {
        let mut gradient = [0.0; 2];
        let mut h = [[1e-9, 0.0], [0.0, 1e-9]];
        for (similarity, same) in seen {
            let x = [1.0, *similarity];
            let p = sigmoid(at[0] + at[1] * x[1]);
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
        let step = |i: usize| covariance[i][0] * gradient[0] + covariance[i][1] * gradient[1];
        let length = step(0).abs().max(step(1).abs());
        let share = (5.0 / length.max(f64::MIN_POSITIVE)).min(1.0);
        at = [at[0] - share * step(0), at[1] - share * step(1)];
    }
    Some((at, covariance))
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Quantile of the normal distribution (Abramowitz and Stegun 26.2.23).
fn quantile(p: f64) -> f64 {
    if p < 0.5 {
        return -quantile(1.0 - p);
    }
    let t = (-2.0 * (1.0 - p).ln()).sqrt();
    t - (2.515_517 + 0.802_853 * t + 0.010_328 * t * t)
        / (1.0 + 1.432_788 * t + 0.189_269 * t * t + 0.001_308 * t.powi(3))
}
