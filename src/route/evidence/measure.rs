//! How good a router was, once it is known what either model would have given: the area under the
//! trade of quality for calls, an honest saving, calibration, and intervals. Pure; the random
//! source is a seed, so that a figure can be had again.
//!
//! The definitions are RouteLLM's (Ong et al. 2024, `routellm/evals/evaluate.py`), so that figures
//! can be compared with published ones.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

/// Points of the curve are the scores' quantiles at so many steps.
const BINS: usize = 10;

/// One row as a router sees it afterwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Higher goes to the strong model.
    pub score: f64,
    /// Quality of either model's answer, 0 to 1.
    pub weak: f64,
    pub strong: f64,
    /// Cost of a call to either, in any unit.
    pub weak_cost: f64,
    pub strong_cost: f64,
}

/// The trade of calls to the strong model for quality.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trade {
    /// Average performance gap recovered: the mean share of the quality gap that is closed, over all
    /// shares of strong calls. 0.5 is chance.
    pub apgr: f64,
    /// Share of strong calls at which half of the gap is closed.
    pub cpt50: f64,
    /// And four fifths of it.
    pub cpt80: f64,
}

/// The trade that a score offers; `None` without rows, or where the models are equally good.
///
/// Rows of one score are put in an order by `seed`: a router that cannot tell them apart would send
/// some of them, whichever come.
pub fn trade(outcomes: &[Outcome], seed: u64) -> Option<Trade> {
    let count = outcomes.len();
    let mean = |of: fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / count as f64;
    let (weak, strong) = (mean(|row| row.weak), mean(|row| row.strong));
    let gap = strong - weak;
    if count == 0 || gap == 0.0 {
        return None;
    }
    let mut closed = vec![0.0];
    let mut sum = 0.0;
    for place in falling(outcomes, seed) {
        sum += outcomes[place].strong - outcomes[place].weak;
        closed.push(sum / count as f64 / gap);
    }
    // Of n rows in rising order, those at or above the quantile i/10 are the last
    // n − ⌈(n − 1)·i/10⌉; above the highest there is none.
    let taken = |bin: usize| match bin {
        BINS => 0,
        bin => count - ((count - 1) * bin).div_ceil(BINS),
    };
    let points: Vec<(f64, f64)> = (0..=BINS)
        .rev()
        .map(|bin| (taken(bin) as f64 / count as f64, closed[taken(bin)]))
        .collect();
    let apgr = points.windows(2).map(|p| (p[1].0 - p[0].0) * (p[1].1 + p[0].1) / 2.0).sum();
    let calls = |share: f64| first_reaching(&points, share);
    Some(Trade { apgr, cpt50: calls(0.5), cpt80: calls(0.8) })
}

/// Where the line through the points first reaches a height. The last point has height 1.
fn first_reaching(points: &[(f64, f64)], height: f64) -> f64 {
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        if y1 >= height && y1 > y0 {
            return x0 + (x1 - x0) * ((height - y0) / (y1 - y0)).max(0.0);
        }
    }
    1.0
}

/// The rows by falling score, those of one score by chance.
fn falling(outcomes: &[Outcome], seed: u64) -> Vec<usize> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut order: Vec<(usize, u64)> = (0..outcomes.len()).map(|n| (n, rng.random())).collect();
    order.sort_by(|a, b| outcomes[b.0].score.total_cmp(&outcomes[a.0].score).then(a.1.cmp(&b.1)));
    order.into_iter().map(|(place, _)| place).collect()
}

/// What a threshold chosen on some rows did on others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saving {
    /// Scores at or above it go to the strong model.
    pub threshold: f64,
    /// Share of the strong model's quality that was lost on the test rows.
    pub loss: f64,
    /// Share of the strong model's cost that was saved there.
    pub saved: f64,
}

/// The cheapest threshold that lost at most `loss` of the strong model's quality on the rows of
/// `chosen_on`, and what it does on `tested_on`. `None` without rows.
pub fn honest_save(chosen_on: &[Outcome], tested_on: &[Outcome], loss: f64) -> Option<Saving> {
    if chosen_on.is_empty() || tested_on.is_empty() {
        return None;
    }
    let mut sorted = chosen_on.to_vec();
    sorted.sort_by(|a, b| b.score.total_cmp(&a.score));
    let sum = |of: fn(&Outcome) -> f64| sorted.iter().map(of).sum::<f64>();
    let least = (1.0 - loss) * sum(|row| row.strong);
    let (mut quality, mut cost) = (sum(|row| row.weak), sum(|row| row.weak_cost));
    let mut best = (f64::INFINITY, f64::INFINITY);
    if quality >= least {
        best.0 = cost;
    }
    for row in &sorted {
        quality += row.strong - row.weak;
        cost += row.strong_cost - row.weak_cost;
        // The last sum is the strong model's own, but for rounding.
        if quality >= least - 1e-9 && cost < best.0 {
            best = (cost, row.score);
        }
    }
    let threshold = best.1;
    let mut after = (0.0, 0.0, 0.0, 0.0);
    for row in tested_on {
        let goes_strong = row.score >= threshold;
        after.0 += if goes_strong { row.strong } else { row.weak };
        after.1 += if goes_strong { row.strong_cost } else { row.weak_cost };
        after.2 += row.strong;
        after.3 += row.strong_cost;
    }
    Some(Saving { threshold, loss: 1.0 - after.0 / after.2, saved: 1.0 - after.1 / after.3 })
}

