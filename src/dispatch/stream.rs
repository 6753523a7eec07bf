//! An answer in events: held until it is worth committing to, then passed on as it comes.
//!
//! Until the first content event (or an end) nothing reaches the caller, so that whatever goes
//! wrong before is another target's chance. Afterwards a fault ends the stream. Dropping an
//! [`AnswerStream`] closes the upstream's side.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::attempts::Entry;
use super::health::{Permit, Took};
use super::outcome::{Failure, scrub};
use super::transport::Reply;
use crate::config::settings::Provider;
use crate::dialect::openai::stream::{EventKind, StreamEvent, StreamReader};
use crate::now::Now;

/// Bytes held before the first content. Comments beyond it are dropped; anything else is no answer.
const HELD_BYTES: usize = 1024 * 1024;
/// After the terminator the upstream gets this long to end its body, which lets the connection be
/// used again.
const LAST_WORD: Duration = Duration::from_millis(100);

/// Why a stream ended early, after its first content was passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// The connection broke, or ended without `[DONE]` and without a finish reason.
    #[error("the upstream's stream was cut")]
    Cut,
    /// Not one byte for `timeouts.idle`.
    #[error("the upstream sent nothing for {} ms", after.as_millis())]
    Idle { after: Duration },
    /// The caller's whole time is up.
    #[error("the request took longer than {} ms", after.as_millis())]
    Deadline { after: Duration },
    /// An event that cannot be read: larger than the reader's limit.
    #[error("the upstream's stream cannot be read")]
    Malformed,
    /// The upstream sent an error event; its payload, scrubbed.
    #[error("the upstream ended its stream with an error")]
    Upstream(Bytes),
}

impl StreamFault {
    /// The name in the record and the metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Idle { .. } | Self::Deadline { .. } => "timeout",
            Self::Malformed => "malformed",
            Self::Upstream(_) => "error_answer",
        }
    }
}

/// Time limits of one stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Between any two bytes, once content has come.
    pub idle: Duration,
    /// End of the caller's time, and how long that time was.
    pub deadline: Instant,
    pub total: Duration,
    /// The caller did not shorten the time below the configured one.
    pub deadline_is_ours: bool,
}

/// A streamed answer. The events held so far come first, then live ones.
#[derive(Debug)]
pub struct AnswerStream {
    queue: VecDeque<StreamEvent>,
    reader: StreamReader,
    /// `None` once the stream has ended, well or not.
    reply: Option<Reply>,
    seen: Seen,
    limits: Limits,
    provider: Arc<Provider>,
    sent: Instant,
    first_content: Duration,
    entry: Entry,
    permit: Permit,
}

/// What the events read so far contained.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    chunk: bool,
    content: bool,
    finish: bool,
    done: bool,
    error: bool,
    end: bool,
    /// Bytes of everything but comments.
    bytes: usize,
    /// `[DONE]` was passed on.
    done_passed: bool,
}

impl AnswerStream {
    pub(super) fn new(
        reply: Reply,
        limits: Limits,
        provider: Arc<Provider>,
        sent: Instant,
        entry: Entry,
        permit: Permit,
    ) -> Self {
        Self {
            queue: VecDeque::new(),
            reader: StreamReader::default(),
            reply: Some(reply),
            seen: Seen::default(),
            limits,
            provider,
            sent,
            first_content: Duration::ZERO,
            entry,
            permit,
        }
    }

    /// Reads until the answer is worth committing to, at most until `limit`.
    pub(super) async fn hold(&mut self, limit: Instant) -> Result<(), Failure> {
        loop {
            if self.seen.error {
                return Err(Failure::ErrorAnswer);
            }
            if self.seen.content || self.seen.finish || (self.seen.done && self.seen.chunk) {
                self.first_content = self.sent.elapsed();
                self.permit.began(self.first_content, Now::read().mono);
                return Ok(());
            }
            if self.seen.done || (self.seen.end && !self.seen.chunk) {
                return Err(Failure::Malformed);
            }
            if self.seen.end {
                return Err(Failure::Cut);
            }
            if self.seen.bytes > HELD_BYTES {
                return Err(Failure::Malformed);
            }
            self.bound_comments();
            match timeout_at(limit, self.pull()).await {
                Ok(Ok(())) => {}
                Ok(Err(StreamFault::Malformed)) => return Err(Failure::Malformed),
                Ok(Err(_)) => return Err(Failure::Cut),
                Err(_) if limit >= self.limits.deadline => {
                    return Err(Failure::Deadline { ours: self.limits.deadline_is_ours });
                }
                Err(_) => return Err(Failure::FirstContent),
            }
        }
    }

