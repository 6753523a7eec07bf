//! Scores that have not seen the label they are tested on: labels in folds, each scored by heads
//! fitted to the others. A score that took part in the fit agrees with its label too well, and a
//! promise tested on it would not hold. Pure; the random source is a seed.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

use super::gain::{Heads, Labelled, Sums};

/// Folds that the recipe was measured with.
pub const FOLDS: usize = 5;

/// A fold, below `count`, for each row. Rows of one group (one question in several wordings) share
/// theirs; the folds have as many groups, to within one.
pub fn folds(groups: &[u64], count: usize, seed: u64) -> Vec<usize> {
    let mut distinct = groups.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.shuffle(&mut SmallRng::seed_from_u64(seed));
    let fold: BTreeMap<u64, usize> =
        distinct.into_iter().enumerate().map(|(n, group)| (group, n % count)).collect();
    groups.iter().map(|group| fold[group]).collect()
}

/// The expected gain of each row, by heads that have seen no row of its fold.
pub fn out_of_fold(rows: &[Labelled<'_>], folds: &[usize], width: usize) -> Vec<f64> {
    let (gains, _) = fold_sums(rows, folds, width, false);
    gains
}

/// The same, and the heads learnt from all rows: what is tested, and what then decides.
pub fn with_heads(rows: &[Labelled<'_>], folds: &[usize], width: usize) -> (Vec<f64>, Heads) {
    let (gains, heads) = fold_sums(rows, folds, width, true);
    (gains, heads.expect("invariant: asked for"))
}

/// Both, from sums over each fold: those of the other folds are added up, so that no rounding of
/// a label that was taken out again remains.
fn fold_sums(
    rows: &[Labelled<'_>],
    folds: &[usize],
    width: usize,
    wants_heads: bool,
) -> (Vec<f64>, Option<Heads>) {
    debug_assert_eq!(rows.len(), folds.len());
    let count = folds.iter().max().map_or(0, |last| last + 1);
    let pick = |takes: &dyn Fn(usize) -> bool| -> Vec<Labelled<'_>> {
        let picked = rows.iter().zip(folds).filter(|(_, fold)| takes(**fold));
        picked.map(|(row, _)| *row).collect()
    };
    let parts: Vec<Sums> =
        (0..count).map(|fold| Sums::of(&pick(&|other| other == fold), width)).collect();
    let add_up = |takes: &dyn Fn(usize) -> bool| {
        let mut sums = Sums::of(&[], width);
        parts.iter().enumerate().filter(|(n, _)| takes(*n)).for_each(|(_, part)| sums.merge(part));
        sums
    };
    let mut gains = vec![0.0; rows.len()];
    for fold in 0..count {
        let others = |other: usize| other != fold;
        let heads = Heads::learn_with(&pick(&others), &add_up(&others));
        for ((gain, row), own) in gains.iter_mut().zip(rows).zip(folds) {
            if *own == fold {
                *gain = heads.gain(row.x);
            }
        }
    }
    let heads = wants_heads.then(|| Heads::learn_with(rows, &add_up(&|_| true)));
    (gains, heads)
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn groups_stay_together_and_folds_are_even() {
        let groups: Vec<u64> = (0..103).map(|n| n / 2 * 17).collect();
        let folds = folds(&groups, FOLDS, 1);
        let mut sizes = [0; FOLDS];
        for pair in 0..51 {
            assert_eq!(folds[2 * pair], folds[2 * pair + 1]);
            sizes[folds[2 * pair]] += 1;
        }
        assert!(sizes.iter().all(|size| (10..=11).contains(size)), "{sizes:?}");
        assert_eq!(folds, super::folds(&groups, FOLDS, 1));
        assert_ne!(folds, super::folds(&groups, FOLDS, 2));
    }

    #[test]
    fn a_row_is_scored_without_its_label() {
        let mut rng = SmallRng::seed_from_u64(1);
        let inputs: Vec<Vec<f32>> =
            (0..60).map(|_| (0..40).map(|_| rng.random_range(-1.0..1.0)).collect()).collect();
        // Labels without any relation to the inputs.
        let gains: Vec<f64> = (0..60).map(|_| f64::from(rng.random_range(-1..=1))).collect();
        let rows: Vec<Labelled<'_>> = inputs
            .iter()
            .zip(&gains)
            .map(|(x, gain)| Labelled { x, gain: *gain, weight: 1.0 })
            .collect();
        let folds = folds(&(0..60).collect::<Vec<u64>>(), FOLDS, 1);
        let scores = out_of_fold(&rows, &folds, 40);
        // Turning a label leaves the scores of its own fold as they were, and those alone.
        let mut turned = rows.clone();
        turned[0].gain = if gains[0] > 0.0 { -1.0 } else { 1.0 };
        let after = out_of_fold(&turned, &folds, 40);
        for (n, fold) in folds.iter().enumerate() {
            assert_eq!(scores[n] == after[n], *fold == folds[0], "{n}");
        }
    }
}
