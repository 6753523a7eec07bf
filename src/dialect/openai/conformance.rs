//! The dialect against recorded traffic of many OpenAI-compatible providers. The recordings are not
//! part of the project: the tests look for them below `$SEMGATE_DATA` and pass with a note without.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::request::LastMessage;
use super::*;

/// A recorded exchange and the neutral reading of its answer.
struct Record {
    id: String,
    provider: String,
    record: Value,
    expected: Value,
}

/// All recorded chat completions, or `None` without the recordings.
#[expect(clippy::disallowed_methods, reason = "the recordings are found through the environment")]
fn records() -> Option<Vec<Record>> {
    let folder = PathBuf::from(std::env::var("SEMGATE_DATA").ok()?).join("wire");
    let lines = |path: &PathBuf| -> Vec<Value> {
        let text = std::fs::read(path).expect("a readable file");
        text.split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .filter(|line| {
                // Only the start of a record names its endpoint, so most lines need no parse.
                let start = String::from_utf8_lossy(&line[..line.len().min(400)]);
                start.contains("\"endpoint\": \"chat.completions\"")
            })
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect()
    };
    let expected: BTreeMap<String, Value> = lines(&folder.join("EXPECTED.jsonl"))
        .into_iter()
        .map(|line| (line["id"].as_str().unwrap_or_default().to_owned(), line))
        .collect();
    let mut found = Vec::new();
    for file in std::fs::read_dir(&folder).ok()?.flatten() {
        let path = file.path();
        let is_recording = path.extension().is_some_and(|end| end == "jsonl");
        if !is_recording || path.ends_with("EXPECTED.jsonl") {
            continue;
        }
        for record in lines(&path) {
            let id = record["id"].as_str().unwrap_or_default().to_owned();
            if let Some(expected) = expected.get(&id) {
                let provider = record["provider"].as_str().unwrap_or_default().to_owned();
                found.push(Record { id, provider, expected: expected.clone(), record });
            }
        }
    }
    Some(found)
}

#[expect(
    clippy::print_stderr,
    reason = "a test that had nothing to test says so, and tells figures"
)]
fn tell(line: &str) {
    eprintln!("{line}");
}

/// Text and reasoning of a message's content, be it a string, parts or an object.
fn content_of(content: &Value) -> (String, String) {
    match content {
        Value::String(text) => (text.clone(), String::new()),
        Value::Array(parts) => {
            let (mut text, mut reasoning) = (String::new(), String::new());
            for part in parts {
                match (part["type"].as_str(), &part["thinking"]) {
                    (Some("text"), _) => text.push_str(part["text"].as_str().unwrap_or_default()),
                    (Some("thinking"), Value::String(thought)) => reasoning.push_str(thought),
                    (Some("thinking"), Value::Array(thoughts)) => {
                        for thought in thoughts {
                            reasoning.push_str(thought["text"].as_str().unwrap_or_default());
                        }
                    }
                    _ => {}
                }
            }
            (text, reasoning)
        }
        _ => (String::new(), String::new()),
    }
}

/// The neutral reading of a folded answer, in the shape of the expected one.
fn neutral(answer: &Value) -> Value {
    let message = &answer["choices"][0]["message"];
    let (text, thought) = content_of(&message["content"]);
    let named = |name: &str| message[name].as_str().filter(|text| !text.is_empty());
    let reasoning = Some(thought.as_str())
        .filter(|thought| !thought.is_empty())
        .or_else(|| named("reasoning_content"))
        .or_else(|| named("reasoning"));
    let calls: Vec<Value> = message["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|call| {
            let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
            let arguments = match arguments {
                "" => json!({}),
                text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
            };
            json!({"id": call["id"], "name": call["function"]["name"], "arguments": arguments})
        })
        .collect();
    json!({"text": text, "reasoning": reasoning.unwrap_or_default(), "tool_calls": calls,
        "finish": answer["choices"][0]["finish_reason"]})
}

/// Reads a stream in pieces of `step` bytes.
fn read(sse: &[u8], step: usize) -> Vec<StreamEvent> {
    let mut reader = StreamReader::default();
    let mut events = Vec::new();
    for piece in sse.chunks(step) {
        events.extend(reader.push(piece).expect("within the limit"));
    }
    events.extend(reader.finish().expect("within the limit"));
    events
}

/// What of a stream differs from its expected reading.
fn stream_difference(sse: &str, expected: &Value) -> Option<String> {
    let events = read(sse.as_bytes(), sse.len().max(1));
    if events != read(sse.as_bytes(), 7) {
        return Some("another split, other events".into());
    }
    let raw: Vec<u8> = events.iter().flat_map(|event| event.raw.to_vec()).collect();
    if raw != sse.as_bytes() {
        return Some("bytes were lost".into());
    }
    let failed = events.iter().any(|event| event.kind == EventKind::Error);
    if failed == expected["error"].is_null() {
        return Some(format!("error {failed}, expected {}", expected["error"]));
    }
    if events.iter().any(|event| event.kind == EventKind::Unknown) {
        return Some("an unknown event".into());
    }
    let mut accumulator = Accumulator::new(1 << 24);
    events.iter().for_each(|event| accumulator.push(event));
    let usage = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Chunk(facts) => facts.usage,
        _ => None,
    });
    let answer = match accumulator.finish() {
        Some(answer) => serde_json::from_slice(&answer).expect("JSON"),
        None => Value::Null,
    };
    let found = neutral(&answer);
    for (name, value) in found.as_object().expect("an object") {
        if *value != expected[name] {
            return Some(format!("{name}: {value} expected {}", expected[name]));
        }
    }
    usage_difference(usage, &expected["usage"])
}