    /// Gives back what the attempt held, for a failure before the commitment.
    pub(super) fn into_parts(self) -> (Entry, Permit) {
        (self.entry, self.permit)
    }

    /// The next event; `None` after the end, be it good or (once told) bad. A good end is `[DONE]`,
    /// or the end of the body after a finish reason. Cancelling loses nothing. Asking on after
    /// `[DONE]` until `None` lets the connection be used again.
    pub async fn next(&mut self) -> Option<Result<StreamEvent, StreamFault>> {
        loop {
            self.reply.as_ref()?;
            if self.seen.done_passed {
                self.last_word().await;
                return None;
            }
            if let Some(event) = self.queue.pop_front() {
                return Some(self.pass(event));
            }
            if self.seen.end {
                if self.seen.finish {
                    self.complete();
                    self.reply = None;
                    return None;
                }
                return Some(Err(self.fault(StreamFault::Cut)));
            }
            let idle = Instant::now() + self.limits.idle;
            let limit = idle.min(self.limits.deadline);
            match timeout_at(limit, self.pull()).await {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => return Some(Err(self.fault(fault))),
                Err(_) if limit < idle => {
                    let after = self.limits.total;
                    return Some(Err(self.fault(StreamFault::Deadline { after })));
                }
                Err(_) => {
                    let after = self.limits.idle;
                    return Some(Err(self.fault(StreamFault::Idle { after })));
                }
            }
        }
    }

    /// Whether [`AnswerStream::next`] has an event without reading on.
    pub fn has_next(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Reads once from the upstream and queues the events that this completes.
    async fn pull(&mut self) -> Result<(), StreamFault> {
        let Some(reply) = self.reply.as_mut() else { return Err(StreamFault::Cut) };
        let events = match reply.chunk().await {
            Ok(Some(bytes)) => self.reader.push(&bytes),
            Ok(None) => {
                self.seen.end = true;
                self.reader.finish()
            }
            Err(_) => return Err(StreamFault::Cut),
        };
        for event in events.map_err(|_| StreamFault::Malformed)? {
            self.seen.note(&event);
            self.queue.push_back(event);
        }
        Ok(())
    }

    fn pass(&mut self, event: StreamEvent) -> Result<StreamEvent, StreamFault> {
        match event.kind {
            EventKind::Error => {
                let payload = scrub(event.data, &self.provider.api_keys);
                Err(self.fault(StreamFault::Upstream(payload)))
            }
            EventKind::Done => {
                self.seen.done_passed = true;
                self.complete();
                Ok(event)
            }
            _ => Ok(event),
        }
    }

    fn complete(&mut self) {
        self.entry.answered();
        self.permit.answered(Took::FirstContent(self.first_content), Now::read().mono);
    }

    fn fault(&mut self, fault: StreamFault) -> StreamFault {
        self.reply = None;
        self.queue.clear();
        self.entry.failed(fault.label());
        let impatient =
            matches!(fault, StreamFault::Deadline { .. }) && !self.limits.deadline_is_ours;
        if impatient {
            self.permit.alive();
        } else {
            self.permit.failed(Now::read().mono, rand::random());
        }
        fault
    }

    /// Reads to the end of the body after `[DONE]`, briefly.
    async fn last_word(&mut self) {
        let Some(mut reply) = self.reply.take() else { return };
        let end = async { while let Ok(Some(_)) = reply.chunk().await {} };
        // Late is no fault: the connection is closed instead of used again.
        let _ = tokio::time::timeout(LAST_WORD, end).await;
    }

    /// Forgets comments beyond what may be held: they say only that the upstream lives.
    fn bound_comments(&mut self) {
        let held: usize = self.queue.iter().map(|event| event.raw.len()).sum();
        if held > HELD_BYTES {
            self.queue.retain(|event| event.kind != EventKind::Comment);
        }
    }
}

impl Seen {
    fn note(&mut self, event: &StreamEvent) {
        match &event.kind {
            EventKind::Chunk(facts) => {
                self.chunk = true;
                self.content |= facts.content;
                self.finish |= facts.finish_reason.is_some();
            }
            EventKind::Done => self.done = true,
            EventKind::Error => self.error = true,
            EventKind::Comment | EventKind::Unknown => {}
        }
        if event.kind != EventKind::Comment {
            self.bytes += event.raw.len();
        }
    }
}
