//! Ridge regression from sums that can be kept, merged and forgotten, its penalty averaged by
//! evidence. What is regressed on what is `gain`'s, the scale of the inputs `inputs`'.
//!
//! One penalty chosen by cross-validation jumps from fit to fit on some hundred labels. The
//! marginal likelihood of each penalty (MacKay 1992, *Bayesian interpolation*; the noise is
//! profiled out) costs one factorisation more and no second pass over the rows, and averaging by it
//! needs no choice. The usual route is one eigen-decomposition for all penalties. Six Cholesky
//! factorisations are less work than that (six times n³/6 multiplications, against some 9·n³ for
//! eigenvectors), exact to the same rounding, and need no further crate.

use serde::{Deserialize, Serialize};

use super::cholesky::{BLOCK, Cholesky, add_eight, dot, packed};

/// Penalties over which a fit is averaged. The scale of the inputs is chosen for this grid.
pub const PENALTIES: [f64; 6] = [0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

/// A penalty with less of the evidence than this adds nothing to the doubt that is kept.
const LEAST_SHARE: f64 = 0.01;

/// The least that may remain unexplained; a perfect fit must not divide by nothing.
const LEAST_REST: f64 = 1e-9;

/// Sums over labelled rows (input x, target t, weight ω): all that a fit needs. Adding those of two
/// gateways is learning from the rows of both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Rows; a fraction after forgetting.
    rows: f64,
    /// Σω.
    weight: f64,
    /// Σω².
    weight_squared: f64,
    /// Σωx.
    inputs: Vec<f64>,
    /// Σωxxᵀ, lower triangle packed.
    squares: Vec<f64>,
    /// Σωt.
    target: f64,
    /// Σωxt.
    products: Vec<f64>,
    /// Σωt².
    target_squared: f64,
}

impl Moments {
    /// Of no rows, each of so many inputs.
    pub fn new(width: usize) -> Self {
        Self {
            rows: 0.0,
            weight: 0.0,
            weight_squared: 0.0,
            inputs: vec![0.0; width],
            squares: vec![0.0; packed(width)],
            target: 0.0,
            products: vec![0.0; width],
            target_squared: 0.0,
        }
    }

    /// Inputs of a row.
    pub fn width(&self) -> usize {
        self.inputs.len()
    }

    /// Whether the sums belong together; what was read from a file may not.
    pub fn is_sound(&self) -> bool {
        let width = self.width();
        let all = self.inputs.iter().chain(&self.squares).chain(&self.products);
        let sums = [self.rows, self.weight, self.weight_squared, self.target_squared];
        self.squares.len() == packed(width)
            && self.products.len() == width
            && sums.iter().all(|sum| sum.is_finite() && *sum >= 0.0)
            && self.target.is_finite()
            && all.into_iter().all(|value| value.is_finite())
    }

    /// Rows seen, less what was forgotten.
    pub fn rows(&self) -> f64 {
        self.rows
    }

    /// How many rows of equal weight would say as much: (Σω)² / Σω² (Kish).
    pub fn effective(&self) -> f64 {
        if self.weight_squared > 0.0 {
            self.weight * self.weight / self.weight_squared
        } else {
            0.0
        }
    }

    /// Weighted mean of the targets; 0 without rows.
    pub fn mean_target(&self) -> f64 {
        if self.weight > 0.0 { self.target / self.weight } else { 0.0 }
    }

    /// Takes a row in. One that is not finite, or weighs nothing, is left out.
    pub fn add(&mut self, x: &[f32], target: f64, weight: f64) {
        self.add_all([(x, target, weight)]);
    }

