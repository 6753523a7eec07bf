//! Types and bounds of a request's known members, in sentences like OpenAI's. Unknown members are
//! none of our business: they are kept and forwarded. A null member counts as absent.

use serde_json::{Map, Value};

use crate::error::GatewayError;

/// What a member may be.
enum Shape {
    Text,
    Flag,
    Object,
    Objects,
    Texts,
    TextOrObject,
    TextOrTexts,
    /// Whole number in these bounds.
    Integer(i64, i64),
    /// Any number in these bounds.
    Number(f64, f64),
}

/// The known members of a request that need no look inside, in the order in which they are checked.
const MEMBERS: &[(&str, Shape)] = &[
    ("stream", Shape::Flag),
    ("stream_options", Shape::Object),
    ("temperature", Shape::Number(0.0, 2.0)),
    ("top_p", Shape::Number(0.0, 1.0)),
    ("frequency_penalty", Shape::Number(-2.0, 2.0)),
    ("presence_penalty", Shape::Number(-2.0, 2.0)),
    ("n", Shape::Integer(1, 128)),
    ("max_tokens", Shape::Integer(1, i64::MAX)),
    ("max_completion_tokens", Shape::Integer(1, i64::MAX)),
    ("seed", Shape::Integer(i64::MIN, i64::MAX)),
    ("logprobs", Shape::Flag),
    ("top_logprobs", Shape::Integer(0, 20)),
    ("logit_bias", Shape::Object),
    ("stop", Shape::TextOrTexts),
    ("tools", Shape::Objects),
    ("tool_choice", Shape::TextOrObject),
    ("parallel_tool_calls", Shape::Flag),
    ("functions", Shape::Objects),
    ("function_call", Shape::TextOrObject),
    ("response_format", Shape::Object),
    ("reasoning_effort", Shape::Text),
    ("verbosity", Shape::Text),
    ("modalities", Shape::Texts),
    ("audio", Shape::Object),
    ("prediction", Shape::Object),
    ("web_search_options", Shape::Object),
    ("user", Shape::Text),
    ("safety_identifier", Shape::Text),
    ("metadata", Shape::Object),
    ("store", Shape::Flag),
    ("service_tier", Shape::Text),
    ("prompt_cache_key", Shape::Text),
    ("prompt_cache_retention", Shape::Text),
    ("prompt_cache_options", Shape::Object),
];

const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];

/// Checks a whole request.
///
/// # Errors
///
/// The first fault found, with `param` naming the member.
pub(super) fn request(body: &Map<String, Value>) -> Result<(), GatewayError> {
    match body.get("model") {
        None | Some(Value::Null) => {
            return Err(GatewayError::bad_param("model", "you must provide a model parameter"));
        }
        Some(Value::String(name)) if name.is_empty() => {
            return Err(GatewayError::bad_param("model", "you must provide a model parameter"));
        }
        Some(Value::String(_)) => {}
        Some(other) => return Err(wrong_type("model", "a string", other)),
    }
    messages(body.get("messages"))?;
    for (name, shape) in MEMBERS {
        if let Some(value) = present(body, name) {
            check_shape(name, shape, value)?;
        }
    }
    stream_options(body)?;
    if let Some(Value::Object(bias)) = body.get("logit_bias") {
        for (token, value) in bias {
            check_shape(&format!("logit_bias.{token}"), &Shape::Number(-100.0, 100.0), value)?;
        }
    }
    for (place, tool) in list(body, "tools").iter().enumerate() {
        check_tool(&format!("tools[{place}]"), tool)?;
    }
    for (place, function) in list(body, "functions").iter().enumerate() {
        required_text(&format!("functions[{place}]"), function, "name")?;
    }
    response_format(body)
}

fn stream_options(body: &Map<String, Value>) -> Result<(), GatewayError> {
    let Some(options) = present(body, "stream_options") else { return Ok(()) };
    if body.get("stream") != Some(&Value::Bool(true)) {
        return Err(GatewayError::bad_param(
            "stream_options",
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        ));
    }
    for name in ["include_usage", "include_obfuscation"] {
        match options.get(name) {
            None | Some(Value::Null | Value::Bool(_)) => {}
            Some(other) => {
                return Err(wrong_type(&format!("stream_options.{name}"), "a boolean", other));
            }
        }
    }
    Ok(())
}

