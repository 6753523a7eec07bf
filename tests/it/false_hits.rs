//! The false hits that today's semantic caches are known for, and their kin: each pair of requests
//! looks alike and must not share an answer.

use serde_json::{Value, json};

use crate::passthrough::keys_yaml;
use crate::support::{Act, TestGateway, chat};

/// Two requests, the second one right after the first: both must reach the upstream. Returns what the
/// cache said to the second.
async fn assert_apart(
    name: &str,
    more: &str,
    first: (&Value, &str),
    second: (&Value, &str),
) -> String {
    let gateway = TestGateway::with(more).await;
    gateway.upstream.says("the first answer").says("the second answer");
    let key = |key| [("x-api-key", key)];
    let answer = gateway.send(first.0, &key(first.1)).await;
    assert_eq!(answer.status, 200, "{name}: {}", answer.text);
    let answer = gateway.send(second.0, &key(second.1)).await;
    assert_eq!(answer.status, 200, "{name}: {}", answer.text);
    assert_eq!(answer.content(), "the second answer", "{name}: {:?}", answer.headers);
    gateway.finish().await;
    answer.header("cache-status").to_owned()
}

async fn assert_bodies_apart(name: &str, first: &Value, second: &Value) -> String {
    assert_apart(name, "", (first, ""), (second, "")).await
}

fn messages(list: Value) -> Value {
    json!({"model": "auto", "messages": list})
}

fn with_system(system: &str, user: &str) -> Value {
    messages(json!([{"role": "system", "content": system}, {"role": "user", "content": user}]))
}

