//! The figures of the model card: log loss and calibration by set, ranking against the prompt's
//! length, and how often the written prompts get the tier that was asked for them.

use serde::Serialize;

use super::written::Level;
use crate::route::HEADS;
use crate::route::evidence::measure::{
    Figure, Outcome, calibration_error, difference, figure, trade, units,
};
use crate::route::heads::TIER_CLASSES;
use crate::route::recorded::Row;

const SEED: u64 = 1;
/// Draws of a bootstrap.
const RESAMPLES: usize = 200;

/// A row and what is said about it.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    pub row: &'a Row,
    pub adequacy: [f64; HEADS],
    /// The cold score.
    pub cold: f64,
}

/// Calibration of one head on one set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    pub set: String,
    pub tier: &'static str,
    pub rows: usize,
    pub quality: f64,
    pub predicted: f64,
    pub ece: f64,
}

/// Ranking on one set, from its cheapest recorded tier to its strongest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranking {
    pub set: String,
    pub rows: usize,
    /// APGR of the predicted gain, of the cold score and of the length.
    pub heads: Figure,
    pub cold: Figure,
    pub length: Figure,
    /// Cold score less length, resampled in pairs.
    pub over_length: Figure,
}

/// Everything about some judged rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    pub rows: usize,
    /// Means over sets, all heads.
    pub log_loss: f64,
    pub ece: f64,
    pub ranking: Vec<Ranking>,
    pub calibration: Vec<Calibration>,
}

