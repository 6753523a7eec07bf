//! What an OpenAI endpoint checks of a request before it answers, and the errors it gives. Strict
//! where a gateway's own edits could go wrong; fields it does not know pass.

use serde_json::{Map, Value, json};

/// An error in OpenAI's envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub status: u16,
    pub message: String,
    pub kind: &'static str,
    pub param: Option<&'static str>,
    pub code: Option<&'static str>,
}

impl ApiError {
    /// A fault of the request.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            message: message.into(),
            kind: "invalid_request_error",
            param: None,
            code: None,
        }
    }

    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    pub fn at(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }

    /// What a provider says with that status.
    pub fn of_status(status: u16) -> Self {
        let (kind, code, message) = match status {
            401 => return Self::bad_key(),
            404 => {
                ("invalid_request_error", Some("model_not_found"), "No such model, as scripted.")
            }
            429 => ("tokens", Some("rate_limit_exceeded"), "Rate limit reached for this model."),
            400..=499 => ("invalid_request_error", None, "The request was refused, as scripted."),
            503 => ("server_error", None, "The model is overloaded, as scripted."),
            _ => ("server_error", None, "The server had an error, as scripted."),
        };
        Self { status, message: message.into(), kind, param: None, code }
    }

    pub fn bad_key() -> Self {
        Self::invalid("Incorrect API key provided.").with_status(401).with_code("invalid_api_key")
    }

    pub fn unknown_model(name: &str) -> Self {
        let message = format!("The model `{name}` does not exist or you do not have access to it.");
        Self::invalid(message).with_status(404).with_code("model_not_found")
    }

    pub fn quota() -> Self {
        Self {
            status: 429,
            message: "You exceeded your current quota.".into(),
            kind: "insufficient_quota",
            param: None,
            code: Some("insufficient_quota"),
        }
    }

    pub fn context() -> Self {
        Self::invalid("Your input exceeds the context window of this model.")
            .at("messages")
            .with_code("context_length_exceeded")
    }

    pub fn body(&self) -> Value {
        json!({"error": {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        }})
    }
}

/// A chat request that passed.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    pub body: Map<String, Value>,
    pub model: String,
    pub stream: bool,
    pub include_usage: bool,
    /// Text of the last user message; empty when there is none.
    pub prompt: String,
    /// `max_completion_tokens`, else `max_tokens`.
    pub limit: Option<usize>,
    pub choices: usize,
    pub stop: Vec<String>,
}

impl ChatRequest {
    /// Checks a body, in the order in which a provider would complain.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let body: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|_| ApiError::invalid("We could not parse the JSON body of your request."))?;
        let model = match body.get("model") {
            Some(Value::String(model)) => model.clone(),
            _ => return Err(ApiError::invalid("You must provide a model parameter.").at("model")),
        };
        let messages = messages(&body)?;
        let prompt = messages.iter().rev().find(|message| role(message) == "user");
        let prompt = prompt.map(|message| text(&message["content"])).unwrap_or_default();
        number(&body, "temperature", 0.0, 2.0)?;
        number(&body, "top_p", 0.0, 1.0)?;
        number(&body, "presence_penalty", -2.0, 2.0)?;
        number(&body, "frequency_penalty", -2.0, 2.0)?;
        let choices = whole(&body, "n", 1, 8)?.unwrap_or(1) as usize;
        let limit = whole(&body, "max_completion_tokens", 1, u64::MAX)?
            .or(whole(&body, "max_tokens", 1, u64::MAX)?)
            .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let stream = match present(&body, "stream") {
            None => false,
            Some(Value::Bool(stream)) => *stream,
            Some(_) => return Err(ApiError::invalid("`stream` is a boolean.").at("stream")),
        };
        let include_usage = stream_options(&body, stream)?;
        tools(&body)?;
        let stop = stop(&body)?;
        Ok(Self { model, stream, include_usage, prompt, limit, choices, stop, body })
    }

    /// The last message's role.
    pub fn last_role(&self) -> &str {
        let last = self.body.get("messages").and_then(Value::as_array).and_then(|all| all.last());
        last.map(role).unwrap_or_default()
    }
}

/// The text of a message's content: its string, or its text parts joined by a line feed.
pub fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

fn role(message: &Value) -> &str {
    message["role"].as_str().unwrap_or_default()
}

fn messages(body: &Map<String, Value>) -> Result<&[Value], ApiError> {
    const ROLES: [&str; 6] = ["developer", "system", "user", "assistant", "tool", "function"];
    let refuse = |message: String| Err(ApiError::invalid(message).at("messages"));
    let Some(Value::Array(messages)) = body.get("messages") else {
        return refuse("Missing required parameter: 'messages'.".into());
    };
    if messages.is_empty() {
        return refuse("'messages' must have at least one item.".into());
    }
    for (index, message) in messages.iter().enumerate() {
        if !ROLES.contains(&role(message)) {
            return refuse(format!("Invalid value at 'messages[{index}].role'."));
        }
        let content = &message["content"];
        let silent = role(message) == "assistant" && content.is_null();
        if !(content.is_string() || content.is_array() || silent) {
            return refuse(format!("Invalid type for 'messages[{index}].content'."));
        }
    }
    Ok(messages)
}

