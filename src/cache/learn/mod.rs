//! What the cache learns from answers: one mind (`verify::mind`) for each tenant and route, asked on
//! the line and taught beside it.
//!
//! Here: asking a mind. `pupils` knows who has which, `lesson` compares answers and teaches, `teacher` is the
//! thread that does so, `arbiter` has a model asked about what comparing leaves open, `judges` knows
//! what either's word is worth. Deciding and learning themselves are `verify`'s.

mod arbiter;
#[cfg(test)]
mod arbiter_tests;
mod judges;
mod latecomers;
mod lesson;
mod pupils;
mod saved;
mod teacher;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::semantic::Found;
use super::verify::features::TABLE;
use super::verify::mind::{Contender, Decision, Exploring, Goals, Mind, Weighed};
use super::verify::weights::{Prior, SHIPPED};
use super::verify::{Candidate, Errors, Profile};
use super::{Entry, Evidence, MissDetail, TtlClass};
use crate::config::settings::Model;

pub use arbiter::{Arbiter, OpenPair, Told};
pub use judges::{Given, JudgesTrust};
use judges::{Heard, Judges};
use latecomers::Latecomers;
pub use lesson::{Lesson, Pending, Trail};
use pupils::Pupil;
pub use teacher::Teacher;

/// Features that an explanation names.
const REASONS: usize = 5;

/// Whose traffic a mind has seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lane {
    pub tenant: Arc<str>,
    /// A route, `tier/…`, the name of a configured model, or `<provider>/*` for all that the
    /// provider has besides.
    pub route: Arc<str>,
}

/// Every mind, and what the judges' words are worth.
#[derive(Debug)]
pub struct Minds {
    prior: &'static Prior,
    pupils: Mutex<HashMap<Lane, Arc<Pupil>>>,
    judges: Judges,
    latecomers: Latecomers,
    questions: AtomicU64,
    /// Verdicts are labels: nobody errs.
    labelled: AtomicBool,
    /// There are fewer than were written down.
    shrunk: AtomicBool,
}

/// What is asked of a mind.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    pub lane: Lane,
    pub prompt: &'a str,
    pub goals: Goals,
    /// Uniform in [0, 1); `None`: only a rehearsal, which explores nothing and is not counted.
    pub draw: Option<f32>,
    /// Nothing will be served, whatever is found: every would-be hit is asked upstream.
    pub observing: bool,
    /// The model that may be shown its answer and its candidates', to say whether they are the same.
    pub judge: Option<Arc<Model>>,
}

/// What a mind says.
#[derive(Debug)]
pub struct Advice {
    /// The place of the neighbour whose answer may be served.
    pub serve: Option<usize>,
    /// Why none is.
    pub refusal: Option<MissDetail>,
    pub evidence: Option<Evidence>,
    /// What learning from the answer needs; `None` for a rehearsal.
    pub pending: Option<Pending>,
}

/// How well a mind keeps to its budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    #[serde(flatten)]
    pub lane: Lane,
    /// The score from which on answers are served; `None`: none are.
    pub line: Option<f32>,
    /// Wrong hits among lookups: estimate and upper bound; `None`: unmeasured.
    pub wrong_hits: Option<(f32, f32)>,
    pub lookups: u64,
    /// Verdicts above the line that the estimate rests on.
    pub labels: u32,
    pub entries: usize,
    pub alarms: usize,
}

/// What the judge has said of an entry and of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Verdicts {
    pub same: u32,
    pub different: u32,
    pub group_same: u32,
    pub group_different: u32,
    /// Its last answer above the line was found wrong: it is not served until it is found right.
    pub suspect: bool,
}

impl Minds {
    pub fn new() -> Self {
        Self {
            prior: &SHIPPED,
            pupils: Mutex::default(),
            judges: Judges::new(),
            latecomers: Latecomers::default(),
            questions: AtomicU64::new(0),
            labelled: AtomicBool::new(false),
            shrunk: AtomicBool::new(false),
        }
    }

    /// Asks the lane's mind about a prompt and its neighbours, in falling similarity. `fits` says
    /// why an entry that answers cannot be served all the same.
    pub fn ask(
        &self,
        question: &Question<'_>,
        found: &[Found],
        fits: impl Fn(&Entry) -> Option<MissDetail>,
    ) -> Advice {
        let pupil = self.pupil(&question.lane);
        let judge = self.errors_in(&pupil);
        let query = Profile::of(question.prompt);
        let candidates: Vec<Candidate<'_>> = found.iter().map(candidate).collect();
        let mut mind = pupil.mind();
        let weighed = mind.weigh(self.prior, &query, &candidates);
        let draw = question.draw.filter(|_| !question.observing);
        // A draw of 1 explores nothing.
        let decision = mind.decide(&weighed, &question.goals, &judge, draw.unwrap_or(1.0));
        let line = mind.line().at;
        let best = weighed.contenders.first();
        let mut advice = Advice {
            serve: None,
            refusal: refusal(&decision),
            evidence: best.map(|best| evidence(best, found, line)),
            pending: None,
        };
        let mut counted = decision;
        if let (Decision::Serve { propensity }, Some(best)) = (decision, best) {
            advice.refusal = fits(&found[best.place].entry);
            advice.serve = advice.refusal.is_none().then_some(best.place);
            if question.observing || advice.serve.is_none() {
                // Its answer will be known, and not by chance.
                let why = Exploring::Drawn;
                counted = Decision::Explore { propensity: propensity.max(1.0), why };
            }
        }
        if question.draw.is_some() {
            pupil.changed.store(true, Ordering::Relaxed);
            let lookup = mind.remember(&query, &candidates, &weighed, &counted);
            let due = mind.is_due();
            drop(mind);
            advice.pending =
                Some(Pending::new(pupil, lookup, rivals(&query, &weighed, found), question, due));
        } else if let (Some(evidence), Some(best)) = (&mut advice.evidence, best) {
            evidence.because = because(&mind, best);
        }
        advice
    }

