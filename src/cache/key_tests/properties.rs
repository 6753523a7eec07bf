use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Writes a value in another spelling: members reversed, white space, numbers with an exponent,
/// null members where the schema allows them.
fn respell(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            out.push_str("{ ");
            for (at, (name, value)) in members.iter().rev().enumerate() {
                out.push_str(if at == 0 { "\n" } else { " ,\t" });
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push_str(" : ");
                respell(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { " " } else { " , " });
                respell(item, out);
            }
            out.push(']');
        }
        Value::Number(number) if number.as_i64().is_some_and(|n| n.unsigned_abs() < 1 << 49) => {
            out.push_str(&format!("{number}.0e0"));
        }
        Value::String(text) => {
            out.push('"');
            for unit in text.encode_utf16() {
                out.push_str(&format!("\\u{unit:04x}"));
            }
            out.push('"');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn content() -> impl Strategy<Value = Value> {
    prop_oneof![
        ".{0,12}".prop_map(Value::from),
        proptest::collection::vec(".{0,6}", 1..3).prop_map(|texts| {
            texts.into_iter().map(|text| json!({"type": "text", "text": text})).collect()
        }),
    ]
}

fn body() -> impl Strategy<Value = Value> {
    let message = (prop::sample::select(&["system", "user", "assistant"][..]), content())
        .prop_map(|(role, content)| json!({"role": role, "content": content}));
    let tools = prop::option::of(any::<i32>());
    let top_k = prop::option::of(any::<i64>());
    (proptest::collection::vec(message, 1..4), 0.0f64..1.0, tools, top_k).prop_map(
        |(messages, temperature, minimum, top_k)| {
            let mut body = json!({
                "model": "auto", "messages": messages, "temperature": temperature, "top_k": top_k,
            });
            if let Some(minimum) = minimum {
                body["tools"] = json!([{"type": "function", "function": {
                    "name": "f", "parameters": {"minimum": minimum, "default": null}}}]);
            }
            body
        },
    )
}

/// Never volatile, so that any text gets a key.
fn lasting() -> Cache {
    let mut settings = cache_settings();
    settings.ttl.volatile = Duration::from_secs(1);
    settings.ignored_fields = vec!["trace_id".into()];
    settings
}

/// String contents as single parts and the other way round, null members, ignored fields.
fn reform(body: &Value) -> Value {
    let mut body = body.clone();
    for message in body["messages"].as_array_mut().into_iter().flatten() {
        let content = match &message["content"] {
            Value::String(text) => json!([{"type": "text", "text": text, "detail": null}]),
            Value::Array(parts) if parts.len() == 1 => parts[0]["text"].clone(),
            other => other.clone(),
        };
        message["content"] = content;
        message["name"] = Value::Null;
    }
    body["stop"] = Value::Null;
    body["stream"] = json!(true);
    body["trace_id"] = json!("x");
    body["n"] = json!(1.0);
    body
}

proptest! {
    #[test]
    fn any_spelling_of_a_request_has_its_key(body in body()) {
        let settings = lasting();
        let plain = key_with(&body.to_string(), &settings);
        let mut respelt = String::new();
        respell(&reform(&body), &mut respelt);
        prop_assert_eq!(key_with(&respelt, &settings), plain, "{}", respelt);
    }

    #[test]
    fn two_requests_share_a_key_only_if_they_are_equal(left in body(), right in body()) {
        let settings = lasting();
        let same = key_with(&left.to_string(), &settings).exact
            == key_with(&right.to_string(), &settings).exact;
        let single = |body: &Value| {
            let mut body = body.clone();
            for message in body["messages"].as_array_mut().into_iter().flatten() {
                if let Value::String(text) = &message["content"] {
                    message["content"] = json!([{"type": "text", "text": text}]);
                }
            }
            body
        };
        prop_assert_eq!(same, single(&left) == single(&right));
    }

    #[test]
    fn two_tenants_never_share(body in body(), left in ".{0,8}", right in ".{0,8}") {
        prop_assume!(left != right);
        let request = decode(&body.to_string());
        let policy = policy(auto());
        let [left, right] = [left, right].map(|tenant| {
            keyed(identify(&request, &caller(&tenant, Some("web")), &policy, &lasting()))
        });
        prop_assert_ne!(left.scope, right.scope);
        prop_assert_ne!(left.exact, right.exact);
    }
}
