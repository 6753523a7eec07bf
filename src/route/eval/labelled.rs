//! Labels from the same traffic: repeated cross-validation over a set, its folds by question. How
//! well does a router rank that was told some outcomes?
//!
//! APGR is the mean over folds. The interval is a bootstrap over questions of the folds' scores
//! side by side (as ranks within their fold), so that it is that of the questions, not of the
//! labels drawn; a difference is taken within each resample.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use serde::Serialize;

use crate::route::evidence::crossfit::{FOLDS, folds};
use crate::route::evidence::measure::{self, units};

use super::traffic::Traffic;
use super::{SEED, parallel};

/// Draws of a bootstrap.
const RESAMPLES: usize = 300;
/// Repeats that enter each draw.
const RESAMPLED: usize = 4;

/// What came of a number of labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Learnt {
    /// Labels; `None` where all of the other folds were told.
    pub labels: Option<usize>,
    pub apgr: f64,
    pub ci: [f64; 2],
    /// APGR of the prompt's length on the same folds.
    pub length: f64,
    pub difference_to_length: f64,
    pub difference_ci: [f64; 2],
    /// Standard deviation over repeats: what other labels would have changed.
    pub spread: f64,
    pub repeats: usize,
}

/// One fold of one repeat.
struct Fold {
    rows: Vec<usize>,
    scores: Vec<f64>,
    apgr: f64,
    length: f64,
}

/// Cross-validation with so many labels from the other folds.
pub fn measure(traffic: &Traffic<'_>, labels: Option<usize>, repeats: usize) -> Option<Learnt> {
    let done = parallel::map(repeats * FOLDS, |n| fold(traffic, labels, n / FOLDS, n % FOLDS));
    let done: Vec<Fold> = done.into_iter().collect::<Option<_>>()?;
    let mean = |of: &dyn Fn(&Fold) -> f64, folds: &[Fold]| {
        folds.iter().map(of).sum::<f64>() / folds.len() as f64
    };
    let apgr = mean(&|fold| fold.apgr, &done);
    let length = mean(&|fold| fold.length, &done);
    let by_repeat: Vec<f64> =
        done.chunks(FOLDS).map(|folds| mean(&|fold| fold.apgr, folds)).collect();
    let variance = by_repeat.iter().map(|one| (one - apgr).powi(2)).sum::<f64>();
    let ranks: Vec<Vec<f64>> =
        done.chunks(FOLDS).take(RESAMPLED).map(|folds| ranks(traffic.rows(), folds)).collect();
    let resampled = |rows: &[usize]| {
        let each =
            ranks.iter().map(|ranks| traffic.apgr(rows.iter().map(|row| (*row, ranks[*row]))));
        Some(each.collect::<Option<Vec<f64>>>()?.iter().sum::<f64>() / ranks.len() as f64)
    };
    let of_length = |rows: &[usize]| traffic.apgr_of_length(rows);
    let units = units(&traffic.stems);
    let own = measure::figure(&units, RESAMPLES, SEED, resampled)?;
    let apart = measure::difference(&units, RESAMPLES, SEED, resampled, of_length)?;
    Some(Learnt {
        labels,
        apgr,
        ci: [own.low, own.high],
        length,
        difference_to_length: apgr - length,
        difference_ci: [apart.low, apart.high],
        spread: (variance / by_repeat.len() as f64).sqrt(),
        repeats,
    })
}

fn fold(traffic: &Traffic<'_>, labels: Option<usize>, repeat: usize, fold: usize) -> Option<Fold> {
    let folds = folds(&traffic.stems, FOLDS, repeat as u64);
    let of = |own: bool| (0..traffic.rows()).filter(|row| (folds[*row] == fold) == own).collect();
    let (rows, mut told): (Vec<usize>, Vec<usize>) = (of(true), of(false));
    if let Some(labels) = labels {
        told.shuffle(&mut SmallRng::seed_from_u64((1000 * repeat + fold) as u64));
        told.truncate(labels);
    }
    let scores = traffic.scores(&told, &rows);
    let apgr = traffic.apgr(rows.iter().copied().zip(scores.iter().copied()))?;
    let length = traffic.apgr_of_length(&rows)?;
    Some(Fold { rows, scores, apgr, length })
}

/// The scores of all folds as ranks within their fold, 0 to 1: folds are fitted apart and their
/// scores have no common scale.
fn ranks(count: usize, folds: &[Fold]) -> Vec<f64> {
    let mut ranks = vec![0.0; count];
    for Fold { rows, scores, .. } in folds {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        for (place, n) in order.into_iter().enumerate() {
            ranks[rows[n]] = (place as f64 + 0.5) / rows.len() as f64;
        }
    }
    ranks
}
