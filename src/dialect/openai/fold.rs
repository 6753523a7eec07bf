//! A stream folded into the whole answer that the same request would have got without streaming:
//! what the cache stores and a caller who asked for JSON may get.
//!
//! Strings of a delta are appended, arrays are appended, tool calls are joined by their index, and
//! anything else that a provider sends keeps its last value. Padding (`obfuscation`, `p`) is dropped.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::stream::{EventKind, StreamEvent};

/// Members that pad a chunk against guessing by its length.
const PADDING: [&str; 3] = ["obfuscation", "p", "padding"];

/// Collects the chunks of one stream. Memory is bounded: an answer beyond the limit is given up, and
/// only its running totals go on.
#[derive(Debug)]
pub struct Accumulator {
    max_bytes: usize,
    /// Bytes of values taken in so far.
    taken: usize,
    /// `None` once the answer is given up.
    answer: Option<Answer>,
    output_chars: usize,
}

#[derive(Debug, Default)]
struct Answer {
    /// Top-level members but `choices`.
    members: Map<String, Value>,
    /// By the choice's `index`.
    choices: Vec<(u64, Choice)>,
}

#[derive(Debug, Default)]
struct Choice {
    /// Members but `index`, `delta` and `message`.
    members: Map<String, Value>,
    message: Map<String, Value>,
    /// With the index that the stream gave it.
    tool_calls: Vec<(Option<u64>, Map<String, Value>)>,
}

impl Accumulator {
    /// An accumulator that gives up beyond `max_bytes` of answer (names, framing and what a later
    /// chunk replaces are not counted).
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes, taken: 0, answer: Some(Answer::default()), output_chars: 0 }
    }

    /// Takes in one event; only chunks matter. A chunk that does not parse may have carried a piece
    /// of the answer: what is left is no whole one.
    pub fn push(&mut self, event: &StreamEvent) {
        if matches!(event.kind, EventKind::Unknown) && is_broken_object(&event.data) {
            self.answer = None;
        }
        let EventKind::Chunk(facts) = &event.kind else { return };
        self.output_chars += facts.output_chars;
        let Some(answer) = &mut self.answer else { return };
        let folded = match serde_json::from_slice(&event.data) {
            Ok(Value::Object(chunk)) => {
                self.taken += answer.fold(chunk);
                self.taken <= self.max_bytes
            }
            _ => false,
        };
        if !folded {
            self.answer = None;
        }
    }

    /// Characters of output so far, also of an answer that was given up.
    pub fn output_chars(&self) -> usize {
        self.output_chars
    }

    /// The whole answer as a `chat.completion` object; `None` when it was too large, unreadable, or
    /// had no choice. Whether the stream was complete is for the caller to know.
    pub fn finish(self) -> Option<Bytes> {
        let answer = self.answer?.into_value()?;
        serde_json::to_vec(&answer).ok().map(Bytes::from)
    }
}

/// Whether data begins as a JSON object and is none.
fn is_broken_object(data: &[u8]) -> bool {
    data.trim_ascii().starts_with(b"{")
        && serde_json::from_slice::<serde::de::IgnoredAny>(data).is_err()
}

impl Answer {
    /// Merges a chunk and returns the bytes it added.
    fn fold(&mut self, chunk: Map<String, Value>) -> usize {
        let mut added = 0;
        for (name, value) in chunk {
            match (name.as_str(), value) {
                ("choices", Value::Array(choices)) => {
                    for choice in choices {
                        if let Value::Object(choice) = choice {
                            added += self.fold_choice(choice);
                        }
                    }
                }
                ("choices" | "object", _) => {}
                (padding, _) if PADDING.contains(&padding) => {}
                // Azure's first chunk has these empty; all others repeat them.
                ("id" | "created" | "model", value) => {
                    added += keep_first(&mut self.members, name, value);
                }
                (_, value) => added += keep_last(&mut self.members, name, value),
            }
        }
        added
    }

    fn fold_choice(&mut self, mut choice: Map<String, Value>) -> usize {
        let index = choice.remove("index").and_then(|index| index.as_u64()).unwrap_or(0);
        let place = self.choices.iter().position(|(known, _)| *known == index);
        let place = place.unwrap_or_else(|| {
            self.choices.push((index, Choice::default()));
            self.choices.len() - 1
        });
        self.choices[place].1.fold(choice)
    }

