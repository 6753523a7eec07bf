//! One attempt at one target: send, wait for the head, and read what is needed to know whether it
//! is an answer. Reports to the attempt's log entry and to the target's health on every way out.

use std::time::Duration;

use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::{Bytes, BytesMut};
use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout_at};

use super::attempts::Entry;
use super::health::{Permit, Took};
use super::outcome::{Failure, classify, leaks, scrub};
use super::stream::{AnswerStream, Limits};
use super::transport::{Reply, Transport, TransportFault};
use super::{Answer, AnswerBody, Order, retry_after};
use crate::dialect::openai::answer::Completion;
use crate::dialect::openai::request::Edits;
use crate::now::Now;
use crate::route::Planned;

/// Largest whole answer.
const WHOLE_BYTES: usize = 64 * 1024 * 1024;
/// Largest error body that passes; a larger one is replaced by an envelope of ours.
const ERROR_BYTES: usize = 1024 * 1024;
/// How long an error body may take after its head.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(5);
/// Request headers that may pass from the caller to the upstream.
const OUT: [&str; 4] = ["traceparent", "tracestate", "openai-beta", "anthropic-beta"];
/// Response headers that may pass from the upstream to the caller.
const BACK: [&str; 3] = ["content-type", "openai-processing-ms", "openai-version"];

/// Makes one attempt. The permit is told what came of it; so is the log.
pub(super) async fn attempt(
    transport: &Transport,
    order: &Order,
    target: &Planned,
    permit: Permit,
) -> Result<Answer, Failure> {
    let model = &target.model;
    let prompt_tokens = order.request.facts.prompt_tokens;
    let prompt_cost = model.price.map(|price| price.of_tokens(prompt_tokens, 0));
    let mut entry = order.log.open(model.label(), prompt_cost);
    let sent = Instant::now();
    let limit = head_limit(order, target, sent);
    let mut reply = match head(transport, order, target, &permit, limit).await {
        Ok(reply) => reply,
        Err(failure) => return Err(conclude(entry, permit, failure)),
    };
    entry.head(reply.status);
    if !(200..300).contains(&reply.status) {
        let failure = refusal(order, target, &mut reply).await;
        return Err(conclude(entry, permit, failure));
    }
    let status = reply.status;
    if is_encoded(&reply) {
        return Err(conclude(entry, permit, Failure::Malformed));
    }
    let headers = back_headers(&reply.headers, target);
    let index = entry.index();
    let body = if order.request.stream {
        let limits = limits(order, target);
        let provider = model.provider.clone();
        let mut stream = AnswerStream::new(reply, limits, provider, sent, entry, permit);
        if let Err(failure) = stream.hold(limit).await {
            let (entry, permit) = stream.into_parts();
            return Err(conclude(entry, permit, failure));
        }
        AnswerBody::Stream(Box::new(stream))
    } else {
        match whole(order, target, &mut reply).await {
            Ok((bytes, completion)) => {
                let mut permit = permit;
                entry.answered();
                permit.answered(Took::Answer(sent.elapsed()), Now::read().mono);
                AnswerBody::Whole { bytes, completion }
            }
            Err(failure) => return Err(conclude(entry, permit, failure)),
        }
    };
    Ok(Answer { planned: target.clone(), status, headers, body, attempt: index })
}

/// Streams must show content within `first_content`, counted from sending; a JSON answer's head
/// comes when it is finished, so only the caller's deadline limits it.
fn head_limit(order: &Order, target: &Planned, sent: Instant) -> Instant {
    if order.request.stream {
        order.deadline.min(sent + target.model.timeouts.first_content)
    } else {
        order.deadline
    }
}

fn limits(order: &Order, target: &Planned) -> Limits {
    Limits {
        idle: target.model.timeouts.idle,
        deadline: order.deadline,
        total: order.total,
        deadline_is_ours: deadline_is_ours(order, target),
    }
}

/// A caller may shorten its own time; then running out of it is not the target's fault, else
/// anybody could open everybody's circuit with tiny limits.
fn deadline_is_ours(order: &Order, target: &Planned) -> bool {
    order.total >= target.model.timeouts.total
}

