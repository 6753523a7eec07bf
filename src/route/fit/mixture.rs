//! What the heads are trained on: recorded rows and written prompts on one scale, each with its
//! weight. Everyday requests are decided by the written prompts, which alone know them; among
//! questions of one kind the recorded rows rank.

use std::collections::{HashMap, HashSet};

use super::logistic::{self, Example, Weights};
use super::written::Written;
use super::{moments, rounded};
use crate::embed::{DIMENSIONS, Vector};
use crate::route::Features;
use crate::route::HEADS;
use crate::route::choose::sigmoid;
use crate::route::features::FEATURES;
use crate::route::heads::{Head, TIER_CLASSES, isotonic, standardise};
use crate::route::recorded::{Corpus, Row, left_out};

/// Components of a unit vector are brought to about unit variance, like the surface features, so
/// that one ridge suits both. Folded into the weights afterwards.
const VECTOR_SCALE: f32 = 19.6;
/// Chosen with [`WRITTEN_SHARE`] by log loss in cross-validation on the written prompts.
pub const RIDGE: f64 = 0.01;
/// Share of the written prompts in the weight of all rows.
pub const WRITTEN_SHARE: f64 = 0.8;

/// Inputs of a head.
const WIDTH: usize = DIMENSIONS + FEATURES.len();

/// The rows and prompts with their inputs.
#[derive(Debug)]
pub struct Mixture<'a> {
    pub corpus: &'a Corpus,
    pub written: &'a [Written],
    recorded_inputs: Vec<Vec<f32>>,
    written_inputs: Vec<Vec<f32>>,
    mean: Vec<f32>,
    scale: Vec<f32>,
}

/// Fitted heads, for the inputs of one mixture.
#[derive(Debug)]
pub struct Fitted([Weights; HEADS]);

impl<'a> Mixture<'a> {
    /// `vectors` are those of the written prompts, in order.
    pub fn new(corpus: &'a Corpus, written: &'a [Written], vectors: &[Vector]) -> Self {
        let surface: Vec<Features> =
            written.iter().map(|written| Features::of_text(&written.prompt)).collect();
        let (mean, scale) = scales(corpus, &surface);
        let inputs = |vector: &Vector, features: &Features| {
            let numbers = features.values().iter().zip(mean.iter().zip(&scale));
            let surface = numbers.map(|(value, (mean, scale))| standardise(*value, *mean, *scale));
            vector.iter().map(|component| component * VECTOR_SCALE).chain(surface).collect()
        };
        let all = |vectors: &[Vector], surface: &[Features]| {
            vectors.iter().zip(surface).map(|(v, f)| inputs(v, f)).collect::<Vec<Vec<f32>>>()
        };
        Self {
            corpus,
            written,
            recorded_inputs: all(&corpus.vectors, &corpus.surface),
            written_inputs: all(vectors, &surface),
            mean,
            scale,
        }
    }

    /// Fits the heads on these rows and prompts. Each set of rows weighs with the root of its size,
    /// so that neither the two large sets nor the smallest decide alone; the parts of a set of
    /// several benchmarks count as sets.
    pub fn fit(&self, rows: &[usize], prompts: &[usize]) -> Fitted {
        let mut sizes: HashMap<(&str, &str), f64> = HashMap::new();
        for row in rows {
            *sizes.entry(unit(&self.corpus.rows[*row])).or_default() += 1.0;
        }
        let recorded: f64 = sizes.values().copied().map(f64::sqrt).sum();
        // Per prompt of the whole file: leaving some out must not make the others louder.
        let share = WRITTEN_SHARE / (1.0 - WRITTEN_SHARE);
        let written = share * recorded.max(1.0) / self.written.len() as f64;
        let rows = rows.iter().map(|place| {
            let row = &self.corpus.rows[*place];
            let weight = sizes[&unit(row)].sqrt().recip();
            let inputs = &self.recorded_inputs[*place];
            Example { inputs, quality: bridged(row.quality), weight }
        });
        let prompts = prompts.iter().map(|place| Example {
            inputs: &self.written_inputs[*place],
            quality: self.written[*place].level.quality().map(Some),
            weight: written,
        });
        let examples: Vec<Example<'_>> = rows.chain(prompts).collect();
        Fitted(logistic::fit(&examples, WIDTH, RIDGE))
    }

