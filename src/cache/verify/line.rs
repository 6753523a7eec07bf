//! The line: the lowest score that keeps the error budget. Pure.
//!
//! A histogram of the scores, with each bin's error estimated from its labelled lookups and shrunk
//! towards the model's own estimate. Whether a lookup is labelled depends, given its score, on
//! chance alone, so the labelled ones of a bin stand for all of it (inverse propensity weighting,
//! Horvitz and Thompson 1952, with the propensity estimated per stratum: plain weights have far too
//! much variance where one lookup of fifty is explored). From the strict end downwards, stopping at
//! the first bin that breaks the budget: fixed-sequence testing, as in *Learn then Test*
//! (Angelopoulos et al., arXiv 2110.01052). A judge that errs is corrected for as Rogan and Gladen
//! (1978) do.

use serde::{Deserialize, Serialize};

use super::judged::Errors;
use super::weights::sigmoid;
use super::window::Row;

/// Bins of the histogram: the lowest edge, the width, how many.
const LOWEST: f32 = -3.0;
const WIDTH: f32 = 0.25;
const BINS: usize = 56;

/// No score is better than so: the share of wrong answers that any model leaves.
pub const FLOOR: f32 = 0.002;

/// Labels without which nothing is expected of a bin.
const KNOWN: f32 = 10.0;

/// How many labels the model's own estimate of a bin's error is worth.
const SHRINK: f32 = 8.0;

/// Standard errors between estimate and bound: a dial between hit rate and safety, not a proof.
const CAUTION: f32 = 0.5;

/// The line never falls below this score: log-odds of 4.5 to 1.
const LEAST: f32 = 1.5;

/// Until there is a histogram: log-odds of 150 to 1.
const COLD: f32 = 5.0;

/// What the operator allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Wrong hits among lookups.
    pub lookups: f32,
    /// Wrong hits among hits; `None`: unlimited.
    pub hits: Option<f32>,
}

/// A line, and what is known about the errors above it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The score from which on a candidate is served; infinite: none is.
    #[serde(with = "maybe_infinite")]
    pub at: f32,
    /// Error of each bin that labels know; empty before the first histogram.
    errors: Vec<Option<f32>>,
    /// Of lookups that would be served at this line, per lookup: estimate and upper bound of the
    /// wrong ones.
    pub estimate: f32,
    pub upper: f32,
    /// Labels above the line: without any the estimate is the model's alone.
    pub labels: u32,
}

/// What is known of one bin.
#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    lookups: f32,
    labelled: f32,
    different: f32,
    modelled: f32,
}

impl Default for Line {
    fn default() -> Self {
        Self { at: COLD, errors: Vec::new(), estimate: 0.0, upper: 0.0, labels: 0 }
    }
}

impl Line {
    /// Draws the line anew over the servable lookups of the window, of `lookups` in all.
    pub fn draw<'a>(
        rows: impl Iterator<Item = &'a Row>,
        lookups: usize,
        budget: &Budget,
        judge: &Errors,
    ) -> Self {
        let bins = histogram(rows);
        let mut line = Self { at: f32::INFINITY, errors: vec![None; BINS], ..Self::default() };
        let (mut all, mut wrong, mut variance, mut labels) = (0.0, 0.0, 0.0, 0.0);
        let mut open = true;
        for place in (0..BINS).rev() {
            let (error, spread) = bins[place].error(judge);
            let known = bins[place].labelled >= KNOWN;
            line.errors[place] = known.then_some(error.clamp(0.0, 1.0));
            if !open {
                continue;
            }
            all += bins[place].lookups;
            wrong += bins[place].lookups * error;
            variance += spread;
            labels += bins[place].labelled;
            let estimate = f32::max(wrong, FLOOR * all);
            let upper = estimate + CAUTION * variance.sqrt();
            open = upper <= budget.lookups * lookups as f32;
            let precise = budget.hits.is_none_or(|share| upper <= share * all);
            if open && precise && all > 0.0 {
                line.at = (LOWEST + WIDTH * place as f32).max(LEAST);
                line.estimate = estimate / lookups.max(1) as f32;
                line.upper = upper / lookups.max(1) as f32;
                line.labels = labels as u32;
            }
        }
        line
    }

    /// Labels have drawn it, not the prior alone.
    pub fn is_learnt(&self) -> bool {
        !self.errors.is_empty()
    }

    /// The error expected at a score, where labels say so and not the model alone.
    pub fn error_at(&self, z: f32) -> Option<f32> {
        self.errors.get(place(z)?).copied().flatten()
    }
}

impl Bin {
    /// The bin's error, and the variance of its wrong lookups.
    fn error(&self, judge: &Errors) -> (f32, f32) {
        if self.lookups == 0.0 {
            return (0.0, 0.0);
        }
        let k = judge.contrast();
        let model = self.modelled / self.lookups;
        let wrong = (self.different - judge.false_different * self.labelled) / k;
        let seen = judge.seen(model);
        let noise = seen * (1.0 - seen) / ((model * (1.0 - model)).max(1e-4) * k * k);
        let shrink = SHRINK * noise.clamp(1.0, 40.0);
        let weight = self.labelled + shrink;
        let error = (wrong + shrink * model) / weight;
        let floored = error.clamp(FLOOR, 1.0);
        let observed = judge.seen(floored);
        let from_labels = observed * (1.0 - observed) * self.labelled / (weight * k).powi(2);
        let from_model = (shrink / weight).powi(2) * floored * (1.0 - floored) / SHRINK;
        let variance = self.lookups.powi(2) * (from_labels + from_model)
            + self.lookups * floored * (1.0 - floored);
        (error, variance)
    }
}

fn histogram<'a>(rows: impl Iterator<Item = &'a Row>) -> [Bin; BINS] {
    let mut bins = [Bin::default(); BINS];
    for row in rows.filter(|row| row.servable) {
        let Some(place) = place(row.z) else { continue };
        let bin = &mut bins[place];
        bin.lookups += 1.0;
        bin.modelled += modelled(row.z);
        if let Some(same) = row.label {
            bin.labelled += 1.0;
            bin.different += f32::from(u8::from(!same));
        }
    }
    bins
}

/// The model's own estimate of the error.
fn modelled(z: f32) -> f32 {
    FLOOR + (1.0 - FLOOR) * sigmoid(-z)
}

/// The bin of a score; `None` below the histogram.
fn place(z: f32) -> Option<usize> {
    let place = (z - LOWEST) / WIDTH;
    (place >= 0.0).then_some((place as usize).min(BINS - 1))
}

mod maybe_infinite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    // JSON has no infinity.
    pub fn serialize<S: Serializer>(at: &f32, to: S) -> Result<S::Ok, S::Error> {
        at.is_finite().then_some(*at).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
        Ok(Option::<f32>::deserialize(from)?.unwrap_or(f32::INFINITY))
    }
}
