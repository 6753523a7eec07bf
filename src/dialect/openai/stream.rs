//! An answer in server-sent events, read from bytes that may split anywhere.
//!
//! [`StreamReader`] cuts the bytes into events by the rules of the WHATWG (CR, LF and CRLF end a
//! line, a blank line ends an event) and says what each event carries. It changes nothing: the `raw`
//! bytes of all events are the input. [`forward`] decides what of an event the caller gets.

mod forward;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;

use super::answer::{WireOutput, error_in};
use super::lenient::{List, Named, Obj, Text, Truth};
use super::usage::read_usage;
use crate::dialect::Usage;

pub use forward::{forward, forward_as};

/// One event of a stream: the bytes to forward, and what they say.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamEvent {
    /// The event as it came, with its blank line.
    pub raw: Bytes,
    /// The joined `data` payload; empty for a comment.
    pub data: Bytes,
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    Chunk(ChunkFacts),
    /// `[DONE]`.
    Done,
    /// A comment, or an event without data: a sign of life.
    Comment,
    /// `{"error": …}`: the upstream gave up. The payload is in `data`.
    Error,
    /// Data that is no chunk: forwarded and counted, never fatal.
    Unknown,
}

/// What a chunk carries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChunkFacts {
    /// Model output: text, reasoning, refusal, a tool call.
    pub content: bool,
    /// A tool call or function call.
    pub tool_call: bool,
    pub usage: Option<Usage>,
    /// The member `usage` is there, be it null.
    pub names_usage: bool,
    /// `choices` is empty.
    pub no_choices: bool,
    pub finish_reason: Option<String>,
    /// Characters of output, for an estimate where usage never comes.
    pub output_chars: usize,
}

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// One event is larger than the reader's limit, in bytes.
    #[error("an event of the stream is larger than {limit} bytes")]
    EventTooLarge { limit: usize },
}

/// Largest single event unless the owner says otherwise: room for an image in base64.
pub const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Cuts a stream into events. Holds the bytes of the unfinished event, at most the limit and what
/// one read adds to it.
#[derive(Debug)]
pub struct StreamReader {
    max_event: usize,
    buffer: BytesMut,
    /// Everything before holds no unseen line end.
    scanned: usize,
    /// Where the current line starts.
    line: usize,
    /// No event has been cut yet: a byte order mark may stand here.
    first: bool,
    fault: Option<StreamFault>,
}

impl Default for StreamReader {
    fn default() -> Self {
        Self::new(MAX_EVENT_BYTES)
    }
}

impl StreamReader {
    /// A reader that refuses events beyond `max_event` bytes.
    pub fn new(max_event: usize) -> Self {
        let buffer = BytesMut::new();
        Self { max_event, buffer, scanned: 0, line: 0, first: true, fault: None }
    }

    /// Adds bytes and returns the events that they complete. A carriage return that ends the bytes
    /// waits for the next ones, since a line feed may belong to it.
    ///
    /// # Errors
    ///
    /// [`StreamFault`], once the events before the fault have been returned; it stays.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<StreamEvent>, StreamFault> {
        self.buffer.extend_from_slice(bytes);
        self.drain(false)
    }

    /// Ends the stream: returns what is left, be it an event without its blank line or an error in
    /// plain JSON behind the events.
    ///
    /// # Errors
    ///
    /// As [`StreamReader::push`].
    pub fn finish(&mut self) -> Result<Vec<StreamEvent>, StreamFault> {
        let mut events = self.drain(true)?;
        if self.fault.is_none() && !self.buffer.is_empty() {
            let raw = self.take(self.buffer.len());
            events.push(self.interpret(raw));
        }
        match self.fault {
            Some(fault) if events.is_empty() => Err(fault),
            _ => Ok(events),
        }
    }

    fn drain(&mut self, at_end: bool) -> Result<Vec<StreamEvent>, StreamFault> {
        let mut events = Vec::new();
        while self.fault.is_none() {
            let Some(length) = self.next_event(at_end) else {
                self.check(self.buffer.len());
                break;
            };
            if self.check(length) {
                let raw = self.take(length);
                events.push(self.interpret(raw));
            }
        }
        match self.fault {
            Some(fault) if events.is_empty() => Err(fault),
            _ => Ok(events),
        }
    }

    /// Whether an event of `length` bytes is within the limit; if not, the fault is set.
    fn check(&mut self, length: usize) -> bool {
        if length > self.max_event {
            self.fault = Some(StreamFault::EventTooLarge { limit: self.max_event });
        }
        self.fault.is_none()
    }

    /// Length of the first complete event in the buffer, its blank line included.
    fn next_event(&mut self, at_end: bool) -> Option<usize> {
        loop {
            let Some(found) =
                self.buffer[self.scanned..].iter().position(|byte| matches!(byte, b'\n' | b'\r'))
            else {
                self.scanned = self.buffer.len();
                return None;
            };
            let end = self.scanned + found;
            let next = match (self.buffer[end], self.buffer.get(end + 1)) {
                (b'\r', Some(b'\n')) => end + 2,
                (b'\r', None) if !at_end => {
                    self.scanned = end;
                    return None;
                }
                _ => end + 1,
            };
            let blank = self.buffer[self.line..end].is_empty()
                || (self.first && self.line == 0 && &self.buffer[..end] == BOM);
            self.scanned = next;
            self.line = next;
            if blank {
                return Some(next);
            }
        }
    }

    fn take(&mut self, length: usize) -> Bytes {
        self.scanned = 0;
        self.line = 0;
        self.buffer.split_to(length).freeze()
    }

    fn interpret(&mut self, raw: Bytes) -> StreamEvent {
        let fields = Fields::of(&raw, std::mem::take(&mut self.first));
        let Some(data) = fields.data else {
            return plain_json(raw);
        };
        let kind = classify(&data, fields.is_error);
        StreamEvent { raw, data, kind }
    }
}

