//! A chat request: the validated bytes, their parsed form, and the facts that the line needs.

use bytes::Bytes;
use serde_json::{Map, Value};

/// A decoded chat request. `raw` is what goes upstream (with surgical edits), `body` is what
/// decisions read; both are the same document.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// The body exactly as received: strict JSON, UTF-8, depth ≤ 64, no duplicate keys.
    pub raw: Bytes,
    pub body: Map<String, Value>,
    /// The name the caller asked for.
    pub model: String,
    pub stream: bool,
    /// `stream_options.include_usage`.
    pub include_usage: bool,
    /// Text of the last user message: its string, or its text parts joined by a line feed. Empty
    /// when there is none.
    pub prompt: String,
    /// What the last message is.
    pub last: LastMessage,
    pub facts: Facts,
    /// `max_completion_tokens`, else `max_tokens`.
    pub max_output: Option<u64>,
}

/// Shape of the last message, which decides whether the semantic level may compare the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastMessage {
    /// From the user, text only.
    UserText,
    UserImage,
    UserFile,
    UserAudio,
    /// `tool` or `function`.
    ToolResult,
    /// From the assistant (prefill), or any other role.
    Prefill,
}

/// Discrete facts of a request: named in CEL rules, used as requirements and features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// Unicode characters of `prompt`.
    pub prompt_chars: usize,
    /// Estimate for the whole request, all messages and tools.
    pub prompt_tokens: u64,
    /// User messages.
    pub turns: usize,
    pub has_tools: bool,
    /// An image in any message.
    pub has_image: bool,
    /// `response_format` is `json_object` or `json_schema`.
    pub wants_json: bool,
    /// `response_format` is `json_schema`.
    pub wants_json_schema: bool,
    /// The prompt contains a fenced block or looks like source code.
    pub has_code: bool,
}
