//! A chat request: the validated bytes, their parsed form, and the facts that the line needs.

mod edits;
mod facts;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{check, strict};
use crate::error::GatewayError;

pub use edits::Edits;

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

impl ChatRequest {
    /// Reads and checks a request body. Members that are not known are kept and forwarded.
    ///
    /// # Errors
    ///
    /// [`GatewayError::BadRequest`]: the body is not strict JSON, or a known member has the wrong
    /// type or is out of bounds; `param` names it.
    pub fn decode(raw: Bytes) -> Result<Self, GatewayError> {
        let body = strict::object(&raw).map_err(GatewayError::bad)?;
        check::request(&body)?;
        let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
        let prompt = facts::prompt(messages);
        let last = facts::last(messages);
        let facts = facts::facts(&body, messages, &prompt);
        let flag = |value: Option<&Value>| value.and_then(Value::as_bool).unwrap_or(false);
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        Ok(Self {
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            stream: flag(body.get("stream")),
            include_usage: flag(
                body.get("stream_options").and_then(|options| options.get("include_usage")),
            ),
            max_output: number("max_completion_tokens").or_else(|| number("max_tokens")),
            prompt,
            last,
            facts,
            body,
            raw,
        })
    }

    /// The body for one upstream: the caller's bytes with these edits made and nothing else changed.
    pub fn outgoing(&self, edits: &Edits<'_>) -> Bytes {
        edits::outgoing(self, edits)
    }

    /// The messages, in order; never empty.
    pub fn messages(&self) -> &[Value] {
        self.body.get("messages").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Number of answers asked for; 1 when not said.
    pub fn n(&self) -> u64 {
        self.body.get("n").and_then(Value::as_u64).unwrap_or(1)
    }

    /// Sampling temperature, if said.
    pub fn temperature(&self) -> Option<f64> {
        self.body.get("temperature").and_then(Value::as_f64)
    }

    /// The seed, if said.
    pub fn seed(&self) -> Option<i64> {
        self.body.get("seed").and_then(Value::as_i64)
    }
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

#[cfg(test)]
mod tests;
