use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{Accumulator, EventKind, StreamReader};
use super::*;

fn data(stream: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stream).expect("UTF-8");
    let events: Vec<&str> = text.split_terminator("\n\n").collect();
    events
        .into_iter()
        .map(|event| {
            let data = event.strip_prefix("data: ").expect("one data line");
            assert!(!data.contains('\n'), "{data}");
            serde_json::from_str(data).expect("JSON")
        })
        .collect()
}

fn refold(answer: &Value, include_usage: bool) -> Value {
    let text = serde_json::to_vec(answer).expect("JSON");
    let bytes = stream(&text, "id", 7, include_usage);
    let mut reader = StreamReader::default();
    let mut accumulator = Accumulator::new(1 << 24);
    let mut events = reader.push(&bytes).expect("within the limit");
    events.extend(reader.finish().expect("within the limit"));
    for event in events {
        assert!(matches!(event.kind, EventKind::Chunk(_)), "{event:?}");
        accumulator.push(&event);
    }
    serde_json::from_slice(&accumulator.finish().expect("an answer")).expect("JSON")
}

#[test]
fn a_whole_hit_differs_in_id_and_time_only() {
    let stored = "{ \"\\u0069d\" : \"old\",\n \"choices\":[ {\"x\": 1.50} ], \"created\": 3 ,\"usage\":null}\n";
    let hit = whole(stored.as_bytes(), "chatcmpl-1", 9);
    assert_eq!(&hit[..], "{ \"\\u0069d\" : \"chatcmpl-1\",\n \"choices\":[ {\"x\": 1.50} ], \"created\": 9 ,\"usage\":null}\n".as_bytes());
    assert_eq!(
        &whole(b"{\"choices\":[]}", "a", 1)[..],
        b"{\"id\":\"a\",\"created\":1,\"choices\":[]}"
    );
}

#[test]
fn a_streamed_hit_has_openais_sequence() {
    let text = "The capital of France is Paris, which lies on the Seine. Voil\u{e0} \u{1f600}!";
    let answer = json!({"id": "old", "object": "chat.completion", "created": 1, "model": "m", "service_tier": "default",
        "citations": ["u"], "choices": [{"index": 0, "logprobs": null, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text, "refusal": null, "reasoning_content": "Think."}}],
        "usage": {"prompt_tokens": 1}});
    let bytes = stream(answer.to_string().as_bytes(), "chatcmpl-1", 9, true);
    let events = data(&bytes);
    for event in &events {
        assert_eq!(
            (&event["id"], &event["created"], &event["model"], &event["service_tier"]),
            (&json!("chatcmpl-1"), &json!(9), &json!("m"), &json!("default"))
        );
        assert_eq!(event["object"], "chat.completion.chunk");
    }
    assert_eq!(
        events[0]["choices"][0]["delta"],
        json!({"role": "assistant", "content": "", "refusal": null})
    );
    assert_eq!(events[1]["choices"][0]["delta"], json!({"reasoning_content": "Think."}));
    let (last, rest) = events.split_last().expect("events");
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &json!({"prompt_tokens": 1})));
    let (finish, pieces) = rest.split_last().expect("events");
    assert_eq!(
        finish["choices"],
        json!([{"index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop"}])
    );
    assert_eq!(finish["citations"], json!(["u"]));
    let content: Vec<&str> = pieces[2..]
        .iter()
        .map(|event| event["choices"][0]["delta"]["content"].as_str().expect("text"))
        .collect();
    assert_eq!(content.concat(), text);
    assert!(
        content.len() >= 2 && content.iter().all(|piece| piece.chars().count() <= PIECE_HARD),
        "{content:?}"
    );
    assert!(rest.iter().all(|event| event["usage"].is_null() && event.get("usage").is_some()));

    let silent = data(&stream(answer.to_string().as_bytes(), "chatcmpl-1", 9, false));
    assert_eq!(silent.len(), events.len() - 1);
    assert!(silent.iter().all(|event| event.get("usage").is_none()));
}

#[test]
fn tool_calls_come_by_name_then_arguments() {
    let arguments = format!("{{\"q\":\"{}\"}}", "x\\\"\u{e9}".repeat(30));
    let answer = json!({"choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}},
            {"id": "c2", "type": "custom", "custom": {"name": "g", "input": ""}}]}}]});
    let events = data(&stream(answer.to_string().as_bytes(), "i", 1, false));
    assert_eq!(events[0]["choices"][0]["delta"], json!({"role": "assistant", "content": null}));
    assert_eq!(
        events[1]["choices"][0]["delta"]["tool_calls"],
        json!([{"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}])
    );
    assert!(events.len() > 5);
    assert_eq!(refold(&answer, false)["choices"], answer["choices"]);
}

#[test]
fn line_ends_in_a_stored_answer_do_not_break_events() {
    let answer = json!({"model": "m", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "a\nb", "annotations": [{"x": 1}]}}], "usage": {"prompt_tokens": 1}});
    let pretty = serde_json::to_string_pretty(&answer).expect("JSON").replace('\n', "\r\n");
    let events = data(&stream(pretty.as_bytes(), "i", 1, true));
    assert_eq!(events.last().expect("events")["usage"], json!({"prompt_tokens": 1}));
}

