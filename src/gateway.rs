//! The line: the life of a request, top to bottom, and the only place that knows the order.
//!
//! authenticate → decode → guard → resolve → key → exact cache → embed → semantic cache →
//! single-flight → decide → reserve → dispatch → reply → record

mod arbiter;
mod beside;
mod conversation;
mod desk;
mod entries;
mod errand;
mod explain;
mod feedback;
mod flight;
mod follow;
mod given;
mod learnt;
mod listen;
mod outlook;
mod probing;
mod recall;
mod rehearse;
mod reply;
mod settle;
mod stream;
mod teach;
mod trial;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::HeaderMap;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::access::{Access, Caller};
use crate::cache::key::identify;
use crate::cache::learn::Lane;
use crate::cache::ttl::{self, Life};
use crate::cache::{Cache, Refreshes};
use crate::config::Settings;
use crate::config::settings::Mode;
use crate::dialect::openai::ChatRequest;
use crate::dispatch::{Dispatcher, Order};
use crate::embed::{Embedder, Embedding};
use crate::error::GatewayError;
use crate::guard::{self, GuardVerdict};
use crate::http::body::RequestBody;
use crate::jobs::Jobs;
use crate::now::{Now, Stopwatch};
use crate::policy::{self, Choice, Policy, RequestHeaders};
use crate::record::{OpenRecord, Recorder};
use crate::route::learn::{Archive, Learner, School};
use crate::route::{Heads, RouteDecision, plan};

pub use explain::Explanation;
pub use given::Quality;
pub use rehearse::Rehearsal;
pub use reply::Reply;
pub use settle::Made;

use conversation::Conversations;
use errand::Errand;
use flight::{Aboard, Flights};
use follow::Boarding;
use reply::Answered;
use settle::Claim;
use teach::Look;

/// Where a plan names no model's own limit.
const DEFAULT_TOTAL: Duration = Duration::from_secs(600);

/// What a shed caller is told to wait.
const SHED_WAIT: Duration = Duration::from_secs(1);

/// Everything a request needs, shared by all of them.
#[derive(Debug)]
pub struct Gateway {
    /// The configuration in force; replaced whole by a reload.
    state: ArcSwap<State>,
    dispatcher: Arc<Dispatcher>,
    jobs: Jobs,
    cache: Arc<Cache>,
    /// Upstream calls that equal requests may share.
    flights: Arc<Flights>,
    refreshes: Refreshes,
    /// Where the conversations of late stand.
    conversations: Conversations,
    /// `None` is `embedder: off`.
    embedder: Option<Embedder>,
    /// Trained heads that fit the embedder; `None` without one.
    heads: Option<Heads>,
    /// What was learnt of the traffic; as long as there are heads.
    learner: Option<Arc<Learner>>,
    recorder: Arc<Recorder>,
    in_flight: Arc<Semaphore>,
    max_in_flight: usize,
    draining: AtomicBool,
    /// Turns true when shutdown cuts what still runs.
    cut: watch::Receiver<bool>,
}

/// What a reload replaces.
#[derive(Debug)]
pub struct State {
    pub settings: Arc<Settings>,
    pub access: Access,
}

impl State {
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self { access: Access::new(&settings.keys), settings: Arc::new(settings) })
    }
}

/// A request as it arrived: head read, body not yet.
#[derive(Debug)]
pub struct Call {
    pub headers: HeaderMap,
    pub body: RequestBody,
    pub now: Now,
}

/// What is known of a request once it is understood: the arguments of every later step.
#[derive(Debug, Clone)]
struct Asked {
    settings: Arc<Settings>,
    caller: Arc<Caller>,
    headers: Arc<RequestHeaders>,
    request: Arc<ChatRequest>,
    policy: Arc<Policy>,
    /// How long answers to it live; whoever answers may make it shorter.
    life: Life,
    now: Now,
    /// The prompt's embedding where it is known beforehand, as in a replay.
    vector: Option<Embedding>,
    /// Uniform in [0, 1): whether a would-be hit is asked upstream to learn from. `None`: the request
    /// is only rehearsed, and nothing is learnt from it.
    draw: Option<f32>,
}

