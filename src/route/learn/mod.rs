//! What the router learns of each tenant's and route's traffic: asked on the line, taught beside it.
//!
//! Here: asking. `label` is what is learnt from, `knowledge` what the labels of a pair of tiers say,
//! `opinions` what callers said near a prompt, `complaint` when a caller is not content; `watch`
//! notices other traffic. `student` is what the line reads, `scholar` learns, `desk` is the thread
//! that it does so on, `version` what can be gone back to, `archive` the file. Whether another tier
//! is asked to learn from, and whom, is `gateway::trial`'s; what follows for a plan, `plan`'s.

mod archive;
pub mod complaint;
mod desk;
mod knowledge;
mod label;
mod opinions;
pub mod probe;
mod recent;
mod scholar;
mod school;
mod student;
#[cfg(test)]
mod tests;
mod version;
mod watch;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde::Serialize;

use crate::cache::learn::Lane;
use crate::config::settings::Settings;
use crate::now::Now;
use crate::route::evidence::promise::{Kept, Lack, Verdict};
use crate::route::evidence::shift::{Alarm, Watched};

pub use archive::{Archive, FILE, Fault};
pub use desk::{Desk, Note};
pub use knowledge::Terms;
pub use label::{By, Label, Opinion, Pair, Sample};
pub use opinions::Said;
pub use probe::Capability;
pub use recent::{Given, Recent};
pub use scholar::Unknown;
pub use school::School;
use student::Student;
pub use version::{Cause, Version};

/// What was learnt, as far as it bears on one request.
#[derive(Debug, Clone, Default)]
pub struct Learnt {
    /// The version that it is of; 0: nothing was learnt yet.
    pub version: u32,
    /// Of each pair of the route, cheapest first.
    pub words: Vec<(Pair, Word)>,
    /// What callers said near the prompt, by tier.
    pub said: Vec<(Arc<str>, Said)>,
    /// Measured places of models among the heads, by name.
    pub positions: Arc<HashMap<Arc<str>, f64>>,
}

/// What is known of a pair for one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Word {
    /// Up to the threshold the weaker tier may answer.
    Kept { gain: f64, kept: Kept, labels: usize },
    /// Not enough to keep what is stated.
    Lacks(Lack),
    /// The traffic is another.
    Drift(Watched),
    /// Requests of this kind are never compared, so that nothing is known of them.
    Uncovered(&'static str),
    /// A loss of all quality is allowed: nothing needs to be known.
    Free,
}

impl Learnt {
    /// What is known of a tier against the strongest.
    pub fn word(&self, tier: &str) -> Option<Word> {
        self.words.iter().find(|(pair, _)| *pair.weak == *tier).map(|(_, word)| *word)
    }

    /// What was learnt is not of requests such as this one.
    pub fn uncover(&mut self, what: &'static str) {
        let words = self.words.iter_mut().filter(|(_, word)| *word != Word::Free);
        words.for_each(|(_, word)| *word = Word::Uncovered(what));
    }

    /// What callers said of a tier near the prompt.
    pub fn said(&self, tier: &str) -> Said {
        let said = self.said.iter().find(|(said, _)| **said == *tier);
        said.map_or_else(Said::default, |(_, said)| *said)
    }
}

/// How a pair stands, for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairStanding {
    pub pair: String,
    /// Labels that count.
    pub labels: usize,
    /// Labels that it needs at least to keep the configured terms.
    pub needed: usize,
    /// Of them, those on which nobody could tell whether the answers are the same.
    pub undecided: usize,
    /// Mean gain of the stronger tier; `None` before the first fit.
    pub gain: Option<f64>,
    /// Share of the requests that the weaker tier may answer, loss found, and its bound.
    pub weak_share: f64,
    pub loss: Option<f64>,
    pub bound: Option<f64>,
    /// Why the weaker tier answers nothing, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abstains: Option<String>,
}

/// How a tenant's route stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    #[serde(flatten)]
    pub lane: Lane,
    pub version: u32,
    /// What has changed, where the stronger tier answers because of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<&'static str>,
    pub opinions: usize,
    pub pairs: Vec<PairStanding>,
}

