//! The few changes that a request needs on its way out, made in its bytes: everything else, white
//! space and unknown members included, stays as the caller sent it.

use bytes::Bytes;

use super::ChatRequest;
use crate::dialect::openai::spans::{Edit, Member, apply, members};

/// What changes on the way to one upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edits<'a> {
    /// The upstream's own model id.
    pub model: &'a str,
    /// Ask for usage at a stream's end; a request that does not stream stays without.
    pub include_usage: bool,
    /// An output limit to set, replacing the caller's `max_completion_tokens`.
    pub max_completion_tokens: Option<u64>,
}

pub(super) fn outgoing(request: &ChatRequest, edits: &Edits<'_>) -> Bytes {
    let json = std::str::from_utf8(&request.raw).expect("a decoded request is UTF-8");
    let found = members(json).expect("a decoded request is an object");
    let mut changes = Vec::new();
    if edits.model != request.model {
        let name = serde_json::to_string(edits.model).expect("a string is always JSON");
        set(json, &found, "model", name, &mut changes);
    }
    if edits.include_usage && request.stream && !request.include_usage {
        include_usage(json, &found, &mut changes);
    }
    if let Some(limit) = edits.max_completion_tokens {
        set(json, &found, "max_completion_tokens", limit.to_string(), &mut changes);
    }
    if changes.is_empty() {
        return request.raw.clone();
    }
    Bytes::from(apply(json.as_bytes(), changes))
}

/// Gives a member of the outer object a value: in its place, or first in the object.
fn set(json: &str, found: &[Member<'_>], name: &str, value: String, changes: &mut Vec<Edit>) {
    changes.push(match found.iter().find(|member| member.name == name) {
        Some(member) => Edit { span: member.value.clone(), text: value },
        None => {
            let at = json.find('{').expect("an object has a brace") + 1;
            let comma = if found.is_empty() { "" } else { "," };
            Edit { span: at..at, text: format!("\"{name}\":{value}{comma}") }
        }
    });
}

/// Sets `stream_options.include_usage`, keeping whatever else the options say.
fn include_usage(json: &str, found: &[Member<'_>], changes: &mut Vec<Edit>) {
    let options = found.iter().find(|member| member.name == "stream_options");
    let Some((options, inner)) = options.and_then(|member| {
        members(&json[member.value.clone()]).map(|inner| (member.value.start, inner))
    }) else {
        return set(json, found, "stream_options", "{\"include_usage\":true}".into(), changes);
    };
    changes.push(match inner.iter().find(|member| member.name == "include_usage") {
        Some(member) => Edit {
            span: options + member.value.start..options + member.value.end,
            text: "true".into(),
        },
        None => {
            let comma = if inner.is_empty() { "" } else { "," };
            let at = options + 1;
            Edit { span: at..at, text: format!("\"include_usage\":true{comma}") }
        }
    });
}
