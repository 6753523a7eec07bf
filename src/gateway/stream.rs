//! An upstream's events on their way in: read for usage, for the cache and for the end, which settles
//! the request and says what it cost. How they are told to a caller is `listen`'s business.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use crate::dialect::Usage;
use crate::dialect::openai::answer::Completion;
use crate::dialect::openai::estimate_usage;
use crate::dialect::openai::fold::Accumulator;
use crate::dialect::openai::stream::{ChunkFacts, EventKind, StreamEvent};
use crate::dispatch::{AnswerStream, StreamFault};
use crate::error::{AttemptNote, GatewayError};
use crate::record::OpenRecord;

use super::SHED_WAIT;
use super::errand::{Fault, Landed, News, Origin};
use super::flight::Aboard;
use super::reply::closing_comment;
use super::settle::Settlement;

/// Bytes of events that are told at once at most.
const MAX_BATCH: usize = 32 << 10;

/// Characters of an upstream's message that are passed on.
const MAX_MESSAGE: usize = 1000;

/// A stream in progress.
#[derive(Debug)]
pub struct Pump {
    settlement: Settlement,
    /// `None` once handed on.
    events: Option<Box<AnswerStream>>,
    origin: Origin,
    record: OpenRecord,
    aboard: Aboard,
    /// `None` when nobody will want the whole answer.
    answer: Option<Accumulator>,
    usage: Option<Usage>,
    output_chars: usize,
    started: bool,
    /// The last word, while the events before it are told.
    last: Option<News>,
    cut: watch::Receiver<bool>,
}

impl Pump {
    pub fn new(
        settlement: Settlement,
        events: Box<AnswerStream>,
        origin: Origin,
        record: OpenRecord,
        aboard: Aboard,
        cut: watch::Receiver<bool>,
    ) -> Self {
        let keep = settlement.wants_answer();
        let limit = settlement.answer_limit();
        Self {
            answer: keep.then(|| Accumulator::new(limit)),
            settlement,
            events: Some(events),
            origin,
            record,
            aboard,
            usage: None,
            output_chars: 0,
            started: false,
            last: None,
            cut,
        }
    }

    /// Everything that one read of the upstream brought, or how the stream ended.
    pub async fn next(&mut self) -> News {
        if let Some(last) = self.last.take() {
            return last;
        }
        let mut batch: Vec<StreamEvent> = Vec::new();
        let mut bytes = 0;
        loop {
            match self.step().await {
                Ok(event) => {
                    bytes += event.raw.len();
                    batch.push(event);
                }
                Err(last) if batch.is_empty() => return last,
                Err(last) => {
                    self.last = Some(last);
                    return News::Events(batch.into());
                }
            }
            let more = self.events.as_ref().is_some_and(|events| events.has_next());
            if !more || bytes >= MAX_BATCH {
                return News::Events(batch.into());
            }
        }
    }

    /// What the upstream may still say after a good end.
    pub fn into_rest(mut self) -> Option<Box<AnswerStream>> {
        self.events.take()
    }

    /// The next event, or the last word.
    async fn step(&mut self) -> Result<StreamEvent, News> {
        let events = self.events.as_mut().expect("invariant: events stay until the end");
        let next = tokio::select! {
            next = events.next() => Some(next),
            _ = self.cut.wait_for(|cut| *cut) => None,
        };
        match next {
            Some(Some(Ok(event))) => match &event.kind {
                EventKind::Done => Err(self.end(true)),
                EventKind::Chunk(facts) => {
                    self.read(&event, facts);
                    Ok(event)
                }
                EventKind::Unknown => {
                    self.record.unknown_event();
                    if let Some(answer) = &mut self.answer {
                        answer.push(&event);
                    }
                    Ok(event)
                }
                EventKind::Comment | EventKind::Error => Ok(event),
            },
            Some(Some(Err(fault))) => Err(self.fault(&fault)),
            // The upstream ended after a finish reason but without its terminator.
            Some(None) => Err(self.end(false)),
            None => {
                let error = GatewayError::Overloaded { retry_after: SHED_WAIT };
                Err(self.fail("The gateway is shutting down.".into(), error))
            }
        }
    }

    fn read(&mut self, event: &StreamEvent, facts: &ChunkFacts) {
        if facts.content && !self.started {
            self.started = true;
            self.record.first_content();
        }
        self.usage = facts.usage.or(self.usage);
        self.output_chars += facts.output_chars;
        if let Some(answer) = &mut self.answer {
            answer.push(event);
        }
    }

