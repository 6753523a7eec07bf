//! Trains everything that the router ships: the heads of the three tier classes, the cold score and
//! the basis. Pure and deterministic: the same rows give the same numbers. Reading rows, embedding
//! prompts and writing files are the command's (`cli/router/fit`).
//!
//! - [`written`]: everyday prompts of our own, with their levels
//! - [`mixture`], [`logistic`]: what the heads are trained on, and how
//! - [`cold`]: a ranking by "longer and harder", for traffic without labels
//! - [`basis`]: which directions of the vector a pair of models reads
//! - [`eigen`], [`normal`]: the linear algebra of both
//! - [`figures`], [`card`]: how good it is, for the file and for people

pub mod basis;
mod card;
pub mod cold;
mod eigen;
mod figures;
mod logistic;
mod mixture;
mod normal;
mod train;
pub mod written;

use super::HEADS;

pub use train::{FitFault, Trained, train};

/// A recorded prompt, as far as training looks.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// What was recorded together, by the same graders: levels are compared within it only.
    pub set: &'a str,
    /// Unit vector.
    pub vector: &'a [f32],
    /// Characters of the prompt.
    pub chars: usize,
    /// Mean quality of small, mid and frontier models in [0, 1], where recorded.
    pub quality: [Option<f64>; HEADS],
}

/// The rows of each set, in order of appearance.
fn by_set<'a, 'b>(rows: &'b [Row<'a>]) -> Vec<(&'a str, Vec<&'b Row<'a>>)> {
    let mut sets: Vec<(&str, Vec<&Row<'_>>)> = Vec::new();
    for row in rows {
        match sets.iter_mut().find(|(set, _)| *set == row.set) {
            Some((_, members)) => members.push(row),
            None => sets.push((row.set, vec![row])),
        }
    }
    sets
}

/// Mean of the vectors; they are not none.
fn centre<'a>(vectors: impl Iterator<Item = &'a [f32]> + Clone) -> Vec<f64> {
    let count = vectors.clone().count().max(1) as f64;
    let mut sum: Vec<f64> = Vec::new();
    for vector in vectors {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    sum.iter_mut().for_each(|sum| *sum /= count);
    sum
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

/// So many decimals: finer is noise, and short numbers keep the shipped file small.
fn rounded(value: f64, decimals: i32) -> f32 {
    let unit = 10_f64.powi(decimals);
    ((value * unit).round() / unit) as f32
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Fewer than an embedder's, so that the tests are fast.
    pub const DIMENSIONS: usize = 72;

    /// A prompt without meaning: the same for the same number.
    pub struct Prompt {
        pub set: &'static str,
        pub vector: Vec<f32>,
        pub chars: usize,
        pub quality: [Option<f64>; HEADS],
    }

    impl Prompt {
        pub fn new(number: u64, set: &'static str) -> Self {
            let mut rng = SmallRng::seed_from_u64(number);
            let vector = (0..DIMENSIONS).map(|_| rng.random_range(-1.0..1.0)).collect();
            Self { set, vector, chars: rng.random_range(20..900), quality: [Some(0.5); HEADS] }
        }
    }

    pub fn rows(prompts: &[Prompt]) -> Vec<Row<'_>> {
        prompts
            .iter()
            .map(|Prompt { set, vector, chars, quality }| Row {
                set,
                vector,
                chars: *chars,
                quality: *quality,
            })
            .collect()
    }

    #[test]
    fn sets_keep_their_order_and_rows() {
        let prompts: Vec<Prompt> =
            ["b", "a", "b"].into_iter().zip(0..).map(|(set, n)| Prompt::new(n, set)).collect();
        let rows = rows(&prompts);
        let sets = by_set(&rows);
        assert_eq!(
            sets.iter().map(|(set, rows)| (*set, rows.len())).collect::<Vec<_>>(),
            [("b", 2), ("a", 1)]
        );
    }

    #[test]
    fn moments_and_rounding() {
        assert_eq!(moments(&[1.0, 3.0]), (2.0, 1.0));
        assert_eq!(moments(&[]), (0.0, 0.0));
        assert_eq!(rounded(-0.123_456, 4), -0.1235);
        assert_eq!(centre([&[1.0_f32, 2.0][..], &[3.0, 6.0]].into_iter()), [2.0, 4.0]);
    }
}
