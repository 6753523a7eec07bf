//! Limits on what a request may look like once it has been decoded, before anything is spent on it.
//! Pure. Size in bytes is the listener's limit, types are the dialect's; content policies will stand
//! here.
//!
//! The limits are above what OpenAI accepts (128 tools, 2,048 messages, 4 stop sequences), since
//! other providers accept more: they keep one request from occupying the gateway, and leave the
//! provider's own rules to the provider.

use serde_json::Value;

use crate::dialect::openai::ChatRequest;
use crate::error::GatewayError;

/// Messages of one request.
pub const MAX_MESSAGES: usize = 16_384;
/// Parts of one message's content.
pub const MAX_PARTS: usize = 4_096;
/// Entries of `tools`, and of `functions`.
pub const MAX_TOOLS: usize = 1_024;
/// Entries of `stop`.
pub const MAX_STOPS: usize = 256;
/// Bytes of the requested model's name, which is written to records and messages.
pub const MAX_MODEL_BYTES: usize = 512;

/// Whether a request may go on.
#[derive(Debug, Clone)]
pub enum GuardVerdict {
    Pass,
    /// The request ends here, with this error.
    Block(GatewayError),
}

/// Judges a request by its shape.
pub fn check(request: &ChatRequest) -> GuardVerdict {
    let messages = request.messages();
    let listed = |name: &str| request.body.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    if request.model.len() > MAX_MODEL_BYTES {
        let message = format!(
            "Invalid 'model': string too long. Expected a string with maximum length \
             {MAX_MODEL_BYTES}, but got a string with length {} instead.",
            request.model.len()
        );
        return GuardVerdict::Block(GatewayError::bad_param("model", message));
    }
    if messages.len() > MAX_MESSAGES {
        return too_long("messages".into(), MAX_MESSAGES, messages.len());
    }
    for (name, limit) in [("tools", MAX_TOOLS), ("functions", MAX_TOOLS), ("stop", MAX_STOPS)] {
        if listed(name) > limit {
            return too_long(name.into(), limit, listed(name));
        }
    }
    for (place, message) in messages.iter().enumerate() {
        let parts = message["content"].as_array().map_or(0, Vec::len);
        if parts > MAX_PARTS {
            return too_long(format!("messages[{place}].content"), MAX_PARTS, parts);
        }
    }
    GuardVerdict::Pass
}

fn too_long(param: String, limit: usize, got: usize) -> GuardVerdict {
    let message = format!(
        "Invalid '{param}': array too long. Expected an array with maximum length {limit}, but got \
         an array with length {got} instead."
    );
    GuardVerdict::Block(GatewayError::bad_param(param, message))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn blamed(body: Value) -> Option<String> {
        let request = ChatRequest::decode(Bytes::from(body.to_string())).expect("a request");
        match check(&request) {
            GuardVerdict::Pass => None,
            GuardVerdict::Block(GatewayError::BadRequest { param, .. }) => param,
            GuardVerdict::Block(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_openai_accepts_passes() {
        let user = json!({"role": "user", "content": "x"});
        let tool = json!({"type": "function", "function": {"name": "f"}});
        let body = json!({"model": "m", "messages": vec![user; 2_048], "tools": vec![tool; 128],
            "stop": ["a", "b", "c", "d"]});
        assert_eq!(blamed(body), None);
    }

    #[test]
    fn each_limit_blames_its_field() {
        let user = json!({"role": "user", "content": "x"});
        let with = |name: &str, value: Value| {
            let mut body = json!({"model": "m", "messages": [user]});
            body[name] = value;
            blamed(body)
        };
        let part = json!({"type": "text", "text": ""});
        let long = json!([user, {"role": "user", "content": vec![part; MAX_PARTS + 1]}]);
        let tools = vec![json!({"type": "x"}); MAX_TOOLS + 1];
        let functions = vec![json!({"name": "x"}); MAX_TOOLS + 1];
        assert_eq!(with("messages", long).as_deref(), Some("messages[1].content"));
        assert_eq!(
            with("messages", json!(vec![user.clone(); MAX_MESSAGES + 1])).as_deref(),
            Some("messages")
        );
        assert_eq!(with("tools", tools.into()).as_deref(), Some("tools"));
        assert_eq!(with("functions", functions.into()).as_deref(), Some("functions"));
        assert_eq!(with("stop", vec!["x"; MAX_STOPS + 1].into()).as_deref(), Some("stop"));
        assert_eq!(with("model", "m".repeat(MAX_MODEL_BYTES + 1).into()).as_deref(), Some("model"));
    }
}