    fn into_value(self) -> Option<Value> {
        if self.choices.is_empty() {
            return None;
        }
        let mut members = self.members;
        let mut choices = self.choices;
        choices.sort_by_key(|(index, _)| *index);
        members.insert("object".into(), "chat.completion".into());
        // `usage: null` announces a last chunk; without that chunk it says nothing.
        if members.get("usage").is_some_and(Value::is_null) {
            members.remove("usage");
        }
        let choices: Vec<Value> =
            choices.into_iter().map(|(index, choice)| choice.into_value(index)).collect();
        members.insert("choices".into(), choices.into());
        Some(Value::Object(members))
    }
}

impl Choice {
    fn fold(&mut self, choice: Map<String, Value>) -> usize {
        let mut added = 0;
        for (name, value) in choice {
            match (name.as_str(), value) {
                ("delta", Value::Object(delta)) => added += self.fold_delta(delta),
                // Perplexity repeats the whole message so far beside the delta.
                ("delta" | "message", _) => {}
                ("logprobs", Value::Object(logprobs)) => {
                    let held = self.members.entry(name).or_insert(Value::Null);
                    if !held.is_object() {
                        *held = Value::Object(Map::new());
                    }
                    if let Value::Object(held) = held {
                        for (name, value) in logprobs {
                            added += append(held, name, value);
                        }
                    }
                }
                (_, value @ Value::Array(_)) => added += append(&mut self.members, name, value),
                (_, value) => added += keep_last(&mut self.members, name, value),
            }
        }
        added
    }

    fn fold_delta(&mut self, delta: Map<String, Value>) -> usize {
        let mut added = 0;
        for (name, value) in delta {
            match (name.as_str(), value) {
                ("tool_calls", Value::Array(calls)) => {
                    for call in calls {
                        if let Value::Object(call) = call {
                            added += self.fold_call(call);
                        }
                    }
                }
                // An empty announcement; whether there are calls shows in the calls.
                ("tool_calls", _) => {}
                ("function_call" | "audio", Value::Object(part)) => {
                    let held = self.message.entry(name).or_insert(Value::Null);
                    if !held.is_object() {
                        *held = Value::Object(Map::new());
                    }
                    if let Value::Object(held) = held {
                        added += fold_function(held, part);
                    }
                }
                (padding, _) if PADDING.contains(&padding) => {}
                // Repeated labels, not text.
                ("role" | "name" | "channel" | "index", value) => {
                    added += keep_last(&mut self.message, name, value);
                }
                (_, value) => added += append(&mut self.message, name, value),
            }
        }
        added
    }

    fn fold_call(&mut self, mut call: Map<String, Value>) -> usize {
        let index = call.remove("index").and_then(|index| index.as_u64());
        let id = call.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let place = self.place_of_call(index, id, names_function(&call)).unwrap_or_else(|| {
            self.tool_calls.push((index, Map::new()));
            self.tool_calls.len() - 1
        });
        let held = &mut self.tool_calls[place].1;
        let mut added = 0;
        for (name, value) in call {
            match (name.as_str(), value) {
                ("function" | "custom", Value::Object(part)) => {
                    let function = held.entry(name).or_insert_with(|| Map::new().into());
                    if let Value::Object(function) = function {
                        added += fold_function(function, part);
                    }
                }
                ("id" | "type", value) => added += keep_first(held, name, value),
                (_, value) => added += keep_last(held, name, value),
            }
        }
        added
    }

    /// Which call a delta continues. Without an index (Mistral, Gemini) a new id starts a new call;
    /// under one index (older Ollama) so does a new id that comes with a function's name.
    fn place_of_call(&self, index: Option<u64>, id: Option<&str>, named: bool) -> Option<usize> {
        let held_id = |place: usize| self.tool_calls[place].1.get("id").and_then(Value::as_str);
        let same_id = || (0..self.tool_calls.len()).rfind(|&place| held_id(place) == id);
        let Some(index) = index else {
            return match id {
                Some(_) => same_id(),
                None if named => None,
                None => self.tool_calls.len().checked_sub(1),
            };
        };
        let place = self.tool_calls.iter().rposition(|(known, _)| *known == Some(index))?;
        let other = id.is_some() && held_id(place).is_some_and(|held| Some(held) != id);
        if other && named { same_id() } else { Some(place) }
    }