fn stream_options(body: &Map<String, Value>, stream: bool) -> Result<bool, ApiError> {
    let Some(options) = present(body, "stream_options") else { return Ok(false) };
    if !stream {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(ApiError::invalid(message).at("stream_options"));
    }
    Ok(options["include_usage"] == true)
}

fn tools(body: &Map<String, Value>) -> Result<(), ApiError> {
    let refuse = |message: String| Err(ApiError::invalid(message).at("tools"));
    match present(body, "tools") {
        None => Ok(()),
        Some(Value::Array(tools)) if tools.is_empty() => {
            refuse("'tools' must not be empty.".into())
        }
        Some(Value::Array(tools)) => {
            let unnamed = tools.iter().position(|tool| {
                tool["type"] == "function" && !tool["function"]["name"].is_string()
            });
            match unnamed {
                Some(index) => refuse(format!("Missing 'tools[{index}].function.name'.")),
                None => Ok(()),
            }
        }
        Some(_) => refuse("'tools' is an array.".into()),
    }
}

fn stop(body: &Map<String, Value>) -> Result<Vec<String>, ApiError> {
    let refuse = || ApiError::invalid("'stop' is a string or up to four of them.").at("stop");
    match present(body, "stop") {
        None => Ok(Vec::new()),
        Some(Value::String(stop)) => Ok(vec![stop.clone()]),
        Some(Value::Array(stops)) if stops.len() <= 4 => {
            stops.iter().map(|stop| stop.as_str().map(str::to_owned).ok_or_else(refuse)).collect()
        }
        Some(_) => Err(refuse()),
    }
}

/// A member that is there and not null.
fn present<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| !value.is_null())
}

fn number(
    body: &Map<String, Value>,
    name: &'static str,
    least: f64,
    most: f64,
) -> Result<(), ApiError> {
    let Some(value) = present(body, name) else { return Ok(()) };
    match value.as_f64() {
        Some(value) if (least..=most).contains(&value) => Ok(()),
        _ => {
            Err(ApiError::invalid(format!("'{name}' is a number from {least} to {most}.")).at(name))
        }
    }
}

fn whole(
    body: &Map<String, Value>,
    name: &'static str,
    least: u64,
    most: u64,
) -> Result<Option<u64>, ApiError> {
    let Some(value) = present(body, name) else { return Ok(None) };
    match value.as_u64() {
        Some(value) if (least..=most).contains(&value) => Ok(Some(value)),
        _ => {
            Err(ApiError::invalid(format!("'{name}' is a whole number, at least {least}."))
                .at(name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(body: Value) -> ApiError {
        ChatRequest::parse(&serde_json::to_vec(&body).unwrap()).unwrap_err()
    }

    #[test]
    fn faults_name_their_field() {
        let messages = json!([{"role": "user", "content": "hi"}]);
        for (body, param) in [
            (json!({"messages": messages}), "model"),
            (json!({"model": "m"}), "messages"),
            (json!({"model": "m", "messages": []}), "messages"),
            (json!({"model": "m", "messages": [{"role": "robot", "content": ""}]}), "messages"),
            (json!({"model": "m", "messages": [{"role": "user"}]}), "messages"),
            (json!({"model": "m", "messages": messages, "temperature": 3}), "temperature"),
            (json!({"model": "m", "messages": messages, "max_tokens": 0}), "max_tokens"),
            (json!({"model": "m", "messages": messages, "n": "two"}), "n"),
            (json!({"model": "m", "messages": messages, "stream": 1}), "stream"),
            (json!({"model": "m", "messages": messages, "tools": []}), "tools"),
            (json!({"model": "m", "messages": messages, "stop": [1]}), "stop"),
            (json!({"model": "m", "messages": messages, "stream_options": {}}), "stream_options"),
        ] {
            let fault = fault(body.clone());
            assert_eq!((fault.status, fault.param), (400, Some(param)), "{body}");
        }
        assert_eq!(ChatRequest::parse(b"{").unwrap_err().status, 400);
    }

    #[test]
    fn the_prompt_is_the_last_user_text() {
        let body = json!({"model": "m", "stream": true, "max_tokens": 9, "max_completion_tokens": 7,
            "stream_options": {"include_usage": true}, "temperature": null, "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": null, "tool_calls": []},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"},
                {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": "…"},
        ]});
        let request = ChatRequest::parse(&serde_json::to_vec(&body).unwrap()).unwrap();
        assert_eq!(request.prompt, "a\nb");
        assert_eq!(request.last_role(), "assistant");
        assert!(request.stream && request.include_usage);
        assert_eq!(request.limit, Some(7));
    }
}