    /// P(adequate) on a recorded row.
    pub fn on_row(&self, fitted: &Fitted, row: usize) -> [f64; HEADS] {
        fitted.predict(&self.recorded_inputs[row])
    }

    /// P(adequate) on a written prompt.
    pub fn on_written(&self, fitted: &Fitted, prompt: usize) -> [f64; HEADS] {
        fitted.predict(&self.written_inputs[prompt])
    }

    /// Mean and scale of the surface features, as they ship.
    pub fn standard(&self) -> (Vec<f32>, Vec<f32>) {
        (self.mean.clone(), self.scale.clone())
    }
}

impl Fitted {
    fn predict(&self, inputs: &[f32]) -> [f64; HEADS] {
        let logits = std::array::from_fn(|head| logistic::logit(&self.0[head], inputs));
        isotonic(logits).map(sigmoid)
    }

    /// The heads as they ship, over the plain vector.
    pub fn heads(&self) -> Vec<Head> {
        let head = |(weights, tier): (&Weights, &&str)| {
            let vector = &weights[..DIMENSIONS];
            let number = |weight: f64| rounded(weight, 4);
            Head {
                tier: (*tier).to_owned(),
                bias: number(weights[WIDTH]),
                vector: vector.iter().map(|w| number(w * f64::from(VECTOR_SCALE))).collect(),
                surface: weights[DIMENSIONS..WIDTH].iter().map(|w| number(*w)).collect(),
            }
        };
        self.0.iter().zip(&TIER_CLASSES).map(head).collect()
    }
}

/// Whether a row may train: licence, marks, and something recorded.
pub fn is_usable(row: &Row) -> bool {
    left_out(row).is_none() && row.quality.iter().any(Option::is_some)
}

/// The usable rows of the training part that ask no question of `held`.
pub fn training(corpus: &Corpus, held: &HashSet<u64>, without: Option<&str>) -> Vec<usize> {
    (0..corpus.rows.len())
        .filter(|place| {
            let row = &corpus.rows[*place];
            let elsewhere = without != Some(row.source.as_str());
            !row.is_dev && elsewhere && is_usable(row) && !held.contains(&row.stem)
        })
        .collect()
}

/// What weighs as one set.
pub fn unit(row: &Row) -> (&str, &str) {
    let part = if row.set == "llmrouter_multitask" { row.benchmark.as_str() } else { "" };
    (row.set, part)
}

/// A mid tier that was not recorded is taken to lie half way between the small and the frontier
/// one. Without this the mid head would know fewer kinds of task than its neighbours, and the
/// three would cross where it guesses. Measurements use recorded labels only.
fn bridged([small, mid, frontier]: [Option<f64>; HEADS]) -> [Option<f64>; HEADS] {
    let half_way = small.zip(frontier).map(|(small, frontier)| (small + frontier) / 2.0);
    [small, mid.or(half_way), frontier]
}

/// Mean and inverse standard deviation of each feature, recorded training rows and written prompts
/// each by their share; 0 for a constant.
fn scales(corpus: &Corpus, written: &[Features]) -> (Vec<f32>, Vec<f32>) {
    let rows: Vec<&[f32]> = (0..corpus.rows.len())
        .filter(|row| !corpus.rows[*row].is_dev && is_usable(&corpus.rows[*row]))
        .map(|row| corpus.surface[row].values())
        .collect();
    let written: Vec<&[f32]> = written.iter().map(Features::values).collect();
    let spread = |rows: &[&[f32]], feature: usize| {
        moments(&rows.iter().map(|values| f64::from(values[feature])).collect::<Vec<_>>())
    };
    (0..FEATURES.len())
        .map(|feature| {
            let parts = [
                (1.0 - WRITTEN_SHARE, spread(&rows, feature)),
                (WRITTEN_SHARE, spread(&written, feature)),
            ];
            let mean: f64 = parts.iter().map(|(share, (mean, _))| share * mean).sum();
            let squares = |(share, (own, deviation)): &(f64, (f64, f64))| {
                share * (deviation.powi(2) + (own - mean).powi(2))
            };
            let deviation = parts.iter().map(squares).sum::<f64>().sqrt();
            let scale = if deviation > 1e-4 { rounded(1.0 / deviation, 4) } else { 0.0 };
            (rounded(mean, 5), scale)
        })
        .unzip()
}
