//! A stored answer written for a hit, whole or as events, with a fresh id and time. Both forms copy
//! the stored JSON text: nothing is parsed into values or escaped anew, so that a hit costs little
//! more than its bytes. All events of a stream stand in one buffer.

use bytes::Bytes;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::spans::{Edit, Member, apply, members};

/// Ends a stream. A closing comment, if there is one, goes before it.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// Characters after which a piece of text ends at the next blank, and at the latest.
const PIECE_SOFT: usize = 20;
const PIECE_HARD: usize = 40;

/// An id for an answer, in OpenAI's form.
pub fn fresh_id(uuid: Uuid) -> String {
    format!("chatcmpl-{}", uuid.simple())
}

/// The stored answer with another id and time (Unix seconds); every other byte stays.
pub fn whole(answer: &[u8], id: &str, created: u64) -> Bytes {
    let Some((json, found)) = read(answer) else { return Bytes::copy_from_slice(answer) };
    let mut edits = Vec::with_capacity(2);
    for (name, value) in [("id", quoted(id)), ("created", created.to_string())] {
        edits.push(match found.iter().find(|member| member.name == name) {
            Some(member) => Edit { span: member.value.clone(), text: value },
            None => {
                let at = json.find('{').expect("an object has a brace") + 1;
                let comma = if found.is_empty() { "" } else { "," };
                Edit { span: at..at, text: format!("\"{name}\":{value}{comma}") }
            }
        });
    }
    Bytes::from(apply(answer, edits))
}

/// The stored answer as server-sent events, without [`DONE`]: for each choice its role, its text in
/// pieces, its tool calls and its end; then usage, if `include_usage`. Members that a delta does not
/// have stand in the choice's last event.
pub fn stream(answer: &[u8], id: &str, created: u64, include_usage: bool) -> Bytes {
    let Some((json, found)) = read(answer) else { return Bytes::new() };
    let mut frame = Frame::new(json, &found, id, created, include_usage);
    let choices: Vec<&RawValue> = found
        .iter()
        .find(|member| member.name == "choices")
        .and_then(|member| serde_json::from_str(&json[member.value.clone()]).ok())
        .unwrap_or_default();
    for (place, choice) in choices.iter().enumerate() {
        write_choice(&mut frame, choice.get(), place);
    }
    let usage = found.iter().find(|member| member.name == "usage");
    if let (true, Some(usage)) = (include_usage, usage) {
        frame.usage(&json[usage.value.clone()]);
    }
    Bytes::from(frame.out)
}

/// An error in the midst of a stream; nothing may follow it.
pub fn error_event(message: &str, kind: &str, code: Option<&str>) -> Bytes {
    let error = serde_json::json!({
        "error": {"message": message, "type": kind, "param": null, "code": code}
    });
    Bytes::from(format!("data: {error}\n\n"))
}

/// The buffer, and what every event has before and after its own part.
struct Frame<'a> {
    out: Vec<u8>,
    /// `data: {"id":…,` up to where `choices` stands.
    head: String,
    /// Top-level members for the last event of a choice.
    tail: Vec<&'a str>,
    /// From the end of `delta` to the end of an event that is not a choice's last.
    plain_end: &'static str,
    logprobs_end: &'static str,
    null_usage: &'static str,
}

