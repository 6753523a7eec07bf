//! What is known of a pair: the expected gain of a request, and up to which one the weaker tier may
//! answer so that a stated loss is kept. A pure function of the labels, and slow: it is made beside
//! the line, and asked on it.

use serde::{Deserialize, Serialize};

use super::label::{By, Label, Sample};
use crate::route::evidence::crossfit::{FOLDS, folds, out_of_fold};
use crate::route::evidence::gain::{FoldedHeads, Heads, Labelled};
use crate::route::evidence::inputs::{Basis, Inputs, Prompt, Standard};
use crate::route::evidence::promise::{self, Kept, Lack, Scored, Stated, Verdict};

/// Requests over which a loss is promised: few of them stray from their own mean.
const HORIZON: f64 = 10_000.0;

/// Labels below which nothing is fitted: no promise of a point of quality can be kept with fewer.
pub const LEAST: usize = 50;

/// Losses for which a threshold is kept ready; a stated one counts as the next below it.
const LOSSES: [f64; 16] = [
    0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3,
    0.5,
];

/// Draws the folds.
const SEED: u64 = 1;

/// What is stated for a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Mean quality that may be lost by this pair, 0 to 1.
    pub loss: f64,
    /// Chance with which it is kept.
    pub confidence: f64,
}

impl Terms {
    /// A route's terms, shared by so many pairs: the losses of its tiers add up, and so do the
    /// chances of breaking a promise.
    pub fn shared(self, pairs: usize) -> Self {
        let parts = pairs.max(1) as f64;
        Self { loss: self.loss / parts, confidence: 1.0 - (1.0 - self.confidence) / parts }
    }
}

/// What the labels of a pair say.
#[derive(Debug, Clone)]
pub struct Knowledge {
    kept: Saved,
    heads: FoldedHeads,
}

/// The same, as it is written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    standard: Standard,
    heads: Heads,
    /// By rising loss.
    promises: Vec<(f64, Ready)>,
    confidence: f64,
    pub labels: usize,
    /// Labels on which nobody could tell whether the answers are the same.
    pub undecided: usize,
    /// Mean gain of the labels.
    pub gain: f64,
}

/// A promise's verdict, as it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ready {
    /// `threshold: null` is none: all may go to the weaker tier.
    Kept {
        threshold: Option<f64>,
        bound: f64,
        loss: f64,
        weak_share: f64,
    },
    FewLabels {
        need: usize,
    },
    Quality {
        bound: f64,
    },
}

impl Knowledge {
    /// Learns from labels. Some hundred milliseconds for a thousand, seconds for five thousand.
    pub fn learn(basis: &Basis, labels: &[&Label], terms: Terms) -> Option<Self> {
        if labels.len() < LEAST {
            return None;
        }
        let prompts: Vec<Prompt<'_>> = labels.iter().map(|label| label.sample.prompt()).collect();
        let standard = Standard::of(basis, &prompts);
        let inputs = Inputs { basis, standard: &standard };
        let written: Vec<Vec<f32>> = prompts
            .iter()
            .map(|prompt| {
                let mut x = Vec::new();
                inputs.write(prompt, &mut x);
                x
            })
            .collect();
        let rows: Vec<Labelled<'_>> = written
            .iter()
            .zip(labels)
            .map(|(x, label)| Labelled {
                x,
                gain: f64::from(label.gain),
                weight: f64::from(label.weight),
            })
            .collect();
        let heads = Heads::learn(&rows, inputs.width());
        let groups: Vec<u64> = labels.iter().map(|label| group(&label.sample)).collect();
        let scores = out_of_fold(&rows, &folds(&groups, FOLDS, SEED), inputs.width());
        let scored: Vec<Scored> = scores
            .iter()
            .zip(&rows)
            .map(|(score, row)| Scored { score: *score, gain: row.gain })
            .collect();
        let saved = Saved {
            promises: promises(&scored, terms),
            confidence: terms.confidence,
            labels: labels.len(),
            undecided: labels.iter().filter(|label| label.by == By::Undecided).count(),
            gain: scored.iter().map(|row| row.gain).sum::<f64>() / scored.len() as f64,
            heads,
            standard: standard.clone(),
        };
        Some(Self { heads: saved.heads.fold(&inputs), kept: saved })
    }

    /// What was written down, if it fits the basis.
    pub fn restore(saved: Saved, basis: &Basis) -> Option<Self> {
        saved.standard.check(basis).ok()?;
        let inputs = Inputs { basis, standard: &saved.standard };
        let is_sound = saved.heads.is_sound(inputs.width());
        is_sound.then(|| Self { heads: saved.heads.fold(&inputs), kept: saved.clone() })
    }

    /// As it is written down.
    pub fn saved(&self) -> &Saved {
        &self.kept
    }

    /// What the stronger tier is expected to gain on a prompt, −1 to 1.
    pub fn gain(&self, prompt: &Prompt<'_>) -> f64 {
        self.heads.gain(prompt)
    }

    /// Whether the terms for which it was made are these.
    pub fn keeps_confidence(&self, confidence: f64) -> bool {
        (self.kept.confidence - confidence).abs() < 1e-9
    }

    /// Up to which gain the weaker tier may answer so that a loss is kept.
    pub fn verdict(&self, loss: f64) -> Verdict {
        let have = self.kept.labels;
        let within = self.kept.promises.iter().rev().find(|(kept, _)| *kept <= loss + 1e-12);
        // A loss below the least of all is kept by nobody.
        let none = Verdict::Abstain(Lack::Labels { have, need: usize::MAX });
        within.map_or(none, |(_, ready)| match *ready {
            Ready::Kept { threshold, bound, loss, weak_share } => {
                let threshold = threshold.unwrap_or(f64::INFINITY);
                Verdict::Kept(Kept { threshold, bound, loss, weak_share })
            }
            Ready::FewLabels { need } => Verdict::Abstain(Lack::Labels { have, need }),
            Ready::Quality { bound } => Verdict::Abstain(Lack::Quality { bound }),
        })
    }
}

/// Labels that a pair needs before it can keep its terms.
pub fn labels_needed(terms: Terms) -> usize {
    promise::labels_needed(&stated(terms.loss, terms.confidence)).max(LEAST)
}

fn stated(loss: f64, confidence: f64) -> Stated {
    Stated { loss, confidence, horizon: HORIZON }
}

fn promises(scored: &[Scored], terms: Terms) -> Vec<(f64, Ready)> {
    let mut losses = LOSSES.to_vec();
    losses.push(terms.loss);
    losses.sort_by(f64::total_cmp);
    losses.dedup();
    let ready = |loss: f64| match promise::test(scored, &stated(loss, terms.confidence)) {
        Verdict::Kept(Kept { threshold, bound, loss, weak_share }) => {
            let threshold = threshold.is_finite().then_some(threshold);
            Ready::Kept { threshold, bound, loss, weak_share }
        }
        Verdict::Abstain(Lack::Labels { need, .. }) => Ready::FewLabels { need },
        Verdict::Abstain(Lack::Quality { bound }) => Ready::Quality { bound },
    };
    losses.into_iter().map(|loss| (loss, ready(loss))).collect()
}

/// Equal prompts have equal vectors, and must share a fold.
fn group(sample: &Sample) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for value in sample.vector.iter() {
        hasher.update(&value.to_le_bytes());
    }
    let hash = hasher.finalize();
    u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("invariant: a hash has 32 bytes"))
}
