//! What a hit looks like: an answer that went in as JSON or as a stream comes out as either, whole.

use serde_json::{Value, json};

use crate::support::{Act, Answer, End, TestGateway, chat_stream};

const WITH_TOOLS: &str = "cache: {tool_calls: true}\n";

/// A message put together from the deltas of a stream, as a client does.
fn folded(answer: &Answer) -> Value {
    let mut message = json!({"content": null, "reasoning_content": null, "tool_calls": []});
    let append = |place: &mut Value, piece: &Value| {
        if let Some(piece) = piece.as_str() {
            *place = json!(format!("{}{piece}", place.as_str().unwrap_or_default()));
        }
    };
    let mut finish = Value::Null;
    let mut usage = Value::Null;
    for chunk in answer.chunks() {
        let choice = &chunk["choices"][0];
        for member in ["content", "reasoning_content"] {
            append(&mut message[member], &choice["delta"][member]);
        }
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let place = call["index"].as_u64().expect("an index") as usize;
            let calls = message["tool_calls"].as_array_mut().expect("calls");
            if calls.len() == place {
                calls.push(
                    json!({"id": call["id"], "name": call["function"]["name"], "arguments": ""}),
                );
            }
            append(&mut calls[place]["arguments"], &call["function"]["arguments"]);
        }
        if !choice["finish_reason"].is_null() {
            finish = choice["finish_reason"].clone();
        }
        if chunk["usage"].is_object() {
            usage = chunk["usage"].clone();
        }
    }
    json!({"message": message, "finish": finish, "usage": usage})
}

/// The same of a whole answer.
fn whole(answer: &Answer) -> Value {
    let body = answer.json();
    let message = &body["choices"][0]["message"];
    let calls: Vec<Value> = message["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|call| json!({"id": call["id"], "name": call["function"]["name"], "arguments": call["function"]["arguments"]}))
        .collect();
    json!({
        "message": {"content": message["content"], "reasoning_content": message["reasoning_content"], "tool_calls": calls},
        "finish": body["choices"][0]["finish_reason"], "usage": body["usage"],
    })
}

fn completion(message: Value, finish: &str) -> Value {
    json!({
        "id": "chatcmpl-up", "object": "chat.completion", "created": 1, "model": "up-model",
        "choices": [{"index": 0, "finish_reason": finish, "logprobs": null, "message": message}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110,
            "completion_tokens_details": {"reasoning_tokens": 4}},
    })
}

fn answers() -> Vec<Value> {
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    vec![
        completion(json!({"role": "assistant", "content": "Paris"}), "stop"),
        completion(
            json!({"role": "assistant", "content": "naïve 日本語 👩‍👩‍👧 e\u{301}\n\n- a\n- b\t\"q\" \\"}),
            "stop",
        ),
        completion(json!({"role": "assistant", "content": "one two three ".repeat(400)}), "stop"),
        completion(
            json!({"role": "assistant", "content": "42", "reasoning_content": "six times\nseven is 42"}),
            "stop",
        ),
        completion(
            json!({"role": "assistant", "content": null, "tool_calls": [
                call("c1", "find", "{\"q\": \"naïve \\\"x\\\"\", \"n\": 3}"), call("c2", "look", "{}")]}),
            "tool_calls",
        ),
        completion(
            json!({"role": "assistant", "content": "Let me look.", "reasoning_content": "hm",
                "tool_calls": [call("c1", "find", "{\"q\":1}")]}),
            "tool_calls",
        ),
    ]
}

fn streaming() -> Value {
    let mut body = chat_stream("auto", "What is it?");
    body["stream_options"] = json!({"include_usage": true});
    body
}

#[tokio::test]
async fn a_stored_answer_is_the_same_as_json_and_as_a_stream() {
    for stored in answers() {
        let gateway = TestGateway::with(WITH_TOOLS).await;
        let act = Act::Reply { status: 200, headers: vec![], body: stored.to_string() };
        gateway.upstream.then(act);
        let made = gateway.ask("auto", "What is it?").await;
        let json = gateway.ask("auto", "What is it?").await;
        let stream = gateway.send(&streaming(), &[]).await;
        for hit in [&json, &stream] {
            assert!(hit.header("cache-status").contains("; hit;"), "{:?}", hit.headers);
        }
        assert_eq!(whole(&json), whole(&made));
        assert_eq!(json.json()["choices"], stored["choices"]);
        assert_eq!(json.json()["usage"], stored["usage"]);
        assert_eq!(folded(&stream), whole(&made), "{}", stream.text);
        assert!(stream.text.ends_with("data: [DONE]\n\n"));
        let chunks = stream.chunks();
        assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
        assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"));
        assert!(
            chunks
                .iter()
                .all(|chunk| chunk["id"] == chunks[0]["id"] && chunk["model"] == "up-model")
        );
        gateway.finish().await;
    }
}

#[tokio::test]
async fn a_long_answer_comes_in_plausible_chunks() {
    let gateway = TestGateway::start().await;
    let text = "word ".repeat(400);
    gateway.upstream.says(&text);
    gateway.ask("auto", "Say a lot").await;
    let stream = gateway.send(&chat_stream("auto", "Say a lot"), &[]).await;
    let pieces: Vec<usize> = stream
        .chunks()
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::len))
        .filter(|length| *length > 0)
        .collect();
    assert!(pieces.len() >= 20, "{} chunks", pieces.len());
    assert!(pieces.iter().all(|length| *length <= 200), "{pieces:?}");
    assert_eq!(stream.streamed(), text);
    gateway.finish().await;
}

