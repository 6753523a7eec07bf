//! Who serves it right now: attempts at the targets of a plan, with failover that the caller never
//! sees.
//!
//! [`Dispatcher::dispatch`] is the loop; each attempt is made in `attempt`, over `transport` (the
//! only file that knows the HTTP client). What an upstream's reply means is decided in `outcome`,
//! what follows in `retry`, in which order targets are tried in `order`; all three are pure.
//! `health`, `breaker` and `budget` remember. Which targets a plan has is the router's business,
//! what an answer costs and whether it is stored is the gateway's.

mod attempt;
mod attempts;
mod breaker;
mod budget;
mod health;
mod latency;
mod order;
mod outcome;
mod pace;
mod retry;
mod retry_after;
mod stream;
mod transport;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::{HeaderName, HeaderValue};
use bytes::Bytes;
use tokio::time::Instant;

use crate::config::Settings;
use crate::config::settings::Model;
use crate::dialect::openai::ChatRequest;
use crate::dialect::openai::answer::Completion;
use crate::error::GatewayError;
use crate::now::Now;
use crate::route::{Planned, Seen};

pub use attempts::AttemptLog;
pub use health::TargetHealth;
pub use stream::{AnswerStream, StreamFault};
pub use transport::SetupFault;

use budget::RetryBudget;
use health::{Health, Standing, View};
use order::{Wanted, order_targets};
use outcome::{BenchReason, Failure};
use retry::{GiveUp, NextStep, Situation, next_step, verdict};
use transport::Transport;

/// What is to be sent, to whom, and until when.
#[derive(Debug, Clone)]
pub struct Order {
    pub request: Arc<ChatRequest>,
    /// Targets of the plan, in its order.
    pub targets: Vec<Planned>,
    /// The caller named the first target: the order is a promise, not a proposal. Otherwise the
    /// targets of a tier are tried by health, latency and price.
    pub keep_order: bool,
    /// The caller's `traceparent`, `tracestate`, `OpenAI-Beta`, `anthropic-beta`; others are
    /// dropped.
    pub forward: Vec<(HeaderName, HeaderValue)>,
    /// End of the caller's time, all attempts together.
    pub deadline: Instant,
    /// How long that time was at the start, for the message.
    pub total: Duration,
    /// Where attempts are entered.
    pub log: AttemptLog,
}

/// An answer, or the beginning of one.
#[derive(Debug)]
pub struct Answer {
    /// Who answered.
    pub planned: Planned,
    /// The upstream's status: 200, or another one that says success.
    pub status: u16,
    /// The upstream's headers that may pass: content type, `openai-processing-ms`,
    /// `openai-version`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: AnswerBody,
    /// Place of the answering attempt in [`Order::log`], for [`AttemptLog::settle`].
    pub attempt: usize,
}

#[derive(Debug)]
pub enum AnswerBody {
    /// A whole `chat.completion` object, to the byte, and what it says.
    Whole { bytes: Bytes, completion: Completion },
    /// Events; the first content has come.
    Stream(Box<AnswerStream>),
}

/// Sends requests to upstreams and remembers how they fare.
#[derive(Debug)]
pub struct Dispatcher {
    settings: ArcSwap<Settings>,
    transport: Transport,
    health: Arc<Health>,
    /// By provider.
    budgets: Mutex<HashMap<Arc<str>, RetryBudget>>,
}

impl Dispatcher {
    /// Sets up the HTTP clients.
    ///
    /// # Errors
    ///
    /// [`SetupFault`] when TLS cannot be set up at all.
    pub fn new(settings: Arc<Settings>) -> Result<Self, SetupFault> {
        Ok(Self {
            transport: Transport::new(connect_limits(&settings))?,
            health: Arc::new(Health::new(&settings)),
            budgets: Mutex::default(),
            settings: ArcSwap::new(settings),
        })
    }

    /// Takes up new settings. Targets whose endpoint and credentials stayed keep their health.
    ///
    /// # Errors
    ///
    /// As [`Dispatcher::new`]; the old settings then stay in force.
    pub fn reload(&self, settings: Arc<Settings>) -> Result<(), SetupFault> {
        self.transport.prepare(connect_limits(&settings))?;
        self.health.reload(&settings);
        let known = |name: &Arc<str>| settings.providers.iter().any(|p| p.name == *name);
        self.budgets().retain(|name, _| known(name));
        self.settings.store(settings);
        Ok(())
    }

    /// Health of every target, for `GET /admin/v1/targets`.
    pub fn targets(&self) -> Vec<TargetHealth> {
        self.health.list(&self.settings.load(), Now::read().mono)
    }

    /// How a model fares, for strategies that ask: with streams, or with whole answers.
    pub fn seen(&self, model: &Model, stream: bool, now: std::time::Instant) -> Seen {
        self.health.seen(model, stream, now)
    }

