use proptest::prelude::*;
use serde_json::json;

use super::*;

fn decode(body: Value) -> Result<ChatRequest, GatewayError> {
    ChatRequest::decode(Bytes::from(body.to_string()))
}

/// A valid body with one member changed.
fn with(name: &str, value: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    body[name] = value;
    body
}

fn fault(body: Value) -> (String, String) {
    match decode(body.clone()) {
        Err(GatewayError::BadRequest { message, param }) => (param.unwrap_or_default(), message),
        other => panic!("{body} gave {other:?}"),
    }
}

#[test]
fn numbers_out_of_bounds_blame_their_field() {
    let raw = |name: &str, number: &str| {
        let body = format!(
            "{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\"x\"}}],\"{name}\":{number}}}"
        );
        ChatRequest::decode(Bytes::from(body))
    };
    let integers = ["n", "max_tokens", "max_completion_tokens", "top_logprobs", "seed"];
    let decimals = ["temperature", "top_p", "frequency_penalty", "presence_penalty"];
    for name in integers {
        for bad in [
            "9223372036854775808",
            "18446744073709551616",
            "\"10\"",
            "1.5",
            "10.0",
            "true",
            "[]",
            "-1e3",
        ] {
            let Err(GatewayError::BadRequest { param, .. }) = raw(name, bad) else {
                panic!("{name} {bad}")
            };
            assert_eq!(param.as_deref(), Some(name), "{bad}");
        }
    }
    for name in integers.into_iter().filter(|name| *name != "seed") {
        assert!(raw(name, "-1").is_err(), "{name}");
    }
    for name in decimals {
        for bad in ["-2.01", "2.01", "\"1\"", "{}", "false"] {
            let Err(GatewayError::BadRequest { param, .. }) = raw(name, bad) else {
                panic!("{name} {bad}")
            };
            assert_eq!(param.as_deref(), Some(name), "{bad}");
        }
    }
    for name in integers.into_iter().chain(decimals) {
        assert!(raw(name, "1e309").is_err() && raw(name, "NaN").is_err(), "{name}");
        assert!(raw(name, "1").is_ok() && raw(name, "null").is_ok(), "{name}");
    }
    assert!(raw("seed", "-9223372036854775808").is_ok());
    assert!(raw("n", "0").is_err() && raw("max_tokens", "0").is_err() && raw("n", "129").is_err());
    assert!(
        raw("temperature", "2").is_ok()
            && raw("top_p", "1.0").is_ok()
            && raw("top_logprobs", "0").is_ok()
    );
}

#[test]
fn sentences_are_like_openais() {
    assert_eq!(
        fault(with("temperature", json!(3))).1,
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead."
    );
    assert_eq!(
        fault(with("n", json!("1"))).1,
        "Invalid type for 'n': expected an integer, but got a string instead."
    );
    assert_eq!(
        fault(json!({"model": "m"})),
        ("messages".into(), "Missing required parameter: 'messages'.".into())
    );
    let messages = json!([{"role": "user", "content": "x"}, {"role": "owner", "content": "x"}]);
    let (param, message) = fault(with("messages", messages));
    assert_eq!(param, "messages[1].role");
    assert!(
        message.starts_with("Invalid value: 'owner'. Supported values are: 'system',"),
        "{message}"
    );
}

