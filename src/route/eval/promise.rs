//! A stated loss, learnt and tested: half of a set's questions are labels, the other half is
//! traffic. Was the loss on the traffic within what was stated, and what was saved, beside what a
//! threshold chosen without any margin saves?

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use serde::Serialize;

use crate::route::evidence::crossfit::{FOLDS, folds, with_heads};
use crate::route::evidence::measure::{Outcome, honest_save};
use crate::route::evidence::promise::{Scored, Stated, Verdict, test};

use super::parallel;
use super::traffic::{STRONG_COST, Traffic, WEAK_COST};

/// The losses that are stated, in points of a hundred.
pub const POINTS: [f64; 2] = [2.0, 5.0];
const CONFIDENCE: f64 = 0.9;
/// A set needs so many rows: half of fewer cannot show a loss of two points.
pub const LEAST_ROWS: usize = 500;

/// How a promise fared on one set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Set {
    pub set: &'static str,
    pub rows: usize,
    /// Share of the splits on whose traffic the loss stayed within what was stated.
    pub held: f64,
    /// Mean share of the cost of always asking the strong model that was saved.
    pub saving: f64,
    /// The same by `honest_save`, which promises nothing.
    pub honest_saving: f64,
    /// And the share of the splits on which that kept the loss all the same.
    pub honest_held: f64,
}

/// A promise over all sets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Promise {
    pub points: f64,
    /// The smallest of the sets'.
    pub held: f64,
    /// Mean saving over sets and splits, as a share of `honest_save`'s.
    pub saving_share: f64,
    pub saving: f64,
    pub splits: usize,
    pub sets: Vec<Set>,
}

/// What one split gave, for each of [`POINTS`].
struct Split([Fate; POINTS.len()]);

#[derive(Clone, Copy)]
struct Fate {
    held: bool,
    saving: f64,
    honest_held: bool,
    honest_saving: f64,
}

/// Both promises on all sets, over so many splits.
pub fn measure(sets: &[(&'static str, Traffic<'_>)], splits: usize) -> Vec<Promise> {
    let large: Vec<_> = sets.iter().filter(|(_, traffic)| traffic.rows() >= LEAST_ROWS).collect();
    if large.is_empty() || splits == 0 {
        return Vec::new();
    }
    let done =
        parallel::map(large.len() * splits, |n| split(&large[n / splits].1, (n % splits) as u64));
    let promise = |(place, points): (usize, f64)| {
        let sets: Vec<Set> = large
            .iter()
            .zip(done.chunks(splits))
            .map(|((set, traffic), splits)| {
                let mean = |of: fn(&Fate) -> f64| {
                    splits.iter().map(|split| of(&split.0[place])).sum::<f64>()
                        / splits.len() as f64
                };
                Set {
                    set,
                    rows: traffic.rows(),
                    held: mean(|fate| f64::from(u8::from(fate.held))),
                    saving: mean(|fate| fate.saving),
                    honest_saving: mean(|fate| fate.honest_saving),
                    honest_held: mean(|fate| f64::from(u8::from(fate.honest_held))),
                }
            })
            .collect();
        let mean = |of: fn(&Set) -> f64| sets.iter().map(of).sum::<f64>() / sets.len() as f64;
        let saving = mean(|set| set.saving);
        Promise {
            points,
            held: sets.iter().map(|set| set.held).fold(1.0, f64::min),
            saving_share: saving / mean(|set| set.honest_saving),
            saving,
            splits,
            sets,
        }
    };
    POINTS.into_iter().enumerate().map(promise).collect()
}

fn split(traffic: &Traffic<'_>, seed: u64) -> Split {
    let (told, asked) = halves(&traffic.stems, seed);
    let standard = traffic.standard(&told);
    let read = traffic.read(&standard, &told);
    let labelled = traffic.labelled(&told, &read);
    let stems: Vec<u64> = told.iter().map(|row| traffic.stems[*row]).collect();
    let inputs = traffic.inputs(&standard);
    let (known, heads) = with_heads(&labelled, &folds(&stems, FOLDS, seed), inputs.width());
    let gains = traffic.read(&standard, &asked).into_iter().map(|x| heads.gain(&x));
    let gains: Vec<f64> = gains.collect();
    let outcomes = |rows: &[usize], scores: &[f64]| -> Vec<Outcome> {
        rows.iter().zip(scores).map(|(row, score)| traffic.outcome(*row, *score)).collect()
    };
    let (told, asked) = (outcomes(&told, &known), outcomes(&asked, &gains));
    let strong = traffic.strong.iter().sum::<f64>() / traffic.rows() as f64;
    Split(POINTS.map(|points| fate(&told, &asked, points / 100.0, strong)))
}

/// The questions in two halves, by chance.
fn halves(stems: &[u64], seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut distinct = stems.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.shuffle(&mut SmallRng::seed_from_u64(seed));
    distinct.truncate(distinct.len() / 2);
    distinct.sort_unstable();
    (0..stems.len()).partition(|row| distinct.binary_search(&stems[*row]).is_ok())
}

fn fate(told: &[Outcome], asked: &[Outcome], loss: f64, strong: f64) -> Fate {
    let scored: Vec<Scored> =
        told.iter().map(|row| Scored { score: row.score, gain: row.strong - row.weak }).collect();
    let stated = Stated { loss, confidence: CONFIDENCE, horizon: asked.len() as f64 };
    let threshold = match test(&scored, &stated) {
        Verdict::Kept(kept) => kept.threshold,
        Verdict::Abstain(_) => f64::NEG_INFINITY,
    };
    let count = asked.len() as f64;
    let weak = || asked.iter().filter(|row| row.score < threshold);
    let lost = weak().map(|row| row.strong - row.weak).sum::<f64>() / count;
    let saving = weak().count() as f64 / count * (1.0 - WEAK_COST / STRONG_COST);
    let honest = honest_save(told, asked, loss / strong);
    let quality = asked.iter().map(|row| row.strong).sum::<f64>() / count;
    // What was stated is kept to the last row, not to the last bit.
    let within = |lost: f64| lost <= loss + 1e-12;
    Fate {
        held: within(lost),
        saving,
        honest_held: honest.is_some_and(|found| within(found.loss * quality)),
        honest_saving: honest.map_or(0.0, |found| found.saved),
    }
}
