//! A shift of the traffic: watchers calibrated on half of MMLU, then GSM8K for traffic, and, to see
//! whether they cry for nothing, five thousand requests drawn from the other half. No labels.

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use crate::route::evidence::shift::{Surface, Topics};
use crate::route::recorded::Corpus;

use super::parallel;

const KNOWN: &str = "routellm_mmlu";
const OTHER: &str = "routellm_gsm8k";
/// Requests within which a shift must be noticed; later counts as never.
const WITHIN: usize = 500;
/// Requests without a shift.
const QUIET: usize = 5000;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shift {
    /// Requests to the first alarm of either watcher in the slowest run; `None` if a run had none
    /// within 500.
    pub alarm_after: Option<usize>,
    /// Runs without a shift in which either watcher cried.
    pub false_alarms: usize,
    pub runs: usize,
    /// Each watcher alone, in the slowest run.
    pub surface_after: Option<usize>,
    pub topics_after: Option<usize>,
}

/// When each watcher first cried.
#[derive(Debug, Clone, Copy, Default)]
struct Cried {
    surface: Option<usize>,
    topics: Option<usize>,
}

impl Cried {
    fn first(self) -> Option<usize> {
        self.surface.into_iter().chain(self.topics).min()
    }
}

struct Watchers {
    surface: Option<Surface>,
    topics: Option<Topics>,
}

impl Watchers {
    fn calibrated(corpus: &Corpus, rows: &[usize], seed: u64) -> Self {
        let surface: Vec<&[f32]> = rows.iter().map(|row| corpus.surface[*row].values()).collect();
        let vectors: Vec<&[f32]> = rows.iter().map(|row| &*corpus.vectors[*row]).collect();
        Self { surface: Surface::of(&surface), topics: Topics::of(&vectors, seed) }
    }

    fn watch(mut self, corpus: &Corpus, rows: &[usize], rng: &mut SmallRng) -> Cried {
        let mut cried = Cried::default();
        for (n, row) in rows.iter().enumerate() {
            let features = corpus.surface[*row].values();
            let chance = rng.random();
            if self.surface.as_mut().and_then(|watch| watch.take(features, chance)).is_some() {
                cried.surface.get_or_insert(n + 1);
            }
            let vector = &corpus.vectors[*row];
            if self.topics.as_mut().and_then(|watch| watch.take(vector)).is_some() {
                cried.topics.get_or_insert(n + 1);
            }
        }
        cried
    }
}

/// So many runs, each with a calibration of its own; `None` without the two sets.
pub fn measure(corpus: &Corpus, runs: usize) -> Option<Shift> {
    let (known, other) = (corpus.of_set(KNOWN), corpus.of_set(OTHER));
    if known.is_empty() || other.is_empty() {
        return None;
    }
    let done = parallel::map(runs, |seed| run(corpus, &known, &other, seed as u64));
    let slowest = |of: fn(Cried) -> Option<usize>| {
        done.iter().map(|(moved, _)| of(*moved)).collect::<Option<Vec<usize>>>()?.into_iter().max()
    };
    Some(Shift {
        alarm_after: slowest(Cried::first),
        false_alarms: done.iter().filter(|(_, quiet)| quiet.first().is_some()).count(),
        runs,
        surface_after: slowest(|cried| cried.surface),
        topics_after: slowest(|cried| cried.topics),
    })
}

/// What was cried under a shift, and without one.
fn run(corpus: &Corpus, known: &[usize], other: &[usize], seed: u64) -> (Cried, Cried) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut known = known.to_vec();
    known.shuffle(&mut rng);
    let (calibration, fresh) = known.split_at(known.len().div_ceil(2));
    let mut moved = other.to_vec();
    moved.shuffle(&mut rng);
    moved.truncate(WITHIN);
    let quiet: Vec<usize> = (0..QUIET).map(|_| fresh[rng.random_range(0..fresh.len())]).collect();
    let mut watch = |rows: &[usize]| {
        Watchers::calibrated(corpus, calibration, seed).watch(corpus, rows, &mut rng)
    };
    (watch(&moved), watch(&quiet))
}
