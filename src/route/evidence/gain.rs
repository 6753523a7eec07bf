//! What the strong model is expected to gain over the weak one on a prompt: three heads, learnt
//! from labels at once or as they come. Ridge and inputs are others'.
//!
//! Most labels of a pair say nothing: both models are right, or both wrong. A head on the gain
//! itself sees little but that noise; one that first asks whether the models will differ at all,
//! and then who wins if they do, sees more but multiplies two errors. Their mean ranked better
//! than either on every recorded set.

use serde::{Deserialize, Serialize};

use super::fold::Folded;
use super::inputs::{Inputs, LENGTH_SCALE, Prompt};
use super::ridge::{Doubt, Line, Moments};

/// Prior slope of the gain per standard deviation of ln(characters): longer is harder.
const LENGTH_SLOPE: f64 = 0.03;
/// Bounds of the chance-like first head.
const DIFFER: (f64, f64) = (0.05, 1.0);
/// A row of the gain counts by 1 / (its expected difference), but by no more than 1 / this.
const LEAST_DIFFER: f64 = 0.08;
/// A gain nearer to 0 than this is no win of either.
const NO_WIN: f64 = 0.01;

/// A labelled request.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    /// As [`Inputs::write`] gives it.
    pub x: &'a [f32],
    /// Quality of the strong model's answer less that of the weak one's, −1 to 1.
    pub gain: f64,
    /// 1, or 1 / the chance that this request was labelled.
    pub weight: f64,
}

/// The sums from which the heads are fitted. Adding those of two gateways is learning from both,
/// if their [`super::inputs::Standard`] is the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    differ: Moments,
    winner: Moments,
    gain: Moments,
}

impl Tally {
    /// Of no labels.
    pub fn new(width: usize) -> Self {
        let empty = Moments::new(width);
        Self { differ: empty.clone(), winner: empty.clone(), gain: empty }
    }

    /// Labels seen, less what was forgotten.
    pub fn labels(&self) -> f64 {
        self.differ.rows()
    }

    /// Whether the sums belong together and have so many inputs; what was read may not.
    pub fn is_sound(&self, width: usize) -> bool {
        [&self.differ, &self.winner, &self.gain]
            .into_iter()
            .all(|moments| moments.width() == width && moments.is_sound())
    }

    /// Takes a label in. `known` are the heads in force: how much a row counts for the gain is
    /// settled when it comes, from what was known then, so that the sums need no second pass.
    pub fn add(&mut self, row: &Labelled<'_>, known: Option<&Heads>) {
        let gain = row.gain.clamp(-1.0, 1.0);
        let size = gain.abs();
        self.differ.add(row.x, size, row.weight);
        if size > NO_WIN {
            self.winner.add(row.x, gain.signum(), row.weight * size);
        }
        let differ = known.map_or(self.differ.mean_target(), |heads| heads.differ(row.x));
        self.gain.add(row.x, gain, row.weight / differ.max(LEAST_DIFFER));
    }

    /// Takes in the labels of another.
    pub fn merge(&mut self, other: &Self) {
        self.differ.merge(&other.differ);
        self.winner.merge(&other.winner);
        self.gain.merge(&other.gain);
    }

    /// Makes what was seen count for `factor` of what it did.
    pub fn forget(&mut self, factor: f64) {
        self.differ.forget(factor);
        self.winner.forget(factor);
        self.gain.forget(factor);
    }

    /// Fits the heads.
    pub fn fit(&self) -> Heads {
        self.fit_with_doubt().0
    }

    /// Fits the heads, and says how well they are known.
    pub fn fit_with_doubt(&self) -> (Heads, HeadsDoubt) {
        let differ = self.differ.fit(0.0);
        let winner = self.winner.fit(0.0);
        // The slope is per standard deviation, the input is that on its scale.
        let gain = self.gain.fit(LENGTH_SLOPE / f64::from(LENGTH_SCALE));
        let heads = Heads {
            differ: differ.line,
            winner: winner.line,
            gain: gain.line,
            labels: self.labels(),
        };
        (heads, HeadsDoubt { differ: differ.doubt, winner: winner.doubt, gain: gain.doubt })
    }
}

/// The sums of the first two heads, which do not depend on any fit: folds can share them.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    differ: Moments,
    winner: Moments,
}

