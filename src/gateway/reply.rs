//! reply: an answer, a hit or an error as the response the caller asked for, with the headers that
//! say what was done. What the headers say is read from the record, so that both tell one story.

use axum::body::Body;
use axum::http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use bytes::Bytes;
use uuid::Uuid;

use crate::cache::feedback::Served;
use crate::cache::{CacheVerdict, Evidence, Keyed};
use crate::dialect::Usage;
use crate::dialect::openai::render;
use crate::error::GatewayError;
use crate::http::error;
use crate::now::Now;
use crate::record::OpenRecord;

use super::Asked;
use super::errand::{Landed, News};
use super::flight::{Heard, Passenger};
use super::listen::Telling;
use super::recall::Hit;
use super::settle::baseline;

/// A finished response head with its body, which may still be streaming.
#[derive(Debug)]
pub struct Reply(pub Response<Body>);

/// An answer before it has a response.
#[derive(Debug)]
pub enum Answered {
    /// One that was not made for this request, in the form the caller asked for.
    Retold {
        body: Bytes,
        stream: bool,
        /// Seconds since a stored answer was produced; `None` for one that has just come.
        age: Option<u64>,
        evidence: Option<Evidence>,
    },
    Whole {
        head: HeaderMap,
        body: Bytes,
    },
    Stream {
        head: HeaderMap,
        telling: Box<Telling>,
    },
    /// The errand was in vain, and has closed the record.
    Failed {
        head: HeaderMap,
        error: GatewayError,
    },
}

/// What an answer is given that was made for another request.
#[derive(Debug)]
pub struct FreshId {
    pub id: String,
    /// Unix seconds.
    pub created: u64,
}

impl FreshId {
    pub fn new(now: Now) -> Self {
        let created = u64::try_from(now.wall.as_second()).unwrap_or(0);
        Self { id: render::fresh_id(Uuid::now_v7()), created }
    }
}

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Answered {
    /// A stored answer under a fresh id, as JSON or as a stream, whatever form it was stored in.
    pub(super) fn hit(asked: &Asked, hit: Hit<'_>, record: &mut OpenRecord) -> Self {
        let entry = hit.entry;
        entry.hits.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        record.answered_by(entry.tier.as_deref(), &entry.target, false);
        record.served(
            Served::of(entry, hit.level, &hit.query, hit.evidence, hit.lookup.clone()),
            entry.took,
        );
        let (body, stream) = retell(asked, &entry.answer, entry.usage, record);
        let exposed = asked.settings.cache.expose_evidence;
        let evidence = exposed.then(|| hit.evidence.cloned()).flatten();
        Self::Retold { body, stream, age: Some(entry.age_seconds(asked.now)), evidence }
    }

    /// Where an equal request has shown that nobody answers: what memory has to offer, if the error
    /// is an outage and there is anything.
    pub(super) fn instead(
        error: GatewayError,
        asked: &Asked,
        reserve: Option<&CacheVerdict>,
        record: &mut OpenRecord,
    ) -> Result<Self, GatewayError> {
        let reserve = reserve.filter(|_| error.is_outage());
        let told = reserve.and_then(|reserve| from_reserve(asked, reserve, record));
        told.map(|(head, body)| Self::Whole { head, body }).ok_or(error)
    }

    /// The answer to an equal request, or one that differs in form only, that has just come.
    pub(super) fn landed(
        asked: &Asked,
        keyed: Option<Keyed>,
        landed: &Landed,
        record: &mut OpenRecord,
    ) -> Self {
        record.answered_by(landed.origin.tier.as_deref(), &landed.origin.target, false);
        record.shares(landed.origin.shared_by(keyed));
        let answer = landed.body.as_ref().expect("invariant: what is shared is complete");
        let (body, stream) = retell(asked, answer, landed.usage, record);
        Self::Retold { body, stream, age: None, evidence: None }
    }

    /// What the errand tells its own caller first.
    pub(super) async fn led(mut leader: Passenger, asked_usage: bool) -> Self {
        match leader.next().await {
            Heard::Item(News::Whole(landed)) => {
                let body = landed.body.clone().unwrap_or_default();
                Self::Whole { head: landed.origin.head.clone(), body }
            }
            Heard::Item(News::Live(origin)) => {
                let telling = Box::new(Telling::new(leader, asked_usage, None));
                Self::Stream { head: origin.head.clone(), telling }
            }
            Heard::Item(News::Failed(failed)) => {
                let head = failed.head.clone();
                match failed.instead.clone() {
                    Some(body) => Self::Whole { head, body },
                    None => Self::Failed { head, error: failed.error.clone() },
                }
            }
            _ => {
                let error = GatewayError::Internal { log: "an errand broke down".into() };
                Self::Failed { head: HeaderMap::new(), error }
            }
        }
    }

    /// Puts head and body together. The record closes here, unless an errand or a stream has it.
    pub fn into_reply(self, record: OpenRecord) -> Reply {
        match self {
            Self::Retold { body, stream, age, evidence } => {
                respond(retold_head(&record, stream, age, evidence.as_ref()), Body::from(body))
            }
            Self::Whole { head, body } => respond(head, Body::from(body)),
            Self::Stream { head, telling } => respond(head, telling.into_body()),
            Self::Failed { head, error } => failure(&error, head),
        }
    }
}

