//! The recorded sets: how far apart their models are, and how well the length of the prompt ranks
//! them, which is what a router has to beat.

use serde::Serialize;

use super::SEED;
use crate::route::evidence::measure::{Figure, Outcome, figure, trade, units};
use crate::route::recorded::{Corpus, FILES};

/// Draws of a bootstrap.
const RESAMPLES: usize = 300;

/// A set as a whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Set {
    pub set: &'static str,
    pub rows: usize,
    /// Mean quality of the weak and of the strong model.
    pub weak: f64,
    pub strong: f64,
    /// APGR of the prompt's length.
    pub length: Figure,
}

/// Every set that has rows with two tiers.
pub fn measure(corpus: &Corpus) -> Vec<Set> {
    FILES.iter().filter_map(|set| of(corpus, set)).collect()
}

fn of(corpus: &Corpus, set: &'static str) -> Option<Set> {
    let (outcomes, stems): (Vec<Outcome>, Vec<u64>) = corpus
        .of_set(set)
        .into_iter()
        .filter_map(|place| {
            let row = &corpus.rows[place];
            let (weak, strong) = row.pair()?;
            let score = row.chars as f64;
            Some((Outcome { score, weak, strong, weak_cost: 0.0, strong_cost: 1.0 }, row.stem))
        })
        .unzip();
    let mean =
        |of: fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / outcomes.len() as f64;
    let apgr = |rows: &[usize]| {
        let drawn: Vec<Outcome> = rows.iter().map(|row| outcomes[*row]).collect();
        Some(trade(&drawn, SEED)?.apgr)
    };
    let length = figure(&units(&stems), RESAMPLES, SEED, apgr)?;
    let (weak, strong) = (mean(|row| row.weak), mean(|row| row.strong));
    Some(Set { set, rows: outcomes.len(), weak, strong, length })
}
