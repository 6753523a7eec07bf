//! Learning: labels in, versions out. It belongs to the thread that learns (`desk`), which nobody
//! waits for; what it finds it puts into the `student`. The file is `archive`'s.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use super::archive::Contents;
use super::knowledge::{Knowledge, LEAST};
use super::label::Label;
use super::school::School;
use super::student::{Known, Student};
use super::version::{Cause, Number, Ranges, Version};
use super::watch::Watch;
use crate::route::evidence::shift::Watched;

/// Labels of a pair that a version is learnt from: the newest. More would be older traffic, and
/// seconds more of work.
const WINDOW: usize = 5000;

/// Labels of a pair that are kept for going back.
pub const KEPT: usize = 10_000;

/// Versions that are kept.
pub const VERSIONS: u32 = 50;

/// Labels of a pair after which it is learnt anew, and their share of those that there are.
const STEP: usize = 25;
const SHARE: usize = 10;

/// The labels and versions of one tenant and route.
#[derive(Debug)]
pub struct Scholar {
    route: Arc<str>,
    student: Arc<Student>,
    /// By name of the pair, oldest first.
    labels: BTreeMap<String, VecDeque<(Number, Label)>>,
    /// Labels of each pair since the last version.
    new: HashMap<String, usize>,
    ranges: Ranges,
    /// Oldest first.
    versions: VecDeque<Version>,
    fallen: Option<Watched>,
    /// What was restored does not fit this build or configuration: the labels are to be learnt anew.
    stale: bool,
}

/// No version of that number is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no version {0}")]
pub struct Unknown(pub u32);

impl Scholar {
    pub fn new(route: Arc<str>, student: Arc<Student>) -> Self {
        Self {
            route,
            student,
            labels: BTreeMap::new(),
            new: HashMap::new(),
            ranges: Ranges::after(0),
            versions: VecDeque::new(),
            fallen: None,
            stale: false,
        }
    }

    pub fn versions(&self) -> &VecDeque<Version> {
        &self.versions
    }

    /// Takes a label in.
    pub fn add(&mut self, number: Number, pair: &str, label: Label) {
        self.keep(number, pair, label);
        *self.new.entry(pair.to_owned()).or_default() += 1;
        self.student.count(pair, self.counting(pair));
    }

    fn keep(&mut self, number: Number, pair: &str, label: Label) {
        let labels = self.labels.entry(pair.to_owned()).or_default();
        if labels.len() >= KEPT {
            labels.pop_front();
        }
        labels.push_back((number, label));
    }

    /// The oldest label of a pair that is kept.
    pub fn oldest(&self, pair: &str) -> Option<Number> {
        Some(self.labels.get(pair)?.front()?.0)
    }

    fn counting(&self, pair: &str) -> usize {
        let labels = self.labels.get(pair).into_iter().flatten();
        labels.filter(|(number, _)| self.ranges.contains(*number)).count()
    }

    /// Whether enough has come since the last version.
    pub fn is_due(&self, school: &School) -> bool {
        self.new.iter().any(|(pair, new)| {
            if school.terms(&self.route, pair).is_none() {
                return false;
            }
            let all = self.counting(pair);
            all >= LEAST && *new >= STEP.max(all / SHARE)
        })
    }

    /// Learns from the labels that count, and puts what they say in force.
    pub fn learn(&mut self, school: &School, at: Timestamp) -> &Version {
        let mut pairs = HashMap::new();
        let mut used: BTreeMap<&str, Vec<&Label>> = BTreeMap::new();
        for (pair, labels) in &self.labels {
            let Some(terms) = school.terms(&self.route, pair) else { continue };
            let counting = labels.iter().rev().filter(|(number, _)| self.ranges.contains(*number));
            let newest: Vec<&Label> = counting.take(WINDOW).map(|(_, label)| label).collect();
            if let Some(knowledge) = Knowledge::learn(&school.basis, &newest, terms) {
                pairs.insert(pair.clone(), knowledge);
                used.insert(pair, newest);
            }
        }
        let watch = Watch::of(used.iter().map(|(pair, labels)| (*pair, labels.as_slice())));
        // With labels of the new traffic it is no longer another.
        self.fallen = self.fallen.filter(|_| pairs.is_empty());
        self.new.clear();
        self.stale = false;
        self.conclude(Cause::Learnt, (pairs, watch), school, at)
    }

