//! A whole answer: what admission, accounting and the record need to know of it. Its bytes go to the
//! caller untouched; nothing here writes.

use serde::Deserialize;
use serde_json::Value;

use super::lenient::{List, Named, Obj, Text, Truth, Weight};
use super::usage::read_usage;
use crate::dialect::Usage;

/// Facts of a `chat.completion` object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completion {
    pub model: Option<String>,
    pub usage: Option<Usage>,
    pub choices: usize,
    /// Of the first choice.
    pub finish_reason: Option<String>,
    /// The first choice has text (not only white space is still text; empty or null is not).
    pub has_content: bool,
    pub has_tool_calls: bool,
    pub has_refusal: bool,
    /// Characters of content, reasoning and tool arguments: for an estimate where usage is absent.
    pub output_chars: usize,
}

/// Why a body with a good status is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// HTML, a cut document, bytes that are not UTF-8.
    #[error("the body is not JSON")]
    NotJson,
    /// JSON, but no object with an array `choices`.
    #[error("the body has no choices")]
    NoChoices,
    /// `{"error": …}` under a good status; the text is the provider's own.
    #[error("the body is an error: {0}")]
    Error(String),
}

impl Completion {
    /// Reads a whole answer. Leading white space is allowed (DeepSeek sends blank lines while a
    /// request waits), members of any type are tolerated.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when the body cannot be given to a caller as an answer.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(body).map_err(|_| Malformed::NotJson)?;
        let Obj(wire) = serde_json::from_str::<Obj<WireAnswer>>(text)
            .map_err(|_| error_in(text).unwrap_or(Malformed::NotJson))?;
        let wire = wire.ok_or_else(|| error_in(text).unwrap_or(Malformed::NoChoices))?;
        if wire.error.0 {
            return Err(error_in(text).unwrap_or(Malformed::NoChoices));
        }
        let choices = wire.choices.0.ok_or(Malformed::NoChoices)?;
        let mut completion = Self {
            model: wire.model.0,
            usage: wire.usage.0.as_ref().and_then(read_usage),
            choices: choices.len(),
            ..Self::default()
        };
        for (place, choice) in choices.into_iter().filter_map(|choice| choice.0).enumerate() {
            let message = choice.message.0.unwrap_or_default();
            completion.output_chars += message.output_chars();
            if place == 0 {
                completion.finish_reason = choice.finish_reason.0;
                completion.has_content = message.content.has_text();
                completion.has_tool_calls = message.has_tool_call();
                completion.has_refusal = message.refusal.has_text();
            }
        }
        Ok(completion)
    }
}

/// What a whole answer says: the text of its first choice. `None` where it has none.
pub fn text_of(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let text = answer.get("choices")?.get(0)?.get("message")?.get("content")?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The provider's error text in a body, whatever its shape: an object, a string, an array of them.
pub(super) fn error_in(text: &str) -> Option<Malformed> {
    let value: Value = serde_json::from_str(text).ok()?;
    let holder = match &value {
        Value::Array(items) => items.first()?,
        other => other,
    };
    let error = holder.get("error").filter(|error| is_truthy(error))?;
    let message = match error {
        Value::String(message) => message.clone(),
        Value::Object(members) => match members.get("message") {
            Some(Value::String(message)) => message.clone(),
            _ => error.to_string(),
        },
        other => other.to_string(),
    };
    Some(Malformed::Error(message))
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Bool(true) => true,
    }
}

#[derive(Deserialize)]
struct WireAnswer {
    #[serde(default)]
    error: Truth,
    #[serde(default)]
    model: Text,
    #[serde(default)]
    choices: List<Obj<WireChoice>>,
    #[serde(default)]
    usage: Named,
}

#[derive(Deserialize)]
struct WireChoice {
    #[serde(default)]
    message: Obj<WireOutput>,
    #[serde(default)]
    finish_reason: Text,
}

/// What a model said: the members of `message` and of `delta` that carry output.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireOutput {
    #[serde(default)]
    pub content: Weight,
    #[serde(default)]
    pub refusal: Weight,
    #[serde(default)]
    pub reasoning_content: Weight,
    #[serde(default)]
    pub reasoning: Weight,
    #[serde(default)]
    pub reasoning_details: Weight,
    #[serde(default)]
    pub tool_calls: Weight,
    #[serde(default)]
    pub function_call: Weight,
    #[serde(default)]
    pub audio: Weight,
}