    /// Takes in rows (input, target, weight), as [`Self::add`] does. The squares are as large as a
    /// processor's own memory: eight rows at once ask for them an eighth as often.
    pub fn add_all<'a>(&mut self, rows: impl IntoIterator<Item = (&'a [f32], f64, f64)>) {
        let width = self.width();
        let mut block = vec![0.0; BLOCK * width];
        let mut weights = [0.0; BLOCK];
        let mut filled = 0;
        for (x, target, weight) in rows {
            debug_assert_eq!(x.len(), width);
            let is_sound = weight > 0.0 && weight.is_finite() && target.is_finite();
            if !is_sound || x.iter().any(|value| !value.is_finite()) {
                continue;
            }
            self.rows += 1.0;
            self.weight += weight;
            self.weight_squared += weight * weight;
            self.target += weight * target;
            self.target_squared += weight * target * target;
            let copy = &mut block[filled * width..][..width];
            let sums = self.inputs.iter_mut().zip(&mut self.products);
            for ((copy, value), (input, product)) in copy.iter_mut().zip(x).zip(sums) {
                *copy = f64::from(*value);
                *input += weight * *copy;
                *product += weight * *copy * target;
            }
            weights[filled] = weight;
            filled += 1;
            if filled == BLOCK {
                self.square(&block, &weights);
                filled = 0;
            }
        }
        self.square(&block, &weights[..filled]);
    }

    /// Adds the weighted squares of some rows, as many as there are weights.
    fn square(&mut self, block: &[f64], weights: &[f64]) {
        let width = self.width();
        if let Ok(weights) = <[f64; BLOCK]>::try_from(weights) {
            for i in 0..width {
                let factors = std::array::from_fn(|n| weights[n] * block[n * width + i]);
                let rows = std::array::from_fn(|n| &block[n * width..][..=i]);
                add_eight(&mut self.squares[packed(i)..=packed(i) + i], factors, rows);
            }
            return;
        }
        for (weight, x) in weights.iter().zip(block.chunks_exact(width.max(1))) {
            for (i, value) in x.iter().enumerate() {
                let scaled = weight * value;
                // Many inputs are marks and products with them: zero in most rows.
                if scaled == 0.0 {
                    continue;
                }
                let row = &mut self.squares[packed(i)..=packed(i) + i];
                for (sum, other) in row.iter_mut().zip(x) {
                    *sum += scaled * other;
                }
            }
        }
    }

    /// Takes in the rows of another; both must have the same inputs.
    pub fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.width(), other.width());
        self.scale_and_add(1.0, other);
    }

    /// Makes what was seen count for `factor` of what it did, for traffic that changes.
    pub fn forget(&mut self, factor: f64) {
        debug_assert!((0.0..=1.0).contains(&factor));
        let nothing = Self::new(self.width());
        self.scale_and_add(factor, &nothing);
    }

    fn scale_and_add(&mut self, factor: f64, other: &Self) {
        let sums = |own: &mut [f64], others: &[f64]| {
            for (sum, other) in own.iter_mut().zip(others) {
                *sum = *sum * factor + other;
            }
        };
        sums(&mut self.inputs, &other.inputs);
        sums(&mut self.squares, &other.squares);
        sums(&mut self.products, &other.products);
        self.rows = self.rows * factor + other.rows;
        self.weight = self.weight * factor + other.weight;
        // A row that counts for a half has half its row and half its weight, so that what it says
        // of the spread of the weights stays.
        self.weight_squared = self.weight_squared * factor + other.weight_squared;
        self.target = self.target * factor + other.target;
        self.target_squared = self.target_squared * factor + other.target_squared;
    }

    /// Fits the targets, the weights drawn to 0 but the last input's, which is drawn to `last`.
    ///
    /// Weights count relative to their mean. Without rows the prediction is the prior's.
    pub fn fit(&self, last: f64) -> Fit {
        let centred = Centred::of(self, last);
        let mut trials: Vec<Trial> =
            PENALTIES.iter().filter_map(|penalty| centred.try_penalty(*penalty)).collect();
        let line = self.average(&centred, &mut trials, last);
        let drawn = |i: usize| if i + 1 == self.width() { last } else { 0.0 };
        let parts = trials.into_iter().filter(|trial| trial.evidence >= LEAST_SHARE);
        let parts = parts.map(|trial| {
            let own = trial.weights.iter().enumerate().map(|(i, weight)| weight + drawn(i));
            let apart = own.zip(&line.weights).map(|(own, all)| own - all).collect();
            let Trial { evidence: share, noise, factors, .. } = trial;
            Part { share, noise, apart, factors }
        });
        let parts = parts.collect();
        Fit { line, doubt: Doubt { centre: centred.centre, effective: self.effective(), parts } }
    }

    /// Turns the trials' evidence into shares, and averages their weights by these.
    fn average(&self, centred: &Centred, trials: &mut [Trial], last: f64) -> Line {
        let best = trials.iter().map(|trial| trial.evidence).fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = trials.iter().map(|trial| (trial.evidence - best).exp()).sum();
        for trial in &mut *trials {
            trial.evidence = (trial.evidence - best).exp() / total;
        }
        let mut weights = vec![0.0; self.width()];
        for trial in &*trials {
            for (weight, part) in weights.iter_mut().zip(&trial.weights) {
                *weight += trial.evidence * part;
            }
        }
        let evidence = PENALTIES.map(|penalty| {
            trials.iter().find(|trial| trial.penalty == penalty).map_or(0.0, |t| t.evidence)
        });
        if let Some(weight) = weights.last_mut() {
            *weight += last;
        }
        let bias = self.mean_target() - dot(&weights, &centred.centre);
        Line { weights, bias, evidence }
    }
}

