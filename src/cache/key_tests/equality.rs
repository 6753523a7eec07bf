use serde_json::json;

use super::*;

#[test]
fn what_is_documented_as_equal_is_equal() {
    let plain = key(&with(""));
    for member in [
        r#""temperature":1.0"#,
        r#""temperature":1"#,
        r#""temperature":1e0"#,
        r#""temperature":null"#,
        r#""top_p":1"#,
        r#""n":1"#,
        r#""frequency_penalty":0.0"#,
        r#""presence_penalty":0"#,
        r#""parallel_tool_calls":true"#,
        r#""tools":[]"#,
        r#""tools":null"#,
        r#""tool_choice":"none""#,
        r#""function_call":"none""#,
        r#""response_format":{"type":"text"}"#,
        r#""stop":null"#,
        r#""logprobs":false"#,
        r#""top_logprobs":null"#,
        r#""modalities":["text"]"#,
        r#""store":false"#,
        r#""seed":null"#,
        r#""unknown":null"#,
        // Ignored, whatever they say.
        r#""stream":true,"stream_options":{"include_usage":true}"#,
        r#""user":"u1""#,
        r#""safety_identifier":"x""#,
        r#""metadata":{"a":"b"}"#,
        r#""service_tier":"flex""#,
        r#""prompt_cache_key":"k","prompt_cache_retention":"24h","prompt_cache_options":{}"#,
        r#""prediction":{"type":"content","content":"x"}"#,
        r#""max_tokens":100"#,
        r#""max_completion_tokens":100"#,
    ] {
        let other = key(&with(member));
        assert_eq!((other.exact, other.scope), (plain.exact, plain.scope), "{member}");
        assert_eq!(other.exact_only, None, "{member}");
    }
}

#[test]
fn every_scope_field_separates_scope_and_key() {
    let mut seen = vec![(String::new(), key(&with("")))];
    for member in [
        r#""temperature":0.5"#,
        r#""temperature":0"#,
        r#""top_p":0.5"#,
        r#""frequency_penalty":0.1"#,
        r#""presence_penalty":0.1"#,
        r#""logit_bias":{"50256":-100}"#,
        r#""logit_bias":{}"#,
        r#""seed":7"#,
        r#""stop":"x""#,
        r#""stop":["x"]"#,
        r#""reasoning_effort":"low""#,
        r#""verbosity":"low""#,
        r#""moderation":{"a":1}"#,
        r#""response_format":{"type":"json_object"}"#,
        r#""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}}"#,
        r#""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"const":null}}}"#,
        r#""parallel_tool_calls":false"#,
        r#""tools":[{"type":"function","function":{"name":"f"}}]"#,
        r#""tools":[{"type":"function","function":{"name":"f","parameters":{}}}]"#,
        r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none""#,
        r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required""#,
        r#""tool_choice":"auto""#,
        r#""functions":[{"name":"f"}]"#,
        r#""functions":[{"name":"f"}],"function_call":{"name":"f"}"#,
        r#""top_k":5"#,
        r#""top_k":"5""#,
        r#""thinking":{"budget":null}"#,
        r#""thinking":{}"#,
        r#""big":18446744073709551615"#,
        r#""big":18446744073709551614"#,
        r#""big":18446744073709551616"#,
        r#""big":18446744073709551617"#,
    ] {
        seen.push((member.into(), key(&with(member))));
    }
    for (at, (left, a)) in seen.iter().enumerate() {
        for (right, b) in &seen[at + 1..] {
            assert_ne!(a.scope, b.scope, "{left} | {right}");
            assert_ne!(a.exact, b.exact, "{left} | {right}");
        }
    }
}

