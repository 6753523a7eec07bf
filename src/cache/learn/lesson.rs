//! Learning from an answer: it is compared with those of the candidates, and the verdicts are what
//! the mind is taught.

use std::sync::Arc;

use bytes::Bytes;

use super::super::Entry;
use super::super::verify::mind::{Goals, Lookup};
use super::{Lane, Minds, Pupil, Question, number};
use crate::judge::rates::Truth;
use crate::judge::{self, Reading, Verdict};

/// A lookup whose answer is awaited.
#[derive(Debug, Clone)]
pub struct Pending(Arc<Awaited>);

#[derive(Debug)]
struct Awaited {
    pupil: Arc<Pupil>,
    lookup: Lookup,
    rivals: Vec<Rival>,
    prompt: String,
    goals: Goals,
    due: bool,
}

/// Where a hit is found again when a caller says what it was worth. Small, for it is kept as long as
/// callers may say so.
#[derive(Debug, Clone, PartialEq)]
pub struct Trail {
    lane: Lane,
    /// Number of the lookup in its mind.
    number: u64,
    /// The entry that was served, and its cosine.
    entry: u64,
    similarity: f32,
}

/// An entry that the answer is compared with.
#[derive(Debug)]
pub(super) struct Rival {
    pub entry: Arc<Entry>,
    /// Its question is this one with other numbers: the answers are known to differ.
    pub other_number: bool,
}

/// What there is to learn.
#[derive(Debug)]
pub enum Lesson {
    /// The upstream answered, and the answer was stored under `entry` (or not at all).
    Answered {
        pending: Pending,
        answer: Bytes,
        entry: Option<String>,
        /// Where the truth is known, as in a replay of labelled traffic: one for each of
        /// [`Pending::rivals`]. Else the judge compares.
        verdicts: Option<Vec<Verdict>>,
    },
    /// The same request was answered before: two answers known to be the same.
    Repeated { prompt: String, before: Arc<Entry>, answer: Bytes },
    /// A caller said what the answer to a lookup was worth.
    Told { lookup: Trail, good: bool },
    /// Nothing was learnt, but it is time to look at the window.
    Due(Pending),
}

impl Pending {
    pub(super) fn new(
        pupil: Arc<Pupil>,
        lookup: Lookup,
        rivals: Vec<Rival>,
        question: &Question<'_>,
        due: bool,
    ) -> Self {
        let prompt = question.prompt.to_owned();
        Self(Arc::new(Awaited { pupil, lookup, rivals, prompt, goals: question.goals, due }))
    }

    /// Ids of the entries that the answer is compared with, best first.
    pub fn rivals(&self) -> impl Iterator<Item = &str> {
        let compared = self.0.lookup.compared.len();
        self.0.rivals.iter().take(compared).map(|rival| rival.entry.id.as_str())
    }

    /// Where a hit of this lookup is found again.
    pub fn trail(&self) -> Option<Trail> {
        let Awaited { pupil, lookup, .. } = &*self.0;
        let (entry, _, similarity) = *lookup.compared.first()?;
        Some(Trail { lane: pupil.lane.clone(), number: lookup.number(), entry, similarity })
    }

    /// The lookup is the one after which weights and line are looked at.
    pub fn is_due(&self) -> bool {
        self.0.due
    }
}

impl Minds {
    /// Takes in a lesson. Returns the numbers of entries that must go: their stored answer is no
    /// longer the answer.
    pub fn learn(&self, lesson: &Lesson) -> Vec<u64> {
        match lesson {
            Lesson::Answered { pending, answer, entry, verdicts } => {
                let awaited = &pending.0;
                let known = verdicts.clone();
                let verdicts = known.unwrap_or_else(|| self.judged(awaited, answer));
                let judge = self.errors();
                let entry = entry.as_deref().map(number);
                let retired = awaited.pupil.mind().learn(&awaited.lookup, &verdicts, entry, &judge);
                self.study(&pending.0);
                retired
            }
            Lesson::Repeated { prompt, before, answer } => {
                let verdict = compare(prompt, &Reading::of_completion(answer), before);
                self.rates().observe(Truth::Same, verdict);
                Vec::new()
            }
            Lesson::Told { lookup, good } => {
                if let Some(pupil) = self.known(&lookup.lane) {
                    let Trail { number, entry, similarity, .. } = *lookup;
                    pupil.mind().told(number, entry, similarity, *good);
                }
                Vec::new()
            }
            Lesson::Due(pending) => {
                self.study(&pending.0);
                Vec::new()
            }
        }
    }

    /// The judge's word on each compared entry. Pairs known to differ tell how far to trust it.
    fn judged(&self, awaited: &Awaited, answer: &Bytes) -> Vec<Verdict> {
        let read = Reading::of_completion(answer);
        let verdicts: Vec<Verdict> = awaited
            .rivals
            .iter()
            .take(awaited.lookup.compared.len())
            .map(|rival| compare(&awaited.prompt, &read, &rival.entry))
            .collect();
        for (rival, verdict) in awaited.rivals.iter().zip(&verdicts) {
            if rival.other_number {
                self.rates().observe(Truth::Different, *verdict);
            }
        }
        verdicts
    }

    /// Refits weights and line where it is time to. The work is done on a copy, so that requests
    /// meanwhile are decided by what was known before.
    fn study(&self, awaited: &Awaited) {
        if !awaited.due {
            return;
        }
        let judge = self.errors();
        let material = awaited.pupil.mind().material();
        let refit = material.refit(self.prior, &judge);
        awaited.pupil.mind().adopt(refit, &awaited.goals, &judge);
    }
}

/// What the judge says of two chat completions.
fn compare(question: &str, a: &Reading, b: &Entry) -> Verdict {
    judge::compare(question, a, &Reading::of_completion(&b.answer)).verdict
}
