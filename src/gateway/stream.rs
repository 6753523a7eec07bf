//! An upstream's events on their way to the caller. The bytes pass through; a copy is read for
//! usage, for the cache and for the end, which settles the request and says what it cost.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use serde_json::Value;
use tokio::sync::watch;

use crate::dialect::Usage;
use crate::dialect::openai::answer::Completion;
use crate::dialect::openai::estimate_usage;
use crate::dialect::openai::fold::Accumulator;
use crate::dialect::openai::render;
use crate::dialect::openai::stream::{ChunkFacts, EventKind, StreamEvent, forward};
use crate::dispatch::{AnswerStream, StreamFault};
use crate::record::OpenRecord;

use super::reply::closing_comment;
use super::settle::Settlement;

/// Bytes of events that are gathered into one frame at most.
const MAX_FRAME: usize = 32 << 10;

/// Characters of an upstream's message that are passed on.
const MAX_MESSAGE: usize = 1000;

/// A stream in progress.
#[derive(Debug)]
pub struct Pump {
    settlement: Settlement,
    events: AnswerStream,
    /// `None` when nobody will want the whole answer.
    answer: Option<Accumulator>,
    usage: Option<Usage>,
    output_chars: usize,
    started: bool,
    /// How it ended, once the caller has had its last bytes.
    end: Option<End>,
    cut: watch::Receiver<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Broken,
}

/// A pump with its record, until it has said its last word.
struct Running {
    pump: Pump,
    record: OpenRecord,
}

/// What the caller gets next.
enum Step {
    /// Bytes, and the stream goes on.
    More(Bytes),
    /// Nothing for the caller; the stream goes on.
    Silent,
    End,
}

impl Pump {
    pub fn new(settlement: Settlement, events: AnswerStream, cut: watch::Receiver<bool>) -> Self {
        let keep = settlement.wants_answer();
        let limit = settlement.answer_limit();
        let answer = keep.then(|| Accumulator::new(limit));
        Self {
            settlement,
            events,
            answer,
            usage: None,
            output_chars: 0,
            started: false,
            end: None,
            cut,
        }
    }

    /// The response body. Dropping it (the caller left) drops the upstream's stream with it, and
    /// what was delivered is billed by estimate.
    pub fn into_body(self, record: OpenRecord) -> Body {
        let running = Some(Running { pump: self, record });
        Body::from_stream(stream::unfold(running, |running| async move {
            let mut running = running?;
            let bytes = running.frame().await?;
            Some((Ok::<_, std::io::Error>(bytes), Some(running)))
        }))
    }
}

impl Running {
    /// Everything that one read of the upstream brought, as one frame: an upstream that sends
    /// faster than the caller reads costs a write a read, not a write an event.
    async fn frame(&mut self) -> Option<Bytes> {
        let mut frame = BytesMut::new();
        loop {
            match self.step().await {
                Step::More(bytes) if frame.is_empty() && !self.pump.events.has_next() => {
                    return Some(bytes);
                }
                Step::More(bytes) => frame.extend_from_slice(&bytes),
                Step::Silent => {}
                Step::End => return None,
            }
            let ready = self.pump.events.has_next() && self.pump.end.is_none();
            if !frame.is_empty() && (!ready || frame.len() >= MAX_FRAME) {
                return Some(frame.freeze());
            }
        }
    }

    async fn step(&mut self) -> Step {
        match self.pump.end {
            Some(End::Whole) => {
                // The upstream may end its body, so that its connection can be used again.
                while self.pump.events.next().await.is_some_and(|event| event.is_ok()) {}
                return Step::End;
            }
            Some(End::Broken) => return Step::End,
            None => {}
        }
        let next = tokio::select! {
            next = self.pump.events.next() => Some(next),
            _ = self.pump.cut.wait_for(|cut| *cut) => None,
        };
        match next {
            Some(Some(Ok(event))) => self.pass(&event),
            Some(Some(Err(fault))) => self.fault(&fault),
            // The upstream ended after a finish reason but without its terminator.
            Some(None) => self.end(false),
            None => self.fail("The gateway is shutting down.", "overloaded"),
        }
    }

    fn pass(&mut self, event: &StreamEvent) -> Step {
        match &event.kind {
            EventKind::Done => return self.end(true),
            EventKind::Chunk(facts) => self.read(event, facts),
            EventKind::Unknown => self.record.unknown_event(),
            EventKind::Comment | EventKind::Error => {}
        }
        let asked_usage = self.pump.settlement.asked.request.include_usage;
        forward(event, asked_usage).map_or(Step::Silent, Step::More)
    }

    fn read(&mut self, event: &StreamEvent, facts: &ChunkFacts) {
        if facts.content && !self.pump.started {
            self.pump.started = true;
            self.record.first_content();
        }
        self.pump.usage = facts.usage.or(self.pump.usage);
        self.pump.output_chars += facts.output_chars;
        if let Some(answer) = &mut self.pump.answer {
            answer.push(event);
        }
    }

    /// The end of an answer. Only one with its terminator is complete enough to be stored.
    fn end(&mut self, terminated: bool) -> Step {
        let usage = self.usage();
        let bill = self.pump.settlement.bill(&usage, &mut self.record);
        let whole = self.pump.answer.take().and_then(Accumulator::finish);
        if let Some(body) = whole {
            if terminated && let Ok(completion) = Completion::read(&body) {
                let stored =
                    self.pump.settlement.store(&completion, &body, &usage, bill.cost, &self.record);
                self.record.stored(stored.is_ok());
            }
            self.record.response(&body);
        }
        self.record.outcome("ok");
        let mut last = closing_comment(&self.record).to_vec();
        last.extend_from_slice(render::DONE);
        self.pump.end = Some(End::Whole);
        Step::More(last.into())
    }

    fn fault(&mut self, fault: &StreamFault) -> Step {
        match fault {
            StreamFault::Deadline { .. } => self.fail(&fault.to_string(), "timeout"),
            StreamFault::Upstream(payload) => {
                let said = upstream_message(payload);
                let message = said.map_or(fault.to_string(), |said| format!("{fault}: {said}"));
                self.fail(&message, "upstream_failed")
            }
            _ => self.fail(&fault.to_string(), "upstream_failed"),
        }
    }

    /// An error after the head has left: an event, and no `[DONE]`.
    fn fail(&mut self, message: &str, code: &str) -> Step {
        let usage = self.usage();
        self.pump.settlement.bill(&usage, &mut self.record);
        self.record.outcome("cut");
        let kind = if code == "upstream_failed" { "upstream_error" } else { "server_error" };
        self.pump.end = Some(End::Broken);
        Step::More(render::error_event(message, kind, Some(code)))
    }

    fn usage(&self) -> Usage {
        let request = &self.pump.settlement.asked.request;
        self.pump.usage.unwrap_or_else(|| estimate_usage(request, self.pump.output_chars))
    }
}

/// What an upstream's error event says, in one of the forms in use: `{"error": {"message": …}}`,
/// `{"error": …}`, `{"message": …}`.
fn upstream_message(payload: &[u8]) -> Option<String> {
    let payload: Value = serde_json::from_slice(payload).ok()?;
    let error = payload.get("error").unwrap_or(&payload);
    let message = error.get("message").unwrap_or(error).as_str()?;
    Some(message.chars().take(MAX_MESSAGE).collect())
}

/// The caller left before the end: what was delivered is billed.
impl Drop for Running {
    fn drop(&mut self) {
        if self.record.get().usage.is_none() {
            let usage = self.usage();
            self.pump.settlement.bill(&usage, &mut self.record);
        }
    }
}