#[test]
fn faults_name_the_member() {
    let message = |message: Value| fault(with("messages", json!([message]))).0;
    assert_eq!(message(json!("x")), "messages[0]");
    assert_eq!(message(json!({"content": "x"})), "messages[0].role");
    assert_eq!(message(json!({"role": 1, "content": "x"})), "messages[0].role");
    assert_eq!(message(json!({"role": "user"})), "messages[0].content");
    assert_eq!(message(json!({"role": "system", "content": null})), "messages[0].content");
    assert_eq!(message(json!({"role": "user", "content": {"a": 1}})), "messages[0].content");
    assert_eq!(message(json!({"role": "user", "content": 7})), "messages[0].content");
    assert_eq!(message(json!({"role": "user", "content": ["x"]})), "messages[0].content[0]");
    assert_eq!(
        message(json!({"role": "user", "content": [{"text": "x"}]})),
        "messages[0].content[0].type"
    );
    assert_eq!(
        message(json!({"role": "user", "content": [{"type": "text"}]})),
        "messages[0].content[0].text"
    );
    let image = json!({"role": "user", "content": [{"type": "image_url", "image_url": 1}]});
    assert_eq!(message(image), "messages[0].content[0].image_url");
    assert_eq!(message(json!({"role": "user", "content": "x", "name": 1})), "messages[0].name");
    assert_eq!(message(json!({"role": "assistant", "tool_calls": [1]})), "messages[0].tool_calls");
    for (name, bad, param) in [
        ("model", json!(null), "model"),
        ("model", json!(""), "model"),
        ("model", json!(4), "model"),
        ("messages", json!([]), "messages"),
        ("messages", json!({}), "messages"),
        ("stream", json!("true"), "stream"),
        ("stream", json!(1), "stream"),
        ("stream_options", json!({"include_usage": true}), "stream_options"),
        ("logit_bias", json!([]), "logit_bias"),
        ("logit_bias", json!({"50": "x"}), "logit_bias.50"),
        ("logit_bias", json!({"50": 101}), "logit_bias.50"),
        ("stop", json!([1]), "stop"),
        ("tools", json!({}), "tools"),
        ("tools", json!(["x"]), "tools"),
        ("tools", json!([{}]), "tools[0].type"),
        ("tools", json!([{"type": "function"}]), "tools[0].function"),
        ("tools", json!([{"type": "function", "function": {}}]), "tools[0].function.name"),
        (
            "tools",
            json!([{"type": "function", "function": {"name": "f", "parameters": 1}}]),
            "tools[0].function.parameters",
        ),
        ("tool_choice", json!(1), "tool_choice"),
        ("response_format", json!("json"), "response_format"),
        ("response_format", json!({}), "response_format.type"),
        ("response_format", json!({"type": "json_schema"}), "response_format.json_schema"),
        ("user", json!(1), "user"),
        ("metadata", json!("x"), "metadata"),
        ("store", json!("x"), "store"),
        ("modalities", json!([1]), "modalities"),
    ] {
        assert_eq!(fault(with(name, bad.clone())).0, param, "{name} {bad}");
    }
    let mut options = with("stream", json!(true));
    options["stream_options"] = json!({"include_usage": 1});
    assert_eq!(fault(options).0, "stream_options.include_usage");
}

#[test]
fn broken_bodies_are_the_callers_fault() {
    for body in ["", "[]", "{\"model\":\"m\",\"model\":\"m\"}", "{\"model\":", "null"] {
        let error = ChatRequest::decode(Bytes::from(body)).expect_err(body);
        assert!(matches!(error, GatewayError::BadRequest { param: None, .. }), "{body}");
    }
}

#[test]
fn what_openai_accepts_is_accepted() {
    for good in [
        json!({"model": "m", "messages": [{"role": "developer", "content": [{"type": "text", "text": "x"}]},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "4"}]}),
        json!({"model": "m", "messages": [{"role": "user", "content": "x", "name": null}], "stream": null, "stream_options": null,
            "stop": null, "tools": [], "logit_bias": null, "temperature": 0, "stop": ["a"], "top_k": 5, "thinking": {"type": "x"}}),
        json!({"model": "m", "messages": [{"role": "user", "content": []}], "tools": [{"type": "web_search"}], "stop": "x",
            "response_format": {"type": "text"}, "tool_choice": {"type": "allowed_tools"}}),
        json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {}}]}]}),
    ] {
        assert!(decode(good.clone()).is_ok(), "{good}");
    }
}

#[test]
fn the_prompt_is_the_last_user_text() {
    let request = |messages: Value| decode(with("messages", messages)).expect("a request");
    let read = request(
        json!([{"role": "system", "content": "s"}, {"role": "user", "content": "first"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:x"}}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "pre"}]),
    );
    assert_eq!(
        (read.prompt.as_str(), read.last, read.facts.turns),
        ("a\nb", LastMessage::Prefill, 2)
    );
    assert!(read.facts.has_image && read.facts.prompt_tokens > 1_105);
    assert_eq!(read.facts.prompt_chars, 3);
    let none = request(json!([{"role": "system", "content": "s"}]));
    assert_eq!((none.prompt.as_str(), none.facts.turns), ("", 0));
    let last = |parts: Value| request(json!([{"role": "user", "content": parts}])).last;
    assert_eq!(last(json!("x")), LastMessage::UserText);
    assert_eq!(
        last(
            json!([{"type": "file", "file": {}}, {"type": "image_url", "image_url": {"url": "u"}}])
        ),
        LastMessage::UserImage
    );
    assert_eq!(last(json!([{"type": "input_audio", "input_audio": {}}])), LastMessage::UserAudio);
    assert_eq!(last(json!([{"type": "video_url"}])), LastMessage::UserFile);
    let tool = request(
        json!([{"role": "user", "content": "x"}, {"role": "tool", "content": "4", "tool_call_id": "c"}]),
    );
    assert_eq!((tool.last, tool.prompt.as_str()), (LastMessage::ToolResult, "x"));
}

#[test]
fn facts_are_read_from_the_whole_request() {
    let mut body = with("tools", json!([{"type": "function", "function": {"name": "f"}}]));
    body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "s"}});
    body["max_tokens"] = json!(5);
    body["max_completion_tokens"] = json!(7);
    let read = decode(body).expect("a request");
    assert!(read.facts.has_tools && read.facts.wants_json && read.facts.wants_json_schema);
    assert_eq!(read.max_output, Some(7));
    let code = |prompt: &str| {
        decode(with("messages", json!([{"role": "user", "content": prompt}])))
            .expect("a request")
            .facts
            .has_code
    };
    assert!(code("```\nx\n```") && code("Why?\ndef f(x):\n    return x + f(1)\n"));
    assert!(code("int main() {\n  puts(\"x\");\n}"));
    assert!(!code("Let us import this idea; for example, return to class.\nWhat is a struct?"));
}