impl Gateway {
    /// Puts the parts together. `cut` turns true when shutdown ends what still runs.
    pub fn new(
        settings: Settings,
        embedder: Option<Embedder>,
        heads: Option<Heads>,
        cache: Cache,
        recorder: Arc<Recorder>,
        cut: watch::Receiver<bool>,
    ) -> Result<Self, GatewayError> {
        let max_in_flight = settings.server.max_in_flight;
        let in_flight = Arc::new(Semaphore::new(max_in_flight));
        let draining = AtomicBool::new(false);
        let learner = heads.as_ref().map(|heads| Arc::new(learner(heads, &settings, None)));
        let state = State::new(settings);
        let dispatcher = Dispatcher::new(state.settings.clone())
            .map_err(|error| GatewayError::Internal { log: error.to_string() })?;
        let dispatcher = Arc::new(dispatcher);
        let jobs = Jobs::new(dispatcher.clone(), recorder.clone(), cut.clone());
        let cache = Arc::new(cache);
        // Without a runtime nothing is asked of anybody, as in a replay.
        if let Ok(runtime) = Handle::try_current() {
            cache.refer_to(arbiter::arbiter(jobs.clone(), runtime));
        }
        let state = ArcSwap::new(state);
        Ok(Self {
            state,
            dispatcher,
            jobs,
            cache,
            flights: Arc::default(),
            refreshes: Refreshes::default(),
            conversations: Conversations::default(),
            embedder,
            heads,
            learner,
            recorder,
            in_flight,
            max_in_flight,
            draining,
            cut,
        })
    }

    /// The same gateway, with what it had learnt in an archive; what it learns goes there.
    #[must_use]
    pub fn remembering(mut self, archive: Archive) -> Self {
        let settings = self.settings();
        if let Some(heads) = &self.heads {
            self.learner = Some(Arc::new(learner(heads, &settings, Some(archive))));
        }
        self
    }

    /// The life of a chat request. The record is opened first and closed last, whatever happens.
    pub async fn chat(&self, call: Call) -> Reply {
        let state = self.state.load_full();
        let keep_content = state.settings.telemetry.content;
        let mut record = OpenRecord::new(self.recorder.clone(), call.now, keep_content);
        match self.answer(&state, call, &mut record).await {
            Ok(answered) => answered.into_reply(record),
            Err(error) => Reply::failed(&error, record),
        }
    }

    async fn answer(
        &self,
        state: &State,
        call: Call,
        record: &mut OpenRecord,
    ) -> Result<Answered, GatewayError> {
        let caller = state.access.authenticate(&call.headers)?;
        record.caller(&caller);
        let permit = self.admit()?;
        let asked = self.understand(state, caller, call, record).await?;
        record.policy(&asked.policy);
        let identity = identify(
            &asked.request,
            &asked.caller,
            &asked.policy,
            &asked.settings.cache,
            asked.life,
        );
        let mut memory = self.recall(&asked, identity, record).await;
        if let Some(hit) = memory.hit() {
            self.carry(&asked);
            self.follow_up(&asked, &memory, &hit, record);
            return Ok(Answered::hit(&asked, hit, record));
        }
        if asked.headers.cache.only_if_cached {
            return Err(GatewayError::NotCached);
        }
        let reserve = self.reserve(&asked, &memory);
        let seat = match self.board(&asked, &mut memory, record).await {
            Ok(Boarding::Ask(seat)) => seat,
            Ok(Boarding::Shared(shared)) => {
                return Ok(shared.into_answered(&asked, &memory, permit, record));
            }
            Err(error) => return Answered::instead(error, &asked, reserve.as_ref(), record),
        };
        let look = self.look(&asked, &memory);
        let decision = self.decide(&asked, look.as_ref(), record)?;
        let order = order(&asked, &decision, record);
        let asked_usage = asked.request.include_usage;
        let aboard = Aboard::new();
        let errand = Errand {
            dispatcher: self.dispatcher.clone(),
            order,
            claim: Claim::new(self, asked, &memory, look.as_ref(), permit),
            reserve,
            record: record.hand_over(),
            aboard: aboard.clone(),
            cut: self.cut.clone(),
        };
        Ok(Answered::led(seat.depart(errand.into_news(), aboard), asked_usage).await)
    }

    /// Sheds at the limit rather than queueing: a caller that must wait is better off elsewhere.
    fn admit(&self) -> Result<OwnedSemaphorePermit, GatewayError> {
        let permit = self.in_flight.clone().try_acquire_owned();
        permit.map_err(|_| GatewayError::Overloaded { retry_after: SHED_WAIT })
    }

