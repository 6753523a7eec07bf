//! The score: log-odds that a candidate answers the query, as a weighted sum of its features, and
//! how the weights follow the traffic. Pure.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::features::{COUNT, TABLE, Values};
use super::judged::Errors;
use super::window::Row;

/// Weights learnt from other traffic, and the scale on which they stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    pub bias: f32,
    pub means: Values,
    pub deviations: Values,
    pub weights: Values,
}

/// The prior as a file: features by name, so that a table that has changed is noticed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorFile {
    pub embedder: String,
    pub trained_on: Vec<String>,
    pub bias: f32,
    pub features: Vec<PriorFeature>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorFeature {
    pub name: String,
    pub mean: f32,
    pub deviation: f32,
    pub weight: f32,
}

/// The weights in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    pub bias: f32,
    pub weights: Vec<f32>,
}

/// How strongly the weights are drawn to the prior, and the bias.
const RIDGE: f64 = 25.0;
const RIDGE_BIAS: f64 = 0.5;

/// Newton steps of one refit, and how far a weight may move in one of them: plain Newton diverges
/// now and then.
const STEPS: usize = 3;
const STRIDE: f64 = 0.7;

/// Labels without which nothing is learnt.
pub const LEAST_LABELS: usize = 10;

/// An explored lookup stands for those that were served, but for so many at most.
const MOST_WEIGHT: f32 = 5.0;

/// The prior that ships.
pub static SHIPPED: LazyLock<Prior> = LazyLock::new(|| {
    Prior::parse(include_str!("../../../models/verifier-prior.json"))
        .expect("invariant: a test reads the shipped prior")
});

impl Prior {
    /// Reads a prior file.
    ///
    /// # Errors
    /// What does not fit the table of features.
    pub fn parse(json: &str) -> Result<Self, String> {
        let file: PriorFile = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if file.features.len() != COUNT {
            return Err(format!("{} features instead of {COUNT}", file.features.len()));
        }
        let mut prior = Self::blank();
        prior.bias = file.bias;
        for (place, (feature, known)) in file.features.iter().zip(&TABLE).enumerate() {
            if feature.name != known.name {
                return Err(format!("`{}` where `{}` belongs", feature.name, known.name));
            }
            if feature.deviation <= 0.0 {
                return Err(format!("`{}` does not vary", feature.name));
            }
            prior.means[place] = feature.mean;
            prior.deviations[place] = feature.deviation;
            prior.weights[place] = feature.weight;
        }
        Ok(prior)
    }

    /// No opinion: every score is 0.
    pub fn blank() -> Self {
        Self { bias: 0.0, means: [0.0; COUNT], deviations: [1.0; COUNT], weights: [0.0; COUNT] }
    }

    /// Features on the prior's scale.
    pub fn standardise(&self, values: &Values) -> Values {
        std::array::from_fn(|f| (values[f] - self.means[f]) / self.deviations[f])
    }

    pub fn start(&self) -> Weights {
        Weights { bias: self.bias, weights: self.weights.to_vec() }
    }
}

impl Weights {
    /// Log-odds that the candidate answers the query, from standardised features.
    pub fn score(&self, values: &Values) -> f32 {
        self.bias
            + self.weights.iter().zip(values).map(|(weight, value)| weight * value).sum::<f32>()
    }