fn response_format(body: &Map<String, Value>) -> Result<(), GatewayError> {
    let Some(format) = present(body, "response_format") else { return Ok(()) };
    required_text("response_format", format, "type")?;
    if format["type"] == "json_schema" {
        match format.get("json_schema") {
            Some(Value::Object(_)) => {}
            None => return Err(missing("response_format.json_schema")),
            Some(other) => {
                return Err(wrong_type("response_format.json_schema", "an object", other));
            }
        }
    }
    Ok(())
}

fn messages(messages: Option<&Value>) -> Result<(), GatewayError> {
    let messages = match messages {
        None | Some(Value::Null) => return Err(missing("messages")),
        Some(Value::Array(messages)) => messages,
        Some(other) => return Err(wrong_type("messages", "an array of objects", other)),
    };
    if messages.is_empty() {
        return Err(GatewayError::bad_param(
            "messages",
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an \
             empty array instead.",
        ));
    }
    messages
        .iter()
        .enumerate()
        .try_for_each(|(place, message)| check_message(&format!("messages[{place}]"), message))
}

fn check_message(at: &str, message: &Value) -> Result<(), GatewayError> {
    if !message.is_object() {
        return Err(wrong_type(at, "an object", message));
    }
    let role = required_text(at, message, "role")?;
    if !ROLES.contains(&role) {
        let shown: String = role.chars().take(64).collect();
        let known = ROLES.map(|role| format!("'{role}'")).join(", ");
        return Err(GatewayError::bad_param(
            format!("{at}.role"),
            format!("Invalid value: '{shown}'. Supported values are: {known}."),
        ));
    }
    let content_at = format!("{at}.content");
    match message.get("content") {
        Some(Value::String(_)) => {}
        Some(Value::Array(parts)) => parts
            .iter()
            .enumerate()
            .try_for_each(|(place, part)| check_part(&format!("{content_at}[{place}]"), part))?,
        None | Some(Value::Null) if matches!(role, "assistant" | "tool" | "function") => {}
        None => return Err(missing(&content_at)),
        Some(other) => {
            return Err(wrong_type(&content_at, "a string or an array of objects", other));
        }
    }
    match message.get("name") {
        None | Some(Value::Null | Value::String(_)) => {}
        Some(other) => return Err(wrong_type(&format!("{at}.name"), "a string", other)),
    }
    match message.get("tool_calls") {
        None | Some(Value::Null) => Ok(()),
        Some(calls) => check_shape(&format!("{at}.tool_calls"), &Shape::Objects, calls),
    }
}

fn check_part(at: &str, part: &Value) -> Result<(), GatewayError> {
    if !part.is_object() {
        return Err(wrong_type(at, "an object", part));
    }
    match required_text(at, part, "type")? {
        "text" => match part.get("text") {
            Some(Value::String(_)) => Ok(()),
            None => Err(missing(&format!("{at}.text"))),
            Some(other) => Err(wrong_type(&format!("{at}.text"), "a string", other)),
        },
        // A plain string is accepted by OpenAI for images, by Mistral for recordings as well.
        kind @ ("image_url" | "input_audio") => match part.get(kind) {
            Some(Value::String(_)) => Ok(()),
            Some(image @ Value::Object(_)) if kind == "image_url" => {
                required_text(&format!("{at}.image_url"), image, "url").map(drop)
            }
            Some(Value::Object(_)) => Ok(()),
            None => Err(missing(&format!("{at}.{kind}"))),
            Some(other) => Err(wrong_type(&format!("{at}.{kind}"), "an object", other)),
        },
        "file" => match part.get("file") {
            Some(Value::Object(_)) => Ok(()),
            None => Err(missing(&format!("{at}.file"))),
            Some(other) => Err(wrong_type(&format!("{at}.file"), "an object", other)),
        },
        _ => Ok(()),
    }
}

