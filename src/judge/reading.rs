//! What the judge takes from an answer, once: its calls, its object, the phrases that state its
//! result, its last sentences, its words. Small and bounded, so that it can lie beside a stored
//! answer; which of it matters depends on the question, and is decided when two are compared.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::fields::{self, Call};
use super::finals;
use super::words::Prose;

/// Bytes of a short answer, which is kept as text.
const SHORT: usize = 400;

/// Bytes of an object or of arguments that are kept for comparison.
const LARGEST_OBJECT: usize = 16_000;

/// One answer as the judge sees it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// Of the text, white space aside; equal texts are equal answers.
    pub(super) digest: u64,
    /// Without white space.
    pub(super) bytes: usize,
    pub(super) calls: Vec<Call>,
    pub(super) object: Option<Value>,
    /// Where the result is stated, the most telling first.
    pub(super) phrases: Vec<String>,
    pub(super) closing: String,
    /// The whole of a short answer.
    pub(super) short: Option<String>,
    pub(super) prose: Prose,
    /// The provider said that the answer was cut off, refused or filtered: nothing in it counts.
    pub(super) unfinished: bool,
}

impl Reading {
    /// Reads an answer's text; a text that is a list of function calls as calls.
    pub fn of_text(text: &str) -> Reading {
        let trimmed = finals::trimmed(text);
        let mut hasher = DefaultHasher::new();
        let mut bytes = 0;
        for word in trimmed.split_whitespace() {
            word.hash(&mut hasher);
            bytes += word.len();
        }
        let object = finals::object(trimmed).filter(|_| trimmed.len() <= LARGEST_OBJECT);
        let calls = object.as_ref().and_then(fields::calls).unwrap_or_default();
        Reading {
            digest: hasher.finish(),
            bytes,
            phrases: if calls.is_empty() { finals::of_text(trimmed) } else { Vec::new() },
            closing: finals::closing(trimmed).to_owned(),
            short: (trimmed.len() <= SHORT).then(|| trimmed.to_owned()),
            prose: Prose::of(trimmed),
            object: if calls.is_empty() { object } else { None },
            calls,
            unfinished: false,
        }
    }

    /// Reads a whole `chat.completion`. Several choices, a refusal, or an end by length or filter
    /// make a reading with which nothing agrees or disagrees; so does what is no completion.
    pub fn of_completion(body: &[u8]) -> Reading {
        let unfinished = Reading { unfinished: true, ..Reading::default() };
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return unfinished };
        let choices = body.get("choices").and_then(Value::as_array);
        let Some([choice]) = choices.map(Vec::as_slice) else { return unfinished };
        let finish = choice.get("finish_reason").and_then(Value::as_str);
        let message = &choice["message"];
        let refused = message.get("refusal").is_some_and(|refusal| !refusal.is_null());
        if matches!(finish, Some("length" | "content_filter")) || refused {
            return unfinished;
        }
        let text = match &message["content"] {
            Value::String(text) => text.clone(),
            Value::Array(parts) => {
                let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
                texts.collect::<Vec<_>>().join("\n")
            }
            _ => String::new(),
        };
        let called = message.get("tool_calls").and_then(Value::as_array);
        let Some(called) = called.filter(|calls| !calls.is_empty()) else {
            return Reading::of_text(&text);
        };
        let bytes = called.iter().map(|call| call.to_string().len()).sum::<usize>();
        match fields::calls(&message["tool_calls"]) {
            // What is said beside a call is no part of the answer.
            Some(calls) if bytes <= LARGEST_OBJECT => {
                Reading { bytes, calls, ..Reading::default() }
            }
            _ => unfinished,
        }
    }

    /// Bytes of memory that it takes, roughly.
    pub fn weight(&self) -> usize {
        let texts = self.phrases.iter().map(String::len).sum::<usize>()
            + self.closing.len()
            + self.short.as_ref().map_or(0, String::len);
        // A parsed value takes some three times its text.
        let values = match (&self.object, self.calls.is_empty()) {
            (None, true) => 0,
            _ => self.bytes * 3,
        };
        size_of::<Reading>() + texts + values + self.prose.weight()
    }

    /// Whether nothing can be said of it.
    pub(super) fn is_empty(&self) -> bool {
        self.unfinished || self.bytes == 0
    }
}
