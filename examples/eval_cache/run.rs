//! Runs the policy over a stream as a gateway would: serve, or ask, compare, learn and store.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use semgate::cache::verify::features::Values;
use semgate::cache::verify::mind::{Decision, Exploring, Goals, Mind, Weighed};
use semgate::cache::verify::weights::Prior;
use semgate::cache::verify::{Candidate, Errors, Verdict};

use super::stream::Stream;

/// Neighbours of a lookup.
pub const CANDIDATES: usize = 24;

/// How a run differs from others.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub goals: Goals,
    /// The judge's errors: those it makes, and those the policy is told.
    pub judge: Errors,
    pub seed: u64,
    /// At mid-stream, replace this share of the answers.
    pub replaced: f64,
    /// Serve nothing: for training.
    pub mute: bool,
}

/// What became of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Miss,
    Explored,
    Right,
    Wrong,
}

/// A lookup with a candidate: what the best one's features were, and the truth.
#[derive(Debug, Clone)]
pub struct Sample {
    pub values: Values,
    pub right: bool,
}

#[derive(Debug, Default)]
pub struct Run {
    pub outcomes: Vec<Outcome>,
    pub samples: Vec<Sample>,
    /// Lookup and the row that was served.
    pub hits: Vec<(usize, usize)>,
    /// Duration of each decision in nanoseconds.
    pub nanoseconds: Vec<u32>,
    /// Last estimate of the wrong-hit rate.
    pub estimate: f32,
    /// Explored because the group was suspect or not verified since the last alarm.
    pub forced: usize,
    pub alarms: usize,
    /// Lookups whose best candidate a guard vetoed, and those whose answer it had.
    pub vetoed: usize,
    pub vetoed_right: usize,
}

pub fn run(stream: &Stream, prior: &Prior, setup: &Setup) -> Run {
    let mut rng = SmallRng::seed_from_u64(setup.seed);
    let mut mind = Mind::new(prior);
    let mut stored = vec![false; stream.len()];
    let mut run = Run::default();
    let truth = Truth { stream, replaced: setup.replaced };
    for query in 0..stream.len() {
        let near = stream.nearest(query, &stored, CANDIDATES);
        let candidate = |(row, similarity): &(usize, f32)| Candidate {
            entry: *row as u64,
            profile: &stream.profiles[*row],
            similarity: *similarity,
        };
        let candidates: Vec<Candidate<'_>> = near.iter().map(candidate).collect();
        let profile = &stream.profiles[query];
        let draw: f32 = rng.random();
        let clock = started();
        let weighed = mind.weigh(prior, profile, &candidates);
        let mut decision = mind.decide(&weighed, &setup.goals, &setup.judge, draw);
        run.nanoseconds.push(u32::try_from(clock.elapsed().as_nanos()).unwrap_or(u32::MAX));
        if setup.mute && matches!(decision, Decision::Serve { .. }) {
            decision = Decision::BelowLine;
        }
        let lookup = mind.remember(profile, &candidates, &weighed, &decision);
        run.note(&weighed, &decision, |entry| truth.same(query, entry));
        if let (Decision::Serve { .. }, Some(best)) = (decision, weighed.contenders.first()) {
            run.hits.push((query, best.entry as usize));
        } else {
            let verdicts: Vec<Verdict> = lookup
                .compared
                .iter()
                .map(|other| say(truth.same(query, other.entry as usize), &setup.judge, &mut rng))
                .collect();
            stored[query] = true;
            for gone in mind.learn(&lookup, &verdicts, Some(query as u64), &setup.judge) {
                stored[gone as usize] = false;
            }
        }
        if mind.is_due() {
            mind.study(prior, &setup.goals, &setup.judge);
        }
    }
    run.estimate = mind.line().estimate;
    run.alarms = mind.groups().alarms();
    run
}

impl Run {
    /// Counts a lookup. `is_right`: whether an entry has the answer.
    fn note(&mut self, weighed: &Weighed, decision: &Decision, is_right: impl Fn(usize) -> bool) {
        let best = weighed.contenders.first();
        let right = best.is_some_and(|best| is_right(best.entry as usize));
        if let Some(best) = best {
            self.samples.push(Sample { values: best.values, right });
            self.vetoed += usize::from(best.guard.is_some());
            self.vetoed_right += usize::from(best.guard.is_some() && right);
        }
        self.outcomes.push(match decision {
            Decision::Serve { .. } if right => Outcome::Right,
            Decision::Serve { .. } => Outcome::Wrong,
            Decision::Explore { why, .. } => {
                self.forced += usize::from(*why != Exploring::Drawn);
                Outcome::Explored
            }
            _ => Outcome::Miss,
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock of a measurement")]
fn started() -> std::time::Instant {
    std::time::Instant::now()
}

/// Who has whose answer.
struct Truth<'a> {
    stream: &'a Stream,
    replaced: f64,
}

impl Truth<'_> {
    fn same(&self, query: usize, entry: usize) -> bool {
        self.answer(query) == self.answer(entry)
    }

    /// The answer of a row at its time.
    fn answer(&self, row: usize) -> (u32, bool) {
        let answer = self.stream.answers[row];
        // A share of the answers, drawn by a hash.
        let hash = (answer ^ 0x5bd1).wrapping_mul(0x9e37_79b9) >> 8;
        let drawn = f64::from(hash) / f64::from(1_u32 << 24) < self.replaced;
        (answer, drawn && row >= self.stream.len() / 2)
    }
}

/// What a judge that errs says.
fn say(same: bool, judge: &Errors, rng: &mut SmallRng) -> Verdict {
    let flip: f32 = rng.random();
    let errs = flip < if same { judge.false_different } else { judge.false_same };
    if same != errs { Verdict::Same } else { Verdict::Different }
}

/// Counts over a part of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub lookups: usize,
    pub right: usize,
    pub wrong: usize,
    pub explored: usize,
}

impl Counts {
    pub fn of(outcomes: &[Outcome]) -> Self {
        let mut counts = Self { lookups: outcomes.len(), ..Self::default() };
        for outcome in outcomes {
            match outcome {
                Outcome::Right => counts.right += 1,
                Outcome::Wrong => counts.wrong += 1,
                Outcome::Explored => counts.explored += 1,
                Outcome::Miss => {}
            }
        }
        counts
    }

    pub fn hit_rate(&self) -> f64 {
        (self.right + self.wrong) as f64 / self.lookups.max(1) as f64
    }

    pub fn wrong_rate(&self) -> f64 {
        self.wrong as f64 / self.lookups.max(1) as f64
    }

    pub fn precision(&self) -> f64 {
        self.right as f64 / (self.right + self.wrong).max(1) as f64
    }
}