fn check_tool(at: &str, tool: &Value) -> Result<(), GatewayError> {
    // Mistral takes a function without its type.
    let untyped = tool.get("type").is_none() && tool.get("function").is_some();
    if !untyped && required_text(at, tool, "type")? != "function" {
        return Ok(());
    }
    let at = format!("{at}.function");
    match tool.get("function") {
        Some(function @ Value::Object(_)) => {
            required_text(&at, function, "name")?;
            match function.get("parameters") {
                None | Some(Value::Null | Value::Object(_)) => Ok(()),
                Some(other) => Err(wrong_type(&format!("{at}.parameters"), "an object", other)),
            }
        }
        None => Err(missing(&at)),
        Some(other) => Err(wrong_type(&at, "an object", other)),
    }
}

fn check_shape(at: &str, shape: &Shape, value: &Value) -> Result<(), GatewayError> {
    let texts = |items: &Vec<Value>| items.iter().all(Value::is_string);
    let (fits, expected) = match shape {
        Shape::Text => (value.is_string(), "a string"),
        Shape::Flag => (value.is_boolean(), "a boolean"),
        Shape::Object => (value.is_object(), "an object"),
        Shape::Objects => (
            value.as_array().is_some_and(|items| items.iter().all(Value::is_object)),
            "an array of objects",
        ),
        Shape::Texts => (value.as_array().is_some_and(texts), "an array of strings"),
        Shape::TextOrObject => (value.is_string() || value.is_object(), "a string or an object"),
        Shape::TextOrTexts => (
            value.is_string() || value.as_array().is_some_and(texts),
            "a string or an array of strings",
        ),
        Shape::Integer(min, max) => return integer(at, value, *min, *max),
        Shape::Number(min, max) => return number(at, value, *min, *max),
    };
    if fits { Ok(()) } else { Err(wrong_type(at, expected, value)) }
}

fn integer(at: &str, value: &Value, min: i64, max: i64) -> Result<(), GatewayError> {
    match value.as_i64() {
        Some(number) if number < min => {
            Err(out_of_bounds(at, "integer below minimum", ">=", min, value))
        }
        Some(number) if number > max => {
            Err(out_of_bounds(at, "integer above maximum", "<=", max, value))
        }
        Some(_) => Ok(()),
        None if value.is_u64() => Err(out_of_bounds(at, "integer above maximum", "<=", max, value)),
        None => Err(wrong_type(at, "an integer", value)),
    }
}

fn number(at: &str, value: &Value, min: f64, max: f64) -> Result<(), GatewayError> {
    match value.as_f64() {
        Some(number) if number < min => {
            Err(out_of_bounds(at, "decimal below minimum", ">=", min, value))
        }
        Some(number) if number > max => {
            Err(out_of_bounds(at, "decimal above maximum", "<=", max, value))
        }
        Some(_) => Ok(()),
        None => Err(wrong_type(at, "a decimal number", value)),
    }
}

/// A member that is there and not null.
fn present<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| !value.is_null())
}

fn list<'a>(body: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    body.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn required_text<'a>(at: &str, object: &'a Value, name: &str) -> Result<&'a str, GatewayError> {
    match object.get(name) {
        Some(Value::String(text)) => Ok(text),
        None => Err(missing(&format!("{at}.{name}"))),
        Some(other) => Err(wrong_type(&format!("{at}.{name}"), "a string", other)),
    }
}

fn missing(at: &str) -> GatewayError {
    GatewayError::bad_param(at, format!("Missing required parameter: '{at}'."))
}

fn wrong_type(at: &str, expected: &str, got: &Value) -> GatewayError {
    let got = kind(got);
    GatewayError::bad_param(
        at,
        format!("Invalid type for '{at}': expected {expected}, but got {got} instead."),
    )
}

fn out_of_bounds(
    at: &str,
    what: &str,
    relation: &str,
    bound: impl std::fmt::Display,
    got: &Value,
) -> GatewayError {
    GatewayError::bad_param(
        at,
        format!(
            "Invalid '{at}': {what} value. Expected a value {relation} {bound}, but got {got} instead."
        ),
    )
}

/// What a value is, with its article.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(items) if items.is_empty() => "an empty array",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