impl WireOutput {
    /// Characters of output. Reasoning is often sent under two names; it counts once.
    pub fn output_chars(&self) -> usize {
        let reasoning = self
            .reasoning_content
            .chars
            .max(self.reasoning.chars)
            .max(self.reasoning_details.chars);
        self.content.chars
            + self.refusal.chars
            + reasoning
            + self.tool_calls.chars
            + self.function_call.chars
    }

    /// Snowflake sends `function_call` and `audio` in every message, with nothing in them.
    pub fn has_tool_call(&self) -> bool {
        self.tool_calls.present || self.function_call.has_text()
    }

    /// Any output at all: a role alone, or empty content, is none.
    pub fn has_output(&self) -> bool {
        self.content.has_text()
            || self.refusal.has_text()
            || self.reasoning_content.has_text()
            || self.reasoning.has_text()
            || self.reasoning_details.present
            || self.has_tool_call()
            || self.audio.has_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_answer_is_read_after_blank_lines() {
        let body = b"\n\n {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\
            \"content\":\"h\xc3\xa9llo\",\"refusal\":null},\"finish_reason\":\"stop\"}],\
            \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}";
        let read = Completion::read(body).expect("an answer");
        assert_eq!(read.model.as_deref(), Some("m"));
        assert_eq!(read.finish_reason.as_deref(), Some("stop"));
        assert!(read.has_content && !read.has_tool_calls && !read.has_refusal);
        assert_eq!((read.choices, read.output_chars), (1, 5));
        assert_eq!(read.usage.expect("usage").prompt_tokens, 3);
    }

    #[test]
    fn vendors_shapes_are_tolerated() {
        let parts = br#"{"choices":[{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"ab"}]},
            {"type":"text","text":"c"}],"tool_calls":[]},"finish_reason":7}],"usage":[],"model":null}"#;
        let read = Completion::read(parts).expect("an answer");
        assert!(read.has_content && !read.has_tool_calls);
        assert_eq!((read.output_chars, read.finish_reason, read.model), (3, None, None));

        let tools = br#"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"call_1","type":"function",
            "function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;
        let read = Completion::read(tools).expect("an answer");
        assert!(read.has_tool_calls && !read.has_content);
        assert_eq!(read.output_chars, 3);

        for odd in [
            r#"{"choices":[]}"#,
            r#"{"choices":[null]}"#,
            r#"{"choices":[{}],"error":null}"#,
            r#"{"choices":[{"message":{"audio":{"data":"","id":"x"},"function_call":{"name":"","arguments":""}}}]}"#,
        ] {
            let read = Completion::read(odd.as_bytes()).expect(odd);
            assert!(!read.has_content && !read.has_tool_calls, "{odd}");
        }
    }

    #[test]
    fn what_is_no_answer_is_named() {
        let error = |body: &str| Completion::read(body.as_bytes()).expect_err(body);
        assert_eq!(error("<html>"), Malformed::NotJson);
        assert_eq!(error(""), Malformed::NotJson);
        assert_eq!(error(r#"{"choices":[{"message":{"content":"cut"#), Malformed::NotJson);
        assert_eq!(error(r#"{"choices":[]} trailing"#), Malformed::NotJson);
        assert_eq!(error("{}"), Malformed::NoChoices);
        assert_eq!(error("[]"), Malformed::NoChoices);
        assert_eq!(error(r#"{"choices":{}}"#), Malformed::NoChoices);
        assert_eq!(error(r#"{"error":{"message":"no"}}"#), Malformed::Error("no".into()));
        assert_eq!(error(r#"{"error":"plain"}"#), Malformed::Error("plain".into()));
        assert_eq!(
            error(r#"[{"error":{"message":"in a list"}}]"#),
            Malformed::Error("in a list".into())
        );
        assert_eq!(error(r#"{"error":{"code":5}}"#), Malformed::Error(r#"{"code":5}"#.into()));
        assert_eq!(
            Completion::read(b"{\"choices\":[{\"message\":{\"content\":\"\xff\"}}]}"),
            Err(Malformed::NotJson)
        );
    }
}
