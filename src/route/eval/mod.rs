//! How good the router is, measured on recorded outcomes with the code that routes requests. One
//! file for each protocol, all seeded: the same rows give the same figures. Reading the rows is
//! `recorded`'s, the command `cli::router::eval`'s.
//!
//! - [`cases`]: requests with the tiers that a person would accept
//! - [`sets`]: the sets themselves, and what length alone does on them
//! - [`labelled`], [`online`]: labels from the same traffic, at once or as they come
//! - [`unseen`]: none, on a source that the router does not know ([`unknown`])
//! - [`promise`], [`shift`]: is a stated loss kept, is other traffic noticed
//! - [`decision`]: what a decision costs
//! - [`traffic`], [`parallel`]: what several protocols share

pub mod cases;
pub mod decision;
pub mod labelled;
pub mod online;
pub mod parallel;
pub mod promise;
pub mod sets;
pub mod shift;
mod table;
pub mod traffic;
pub mod unknown;
pub mod unseen;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use serde::Serialize;

use crate::config::{self, Env, Faults, Settings};
use crate::route::Heads;
use crate::route::recorded::{Corpus, FILES};

use labelled::Learnt;
use traffic::Traffic;
use unknown::Unknown;

/// The seed of every draw that is not one of several repeats.
const SEED: u64 = 1;

const MMLU: &str = "routellm_mmlu";
const GSM8K: &str = "routellm_gsm8k";

/// The demo's configuration: three tiers by threshold.
const DEMO: &str = include_str!("../../../config/examples/demo.yaml");

/// Its settings, under which decisions are timed and cases decided.
///
/// # Errors
/// The faults of the file; none, in a sound build.
pub fn demo() -> Result<Settings, Faults> {
    config::load_text("demo.yaml", DEMO, &Env::empty(), &[]).map(|loaded| loaded.settings)
}

/// How often each protocol is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    pub mmlu: usize,
    pub gsm8k: usize,
    pub resamples: usize,
    pub splits: usize,
    pub shift_runs: usize,
    pub online_runs: usize,
    /// One prompt of so many makes the components of a basis.
    pub thinned: usize,
}

impl Effort {
    /// What the stated figures are made with.
    pub const FULL: Self = Self {
        mmlu: 8,
        gsm8k: 16,
        resamples: 1000,
        splits: 100,
        shift_runs: 20,
        online_runs: 10,
        thinned: 1,
    };
    /// Enough to see that nothing broke.
    pub const QUICK: Self = Self {
        mmlu: 1,
        gsm8k: 2,
        resamples: 100,
        splits: 4,
        shift_runs: 4,
        online_runs: 1,
        thinned: 8,
    };
}

/// One of the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
#[clap(rename_all = "snake_case")]
pub enum Protocol {
    /// What the sets are, and what length does on them
    Sets,
    /// 1,500 labels of MMLU
    #[clap(name = "mmlu_1500")]
    Mmlu1500,
    /// 200 labels of MMLU
    #[clap(name = "mmlu_200")]
    Mmlu200,
    /// 500, and all labels of MMLU
    MmluMore,
    /// All labels of GSM8K
    Gsm8k,
    /// No label, on sources that the router does not know
    Unseen,
    /// A stated loss
    Promise,
    /// Other traffic
    Shift,
    /// Labels one after another
    Online,
    /// Time of a decision
    Decision,
    /// Written-down requests with the tiers that are right
    Cases,
}

/// What was measured; members that were not asked for are absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mmlu_1500: Option<Learnt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mmlu_200: Option<Learnt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mmlu_500: Option<Learnt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mmlu_all: Option<Learnt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gsm8k: Option<Learnt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<unseen::Unseen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promise_2: Option<promise::Promise>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promise_5: Option<promise::Promise>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shift: Option<shift::Shift>,
    /// The mark of the stream at 500 labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online_500: Option<online::Mark>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online: Option<online::Online>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_p99_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_p50_us: Option<f64>,
    /// LiteLLM's own cases, which are not ours to ship; `None` without them.
    pub litellm_cases: Option<cases::Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_cases: Option<cases::Outcome>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<sets::Set>,
    /// Seconds that each protocol took.
    pub seconds: BTreeMap<&'static str, f64>,
}

/// Which protocols to run, how often, and who hears of it.
pub struct Plan<'a> {
    pub effort: Effort,
    pub wants: &'a dyn Fn(Protocol) -> bool,
    /// Hears of each measurement before it begins.
    pub step: &'a dyn Fn(&'static str),
}

impl fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("effort", &self.effort).finish_non_exhaustive()
    }
}

impl Plan<'_> {
    /// Runs a measurement and notes how long it took.
    #[expect(clippy::disallowed_methods, reason = "it says how long a measurement took")]
    fn run<T>(
        &self,
        name: &'static str,
        seconds: &mut BTreeMap<&'static str, f64>,
        work: impl FnOnce() -> T,
    ) -> T {
        (self.step)(name);
        let since = Instant::now();
        let result = work();
        seconds.insert(name, since.elapsed().as_secs_f64());
        result
    }
}