fn usage_difference(found: Option<crate::dialect::Usage>, expected: &Value) -> Option<String> {
    let said = |name: &str| expected[name].as_u64().unwrap_or(0);
    if expected.is_null() || (said("prompt_tokens") == 0 && said("completion_tokens") == 0) {
        return None;
    }
    let Some(found) = found else { return Some(format!("no usage, expected {expected}")) };
    // Reasoning that the provider left out of the completion is counted by us.
    let (prompt, completion) = (said("prompt_tokens"), said("completion_tokens"));
    let cached = said("cached_tokens");
    let counted = if cached > prompt { prompt + cached } else { prompt };
    let reasoning = said("reasoning_tokens");
    let outside = said("total_tokens") == prompt + completion + reasoning;
    let completion = if outside { completion + reasoning } else { completion };
    let same = found.prompt_tokens == counted
        && found.completion_tokens == completion
        && found.reasoning_tokens == reasoning
        && (expected["cached_tokens"].is_null() || found.cached_tokens == cached);
    (!same).then(|| format!("usage: {found:?} expected {expected}"))
}

#[test]
fn recorded_streams_read_and_fold_as_expected() {
    let Some(records) = records() else { return tell("skipped: SEMGATE_DATA has no recordings") };
    let mut total = 0;
    let mut different = Vec::new();
    for record in &records {
        let Some(sse) = record.record["response"]["sse"].as_str() else { continue };
        total += 1;
        if let Some(why) = stream_difference(sse, &record.expected) {
            let why: String = why.chars().take(300).collect();
            different.push(format!("{} {}: {why}", record.provider, record.id));
        }
    }
    tell(&format!("{} of {total} streams agree", total - different.len()));
    different.iter().for_each(|line| tell(line));
    assert!(total > 0 && different.is_empty(), "{different:#?}");
}

#[test]
fn recorded_answers_read_as_expected() {
    let Some(records) = records() else { return tell("skipped: SEMGATE_DATA has no recordings") };
    let mut total = 0;
    let mut different = Vec::new();
    for record in &records {
        let body = &record.record["response"]["body"];
        let status = record.record["response"]["status"].as_u64().unwrap_or(200);
        // Some recordings under this endpoint are transcriptions.
        if body["choices"].is_null() || status >= 300 {
            continue;
        }
        total += 1;
        let expected = &record.expected;
        let difference = match Completion::read(body.to_string().as_bytes()) {
            Err(fault) => Some(fault.to_string()),
            Ok(read) => {
                // The neutral reading leaves the legacy function call out.
                let legacy = &body["choices"][0]["message"]["function_call"]["name"];
                let calls = expected["tool_calls"] != json!([])
                    || !matches!(legacy.as_str(), None | Some(""));
                let text = expected["text"].as_str().is_some_and(|text| !text.is_empty());
                if (read.has_content, read.has_tool_calls) != (text, calls) {
                    Some(format!("{read:?}"))
                } else if read.finish_reason.as_deref()
                    != expected["finish"].as_str().filter(|finish| !finish.is_empty())
                {
                    Some(format!("finish {:?}", read.finish_reason))
                } else {
                    usage_difference(read.usage, &expected["usage"])
                }
            }
        };
        if let Some(why) = difference {
            different.push(format!("{} {}: {why}", record.provider, record.id));
        }
    }
    tell(&format!("{} of {total} answers agree", total - different.len()));
    assert!(total > 0 && different.is_empty(), "{different:#?}");
}

#[test]
fn recorded_requests_that_were_answered_are_accepted() {
    let Some(records) = records() else { return tell("skipped: SEMGATE_DATA has no recordings") };
    let mut refused = Vec::new();
    let mut ratios = Vec::new();
    for record in &records {
        let status = record.record["response"]["status"].as_u64().unwrap_or(200);
        let Value::Object(body) = &record.record["request"]["body"] else { continue };
        // Azure's older URLs name the model instead of the body.
        if status >= 300
            || !(body.contains_key("messages") && body.get("model").is_some_and(Value::is_string))
        {
            continue;
        }
        match ChatRequest::decode(Bytes::from(Value::Object(body.clone()).to_string())) {
            Err(error) => {
                refused.push(format!("{} {}: {}", record.provider, record.id, error.message()))
            }
            Ok(request) => {
                assert!(matches!(crate::guard::check(&request), crate::guard::GuardVerdict::Pass));
                if let Some(ratio) = token_ratio(&request, record) {
                    ratios.push(ratio);
                }
            }
        }
    }
    ratios.sort_by(f64::total_cmp);
    let at = |share: f64| ratios[((ratios.len() - 1) as f64 * share) as usize];
    let quantiles: Map<String, Value> = [0.05, 0.25, 0.5, 0.75, 0.95]
        .iter()
        .map(|share| (format!("{share}"), json!(at(*share))))
        .collect();
    tell(&format!("estimate / counted prompt tokens, {} requests: {quantiles:?}", ratios.len()));
    assert!((0.9..1.3).contains(&at(0.5)), "median {}", at(0.5));
    assert!(refused.is_empty(), "{refused:#?}");
}

/// Estimated over counted prompt tokens of an OpenAI request in plain text.
fn token_ratio(request: &ChatRequest, record: &Record) -> Option<f64> {
    let counted = record.expected["usage"]["prompt_tokens"].as_u64().filter(|&count| count > 20)?;
    let text = !matches!(request.last, LastMessage::UserFile | LastMessage::UserAudio);
    let plain = !request.facts.has_tools && !request.facts.has_image && !request.facts.wants_json;
    (record.provider == "openai" && text && plain)
        .then(|| request.facts.prompt_tokens as f64 / counted as f64)
}