#[test]
fn pieces_never_cut_an_escape() {
    let text = "\\ud83d\\ude00".repeat(90) + &"\\n\\\\\\\"\\u00e9日🙂".repeat(50);
    let (mut rest, mut joined) = (text.as_str(), String::new());
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(piece_end(rest));
        let read: String = serde_json::from_str(&format!("\"{piece}\"")).expect("a whole piece");
        joined.push_str(&read);
        rest = more;
    }
    let expected: String = serde_json::from_str(&format!("\"{text}\"")).expect("JSON");
    assert_eq!(joined, expected);
}

#[test]
fn ids_and_errors_have_openais_form() {
    assert_eq!(fresh_id(Uuid::from_u128(255)), "chatcmpl-000000000000000000000000000000ff");
    let event = error_event("gone", "upstream_error", Some("upstream_failed"));
    assert_eq!(
        data(&event),
        [
            json!({"error": {"message": "gone", "type": "upstream_error", "param": null, "code": "upstream_failed"}})
        ]
    );
    assert_eq!(data(&error_event("a\nb", "server_error", None))[0]["error"]["code"], Value::Null);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-zA-Z .,\n\"\\\\é日🙂]{0,120}",
        prop::collection::vec("[a-z]{1,9}", 0..60).prop_map(|words| words.join(" ")),
    ]
}

fn call() -> impl Strategy<Value = Value> {
    ("[a-z]{1,5}", text(), any::<bool>()).prop_map(|(name, arguments, extra)| {
        let mut call =
            json!({"type": "function", "function": {"name": name, "arguments": arguments}});
        if extra {
            call["extra_content"] = json!({"google": {"thought_signature": "s"}});
        }
        call
    })
}

prop_compose! {
    fn message()(
        content in prop_oneof![Just(Value::Null), text().prop_map(Value::from), Just(json!([{"type": "text", "text": "x"}]))],
        refusal in prop::option::of(prop_oneof![Just(Value::Null), text().prop_map(Value::from)]),
        strings in prop::collection::btree_map("(reasoning_content|reasoning|x_[a-z])", text(), 0..3),
        annotations in prop::option::of(prop::collection::vec(any::<u8>().prop_map(Value::from), 0..3)),
        calls in prop::collection::vec(call(), 0..3),
        function in prop::option::of(text()),
        audio in prop::option::of(Just(json!({"id": "a", "data": "d"}))),
    ) -> Value {
        let mut message = Map::new();
        message.insert("role".into(), "assistant".into());
        message.insert("content".into(), content);
        message.extend(refusal.map(|refusal| ("refusal".to_owned(), refusal)));
        message.extend(strings.into_iter().map(|(name, text)| (name, text.into())));
        message.extend(annotations.map(|list| ("annotations".to_owned(), list.into())));
        let calls: Vec<Value> = calls.into_iter().enumerate().map(|(at, mut call)| {
            call["id"] = format!("call_{at}").into();
            call
        }).collect();
        if !calls.is_empty() {
            message.insert("tool_calls".into(), calls.into());
        }
        message.extend(function.map(|arguments| ("function_call".to_owned(), json!({"name": "f", "arguments": arguments}))));
        message.extend(audio.map(|audio| ("audio".to_owned(), audio)));
        message.into()
    }
}

prop_compose! {
    fn answer()(
        messages in prop::collection::vec(message(), 1..3),
        logprobs in prop::option::of(prop_oneof![Just(Value::Null), Just(json!({"content": [{"token": "a"}]}))]),
        fingerprint in prop::option::of("[a-z]{1,4}"),
        extra in prop::option::of(Just(json!({"citations": ["u"], "cost": 0.5}))),
        usage in prop::option::of(Just(json!({"prompt_tokens": 3, "completion_tokens": 4}))),
    ) -> Value {
        let choices: Vec<Value> = messages.into_iter().enumerate().map(|(index, message)| {
            let mut choice = json!({"index": index, "message": message, "finish_reason": "stop", "stop_reason": 7});
            if let Some(logprobs) = &logprobs {
                choice["logprobs"] = logprobs.clone();
            }
            choice
        }).collect();
        let mut answer = json!({"id": "id", "object": "chat.completion", "created": 7, "model": "m", "choices": choices});
        if let Some(fingerprint) = fingerprint {
            answer["system_fingerprint"] = fingerprint.into();
        }
        if let Some(Value::Object(extra)) = extra {
            for (name, value) in extra {
                answer[name] = value;
            }
        }
        if let Some(usage) = usage {
            answer["usage"] = usage;
        }
        answer
    }
}

proptest! {
    #[test]
    fn folding_a_rendered_answer_gives_the_answer(answer in answer()) {
        prop_assert_eq!(&refold(&answer, true), &answer);
        let mut without = answer.clone();
        without.as_object_mut().expect("an object").remove("usage");
        prop_assert_eq!(&refold(&answer, false), &without);
    }
}
