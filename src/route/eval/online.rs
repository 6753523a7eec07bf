//! Learning as labels come: an empty router, 5,000 labelled MMLU requests one after another, and
//! the rest of the set, without the stream's questions, to see what it has learnt. From sums alone,
//! as live: no request is kept.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use serde::Serialize;

use crate::route::evidence::blend::Blend;
use crate::route::evidence::crossfit::{FOLDS, folds, out_of_fold};
use crate::route::evidence::gain::{Heads, Tally};
use crate::route::evidence::inputs::Standard;

use super::parallel;
use super::traffic::{FIRST, Traffic};

/// Requests of the stream.
const STREAM: usize = 5000;
/// Labels after which the router is looked at.
pub const MARKS: [usize; 7] = [100, 200, 500, 1000, 2000, 3000, 5000];
/// What a call to the strong model costs, in quality, for the regret.
const COST: f64 = 0.1;

/// Where the router stood after some labels, over all runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mark {
    pub labels: usize,
    /// Mean APGR on the rest, and its standard error over runs.
    pub apgr: f64,
    pub error: f64,
    /// Quality less 0.1 per strong call that was missed so far, against heads fitted five-fold on
    /// all labels.
    pub regret: f64,
}

/// The whole stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Online {
    pub runs: usize,
    pub marks: Vec<Mark>,
    /// APGR on the rest without any label, and of the prompt's length.
    pub cold: f64,
    pub length: f64,
    /// Regret of always asking the strong model, and of never.
    pub always_strong: f64,
    pub always_weak: f64,
}

struct Run {
    apgr: Vec<f64>,
    regret: Vec<f64>,
    cold: f64,
    length: f64,
    always_strong: f64,
    always_weak: f64,
}

/// So many runs, each over a stream of its own; `None` where the set is too small for one.
pub fn measure(traffic: &Traffic<'_>, runs: usize) -> Option<Online> {
    if traffic.rows() <= STREAM || runs == 0 {
        return None;
    }
    let done = parallel::map(runs, |seed| run(traffic, seed as u64));
    let done: Vec<Run> = done.into_iter().collect::<Option<_>>()?;
    let mean = |of: &dyn Fn(&Run) -> f64| done.iter().map(of).sum::<f64>() / runs as f64;
    let mark = |(n, labels): (usize, usize)| {
        let apgr = mean(&|run| run.apgr[n]);
        let variance = done.iter().map(|run| (run.apgr[n] - apgr).powi(2)).sum::<f64>();
        let error = (variance / (runs.max(2) - 1) as f64 / runs as f64).sqrt();
        Mark { labels, apgr, error, regret: mean(&|run| run.regret[n]) }
    };
    Some(Online {
        runs,
        marks: MARKS.into_iter().enumerate().map(mark).collect(),
        cold: mean(&|run| run.cold),
        length: mean(&|run| run.length),
        always_strong: mean(&|run| run.always_strong),
        always_weak: mean(&|run| run.always_weak),
    })
}

/// Labels between two fits.
fn pause(seen: usize) -> usize {
    if seen < 500 { 25 } else { 100 }
}

fn run(traffic: &Traffic<'_>, seed: u64) -> Option<Run> {
    let mut order: Vec<usize> = (0..traffic.rows()).collect();
    order.shuffle(&mut SmallRng::seed_from_u64(seed));
    let (stream, rest) = order.split_at(STREAM);
    let rest = traffic.unasked(rest, stream);
    let standard = traffic.standard(&stream[..FIRST]);
    let (picked, apgr) = learn(traffic, &standard, stream, &rest)?;
    let best = reference(traffic, &standard, seed);
    let regrets = |picks: &dyn Fn(usize) -> bool| -> Vec<f64> {
        let value = |row: usize, strong: bool| match strong {
            true => traffic.strong[row] - COST,
            false => traffic.weak[row],
        };
        let each = stream.iter().enumerate().scan(0.0, |sum, (n, row)| {
            *sum += value(*row, best[*row] > COST) - value(*row, picks(n));
            Some(*sum)
        });
        each.collect()
    };
    let own = regrets(&|n| picked[n]);
    Some(Run {
        apgr,
        regret: MARKS.iter().map(|mark| own[mark - 1]).collect(),
        cold: traffic.apgr(rest.iter().map(|row| (*row, traffic.cold[*row])))?,
        length: traffic.apgr_of_length(&rest)?,
        always_strong: regrets(&|_| true)[STREAM - 1],
        always_weak: regrets(&|_| false)[STREAM - 1],
    })
}

/// Whether each request of the stream went to the strong model, by what was known when it came, and
/// the APGR on the rest at each of [`MARKS`].
fn learn(
    traffic: &Traffic<'_>,
    standard: &Standard,
    stream: &[usize],
    rest: &[usize],
) -> Option<(Vec<bool>, Vec<f64>)> {
    let known = traffic.read(standard, stream);
    let labels = traffic.labelled(stream, &known);
    let held_out = traffic.read(standard, rest);
    let mut tally = Tally::new(traffic.inputs(standard).width());
    let mut heads: Option<Heads> = None;
    let (mut picked, mut apgr) = (Vec::with_capacity(STREAM), Vec::with_capacity(MARKS.len()));
    let (mut seen, mut learnt) = (0, 0);
    while seen < STREAM {
        let end = STREAM.min(seen + pause(seen));
        picked.extend(labels[seen..end].iter().map(|row| match &heads {
            Some(heads) => heads.gain(row.x) > COST,
            None => true,
        }));
        seen = end;
        // What is learnt needs the traffic's mean and spread, which the first prompts give: their
        // labels wait until then.
        if seen >= FIRST {
            labels[learnt..seen].iter().for_each(|row| tally.add(row, heads.as_ref()));
            learnt = seen;
            heads = Some(tally.fit());
        }
        if !MARKS.contains(&seen) {
            continue;
        }
        let cold = |row: usize| traffic.cold[row];
        apgr.push(match &heads {
            None => traffic.apgr(rest.iter().map(|row| (*row, cold(*row))))?,
            Some(heads) => {
                let first = (0..FIRST).map(|n| (heads.gain(&known[n]), cold(stream[n])));
                let blend = Blend::of(&first.collect::<Vec<_>>(), tally.labels());
                let scored = rest.iter().zip(&held_out);
                let scored = scored.map(|(row, x)| (*row, blend.score(heads.gain(x), cold(*row))));
                traffic.apgr(scored)?
            }
        });
    }
    Some((picked, apgr))
}

/// The gain of every row by heads that know all labels but those of its fold.
fn reference(traffic: &Traffic<'_>, standard: &Standard, seed: u64) -> Vec<f64> {
    let all: Vec<usize> = (0..traffic.rows()).collect();
    let read = traffic.read(standard, &all);
    let width = traffic.inputs(standard).width();
    out_of_fold(&traffic.labelled(&all, &read), &folds(&traffic.stems, FOLDS, seed), width)
}
