//! Turns predictions into the figures by set, as JSON for the weights' file and as the tables of
//! the model card.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::data::Row;
use crate::fit::HEADS;
use crate::measure::{Figure, Outcome, apgr, calibration_error, with_interval};

/// Figures of one set for one step up.
pub struct Line {
    pub set: String,
    pub step: &'static str,
    pub rows: usize,
    pub heads: Figure,
    pub length: Figure,
    pub difference: Figure,
}

/// Calibration of one head on one set.
pub struct Calibration {
    pub set: String,
    pub tier: &'static str,
    pub rows: usize,
    pub quality: f64,
    pub predicted: f64,
    pub error: f64,
}

pub const TIERS: [&str; HEADS] = ["small", "mid", "frontier"];
const STEPS: [(usize, &str); 2] = [(0, "small → frontier"), (1, "mid → frontier")];

/// A row and what the heads say about it.
pub type Judged<'a> = (&'a Row, [f64; HEADS]);

/// The names of the sets, in order of appearance.
pub fn sets(judged: &[Judged<'_>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (row, _) in judged {
        if !names.contains(&row.set) {
            names.push(row.set.clone());
        }
    }
    names
}

/// Ranking figures: the predicted gain against the prompt's length.
pub fn ranking(judged: &[Judged<'_>]) -> Vec<Line> {
    let mut lines = Vec::new();
    for set in sets(judged) {
        for (weak, step) in STEPS {
            let rows: Vec<(Outcome, f64)> = judged
                .iter()
                .filter(|(row, _)| row.set == set)
                .filter_map(|(row, p)| {
                    let (weak_quality, strong) = (row.quality[weak]?, row.quality[2]?);
                    let outcome = Outcome {
                        score: p[2] - p[weak],
                        weak: weak_quality.into(),
                        strong: strong.into(),
                    };
                    Some((outcome, row.prompt.chars().count() as f64))
                })
                .collect();
            if rows.is_empty() {
                continue;
            }
            let by_heads: Vec<Outcome> = rows.iter().map(|(outcome, _)| *outcome).collect();
            let by_length: Vec<Outcome> = by_length(&rows);
            lines.push(Line {
                set: set.clone(),
                step,
                rows: rows.len(),
                heads: with_interval(&by_heads, apgr),
                length: with_interval(&by_length, apgr),
                difference: paired(&by_heads, &by_length),
            });
        }
    }
    lines
}

/// Equal lengths are told apart by a jitter far below one character.
fn by_length(rows: &[(Outcome, f64)]) -> Vec<Outcome> {
    let mut chance = crate::measure::Chance(3);
    let mut jitter = || (chance.next() >> 40) as f64 * 1e-9;
    rows.iter().map(|(outcome, chars)| Outcome { score: chars + jitter(), ..*outcome }).collect()
}

/// APGR of the heads less that of the length, resampled in pairs.
fn paired(heads: &[Outcome], length: &[Outcome]) -> Figure {
    // The index travels in the score, so that one resample serves both.
    let indexed: Vec<Outcome> = heads
        .iter()
        .enumerate()
        .map(|(index, outcome)| Outcome { score: index as f64, ..*outcome })
        .collect();
    with_interval(&indexed, |sample| {
        let pick = |from: &[Outcome]| -> Vec<Outcome> {
            sample.iter().map(|row| from[row.score as usize]).collect()
        };
        apgr(&pick(heads)) - apgr(&pick(length))
    })
}

/// Calibration by set and head.
pub fn calibration(judged: &[Judged<'_>]) -> Vec<Calibration> {
    let mut lines = Vec::new();
    for set in sets(judged) {
        for (head, tier) in TIERS.into_iter().enumerate() {
            let pairs: Vec<(f64, f64)> = judged
                .iter()
                .filter(|(row, _)| row.set == set)
                .filter_map(|(row, p)| Some((p[head], f64::from(row.quality[head]?))))
                .collect();
            if pairs.is_empty() {
                continue;
            }
            let mean =
                |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
            lines.push(Calibration {
                set: set.clone(),
                tier,
                rows: pairs.len(),
                quality: mean(|pair| pair.1),
                predicted: mean(|pair| pair.0),
                error: calibration_error(&pairs),
            });
        }
    }
    lines
}

/// What a pair of thresholds does to rows that every tier was recorded on.
pub struct Mix {
    pub thresholds: (f64, f64),
    pub rows: usize,
    /// Share of the rows that each tier answers.
    pub shares: [f64; HEADS],
    pub quality: f64,
    pub frontier_quality: f64,
}

const THRESHOLDS: [(f64, f64); 6] =
    [(0.6, 0.6), (0.65, 0.65), (0.7, 0.7), (0.72, 0.7), (0.75, 0.72), (0.8, 0.75)];

/// The tier mix and the quality of some thresholds.
pub fn thresholds(judged: &[Judged<'_>]) -> Vec<Mix> {
    let complete: Vec<([f64; HEADS], [f64; HEADS])> = judged
        .iter()
        .filter_map(|(row, p)| match row.quality {
            [Some(a), Some(b), Some(c)] => Some(([a, b, c].map(f64::from), *p)),
            _ => None,
        })
        .collect();
    let rows = complete.len();
    let mix = |(small, mid): (f64, f64)| {
        let (mut shares, mut quality, mut frontier_quality) = ([0.0; HEADS], 0.0, 0.0);
        for (recorded, p) in &complete {
            let tier = if p[0] >= small { 0 } else { 2 - usize::from(p[1] >= mid) };
            shares[tier] += 1.0 / rows as f64;
            quality += recorded[tier] / rows as f64;
            frontier_quality += recorded[2] / rows as f64;
        }
        Mix { thresholds: (small, mid), rows, shares, quality, frontier_quality }
    };
    THRESHOLDS.map(mix).into()
}

pub fn thresholds_table(lines: &[Mix]) -> String {
    let mut table = String::from(
        "| small ≥ | mid ≥ | rows | to small | to mid | to frontier | quality | always frontier |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for Mix { thresholds, rows, shares, quality, frontier_quality } in lines {
        let [small, mid, frontier] = shares.map(|share| share * 100.0);
        let _ = writeln!(
            table,
            "| {} | {} | {rows} | {small:.0} % | {mid:.0} % | {frontier:.0} % | {quality:.3} | {frontier_quality:.3} |",
            thresholds.0, thresholds.1
        );
    }
    table
}

/// By how far the predicted gap to the frontier misses the recorded one on sets left out: the root
/// mean square over sets, by head.
pub fn doubt(judged: &[Judged<'_>]) -> [f64; HEADS] {
    let mut doubt = [0.0; HEADS];
    for (head, doubt) in doubt.iter_mut().enumerate().take(HEADS - 1) {
        let mut misses = Vec::new();
        for set in sets(judged) {
            let gaps: Vec<f64> = judged
                .iter()
                .filter(|(row, _)| row.set == set)
                .filter_map(|(row, p)| {
                    let recorded = f64::from(row.quality[2]? - row.quality[head]?);
                    Some(p[2] - p[head] - recorded)
                })
                .collect();
            if !gaps.is_empty() {
                misses.push(gaps.iter().sum::<f64>() / gaps.len() as f64);
            }
        }
        let square = misses.iter().map(|miss| miss * miss).sum::<f64>() / misses.len() as f64;
        *doubt = round(square.sqrt());
    }
    doubt
}

/// Four decimals: finer is noise, and short numbers survive a round trip through JSON.
pub fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn figure(figure: Figure) -> Value {
    json!([round(figure.value), round(figure.low), round(figure.high)])
}

pub fn ranking_json(lines: &[Line]) -> Value {
    let line = |line: &Line| {
        json!({"set": line.set, "step": line.step, "rows": line.rows,
            "apgr": figure(line.heads), "length": figure(line.length),
            "difference": figure(line.difference)})
    };
    lines.iter().map(line).collect()
}

pub fn calibration_json(lines: &[Calibration]) -> Value {
    let line = |line: &Calibration| {
        json!({"set": line.set, "tier": line.tier, "rows": line.rows,
            "quality": round(line.quality), "predicted": round(line.predicted),
            "ece": round(line.error)})
    };
    lines.iter().map(line).collect()
}

pub fn ranking_table(lines: &[Line]) -> String {
    let mut table = String::from(
        "| set | step | rows | heads APGR | length APGR | difference |\n\
         | --- | --- | ---: | ---: | ---: | ---: |\n",
    );
    let cell = |f: Figure| format!("{:.3} [{:.2}, {:.2}]", f.value, f.low, f.high);
    for line in lines {
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} |",
            line.set,
            line.step,
            line.rows,
            cell(line.heads),
            cell(line.length),
            cell(line.difference)
        );
    }
    table
}

pub fn calibration_table(lines: &[Calibration]) -> String {
    let mut table = String::from(
        "| set | tier | rows | mean quality | mean prediction | ECE |\n\
         | --- | --- | ---: | ---: | ---: | ---: |\n",
    );
    for line in lines {
        let _ = writeln!(
            table,
            "| {} | {} | {} | {:.3} | {:.3} | {:.3} |",
            line.set, line.tier, line.rows, line.quality, line.predicted, line.error
        );
    }
    table
}
