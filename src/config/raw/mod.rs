//! The configuration as it is written: every key optional, nothing checked but types.
//!
//! The comments are what `semgate check --schema` tells an operator. Defaults are not here but in
//! `validate`, where a missing key becomes its value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::{At, OrOff};
use super::scalar::{Secret, Share, Size, Span};

/// A key that may be left out.
type Key<T> = Option<At<T>>;

macro_rules! block {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[serde(skip_serializing_if = "Skip::skip")]
                pub $field: $type,
            )*
        }
    };
}

/// What printing leaves out: absent keys and empty lists and blocks that say nothing.
trait Skip {
    fn skip(&self) -> bool;
}

impl<T> Skip for Option<T> {
    fn skip(&self) -> bool {
        self.is_none()
    }
}

macro_rules! always_printed {
    ($($type:ty)*) => {$(
        impl Skip for $type {
            fn skip(&self) -> bool {
                false
            }
        }
    )*};
}

always_printed! { RawServer RawCache RawExact RawSemantic RawTtl RawPersistence RawRouting RawResilience RawTelemetry RawLog }

mod strategy;
mod upstream;

pub use strategy::*;
pub use upstream::*;

block! {
    /// semgate configuration. `${ENV}` and `${ENV:-default}` are replaced in values.
    RawConfig {
        /// The two listeners and their limits.
        server: RawServer,
        /// The embedding model; `off` leaves the exact cache and the rules.
        embedder: Option<OrOff<RawEmbedder>>,
        /// Answers that may be given again.
        cache: RawCache,
        /// Which model answers a request that names a route.
        routing: RawRouting,
        /// Endpoints that speak a dialect, with credentials.
        providers: Option<Vec<At<RawProvider>>>,
        /// Models by a name of your own.
        models: Option<Vec<At<RawModel>>>,
        /// Attempts and retries.
        resilience: RawResilience,
        /// Callers. Without keys the data plane is open, on loopback only.
        keys: Option<Vec<At<RawKey>>>,
        /// Logs and records.
        telemetry: RawTelemetry,
    }
}

block! {
    RawServer {
        /// Address of the data plane, where applications call. Beyond loopback `keys` are needed.
        listen: Key<String>,
        /// Address of the admin plane: metrics, decisions, cache.
        admin_listen: Key<String>,
        /// Bearer token of the admin plane, at least 32 characters. Absent: one is made and kept in
        /// the state folder.
        admin_token: Key<Secret>,
        /// Further `Host` names that a plane without keys accepts beside loopback ones.
        allowed_hosts: Option<Vec<At<String>>>,
        /// A larger request body is refused with 413.
        body_limit: Key<Size>,
        /// More requests at one time are refused with 503.
        max_in_flight: Key<u32>,
        /// How long requests may go on after a signal to stop.
        shutdown_grace: Key<Span>,
    }
}