#[tokio::test]
async fn a_streamed_answer_is_stored_whole() {
    let chunk = |delta: Value, finish: Value| {
        format!(
            "data: {}\n\n",
            json!({
            "id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1, "model": "up-model",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        )
    };
    let call = |index: u64, id: Value, name: Value, arguments: &str| {
        json!({"tool_calls": [{"index": index, "id": id, "type": "function",
            "function": {"name": name, "arguments": arguments}}]})
    };
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110});
    let events = vec![
        chunk(json!({"role": "assistant", "content": ""}), Value::Null),
        chunk(json!({"reasoning_content": "I must "}), Value::Null),
        chunk(json!({"reasoning_content": "look."}), Value::Null),
        chunk(json!({"content": "Looking 日"}), Value::Null),
        chunk(json!({"content": "本"}), Value::Null),
        chunk(call(0, json!("c1"), json!("find"), "{\"q\""), Value::Null),
        chunk(call(0, Value::Null, Value::Null, ": 1}"), Value::Null),
        chunk(call(1, json!("c2"), json!("look"), "{}"), Value::Null),
        chunk(json!({}), json!("tool_calls")),
        format!(
            "data: {}\n\n",
            json!({"id": "chatcmpl-up", "object": "chat.completion.chunk",
            "created": 1, "model": "up-model", "choices": [], "usage": usage})
        ),
        "data: [DONE]\n\n".into(),
    ];
    let gateway = TestGateway::with(WITH_TOOLS).await;
    gateway.upstream.then(Act::Stream { events, end: End::Proper });
    let made = gateway.send(&streaming(), &[]).await;
    let again = gateway.send(&streaming(), &[]).await;
    let json = gateway.ask("auto", "What is it?").await;
    assert!(again.header("cache-status").contains("; hit;"), "{:?} {}", again.headers, made.text);
    let expected = folded(&made);
    assert_eq!(expected["message"]["tool_calls"][0]["arguments"], "{\"q\": 1}");
    assert_eq!(expected["message"]["content"], "Looking 日本");
    assert_eq!(folded(&again), expected);
    assert_eq!(whole(&json), expected);
    gateway.finish().await;
}

#[tokio::test]
async fn tool_calls_are_served_only_where_the_operator_says_so() {
    let gateway = TestGateway::start().await;
    let answer = answers().remove(4).to_string();
    for _ in 0..2 {
        let act = Act::Reply { status: 200, headers: vec![], body: answer.clone() };
        gateway.upstream.then(act);
        let made = gateway.ask("auto", "What is it?").await;
        assert!(!made.header("cache-status").contains("stored"), "{:?}", made.headers);
    }
    gateway.finish().await;
}