/// The sums about their means, the weights scaled to mean 1 and the prior taken out.
struct Centred {
    rows: f64,
    centre: Vec<f64>,
    squares: Vec<f64>,
    products: Vec<f64>,
    rest: f64,
}

impl Centred {
    fn of(moments: &Moments, last: f64) -> Self {
        let width = moments.width();
        let (scale, per) = if moments.weight > 0.0 {
            (moments.rows / moments.weight, 1.0 / moments.weight)
        } else {
            (0.0, 0.0)
        };
        let centre: Vec<f64> = moments.inputs.iter().map(|sum| sum * per).collect();
        let mean = moments.mean_target();
        let mut squares = moments.squares.clone();
        for (i, input) in moments.inputs.iter().enumerate() {
            let row = &mut squares[packed(i)..=packed(i) + i];
            for (cell, other) in row.iter_mut().zip(&centre) {
                *cell = scale * (*cell - input * other);
            }
        }
        let mut products: Vec<f64> = moments
            .products
            .iter()
            .zip(&moments.inputs)
            .map(|(product, input)| scale * (product - input * mean))
            .collect();
        let mut rest = scale * (moments.target_squared - moments.target * mean);
        if let Some(end) = width.checked_sub(1) {
            let square = squares[packed(end) + end];
            rest += last * (last * square - 2.0 * products[end]);
            // The last row of the triangle is the last column of the matrix.
            let row = &squares[packed(end)..=packed(end) + end];
            for (product, cell) in products.iter_mut().zip(row) {
                *product -= last * cell;
            }
        }
        Self { rows: moments.rows, centre, squares, products, rest }
    }

    fn try_penalty(&self, penalty: f64) -> Option<Trial> {
        let width = self.centre.len();
        let factors = Cholesky::of(&self.squares, width, penalty)?;
        let weights = factors.solve(&self.products);
        let rest = (self.rest - dot(&self.products, &weights)).max(LEAST_REST);
        let freedom = (self.rows - 1.0).max(0.0);
        let volume = factors.log_determinant() - width as f64 * penalty.ln();
        let evidence = -0.5 * (freedom * rest.ln() + volume);
        let noise = if freedom > 0.0 { rest / freedom } else { f64::INFINITY };
        evidence.is_finite().then_some(Trial { penalty, evidence, weights, noise, factors })
    }
}

/// A fit under one penalty.
struct Trial {
    penalty: f64,
    /// Log marginal likelihood, but for what is common to all; then the share of the evidence.
    evidence: f64,
    /// Apart from the prior.
    weights: Vec<f64>,
    noise: f64,
    factors: Cholesky,
}

/// What a fit gives.
#[derive(Debug, Clone)]
pub struct Fit {
    pub line: Line,
    pub doubt: Doubt,
}

/// A fitted prediction: small, and all that a decision needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub weights: Vec<f64>,
    pub bias: f64,
    /// Share of the evidence for each of [`PENALTIES`].
    pub evidence: [f64; PENALTIES.len()],
}

impl Line {
    /// The target expected at x.
    pub fn at(&self, x: &[f32]) -> f64 {
        debug_assert_eq!(x.len(), self.weights.len());
        let sum: f64 = self.weights.iter().zip(x).map(|(weight, x)| weight * f64::from(*x)).sum();
        sum + self.bias
    }
}

/// How well a line is known. Large (half a square of the inputs for each penalty that counts), and
/// for those who state a confidence, off the request path.
#[derive(Debug, Clone)]
pub struct Doubt {
    centre: Vec<f64>,
    effective: f64,
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
struct Part {
    share: f64,
    /// Variance of a target about the line.
    noise: f64,
    /// This penalty's weights, less the mean over the penalties.
    apart: Vec<f64>,
    factors: Cholesky,
}

impl Doubt {
    /// Standard error of the expected target at x: that of the weights in x's direction, of the
    /// mean, and the disagreement between the penalties. Infinite with fewer than two rows.
    pub fn at(&self, x: &[f32]) -> f64 {
        let from: Vec<f64> = x.iter().zip(&self.centre).map(|(x, c)| f64::from(*x) - c).collect();
        let of_mean = if self.effective > 0.0 { 1.0 / self.effective } else { 1.0 };
        let variance: f64 = self
            .parts
            .iter()
            .map(|part| {
                let apart = dot(&part.apart, &from);
                part.share * (part.noise * (of_mean + part.factors.spread(&from)) + apart * apart)
            })
            .sum();
        variance.sqrt()
    }

    /// Standard deviation of a single target about the line.
    pub fn noise(&self) -> f64 {
        self.parts.iter().map(|part| part.share * part.noise).sum::<f64>().sqrt()
    }
}

#[cfg(test)]
#[path = "ridge_tests.rs"]
mod tests;
