//! Plausible JSON for a JSON Schema: arguments of a tool call, the content of a structured answer.
//! Deterministic; no validator.

use serde_json::{Map, Value, json};

/// Levels of a schema that are followed; deeper ones become null.
const DEPTH: usize = 8;

/// Words and numbers of a prompt that values may be made of.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// For strings; falls back to the property's own name.
    pub text: Option<String>,
    /// For numbers; falls back to 1.
    pub number: Option<i64>,
}

impl Hints {
    /// The last capitalised word after the first, and the first whole number.
    pub fn from_prompt(prompt: &str) -> Self {
        let words =
            prompt.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
        let text = words
            .clone()
            .skip(1)
            .filter(|word| word.chars().count() > 1 && word.starts_with(char::is_uppercase));
        Self {
            text: text.last().map(str::to_owned),
            number: words.filter_map(|word| word.parse().ok()).next(),
        }
    }
}

/// A value that fits the schema, as far as its `type`, `enum`, `const` and `properties` say.
pub fn instance(schema: &Value, name: &str, hints: &Hints) -> Value {
    build(schema, name, hints, DEPTH)
}

fn build(schema: &Value, name: &str, hints: &Hints, depth: usize) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema[choice].as_array().and_then(|schemas| schemas.first()) {
            return build(first, name, hints, depth - 1);
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.first().cloned().unwrap_or_default(),
        kind => kind.clone(),
    };
    match kind.as_str() {
        Some("string") => json!(hints.text.as_deref().unwrap_or(name)),
        Some("integer" | "number") => json!(hints.number.unwrap_or(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([build(&schema["items"], name, hints, depth - 1)]),
        Some("null") => Value::Null,
        _ => object(schema, hints, depth),
    }
}

fn object(schema: &Value, hints: &Hints, depth: usize) -> Value {
    let mut members = Map::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        members.insert(name.clone(), build(property, name, hints, depth - 1));
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_a_schema_from_the_prompt() {
        let schema = json!({"type": "object", "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "unit": {"enum": ["celsius", "fahrenheit"]},
            "wind": {"type": ["boolean", "null"]},
            "tags": {"type": "array", "items": {"type": "string"}},
        }});
        let hints = Hints::from_prompt("What is the weather in Paris for the next 3 days?");
        let expected = json!({"city": "Paris", "days": 3, "unit": "celsius", "wind": true,
            "tags": ["Paris"]});
        assert_eq!(instance(&schema, "arguments", &hints), expected);
    }

    #[test]
    fn no_hints_and_no_schema_still_give_a_value() {
        let hints = Hints::from_prompt("");
        assert_eq!(instance(&json!({"type": "string"}), "city", &hints), json!("city"));
        assert_eq!(instance(&Value::Null, "arguments", &hints), json!({}));
    }

    #[test]
    fn a_schema_may_be_deep() {
        let mut schema = json!({"type": "string"});
        for _ in 0..100 {
            schema = json!({"type": "array", "items": schema});
        }
        let text = instance(&schema, "x", &Hints::default()).to_string();
        assert_eq!(text, format!("{}null{}", "[".repeat(DEPTH), "]".repeat(DEPTH)));
    }
}
