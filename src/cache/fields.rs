//! The field table of a chat request: what each member means for the cache. How the table is applied
//! is `key`'s business.

use serde_json::Value;

use super::BypassReason;

/// What a field of a chat request means for the cache.
#[derive(Debug, Clone, Copy)]
pub enum Class {
    /// `messages`: the last user message's text is the prompt, all else is scope.
    Text,
    /// Must be equal. The function tells when a value is the documented default, which is the same
    /// as the field being absent; `null` always is.
    Scope(fn(&Value) -> bool),
    /// A hit needs no more completion tokens than this; not part of the key.
    Limit,
    Ignored,
    /// Neither level, unless the function finds the value harmless; then it says nothing.
    Bypass(BypassReason, fn(&Value) -> bool),
}

/// A field of the chat schema.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub class: Class,
}

const fn field(name: &'static str, class: Class) -> Field {
    Field { name, class }
}

/// Every field of OpenAI's chat schema, sorted by name.
///
/// Defaults that depend on the model (`reasoning_effort`, `verbosity`) are not listed: naming them
/// and leaving them out is not known to be the same.
pub static FIELDS: [Field; 38] = [
    field("audio", Class::Bypass(BypassReason::Modality, never)),
    field("frequency_penalty", Class::Scope(is_zero)),
    field("function_call", Class::Scope(never)), // its default depends on `functions`
    field("functions", Class::Scope(is_empty_list)),
    field("logit_bias", Class::Scope(never)),
    field("logprobs", Class::Bypass(BypassReason::Logprobs, is_false)),
    field("max_completion_tokens", Class::Limit),
    field("max_tokens", Class::Limit),
    field("messages", Class::Text),
    field("metadata", Class::Ignored),
    field("modalities", Class::Bypass(BypassReason::Modality, is_text_only)),
    field("model", Class::Scope(never)),
    field("moderation", Class::Scope(never)),
    field("n", Class::Bypass(BypassReason::N, is_one)),
    field("parallel_tool_calls", Class::Scope(is_true)),
    field("prediction", Class::Ignored),
    field("presence_penalty", Class::Scope(is_zero)),
    field("prompt_cache_breakpoint", Class::Ignored),
    field("prompt_cache_key", Class::Ignored),
    field("prompt_cache_options", Class::Ignored),
    field("prompt_cache_retention", Class::Ignored),
    field("reasoning_effort", Class::Scope(never)),
    field("response_format", Class::Scope(is_text_format)),
    field("safety_identifier", Class::Ignored),
    field("seed", Class::Scope(never)),
    field("service_tier", Class::Ignored),
    field("stop", Class::Scope(never)),
    field("store", Class::Bypass(BypassReason::Store, is_false)),
    field("stream", Class::Ignored),
    field("stream_options", Class::Ignored),
    field("temperature", Class::Scope(is_one)),
    field("tool_choice", Class::Scope(never)), // its default depends on `tools`
    field("tools", Class::Scope(is_empty_list)),
    field("top_logprobs", Class::Bypass(BypassReason::Logprobs, never)),
    field("top_p", Class::Scope(is_one)),
    field("user", Class::Ignored),
    field("verbosity", Class::Scope(never)),
    field("web_search_options", Class::Bypass(BypassReason::WebSearch, never)),
];

/// The class of a field; `None` for one that OpenAI's schema does not have.
pub fn class_of(name: &str) -> Option<Class> {
    let place = FIELDS.binary_search_by(|field| field.name.cmp(name)).ok()?;
    Some(FIELDS[place].class)
}

fn never(_: &Value) -> bool {
    false
}

fn is_true(value: &Value) -> bool {
    value == &Value::Bool(true)
}

fn is_false(value: &Value) -> bool {
    value == &Value::Bool(false)
}

fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

fn is_one(value: &Value) -> bool {
    value.as_f64() == Some(1.0)
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

fn is_text_only(value: &Value) -> bool {
    value.as_array().is_some_and(|kinds| kinds.iter().all(|kind| kind == "text"))
}

fn is_text_format(value: &Value) -> bool {
    value.as_object().is_some_and(|format| {
        format.get("type").is_some_and(|kind| kind == "text")
            && format.iter().all(|(name, value)| name == "type" || value.is_null())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The members of a chat request in OpenAI's published document (spec 2.3.0).
    const SCHEMA: &str = "messages model audio frequency_penalty function_call functions logit_bias \
        logprobs max_completion_tokens max_tokens metadata modalities moderation n \
        parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options \
        prompt_cache_retention reasoning_effort response_format safety_identifier seed \
        service_tier stop store stream stream_options temperature tool_choice tools top_logprobs \
        top_p user verbosity web_search_options";

    #[test]
    fn every_field_of_the_schema_has_a_class() {
        for name in SCHEMA.split_whitespace() {
            assert!(class_of(name).is_some(), "{name} is unclassed");
        }
        assert_eq!(SCHEMA.split_whitespace().count() + 1, FIELDS.len(), "and the breakpoint");
        assert!(class_of("trace_id").is_none());
    }

    #[test]
    fn the_table_is_sorted_for_the_search() {
        assert!(FIELDS.is_sorted_by(|left, right| left.name < right.name));
    }

    #[test]
    fn harmless_and_default_values_are_recognised() {
        for (name, value, expected) in [
            ("n", json!(1.0), true),
            ("n", json!(2), false),
            ("n", json!(0), false),
            ("logprobs", json!(false), true),
            ("logprobs", json!(true), false),
            ("top_logprobs", json!(0), false),
            ("modalities", json!(["text"]), true),
            ("modalities", json!(["text", "audio"]), false),
            ("modalities", json!("text"), false),
            ("audio", json!({}), false),
            ("web_search_options", json!({}), false),
            ("store", json!(false), true),
            ("store", json!(true), false),
            ("temperature", json!(1), true),
            ("temperature", json!(0.9999), false),
            ("top_p", json!(1.0), true),
            ("frequency_penalty", json!(-0.0), true),
            ("presence_penalty", json!(0.1), false),
            ("parallel_tool_calls", json!(true), true),
            ("parallel_tool_calls", json!(false), false),
            ("response_format", json!({"type": "text"}), true),
            ("response_format", json!({"type": "text", "json_schema": null}), true),
            ("response_format", json!({"type": "text", "x": 1}), false),
            ("response_format", json!({"type": "json_object"}), false),
            ("response_format", json!({}), false),
            ("tools", json!([]), true),
            ("tools", json!([{}]), false),
            ("stop", json!([]), false),
        ] {
            let recognised = match class_of(name) {
                Some(Class::Scope(test) | Class::Bypass(_, test)) => test(&value),
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(recognised, expected, "{name} {value}");
        }
    }
}