/// Everything that was learnt, and whoever learns.
#[derive(Debug)]
pub struct Learner {
    school: ArcSwap<School>,
    students: Arc<Students>,
    positions: Arc<ArcSwap<HashMap<Arc<str>, f64>>>,
    pub recent: Recent,
    desk: Desk,
    file: Option<PathBuf>,
}

/// The students by tenant and route.
#[derive(Debug, Default)]
pub(super) struct Students(Mutex<HashMap<Lane, Arc<Student>>>);

impl Students {
    fn of(&self, lane: &Lane) -> Arc<Student> {
        let mut students = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(student) = students.get(lane) {
            return student.clone();
        }
        students.entry(lane.clone()).or_default().clone()
    }

    fn all(&self) -> Vec<(Lane, Arc<Student>)> {
        let students = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        students.iter().map(|(lane, student)| (lane.clone(), student.clone())).collect()
    }
}

impl Learner {
    /// Begins with what the archive holds, if there is one. What was learnt on another basis is
    /// learnt anew, beside the line.
    pub fn start(school: School, archive: Option<Archive>, now: Now) -> Self {
        let students = Arc::new(Students::default());
        let positions = Arc::new(ArcSwap::default());
        let file = archive.as_ref().map(|archive| archive.path().to_owned());
        let desk = Desk::open(school.clone(), archive, students.clone(), positions.clone(), now);
        let school = ArcSwap::from_pointee(school);
        Self { school, students, positions, recent: Recent::default(), desk, file }
    }

    /// Where it is kept; `None`: in memory only.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What is known that bears on a request of this lane, with that loss stated.
    pub fn advise(&self, lane: &Lane, loss: f64, sample: &Sample) -> Learnt {
        let school = self.school.load();
        let student = self.students.of(lane);
        let pairs = school.pairs(&lane.route);
        let confidence = pairs.first().and_then(|pair| school.terms(&lane.route, &pair.name));
        let shared = Terms { loss, confidence: 0.0 }.shared(pairs.len());
        let terms = confidence.map_or(shared, |known| Terms { loss: shared.loss, ..known });
        let mut learnt = student.advise(pairs, terms, sample);
        if loss >= 1.0 {
            learnt.words.iter_mut().for_each(|(_, word)| *word = Word::Free);
        }
        learnt.positions = self.positions.load_full();
        learnt
    }

    /// The pairs of a route, cheapest first.
    pub fn pairs(&self, route: &str) -> Vec<Pair> {
        self.school.load().pairs(route).to_vec()
    }

    /// Shows a request to the watchers. `chance` is uniform in [0, 1).
    pub fn watch(&self, lane: &Lane, sample: &Sample, chance: f64) -> Option<Alarm> {
        let alarm = self.students.of(lane).watch(sample, chance)?;
        self.desk.take(Note::Alarm { lane: lane.clone(), watched: alarm.watched });
        Some(alarm)
    }

    /// Learns from a label. False: nobody has time for it.
    pub fn label(&self, lane: &Lane, pair: &Pair, label: Label) -> (bool, Option<Alarm>) {
        let alarm = self.students.of(lane).watch_gain(&pair.name, f64::from(label.gain));
        if let Some(alarm) = &alarm {
            self.desk.take(Note::Alarm { lane: lane.clone(), watched: alarm.watched });
        }
        let pair = pair.name.clone();
        let note = Note::Label { lane: lane.clone(), pair, label: Box::new(label) };
        (self.desk.take(note), alarm)
    }

    /// Hears an opinion, which counts from the next request on.
    pub fn hear(&self, lane: &Lane, opinion: Opinion) {
        self.students.of(lane).opinions().add(opinion.clone());
        self.desk.take(Note::Opinion { lane: lane.clone(), opinion });
    }

    /// A model was probed: its place is known from now on.
    pub fn probed(&self, capability: Capability) {
        let mut positions = HashMap::clone(&self.positions.load());
        positions.insert(capability.model.clone(), capability.position);
        self.positions.store(Arc::new(positions));
        self.desk.take(Note::Probed(Box::new(capability)));
    }