/// Another request's answer, told to this one's caller: it costs nothing. Says whether as a stream.
fn retell(asked: &Asked, answer: &Bytes, usage: Usage, record: &mut OpenRecord) -> (Bytes, bool) {
    record.shared(usage, baseline(asked).and_then(|model| model.price));
    record.response(answer);
    record.outcome("ok");
    let FreshId { id, created } = FreshId::new(asked.now);
    if !asked.request.stream {
        return (render::whole(answer, &id, created), false);
    }
    let events = render::stream(answer, &id, created, asked.request.include_usage);
    ([&events, &closing_comment(record), render::DONE].concat().into(), true)
}

/// What memory has to offer after an outage, with its head; `None` if it is nothing.
pub(super) fn from_reserve(
    asked: &Asked,
    reserve: &CacheVerdict,
    record: &mut OpenRecord,
) -> Option<(HeaderMap, Bytes)> {
    let CacheVerdict::Hit { level, entry, evidence } = reserve else { return None };
    record.served_on_error(reserve, asked.life.class, asked.now);
    let query = entry.key;
    let hit = Hit { level: *level, entry, evidence: evidence.as_ref(), query, lookup: None };
    match Answered::hit(asked, hit, record) {
        Answered::Retold { body, stream, age, evidence } => {
            Some((retold_head(record, stream, age, evidence.as_ref()), body))
        }
        _ => None,
    }
}

/// The head of an answer from memory, or of one that another request got.
fn retold_head(
    record: &OpenRecord,
    stream: bool,
    age: Option<u64>,
    evidence: Option<&Evidence>,
) -> HeaderMap {
    let mut headers = if stream { stream_head(record) } else { head(record, true) };
    if !stream {
        headers.insert(CONTENT_TYPE, JSON);
    }
    if let Some(age) = age {
        headers.insert(AGE, age.into());
    }
    if let Some(evidence) = evidence {
        insert(&mut headers, "x-semgate-cache", &exposed(evidence));
    }
    headers
}

impl Reply {
    /// The response of a request that failed, with whatever is known by then in its head.
    pub fn failed(error: &GatewayError, mut record: OpenRecord) -> Self {
        record.fail(error);
        failure(error, error_head(error, &record))
    }
}

/// The head of a failure, before its record closes.
pub fn error_head(error: &GatewayError, record: &OpenRecord) -> HeaderMap {
    if let GatewayError::Internal { log } = error {
        tracing::error!(request = record.id(), error = %log, "a request failed inside");
    }
    head(record, false)
}

/// The head of an upstream's answer. `money` as in [`head`].
pub fn answered_head(
    record: &OpenRecord,
    stream: bool,
    upstream: Vec<(HeaderName, HeaderValue)>,
) -> HeaderMap {
    let mut headers = head(record, !stream);
    headers.extend(upstream);
    if stream {
        unbuffered(&mut headers);
    }
    headers
}

/// The head of a stream that we write ourselves.
pub fn stream_head(record: &OpenRecord) -> HeaderMap {
    let mut headers = head(record, false);
    headers.insert(CONTENT_TYPE, EVENT_STREAM);
    unbuffered(&mut headers);
    headers
}

fn failure(error: &GatewayError, head: HeaderMap) -> Reply {
    let mut response = error::response(error);
    response.headers_mut().extend(head);
    Reply(response)
}

/// The comment before `[DONE]` that says what a stream cost, since its head left before.
pub fn closing_comment(record: &OpenRecord) -> Bytes {
    let record = record.get();
    let mut comment = String::from(": semgate");
    if let (Some(cost), Some(saved)) = (record.cost_usd, record.saved_usd) {
        comment.push_str(&format!(" cost-usd={cost} saved-usd={saved}"));
    }
    if record.cache.stored {
        comment.push_str(" stored");
    }
    comment.push_str("\n\n");
    comment.into()
}

/// The headers that every reply carries as far as they are known. `money` is false where the cost
/// is not known when the head leaves.
fn head(record: &OpenRecord, money: bool) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    insert(&mut headers, "x-request-id", record.id());
    if let Some(status) = record.status_line() {
        insert(&mut headers, "cache-status", &status);
    }
    let note = record.get();
    if let Some((tier, target)) = record.answered() {
        insert(&mut headers, "x-semgate-target", target);
        if let Some(tier) = tier {
            insert(&mut headers, "x-semgate-tier", tier);
        }
    }
    headers.insert("x-semgate-attempts", (record.attempts.len() as u64).into());
    if money && let (Some(cost), Some(saved)) = (note.cost_usd, note.saved_usd) {
        insert(&mut headers, "x-semgate-cost-usd", &cost.to_string());
        insert(&mut headers, "x-semgate-saved-usd", &saved.to_string());
    }
    let timing = server_timing(record);
    if !timing.is_empty() {
        insert(&mut headers, "server-timing", &timing);
    }
    headers
}

/// Steps in the order of the line, in milliseconds; only those that ran.
fn server_timing(record: &OpenRecord) -> String {
    let timings = &record.get().timings_ms;
    let steps = ["embed", "search", "verify", "decide", "upstream"];
    let ran = steps.iter().filter_map(|step| {
        let ms = timings.get(step)?;
        let digits = if *ms < 1.0 { 3 } else { 1 };
        Some(format!("{step};dur={ms:.digits$}"))
    });
    ran.collect::<Vec<_>>().join(", ")
}

fn exposed(evidence: &Evidence) -> String {
    format!("entry=\"{}\", similarity={:.3}", evidence.entry, evidence.similarity)
}

/// Streams must not wait in anybody's buffer.
fn unbuffered(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
}

/// A value that cannot stand in a header (a target's id may be any text) is left out.
fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn respond(headers: HeaderMap, body: Body) -> Reply {
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    Reply(response)
}
