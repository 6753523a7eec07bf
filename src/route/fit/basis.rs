//! Fits the basis: the directions of the vector that the heads of a pair read. Principal components
//! of the training prompts say what prompts are about; factors say on which prompts *other* models
//! part ways, which is a good guess for a new pair.

use std::collections::{BTreeMap, BTreeSet};

use super::eigen::{Direction, eigen};
use super::normal::Normal;
use super::{centre, moments, rounded};
use crate::route::evidence::cholesky::dot;
use crate::route::evidence::inputs::{Basis, FACTORS};

/// Components that ship. On recorded traffic 64 do as well as 160, and a fit costs half.
pub const COMPONENTS: usize = 64;
/// Brings the components of a unit vector to the size at which the penalty was chosen.
const VECTOR_SCALE: f64 = 4.5;
/// Penalty of a model's residual on the scaled vector.
const PENALTY: f64 = 200.0;
/// A model takes part if it was recorded on this share of the prompts.
const LEAST_SHARE: f64 = 0.8;

/// A prompt with what each of several models scored on it.
#[derive(Debug, Clone)]
pub struct Scored<'a> {
    /// Unit vector.
    pub vector: &'a [f32],
    /// Model and its quality in [0, 1]; a model may be absent.
    pub scores: &'a BTreeMap<String, f64>,
}

/// The basis: components of `prompts`, factors of `scored`, which are standardised on `prompts`.
/// `None` where the data have too few directions.
pub fn fit(prompts: &[&[f32]], scored: &[Scored<'_>]) -> Option<Basis> {
    let dimensions = prompts.first()?.len();
    let components = components(prompts, dimensions);
    let factors = factors(scored, dimensions);
    if components.len() < COMPONENTS || factors.len() < FACTORS {
        return None;
    }
    let factors = flat(&factors[..FACTORS]);
    let (factor_mean, factor_scale) = factors
        .chunks_exact(dimensions)
        .map(|factor| {
            let factor: Vec<f64> = factor.iter().copied().map(f64::from).collect();
            let values: Vec<f64> =
                prompts.iter().map(|vector| dot(&factor, &doubled(vector))).collect();
            let (mean, deviation) = moments(&values);
            (rounded(mean, 5), rounded(1.0 / deviation.max(1e-9), 4))
        })
        .unzip();
    let components = flat(&components[..COMPONENTS]);
    Some(Basis { dimensions, factors, factor_mean, factor_scale, components })
}

/// Unit directions, one after another.
fn flat(directions: &[Vec<f64>]) -> Vec<f32> {
    directions.iter().flatten().map(|entry| rounded(*entry, 4)).collect()
}

fn doubled(vector: &[f32]) -> Vec<f64> {
    vector.iter().copied().map(f64::from).collect()
}

/// The sums of the vectors about their mean, with the residuals as targets.
fn sums<'a>(
    vectors: impl Iterator<Item = &'a [f32]> + Clone,
    targets: &[Vec<f64>],
    dimensions: usize,
    scale: f64,
) -> Normal {
    let mean = centre(vectors.clone());
    let mut sums = Normal::new(dimensions, targets.first().map_or(0, Vec::len));
    for (n, vector) in vectors.enumerate() {
        let x: Vec<f64> =
            vector.iter().zip(&mean).map(|(x, m)| (f64::from(*x) - m) * scale).collect();
        sums.add(&x, targets.get(n).map_or(&[][..], Vec::as_slice), 1.0);
    }
    sums
}

/// Principal components, the strongest first.
fn components(prompts: &[&[f32]], dimensions: usize) -> Vec<Vec<f64>> {
    let covariance = sums(prompts.iter().copied(), &[], dimensions, 1.0).square();
    eigen(covariance).into_iter().map(|direction| direction.vector).collect()
}

