//! What is known of each target's health: benches, breaker, latency. It is read to order and skip
//! targets, and written by the [`Permit`] that every attempt holds.
//!
//! A bench rests one target, that is one model with one credential: rate limits and permissions
//! differ by model, so that a refusal of one model says nothing certain about the next. The
//! breaker and the latencies belong to the model, whatever the credential.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use serde::Serialize;

use super::breaker::{Breaker, Circuit};
use super::latency::Latency;
use super::outcome::BenchReason;
use super::pace::Paces;
use crate::config::Settings;
use crate::config::settings::{Model, Provider};
use crate::route::Seen;

/// Targets whose health is kept at most, unless more are configured. Beyond that those outside
/// `models:` (`<provider>/<id>`) are forgotten: first those without trouble, then all.
const ADHOC_LIMIT: usize = 4_096;
/// Whether a target may be called now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Ready,
    /// Every credential rests; time until the first returns, and why that one rests.
    Benched {
        wait: Duration,
        why: BenchReason,
    },
    /// The circuit is open, or its probe is on the way; time until the next probe.
    Open {
        wait: Duration,
    },
}

/// What ordering and the retry decision see of a target at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    pub standing: Standing,
    /// Milliseconds to the first content of a stream; `None` without enough fresh samples.
    pub first_content_ms: Option<f64>,
    /// Milliseconds of a whole answer; `None` without enough fresh samples.
    pub answer_ms: Option<f64>,
}

impl View {
    /// A target of which nothing is known.
    pub const UNKNOWN: Self =
        Self { standing: Standing::Ready, first_content_ms: None, answer_ms: None };
}

/// One target as `GET /admin/v1/targets` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetHealth {
    /// `provider/upstream-id`.
    pub target: String,
    /// Name in `models:`.
    pub model: String,
    pub provider: String,
    pub region: Option<String>,
    /// Whether a request would be sent there now.
    pub healthy: bool,
    /// `closed`, `open`, `half_open`.
    pub breaker: &'static str,
    /// Seconds until a benched or open target may be called again.
    pub available_in_seconds: Option<f64>,
    /// `credential`, `quota`, `rate_limit`: why every credential rests.
    pub bench_reason: Option<&'static str>,
    pub credentials: usize,
    pub credentials_benched: usize,
    pub consecutive_failures: u32,
    /// Moving averages in milliseconds, absent without enough recent samples.
    pub first_content_ms: Option<f64>,
    pub answer_ms: Option<f64>,
    /// Attempts since the start that gave an answer, and that did not.
    pub successes: u64,
    pub failures: u64,
}

/// How long a good answer took, by the kind of request: the two are not comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Took {
    FirstContent(Duration),
    Answer(Duration),
}

/// Health of all targets.
#[derive(Debug, Default)]
pub struct Health {
    targets: Mutex<HashMap<String, Target>>,
}

#[derive(Debug)]
struct Target {
    model: Arc<Model>,
    /// Listed in `models:`.
    configured: bool,
    /// By credential; one place for an upstream without credentials.
    benches: Vec<Option<(Instant, BenchReason)>>,
    breaker: Breaker,
    first_content: Latency,
    answer: Latency,
    paces: Paces,
    /// Counts admissions, to take credentials in turn.
    turn: usize,
    successes: u64,
    failures: u64,
}

impl Health {
    /// Health of the models of `settings`, all well.
    pub fn new(settings: &Settings) -> Self {
        let health = Self::default();
        health.reload(settings);
        health
    }

    /// Takes up new settings. A target whose endpoint and credentials stayed keeps its health.
    pub fn reload(&self, settings: &Settings) {
        let mut targets = self.lock();
        targets.retain(|_, target| {
            target.configured = false;
            let same = |provider: &&Arc<Provider>| same_endpoint(provider, &target.model.provider);
            settings
                .providers
                .iter()
                .find(|p| p.name == target.model.provider.name)
                .is_some_and(|provider| same(&provider))
        });
        for model in &settings.models {
            let target = targets.entry(model.label()).or_insert_with(|| Target::new(model));
            target.model = model.clone();
            target.configured = true;
        }
    }

