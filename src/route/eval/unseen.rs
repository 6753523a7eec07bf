//! No labels from the traffic: each set ranked by a router that was trained without its source and
//! without its questions, against the length of the prompt. And the quality mode, which promises
//! nothing without labels.

use serde::Serialize;

use crate::route::evidence::measure::{draws, percentile, units};
use crate::route::evidence::promise::{Stated, Verdict, test};
use crate::route::recorded::{Corpus, FILES};

use super::unknown::cold;
use super::{SEED, parallel};
use crate::route::evidence::measure::{Outcome, trade};

/// A set that the router does not know.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Set {
    pub set: &'static str,
    pub rows: usize,
    pub apgr: f64,
    pub length: f64,
    pub difference_to_length: f64,
    pub ci: [f64; 2],
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unseen {
    /// Mean over the sets, and its 95 % interval.
    pub difference_to_length: f64,
    pub ci: [f64; 2],
    /// The same with every row counting alike.
    pub difference_by_rows: f64,
    pub by_rows_ci: [f64; 2],
    pub macro_apgr: f64,
    /// Share of the rows on which quality mode, without labels, goes to the strong model because
    /// it can promise nothing.
    pub abstained: f64,
    pub sets: Vec<Set>,
}

/// Ranks every set, with so many bootstrap draws.
pub fn measure(corpus: &Corpus, resamples: usize) -> Option<Unseen> {
    let done = parallel::map(FILES.len(), |n| of_set(corpus, FILES[n], resamples));
    let (sets, drawn): (Vec<Set>, Vec<Vec<Option<f64>>>) = done.into_iter().flatten().unzip();
    if sets.is_empty() {
        return None;
    }
    let rows = sets.iter().map(|set| set.rows as f64).sum::<f64>();
    let alike = |_: &Set| 1.0 / sets.len() as f64;
    let by_rows = |set: &Set| set.rows as f64 / rows;
    let pooled = |share: &dyn Fn(&Set) -> f64| {
        let value = sets.iter().map(|set| share(set) * set.difference_to_length).sum::<f64>();
        let mut each: Vec<f64> = (0..resamples)
            .filter_map(|n| sets.iter().zip(&drawn).map(|(s, d)| Some(share(s) * d[n]?)).sum())
            .collect();
        each.sort_by(f64::total_cmp);
        (value, [0.025, 0.975].map(|share| percentile(&each, share).unwrap_or(value)))
    };
    let (difference_to_length, ci) = pooled(&alike);
    let (difference_by_rows, by_rows_ci) = pooled(&by_rows);
    Some(Unseen {
        difference_to_length,
        ci,
        difference_by_rows,
        by_rows_ci,
        macro_apgr: sets.iter().map(|set| set.apgr).sum::<f64>() / sets.len() as f64,
        abstained: sets.iter().filter(|_| abstains()).map(|set| set.rows as f64).sum::<f64>()
            / rows,
        sets,
    })
}

/// Whether the promise test keeps nothing without labels.
fn abstains() -> bool {
    let stated = Stated { loss: 0.05, confidence: 0.9, horizon: f64::INFINITY };
    matches!(test(&[], &stated), Verdict::Abstain(_))
}

fn of_set(corpus: &Corpus, set: &'static str, resamples: usize) -> Option<(Set, Vec<Option<f64>>)> {
    let places = corpus.of_set(set);
    let source = &corpus.rows[*places.first()?].source;
    let cold = cold(corpus, source);
    let rows: Vec<(Outcome, f64, u64)> = places
        .into_iter()
        .filter_map(|place| {
            let row = &corpus.rows[place];
            let (weak, strong) = row.pair()?;
            let score = cold.of(&corpus.vectors[place], row.chars);
            let outcome = Outcome { score, weak, strong, weak_cost: 0.0, strong_cost: 1.0 };
            Some((outcome, row.chars as f64, row.stem))
        })
        .collect();
    let scored: Vec<Outcome> = rows.iter().map(|row| row.0).collect();
    let by_length: Vec<Outcome> =
        rows.iter().map(|row| Outcome { score: row.1, ..row.0 }).collect();
    let apgr = |of: &[Outcome], rows: &[usize]| {
        let drawn: Vec<Outcome> = rows.iter().map(|row| of[*row]).collect();
        Some(trade(&drawn, SEED)?.apgr)
    };
    let apart = |rows: &[usize]| Some(apgr(&scored, rows)? - apgr(&by_length, rows)?);
    let units = units(&rows.iter().map(|row| row.2).collect::<Vec<u64>>());
    let drawn = draws(&units, resamples, SEED, apart);
    let mut known: Vec<f64> = drawn.iter().copied().flatten().collect();
    known.sort_by(f64::total_cmp);
    let (own, length) = (trade(&scored, SEED)?.apgr, trade(&by_length, SEED)?.apgr);
    let difference_to_length = own - length;
    let ci = [0.025, 0.975].map(|share| percentile(&known, share).unwrap_or(difference_to_length));
    Some((Set { set, rows: rows.len(), apgr: own, length, difference_to_length, ci }, drawn))
}