/// Expected calibration error: how far stated probabilities are from what came, in ten bins,
/// weighted by rows. `rows` holds (stated, came).
pub fn calibration_error(rows: &[(f64, f64)]) -> f64 {
    let mut bins = [(0.0_f64, 0.0_f64); BINS];
    for (stated, came) in rows {
        let bin = ((stated * BINS as f64) as usize).min(BINS - 1);
        bins[bin].0 += stated;
        bins[bin].1 += came;
    }
    let apart: f64 = bins.iter().map(|(stated, came)| (stated - came).abs()).sum();
    if rows.is_empty() { 0.0 } else { apart / rows.len() as f64 }
}

/// A figure and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// What is drawn anew in a resample: rows that belong together (paraphrases, one question under
/// several models) are one unit.
pub fn units(groups: &[u64]) -> Vec<Vec<usize>> {
    let mut units: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (row, group) in groups.iter().enumerate() {
        units.entry(*group).or_default().push(row);
    }
    units.into_values().collect()
}

/// A statistic of rows (given by their places) with its interval: percentiles over `resamples`
/// draws of the units with replacement. Draws on which it is undefined are left out.
pub fn figure(
    units: &[Vec<usize>],
    resamples: usize,
    seed: u64,
    statistic: impl Fn(&[usize]) -> Option<f64>,
) -> Option<Figure> {
    let value = statistic(&units.concat())?;
    let mut drawn: Vec<f64> =
        draws(units, resamples, seed, statistic).into_iter().flatten().collect();
    drawn.sort_by(f64::total_cmp);
    let at = |share: f64| percentile(&drawn, share).unwrap_or(value);
    Some(Figure { value, low: at(0.025), high: at(0.975) })
}

/// The statistic on each of `resamples` draws of the units with replacement.
pub fn draws(
    units: &[Vec<usize>],
    resamples: usize,
    seed: u64,
    statistic: impl Fn(&[usize]) -> Option<f64>,
) -> Vec<Option<f64>> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut rows = Vec::new();
    (0..resamples)
        .map(|_| {
            rows.clear();
            for _ in units {
                rows.extend(&units[rng.random_range(0..units.len())]);
            }
            statistic(&rows)
        })
        .collect()
}

/// The value below which such a share of the sorted values lies, interpolated; `None` of none.
pub fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

