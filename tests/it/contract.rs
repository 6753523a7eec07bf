//! Odd requests on both planes: whatever arrives, the answer is the envelope of DESIGN.md.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{ADMIN_TOKEN, TestGateway};

/// Sends bytes and returns status and body of the answer.
async fn exchange(base: &str, request: &str) -> (u16, String) {
    let address = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer in UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, body.to_owned())
}

fn head(method: &str, target: &str) -> String {
    format!(
        "{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         authorization: Bearer {ADMIN_TOKEN}\r\n\r\n"
    )
}

/// The envelope's `code`, after a look at its members.
fn code(body: &str) -> Value {
    let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {body:?}"));
    let error = body["error"].as_object().expect("an envelope");
    let mut members: Vec<&str> = error.keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["code", "message", "param", "type"]);
    error["code"].clone()
}

#[tokio::test]
async fn paths_that_are_not_served_are_refused_in_the_envelope() {
    let gateway = TestGateway::start().await;
    let cases = [
        (&gateway.data, "GET", "/v1/models/%ff", 400, Value::Null),
        (&gateway.data, "GET", "/v1/requests/%ff", 400, Value::Null),
        (&gateway.data, "GET", "/v1/requests/nope", 404, "unknown_url".into()),
        (&gateway.data, "GET", "/v1/models/nope", 404, "model_not_found".into()),
        (&gateway.data, "POST", "/v1/chat/completions/", 404, "unknown_url".into()),
        (&gateway.data, "OPTIONS", "/v1/chat/completions", 405, "method_not_allowed".into()),
        (&gateway.data, "POST", "/healthz", 405, "method_not_allowed".into()),
        (&gateway.data, "DELETE", "/readyz", 405, "method_not_allowed".into()),
        (&gateway.data, "GET", "/metrics", 404, "unknown_url".into()),
        (&gateway.data, "GET", "/admin/v1/targets", 404, "unknown_url".into()),
        (&gateway.data, "GET", "http://evil.test/v1/models", 403, "policy".into()),
        (&gateway.admin, "POST", "/readyz", 405, "method_not_allowed".into()),
        (&gateway.admin, "GET", "/admin/v1/decisions/%ff", 400, Value::Null),
        (&gateway.admin, "GET", "/admin/v1/decisions/nope", 404, "unknown_url".into()),
        (&gateway.admin, "GET", "/admin/v1/spend?by=tag&by=tag", 400, Value::Null),
        (&gateway.admin, "GET", "/admin/v1/spend?by=colour", 400, Value::Null),
        (&gateway.admin, "GET", "/admin/v1/decisions?limit=-1", 400, Value::Null),
        (&gateway.admin, "DELETE", "/metrics", 405, "method_not_allowed".into()),
        (&gateway.admin, "GET", "/", 404, "unknown_url".into()),
    ];
    for (plane, method, target, status, expected) in cases {
        let (given, body) = exchange(plane, &head(method, target)).await;
        assert_eq!(given, status, "{method} {target}: {body}");
        assert_eq!(code(&body), expected, "{method} {target}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_path_without_v1_says_what_the_base_url_lacks() {
    let gateway = TestGateway::start().await;
    for target in ["/chat/completions", "/models", "/messages", "/", "//v1/chat/completions"] {
        let (status, body) = exchange(&gateway.data, &head("POST", target)).await;
        assert_eq!((status, code(&body)), (404, "unknown_url".into()), "{target}");
        assert!(body.contains("base_url must end in /v1"), "{target}: {body}");
    }
    for target in ["/v1/messages", "/v1/responses", "/v1/completions", "/v1/embeddings"] {
        let (status, body) = exchange(&gateway.data, &head("POST", target)).await;
        assert_eq!((status, code(&body)), (404, "unknown_url".into()), "{target}");
        assert!(!body.contains("base_url"), "{target}: {body}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn names_that_callers_make_up_do_not_become_labels() {
    let gateway = TestGateway::start().await;
    gateway.upstream.fails(404);
    let answer = gateway.ask("up/made-up", "Hi").await;
    assert_eq!(answer.status, 404);
    gateway.record(&answer).await;
    let metrics = gateway.get("/metrics", &[]).await.text;
    assert!(!metrics.contains("made-up"), "{metrics}");
    assert!(metrics.contains("semgate_target_healthy{target=\"up/up-mini\"} 1"));
    gateway.finish().await;
}
