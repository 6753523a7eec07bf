//! An entry as a record of the file, and back. Pure.
//!
//! A record carries a checksum over everything that decides what is served: key, scope, id, who
//! made it and for whom, prompt and answer. One that does not prove to be what was written is never
//! an entry again. Only the count of hits stands beside it: it changes, and decides about eviction
//! alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cache::learn::Lane;
use crate::cache::{CacheKey, Entry, Scope, TtlClass};
use crate::dialect::Usage;
use crate::embed::Vector;
use crate::index;
use crate::now::Now;
use crate::price::Money;

/// A moment by which the wall clock may disagree before an entry counts as made in the future.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// An entry as its rows hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub key: Vec<u8>,
    pub scope: Vec<u8>,
    pub id: Vec<u8>,
    /// [`Head`] as JSON.
    pub head: Vec<u8>,
    pub prompt: Vec<u8>,
    pub answer: Bytes,
    pub sum: Vec<u8>,
}

/// A vector as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VectorRecord {
    /// Identity of the embedder that made it.
    pub embedder: Vec<u8>,
    /// Components, 32-bit floats, little-endian.
    pub bytes: Vec<u8>,
    pub sum: Vec<u8>,
}

/// Why a record is not an entry (any more).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rejected {
    /// It is not what was written.
    Checksum,
    /// It is what was written, but this version cannot read it.
    Malformed,
    /// Its time is over, the time in which it may be served late included, or it claims to come from the future.
    Expired,
}

/// Everything about an entry that is neither its key nor its text.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    tenant: Arc<str>,
    key_name: Option<Arc<str>>,
    model: Arc<str>,
    target: Arc<str>,
    tier: Option<Arc<str>>,
    /// Nanoseconds since 1970.
    stored: i64,
    class: String,
    ttl_ns: u64,
    /// Pico-dollars.
    cost: Option<i64>,
    /// Nanoseconds.
    took: u64,
    tags: BTreeMap<String, String>,
    /// The route or model that was asked for: whose mind knows the entry.
    route: Arc<str>,
    /// Prompt, completion, cached and reasoning tokens.
    tokens: [u64; 4],
    estimated: bool,
}

/// Both clocks now, and the latest moment that the file has seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub now: Now,
    /// Between two runs the wall clock may have been set back; then it is not to be believed.
    pub seen: Option<Timestamp>,
    /// How long expired entries are kept: they may still be served late.
    pub grace: Duration,
}

impl Clock {
    /// When something stored at `wall` was stored, on the clocks of this run. `None` if it was in
    /// the future, or longer ago than this machine's clock can say.
    fn place(self, wall: Timestamp) -> Option<Now> {
        let latest = self.seen.map_or(self.now.wall, |seen| seen.max(self.now.wall));
        let age = latest.duration_since(wall);
        if age < -TOLERANCE {
            return None;
        }
        let age = Duration::try_from(age).unwrap_or(Duration::ZERO);
        Some(Now { wall, mono: self.now.mono.checked_sub(age)? })
    }
}

impl Record {
    /// The record of an entry; `None` for one that no file can hold (made before 1678 or after
    /// 2261).
    pub fn of(entry: &Entry) -> Option<Self> {
        let usage = &entry.usage;
        let head = Head {
            tenant: entry.tenant.clone(),
            key_name: entry.key_name.clone(),
            model: entry.model.clone(),
            target: entry.target.clone(),
            tier: entry.tier.clone(),
            stored: i64::try_from(entry.stored.wall.as_nanosecond()).ok()?,
            class: entry.ttl_class.name().to_owned(),
            ttl_ns: u64::try_from(entry.ttl.as_nanos()).unwrap_or(u64::MAX),
            cost: entry.cost.and_then(|cost| i64::try_from(cost.pico()).ok()),
            took: u64::try_from(entry.took.as_nanos()).unwrap_or(u64::MAX),
            tags: entry.tags.clone(),
            route: entry.lane.route.clone(),
            tokens: [
                usage.prompt_tokens,
                usage.completion_tokens,
                usage.cached_tokens,
                usage.reasoning_tokens,
            ],
            estimated: usage.estimated,
        };
        let mut record = Self {
            key: entry.key.0.to_vec(),
            scope: entry.scope.0.to_vec(),
            id: entry.id.clone().into_bytes(),
            head: serde_json::to_vec(&head).ok()?,
            prompt: entry.prompt.clone().into_bytes(),
            answer: entry.answer.clone(),
            sum: Vec::new(),
        };
        record.sum = record.checksum();
        Some(record)
    }