    /// Logistic regression on the labelled rows, with a ridge towards the prior, by a few damped
    /// Newton steps from the present weights. Few labels change nothing.
    pub fn refit<'a>(
        &mut self,
        prior: &Prior,
        rows: impl Iterator<Item = &'a Row> + Clone,
        errors: &Errors,
    ) {
        let labelled = rows.filter(|row| row.label.is_some());
        if labelled.clone().count() < LEAST_LABELS {
            return;
        }
        for _ in 0..STEPS {
            let (mut gradient, mut hessian) = self.ridge(prior);
            for row in labelled.clone() {
                self.add(row, errors, &mut gradient, &mut hessian);
            }
            let Some(step) = solve(hessian, gradient) else { return };
            let longest = step.iter().fold(0.0_f64, |most, part| most.max(part.abs()));
            let scale = if longest > STRIDE { STRIDE / longest } else { 1.0 };
            self.bias -= (scale * step[COUNT]) as f32;
            for (weight, part) in self.weights.iter_mut().zip(&step) {
                *weight -= (scale * part) as f32;
            }
        }
    }

    fn ridge(&self, prior: &Prior) -> (Vec<f64>, Matrix) {
        let mut gradient = vec![0.0; COUNT + 1];
        let mut hessian = Matrix::new();
        for (f, (own, prior)) in self.weights.iter().zip(&prior.weights).enumerate() {
            gradient[f] = RIDGE * f64::from(own - prior);
            hessian.add(f, f, RIDGE);
        }
        gradient[COUNT] = RIDGE_BIAS * f64::from(self.bias - prior.bias);
        hessian.add(COUNT, COUNT, RIDGE_BIAS);
        (gradient, hessian)
    }

    fn add(&self, row: &Row, errors: &Errors, gradient: &mut [f64], hessian: &mut Matrix) {
        let Some(label) = row.label else { return };
        let p = sigmoid(self.score(&row.values));
        let truth = errors.of_panel(row.panel).posterior(p, label);
        let weight = (1.0 / row.propensity).min(MOST_WEIGHT);
        let slope = f64::from(weight * (p - truth));
        let curve = f64::from(weight * p * (1.0 - p));
        for (f, value) in row.values.iter().enumerate() {
            let value = f64::from(*value);
            gradient[f] += slope * value;
            hessian.add_row(f, curve * value, &row.values);
        }
        gradient[COUNT] += slope;
        hessian.add_row(COUNT, curve, &row.values);
        hessian.add(COUNT, COUNT, curve);
    }
}

pub fn sigmoid(z: f32) -> f32 {
    1.0 / (1.0 + (-z).exp())
}

/// A symmetric matrix over the features and the bias; only the lower triangle is kept.
struct Matrix(Vec<f64>);

const SIDE: usize = COUNT + 1;

impl Matrix {
    fn new() -> Self {
        Self(vec![0.0; SIDE * SIDE])
    }

    fn add(&mut self, row: usize, column: usize, value: f64) {
        self.0[row * SIDE + column] += value;
    }

    /// Adds `factor` times the values to a row, up to the diagonal.
    fn add_row(&mut self, row: usize, factor: f64, values: &Values) {
        let cells = &mut self.0[row * SIDE..row * SIDE + (row + 1).min(COUNT)];
        for (cell, value) in cells.iter_mut().zip(values) {
            *cell += factor * f64::from(*value);
        }
    }
}

/// Solves a positive definite system by Cholesky's factors; `None` where it is not one.
fn solve(mut matrix: Matrix, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let a = &mut matrix.0;
    for j in 0..SIDE {
        for i in j..SIDE {
            let sum: f64 = (0..j).map(|k| a[i * SIDE + k] * a[j * SIDE + k]).sum();
            let rest = a[i * SIDE + j] - sum;
            if i == j {
                if rest <= 0.0 || !rest.is_finite() {
                    return None;
                }
                a[i * SIDE + j] = rest.sqrt();
            } else {
                a[i * SIDE + j] = rest / a[j * SIDE + j];
            }
        }
    }
    for i in 0..SIDE {
        let sum: f64 = (0..i).map(|k| a[i * SIDE + k] * right[k]).sum();
        right[i] = (right[i] - sum) / a[i * SIDE + i];
    }
    for i in (0..SIDE).rev() {
        let sum: f64 = (i + 1..SIDE).map(|k| a[k * SIDE + i] * right[k]).sum();
        right[i] = (right[i] - sum) / a[i * SIDE + i];
    }
    Some(right)
}

#[cfg(test)]
#[path = "weights_tests.rs"]
mod tests;