impl<'a> Frame<'a> {
    fn new(
        json: &'a str,
        found: &[Member<'_>],
        id: &str,
        created: u64,
        include_usage: bool,
    ) -> Self {
        let mut head = format!(
            "data: {{\"id\":{},\"object\":\"chat.completion.chunk\",\"created\":{created}",
            quoted(id)
        );
        let mut tail = Vec::new();
        for member in found {
            let text = &json[member.whole.clone()];
            match &*member.name {
                "id" | "object" | "created" | "choices" | "usage" => {}
                "model" | "service_tier" | "system_fingerprint" => {
                    head.push(',');
                    head.push_str(text);
                }
                _ => tail.push(text),
            }
        }
        let (plain_end, logprobs_end, null_usage) = if include_usage {
            (
                "},\"finish_reason\":null}],\"usage\":null}\n\n",
                "},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n",
                ",\"usage\":null",
            )
        } else {
            (
                "},\"finish_reason\":null}]}\n\n",
                "},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
                "",
            )
        };
        let out = Vec::with_capacity(json.len() * 12 + 1024);
        Self { out, head, tail, plain_end, logprobs_end, null_usage }
    }

    fn put(&mut self, text: &str) {
        // White space between tokens of a stored answer may hold line ends, which would end the
        // event's line; inside strings they are escaped.
        if text.bytes().any(|byte| byte == b'\n' || byte == b'\r') {
            let one_line = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r'));
            self.out.extend(one_line);
        } else {
            self.out.extend_from_slice(text.as_bytes());
        }
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Opens an event up to the inside of its delta.
    fn open(&mut self, index: &str) {
        let head = std::mem::take(&mut self.head);
        self.put(&head);
        self.head = head;
        self.raw(",\"choices\":[{\"index\":");
        self.raw(index);
        self.raw(",\"delta\":{");
    }

    fn usage(&mut self, usage: &str) {
        let head = std::mem::take(&mut self.head);
        self.put(&head);
        self.raw(",\"choices\":[],\"usage\":");
        self.put(usage);
        self.raw("}\n\n");
    }
}

/// One choice being written.
struct Choice<'f, 'a> {
    frame: &'f mut Frame<'a>,
    index: String,
    end: &'static str,
}

impl Choice<'_, '_> {
    /// An event whose delta is `parts`, one after the other.
    fn event(&mut self, parts: &[&str]) {
        self.frame.open(&self.index);
        for part in parts {
            self.frame.put(part);
        }
        self.frame.raw(self.end);
    }

    /// A string in pieces, each between `before` and `after`.
    fn pieces(&mut self, string: &str, before: &[&str], after: &str) {
        let mut rest = inner(string);
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(piece_end(rest));
            self.frame.open(&self.index);
            for part in before {
                self.frame.put(part);
            }
            self.frame.raw("\"");
            self.frame.raw(piece);
            self.frame.raw("\"");
            self.frame.raw(after);
            self.frame.raw(self.end);
            rest = more;
        }
    }
}

fn write_choice(frame: &mut Frame<'_>, json: &str, place: usize) {
    let Some(found) = members(json) else { return };
    let value = |name: &str| {
        found.iter().find(|member| member.name == name).map(|member| &json[member.value.clone()])
    };
    let index = value("index").map_or_else(|| place.to_string(), str::to_owned);
    let end = if value("logprobs").is_some() { frame.logprobs_end } else { frame.plain_end };
    let mut choice = Choice { frame, index, end };
    if let Some(message) = value("message") {
        write_message(&mut choice, message);
    }
    let frame = choice.frame;
    frame.open(&choice.index);
    frame.raw("}");
    for member in &found {
        if !matches!(&*member.name, "index" | "message" | "delta") {
            frame.raw(",");
            frame.put(&json[member.whole.clone()]);
        }
    }
    frame.raw("}]");
    for member in std::mem::take(&mut frame.tail) {
        frame.raw(",");
        frame.put(member);
    }
    frame.raw(frame.null_usage);
    frame.raw("}\n\n");
}

fn write_message(choice: &mut Choice<'_, '_>, json: &str) {
    let Some(found) = members(json) else { return };
    write_role(choice, json, &found);
    // Reasoning comes before the answer, calls come last.
    let streamed = |member: &&Member<'_>| {
        !is_label(&member.name) && !matches!(&json[member.value.clone()], "null" | "\"\"")
    };
    let last = |member: &Member<'_>| match &*member.name {
        "content" => 1,
        "refusal" => 2,
        "annotations" => 3,
        "tool_calls" | "function_call" => 4,
        _ => 0,
    };
    let mut order: Vec<&Member<'_>> = found.iter().filter(streamed).collect();
    order.sort_by_key(|member| last(member));
    for member in order {
        let (name, value) = (name_text(json, member), &json[member.value.clone()]);
        match &*member.name {
            "tool_calls" => write_calls(choice, value),
            "function_call" => write_function(choice, name, value),
            _ if value.starts_with('"') => choice.pieces(value, &[name], ""),
            _ => choice.event(&[name, value]),
        }
    }
}

