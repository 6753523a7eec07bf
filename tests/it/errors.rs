//! Bad input gets a clear error and costs nothing: the upstream never hears of it.

use serde_json::{Value, json};

use crate::passthrough::keys_yaml;
use crate::support::{Answer, TestGateway, chat};

fn error(answer: &Answer) -> Value {
    let body = answer.json();
    let error = body["error"].as_object().expect("the envelope");
    let mut members: Vec<&str> = error.keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["code", "message", "param", "type"]);
    assert!(error["message"].as_str().is_some_and(|message| message.len() > 10));
    body["error"].clone()
}

#[tokio::test]
async fn requests_at_fault_name_their_fault() {
    let gateway = TestGateway::start().await;
    let bodies: [(&str, Value); 12] = [
        ("{", Value::Null),
        ("[]", Value::Null),
        ("{\"model\": \"mini\"}", json!("messages")),
        ("{\"model\": \"mini\", \"messages\": []}", json!("messages")),
        ("{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}", json!("model")),
        (
            "{\"model\": 1, \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}",
            json!("model"),
        ),
        ("{\"model\": \"mini\", \"messages\": \"x\"}", json!("messages")),
        (
            "{\"model\": \"mini\", \"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"stream\": 1}",
            json!("stream"),
        ),
        (
            "{\"model\": \"mini\", \"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"n\": -1}",
            json!("n"),
        ),
        (
            "{\"model\": \"mini\", \"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"temperature\": \"1\"}",
            json!("temperature"),
        ),
        (
            "{\"model\": \"mini\", \"model\": \"big\", \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}",
            Value::Null,
        ),
        ("\u{feff}{}", Value::Null),
    ];
    for (body, param) in bodies {
        let answer = gateway.send_raw(body.into(), &[]).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        let error = error(&answer);
        assert_eq!(error["type"], "invalid_request_error", "{body}");
        if !param.is_null() {
            assert_eq!(error["param"], param, "{body}");
        }
        assert!(!answer.header("x-request-id").is_empty());
    }
    assert!(gateway.upstream.seen().is_empty());
    gateway.finish().await;
}

#[tokio::test]
async fn headers_that_do_not_parse_are_named() {
    let gateway = TestGateway::start().await;
    for (name, value) in [
        ("x-semgate-max-cost-usd", "cheap"),
        ("x-semgate-max-cost-usd", "-1"),
        ("x-semgate-timeout-ms", "soon"),
        ("x-semgate-tags", "Team=web"),
        ("Cache-Control", "max-age=soon"),
        ("x-semgate-tier", "nowhere"),
    ] {
        let answer = gateway.send(&chat("auto", "hi"), &[(name, value)]).await;
        assert_eq!(answer.status, 400, "{name}: {value}: {}", answer.text);
        assert_eq!(error(&answer)["param"], name, "{value}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn wrong_paths_methods_types_and_sizes() {
    let gateway = TestGateway::with("server: {body_limit: 1KB}\n").await;
    let missing = gateway.client.post(format!("{}/chat/completions", gateway.data)).send();
    let missing = missing.await.expect("an answer");
    assert_eq!(missing.status(), 404);
    let body: Value = serde_json::from_str(&missing.text().await.expect("text")).expect("JSON");
    assert_eq!(body["error"]["code"], "unknown_url");
    assert!(
        body["error"]["message"].as_str().is_some_and(|m| m.contains("base_url must end in /v1"))
    );
    let wrong = gateway.get("/v1/chat/completions", &[]).await;
    assert_eq!((wrong.status, &error(&wrong)["code"]), (405, &json!("method_not_allowed")));
    let typed = gateway.send_raw("{}".into(), &[("content-type", "text/plain")]).await;
    assert_eq!((typed.status, &error(&typed)["code"]), (415, &json!("unsupported_media_type")));
    let large = gateway.send(&chat("mini", &"x".repeat(2000)), &[]).await;
    assert_eq!((large.status, &error(&large)["code"]), (413, &json!("request_too_large")));
    let unknown = gateway.ask("no-such-model", "hi").await;
    assert_eq!((unknown.status, &error(&unknown)["code"]), (404, &json!("model_not_found")));
    assert!(unknown.text.contains("auto") && unknown.text.contains("tier/small"));
    gateway.finish().await;
}

#[tokio::test]
async fn a_key_is_wanted_before_the_body_is_read_and_refusals_are_alike() {
    let gateway = TestGateway::with(&keys_yaml()).await;
    let mut texts = Vec::new();
    for headers in [
        vec![],
        vec![("authorization", "Bearer sg-wrong")],
        vec![("authorization", "Basic sg-alpha")],
        vec![("x-api-key", "")],
    ] {
        let answer = gateway.send_raw("not even JSON".into(), &headers).await;
        assert_eq!(answer.status, 401);
        assert_eq!(error(&answer)["code"], "invalid_api_key");
        texts.push(answer.text);
    }
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]));
    gateway.finish().await;
}

#[tokio::test]
async fn an_open_plane_refuses_foreign_hosts() {
    let gateway = TestGateway::start().await;
    let refused = gateway.get("/v1/models", &[("host", "evil.example")]).await;
    assert_eq!((refused.status, &error(&refused)["code"]), (403, &json!("policy")));
    let keyed = TestGateway::with(&keys_yaml()).await;
    let headers = [("host", "gateway.example"), ("x-api-key", "sg-alpha")];
    assert_eq!(keyed.get("/v1/models", &headers).await.status, 200);
    gateway.finish().await;
    keyed.finish().await;
}

#[tokio::test]
async fn what_fits_nowhere_names_the_constraint() {
    let gateway = TestGateway::start().await;
    let long = "word ".repeat(6000);
    let answer = gateway.send(&chat("tier/small", &long), &[]).await;
    assert_eq!((answer.status, &error(&answer)["code"]), (400, &json!("no_target_fits")));
    assert!(answer.text.contains("context"), "{}", answer.text);
    gateway.finish().await;
}