/// The fields of one event that matter here.
struct Fields {
    /// `None` without a data line, or when all of them are empty: such an event is dropped by the
    /// standard.
    data: Option<Bytes>,
    is_error: bool,
}

impl Fields {
    fn of(raw: &Bytes, first: bool) -> Self {
        let start = if first && raw.starts_with(BOM) { BOM.len() } else { 0 };
        let mut data: Option<Bytes> = None;
        let mut joined: Option<Vec<u8>> = None;
        let mut is_error = false;
        for (from, to) in lines(raw, start) {
            let Some((name, value)) = field(raw, from, to) else { continue };
            match name {
                b"data" => match (&data, &mut joined) {
                    (None, _) => data = Some(raw.slice(value..to)),
                    (Some(_), Some(joined)) => {
                        joined.push(b'\n');
                        joined.extend_from_slice(&raw[value..to]);
                    }
                    (Some(before), None) => {
                        joined = Some([&before[..], b"\n", &raw[value..to]].concat());
                    }
                },
                b"event" => is_error = &raw[value..to] == b"error",
                _ => {}
            }
        }
        let data = joined.map(Bytes::from).or(data).filter(|data| !data.is_empty());
        Self { data, is_error }
    }
}

/// Start and end (without its terminator) of each line from `from` on.
fn lines(raw: &[u8], mut from: usize) -> impl Iterator<Item = (usize, usize)> {
    std::iter::from_fn(move || {
        if from >= raw.len() {
            return None;
        }
        let start = from;
        let rest = &raw[start..];
        let length =
            rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        let terminator = match &rest[length..] {
            [b'\r', b'\n', ..] => 2,
            [] => 0,
            _ => 1,
        };
        from = start + length + terminator;
        Some((start, start + length))
    })
}

/// Name of a field and where its value starts; `None` for a blank line or a comment.
fn field(raw: &[u8], from: usize, to: usize) -> Option<(&[u8], usize)> {
    let line = &raw[from..to];
    match line.iter().position(|&byte| byte == b':') {
        Some(0) => None,
        None if line.is_empty() => None,
        None => Some((line, to)),
        Some(colon) => {
            let value = from + colon + 1;
            let space = raw[value..to].first() == Some(&b' ');
            Some((&line[..colon], value + usize::from(space)))
        }
    }
}

/// An event without data is a comment, unless its lines are a JSON document: some providers end a
/// broken stream with a plain error body.
fn plain_json(raw: Bytes) -> StreamEvent {
    let trimmed = raw.trim_ascii();
    let document = matches!(trimmed.first(), Some(b'{' | b'['))
        && serde_json::from_slice::<serde::de::IgnoredAny>(trimmed).is_ok();
    if !document {
        return StreamEvent { raw, data: Bytes::new(), kind: EventKind::Comment };
    }
    let data = raw.slice_ref(trimmed);
    let is_error = std::str::from_utf8(trimmed).ok().and_then(error_in).is_some();
    let kind = if is_error { EventKind::Error } else { EventKind::Unknown };
    StreamEvent { raw, data, kind }
}

fn classify(data: &[u8], is_error: bool) -> EventKind {
    let trimmed = data.trim_ascii();
    if is_error {
        return EventKind::Error;
    }
    if trimmed == b"[DONE]" {
        return EventKind::Done;
    }
    if trimmed.first() == Some(&b'[') {
        let error = std::str::from_utf8(trimmed).ok().and_then(error_in);
        return if error.is_some() { EventKind::Error } else { EventKind::Unknown };
    }
    match serde_json::from_slice::<Obj<WireChunk>>(trimmed) {
        Ok(Obj(Some(chunk))) if chunk.error.0 => EventKind::Error,
        Ok(Obj(Some(chunk))) => chunk.facts().map_or(EventKind::Unknown, EventKind::Chunk),
        _ => EventKind::Unknown,
    }
}

#[derive(Deserialize)]
struct WireChunk {
    #[serde(default)]
    error: Truth,
    #[serde(default)]
    choices: List<Obj<WireChoice>>,
    #[serde(default)]
    usage: Named,
    #[serde(default)]
    x_groq: Obj<WireGroq>,
}

#[derive(Deserialize)]
struct WireGroq {
    #[serde(default)]
    usage: Named,
}

#[derive(Deserialize)]
struct WireChoice {
    #[serde(default)]
    delta: Obj<WireOutput>,
    #[serde(default)]
    finish_reason: Text,
}

impl WireChunk {
    /// `None` when it is no chunk: neither choices nor usage.
    fn facts(self) -> Option<ChunkFacts> {
        let names_usage = self.usage.0.is_some();
        let groq = self.x_groq.0.and_then(|groq| groq.usage.0);
        let usage = [self.usage.0, groq].iter().flatten().find_map(read_usage);
        let choices = match self.choices.0 {
            Some(choices) => choices,
            None if usage.is_some() => Vec::new(),
            None => return None,
        };
        let mut facts = ChunkFacts {
            usage,
            names_usage,
            no_choices: choices.is_empty(),
            ..ChunkFacts::default()
        };
        for choice in choices.into_iter().filter_map(|choice| choice.0) {
            if let Some(delta) = choice.delta.0 {
                facts.content |= delta.has_output();
                facts.tool_call |= delta.has_tool_call();
                facts.output_chars += delta.output_chars();
            }
            facts.finish_reason = facts.finish_reason.or(choice.finish_reason.0);
        }
        Some(facts)
    }
}

#[cfg(test)]
mod tests;