    /// What is known of `model` now.
    pub fn view(&self, model: &Model, now: Instant) -> View {
        self.lock().get(&model.label()).map_or(View::UNKNOWN, |target| target.view(now))
    }

    /// What a strategy sees of `model` now.
    pub fn seen(&self, model: &Model, stream: bool, now: Instant) -> Seen {
        self.lock().get(&model.label()).map_or(Seen::UNKNOWN, |target| {
            target.paces.seen(target.standing(now) == Standing::Ready, stream, now)
        })
    }

    /// Lets one attempt through to `model`, choosing a credential that does not rest; `None` when
    /// there is none or the circuit is open. The permit must be told what came of it.
    pub fn admit(self: &Arc<Self>, model: &Arc<Model>, now: Instant) -> Option<Permit> {
        let label = model.label();
        let mut targets = self.lock();
        make_room(&mut targets, &label, now);
        let target = targets.entry(label.clone()).or_insert_with(|| Target::new(model));
        let place = target.next_place(now)?;
        let probe = target.breaker.admit(now)?;
        target.turn = target.turn.wrapping_add(1);
        Some(Permit { health: self.clone(), label, place, probe, told: false })
    }

    /// All known targets: the configured ones, then those only asked for by `<provider>/<id>`.
    pub fn list(&self, settings: &Settings, now: Instant) -> Vec<TargetHealth> {
        let targets = self.lock();
        let mut labels: Vec<String> = Vec::new();
        for label in settings.models.iter().map(|model| model.label()) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        let mut adhoc: Vec<String> =
            targets.iter().filter(|(_, t)| !t.configured).map(|(l, _)| l.clone()).collect();
        adhoc.sort();
        labels.extend(adhoc);
        labels
            .into_iter()
            .filter_map(|label| targets.get(&label).map(|target| target.report(label, now)))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Target>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one attempt, and the duty to tell what came of it. Dropped untold, it says nothing
/// about the target (the caller left).
#[derive(Debug)]
pub struct Permit {
    health: Arc<Health>,
    label: String,
    place: usize,
    probe: bool,
    told: bool,
}

impl Permit {
    /// Which of the provider's `api_keys` to use; meaningless for a provider without any.
    pub fn credential(&self) -> usize {
        self.place
    }

    /// The attempt is made.
    pub fn tried(&mut self, stream: bool, now: Instant) {
        self.with(|target| target.paces.tried(stream, now));
    }

    /// A stream brought its first content: how fast it was is known, however it ends.
    pub fn began(&mut self, took: Duration, now: Instant) {
        self.probe = false;
        self.with(|target| {
            target.breaker.revived();
            target.paces.add(Took::FirstContent(took), now);
        });
    }

    /// The answer is complete.
    pub fn answered(&mut self, took: Took, now: Instant) {
        self.told = true;
        self.with(|target| {
            target.breaker.succeeded();
            target.successes += 1;
            match took {
                Took::FirstContent(took) => target.first_content.add(took, now),
                Took::Answer(whole) => {
                    target.answer.add(whole, now);
                    target.paces.add(took, now);
                }
            }
        });
    }

    /// The target answered, though not with what was asked for: it is alive.
    pub fn alive(&mut self) {
        self.told = true;
        self.with(|target| target.breaker.succeeded());
    }

    /// The target is in trouble. `chance` in [0, 1).
    pub fn failed(&mut self, now: Instant, chance: f64) {
        self.told = true;
        let probe = self.probe;
        self.with(|target| {
            target.breaker.failed(probe, now, chance);
            target.failures += 1;
        });
    }

    /// The target answered that this credential must rest.
    pub fn bench(&mut self, why: BenchReason, until: Instant) {
        self.told = true;
        let place = self.place;
        self.with(|target| {
            target.breaker.succeeded();
            target.failures += 1;
            if let Some(bench) = target.benches.get_mut(place) {
                // A longer rest that was told before stands.
                let known = bench.filter(|(known, _)| *known > until);
                *bench = known.or(Some((until, why)));
            }
        });
    }

    fn with(&self, change: impl FnOnce(&mut Target)) {
        if let Some(target) = self.health.lock().get_mut(&self.label) {
            change(target);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.told {
            self.with(|target| target.breaker.abandoned(self.probe));
        }
    }
}

impl Target {
    fn new(model: &Arc<Model>) -> Self {
        Self {
            model: model.clone(),
            configured: false,
            benches: vec![None; model.provider.api_keys.len().max(1)],
            breaker: Breaker::default(),
            first_content: Latency::default(),
            answer: Latency::default(),
            paces: Paces::default(),
            turn: 0,
            successes: 0,
            failures: 0,
        }
    }

    /// The next credential, in turn, that does not rest.
    fn next_place(&self, now: Instant) -> Option<usize> {
        let places = self.benches.len();
        (0..places)
            .map(|step| self.turn.wrapping_add(step) % places)
            .find(|place| self.resting(*place, now).is_none())
    }

    fn resting(&self, place: usize, now: Instant) -> Option<(Duration, BenchReason)> {
        let (until, why) = (*self.benches.get(place)?)?;
        (until > now).then(|| (until - now, why))
    }

    fn standing(&self, now: Instant) -> Standing {
        let rests: Vec<_> =
            (0..self.benches.len()).filter_map(|place| self.resting(place, now)).collect();
        if rests.len() == self.benches.len()
            && let Some((wait, why)) = rests.into_iter().min_by_key(|(wait, _)| *wait)
        {
            return Standing::Benched { wait, why };
        }
        match self.breaker.circuit(now) {
            Circuit::Closed | Circuit::HalfOpen => Standing::Ready,
            Circuit::Open(wait) => Standing::Open { wait },
            Circuit::Probing => Standing::Open { wait: Duration::ZERO },
        }
    }

    fn view(&self, now: Instant) -> View {
        View {
            standing: self.standing(now),
            first_content_ms: self.first_content.at(now),
            answer_ms: self.answer.at(now),
        }
    }

    fn report(&self, label: String, now: Instant) -> TargetHealth {
        let view = self.view(now);
        let (wait, bench_reason) = match view.standing {
            Standing::Ready => (None, None),
            Standing::Benched { wait, why } => (Some(wait), Some(why.name())),
            Standing::Open { wait } => (Some(wait), None),
        };
        TargetHealth {
            target: label,
            model: self.model.name.to_string(),
            provider: self.model.provider.name.to_string(),
            region: self.model.provider.region.clone(),
            healthy: view.standing == Standing::Ready,
            breaker: match self.breaker.circuit(now) {
                Circuit::Closed => "closed",
                Circuit::Open(_) => "open",
                Circuit::HalfOpen | Circuit::Probing => "half_open",
            },
            available_in_seconds: wait.map(|wait| wait.as_secs_f64()),
            bench_reason,
            credentials: self.model.provider.api_keys.len(),
            credentials_benched: (0..self.benches.len())
                .filter(|place| self.resting(*place, now).is_some())
                .count(),
            consecutive_failures: self.breaker.failures(),
            first_content_ms: view.first_content_ms,
            answer_ms: view.answer_ms,
            successes: self.successes,
            failures: self.failures,
        }
    }

    /// Nothing that would be missed.
    fn is_idle(&self, now: Instant) -> bool {
        !self.configured && self.breaker.failures() == 0 && self.view(now) == View::UNKNOWN
    }
}

/// Keeps targets that callers invent from filling the memory.
fn make_room(targets: &mut HashMap<String, Target>, label: &str, now: Instant) {
    if targets.len() < ADHOC_LIMIT || targets.contains_key(label) {
        return;
    }
    targets.retain(|_, target| !target.is_idle(now));
    // Half must have gone, else the next arrivals would sift the same ones again and again.
    if targets.len() > ADHOC_LIMIT / 2 {
        targets.retain(|_, target| target.configured);
    }
}

fn same_endpoint(one: &Provider, other: &Provider) -> bool {
    one.base_url == other.base_url
        && one.api_keys.len() == other.api_keys.len()
        && one
            .api_keys
            .iter()
            .zip(&other.api_keys)
            .all(|(a, b)| a.expose_secret() == b.expose_secret())
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
