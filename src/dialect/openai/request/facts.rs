//! What a request is about, read once from its parsed form: the prompt, the last message, and the
//! discrete facts that rules, requirements and features use.

use serde_json::{Map, Value};

use super::{Facts, LastMessage};
use crate::dialect::openai::tokens::estimate_tokens;

/// Tokens that every message costs beside its text, and those that prime the answer.
const MESSAGE_TOKENS: u64 = 4;
const PRIMING_TOKENS: u64 = 3;
/// Tokens that a tool call costs beside its name and arguments.
const CALL_TOKENS: u64 = 12;
/// Tokens of an image in full detail and in low detail, by OpenAI's tiles: 85 and 170 for each of
/// about six tiles.
const IMAGE_TOKENS: u64 = 1_105;
const LOW_IMAGE_TOKENS: u64 = 85;
/// Tokens counted for a file or a recording, whose length in tokens cannot be seen from here.
const FILE_TOKENS: u64 = 1_500;

/// Text of the last user message: its string, or its text parts joined by a line feed.
pub(super) fn prompt(messages: &[Value]) -> String {
    let last = messages.iter().rfind(|message| message["role"] == "user");
    match last.map(|message| &message["content"]) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts: Vec<&str> = parts.iter().filter_map(part_text).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// What the last message is. A part that is neither text, image nor audio counts as a file: nothing
/// that the semantic level could compare.
pub(super) fn last(messages: &[Value]) -> LastMessage {
    let Some(message) = messages.last() else { return LastMessage::Prefill };
    match message["role"].as_str() {
        Some("user") => {}
        Some("tool" | "function") => return LastMessage::ToolResult,
        _ => return LastMessage::Prefill,
    }
    let mut found = LastMessage::UserText;
    for part in parts(message) {
        match part["type"].as_str() {
            Some("text") => {}
            Some("image_url" | "image" | "input_image") => return LastMessage::UserImage,
            Some("input_audio") if found == LastMessage::UserText => found = LastMessage::UserAudio,
            Some("input_audio") => {}
            _ => found = LastMessage::UserFile,
        }
    }
    found
}

pub(super) fn facts(body: &Map<String, Value>, messages: &[Value], prompt: &str) -> Facts {
    let format = body.get("response_format").and_then(|format| format["type"].as_str());
    let listed =
        |name: &str| body.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    Facts {
        prompt_chars: prompt.chars().count(),
        prompt_tokens: prompt_tokens(body, messages),
        turns: messages.iter().filter(|message| message["role"] == "user").count(),
        has_tools: listed("tools") || listed("functions"),
        has_image: messages.iter().flat_map(parts).any(is_image),
        wants_json: matches!(format, Some("json_object" | "json_schema")),
        wants_json_schema: format == Some("json_schema"),
        has_code: has_code(prompt),
    }
}

/// Estimate for the whole request: text of all messages, tools and schemas as JSON, a fixed price
/// for images and files.
fn prompt_tokens(body: &Map<String, Value>, messages: &[Value]) -> u64 {
    let messages: u64 = messages.iter().map(message_tokens).sum();
    let described: u64 = ["tools", "functions", "response_format"]
        .iter()
        .filter_map(|name| body.get(*name))
        .filter(|value| !value.is_null())
        .map(|value| estimate_tokens(&value.to_string()))
        .sum();
    PRIMING_TOKENS + messages + described
}

fn message_tokens(message: &Value) -> u64 {
    let content = match &message["content"] {
        Value::String(text) => estimate_tokens(text),
        _ => parts(message).iter().map(part_tokens).sum(),
    };
    let beside: u64 = ["name", "reasoning_content", "refusal"]
        .iter()
        .filter_map(|name| message[*name].as_str())
        .map(estimate_tokens)
        .sum();
    let calls: u64 = message["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|call| [&call["function"], &call["custom"]])
        .chain([&message["function_call"]])
        .map(function_tokens)
        .sum();
    MESSAGE_TOKENS + content + beside + calls
}

fn function_tokens(function: &Value) -> u64 {
    if !function.is_object() {
        return 0;
    }
    let texts = ["name", "arguments", "input"].iter().filter_map(|name| function[*name].as_str());
    CALL_TOKENS + texts.map(estimate_tokens).sum::<u64>()
}

fn part_tokens(part: &Value) -> u64 {
    match part["type"].as_str() {
        Some("text") => part["text"].as_str().map_or(0, estimate_tokens),
        _ if is_image(part) && part["image_url"]["detail"] == "low" => LOW_IMAGE_TOKENS,
        _ if is_image(part) => IMAGE_TOKENS,
        Some("refusal") => part["refusal"].as_str().map_or(0, estimate_tokens),
        _ => FILE_TOKENS,
    }
}

fn parts(message: &Value) -> &[Value] {
    message["content"].as_array().map_or(&[], Vec::as_slice)
}

fn part_text(part: &Value) -> Option<&str> {
    if part["type"] == "text" { part["text"].as_str() } else { None }
}

fn is_image(part: &Value) -> bool {
    matches!(part["type"].as_str(), Some("image_url" | "image" | "input_image"))
}

/// A fenced block, or at least two lines that prose hardly has: they end like statements or start
/// with a keyword of a common language.
fn has_code(prompt: &str) -> bool {
    prompt.contains("```") || prompt.lines().filter(|line| is_code_line(line)).nth(1).is_some()
}

fn is_code_line(line: &str) -> bool {
    const STARTS: [&str; 22] = [
        "def ",
        "fn ",
        "pub ",
        "let ",
        "const ",
        "var ",
        "func ",
        "function ",
        "class ",
        "struct ",
        "impl ",
        "import ",
        "#include",
        "package ",
        "return ",
        "if (",
        "for (",
        "while (",
        "@",
        "public ",
        "private ",
        "</",
    ];
    let line = line.trim();
    let statement = line.len() > 1
        && (line.ends_with(';')
            || line.ends_with('{')
            || line.ends_with("},")
            || line.ends_with("):"));
    let keyword = STARTS.iter().any(|start| line.starts_with(start))
        && line.contains(['(', '{', '=', ';', '<', '/', '"', '.', ':']);
    statement || keyword || line == "}" || line == "};"
}