/// Reduced-rank regression: a ridge for each model's residual, and of the fitted values B the
/// directions in which they vary most: for the covariance C of the inputs the leading eigenvectors
/// u of BᵀCB give the factors B·u.
fn factors(scored: &[Scored<'_>], dimensions: usize) -> Vec<Vec<f64>> {
    let residuals = residuals(scored);
    let vectors = scored.iter().map(|row| row.vector);
    let sums = sums(vectors, &residuals, dimensions, VECTOR_SCALE);
    let fitted = sums.solve(PENALTY);
    let covariance = sums.square();
    let turned: Vec<Vec<f64>> = fitted
        .iter()
        .map(|column| covariance.iter().map(|row| dot(row, column)).collect())
        .collect();
    let between: Vec<Vec<f64>> =
        turned.iter().map(|a| fitted.iter().map(|b| dot(a, b)).collect()).collect();
    eigen(between).iter().filter_map(|direction| combined(&fitted, direction)).collect()
}

/// B·u, of unit length.
fn combined(fitted: &[Vec<f64>], direction: &Direction) -> Option<Vec<f64>> {
    let mut sum = vec![0.0; fitted.first()?.len()];
    for (column, share) in fitted.iter().zip(&direction.vector) {
        sum.iter_mut().zip(column).for_each(|(sum, entry)| *sum += share * entry);
    }
    let length = dot(&sum, &sum).sqrt();
    (length > 0.0).then(|| sum.iter().map(|entry| entry / length).collect())
}

/// What is left of each score when the model's and the prompt's level are taken off; a score that
/// is not there counts as the model's level.
fn residuals(scored: &[Scored<'_>]) -> Vec<Vec<f64>> {
    let names: BTreeSet<&str> =
        scored.iter().flat_map(|row| row.scores.keys().map(String::as_str)).collect();
    let mut rows = vec![Vec::new(); scored.len()];
    for name in names {
        let column: Vec<Option<f64>> =
            scored.iter().map(|row| row.scores.get(name).copied()).collect();
        let known: Vec<f64> = column.iter().copied().flatten().collect();
        if (known.len() as f64) < LEAST_SHARE * scored.len() as f64 {
            continue;
        }
        let (mean, _) = moments(&known);
        for (row, score) in rows.iter_mut().zip(column) {
            row.push(score.map_or(0.0, |score| score - mean));
        }
    }
    for row in &mut rows {
        let (mean, _) = moments(row);
        row.iter_mut().for_each(|residual| *residual -= mean);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::fit::tests::{DIMENSIONS, Prompt};

    fn prompts() -> Vec<Prompt> {
        (0..900).map(|n| Prompt::new(n, "a")).collect()
    }

    /// Twelve models, each better where a component of its own is large; all of them better where
    /// the last one is.
    fn scores(prompt: &Prompt) -> BTreeMap<String, f64> {
        let score = |model: usize| {
            let own = f64::from(prompt.vector[model % 10]);
            0.5 + own * 0.4 + f64::from(prompt.vector[DIMENSIONS - 1]) * 0.1
        };
        (0..12).map(|model| (format!("m{model}"), score(model))).collect()
    }

    #[test]
    fn factors_are_where_models_differ() {
        let prompts = prompts();
        let scores: Vec<_> = prompts.iter().map(scores).collect();
        let vectors: Vec<&[f32]> = prompts.iter().map(|prompt| &*prompt.vector).collect();
        let scored: Vec<Scored<'_>> =
            vectors.iter().zip(&scores).map(|(vector, scores)| Scored { vector, scores }).collect();
        let basis = fit(&vectors, &scored).expect("directions enough");
        assert_eq!(basis.check(), Ok(()));
        assert_eq!(basis.width(), COMPONENTS);
        for factor in basis.factors.chunks_exact(DIMENSIONS) {
            let inside: f32 = factor[..10].iter().map(|entry| entry * entry).sum();
            assert!(inside > 0.9, "{inside}");
        }
        assert_eq!(basis, fit(&vectors, &scored).expect("the same"));
    }

    #[test]
    fn factors_are_standardised_and_rare_models_left_out() {
        let prompts = prompts();
        let mut scores: Vec<_> = prompts.iter().map(scores).collect();
        // Better on one component by far, but known on a tenth of the prompts.
        for (prompt, scores) in prompts.iter().zip(&mut scores).step_by(10) {
            scores.insert("rare".into(), f64::from(prompt.vector[20]) * 50.0);
        }
        let vectors: Vec<&[f32]> = prompts.iter().map(|prompt| &*prompt.vector).collect();
        let scored: Vec<Scored<'_>> =
            vectors.iter().zip(&scores).map(|(vector, scores)| Scored { vector, scores }).collect();
        let basis = fit(&vectors, &scored).expect("directions enough");
        for (n, factor) in basis.factors.chunks_exact(DIMENSIONS).enumerate() {
            assert!(factor[20].abs() < 0.2);
            let value = |vector: &&[f32]| {
                let raw: f32 = factor.iter().zip(*vector).map(|(a, b)| a * b).sum();
                f64::from((raw - basis.factor_mean[n]) * basis.factor_scale[n])
            };
            let (mean, deviation) = moments(&vectors.iter().map(value).collect::<Vec<_>>());
            assert!(mean.abs() < 1e-2 && (deviation - 1.0).abs() < 1e-2, "{mean} {deviation}");
        }
    }

    #[test]
    fn too_few_directions_are_no_basis() {
        let prompts = prompts();
        let vectors: Vec<&[f32]> = prompts.iter().map(|prompt| &*prompt.vector).collect();
        assert_eq!(fit(&vectors, &[]), None);
        assert_eq!(fit(&[], &[]), None);
    }
}