/// The difference of two statistics of the same rows: both are taken from each resample, so that
/// what makes a resample easy for both cancels.
pub fn difference(
    units: &[Vec<usize>],
    resamples: usize,
    seed: u64,
    a: impl Fn(&[usize]) -> Option<f64>,
    b: impl Fn(&[usize]) -> Option<f64>,
) -> Option<Figure> {
    figure(units, resamples, seed, |rows| Some(a(rows)? - b(rows)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number in [0, 1) that Python gives too.
    fn hashed(i: u64, k: u64) -> f64 {
        let mut x = (i * 2_654_435_761 + k * 40_503) % (1 << 32);
        x ^= x >> 15;
        x = x * 0x2c1b_3c6d % (1 << 32);
        x ^= x >> 12;
        x as f64 / (1_u64 << 32) as f64
    }

    fn outcomes(rows: std::ops::Range<u64>) -> Vec<Outcome> {
        let mark = |holds: bool| f64::from(u8::from(holds));
        rows.map(|i| {
            let hard = hashed(i, 0);
            let weak = hashed(i, 1) > hard * 0.8;
            let strong = (weak && hashed(i, 2) > 0.1) || hashed(i, 3) > 0.4;
            Outcome {
                score: hard + hashed(i, 4),
                weak: mark(weak),
                strong: mark(strong),
                weak_cost: 0.2 + 0.1 * hashed(i, 5),
                strong_cost: 20.0 + 10.0 * hashed(i, 6),
            }
        })
        .collect()
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn agrees_with_the_reference() {
        // routing_metrics.py on the same rows.
        let (known, fresh) = (outcomes(0..998), outcomes(998..1998));
        let found = trade(&known, 1).expect("a gap");
        assert!(near(found.apgr, 0.645_028_996_045_187_9), "{found:?}");
        assert!(near(found.cpt50, 0.308_231_848_312_008_3), "{found:?}");
        assert!(near(found.cpt80, 0.573_897_795_591_182_2), "{found:?}");
        for (loss, threshold, lost, saved) in [
            (0.02, 0.639_035_329_688_340_4, 0.026_796_589_524_969_44, 0.196_616_359_907_211_16),
            (0.05, 0.889_690_438_518_300_7, 0.080_389_768_574_908_54, 0.383_923_321_182_604_3),
        ] {
            let found = honest_save(&known, &fresh, loss).expect("rows");
            assert!(near(found.threshold, threshold), "{found:?}");
            assert!(near(found.loss, lost) && near(found.saved, saved), "{found:?}");
        }
        let stated: Vec<(f64, f64)> = known.iter().map(|row| (row.score / 2.0, row.weak)).collect();
        assert!(near(calibration_error(&stated), 0.325_837_363_529_216));
    }

    #[test]
    fn ties_are_broken_by_chance_as_in_the_reference() {
        let mut rows = outcomes(0..998);
        for row in &mut rows {
            row.score = (row.score * 4.0).floor();
        }
        let found: Vec<f64> = (0..20).map(|seed| trade(&rows, seed).expect("a gap").apgr).collect();
        // Six of the reference's own draws lie between 0.6357 and 0.6442.
        let mean = found.iter().sum::<f64>() / 20.0;
        assert!((mean - 0.641).abs() < 0.004, "{mean}");
        assert_eq!(trade(&rows, 3), trade(&rows, 3));
        for row in &mut rows {
            row.score = 1.0;
        }
        let chance =
            (0..20).map(|seed| trade(&rows, seed).expect("a gap").apgr).sum::<f64>() / 20.0;
        assert!((chance - 0.5).abs() < 0.03, "{chance}");
    }

    #[test]
    fn knowing_all_is_the_most_and_nothing_is_said_of_equals() {
        let mut rows = outcomes(0..500);
        for row in &mut rows {
            row.score = row.strong - row.weak;
        }
        let found = trade(&rows, 1).expect("a gap");
        assert!(found.apgr > 0.9 && found.cpt50 < 0.2 && found.cpt80 >= found.cpt50, "{found:?}");
        for row in &mut rows {
            row.weak = row.strong;
        }
        assert_eq!(trade(&rows, 1), None);
        assert_eq!(trade(&[], 1), None);
        assert_eq!(honest_save(&rows, &[], 0.1), None);
        // Models of one quality: the weak one for all.
        let saving = honest_save(&rows, &rows, 0.0).expect("rows");
        assert!(saving.threshold.is_infinite() && saving.saved > 0.98, "{saving:?}");
    }

    #[test]
    fn a_loss_of_nothing_can_be_kept() {
        let rows = outcomes(0..300);
        let found = honest_save(&rows, &rows, 0.0).expect("rows");
        assert!(found.loss <= 1e-9, "{found:?}");
    }

    #[test]
    fn an_interval_holds_the_mean_as_often_as_stated() {
        let mut held = 0;
        for set in 0..200_u64 {
            let values: Vec<f64> = (0..80).map(|i| hashed(i + 1000 * set, 9)).collect();
            let each = units(&(0..80).collect::<Vec<u64>>());
            let mean =
                |rows: &[usize]| Some(rows.iter().map(|row| values[*row]).sum::<f64>() / 80.0);
            let found = figure(&each, 200, set, mean).expect("defined");
            assert!(found.low <= found.value && found.value <= found.high);
            held += u32::from(found.low <= 0.5 && 0.5 <= found.high);
        }
        assert!((178..=199).contains(&held), "{held} of 200");
    }

    #[test]
    fn what_is_common_to_both_cancels_in_a_difference() {
        let values: Vec<f64> = (0..100).map(|i| hashed(i, 1)).collect();
        let each = units(&(0..100).collect::<Vec<u64>>());
        let mean = |rows: &[usize]| rows.iter().map(|row| values[*row]).sum::<f64>() / 100.0;
        let alone = figure(&each, 300, 1, |rows| Some(mean(rows))).expect("defined");
        let apart =
            difference(&each, 300, 1, |rows| Some(mean(rows) + 0.01), |rows| Some(mean(rows)))
                .expect("defined");
        assert!(near(apart.low, 0.01) && near(apart.high, 0.01), "{apart:?}");
        assert!(alone.high - alone.low > 0.05);
    }

    #[test]
    fn rows_that_belong_together_are_drawn_together() {
        let together = units(&[7, 3, 7, 3, 9]);
        assert_eq!(together, [vec![1, 3], vec![0, 2], vec![4]]);
        let pairs = |rows: &[usize]| {
            let count = |row: usize| rows.iter().filter(|other| **other == row).count();
            assert_eq!((count(0), count(1)), (count(2), count(3)));
            Some(1.0)
        };
        assert!(figure(&together, 50, 1, pairs).is_some());
    }
}