    /// Reads the body, then decode → guard → resolve.
    async fn understand(
        &self,
        state: &State,
        caller: Arc<Caller>,
        call: Call,
        record: &mut OpenRecord,
    ) -> Result<Asked, GatewayError> {
        let headers = RequestHeaders::parse(&call.headers)?;
        record.headers(&headers);
        let body = call.body.read(&call.headers, state.settings.server.body_limit).await?;
        let request = ChatRequest::decode(body)?;
        record.request(&request);
        let mut asked = consider(&state.settings, caller, headers, request, call.now)?;
        asked.draw = Some(rand::random());
        Ok(asked)
    }

    /// The tier and its targets. In observe mode the record says what would have been chosen, and
    /// the baseline (or the named model itself) answers.
    fn decide(
        &self,
        asked: &Asked,
        look: Option<&Look>,
        record: &mut OpenRecord,
    ) -> Result<RouteDecision, GatewayError> {
        let watch = Stopwatch::start();
        let signals = self.signals(asked, look);
        let decision = self.plan_turn(asked, signals.as_ref())?;
        self.show(asked, look, &decision, record.id());
        record.step("decide", watch.ms());
        record.decision(&decision);
        Ok(match asked.settings.routing.mode {
            Mode::Enforce => decision,
            Mode::Observe => {
                plan::observed(&decision, &asked.policy, &asked.request, &asked.settings)
            }
        })
    }
}

/// What learns from here on, beginning with what the archive holds.
fn learner(heads: &Heads, settings: &Settings, archive: Option<Archive>) -> Learner {
    let school = School::new(Arc::new(heads.basis().clone()), &heads.file().hash, settings);
    Learner::start(school, archive, Now::read())
}

/// guard → resolve, on a decoded request.
fn consider(
    settings: &Arc<Settings>,
    caller: Arc<Caller>,
    headers: RequestHeaders,
    request: ChatRequest,
    now: Now,
) -> Result<Asked, GatewayError> {
    if let GuardVerdict::Block(error) = guard::check(&request) {
        return Err(error);
    }
    let policy = policy::resolve(settings, &caller, &request, &headers, now.hour_utc())?;
    let life = ttl::life(&request.prompt, &policy, &settings.cache.ttl);
    Ok(Asked {
        settings: settings.clone(),
        life,
        caller,
        headers: Arc::new(headers),
        request: Arc::new(request),
        policy: Arc::new(policy),
        now,
        vector: None,
        draw: None,
    })
}

/// What dispatch is asked to do. The request's price ceiling has been reserved by the plan, which
/// dropped what exceeds it and set an output limit where the caller had none; budgets take their
/// place here.
fn order(asked: &Asked, decision: &RouteDecision, record: &OpenRecord) -> Order {
    let total = asked
        .policy
        .timeout
        .or_else(|| decision.targets.first().map(|planned| planned.model.timeouts.total));
    Order {
        request: asked.request.clone(),
        targets: decision.targets.clone(),
        keep_order: asked.policy.choice.keeps_order(),
        forward: asked.headers.forward.clone(),
        total: total.unwrap_or(DEFAULT_TOTAL),
        deadline: (asked.now.mono + total.unwrap_or(DEFAULT_TOTAL)).into(),
        log: record.attempts.clone(),
    }
}

impl Asked {
    /// Whose traffic this is: what is learnt of it is kept by tenant and route.
    fn lane(&self) -> Lane {
        let route = match &self.policy.choice {
            Choice::Tiers { route } | Choice::Strategy { route, .. } => route.name.clone(),
            Choice::Forced { tier, .. } => format!("tier/{}", tier.name).into(),
            Choice::Named { model, .. } if self.settings.model(&model.name).is_some() => {
                model.name.clone()
            }
            // Other ids are the caller's to invent, and a mind for each would be too many.
            Choice::Named { model, .. } => format!("{}/*", model.provider.name).into(),
        };
        Lane { tenant: self.caller.tenant.clone(), route }
    }

    /// The classifier has something to choose.
    fn classifies(&self) -> bool {
        matches!(&self.policy.choice, Choice::Tiers { route } if route.tiers.len() > 1)
    }
}
