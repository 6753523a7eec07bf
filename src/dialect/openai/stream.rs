//! An answer in server-sent events, read from bytes that may split anywhere.

use bytes::Bytes;

use crate::dialect::Usage;

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
}
