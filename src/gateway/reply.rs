//! reply: an answer, a hit or an error as the response the caller asked for, with the headers that
//! say what was done. What the headers say is read from the record, so that both tell one story.

use axum::body::Body;
use axum::http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use bytes::Bytes;
use uuid::Uuid;

use crate::cache::Evidence;
use crate::dialect::openai::render;
use crate::error::GatewayError;
use crate::http::error;
use crate::price::Money;
use crate::record::{Bill, OpenRecord};

use super::Asked;
use super::recall::Hit;
use super::settle::baseline;
use super::stream::Pump;

/// A finished response head with its body, which may still be streaming.
#[derive(Debug)]
pub struct Reply(pub Response<Body>);

/// An answer before it has a head.
#[derive(Debug)]
pub enum Answered {
    /// From the cache, in the form the caller asked for.
    Hit {
        body: Bytes,
        stream: bool,
        age: u64,
        evidence: Option<Evidence>,
    },
    Whole {
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Bytes,
    },
    Stream {
        headers: Vec<(HeaderName, HeaderValue)>,
        pump: Box<Pump>,
    },
}

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Answered {
    /// A stored answer under a fresh id, as JSON or as a stream, whatever form it was stored in.
    pub(super) fn hit(asked: &Asked, hit: Hit<'_>, record: &mut OpenRecord) -> Self {
        let entry = hit.entry;
        entry.hits.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        record.answered_by(entry.tier.as_deref(), &entry.target, false);
        record.usage(entry.usage);
        let price = baseline(asked).and_then(|model| model.price);
        let bill = Bill {
            cost: Some(Money::ZERO),
            baseline: price.map(|price| price.cost(&entry.usage)),
            own: Some(Money::ZERO),
        };
        record.bill(&bill);
        record.response(&entry.answer);
        record.outcome("ok");
        let id = render::fresh_id(Uuid::now_v7());
        let created = u64::try_from(asked.now.wall.as_second()).unwrap_or(0);
        let stream = asked.request.stream;
        let body = if stream {
            let events = render::stream(&entry.answer, &id, created, asked.request.include_usage);
            [&events, &closing_comment(record), render::DONE].concat().into()
        } else {
            render::whole(&entry.answer, &id, created)
        };
        let exposed = asked.settings.cache.expose_evidence;
        let evidence = exposed.then(|| hit.evidence.cloned()).flatten();
        Self::Hit { body, stream, age: entry.age_seconds(asked.now), evidence }
    }

    /// Writes the head. A stream takes the record with it; all else closes it here.
    pub fn into_reply(self, record: OpenRecord) -> Reply {
        match self {
            Self::Hit { body, stream, age, evidence } => {
                let mut headers = head(&record, !stream);
                headers.insert(CONTENT_TYPE, if stream { EVENT_STREAM } else { JSON });
                headers.insert(AGE, age.into());
                if let Some(evidence) = evidence {
                    insert(&mut headers, "x-semgate-cache", &exposed(&evidence));
                }
                if stream {
                    unbuffered(&mut headers);
                }
                respond(headers, Body::from(body))
            }
            Self::Whole { headers: upstream, body } => {
                let mut headers = head(&record, true);
                headers.extend(upstream);
                respond(headers, Body::from(body))
            }
            Self::Stream { headers: upstream, pump } => {
                let mut headers = head(&record, false);
                headers.extend(upstream);
                unbuffered(&mut headers);
                respond(headers, pump.into_body(record))
            }
        }
    }
}

impl Reply {
    /// The response of a request that failed, with whatever is known by then in its head.
    pub fn failed(error: &GatewayError, mut record: OpenRecord) -> Self {
        record.fail(error);
        if let GatewayError::Internal { log } = error {
            tracing::error!(request = record.id(), error = %log, "a request failed inside");
        }
        let mut response = error::response(error);
        response.headers_mut().extend(head(&record, false));
        Self(response)
    }
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