/// Runs what is planned.
///
/// # Errors
/// What kept a protocol from being run, in words.
pub fn measure(corpus: &Corpus, heads: &Heads, plan: &Plan<'_>) -> Result<Report, String> {
    use Protocol::{
        Decision, Gsm8k, Mmlu200, Mmlu1500, MmluMore, Online, Promise, Sets, Shift, Unseen,
    };
    let (effort, wants) = (&plan.effort, plan.wants);
    let mut report = Report::default();
    let mut seconds = BTreeMap::new();
    if wants(Sets) {
        report.sets = plan.run("sets", &mut seconds, || sets::measure(corpus));
    }
    if wants(Unseen) {
        let resamples = effort.resamples;
        report.unseen = plan.run("unseen", &mut seconds, || unseen::measure(corpus, resamples));
    }
    if wants(Shift) {
        let runs = effort.shift_runs;
        report.shift = plan.run("shift", &mut seconds, || shift::measure(corpus, runs));
    }
    if [Mmlu1500, Mmlu200, MmluMore, Gsm8k, Promise, Online, Decision].into_iter().any(wants) {
        let sets: &[&str] = if wants(Promise) { &FILES } else { &[MMLU, GSM8K] };
        let unknown = plan.run("training", &mut seconds, || unknowns(corpus, sets, effort));
        let traffics = traffics(corpus, &unknown);
        with_labels(corpus, heads, plan, &traffics, (&mut report, &mut seconds))?;
    }
    report.seconds = seconds;
    Ok(report)
}

/// What the router is without each of the sets' sources.
fn unknowns<'a>(corpus: &'a Corpus, sets: &[&str], effort: &Effort) -> BTreeMap<&'a str, Unknown> {
    let sources: Vec<&str> = unknown::sources(corpus, sets).into_iter().collect();
    let trained =
        parallel::map(sources.len(), |n| unknown::train(corpus, sources[n], effort.thinned));
    sources.into_iter().zip(trained).collect()
}

/// The sets as traffic, each for a router that does not know its source.
fn traffics<'a>(
    corpus: &'a Corpus,
    unknown: &'a BTreeMap<&str, Unknown>,
) -> Vec<(&'static str, Traffic<'a>)> {
    let traffic = |set: &'static str| {
        let source = &corpus.rows[*corpus.of_set(set).first()?].source;
        Some((set, Traffic::of(corpus, set, unknown.get(source.as_str())?)?))
    };
    FILES.into_iter().filter_map(traffic).collect()
}

/// The protocols in which the traffic's own labels are told.
fn with_labels(
    corpus: &Corpus,
    heads: &Heads,
    plan: &Plan<'_>,
    traffics: &[(&'static str, Traffic<'_>)],
    (report, seconds): (&mut Report, &mut BTreeMap<&'static str, f64>),
) -> Result<(), String> {
    let (effort, wants) = (&plan.effort, plan.wants);
    let find = |set: &str| traffics.iter().find(|(name, _)| *name == set).map(|(_, found)| found);
    if let Some(mmlu) = find(MMLU) {
        for (protocol, name, labels, place) in [
            (Protocol::Mmlu200, "mmlu_200", Some(200), &mut report.mmlu_200),
            (Protocol::MmluMore, "mmlu_500", Some(500), &mut report.mmlu_500),
            (Protocol::Mmlu1500, "mmlu_1500", Some(1500), &mut report.mmlu_1500),
            (Protocol::MmluMore, "mmlu_all", None, &mut report.mmlu_all),
        ] {
            // Few labels make cheap fits, and figures that vary more.
            let repeats = if labels == Some(200) { 2 * effort.mmlu } else { effort.mmlu };
            if wants(protocol) {
                *place = plan.run(name, seconds, || labelled::measure(mmlu, labels, repeats));
            }
        }
        if wants(Protocol::Online) {
            let runs = effort.online_runs;
            report.online = plan.run("online", seconds, || online::measure(mmlu, runs));
            let mut marks = report.online.iter().flat_map(|online| &online.marks);
            report.online_500 = marks.find(|mark| mark.labels == 500).cloned();
        }
        if wants(Protocol::Decision) {
            let times = plan.run("decision", seconds, || decision::measure(corpus, mmlu, heads))?;
            report.decision_p50_us = Some(times.p50_us);
            report.decision_p99_us = Some(times.p99_us);
        }
    }
    if let (true, Some(gsm8k)) = (wants(Protocol::Gsm8k), find(GSM8K)) {
        let repeats = effort.gsm8k;
        report.gsm8k = plan.run("gsm8k", seconds, || labelled::measure(gsm8k, None, repeats));
    }
    if wants(Protocol::Promise) {
        let splits = effort.splits;
        let done = plan.run("promise", seconds, || promise::measure(traffics, splits));
        let mut promises = done.into_iter();
        (report.promise_2, report.promise_5) = (promises.next(), promises.next());
    }
    Ok(())
}
