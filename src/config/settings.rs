//! The validated configuration. Nothing here can be wrong any more: names resolve, shares lie in
//! [0, 1], expressions are compiled, prices are exact.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::access::Rights;
use crate::policy::Expression;
use crate::price::Price;
use crate::route::Strategy;

/// Everything that `semgate serve` needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    pub origin: Origin,
    pub server: Server,
    /// `None` is `embedder: off`: exact cache and rules only.
    pub embedder: Option<Embedder>,
    pub cache: Cache,
    pub routing: Routing,
    pub providers: Vec<Arc<Provider>>,
    /// In the order of the file. Names are unique.
    pub models: Vec<Arc<Model>>,
    pub resilience: Resilience,
    /// Empty: the data plane is open on loopback.
    pub keys: Vec<Key>,
    pub telemetry: Telemetry,
}

/// Where the settings came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    File(PathBuf),
    /// No file: provider keys found in the environment, tiers from `config/defaults/`.
    Environment,
}

#[derive(Debug, Clone)]
pub struct Server {
    pub listen: SocketAddr,
    pub admin_listen: SocketAddr,
    /// `None`: one is made and kept in the state folder.
    pub admin_token: Option<SecretString>,
    /// Further `Host` values that an open plane accepts.
    pub allowed_hosts: Vec<String>,
    /// Bytes.
    pub body_limit: u64,
    pub max_in_flight: usize,
    pub shutdown_grace: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedder {
    /// Folder name below the models folder; only `all-MiniLM-L6-v2` is known.
    pub model: String,
    /// Threads of the worker.
    pub threads: usize,
    /// Window in tokens, special tokens included; longer texts get no semantic level.
    pub max_tokens: usize,
    /// Texts that may wait; beyond that an embedding is refused and the request is a bypass.
    pub queue: usize,
    pub timeout: Duration,
}

#[derive(Debug, Clone)]
pub struct Cache {
    pub enabled: bool,
    /// The model that compares answers where nothing cheaper can tell.
    pub judge: Option<Arc<Model>>,
    pub mode: Mode,
    pub scope: CacheScope,
    /// Dotted request fields (`metadata.session`) that become part of the scope.
    pub scope_fields: Vec<String>,
    /// Unknown top-level request fields that do not matter.
    pub ignored_fields: Vec<String>,
    pub max_temperature: f64,
    /// Bytes of one stored entry.
    pub max_entry: u64,
    pub tool_calls: bool,
    /// Wrong hits among lookups of the semantic level, per tenant and route; 0 to 1.
    pub max_wrong_hits: f32,
    /// Right hits among hits; `None` bounds lookups only.
    pub min_precision: Option<f32>,
    /// Share of would-be semantic hits that are asked upstream to keep learning.
    pub exploration: f32,
    pub expose_evidence: bool,
    /// How long after an answer its caller may say what it was worth; zero: never.
    pub feedback_window: Duration,
    /// Share of semantic hits, in [0, 1], that are asked upstream as well.
    pub shadow: f64,
    pub exact: ExactCache,
    pub semantic: SemanticCache,
    pub ttl: Ttl,
    pub persistence: Persistence,
    /// How long past its expiry an answer is served while it is asked again.
    pub stale_while_revalidate: Duration,
    /// How long past its expiry an answer is served where every provider failed.
    pub stale_if_error: Duration,
    /// Whether answers in demand are asked again before they expire.
    pub refresh_ahead: bool,
    pub rules: Vec<CacheRule>,
}

impl Cache {
    /// The share of wrong hits among hits that `min_precision` leaves.
    pub fn max_imprecision(&self) -> Option<f32> {
        self.min_precision.map(|precision| 1.0 - precision)
    }
}

/// What is in force where the file says nothing.
impl Default for Cache {
    fn default() -> Self {
        Self {
            enabled: true,
            judge: None,
            mode: Mode::Enforce,
            scope: CacheScope::Tenant,
            scope_fields: Vec::new(),
            ignored_fields: Vec::new(),
            max_temperature: 1.0,
            max_entry: 256_000,
            tool_calls: false,
            max_wrong_hits: 0.01,
            min_precision: Some(0.95),
            exploration: 0.02,
            expose_evidence: false,
            shadow: 0.0,
            exact: ExactCache { enabled: true, max_bytes: 256_000_000 },
            semantic: SemanticCache {
                enabled: true,
                max_entries: 100_000,
                max_bytes: 1_000_000_000,
                candidates: 24,
                min_similarity: 0.5,
            },
            ttl: Ttl {
                default: Duration::from_hours(24),
                volatile: Duration::ZERO,
                timeless: Duration::from_hours(30 * 24),
            },
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            refresh_ahead: false,
            feedback_window: Duration::from_hours(24),
            persistence: Persistence { enabled: true },
            rules: Vec::new(),
        }
    }
}

/// `enforce` acts; `observe` looks, decides and records, and leaves the request as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Enforce,
    Observe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheScope {
    Tenant,
    Key,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExactCache {
    pub enabled: bool,
    pub max_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SemanticCache {
    pub enabled: bool,
    pub max_entries: usize,
    pub max_bytes: u64,
    /// k of the neighbour search.
    pub candidates: usize,
    /// Cosine below which nothing is a candidate.
    pub min_similarity: f32,
}

/// Whether answers are kept on disk too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Persistence {
    pub enabled: bool,
}

/// Time to live by class; zero means neither looked up nor stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ttl {
    pub default: Duration,
    pub volatile: Duration,
    pub timeless: Duration,
}

#[derive(Debug, Clone)]
pub struct CacheRule {
    pub when: Arc<Expression>,
    pub then: CacheEffect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheEffect {
    Bypass,
    Ttl(Duration),
}

#[derive(Debug, Clone)]
pub struct Routing {
    pub mode: Mode,
    /// Share in [0, 1].
    pub max_quality_loss: f64,
    pub confidence: f64,
    /// Share of the requests for which another tier is asked as well, to learn from.
    pub shadow: f64,
    /// The model that savings are counted against; `None` only without tiers.
    pub baseline: Option<Arc<Model>>,
    /// Cheapest first. May be empty: then only named models can be asked.
    pub tiers: Vec<Arc<Tier>>,
    pub rules: Vec<RouteRule>,
    /// `auto` first (all tiers, unless the file defines its own `auto`), then the file's.
    pub routes: Vec<Arc<Route>>,
}

#[derive(Debug, Clone)]
pub struct Tier {
    pub name: Arc<str>,
    /// In the order of the file; never empty.
    pub models: Vec<Arc<Model>>,
    /// Threshold mode: P(adequate) that suffices. `None` on the last tier, or in quality mode.
    pub min_adequacy: Option<f64>,
}

#[derive(Debug, Clone)]
pub struct RouteRule {
    /// Text of the expression, for `explain` and the record.
    pub when: Arc<Expression>,
    pub then: RouteEffect,
}

#[derive(Debug, Clone)]
pub enum RouteEffect {
    Tier(Arc<str>),
    Model(Arc<Model>),
    /// Over the tiers of the route that was asked for.
    Strategy(Arc<Strategy>),
}

/// A name a caller may ask for, with its policy.
#[derive(Debug, Clone)]
pub struct Route {
    pub name: Arc<str>,
    /// The route's tiers with its own `min_adequacy` already in place of theirs; cheapest first.
    pub tiers: Vec<Arc<Tier>>,
    pub regions: Option<Vec<String>>,
    pub cache: bool,
    pub strategy: Arc<Strategy>,
}

impl Route {
    /// Threshold mode, if any tier has a threshold; else quality mode.
    pub fn has_thresholds(&self) -> bool {
        self.tiers.iter().any(|tier| tier.min_adequacy.is_some())
    }
}

/// An endpoint, its credentials and its time limits.
#[derive(Debug, Clone)]
pub struct Provider {
    pub name: Arc<str>,
    /// Without a trailing slash; `/chat/completions` is appended.
    pub base_url: String,
    /// Empty for upstreams without authentication.
    pub api_keys: Vec<SecretString>,
    pub region: Option<String>,
    /// Whether `stream_options.include_usage` may be sent.
    pub stream_usage: bool,
    pub timeouts: Timeouts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    /// Streams only: until the first content event.
    pub first_content: Duration,
    /// Streams only: between any two bytes.
    pub idle: Duration,
    /// The caller's whole request, all attempts.
    pub total: Duration,
}

/// Provider + upstream id + price.
#[derive(Debug, Clone)]
pub struct Model {
    pub name: Arc<str>,
    pub provider: Arc<Provider>,
    /// The upstream's own id.
    pub id: Arc<str>,
    /// `None`: cost unknown (never for a model of a tier).
    pub price: Option<Price>,
    /// Tokens; `None`: no limit known.
    pub context: Option<u64>,
    pub max_output: Option<u64>,
    pub vision: bool,
    pub tools: bool,
    pub json_schema: bool,
    /// Answers from the live web, so its answers are volatile.
    pub web_search: bool,
    /// Names of models tried after this one when it was named by the caller.
    pub fallbacks: Vec<Arc<str>>,
    /// The provider's, with the model's own in place.
    pub timeouts: Timeouts,
}

impl Model {
    /// `provider/upstream-id`: how headers, records and metrics call it.
    pub fn label(&self) -> String {
        format!("{}/{}", self.provider.name, self.id)
    }