impl Figures {
    pub fn of(judged: &[Judged<'_>]) -> Self {
        let sets = group(judged, |one| {
            let (set, part) = super::mixture::unit(one.row);
            format!("{set} {part}").trim_end().to_owned()
        });
        // A part of a set has too few rows to rank.
        let files = group(judged, |one| one.row.set.to_owned());
        let calibration: Vec<Calibration> =
            sets.iter().flat_map(|(set, rows)| calibration(set, rows)).collect();
        let losses: Vec<f64> = sets.iter().filter_map(|(_, rows)| set_loss(rows)).collect();
        let eces: Vec<f64> = calibration.iter().map(|line| line.ece).collect();
        Self {
            rows: judged.len(),
            log_loss: round(mean(&losses)),
            ece: round(mean(&eces)),
            ranking: files.iter().filter_map(|(set, rows)| ranking(set, rows)).collect(),
            calibration,
        }
    }
}

/// The rows of each name, in order of appearance.
fn group<'a, 'b>(
    judged: &'b [Judged<'a>],
    name: impl Fn(&Judged<'a>) -> String,
) -> Vec<(String, Vec<&'b Judged<'a>>)> {
    let mut groups: Vec<(String, Vec<&Judged<'_>>)> = Vec::new();
    for one in judged {
        let name = name(one);
        match groups.iter_mut().find(|(other, _)| *other == name) {
            Some((_, rows)) => rows.push(one),
            None => groups.push((name, vec![one])),
        }
    }
    groups
}

/// (predicted, recorded) of one head.
fn pairs(rows: &[&Judged<'_>], head: usize) -> Vec<(f64, f64)> {
    rows.iter().filter_map(|one| Some((one.adequacy[head], one.row.quality[head]?))).collect()
}

fn calibration(set: &str, rows: &[&Judged<'_>]) -> Vec<Calibration> {
    let of_head = |(head, tier): (usize, &&'static str)| {
        let pairs = pairs(rows, head);
        let mean_of = |of: fn(&(f64, f64)) -> f64| mean(&pairs.iter().map(of).collect::<Vec<_>>());
        (!pairs.is_empty()).then(|| Calibration {
            set: set.to_owned(),
            tier,
            rows: pairs.len(),
            quality: round(mean_of(|pair| pair.1)),
            predicted: round(mean_of(|pair| pair.0)),
            ece: round(calibration_error(&pairs)),
        })
    };
    TIER_CLASSES.iter().enumerate().filter_map(of_head).collect()
}

fn set_loss(rows: &[&Judged<'_>]) -> Option<f64> {
    let all: Vec<(f64, f64)> = (0..HEADS).flat_map(|head| pairs(rows, head)).collect();
    (!all.is_empty()).then(|| log_loss(&all))
}

fn ranking(set: &str, rows: &[&Judged<'_>]) -> Option<Ranking> {
    // The strongest recorded tier; the mid one where there is no frontier.
    let strong = if rows.iter().any(|one| one.row.quality[2].is_some()) { 2 } else { 1 };
    let rows: Vec<&&Judged<'_>> = rows.iter().filter(|one| one.row.pair().is_some()).collect();
    let stems: Vec<u64> = rows.iter().map(|one| one.row.stem).collect();
    let apgr = |score: &dyn Fn(&Judged<'_>) -> f64, places: &[usize]| {
        let outcome = |place: &usize| {
            let (weak, strong) = rows[*place].row.pair()?;
            let score = score(rows[*place]);
            Some(Outcome { score, weak, strong, weak_cost: 0.0, strong_cost: 1.0 })
        };
        let outcomes: Vec<Outcome> = places.iter().filter_map(outcome).collect();
        Some(trade(&outcomes, SEED)?.apgr)
    };
    let gain = |one: &Judged<'_>| one.adequacy[strong] - one.adequacy[0];
    let cold = |one: &Judged<'_>| one.cold;
    let length = |one: &Judged<'_>| one.row.chars as f64;
    let units = units(&stems);
    let of = |score: &dyn Fn(&Judged<'_>) -> f64| {
        figure(&units, RESAMPLES, SEED, |places| apgr(score, places)).map(rounded)
    };
    let over_length = difference(
        &units,
        RESAMPLES,
        SEED,
        |places| apgr(&cold, places),
        |places| apgr(&length, places),
    );
    Some(Ranking {
        set: set.to_owned(),
        rows: rows.len(),
        heads: of(&gain)?,
        cold: of(&cold)?,
        length: of(&length)?,
        over_length: rounded(over_length?),
    })
}

/// By how far the predicted gap to the frontier misses the recorded one on sources left out: the
/// root mean square over sets, by head.
pub fn doubt(judged: &[Judged<'_>]) -> [f64; HEADS] {
    let sets = group(judged, |one| one.row.set.to_owned());
    let of_head = |head: usize| {
        let miss = |(_, rows): &(String, Vec<&Judged<'_>>)| {
            let gap = |one: &&Judged<'_>| {
                let recorded = one.row.quality[2]? - one.row.quality[head]?;
                Some(one.adequacy[2] - one.adequacy[head] - recorded)
            };
            let gaps: Vec<f64> = rows.iter().filter_map(gap).collect();
            (!gaps.is_empty()).then(|| mean(&gaps).powi(2))
        };
        round(mean(&sets.iter().filter_map(miss).collect::<Vec<_>>()).sqrt())
    };
    let mut doubt = std::array::from_fn(of_head);
    doubt[HEADS - 1] = 0.0;
    doubt
}

/// How written prompts fare: predictions of heads that did not see them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Everyday {
    pub prompts: usize,
    /// P(adequate) at which the small and the mid class are taken.
    pub thresholds: [f64; 2],
    pub right: f64,
    /// Share of the small prompts that go to the frontier class, and the reverse.
    pub easy_to_frontier: f64,
    pub hard_to_small: f64,
    /// Rows: asked for; columns: given.
    pub counts: [[usize; HEADS]; HEADS],
    pub log_loss: f64,
}

impl Everyday {
    pub fn of(judged: &[(Level, [f64; HEADS])], thresholds: [f64; 2]) -> Self {
        let mut counts = [[0; HEADS]; HEADS];
        let mut pairs = Vec::new();
        for (level, adequacy) in judged {
            let passes = |class: &usize| adequacy[*class] >= thresholds[*class];
            let given = (0..thresholds.len()).find(passes).unwrap_or(HEADS - 1);
            counts[level.class()][given] += 1;
            pairs.extend(adequacy.iter().copied().zip(level.quality()));
        }
        let share = |asked: usize, given: usize| {
            let all: usize = counts[asked].iter().sum();
            round(counts[asked][given] as f64 / all.max(1) as f64)
        };
        let right: usize = (0..HEADS).map(|class| counts[class][class]).sum();
        Self {
            prompts: judged.len(),
            thresholds,
            right: round(right as f64 / judged.len().max(1) as f64),
            easy_to_frontier: share(0, HEADS - 1),
            hard_to_small: share(HEADS - 1, 0),
            counts,
            log_loss: round(log_loss(&pairs)),
        }
    }
}

/// Mean log loss against soft labels.
pub fn log_loss(pairs: &[(f64, f64)]) -> f64 {
    let loss = |(predicted, quality): &(f64, f64)| {
        let inside = predicted.clamp(1e-6, 1.0 - 1e-6);
        -(quality * inside.ln() + (1.0 - quality) * (1.0 - inside).ln())
    };
    mean(&pairs.iter().map(loss).collect::<Vec<_>>())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Four decimals: finer is noise.
fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn rounded(figure: Figure) -> Figure {
    Figure { value: round(figure.value), low: round(figure.low), high: round(figure.high) }
}