block! {
    RawEmbedder {
        /// The embedding model.
        model: Key<String>,
        /// Threads that embed.
        threads: Key<u32>,
        /// Longer texts have no semantic level; 8 to 256.
        max_tokens: Key<u32>,
        /// Texts that may wait; beyond it a request goes without its embedding.
        queue: Key<u32>,
        /// A request waits no longer than this for its embedding.
        timeout: Key<Span>,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawMode {
    /// Decide and act.
    Enforce,
    /// Decide and record, change nothing.
    Observe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawScope {
    /// The keys of a tenant share answers.
    Tenant,
    /// Each key has its own answers.
    Key,
}

block! {
    RawCache {
        /// `false`: nothing is looked up or stored.
        enabled: Key<bool>,
        /// Reserved for a model that compares answers where nothing cheaper can tell. None is asked
        /// yet: anything but `null` is refused.
        judge: Key<String>,
        /// Wrong semantic hits among lookups, per tenant and route: the budget by which answers are
        /// served from memory. `0%` serves near-literal repeats only.
        max_wrong_hits: Key<Share>,
        /// Right answers among semantic hits; `off` bounds wrong hits among lookups only.
        min_precision: Key<OrOff<Share>>,
        /// Share of would-be semantic hits that are asked upstream all the same, to measure how often
        /// the stored answer is right; `0%` asks none.
        exploration: Key<Share>,
        /// `observe` looks up and records, and serves nothing.
        mode: Key<RawMode>,
        /// Who shares answers.
        scope: Key<RawScope>,
        /// Request fields that must be equal for an answer to be shared: `user`, `metadata.session`.
        scope_fields: Option<Vec<At<String>>>,
        /// Unknown request fields that do not matter for the answer: `trace_id`.
        ignored_fields: Option<Vec<At<String>>>,
        /// Requests above this temperature are neither looked up nor stored; 0 to 2.
        max_temperature: Key<f64>,
        /// A larger answer is not stored.
        max_entry: Key<Size>,
        /// Whether answers that call tools are stored.
        tool_calls: Key<bool>,
        /// Whether hits carry `x-semgate-cache` with entry and similarity.
        expose_evidence: Key<bool>,
        /// How long callers may say what an answer was worth; `0s` takes no feedback.
        feedback_window: Key<Span>,
        /// Share of semantic hits that are asked upstream as well, after being served.
        shadow: Key<Share>,
        /// The exact level.
        exact: RawExact,
        /// The semantic level.
        semantic: RawSemantic,
        /// How long answers live; `0s` is neither looked up nor stored.
        ttl: RawTtl,
        /// Answers on disk.
        persistence: RawPersistence,
        /// An answer that expired no longer ago is served at once, and asked again beside the line.
        stale_while_revalidate: Key<Span>,
        /// An answer that expired no longer ago is served where every provider failed.
        stale_if_error: Key<Span>,
        /// Whether answers in demand are asked again shortly before they expire.
        refresh_ahead: Key<bool>,
        /// First match wins.
        rules: Option<Vec<At<RawCacheRule>>>,
    }
}

block! {
    RawExact {
        /// Whether equal requests share answers.
        enabled: Key<bool>,
        /// Memory of the level; beyond it the least used answers go.
        max_bytes: Key<Size>,
    }
}

block! {
    RawSemantic {
        /// Whether requests of equal meaning share answers.
        enabled: Key<bool>,
        /// Answers of the level; beyond it the least used go.
        max_entries: Key<u32>,
        /// Memory of the level; beyond it the least used answers go.
        max_bytes: Key<Size>,
        /// Neighbours that are looked at.
        candidates: Key<u32>,
        /// Cosine below which a stored prompt is no candidate; -1 to 1.
        min_similarity: Key<f64>,
    }
}

block! {
    RawTtl {
        /// Of answers that no other class claims.
        default: Key<Span>,
        /// Of answers about the present: weather, prices, news.
        volatile: Key<Span>,
        /// Of answers that do not age.
        timeless: Key<Span>,
    }
}

block! {
    RawPersistence {
        /// `true`: answers outlive the process, in `cache.db` of the cache folder.
        enabled: Key<bool>,
    }
}

block! {
    RawCacheRule {
        /// A CEL expression over the request.
        when: Key<String>,
        /// What the cache does then.
        then: Key<RawCacheEffect>,
    }
}

block! {
    RawCacheEffect {
        /// `true`: neither looked up nor stored.
        bypass: Key<bool>,
        /// Time to live of the answer.
        ttl: Key<Span>,
    }
}

block! {
    RawResilience {
        /// Upstream attempts of one request at most; 1 to 10.
        attempts: Key<u32>,
        /// Retries as a share of requests.
        retry_budget: Key<Share>,
    }
}

block! {
    RawTelemetry {
        /// The log on stderr.
        log: RawLog,
        /// Keep prompts and answers in records.
        content: Key<bool>,
        /// Decision records kept in memory.
        ring: Key<u32>,
        /// A file of decision records, one JSON object a line.
        record: Option<OrOff<At<RawRecord>>>,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawLogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

block! {
    RawLog {
        /// `text` for people, `json` for machines.
        format: Key<RawLogFormat>,
        /// The least severe level that is written.
        level: Key<RawLevel>,
    }
}

block! {
    RawRecord {
        /// Where the file stands.
        path: Key<String>,
        /// At this size it is rotated.
        max_bytes: Key<Size>,
        /// Rotated files that are kept.
        keep: Key<u32>,
    }
}