    /// The entry of the record, without a vector.
    ///
    /// # Errors
    /// Why it is to be dropped.
    pub fn entry(self, hits: u64, clock: Clock) -> Result<Entry, Rejected> {
        if self.sum != self.checksum() {
            return Err(Rejected::Checksum);
        }
        self.unproven(hits, clock)
    }

    /// The entry of the record, whatever its checksum says: good enough to ask whether a purge
    /// means it, never to be served.
    pub fn unproven(self, hits: u64, clock: Clock) -> Result<Entry, Rejected> {
        let text = |bytes| String::from_utf8(bytes).map_err(|_| Rejected::Malformed);
        let hash = |bytes: Vec<u8>| <[u8; 32]>::try_from(bytes).map_err(|_| Rejected::Malformed);
        let head: Head = serde_json::from_slice(&self.head).map_err(|_| Rejected::Malformed)?;
        let wall = Timestamp::from_nanosecond(head.stored.into());
        let stored = clock.place(wall.map_err(|_| Rejected::Malformed)?);
        let [prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens] = head.tokens;
        let entry = Entry {
            id: text(self.id)?,
            key: CacheKey(hash(self.key)?),
            scope: Scope(hash(self.scope)?),
            lane: Lane { tenant: head.tenant.clone(), route: head.route },
            tenant: head.tenant,
            key_name: head.key_name,
            prompt: text(self.prompt)?,
            vector: None,
            answer: self.answer,
            usage: Usage {
                prompt_tokens,
                completion_tokens,
                cached_tokens,
                reasoning_tokens,
                estimated: head.estimated,
            },
            model: head.model,
            target: head.target,
            tier: head.tier,
            stored: stored.ok_or(Rejected::Expired)?,
            ttl_class: class(&head.class).ok_or(Rejected::Malformed)?,
            ttl: Duration::from_nanos(head.ttl_ns),
            cost: head.cost.map(|pico| Money::from_pico(pico.into())),
            took: Duration::from_nanos(head.took),
            tags: head.tags,
            hits: hits.into(),
        };
        if entry.is_usable(clock.now, clock.grace) { Ok(entry) } else { Err(Rejected::Expired) }
    }

    fn checksum(&self) -> Vec<u8> {
        sum(
            "semgate cache entry, first version",
            &[&self.key, &self.scope, &self.id, &self.head, &self.prompt, &self.answer],
        )
    }
}

impl VectorRecord {
    /// The record of an entry's vector, if it has one.
    pub fn of(entry: &Entry, embedder: &str) -> Option<Self> {
        let vector = entry.vector.as_ref()?;
        let bytes = vector.iter().flat_map(|component| component.to_le_bytes()).collect();
        let mut record = Self { embedder: embedder.as_bytes().to_vec(), bytes, sum: Vec::new() };
        record.sum = record.checksum(&entry.key.0, entry.id.as_bytes());
        Some(record)
    }

    /// The vector, if it belongs to that entry, was made by that embedder, and is one that the
    /// index would take.
    pub fn vector(&self, entry: &Entry, embedder: &str) -> Option<Vector> {
        let is_ours = self.embedder == embedder.as_bytes()
            && self.sum == self.checksum(&entry.key.0, entry.id.as_bytes());
        let (components, rest) = self.bytes.as_chunks::<4>();
        if !is_ours || !rest.is_empty() {
            return None;
        }
        let vector: Vector = components.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        index::check(&vector).is_ok().then_some(vector)
    }

    /// The id counts: an old vector must not pass for that of a newer entry of the same key.
    fn checksum(&self, key: &[u8], id: &[u8]) -> Vec<u8> {
        sum("semgate cache vector, first version", &[key, id, &self.embedder, &self.bytes])
    }
}

/// Checksum of a learnt state.
pub(super) fn state_sum(name: &str, bytes: &[u8]) -> Vec<u8> {
    sum("semgate learnt state, first version", &[name.as_bytes(), bytes])
}

/// BLAKE3 over what is said, of which kind, and where each part ends.
fn sum(kind: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.as_bytes());
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().as_bytes().to_vec()
}

fn class(name: &str) -> Option<TtlClass> {
    [TtlClass::Default, TtlClass::Volatile, TtlClass::Timeless]
        .into_iter()
        .find(|class| class.name() == name)
}
