//! An answer in events, told to one caller as they come: to the one whose errand it is byte for byte,
//! to a follower under an id of its own.

use axum::body::Body;
use axum::http::HeaderMap;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;

use crate::cache::Keyed;
use crate::dialect::openai::render;
use crate::dialect::openai::stream::{EventKind, StreamEvent, forward, forward_as};
use crate::http::error;
use crate::price::{Money, Price};
use crate::record::{Bill, OpenRecord};

use super::Asked;
use super::errand::{Landed, News, Origin};
use super::flight::{Heard, Passenger};
use super::reply::{FreshId, closing_comment, stream_head};
use super::settle::baseline;

/// One caller's stream.
#[derive(Debug)]
pub struct Telling {
    passenger: Passenger,
    asked_usage: bool,
    /// `None` for the caller whose errand it is: the errand keeps that record.
    follower: Option<Follower>,
    over: bool,
}

/// What a follower has of its own.
#[derive(Debug)]
pub struct Follower {
    record: OpenRecord,
    fresh: FreshId,
    /// Of the model that savings are counted against.
    baseline: Option<Price>,
    started: bool,
    /// Held until the answer has gone out.
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    /// Follows an answer that `origin` has begun to give. What it says of itself is what a hit would:
    /// it cost nothing, and made no attempt.
    pub fn new(
        asked: &Asked,
        keyed: Option<Keyed>,
        origin: &Origin,
        mut record: OpenRecord,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        record.answered_by(origin.tier.as_deref(), &origin.target, false);
        record.shares(origin.shared_by(keyed));
        // Stands if the caller leaves before the end.
        let free = Some(Money::ZERO);
        record.bill(&Bill { cost: free, baseline: None, own: free });
        let price = baseline(asked).and_then(|model| model.price);
        let fresh = FreshId::new(asked.now);
        Self { record, fresh, baseline: price, started: false, _permit: permit }
    }

    pub fn head(&self) -> HeaderMap {
        stream_head(&self.record)
    }

    fn note(&mut self, event: &StreamEvent) {
        let content = matches!(&event.kind, EventKind::Chunk(facts) if facts.content);
        if content && !self.started {
            self.started = true;
            self.record.first_content();
        }
    }

    fn ended(&mut self, landed: &Landed) -> Bytes {
        self.record.shared(landed.usage, self.baseline);
        if let Some(body) = &landed.body {
            self.record.response(body);
        }
        self.record.outcome("ok");
        closing_comment(&self.record)
    }
}

impl Telling {
    pub fn new(passenger: Passenger, asked_usage: bool, follower: Option<Follower>) -> Self {
        Self { passenger, asked_usage, follower, over: false }
    }

    /// The response body. Dropping it is how a caller leaves.
    pub fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(self, |mut telling| async move {
            let bytes = telling.frame().await?;
            Some((Ok::<_, std::io::Error>(bytes), telling))
        }))
    }

    /// Everything that one read of the upstream brought, as one frame: an upstream that sends faster
    /// than the caller reads costs a write a read, not a write an event.
    async fn frame(&mut self) -> Option<Bytes> {
        while !self.over {
            match self.passenger.next().await {
                Heard::Item(News::Events(events)) => match self.tell(&events) {
                    Some(frame) => return Some(frame),
                    None => continue,
                },
                Heard::Item(News::Ended(landed)) => return Some(self.end(&landed)),
                Heard::Item(News::Cut(fault)) => {
                    let face = error::face(&fault.error);
                    return Some(self.fail("cut", &fault.message, face.kind, face.code));
                }
                Heard::Item(News::Live(_) | News::Whole(_) | News::Failed(_)) => {}
                Heard::Lost => {
                    let message = "This answer is shared, and was read too slowly to keep up.";
                    return Some(self.fail("cut", message, "server_error", Some("overloaded")));
                }
                Heard::End => {
                    let message = "The gateway failed; the request id leads to the cause.";
                    return Some(self.fail("internal", message, "server_error", None));
                }
            }
        }
        if self.follower.is_none() {
            // The errand may have something left to do, and nobody else may be there to drive it.
            while matches!(self.passenger.next().await, Heard::Item(_)) {}
        }
        None
    }

    /// The events as this caller gets them; `None` if nothing of them is for it.
    fn tell(&mut self, events: &[StreamEvent]) -> Option<Bytes> {
        let asked_usage = self.asked_usage;
        let told = |event| match &mut self.follower {
            None => forward(event, asked_usage),
            Some(follower) => {
                follower.note(event);
                forward_as(event, asked_usage, &follower.fresh.id, follower.fresh.created)
            }
        };
        let mut pieces = events.iter().filter_map(told);
        let first = pieces.next()?;
        let Some(second) = pieces.next() else { return Some(first) };
        let mut frame = BytesMut::from(first);
        frame.extend_from_slice(&second);
        pieces.for_each(|piece| frame.extend_from_slice(&piece));
        Some(frame.freeze())
    }

    fn end(&mut self, landed: &Landed) -> Bytes {
        self.over = true;
        let closing = match &mut self.follower {
            None => landed.closing.clone(),
            Some(follower) => follower.ended(landed),
        };
        [&closing, render::DONE].concat().into()
    }

    /// An error after the head has left: an event, and no `[DONE]`.
    fn fail(
        &mut self,
        outcome: &'static str,
        message: &str,
        kind: &str,
        code: Option<&str>,
    ) -> Bytes {
        self.over = true;
        if let Some(follower) = &mut self.follower {
            follower.record.outcome(outcome);
        }
        render::error_event(message, kind, code)
    }
}