    /// Whether that is the model's label.
    pub fn is_labelled(&self, label: &str) -> bool {
        let id = label.strip_prefix(&*self.provider.name).and_then(|rest| rest.strip_prefix('/'));
        id == Some(&*self.id)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resilience {
    /// Upstream attempts of one request at most.
    pub attempts: usize,
    /// Retries as a share of requests, above a floor of ten a second.
    pub retry_budget: f64,
}

#[derive(Debug, Clone)]
pub struct Key {
    pub name: Arc<str>,
    pub tenant: Arc<str>,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    pub rights: Rights,
}

#[derive(Debug, Clone)]
pub struct Telemetry {
    pub log: Log,
    /// Keep prompts and answers in records.
    pub content: bool,
    /// Records kept in memory.
    pub ring: usize,
    pub record: Option<RecordFile>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    pub format: LogFormat,
    pub level: tracing::Level,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFile {
    pub path: PathBuf,
    /// Size at which the file is rotated, in bytes.
    pub max_bytes: u64,
    /// Rotated files kept.
    pub keep: usize,
}

impl Settings {
    /// The model of that name in `models:`.
    pub fn model(&self, name: &str) -> Option<&Arc<Model>> {
        self.models.iter().find(|model| &*model.name == name)
    }

    /// The route of that name.
    pub fn route(&self, name: &str) -> Option<&Arc<Route>> {
        self.routing.routes.iter().find(|route| &*route.name == name)
    }

    /// The tier of that name.
    pub fn tier(&self, name: &str) -> Option<&Arc<Tier>> {
        self.routing.tiers.iter().find(|tier| &*tier.name == name)
    }
}
