//! What of a stream reaches the caller: the provider's bytes, but for usage that was not asked for.

use std::ops::Range;

use bytes::Bytes;

use super::{BOM, EventKind, StreamEvent, field, lines};
use crate::dialect::openai::spans::{Edit, Member, apply, cut, members};

/// What the caller gets of an event: its bytes, but nothing about usage that was not asked for.
/// A chunk that exists for its usage alone is dropped (`None`), a `usage` member is cut out of any
/// other; an empty chunk without usage (Azure's first) passes.
pub fn forward(event: &StreamEvent, asked_usage: bool) -> Option<Bytes> {
    let EventKind::Chunk(facts) = &event.kind else { return Some(event.raw.clone()) };
    if asked_usage || !facts.names_usage {
        return Some(event.raw.clone());
    }
    if facts.no_choices && facts.usage.is_some() {
        return None;
    }
    Some(without_usage(event).unwrap_or_else(|| event.raw.clone()))
}

/// As [`forward`], with another id and time (Unix seconds): for a caller whose request is not the one
/// that the answer was made for. A chunk that has neither gets neither.
pub fn forward_as(event: &StreamEvent, asked_usage: bool, id: &str, created: u64) -> Option<Bytes> {
    let EventKind::Chunk(facts) = &event.kind else { return Some(event.raw.clone()) };
    if !asked_usage && facts.names_usage && facts.no_choices && facts.usage.is_some() {
        return None;
    }
    let edited = edited(event, |found, at| match &*found[at].name {
        "usage" if !asked_usage => Some((cut(found, at), String::new())),
        "id" => Some((found[at].value.clone(), format!("\"{id}\""))),
        "created" => Some((found[at].value.clone(), created.to_string())),
        _ => None,
    });
    Some(edited.unwrap_or_else(|| event.raw.clone()))
}

fn without_usage(event: &StreamEvent) -> Option<Bytes> {
    edited(event, |found, at| (found[at].name == "usage").then(|| (cut(found, at), String::new())))
}

/// The event with those members replaced of which `edit`, told all of them and a place, says so.
fn edited(
    event: &StreamEvent,
    edit: impl Fn(&[Member<'_>], usize) -> Option<(Range<usize>, String)>,
) -> Option<Bytes> {
    let json = std::str::from_utf8(&event.data).ok()?;
    let found = members(json)?;
    let edits = (0..found.len())
        .filter_map(|at| edit(&found, at))
        .map(|(span, text)| Edit { span, text })
        .collect();
    Some(with_data(event, &apply(json.as_bytes(), edits)))
}

/// The event with other data: its first data line carries it, further ones go, and every other line
/// stays.
fn with_data(event: &StreamEvent, data: &[u8]) -> Bytes {
    let raw = &event.raw[..];
    let start = if raw.starts_with(BOM) { BOM.len() } else { 0 };
    let mut out = Vec::with_capacity(raw.len());
    out.extend_from_slice(&raw[..start]);
    let mut written = false;
    let mut lines = lines(raw, start).peekable();
    while let Some((from, to)) = lines.next() {
        let next = lines.peek().map_or(raw.len(), |next| next.0);
        match field(raw, from, to) {
            Some((b"data", _)) if written => {}
            Some((b"data", value)) => {
                out.extend_from_slice(&raw[from..value]);
                // A line feed between members of JSON is white space, so one line will do.
                out.extend(data.iter().map(|&byte| if byte == b'\n' { b' ' } else { byte }));
                out.extend_from_slice(&raw[to..next]);
                written = true;
            }
            _ => out.extend_from_slice(&raw[from..next]),
        }
    }
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::openai::stream::StreamReader;

    fn told(raw: &str, asked_usage: bool) -> Option<String> {
        let events = StreamReader::default().push(raw.as_bytes()).expect("events");
        assert_eq!(events.len(), 1, "{raw}");
        let told = forward_as(&events[0], asked_usage, "chatcmpl-own", 7)?;
        Some(String::from_utf8(told.to_vec()).expect("UTF-8"))
    }

    #[test]
    fn a_chunk_gets_another_id_and_time_and_keeps_the_rest() {
        let chunk = |id: &str, created: u32, usage: &str| {
            format!(
                "event: x\ndata: {{ \"created\" : {created},\"id\":\"{id}\",\"choices\":[{{\"index\":0,\
                 \"delta\":{{\"content\":\"a \\\"id\\\"\",\"id\":\"kept\"}}}}]{usage},\"more\":1.50}}\r\n\n"
            )
        };
        let null = ",\"usage\":null";
        assert_eq!(told(&chunk("up", 1, null), true), Some(chunk("chatcmpl-own", 7, null)));
        assert_eq!(told(&chunk("up", 1, null), false), Some(chunk("chatcmpl-own", 7, "")));
        assert_eq!(told(&chunk("up", 1, ""), false), Some(chunk("chatcmpl-own", 7, "")));
    }

    #[test]
    fn usage_alone_goes_to_those_who_asked_and_what_is_no_chunk_to_all() {
        let usage = |id: &str| {
            format!(
                "data: {{\"id\":\"{id}\",\"choices\":[],\"usage\":{{\"prompt_tokens\":3,\
                 \"completion_tokens\":2,\"total_tokens\":5}}}}\n\n"
            )
        };
        assert_eq!(told(&usage("up"), true), Some(usage("chatcmpl-own")));
        assert_eq!(told(&usage("up"), false), None);
        for raw in [": alive\n\n", "data: {\"id\":\"up\"}\n\n", "data: {\"choices\":[]}\n\n"] {
            assert_eq!(told(raw, false).as_deref(), Some(raw), "nothing to replace");
        }
    }
}