    /// Tries the targets until one answers. Dropping the future ends the running attempt at once.
    ///
    /// # Errors
    ///
    /// `Refused` (the upstream's verdict about the request), `RateLimited`, `ProviderAuth`,
    /// `UpstreamFailed`, `Timeout`.
    pub async fn dispatch(&self, order: Order) -> Result<Answer, GatewayError> {
        let mut run = self.start(&order);
        loop {
            let situation = self.situation(&run, Now::read());
            let place = match next_step(run.last(), &situation) {
                NextStep::FailOver { target } => target,
                NextStep::RetrySame { target, after } => {
                    tokio::time::sleep(after).await;
                    run.pauses += 1;
                    run.waited += after;
                    target
                }
                NextStep::GiveUp(why) => return Err(self.give_up(&run, why)),
            };
            let target = &run.targets[place];
            // Somebody else may have taken the probe or the budget since: then look again.
            let Some(permit) = self.admit(&run, target) else { continue };
            let provider = target.model.provider.name.clone();
            if !run.visited.contains(&provider) {
                run.visited.push(provider);
            }
            match attempt::attempt(&self.transport, &order, target, permit).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => run.failed(place, failure),
            }
        }
    }

    fn start<'o>(&self, order: &'o Order) -> Run<'o> {
        let now = Now::read().mono;
        let targets = if order.keep_order {
            order.targets.clone()
        } else {
            let views: Vec<View> =
                order.targets.iter().map(|target| self.health.view(&target.model, now)).collect();
            let wanted = Wanted {
                stream: order.request.stream,
                prompt_tokens: order.request.facts.prompt_tokens,
            };
            let places = order_targets(&order.targets, &views, wanted);
            places.into_iter().map(|place| order.targets[place].clone()).collect()
        };
        let resilience = self.settings.load().resilience;
        Run {
            order,
            failed: vec![false; targets.len()],
            targets,
            attempts: resilience.attempts.max(1),
            share: resilience.retry_budget,
            failures: Vec::new(),
            visited: Vec::new(),
            pauses: 0,
            waited: Duration::ZERO,
        }
    }

    fn situation(&self, run: &Run<'_>, now: Now) -> Situation {
        let standings: Vec<Standing> = run
            .targets
            .iter()
            .map(|target| self.health.view(&target.model, now.mono).standing)
            .collect();
        let callable = |place: &usize| {
            standings[*place] == Standing::Ready && self.affords(run, &run.targets[*place], now)
        };
        let thaw = standings
            .iter()
            .enumerate()
            .filter_map(|(place, standing)| match standing {
                Standing::Benched { wait, why: BenchReason::RateLimit } => Some((place, *wait)),
                _ => None,
            })
            .filter(|(place, _)| self.affords(run, &run.targets[*place], now))
            .min_by_key(|(_, wait)| *wait);
        let places = || 0..run.targets.len();
        Situation {
            attempts_left: run.attempts.saturating_sub(run.failures.len()),
            remaining: run.order.deadline.saturating_duration_since(Instant::from_std(now.mono)),
            fresh: places().filter(|place| !run.failed[*place]).find(callable),
            again: places().filter(|place| run.failed[*place]).find(callable),
            thaw,
            pauses: run.pauses,
            waited: run.waited,
            chance: rand::random(),
        }
    }

    /// The first attempt at a provider is what was routed to it; further ones of the same request
    /// are repeats, and need its retry budget.
    fn affords(&self, run: &Run<'_>, target: &Planned, now: Now) -> bool {
        let provider = &target.model.provider.name;
        !run.visited.contains(provider)
            || self.budgets().get(provider).is_none_or(|budget| budget.affords(run.share, now.mono))
    }

    fn admit(&self, run: &Run<'_>, target: &Planned) -> Option<health::Permit> {
        let now = Now::read().mono;
        let mut permit = self.health.admit(&target.model, now)?;
        let provider = &target.model.provider.name;
        let mut budgets = self.budgets();
        let budget = budgets.entry(provider.clone()).or_default();
        if run.visited.contains(provider) {
            if !budget.spend(run.share, now) {
                return None;
            }
        } else {
            budget.earn(now);
        }
        permit.tried(run.order.request.stream, now);
        Some(permit)
    }

    fn give_up(&self, run: &Run<'_>, why: GiveUp) -> GatewayError {
        let now = Now::read().mono;
        let skipped: Vec<_> = run
            .targets
            .iter()
            .map(|target| (target.model.label(), self.health.view(&target.model, now).standing))
            .filter(|(_, standing)| *standing != Standing::Ready)
            .collect();
        let error = verdict(why, &run.failures, &skipped, run.order.total);
        tracing::info!(?why, outcome = error.outcome(), "no target answered");
        error
    }

    fn budgets(&self) -> MutexGuard<'_, HashMap<Arc<str>, RetryBudget>> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far one request has come.
struct Run<'o> {
    order: &'o Order,
    /// In the order of trial.
    targets: Vec<Planned>,
    /// By place: failed in a way that another credential does not help.
    failed: Vec<bool>,
    attempts: usize,
    /// `resilience.retry_budget`.
    share: f64,
    failures: Vec<(String, Failure)>,
    /// Providers that this request has been sent to.
    visited: Vec<Arc<str>>,
    pauses: u32,
    waited: Duration,
}

impl Run<'_> {
    fn last(&self) -> Option<&Failure> {
        self.failures.last().map(|(_, failure)| failure)
    }

    fn failed(&mut self, place: usize, failure: Failure) {
        self.failed[place] |= failure.bench().is_none();
        self.failures.push((self.targets[place].model.label(), failure));
    }
}

fn connect_limits(settings: &Settings) -> impl Iterator<Item = Duration> + '_ {
    let providers = settings.providers.iter().map(|provider| provider.timeouts.connect);
    providers.chain(settings.models.iter().map(|model| model.timeouts.connect))
}