    fn into_value(self, index: u64) -> Value {
        let mut message = self.message;
        message.entry("role").or_insert("assistant".into());
        message.entry("content").or_insert(Value::Null);
        if !self.tool_calls.is_empty() {
            let calls: Vec<Value> =
                self.tool_calls.into_iter().map(|(_, call)| call.into()).collect();
            message.insert("tool_calls".into(), calls.into());
        }
        let mut choice = self.members;
        choice.entry("finish_reason").or_insert(Value::Null);
        choice.insert("index".into(), index.into());
        choice.insert("message".into(), message.into());
        choice.into()
    }
}

fn names_function(call: &Map<String, Value>) -> bool {
    let name = |member: &str| call.get(member).and_then(|function| function["name"].as_str());
    name("function").or_else(|| name("custom")).is_some_and(|name| !name.is_empty())
}

/// Merges a part of a function (or of a recording): its name and id come once, the rest grows.
/// Arguments that come as an object instead of a string are written as one.
fn fold_function(held: &mut Map<String, Value>, part: Map<String, Value>) -> usize {
    let mut added = 0;
    for (name, value) in part {
        added += match (name.as_str(), value) {
            ("name" | "id", value) => keep_first(held, name, value),
            ("arguments", value @ (Value::Object(_) | Value::Array(_))) => {
                append(held, name, value.to_string().into())
            }
            (_, value) => append(held, name, value),
        };
    }
    added
}

/// Sets a member that comes once: later values do not replace one that says something.
fn keep_first(members: &mut Map<String, Value>, name: String, value: Value) -> usize {
    match members.get_mut(&name) {
        Some(held) if !says_nothing(held) => 0,
        Some(held) => {
            let added = size(&value);
            *held = value;
            added
        }
        None => insert(members, name, value),
    }
}

/// Sets a member whose last value counts, unless that says nothing.
fn keep_last(members: &mut Map<String, Value>, name: String, value: Value) -> usize {
    match members.get_mut(&name) {
        Some(_) if says_nothing(&value) => 0,
        Some(held) if *held == value => 0,
        Some(held) => {
            let added = size(&value).saturating_sub(size(held));
            *held = value;
            added
        }
        None => insert(members, name, value),
    }
}

/// Lets a member grow: strings and arrays are appended, the last of anything else counts. Text and
/// parts meet in a list of parts (Mistral's thinking, then its answer).
fn append(members: &mut Map<String, Value>, name: String, value: Value) -> usize {
    let added = size(&value);
    match (members.get_mut(&name), value) {
        (None, value) => return insert(members, name, value),
        (Some(_), Value::Null) => return 0,
        (Some(Value::String(held)), Value::String(more)) => {
            held.push_str(&more);
            return more.len();
        }
        (Some(Value::Array(held)), Value::Array(more)) => held.extend(more),
        (Some(Value::Array(held)), Value::String(more)) => append_text(held, more),
        (Some(held @ Value::String(_)), Value::Array(more)) => {
            let text = held.as_str().unwrap_or_default().to_owned();
            let mut parts = Vec::new();
            append_text(&mut parts, text);
            parts.extend(more);
            *held = parts.into();
        }
        (Some(held), value) => *held = value,
    }
    added
}

fn append_text(parts: &mut Vec<Value>, more: String) {
    if more.is_empty() {
        return;
    }
    if let Some(Value::Object(last)) = parts.last_mut()
        && last.get("type").is_some_and(|kind| kind == "text")
        && let Some(Value::String(text)) = last.get_mut("text")
    {
        return text.push_str(&more);
    }
    let part = [("type".to_owned(), "text".into()), ("text".to_owned(), more.into())];
    parts.push(Value::Object(part.into_iter().collect()));
}

fn insert(members: &mut Map<String, Value>, name: String, value: Value) -> usize {
    let added = name.len() + size(&value);
    members.insert(name, value);
    added
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

/// Bytes that a value will take, near enough for a limit.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| size(item) + 1).sum::<usize>(),
        Value::Object(members) => {
            2 + members.iter().map(|(name, value)| name.len() + size(value) + 4).sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests;