    /// The end of an answer. Only one with its terminator is complete enough to be stored.
    fn end(&mut self, terminated: bool) -> News {
        let usage = self.usage();
        let bill = self.settlement.bill(&usage, &mut self.record);
        let body = self.answer.take().and_then(Accumulator::finish);
        let mut shareable = false;
        if let Some(body) = &body {
            if terminated && let Ok(completion) = Completion::read(body) {
                let stored =
                    self.settlement.store(&completion, body, &usage, bill.cost, &self.record);
                shareable = stored.is_ok();
                self.record.stored(shareable);
                self.settlement.compare(body, &completion);
            }
            self.record.response(body);
        }
        self.outcome("ok");
        let closing = closing_comment(&self.record);
        let origin = self.origin.clone();
        News::Ended(Arc::new(Landed { origin, body, usage, shareable, closing }))
    }

    fn fault(&mut self, fault: &StreamFault) -> News {
        self.fail(said(fault), as_error(fault, &self.origin.target))
    }

    /// A fault after the head has left.
    fn fail(&mut self, message: String, error: GatewayError) -> News {
        let usage = self.usage();
        self.settlement.bill(&usage, &mut self.record);
        self.outcome("cut");
        self.events = None;
        News::Cut(Arc::new(Fault { message, error }))
    }

    /// The outcome for the errand's own caller, unless it left before.
    fn outcome(&mut self, outcome: &'static str) {
        if self.aboard.is_aboard() {
            self.record.outcome(outcome);
        }
    }

    fn usage(&self) -> Usage {
        let request = &self.settlement.asked.request;
        self.usage.unwrap_or_else(|| estimate_usage(request, self.output_chars))
    }
}

/// A fault as those are told who hear it in the midst of the stream.
fn said(fault: &StreamFault) -> String {
    let more = match fault {
        StreamFault::Upstream(payload) => upstream_message(payload),
        _ => None,
    };
    more.map_or(fault.to_string(), |more| format!("{fault}: {more}"))
}

/// A fault as those are told who have been sent nothing yet: the error that they would have got from
/// `target` themselves.
fn as_error(fault: &StreamFault, target: &str) -> GatewayError {
    if let StreamFault::Deadline { after } = fault {
        return GatewayError::Timeout { after: *after };
    }
    let note = AttemptNote { target: target.to_owned(), outcome: fault.label().to_owned() };
    GatewayError::UpstreamFailed { attempts: vec![note] }
}

/// What an upstream's error event says, in one of the forms in use: `{"error": {"message": …}}`,
/// `{"error": …}`, `{"message": …}`.
fn upstream_message(payload: &[u8]) -> Option<String> {
    let payload: Value = serde_json::from_slice(payload).ok()?;
    let error = payload.get("error").unwrap_or(&payload);
    let message = error.get("message").unwrap_or(error).as_str()?;
    Some(message.chars().take(MAX_MESSAGE).collect())
}

/// Everybody left before the end: what was delivered is billed.
impl Drop for Pump {
    fn drop(&mut self) {
        if self.record.get().usage.is_none() {
            let usage = self.usage();
            self.settlement.bill(&usage, &mut self.record);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::http::error::face;

    #[test]
    fn a_fault_in_midstream_is_the_error_that_it_would_have_been_before() {
        let after = Duration::from_millis(150);
        let cases = [
            (StreamFault::Deadline { after }, "timeout", "took longer than 150 ms"),
            (StreamFault::Idle { after }, "upstream_failed", "up/mini (timeout)"),
            (StreamFault::Cut, "upstream_failed", "up/mini (cut)"),
            (StreamFault::Malformed, "upstream_failed", "up/mini (malformed)"),
            (
                StreamFault::Upstream(Bytes::from_static(b"{}")),
                "upstream_failed",
                "up/mini (error_answer)",
            ),
        ];
        for (fault, code, message) in cases {
            let error = as_error(&fault, "up/mini");
            assert_eq!(face(&error).code, Some(code), "{fault}");
            assert!(error.message().contains(message), "{}", error.message());
        }
    }

    #[test]
    fn what_the_upstream_says_in_its_error_event_is_passed_on() {
        let told = |payload: &'static str| said(&StreamFault::Upstream(payload.as_bytes().into()));
        let plain = "the upstream ended its stream with an error";
        assert_eq!(told(r#"{"error": {"message": "too hot"}}"#), format!("{plain}: too hot"));
        assert_eq!(told(r#"{"error": "too hot"}"#), format!("{plain}: too hot"));
        assert_eq!(told("hot"), plain);
    }
}