async fn head(
    transport: &Transport,
    order: &Order,
    target: &Planned,
    permit: &Permit,
    limit: Instant,
) -> Result<Reply, Failure> {
    let model = &target.model;
    let url = format!("{}/chat/completions", model.provider.base_url);
    let headers = out_headers(order, target, permit)?;
    let body = order.request.outgoing(&Edits {
        model: &model.id,
        include_usage: order.request.stream && model.provider.stream_usage,
        max_completion_tokens: target.set_max_output,
    });
    match timeout_at(limit, transport.post(&url, headers, body, model.timeouts.connect)).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(TransportFault::Connect(cause))) => {
            tracing::warn!(upstream = model.label(), cause, "no connection");
            Err(Failure::Connect)
        }
        Ok(Err(TransportFault::Broken(cause))) => {
            tracing::warn!(upstream = model.label(), cause, "connection broke before the head");
            Err(Failure::Reset)
        }
        Err(_) if limit >= order.deadline => {
            Err(Failure::Deadline { ours: deadline_is_ours(order, target) })
        }
        Err(_) => Err(Failure::FirstContent),
    }
}

/// The headers that go out: built from a list, nothing of the caller's but what [`OUT`] names.
fn out_headers(order: &Order, target: &Planned, permit: &Permit) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in &order.forward {
        if OUT.contains(&name.as_str()) {
            headers.append(name.clone(), value.clone());
        }
    }
    let accept = if order.request.stream { "text/event-stream" } else { "application/json" };
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    if let Some(key) = target.model.provider.api_keys.get(permit.credential()) {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()))
            .map_err(|_| Failure::Credential { status: 401 })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

fn back_headers(headers: &HeaderMap, target: &Planned) -> Vec<(HeaderName, HeaderValue)> {
    let secrets = &target.model.provider.api_keys;
    headers
        .iter()
        .filter(|(name, value)| BACK.contains(&name.as_str()) && !leaks(value.as_bytes(), secrets))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// We ask for `identity`; an upstream that compresses nevertheless cannot be read.
fn is_encoded(reply: &Reply) -> bool {
    reply.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity")
}

/// What a status outside 2xx means, with as much of the body as there is in reasonable time.
async fn refusal(order: &Order, target: &Planned, reply: &mut Reply) -> Failure {
    let wait = retry_after::wait(|name| reply.header(name), Now::read().wall);
    let limit = order.deadline.min(Instant::now() + ERROR_BODY_WAIT);
    let body = match timeout_at(limit, read(reply, ERROR_BYTES)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) | Err(_) => Bytes::new(),
    };
    let failure = classify(reply.status, wait, scrub(body, &target.model.provider.api_keys));
    match &failure {
        Failure::Credential { status } => tracing::error!(
            upstream = target.model.label(),
            status,
            "the provider refused our credential"
        ),
        Failure::Refused { .. } => {}
        _ => tracing::warn!(
            upstream = target.model.label(),
            status = reply.status,
            "upstream failed"
        ),
    }
    failure
}

async fn whole(
    order: &Order,
    target: &Planned,
    reply: &mut Reply,
) -> Result<(Bytes, Completion), Failure> {
    let body = match timeout_at(order.deadline, read(reply, WHOLE_BYTES)).await {
        Ok(body) => body?,
        Err(_) => return Err(Failure::Deadline { ours: deadline_is_ours(order, target) }),
    };
    match Completion::read(&body) {
        Ok(completion) if completion.choices > 0 => Ok((body, completion)),
        Ok(_) => Err(Failure::Malformed),
        Err(fault) => {
            let kind = reply.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            tracing::warn!(
                upstream = target.model.label(),
                content_type = kind,
                bytes = body.len(),
                %fault,
                "no answer under a good status"
            );
            match fault {
                crate::dialect::openai::answer::Malformed::Error(_) => Err(Failure::ErrorAnswer),
                _ => Err(Failure::Malformed),
            }
        }
    }
}

/// Reads a body whole, within `cap` bytes.
async fn read(reply: &mut Reply, cap: usize) -> Result<Bytes, Failure> {
    let Some(first) = reply.chunk().await.map_err(|_| Failure::Cut)? else {
        return Ok(Bytes::new());
    };
    let mut rest = BytesMut::new();
    while let Some(chunk) = reply.chunk().await.map_err(|_| Failure::Cut)? {
        if rest.is_empty() {
            rest.extend_from_slice(&first);
        }
        if rest.len() + chunk.len() > cap {
            return Err(Failure::Malformed);
        }
        rest.extend_from_slice(&chunk);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// Closes a failed attempt: its entry, and what it says about the target.
fn conclude(mut entry: Entry, mut permit: Permit, failure: Failure) -> Failure {
    entry.failed(failure.label());
    let now = Now::read().mono;
    if let Some((why, rest)) = failure.bench() {
        permit.bench(why, now + rest);
    } else if failure.blames_target() {
        permit.failed(now, rand::random());
    } else if !matches!(failure, Failure::Deadline { .. }) {
        permit.alive();
    }
    failure
}
