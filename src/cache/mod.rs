//! The cache: what may be shared (`key`), what may be stored (`admission`), for how long (`ttl`),
//! where it is kept (`exact`, `semantic`), and whether a neighbour answers the question (`verify`).
//!
//! Decisions are values with reasons. Trouble here is a bypass and the request goes on.

pub mod admission;
pub mod canonical;
pub mod exact;
pub mod feedback;
pub mod fields;
mod holdings;
mod keeper;
pub mod key;
pub mod learn;
mod levels;
pub mod memory;
pub mod negatives;
pub mod purge;
mod recognise;
pub mod refresh;
pub mod semantic;
mod stats;
pub mod status;
pub mod store;
pub mod terms;
pub mod ttl;
pub mod value;
pub mod verify;
mod words;

pub use levels::Kept;
pub use memory::Cache;
pub use purge::Purge;
pub use refresh::Refreshes;
pub use stats::{ExactStats, SemanticStats, Stats};
pub use terms::{Fitness, Makers, Selected, Terms};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;

use crate::dialect::Usage;
use crate::now::Now;
use crate::price::Money;

/// 256-bit key over the canonical request: equal keys, equal answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey(pub [u8; 32]);

/// Hash of everything that must be equal before two prompts may share an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope(pub [u8; 32]);

/// The identity of a request for the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyed {
    pub exact: CacheKey,
    pub scope: Scope,
    /// `Some`: only the exact level works, and why.
    pub exact_only: Option<MissDetail>,
    /// The request's output limit: a hit needs no more completion tokens than this.
    pub limit: Option<u64>,
}

/// Which level answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    Exact,
    Semantic,
}

/// What the cache decided about a request.
#[derive(Debug, Clone)]
pub enum CacheVerdict {
    Hit {
        level: Level,
        entry: Arc<Entry>,
        evidence: Option<Evidence>,
    },
    /// Looked up, nothing served. `detail` as in `Cache-Status`.
    Miss {
        detail: Option<MissDetail>,
        evidence: Option<Evidence>,
    },
    /// The caller's own directive sent it upstream.
    Request(RequestDetail),
    /// An entry was found, but it had expired.
    Stale,
    /// Neither looked up nor stored.
    Bypass(BypassReason),
}

/// Why a lookup served nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MissDetail {
    /// No stored neighbour above the floor.
    NoCandidate,
    /// The best candidate's score did not pass the line.
    BelowLine,
    /// It would have been served, but was asked upstream to learn from.
    Explored,
    Guard(Guard),
    /// The stored answer is longer than the request's output limit allows.
    Length,
    /// The prompt is longer than the embedder's window.
    Window,
    Image,
    File,
    ToolResult,
    Prefill,
    Seed,
    /// The embedder failed, was late or is off.
    Embedder,
}

/// A hard veto of the verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    Number,
    Unit,
    Date,
    Negation,
    Antonym,
    Entity,
}

/// A request's `Cache-Control` that forwarded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestDetail {
    NoCache,
    MaxAge,
}

/// Why the cache took no part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BypassReason {
    Temperature,
    N,
    Logprobs,
    Modality,
    WebSearch,
    Store,
    /// Time to live of the class is zero.
    Volatile,
    /// A rule of `cache.rules`, or the route's `cache: false`.
    Rule,
    Observe,
    Disabled,
}

/// What the semantic level saw: recorded with every lookup, served or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Id of the best candidate.
    pub entry: String,
    /// Cosine in [−1, 1].
    pub similarity: f32,
    /// Cosine ahead of the best candidate with another answer.
    pub margin: f32,
    /// Log-odds that the entry answers the question, and the line they are held against.
    pub score: f32,
    pub line: f32,
    pub guard: Option<Guard>,
    /// The features that move the score most, and by how much; only where an explanation is asked
    /// for.
    pub because: Vec<(&'static str, f32)>,
}

/// Life expectancy of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TtlClass {
    Default,
    Volatile,
    Timeless,
}

/// A stored answer and all that is known about it.
#[derive(Debug)]
pub struct Entry {
    /// UUIDv7 as text.
    pub id: String,
    pub key: CacheKey,
    pub scope: Scope,
    /// Whose mind knows it: its tenant, and the route or model that was asked for.
    pub lane: learn::Lane,
    pub tenant: Arc<str>,
    /// Name of the key that made it; `None` on an open listener.
    pub key_name: Option<Arc<str>>,
    pub prompt: String,
    /// Unit vector; `None` when the semantic level cannot use the entry.
    pub vector: Option<Arc<[f32]>>,
    /// A whole `chat.completion` object in JSON.
    pub answer: Bytes,
    /// The upstream's model name, as in the answer.
    pub usage: Usage,
    /// Name in `models:` and label `provider/id` of what made it.
    pub model: Arc<str>,
    pub target: Arc<str>,
    pub tier: Option<Arc<str>>,
    /// When the answer was produced.
    pub stored: Now,
    pub ttl_class: TtlClass,
    pub ttl: Duration,
    /// What the upstream call cost; `None` when a price is unknown.
    pub cost: Option<Money>,
    /// What the caller waited for the answer when it was made: what a hit saves.
    pub took: Duration,
    pub tags: BTreeMap<String, String>,
    pub hits: AtomicU64,
}

impl Entry {
    /// The earlier of both clocks decides, so that a jump of the wall clock cannot prolong a life.
    pub fn is_fresh(&self, now: Now) -> bool {
        self.is_usable(now, Duration::ZERO)
    }

    /// Whether the answer is fresh, or past its expiry by less than `grace`.
    pub fn is_usable(&self, now: Now, grace: Duration) -> bool {
        !self.is_from_the_future(now) && self.age(now) < self.ttl.saturating_add(grace)
    }

    /// Time left until the earlier deadline; zero when expired, or when stored in the future by
    /// more than five seconds.
    pub fn remaining(&self, now: Now) -> Duration {
        if self.is_from_the_future(now) {
            return Duration::ZERO;
        }
        self.ttl.saturating_sub(self.age(now))
    }

    /// Whole seconds until the earlier deadline, below zero when it has passed: the `ttl` of
    /// `Cache-Status`.
    pub fn ttl_seconds(&self, now: Now) -> i64 {
        let (ttl, age) = (self.ttl.as_nanos(), self.age(now).as_nanos());
        const SECOND: u128 = 1_000_000_000;
        let seconds = |nanos: u128| i64::try_from(nanos).unwrap_or(i64::MAX);
        match ttl.checked_sub(age) {
            Some(left) => seconds(left / SECOND),
            None => -seconds((age - ttl).div_ceil(SECOND)),
        }
    }

    /// Whole seconds since the answer was produced: the `Age` header. By the clock that says more,
    /// as for expiry: after a restart only the wall clock remembers.
    pub fn age_seconds(&self, now: Now) -> u64 {
        self.age(now).as_secs()
    }

    /// Stored in the future by more than five seconds: the wall clock has jumped back, and nothing
    /// it says of this entry can be believed.
    fn is_from_the_future(&self, now: Now) -> bool {
        now.wall.duration_since(self.stored.wall) < jiff::SignedDuration::from_secs(-5)
    }
}

/// A request's `Cache-Control` directives (RFC 9111, section 5.2.1), for both levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Directives {
    /// Ask upstream; the answer may be stored.
    pub no_cache: bool,
    /// May hit, is never stored.
    pub no_store: bool,
    /// Without an entry: 504, nothing forwarded.
    pub only_if_cached: bool,
    /// Oldest acceptable age.
    pub max_age: Option<Duration>,
}