impl Sums {
    /// Of some rows.
    pub fn of(rows: &[Labelled<'_>], width: usize) -> Self {
        let (mut differ, mut winner) = (Moments::new(width), Moments::new(width));
        let size = |row: &Labelled<'_>| row.gain.clamp(-1.0, 1.0).abs();
        differ.add_all(rows.iter().map(|row| (row.x, size(row), row.weight)));
        let won = rows.iter().filter(|row| size(row) > NO_WIN);
        winner.add_all(won.map(|row| (row.x, row.gain.signum(), row.weight * size(row))));
        Self { differ, winner }
    }

    /// Adds those of other rows.
    pub fn merge(&mut self, other: &Self) {
        self.differ.merge(&other.differ);
        self.winner.merge(&other.winner);
    }
}

/// The fitted heads of a pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heads {
    differ: Line,
    winner: Line,
    gain: Line,
    labels: f64,
}

impl Heads {
    /// Learns from labels that are all there: every row counts by what all say of it.
    pub fn learn(rows: &[Labelled<'_>], width: usize) -> Self {
        Self::learn_with(rows, &Sums::of(rows, width))
    }

    /// The same, from the rows and what [`Sums`] holds of them.
    pub(super) fn learn_with(rows: &[Labelled<'_>], sums: &Sums) -> Self {
        let width = sums.differ.width();
        let differ = sums.differ.fit(0.0).line;
        let first = Self { differ, winner: sums.winner.fit(0.0).line, ..Self::blank(width) };
        let mut gain = Moments::new(width);
        gain.add_all(rows.iter().map(|row| {
            let weight = row.weight / first.differ(row.x).max(LEAST_DIFFER);
            (row.x, row.gain.clamp(-1.0, 1.0), weight)
        }));
        let gain = gain.fit(LENGTH_SLOPE / f64::from(LENGTH_SCALE)).line;
        Self { gain, labels: sums.differ.rows(), ..first }
    }

    fn blank(width: usize) -> Self {
        let line = Line { weights: vec![0.0; width], bias: 0.0, evidence: Default::default() };
        Self { differ: line.clone(), winner: line.clone(), gain: line, labels: 0.0 }
    }

    /// Labels behind the heads.
    pub fn labels(&self) -> f64 {
        self.labels
    }

    /// Whether all heads have so many finite weights; what was read may not.
    pub fn is_sound(&self, width: usize) -> bool {
        [&self.differ, &self.winner, &self.gain].into_iter().all(|line| {
            let all = line.weights.iter().chain([&line.bias]);
            line.weights.len() == width && all.into_iter().all(|weight| weight.is_finite())
        })
    }

    /// How much the two answers are expected to differ in quality, either way.
    pub fn differ(&self, x: &[f32]) -> f64 {
        self.differ.at(x).clamp(DIFFER.0, DIFFER.1)
    }

    /// The expected gain, −1 to 1 but for extrapolation.
    pub fn gain(&self, x: &[f32]) -> f64 {
        0.5 * (self.gain.at(x) + self.differ(x) * self.winner.at(x))
    }

    /// The same over prompts, for the request path.
    pub fn fold(&self, inputs: &Inputs<'_>) -> FoldedHeads {
        FoldedHeads(inputs.fold([&self.differ, &self.winner, &self.gain]))
    }
}

/// The heads over prompts: [`Heads::gain`] in some microseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldedHeads(Folded<3>);

impl FoldedHeads {
    /// The expected gain on a prompt.
    pub fn gain(&self, prompt: &Prompt<'_>) -> f64 {
        let [differ, winner, gain] = self.0.at(prompt).map(f64::from);
        0.5 * (gain + differ.clamp(DIFFER.0, DIFFER.1) * winner)
    }
}

/// How well the heads are known.
#[derive(Debug, Clone)]
pub struct HeadsDoubt {
    differ: Doubt,
    winner: Doubt,
    gain: Doubt,
}

impl HeadsDoubt {
    /// Standard error of the expected gain at x, on the safe side: the heads learn from the same
    /// labels, so their errors are added as if they always went together.
    pub fn at(&self, heads: &Heads, x: &[f32]) -> f64 {
        let product =
            heads.winner.at(x).abs() * self.differ.at(x) + heads.differ(x) * self.winner.at(x);
        0.5 * (self.gain.at(x) + product)
    }
}

#[cfg(test)]
#[path = "gain_tests.rs"]
mod tests;
