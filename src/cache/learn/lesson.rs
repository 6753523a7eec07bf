//! Learning from an answer: it is compared with those of the candidates, and the verdicts are what
//! the mind is taught.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::super::verify::mind::{Goals, Lookup, Opponent};
use super::super::{Entry, TtlClass};
use super::judges::Said;
use super::{Lane, Minds, Pupil, Question, number};
use crate::config::settings::Model;
use crate::judge::rates::Truth;
use crate::judge::{self, Reading, Verdict};

/// A lookup whose answer is awaited.
#[derive(Debug, Clone)]
pub struct Pending(Arc<Awaited>);

#[derive(Debug)]
pub(super) struct Awaited {
    pub pupil: Arc<Pupil>,
    pub lookup: Lookup,
    pub rivals: Vec<Rival>,
    pub prompt: String,
    /// Who is asked about answers that comparing cannot tell apart.
    pub judge: Option<Arc<Model>>,
    goals: Goals,
    due: bool,
}

/// Where a hit is found again when a caller says what it was worth. Small, for it is kept as long as
/// callers may say so.
#[derive(Debug, Clone, PartialEq)]
pub struct Trail {
    lane: Lane,
    /// Of the mind, and the number of the lookup in it.
    incarnation: u64,
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
    /// A hit was asked upstream as well, after it was served.
    Shadowed { pending: Pending, answer: Bytes },
    /// The same request was answered before: two answers known to be the same.
    Repeated {
        prompt: String,
        before: Arc<Entry>,
        answer: Bytes,
        /// The entry that took the place of `before`, where no lookup's lesson places it.
        entry: Option<String>,
        /// As in [`Question::judge`].
        judge: Option<Arc<Model>>,
    },
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
        let (prompt, judge) = (question.prompt.to_owned(), question.judge.clone());
        let goals = question.goals;
        Self(Arc::new(Awaited { pupil, lookup, rivals, prompt, judge, goals, due }))
    }

    pub(super) fn awaited(&self) -> &Awaited {
        &self.0
    }

    /// Ids of the entries that the answer is compared with, best first.
    pub fn rivals(&self) -> impl Iterator<Item = &str> {
        let compared = self.0.lookup.compared.len();
        self.0.rivals.iter().take(compared).map(|rival| rival.entry.id.as_str())
    }

    /// Where a hit of this lookup is found again.
    pub fn trail(&self) -> Option<Trail> {
        let Awaited { pupil, lookup, .. } = &*self.0;
        let Opponent { entry, similarity, .. } = *lookup.compared.first()?;
        let (lane, incarnation) = (pupil.lane.clone(), pupil.incarnation);
        Some(Trail { lane, incarnation, number: lookup.number(), entry, similarity })
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
        self.take_in(lesson, &self.hear(lesson))
    }

    /// What is said of the answers of a lesson, in the order of its pairs, without asking anybody.
    pub(super) fn hear(&self, lesson: &Lesson) -> Vec<Said> {
        match lesson {
            Lesson::Answered { verdicts: Some(verdicts), .. } => {
                verdicts.iter().map(|verdict| Said::label(*verdict)).collect()
            }
            Lesson::Answered { pending, answer, .. } | Lesson::Shadowed { pending, answer } => {
                let read = Reading::of_completion(answer);
                let Awaited { rivals, lookup, prompt, .. } = pending.awaited();
                let rivals = rivals.iter().take(lookup.compared.len());
                rivals.map(|rival| compare(prompt, &read, &rival.entry)).collect()
            }
            Lesson::Repeated { prompt, before, answer, .. } => {
                vec![compare(prompt, &Reading::of_completion(answer), before)]
            }
            Lesson::Told { .. } | Lesson::Due(_) => Vec::new(),
        }
    }

    /// As [`Self::learn`], from what was said of the lesson's answers.
    pub(super) fn take_in(&self, lesson: &Lesson, said: &[Said]) -> Vec<u64> {
        match lesson {
            Lesson::Answered { pending, entry, .. } => {
                self.answered(pending.awaited(), entry.as_deref().map(number), said)
            }
            Lesson::Shadowed { pending, .. } => {
                if let Some(best) = said.first() {
                    self.judges.count_shadow(best.verdict);
                }
                self.answered(pending.awaited(), None, said)
            }
            Lesson::Repeated { before, entry, judge, .. } => {
                if let Some(said) = said.first() {
                    let model = judge.as_ref().map(|model| model.label());
                    self.repeated(before, entry.as_deref(), *said, model.as_deref());
                }
                Vec::new()
            }
            Lesson::Told { lookup, good } => {
                if let Some(pupil) = self.known(&lookup.lane) {
                    let Trail { incarnation, number, entry, similarity, .. } = *lookup;
                    // Another mind gave that number to another lookup.
                    let number = (incarnation == pupil.incarnation).then_some(number);
                    pupil.mind().told(number, entry, similarity, *good);
                    pupil.changed.store(true, Ordering::Relaxed);
                }
                Vec::new()
            }
            Lesson::Due(pending) => {
                self.study(pending.awaited());
                Vec::new()
            }
        }
    }

    /// Teaches what was said of two answers to one request: who says that they differ errs, unless
    /// the answer has changed since.
    fn repeated(&self, before: &Entry, entry: Option<&str>, said: Said, model: Option<&str>) {
        // What carries the present may have.
        if before.ttl_class != TtlClass::Volatile {
            self.judges.observe(Truth::Same, said, model);
        }
        let changed = entry.filter(|_| said.verdict == Verdict::Different);
        if let (Some(entry), Some(pupil)) = (changed, self.known(&before.lane)) {
            pupil.mind().split(number(entry));
        }
    }

    /// Teaches what was said of a lookup's candidates. Pairs known to differ tell how far to trust
    /// who said it.
    fn answered(&self, awaited: &Awaited, entry: Option<u64>, said: &[Said]) -> Vec<u64> {
        let model = awaited.judge.as_ref().map(|model| model.label());
        for (rival, said) in awaited.rivals.iter().zip(said) {
            if rival.other_number {
                self.judges.observe(Truth::Different, *said, model.as_deref());
            }
        }
        if let Some(best) = said.first() {
            self.judges.count(*best);
            awaited.pupil.heard().count(*best);
        }
        let verdicts: Vec<Verdict> = said.iter().map(|said| said.verdict).collect();
        let judge = self.errors_in(&awaited.pupil);
        let retired = awaited.pupil.mind().learn(&awaited.lookup, &verdicts, entry, &judge);
        awaited.pupil.changed.store(true, Ordering::Relaxed);
        if let Some(entry) = entry {
            self.latecomers.note(&awaited.pupil.lane, entry);
        }
        self.study(awaited);
        retired
    }

    /// Refits weights and line where it is time to. The work is done on a copy, so that requests
    /// meanwhile are decided by what was known before.
    fn study(&self, awaited: &Awaited) {
        if !awaited.due {
            return;
        }
        let judge = self.errors_in(&awaited.pupil);
        let material = awaited.pupil.mind().material();
        let refit = material.refit(self.prior, &judge);
        awaited.pupil.mind().adopt(refit, &awaited.goals, &judge);
    }
}

/// What comparing says of two chat completions.
fn compare(question: &str, a: &Reading, b: &Entry) -> Said {
    Said::compared(judge::compare(question, a, &Reading::of_completion(&b.answer)))
}
