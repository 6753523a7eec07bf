//! Every place of a full request changed, one at a time: what matters must change the key.

use serde_json::json;

use super::*;

/// A request with every field that is not a bypass, and with nested members of every kind.
fn full() -> Value {
    json!({
        "model": "auto",
        "messages": [
            {"role": "developer", "content": "Be brief.", "name": "ops"},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}},
            ]},
            {"role": "assistant", "content": null, "refusal": "no", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"q\":1}"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
            {"role": "user", "name": "ann", "content": [{"type": "text", "text": "And its age?"}]},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "description": "looks", "strict": true,
            "parameters": {"type": "object", "required": ["q"],
                "properties": {"q": {"type": "integer", "enum": [1, 2], "minimum": 1}}}}}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": false,
        "functions": [{"name": "old", "parameters": {"type": "object"}}],
        "function_call": {"name": "old"},
        "response_format": {"type": "json_schema", "json_schema": {"name": "r", "strict": true,
            "schema": {"type": "object", "properties": {"age": {"type": "number"}}}}},
        "stop": ["END", "STOP"],
        "temperature": 0.25,
        "top_p": 0.5,
        "frequency_penalty": 0.5,
        "presence_penalty": 0.5,
        "logit_bias": {"50256": -100},
        "seed": 7,
        "reasoning_effort": "low",
        "verbosity": "low",
        "moderation": {"mode": "strict"},
        "vendor_field": {"deep": [1, {"deeper": "x"}]},
        // What does not matter.
        "max_tokens": 100,
        "max_completion_tokens": 100,
        "metadata": {"a": "b"},
        "prediction": {"type": "content", "content": "x"},
        "prompt_cache_breakpoint": {"a": 1},
        "prompt_cache_key": "k",
        "prompt_cache_options": {"a": 1},
        "prompt_cache_retention": "24h",
        "safety_identifier": "s",
        "service_tier": "auto",
        "stream": true,
        "stream_options": {"include_usage": true},
        "user": "u",
    })
}

/// JSON pointers of every value below a value, itself not included.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut below = |step: String, value: &Value| {
        let place = format!("{at}/{step}");
        found.push(place.clone());
        places(value, &place, found);
    };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| below(name.clone(), value));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| below(at.to_string(), item));
        }
        _ => {}
    }
}

/// Changes to the value at a place, each with its name.
fn changes(body: &Value, place: &str) -> Vec<(String, Value)> {
    let mut changed = Vec::new();
    let mut change = |what: &str, edit: &dyn Fn(&mut Value)| {
        let mut body = body.clone();
        edit(body.pointer_mut(place).expect("the place is there"));
        changed.push((format!("{what} at {place}"), body));
    };
    match body.pointer(place).expect("the place is there") {
        Value::String(_) => {
            change("a longer string", &|v| *v = json!(format!("{} x", v.as_str().expect("text"))));
            change("another case", &|v| *v = json!(v.as_str().expect("text").to_uppercase() + "!"));
        }
        Value::Number(_) => change("another number", &|v| {
            *v = json!(v.as_f64().expect("a number") + 0.125);
        }),
        Value::Bool(was) => change("the opposite", &|v| *v = json!(!was)),
        Value::Object(_) => change("a member more", &|v| v["x-more"] = json!(1)),
        Value::Array(_) => change("an item more", &|v| {
            v.as_array_mut().expect("a list").push(json!("more"));
        }),
        Value::Null => change("something", &|v| *v = json!("something")),
    }
    // The same without the value.
    let (holder, name) = place.rsplit_once('/').expect("a pointer has a slash");
    let mut without = body.clone();
    let removed = match without.pointer_mut(holder) {
        Some(Value::Object(members)) => members.remove(name),
        Some(Value::Array(items)) => Some(items.remove(name.parse().expect("a place"))),
        _ => None,
    };
    if removed.is_some_and(|value| !value.is_null()) {
        changed.push((format!("nothing at {place}"), without));
    }
    changed
}