fn edited(body: &str, edits: Edits<'_>) -> String {
    let request = ChatRequest::decode(Bytes::copy_from_slice(body.as_bytes())).expect("a request");
    String::from_utf8(request.outgoing(&edits).to_vec()).expect("UTF-8")
}

#[test]
fn edits_leave_every_other_byte() {
    let usage = Edits { model: "gpt \"4\"", include_usage: true, max_completion_tokens: None };
    let cases = [
        (
            " {\"x\" : [1.0, 1e2],\n\"mod\\u0065l\" : \"auto\" ,\"messages\":[{\"role\":\"user\",\"content\":\"\\u0041\"}]}\n",
            " {\"x\" : [1.0, 1e2],\n\"mod\\u0065l\" : \"gpt \\\"4\\\"\" ,\"messages\":[{\"role\":\"user\",\"content\":\"\\u0041\"}]}\n",
        ),
        (
            r#"{"model":"a","messages":[{"role":"user","content":"x"}],"stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"model":"gpt \"4\"","messages":[{"role":"user","content":"x"}],"stream":true}"#,
        ),
        (
            r#"{"model":"a","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options": { "include_obfuscation" : false }}"#,
            r#"{"model":"gpt \"4\"","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options": {"include_usage":true, "include_obfuscation" : false }}"#,
        ),
        (
            r#"{"model":"a","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage": false,"a":1}}"#,
            r#"{"model":"gpt \"4\"","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage": true,"a":1}}"#,
        ),
        (
            r#"{"model":"a","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":null}"#,
            r#"{"model":"gpt \"4\"","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(edited(body, usage), expected);
    }
    let same = r#"{"model":"a","messages":[{"role":"user","content":"x"}]}"#;
    assert_eq!(edited(same, Edits { model: "a", ..usage }), same);
    let limit = Edits { model: "a", include_usage: false, max_completion_tokens: Some(9) };
    assert_eq!(
        edited(same, limit),
        r#"{"max_completion_tokens":9,"model":"a","messages":[{"role":"user","content":"x"}]}"#
    );
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("\"model\":{}[],\\")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("x_.{0,3}", inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn an_edited_body_says_the_same_but_for_the_edits(
        extra in prop::collection::btree_map("x_\\PC{0,4}", json_value(), 0..5),
        options in prop::option::of(prop::collection::btree_map("[a-c]", json_value(), 0..3)),
        asked in prop::option::of(any::<bool>()),
        include_usage in any::<bool>(),
        limit in prop::option::of(1u64..1_000_000),
        model in any::<String>(),
        pretty in any::<bool>(),
    ) {
        let mut body = with("stream", json!(true));
        for (name, value) in extra {
            body[name] = value;
        }
        if let Some(options) = options {
            body["stream_options"] = options.into_iter().collect::<Map<_, _>>().into();
            if let Some(asked) = asked {
                body["stream_options"]["include_usage"] = asked.into();
            }
        }
        let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) };
        let request = ChatRequest::decode(Bytes::from(text.expect("JSON"))).expect("a request");
        let edits = Edits { model: &model, include_usage, max_completion_tokens: limit };
        let out: Value = serde_json::from_slice(&request.outgoing(&edits)).expect("JSON");
        body["model"] = model.clone().into();
        if include_usage {
            body["stream_options"]["include_usage"] = true.into();
        }
        if let Some(limit) = limit {
            body["max_completion_tokens"] = limit.into();
        }
        prop_assert_eq!(out, body);
    }
}