/// The first event: the role and other labels, and what is empty or null from the start.
fn write_role(choice: &mut Choice<'_, '_>, json: &str, found: &[Member<'_>]) {
    let mut parts: Vec<&str> = Vec::new();
    for member in found {
        let value = &json[member.value.clone()];
        let announced = member.name == "content" && value.starts_with('"');
        let silent = matches!(value, "null" | "\"\"") && member.name != "tool_calls";
        let shown = match () {
            () if announced => "\"\"",
            () if is_label(&member.name) || silent => value,
            () => continue,
        };
        if !parts.is_empty() {
            parts.push(",");
        }
        parts.extend([name_text(json, member), shown]);
    }
    choice.event(&parts);
}

/// Labels of a message, which no client appends.
fn is_label(name: &str) -> bool {
    matches!(name, "role" | "name" | "channel" | "index")
}

/// Each tool call: first all but its arguments, then these in pieces.
fn write_calls(choice: &mut Choice<'_, '_>, json: &str) {
    let calls: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
    for (place, call) in calls.iter().enumerate() {
        let call = call.get();
        let Some(found) = members(call) else { continue };
        let index = format!("\"tool_calls\":[{{\"index\":{place}");
        let mut announced = index.clone();
        let mut arguments = None;
        for member in found.iter().filter(|member| member.name != "index") {
            announced.push(',');
            if matches!(&*member.name, "function" | "custom") {
                let name = name_text(call, member);
                let (rest, split) = without_arguments(&call[member.value.clone()]);
                arguments = split.map(|split| (name, split));
                announced.push_str(name);
                announced.push_str(&rest);
            } else {
                announced.push_str(&call[member.whole.clone()]);
            }
        }
        announced.push_str("}]");
        choice.event(&[&announced]);
        if let Some((function, (name, text))) = arguments {
            choice.pieces(text, &[&index, ",", function, "{", name], "}}]");
        }
    }
}

fn write_function(choice: &mut Choice<'_, '_>, name: &str, json: &str) {
    let (stripped, arguments) = without_arguments(json);
    choice.event(&[name, &stripped]);
    if let Some((member, text)) = arguments {
        choice.pieces(text, &[name, "{", member], "}");
    }
}

/// Name (with its colon) and string of a member that streams in pieces.
type Arguments<'a> = (&'a str, &'a str);

/// A function with its arguments emptied, and those arguments.
fn without_arguments(json: &str) -> (String, Option<Arguments<'_>>) {
    let found = members(json).unwrap_or_default();
    let growing = found.iter().find(|member| {
        matches!(&*member.name, "arguments" | "input")
            && json[member.value.clone()].starts_with('"')
    });
    let Some(member) = growing else { return (json.to_owned(), None) };
    let stripped = [&json[..member.value.start], "\"\"", &json[member.value.end..]].concat();
    (stripped, Some((name_text(json, member), &json[member.value.clone()])))
}

/// A member's name and colon as they stand, white space included.
fn name_text<'j>(json: &'j str, member: &Member<'_>) -> &'j str {
    &json[member.whole.start..member.value.start]
}

/// A JSON string without its quotes, still escaped.
fn inner(string: &str) -> &str {
    string.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default()
}

/// Where the first piece of an escaped string ends: never inside an escape, a character or a pair of
/// surrogates, and before a blank where one comes in time.
fn piece_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut characters) = (0, 0);
    while at < bytes.len() && characters < PIECE_HARD {
        if characters >= PIECE_SOFT && bytes[at] == b' ' {
            break;
        }
        at += match bytes[at] {
            b'\\' if bytes.get(at + 1) == Some(&b'u') => {
                let high = matches!(
                    bytes.get(at + 2..at + 4),
                    Some([b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B'])
                );
                let paired = bytes.get(at + 6..at + 8) == Some(b"\\u");
                if high && paired { 12 } else { 6 }
            }
            b'\\' => 2,
            0x00..0x80 => 1,
            0x80..0xE0 => 2,
            0xE0..0xF0 => 3,
            0xF0.. => 4,
        };
        characters += 1;
    }
    at.min(bytes.len())
}

fn read(answer: &[u8]) -> Option<(&str, Vec<Member<'_>>)> {
    let json = std::str::from_utf8(answer).ok()?;
    Some((json, members(json)?))
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}

#[cfg(test)]
mod tests;