/// Whether the table lets a request with another value here share the answer.
fn may_share(place: &str) -> bool {
    let field = place[1..].split('/').next().expect("a field");
    // The name is compared as the policy in force, which stays the same here.
    field == "model" || matches!(class_of(field), Some(Class::Ignored | Class::Limit))
}

#[test]
fn every_mutation_of_what_matters_changes_the_key() {
    let body = full();
    let plain = key(&body.to_string());
    let mut all = Vec::new();
    places(&body, "", &mut all);
    let (mut mattering, mut harmless) = (0, 0);
    for place in &all {
        for (what, changed) in changes(&body, place) {
            if changed.get("messages").is_none() || changed.get("model").is_none() {
                // No request at all: the decoder refuses it.
                continue;
            }
            let changed = lookup(&changed.to_string());
            let Lookup::Keyed(changed) = changed else { continue };
            if may_share(place) {
                harmless += 1;
                assert_eq!((changed.exact, changed.scope), (plain.exact, plain.scope), "{what}");
                continue;
            }
            mattering += 1;
            assert_ne!(changed.exact, plain.exact, "{what}");
            // The text of the last user message is what the semantic level compares.
            let is_prompt = place == "/messages/4/content/0/text" && !what.starts_with("nothing");
            assert_eq!(changed.scope == plain.scope, is_prompt, "{what}");
        }
    }
    assert!(mattering > 200 && harmless > 30, "{mattering} mattering, {harmless} harmless");
}

#[test]
fn the_full_request_has_every_field_of_the_table() {
    let body = full();
    for field in &FIELDS {
        let is_bypass = matches!(field.class, Class::Bypass(..));
        assert_eq!(body.get(field.name).is_none(), is_bypass, "{}", field.name);
    }
}

#[test]
fn every_bypass_of_the_table_bypasses() {
    let mut bypassing = 0;
    for field in &FIELDS {
        let Class::Bypass(reason, harmless) = field.class else { continue };
        for value in [json!(true), json!(2), json!({"a": 1}), json!(["audio"])] {
            if harmless(&value) {
                continue;
            }
            let mut body = full();
            body[field.name] = value;
            assert_eq!(lookup(&body.to_string()), Lookup::Bypass(reason), "{}", field.name);
            bypassing += 1;
        }
    }
    assert!(bypassing > 15);
}

#[test]
fn messages_that_run_together_or_swap_places_are_others() {
    let user = |content: Value| json!({"role": "user", "content": content});
    let system = |content: &str| json!({"role": "system", "content": content});
    let requests = [
        json!([system("You are terse."), user(json!("Hi there"))]),
        json!([system("You are terse. Hi"), user(json!("there"))]),
        json!([user(json!("You are terse. Hi there"))]),
        json!([system("You are terse."), system("Hi"), user(json!("there"))]),
        json!([user(json!("You are terse.")), user(json!("Hi there"))]),
        json!([user(json!("Hi there")), system("You are terse.")]),
        json!([system("You are  terse."), user(json!("Hi there"))]),
        json!([system("you are terse."), user(json!("Hi there"))]),
        json!([system("You are terse. "), user(json!("Hi there"))]),
        json!([system("You are terse.\n"), user(json!("Hi there"))]),
        json!([
            system("You are terse."),
            user(json!([{"type": "text", "text": "Hi"}, {"type": "text", "text": " there"}]))
        ]),
    ];
    let keys: Vec<Keyed> = requests
        .iter()
        .map(|messages| key(&json!({"model": "auto", "messages": messages}).to_string()))
        .collect();
    for (at, left) in keys.iter().enumerate() {
        for (other, right) in keys.iter().enumerate().skip(at + 1) {
            assert_ne!(left.exact, right.exact, "{} / {}", requests[at], requests[other]);
            assert_ne!(left.scope, right.scope, "{} / {}", requests[at], requests[other]);
        }
    }
}