#[test]
fn with_tools_the_default_choice_is_auto() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    let nulls = r#""tools":[{"type":"function","function":{"name":"f","strict":null}}]"#;
    let plain = key(&with(tools));
    assert_eq!(plain, key(&with(&format!(r#"{tools},"tool_choice":"auto""#))));
    assert_eq!(plain, key(&with(nulls)));
}

fn messages(list: &str) -> Keyed {
    key(&format!(r#"{{"model":"auto","messages":[{list}]}}"#))
}

#[test]
fn a_string_is_its_single_text_part_and_null_members_are_absent() {
    let plain = messages(r#"{"role":"system","content":"S"},{"role":"user","content":"P"}"#);
    for list in [
        r#"{"role":"system","content":[{"type":"text","text":"S"}]},{"role":"user","content":"P"}"#,
        r#"{"role":"system","content":"S"},{"content":[{"text":"P","type":"text"}],"role":"user"}"#,
        r#"{"role":"system","content":"S","name":null},{"role":"user","content":"P","name":null}"#,
        r#"{"role":"system","content":"S"},
           {"role":"user","content":[{"type":"text","text":"P","prompt_cache_breakpoint":true}]}"#,
    ] {
        assert_eq!(messages(list), plain, "{list}");
    }
}

#[test]
fn the_prompt_is_in_the_key_and_not_in_the_scope() {
    let one = messages(r#"{"role":"system","content":"S"},{"role":"user","content":"P"}"#);
    let two = messages(r#"{"role":"system","content":"S"},{"role":"user","content":"Q"}"#);
    assert_eq!(one.scope, two.scope);
    assert_ne!(one.exact, two.exact);
    // Not normalised.
    let space = messages(r#"{"role":"system","content":"S"},{"role":"user","content":"P "}"#);
    assert_eq!(one.scope, space.scope);
    assert_ne!(one.exact, space.exact);
}

#[test]
fn everything_else_of_the_messages_separates() {
    let lists = [
        r#"{"role":"user","content":"P"}"#,
        r#"{"role":"system","content":"S"},{"role":"user","content":"P"}"#,
        r#"{"role":"system","content":"T"},{"role":"user","content":"P"}"#,
        r#"{"role":"developer","content":"S"},{"role":"user","content":"P"}"#,
        r#"{"role":"user","content":"P"},{"role":"system","content":"S"}"#,
        r#"{"role":"system","content":"S"},{"role":"system","content":"S"},{"role":"user","content":"P"}"#,
        r#"{"role":"system","content":[{"type":"text","text":"S"},{"type":"text","text":""}]},{"role":"user","content":"P"}"#,
        r#"{"role":"system","content":"S"},{"role":"user","content":"P","name":"bob"}"#,
        r#"{"role":"system","content":"S"},{"role":"user","content":[{"type":"text","text":"P","x":1}]}"#,
        r#"{"role":"system","content":"S"},{"role":"user","content":[{"type":"text","text":"P"},{"type":"text","text":"Q"}]}"#,
        r#"{"role":"user","content":"H"},{"role":"assistant","content":"A"},{"role":"user","content":"P"}"#,
        r#"{"role":"user","content":"H"},{"role":"assistant","content":"B"},{"role":"user","content":"P"}"#,
        r#"{"role":"user","content":"I"},{"role":"assistant","content":"B"},{"role":"user","content":"P"}"#,
        r#"{"role":"user","content":"H"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"user","content":"P"}"#,
        r#"{"role":"user","content":"H"},{"role":"assistant","refusal":"no"},{"role":"user","content":"P"}"#,
        r#"{"role":"user","content":[{"type":"text","text":"P"},{"type":"image_url","image_url":{"url":"a"}}]}"#,
        r#"{"role":"user","content":[{"type":"text","text":"P"},{"type":"image_url","image_url":{"url":"b"}}]}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"a"}},{"type":"text","text":"P"}]}"#,
        r#"{"role":"user","content":"P"},{"role":"assistant","content":"So"}"#,
        r#"{"role":"user","content":"P"},{"role":"tool","tool_call_id":"1","content":"So"}"#,
    ];
    let keys: Vec<Keyed> = lists.iter().map(|list| messages(list)).collect();
    for (at, left) in keys.iter().enumerate() {
        for (other, right) in keys.iter().enumerate().skip(at + 1) {
            assert_ne!(left.scope, right.scope, "{}\n{}", lists[at], lists[other]);
            assert_ne!(left.exact, right.exact, "{}\n{}", lists[at], lists[other]);
        }
    }
}

#[test]
fn where_text_parts_end_is_part_of_the_key() {
    let parts = |a: &str, b: &str| {
        messages(
            &json!({"role": "user", "content": [
            {"type": "text", "text": a}, {"type": "text", "text": b}]})
            .to_string(),
        )
    };
    let (one, two) = (parts("a\nb", "c"), parts("a", "b\nc"));
    assert_eq!(one.scope, two.scope);
    assert_ne!(one.exact, two.exact);
}

#[test]
fn configured_fields_move_into_the_scope_or_out() {
    let mut settings = cache_settings();
    settings.scope_fields = vec!["user".into(), "metadata.session".into()];
    settings.ignored_fields = vec!["trace_id".into(), "temperature".into()];
    let key = |member: &str| key_with(&with(member), &settings);
    let plain = key("");
    assert_eq!(key(r#""trace_id":"x""#), plain);
    assert_eq!(key(r#""metadata":{"other":1}"#), plain);
    assert_eq!(key(r#""metadata":{"session":null},"user":null"#), plain);
    // Only unknown fields can be ignored.
    assert_ne!(key(r#""temperature":0.5"#).scope, plain.scope);
    let mut scopes = vec![plain.scope];
    for member in [
        r#""user":"a""#,
        r#""user":"b""#,
        r#""metadata":{"session":"a"}"#,
        r#""metadata":{"session":"b"}"#,
        r#""metadata.session":"a""#,
        r#""trace":"x""#,
    ] {
        let keyed = key(member);
        assert!(!scopes.contains(&keyed.scope), "{member}");
        scopes.push(keyed.scope);
    }
}

#[test]
fn the_callers_limit_is_carried_beside_the_key() {
    assert_eq!(key(&with(r#""max_tokens":17"#)).limit, Some(17));
    assert_eq!(key(&with("")).limit, None);
}