    /// Takes another configuration.
    pub fn reload(&self, settings: &Settings) {
        let school = self.school.load().under(settings);
        self.school.store(Arc::new(school.clone()));
        self.desk.take(Note::School(Box::new(school)));
    }

    /// The versions of a tenant and route, oldest first; of all where none is named.
    pub fn history(&self) -> Vec<(Lane, Vec<Version>)> {
        self.desk.history()
    }

    /// Goes back to a version, and says which one that makes.
    ///
    /// # Errors
    /// There is no such version.
    pub fn roll_back(&self, lane: &Lane, to: u32) -> Result<u32, Unknown> {
        self.desk.roll_back(lane, to)
    }

    /// Waits until everything that was said so far has been learnt.
    pub fn settle(&self) {
        self.desk.settle();
    }

    /// How each tenant's route stands.
    pub fn standings(&self) -> Vec<Standing> {
        let school = self.school.load();
        let mut standings: Vec<Standing> = self
            .students
            .all()
            .into_iter()
            .map(|(lane, student)| standing(&school, lane, &student))
            .collect();
        standings
            .sort_by(|a, b| (&a.lane.tenant, &a.lane.route).cmp(&(&b.lane.tenant, &b.lane.route)));
        standings
    }
}

fn standing(school: &School, lane: Lane, student: &Student) -> Standing {
    let known = student.known();
    let pairs = school.pairs(&lane.route).iter().filter_map(|pair| {
        let terms = school.terms(&lane.route, &pair.name)?;
        let knowledge = known.pairs.get(&*pair.name);
        let saved = knowledge.map(|knowledge| knowledge.saved());
        let verdict = knowledge.map(|knowledge| knowledge.verdict(terms.loss));
        let kept = match verdict {
            Some(Verdict::Kept(kept)) => Some(kept),
            _ => None,
        };
        let labels = known.labels.get(&*pair.name).copied().unwrap_or(0);
        let needed = knowledge::labels_needed(terms);
        let lack = match verdict {
            Some(Verdict::Abstain(lack)) => Some(lack),
            None => Some(Lack::Labels { have: labels, need: needed }),
            Some(Verdict::Kept(_)) => None,
        };
        let why = known.fallen.map(Word::Drift).or(lack.map(Word::Lacks));
        Some(PairStanding {
            pair: pair.name.to_string(),
            labels,
            needed,
            undecided: saved.map_or(0, |saved| saved.undecided),
            gain: saved.map(|saved| saved.gain),
            weak_share: kept.map_or(0.0, |kept| kept.weak_share),
            loss: kept.map(|kept| kept.loss),
            bound: kept.map(|kept| kept.bound),
            abstains: why.map(|word| word.to_string()),
        })
    });
    Standing {
        version: known.number,
        drift: known.fallen.map(Watched::name),
        opinions: student.opinions().len(),
        pairs: pairs.collect(),
        lane,
    }
}

/// Why the weaker tier does or does not answer, for people.
impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let points = |share: f64| (share * 1000.0).round() / 10.0;
        match self {
            Self::Kept { gain, kept, labels } => write!(
                f,
                "the stronger tier is expected to gain {} points, and up to {} the stated loss is \
                 kept (at most {} points, from {labels} labels)",
                points(*gain),
                points(kept.threshold),
                points(kept.bound)
            ),
            Self::Lacks(Lack::Labels { need: usize::MAX, .. }) => {
                f.write_str("no number of labels can keep so small a loss")
            }
            Self::Lacks(Lack::Labels { have, need }) => {
                write!(f, "{have} labels of this traffic, of at least {need}")
            }
            Self::Lacks(Lack::Quality { bound }) => write!(
                f,
                "even the requests on which least is lost may lose {} points",
                points(*bound)
            ),
            Self::Drift(watched) => {
                write!(f, "the traffic is another than that of the labels ({})", watched.name())
            }
            Self::Free => f.write_str("any loss is allowed"),
            Self::Uncovered(what) => write!(f, "answers to requests with {what} are not compared"),
        }
    }
}