    /// An entry is gone from the semantic level.
    pub fn forget(&self, entry: &Entry) {
        if let Some(pupil) = self.known(&entry.lane) {
            pupil.mind().forget(number(&entry.id));
        }
    }

    /// An entry has taken the place of another of the same request, and is taken for the same answer
    /// until it is compared; but for one that is expected to change.
    pub fn succeed(&self, old: &Entry, new: &Entry) {
        if old.lane != new.lane || new.ttl_class == TtlClass::Volatile {
            return self.forget(old);
        }
        if let Some(pupil) = self.known(&old.lane) {
            pupil.mind().succeed(number(&old.id), number(&new.id));
        }
    }

    /// Forgets every entry that is not among these: after a restart that did not bring all back.
    pub fn keep_only(&self, here: &HashSet<u64>) {
        for pupil in self.all() {
            let mut mind = pupil.mind();
            let gone: Vec<u64> =
                mind.groups().entries().filter(|entry| !here.contains(entry)).collect();
            for entry in gone {
                mind.forget(entry);
            }
        }
    }

    /// How each mind stands, by tenant and route.
    pub fn standings(&self) -> Vec<Standing> {
        let mut standings: Vec<Standing> =
            self.all().iter().map(|pupil| pupil.standing()).collect();
        standings
            .sort_by(|a, b| (&a.lane.tenant, &a.lane.route).cmp(&(&b.lane.tenant, &b.lane.route)));
        standings
    }

    /// The rates of error, as they are believed now, of comparing answers.
    #[cfg(test)]
    fn errors(&self) -> Errors {
        self.errors_of(Heard::default())
    }

    /// The rates of error of those who have judged a mind's lookups.
    fn errors_in(&self, pupil: &Pupil) -> Errors {
        let heard = *pupil.heard();
        self.errors_of(heard)
    }

    fn errors_of(&self, heard: Heard) -> Errors {
        if self.labelled.load(Ordering::Relaxed) {
            return Errors::NONE;
        }
        self.judges.errors(heard)
    }

    /// What is known of the judges' errors.
    pub fn trust(&self) -> JudgesTrust {
        self.judges.trust()
    }

    /// Verdicts given so far, by whom.
    pub fn given(&self) -> Given {
        self.judges.given()
    }

    /// From now on verdicts are labels, as in a replay of labelled traffic.
    pub fn trust_labels(&self) {
        self.labelled.store(true, Ordering::Relaxed);
    }

    /// Entries with the same answer as this one, itself included.
    pub fn group_of(&self, entry: &Entry) -> Vec<u64> {
        let Some(pupil) = self.known(&entry.lane) else { return Vec::new() };
        let mind = pupil.mind();
        let member = mind.groups().member(number(&entry.id));
        member.map_or_else(Vec::new, |member| mind.groups().members(member.group))
    }

    /// Verdicts so far on the entry, and on its group.
    pub fn record_of(&self, entry: &Entry) -> Option<Verdicts> {
        let pupil = self.known(&entry.lane)?;
        let mind = pupil.mind();
        let member = *mind.groups().member(number(&entry.id))?;
        let group = mind.groups().standing(member.group);
        Some(Verdicts {
            same: member.right.into(),
            different: member.wrong.into(),
            group_same: group.right,
            group_different: group.wrong,
            suspect: group.is_suspect(),
        })
    }
}

impl Default for Minds {
    fn default() -> Self {
        Self::new()
    }
}

/// Number of an entry within its mind: the same in every process.
pub fn number(id: &str) -> u64 {
    let hash = blake3::hash(id.as_bytes());
    u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("invariant: a hash has 32 bytes"))
}

fn candidate(found: &Found) -> Candidate<'_> {
    Candidate { entry: found.number, profile: &found.profile, similarity: found.similarity }
}

fn refusal(decision: &Decision) -> Option<MissDetail> {
    match decision {
        Decision::Serve { .. } => None,
        Decision::Explore { .. } => Some(MissDetail::Explored),
        Decision::BelowLine => Some(MissDetail::BelowLine),
        Decision::Guard(guard) => Some(MissDetail::Guard(*guard)),
        Decision::NoCandidate => Some(MissDetail::NoCandidate),
    }
}

fn evidence(best: &Contender, found: &[Found], line: f32) -> Evidence {
    Evidence {
        entry: found[best.place].entry.id.clone(),
        similarity: best.similarity,
        margin: best.margin,
        score: best.z,
        line,
        guard: best.guard,
        because: Vec::new(),
    }
}

/// The features that move the score most, with the log-odds that each adds.
fn because(mind: &Mind, best: &Contender) -> Vec<(&'static str, f32)> {
    let parts = mind.weights().weights.iter().zip(&best.values);
    let mut named: Vec<(&'static str, f32)> =
        TABLE.iter().zip(parts).map(|(f, (weight, value))| (f.name, weight * value)).collect();
    named.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    named.truncate(REASONS);
    named
}

/// The entries that the lookup's answer will be compared with, and whether they are known to differ.
fn rivals(query: &Profile, weighed: &Weighed, found: &[Found]) -> Vec<lesson::Rival> {
    let rivals = weighed.compared().map(|place| {
        let found = &found[place];
        lesson::Rival {
            entry: Arc::clone(&found.entry),
            other_number: query.differs_in_numbers_only(&found.profile),
        }
    });
    rivals.collect()
}