    /// The traffic is another: no label so far says anything of it.
    pub fn fall(&mut self, watched: Watched, school: &School, at: Timestamp) -> &Version {
        self.ranges = Ranges::after(self.last());
        self.fallen = Some(watched);
        self.new.clear();
        let nothing = (HashMap::new(), Watch::default());
        self.conclude(Cause::Drift(watched), nothing, school, at)
    }

    /// Goes back to a version: what was known then is in force again, and the labels that came
    /// after it count no more.
    pub fn go_back(
        &mut self,
        to: u32,
        school: &School,
        at: Timestamp,
    ) -> Result<&Version, Unknown> {
        let found = self.versions.iter().find(|version| version.number == to);
        let version = found.ok_or(Unknown(to))?;
        self.ranges = version.ranges.again(version.last, self.last());
        self.fallen = version.fallen;
        self.new.clear();
        let known = self.restored(version, school);
        Ok(self.conclude(Cause::Rollback(to), known, school, at))
    }

    /// What a file holds of this tenant and route. The newest version is in force at once, as far as
    /// it fits.
    pub fn restore(&mut self, contents: Contents, school: &School) {
        for (number, _, pair, label) in contents.labels {
            self.keep(number, &pair, label);
        }
        self.versions = contents.versions.into_iter().map(|(_, version)| version).collect();
        let Some(newest) = self.versions.back() else { return };
        self.ranges = newest.ranges.clone();
        self.fallen = newest.fallen;
        let had = newest.pairs.len();
        let (pairs, watch) = self.restored(newest, school);
        let (number, is_whole) = (newest.number, pairs.len() == had);
        for (pair, labels) in &self.labels {
            let since = labels.iter().filter(|(label, _)| *label > newest.last).count();
            self.new.insert(pair.clone(), since);
        }
        self.stale = !is_whole;
        self.put(number, pairs, watch);
    }

    /// Whether what was restored must be learnt anew.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    fn last(&self) -> Number {
        let newest = self.labels.values().filter_map(|labels| Some(labels.back()?.0));
        newest.max().unwrap_or(0)
    }

    fn conclude(
        &mut self,
        cause: Cause,
        (pairs, watch): (HashMap<String, Knowledge>, Watch),
        school: &School,
        at: Timestamp,
    ) -> &Version {
        let version = Version {
            number: self.versions.back().map_or(1, |version| version.number + 1),
            at,
            cause,
            ranges: self.ranges.clone(),
            last: self.last(),
            pairs: pairs
                .iter()
                .map(|(pair, known)| (pair.clone(), known.saved().clone()))
                .collect(),
            watch: watch.clone(),
            fallen: self.fallen,
            basis: school.identity.to_string(),
        };
        self.put(version.number, pairs, watch);
        self.versions.push_back(version);
        if self.versions.len() > VERSIONS as usize {
            self.versions.pop_front();
        }
        self.versions.back().expect("invariant: a version was just added")
    }

    fn put(&self, number: u32, pairs: HashMap<String, Knowledge>, watch: Watch) {
        let labels = self.labels.keys().map(|pair| (pair.clone(), self.counting(pair))).collect();
        let known = Known { number, pairs: Arc::new(pairs), labels, fallen: self.fallen };
        self.student.put(known, watch);
    }

    /// What a version knew, as far as it fits the basis in use and what is stated now.
    fn restored(&self, version: &Version, school: &School) -> (HashMap<String, Knowledge>, Watch) {
        if *version.basis != *school.identity {
            return (HashMap::new(), Watch::default());
        }
        let known = version.pairs.iter().filter_map(|(pair, saved)| {
            let terms = school.terms(&self.route, pair)?;
            let knowledge = Knowledge::restore(saved.clone(), &school.basis)?;
            knowledge.keeps_confidence(terms.confidence).then(|| (pair.clone(), knowledge))
        });
        (known.collect(), version.watch.clone())
    }
}