fn with_image(url: &str) -> Value {
    messages(json!([{"role": "user", "content": [
        {"type": "text", "text": "What is in this picture?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]}]))
}

#[tokio::test]
async fn another_image_is_another_question() {
    let (cat, dog) = ("https://img.test/cat.png", "https://img.test/dog.png");
    assert_bodies_apart("other image", &with_image(cat), &with_image(dog)).await;
    let inline = |byte: &str| with_image(&format!("data:image/png;base64,{byte}"));
    assert_bodies_apart("other inline image", &inline("AAAA"), &inline("AAAB")).await;
    let plain = messages(json!([{"role": "user", "content": "What is in this picture?"}]));
    assert_bodies_apart("no image", &with_image(cat), &plain).await;
    // An image further up changes what the last words mean.
    let history = |url: &str| {
        let mut body = with_image(url);
        let list = body["messages"].as_array_mut().expect("messages");
        list.push(json!({"role": "assistant", "content": "An animal."}));
        list.push(json!({"role": "user", "content": "What colour is it?"}));
        body
    };
    assert_bodies_apart("image in the history", &history(cat), &history(dog)).await;
}

#[tokio::test]
async fn where_the_system_prompt_ends_matters() {
    let whole = with_system("You translate. Answer in French.", "How are you?");
    let moved = with_system("You translate.", "Answer in French. How are you?");
    assert_bodies_apart("split elsewhere", &whole, &moved).await;
    let glued = messages(json!([
        {"role": "user", "content": "You translate. Answer in French.\nHow are you?"}]));
    assert_bodies_apart("glued to one text", &whole, &glued).await;
    let roles = messages(json!([
        {"role": "user", "content": "You translate. Answer in French."},
        {"role": "user", "content": "How are you?"}]));
    assert_bodies_apart("other roles", &whole, &roles).await;
    let parts = |texts: [&str; 2]| {
        let parts = texts.map(|text| json!({"type": "text", "text": text}));
        messages(json!([{"role": "user", "content": parts}]))
    };
    assert_bodies_apart(
        "parts split elsewhere",
        &parts(["Delete a", "b now"]),
        &parts(["Delete", "a b now"]),
    )
    .await;
}

#[tokio::test]
async fn another_system_prompt_is_another_scope_to_the_letter() {
    let question = "How do I greet a guest?";
    let plain = with_system("You are a butler.", question);
    for other in [
        "You are a pirate.",
        "you are a butler.",
        "You are a  butler.",
        "You are a butler. ",
        "You are a butler.\n",
        "",
    ] {
        assert_bodies_apart(other, &plain, &with_system(other, question)).await;
    }
    assert_bodies_apart("no system prompt", &plain, &chat("auto", question)).await;
    let history = |answer: &str| {
        messages(json!([
            {"role": "user", "content": "Name a city."}, {"role": "assistant", "content": answer},
            {"role": "user", "content": "How many people live there?"}]))
    };
    assert_bodies_apart("another history", &history("Oslo"), &history("Rome")).await;
}

/// So that a question of this moment is compared, too, and not passed by.
const VOLATILE_TOO: &str = "cache: {ttl: {volatile: 1h}}\n";

/// Each is refused for the reason named: without the guard the reason would be another one, if the
/// answer were not simply served.
#[tokio::test]
async fn one_word_may_turn_the_question_around() {
    let long = "of a parcel that I ordered for my home address in the old town";
    for (name, why, a, b) in [
        ("negation", "guard-negation", "Can I refuse delivery", "Can I not refuse delivery"),
        (
            "contraction",
            "guard-negation",
            "What can I ask for on delivery",
            "What can't I ask for on delivery",
        ),
        ("without", "guard-negation", "Return with receipt", "Return without receipt"),
        ("number", "guard-number", "Return within 14 days", "Return within 30 days"),
        ("number word", "guard-number", "Return within two weeks", "Return within six weeks"),
        (
            "decimal",
            "guard-number",
            "Return at a fee of 1.5 percent",
            "Return at a fee of 15 percent",
        ),
        (
            "sign",
            "guard-number",
            "Return at a change of -5 in price",
            "Return at a change of 5 in price",
        ),
        ("version", "guard-number", "Form 1.2.3 for return", "Form 1.2.4 for return"),
        ("unit", "guard-unit", "Return at 5 kg", "Return at 5 lb"),
        ("currency", "guard-unit", "Return at a value of $50", "Return at a value of €50"),
        ("weekday", "guard-date", "Return on Monday", "Return on Tuesday"),
        ("month", "guard-date", "Return in June", "Return in July"),
        ("date", "guard-number", "Return by 2024-03-01", "Return by 2024-03-02"),
        (
            "name",
            "below-line",
            "Is it for Anna Smith the return",
            "Is it for Peter Smith the return",
        ),
        ("opposite", "below-line", "Cancel before delivery", "Cancel after delivery"),
        ("direction", "below-line", "Return from Oslo to Rome", "Return from Rome to Oslo"),
        ("code", "below-line", "Is x < 5 in the return", "Is x > 5 in the return"),
    ] {
        let ask = |start: &str| chat("auto", &format!("{start} {long}?"));
        let (first, second) = (ask(a), ask(b));
        let told = assert_apart(name, VOLATILE_TOO, (&first, ""), (&second, "")).await;
        assert_eq!(told, format!("semgate; fwd=miss; stored; detail={why}"), "{name}");
    }
}

#[tokio::test]
async fn what_shapes_the_answer_separates() {
    let plain = chat("auto", "List three rivers of France");
    let tool = |name: &str, more: Value| json!([{"type": "function", "function": {"name": name, "parameters": more}}]);
    let schema = |member: &str| {
        json!({"type": "json_schema", "json_schema": {"name": "r", "schema": {
            "type": "object", "properties": {member: {"type": "string"}}}}})
    };
    for (member, one, other) in [
        ("tools", Value::Null, tool("find", json!({}))),
        ("tools", tool("find", json!({})), tool("look", json!({}))),
        (
            "tools",
            tool("find", json!({"required": ["a"]})),
            tool("find", json!({"required": ["b"]})),
        ),
        ("response_format", Value::Null, json!({"type": "json_object"})),
        ("response_format", schema("name"), schema("river")),
        ("temperature", json!(0.0), json!(0.9)),
        ("stop", json!("a"), json!("b")),
        ("reasoning_effort", json!("low"), json!("high")),
        ("vendor_mode", json!("terse"), json!("chatty")),
    ] {
        let with = |value: &Value| {
            let mut body = plain.clone();
            body[member] = value.clone();
            body
        };
        assert_bodies_apart(member, &with(&one), &with(&other)).await;
    }
    let named = |model: &str| chat(model, "List three rivers of France");
    assert_bodies_apart("other model", &named("mini"), &named("medium")).await;
}

#[tokio::test]
async fn no_answer_goes_to_another_tenant() {
    let body = chat("mini", "What did I order last?");
    assert_apart("tenant", &keys_yaml(), (&body, "sg-alpha"), (&body, "sg-beta")).await;
    // Nor does naming the other in the body help.
    let mut named = body.clone();
    named["tenant"] = json!("alpha");
    named["user"] = json!("alpha");
    assert_apart("claimed tenant", &keys_yaml(), (&body, "sg-alpha"), (&named, "sg-beta")).await;
}

#[tokio::test]
async fn an_error_that_says_200_is_nobodys_answer() {
    let gateway = TestGateway::with("resilience: {attempts: 1}\n").await;
    let error = json!({"error": {"message": "quota", "type": "x", "code": "y"}});
    gateway.upstream.then(Act::Reply { status: 200, headers: vec![], body: error.to_string() });
    let failed = gateway.ask("mini", "What is a fjord?").await;
    assert_eq!(failed.status, 502, "{}", failed.text);
    gateway.upstream.says("A bay.");
    assert_eq!(gateway.ask("mini", "What is a fjord?").await.content(), "A bay.");
    gateway.finish().await;
}

#[tokio::test]
async fn an_expired_answer_is_not_served() {
    let gateway = TestGateway::with("cache: {ttl: {default: 1ms, timeless: 1ms}}\n").await;
    gateway.upstream.says("old").says("new").says("newer");
    gateway.ask("auto", "How do bridges stand?").await;
    // Each of these takes the gateway longer than a fifth of the answer's life.
    for _ in 0..20 {
        gateway.get("/v1/models", &[]).await;
    }
    let exact = gateway.ask("auto", "How do bridges stand?").await;
    assert_eq!(exact.content(), "new", "{:?}", exact.headers);
    for _ in 0..20 {
        gateway.get("/v1/models", &[]).await;
    }
    let repeat = gateway.ask("auto", "how do bridges stand").await;
    assert_eq!(repeat.content(), "newer", "{:?}", repeat.headers);
    gateway.finish().await;
}

#[tokio::test]
async fn equal_beginnings_with_different_ends_share_nothing() {
    // Longer than the embedder's window: the vectors are those of the beginnings.
    let start = "The committee met in the old hall and read the minutes aloud. ".repeat(60);
    let long = |end: &str| chat("big", &format!("{start} {end}"));
    assert_bodies_apart("tail", &long("Sum it up."), &long("Translate it.")).await;
}
