//! Every way in which an upstream's answer may be less than an answer: none of them is stored.

use serde_json::{Value, json};

use crate::support::{Act, End, TestGateway, chat, chat_stream, completion, stream_of};

/// One attempt, so that each case is exactly one answer of the upstream.
const ONE_ATTEMPT: &str = "resilience: {attempts: 1}\n";

fn with(change: impl Fn(&mut Value)) -> Act {
    let mut body = completion("half an answer");
    change(&mut body);
    text(body.to_string())
}

fn text(body: String) -> Act {
    Act::Reply { status: 200, headers: vec![], body }
}

fn status(status: u16) -> Act {
    Act::Reply { status, headers: vec![], body: completion("an answer").to_string() }
}

fn finish(reason: Value) -> Act {
    with(move |body| body["choices"][0]["finish_reason"] = reason.clone())
}

fn message(member: &'static str, value: Value) -> Act {
    with(move |body| body["choices"][0]["message"][member] = value.clone())
}

fn member(name: &'static str, value: Value) -> Act {
    with(move |body| body[name] = value.clone())
}

fn call() -> Value {
    json!([{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}])
}

/// Answers to a request for JSON.
fn whole() -> Vec<(&'static str, Act)> {
    let good = completion("an answer").to_string();
    let head = |length: usize| {
        format!(
            "HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let shortened = [head(good.len()).as_bytes(), &good.as_bytes()[..good.len() - 20]].concat();
    let not_utf8 = good.replace("an answer", "?").into_bytes();
    let not_utf8: Vec<u8> = not_utf8.iter().map(|b| if *b == b'?' { 0xff } else { *b }).collect();
    let not_utf8 = [head(not_utf8.len()).as_bytes(), &not_utf8].concat();
    vec![
        ("truncated by length", finish(json!("length"))),
        ("filtered", finish(json!("content_filter"))),
        ("tool_calls without calls", finish(json!("tool_calls"))),
        ("function_call without a call", finish(json!("function_call"))),
        ("finish reason null", finish(Value::Null)),
        ("finish reason unknown", finish(json!("error"))),
        ("finish reason in capitals", finish(json!("STOP"))),
        ("finish reason empty", finish(json!(""))),
        ("finish reason a number", finish(json!(1))),
        (
            "finish reason absent",
            with(|body| {
                body["choices"][0].as_object_mut().expect("a choice").remove("finish_reason");
            }),
        ),
        ("content empty", message("content", json!(""))),
        ("content null", message("content", Value::Null)),
        ("content an empty list", message("content", json!([]))),
        (
            "content absent",
            with(|body| {
                body["choices"][0]["message"].as_object_mut().expect("a message").remove("content");
            }),
        ),
        ("a refusal", message("refusal", json!("I cannot help with that."))),
        ("tool calls that end with stop", message("tool_calls", call())),
        (
            "tool calls",
            with(|body| {
                body["choices"][0]["message"]["tool_calls"] = call();
                body["choices"][0]["finish_reason"] = json!("tool_calls");
            }),
        ),
        (
            "a legacy function call",
            message("function_call", json!({"name": "f", "arguments": "{}"})),
        ),
        ("no choice", member("choices", json!([]))),
        ("choices null", member("choices", Value::Null)),
        ("choices an object", member("choices", json!({"0": {}}))),
        (
            "choices absent",
            with(|body| {
                body.as_object_mut().expect("an object").remove("choices");
            }),
        ),
        (
            "two choices",
            with(|body| {
                let choice = body["choices"][0].clone();
                body["choices"].as_array_mut().expect("choices").push(choice);
            }),
        ),
        ("a choice that is null", member("choices", json!([null]))),
        ("message null", with(|body| body["choices"][0]["message"] = Value::Null)),
        ("message absent", with(|body| body["choices"][0] = json!({"finish_reason": "stop"}))),
        ("an error with status 200", text(json!({"error": {"message": "overloaded"}}).to_string())),
        ("an error as a string", text(json!({"error": "overloaded"}).to_string())),
        ("an error beside an answer", member("error", json!({"message": "late failure"}))),
        ("JSON cut within", text(good[..good.len() / 2].to_owned())),
        ("JSON with something behind", text(format!("{good}{good}"))),
        ("a body shorter than announced", Act::Raw(shortened)),
        ("bytes that are not UTF-8", Act::Raw(not_utf8)),
        ("an empty body", text(String::new())),
        (
            "a page of HTML",
            Act::Reply {
                status: 200,
                headers: vec![("content-type", "text/html".into())],
                body: "<html><body>Sign in</body></html>".into(),
            },
        ),
        ("a JSON list", text("[]".into())),
        ("a JSON string", text("\"an answer\"".into())),
        ("JSON null", text("null".into())),
        ("larger than max_entry", text(completion(&"word ".repeat(60_000)).to_string())),
        ("an answer with status 400", status(400)),
        ("an answer with status 429", status(429)),
        ("an answer with status 500", status(500)),
        (
            "a redirect",
            Act::Reply {
                status: 302,
                headers: vec![("location", "http://127.0.0.1:9/".into())],
                body: good.clone(),
            },
        ),
        ("an answer with status 201", status(201)),
        ("an answer with status 203", status(203)),
        ("an answer with status 206", status(206)),
        ("no answer", Act::Hang),
    ]
}

fn chunk(delta: Value, finish: Value) -> String {
    let chunk = json!({
        "id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1, "model": "up-model",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    });
    format!("data: {chunk}\n\n")
}

/// A stream with these deltas and this end.
fn events(deltas: &[Value], finish: &str) -> Vec<String> {
    let mut events: Vec<String> =
        deltas.iter().map(|delta| chunk(delta.clone(), Value::Null)).collect();
    events.push(chunk(json!({}), json!(finish)));
    events.push("data: [DONE]\n\n".into());
    events
}

/// Answers to a request for a stream.
fn streamed() -> Vec<(&'static str, Act)> {
    let proper = |events: Vec<String>| Act::Stream { events, end: End::Proper };
    let good = stream_of(&["an ", "answer"], true);
    let without = |which: &dyn Fn(&str) -> bool| {
        proper(good.iter().filter(|event| !which(event)).cloned().collect())
    };
    let instead_of_third = |event: &str| {
        let mut events = good.clone();
        events[2] = event.into();
        proper(events)
    };
    let content = |text: &str| json!({"content": text});
    let cut = |events: usize| Act::Stream { events: good[..events].to_vec(), end: End::Break };
    vec![
        ("stream without terminator", proper(stream_of(&["an ", "answer"], false))),
        ("stream cut before content", cut(1)),
        ("stream cut in the middle", cut(2)),
        ("stream cut before its finish", cut(3)),
        ("stream cut before its terminator", cut(good.len() - 1)),
        ("stream that ends in the middle", proper(good[..2].to_vec())),
        ("stream without finish reason", without(&|event| event.contains("\"stop\""))),
        ("stream truncated by length", proper(events(&[content("half")], "length"))),
        ("stream filtered", proper(events(&[content("half")], "content_filter"))),
        ("stream with an unknown finish", proper(events(&[content("half")], "error"))),
        ("stream without content", proper(events(&[], "stop"))),
        ("stream with empty content", proper(events(&[content("")], "stop"))),
        ("stream of a refusal", proper(events(&[json!({"refusal": "No."})], "stop"))),
        ("stream of tool calls", proper(events(&[json!({"tool_calls": call()})], "tool_calls"))),
        (
            "stream of tool calls that stops",
            proper(events(&[json!({"tool_calls": call()})], "stop")),
        ),
        (
            "stream of a function call",
            proper(events(
                &[json!({"function_call": {"name": "f", "arguments": "{}"}})],
                "function_call",
            )),
        ),
        (
            "stream of two choices",
            instead_of_third(
                "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"},\"finish_reason\":null}]}\n\n",
            ),
        ),
        (
            "stream with an error",
            instead_of_third("data: {\"error\": {\"message\": \"overloaded\"}}\n\n"),
        ),
        (
            "stream with an error event",
            instead_of_third("event: error\ndata: {\"message\": \"overloaded\"}\n\n"),
        ),
        ("stream with a broken chunk", instead_of_third("data: {\"choices\": [{\"ind\n\n")),
        ("stream of nothing but its terminator", proper(vec!["data: [DONE]\n\n".into()])),
        ("an empty stream", proper(vec![])),
        (
            "stream larger than max_entry",
            proper(stream_of(
                &["word "; 60_000]
                    .chunks(1000)
                    .map(|words| words.concat())
                    .collect::<Vec<_>>()
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>(),
                true,
            )),
        ),
        (
            "an error instead of a stream",
            text(json!({"error": {"message": "overloaded"}}).to_string()),
        ),
        ("status 500 instead of a stream", status(500)),
        ("stream with status 201", with_status(201, &good)),
        ("stream with status 206", with_status(206, &good)),
    ]
}

/// A stream that is whole, under a status other than 200.
fn with_status(status: u16, events: &[String]) -> Act {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    );
    Act::Raw([head, events.concat()].concat().into_bytes())
}

/// Whether the gateway has an answer to the prompt, without asking anybody.
async fn is_stored(gateway: &TestGateway, prompt: &str) -> bool {
    let only = [("cache-control", "only-if-cached")];
    let mut found = false;
    // The exact level, and the semantic level by a near-literal repeat.
    for prompt in [prompt.to_owned(), format!("{}?!", prompt.to_uppercase())] {
        let answer = gateway.send(&chat("mini", &prompt), &only).await;
        assert!(matches!(answer.status, 200 | 504), "{}", answer.text);
        found |= answer.status == 200;
    }
    found
}

const PROMPT: &str = "Tell me about the tides of the sea";

async fn assert_not_stored(name: &str, request: &Value, act: Act) {
    let gateway = TestGateway::with(ONE_ATTEMPT).await;
    gateway.upstream.then(act);
    let answer = gateway.send(request, &[]).await;
    assert!(!answer.header("cache-status").contains("stored"), "{name}: {:?}", answer.headers);
    assert!(!answer.text.contains(" stored\n"), "{name}: {}", answer.text);
    assert!(!is_stored(&gateway, PROMPT).await, "{name}: {}", answer.text);
    gateway.finish().await;
}

#[tokio::test]
async fn no_abnormal_answer_is_stored() {
    let cases = whole();
    assert!(cases.len() >= 40, "{}", cases.len());
    for (name, act) in cases {
        assert_not_stored(name, &chat("mini", PROMPT), act).await;
    }
}

#[tokio::test]
async fn no_abnormal_stream_is_stored() {
    let cases = streamed();
    assert!(cases.len() >= 20, "{}", cases.len());
    for (name, act) in cases {
        assert_not_stored(name, &chat_stream("mini", PROMPT), act).await;
    }
}

#[tokio::test]
async fn a_caller_who_leaves_early_stores_nothing_by_halves() {
    let gateway = TestGateway::with(ONE_ATTEMPT).await;
    let events = stream_of(&["an ", "answer"], true)[..2].to_vec();
    gateway.upstream.then(Act::Stream { events, end: End::Stall });
    let url = format!("{}/v1/chat/completions", gateway.data);
    let request = gateway.client.post(url).header("content-type", "application/json");
    let response = request.body(chat_stream("mini", PROMPT).to_string()).send().await;
    let mut response = response.expect("the gateway answers");
    assert!(response.chunk().await.expect("readable").is_some());
    drop(response);
    assert!(!is_stored(&gateway, PROMPT).await);
}

#[tokio::test]
async fn the_same_stream_under_another_status_reaches_the_caller() {
    let events = stream_of(&["an ", "answer"], true);
    for (status, stored) in [(200, true), (206, false)] {
        let gateway = TestGateway::with(ONE_ATTEMPT).await;
        gateway.upstream.then(with_status(status, &events));
        let answer = gateway.send(&chat_stream("mini", PROMPT), &[]).await;
        assert!(answer.text.contains("answer") && answer.text.contains("[DONE]"), "{status}");
        assert_eq!(is_stored(&gateway, PROMPT).await, stored, "{status}");
        gateway.finish().await;
    }
}

#[tokio::test]
async fn what_is_normal_is_stored() {
    // The same check, so that it cannot pass by finding nothing ever.
    let without_usage = with(|body| {
        body.as_object_mut().expect("an object").remove("usage");
    });
    let stream = Act::Stream { events: stream_of(&["an ", "answer"], true), end: End::Proper };
    for (request, act) in [
        (chat("mini", PROMPT), with(|_| {})),
        (chat("mini", PROMPT), without_usage),
        (chat_stream("mini", PROMPT), stream),
    ] {
        let gateway = TestGateway::with(ONE_ATTEMPT).await;
        gateway.upstream.then(act);
        gateway.send(&request, &[]).await;
        assert!(is_stored(&gateway, PROMPT).await);
        gateway.finish().await;
    }
}
