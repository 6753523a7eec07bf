//! What goes through untouched, and what is built anew.

use serde_json::{Value, json};

use crate::support::{Act, TestGateway, chat, completion};

#[tokio::test]
async fn unknown_members_pass_both_ways_and_only_the_model_is_edited() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("hello");
    let body = r#"{ "top_k" : 7, "model":"mini","messages" : [ {"role":"user","content":"hi","x":1} ],
        "vendor": {"deep": [1, 2.50]} }"#;
    let answer = gateway.send_raw(body.into(), &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text, completion("hello").to_string(), "the answer is forwarded to the byte");
    let seen = &gateway.upstream.seen()[0];
    assert_eq!(seen.path, "/v1/chat/completions");
    assert_eq!(seen.body, body.replace("\"mini\"", "\"up-mini\""));
    gateway.finish().await;
}

#[tokio::test]
async fn headers_are_built_from_a_list() {
    let gateway = TestGateway::start().await;
    gateway.upstream.then(Act::Reply {
        status: 200,
        headers: vec![
            ("openai-processing-ms", "12".into()),
            ("set-cookie", "a=b".into()),
            ("x-ratelimit-remaining-requests", "1".into()),
        ],
        body: completion("x").to_string(),
    });
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = gateway
        .send(
            &chat("mini", "hi"),
            &[
                ("authorization", "Bearer caller-secret"),
                ("cookie", "session=1"),
                ("x-forwarded-for", "1.2.3.4"),
                ("traceparent", trace),
                ("openai-beta", "assistants=v2"),
                ("x-request-id", "mine"),
            ],
        )
        .await;
    assert_eq!(answer.header("openai-processing-ms"), "12");
    assert_eq!(answer.header("set-cookie"), "");
    let seen = gateway.upstream.seen()[0].clone();
    assert_eq!(seen.header("authorization"), Some("Bearer sk-upstream-secret"));
    assert_eq!(seen.header("traceparent"), Some(trace));
    assert_eq!(seen.header("openai-beta"), Some("assistants=v2"));
    for name in ["cookie", "x-forwarded-for", "x-request-id", "x-api-key"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    let record = gateway.record(&answer).await;
    assert_eq!(record["client_request_id"], "mine");
    gateway.finish().await;
}

#[tokio::test]
async fn an_answer_says_who_gave_it_what_it_cost_and_how_long_it_took() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("hello");
    let answer = gateway.ask("auto", "hi there").await;
    assert_eq!(answer.header("x-semgate-tier"), "small");
    assert_eq!(answer.header("x-semgate-target"), "up/up-mini");
    assert_eq!(answer.header("x-semgate-attempts"), "1");
    // 100 prompt tokens at $1 and 10 completion tokens at $2 per million; big costs a hundredfold.
    assert_eq!(answer.header("x-semgate-cost-usd"), "0.00012");
    assert_eq!(answer.header("x-semgate-saved-usd"), "0.01188");
    let timing = answer.header("server-timing");
    for step in ["embed;dur=", "decide;dur=", "upstream;dur="] {
        assert!(timing.contains(step), "{timing}");
    }
    assert_eq!(answer.header("cache-status"), "semgate; fwd=miss; stored; detail=no-candidate");
    let id = answer.header("x-request-id");
    assert_eq!(uuid::Uuid::parse_str(id).expect("a UUID").get_version_num(), 7);
    gateway.finish().await;
}

#[tokio::test]
async fn a_record_tells_the_story_and_keeps_no_content() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("the answer text");
    let answer = gateway
        .send(&chat("auto", "the prompt text"), &[("x-semgate-tags", "team=web,feature=search")])
        .await;
    let record = gateway.record(&answer).await;
    assert_eq!(record["outcome"], "ok");
    assert_eq!(record["tenant"], "anonymous");
    assert_eq!(record["tags"], json!({"team": "web", "feature": "search"}));
    assert_eq!(record["cache"]["verdict"], "miss");
    assert_eq!(record["cache"]["stored"], true);
    assert_eq!(record["route"]["requested"], "auto");
    assert_eq!(record["route"]["tier"], "small");
    assert_eq!(record["route"]["reason"], "adequate");
    assert_eq!(record["attempts"][0]["target"], "up/up-mini");
    assert_eq!(record["attempts"][0]["status"], 200);
    assert_eq!(record["usage"]["prompt_tokens"], 100);
    assert_eq!(record["cost_usd"], 0.00012);
    assert_eq!(record["request"]["bytes"], chat("auto", "the prompt text").to_string().len());
    let text = record.to_string();
    assert!(!text.contains("prompt text") && !text.contains("answer text"), "{text}");
    gateway.finish().await;
}

#[tokio::test]
async fn with_content_the_record_is_valid_replay_input() {
    let gateway = TestGateway::with("telemetry: {content: true}\n").await;
    gateway.upstream.says("kept");
    let answer = gateway.ask("mini", "keep this").await;
    let record = gateway.record(&answer).await;
    assert_eq!(record["request"], chat("mini", "keep this"));
    assert_eq!(record["response"], completion("kept"));
    gateway.finish().await;
}

#[tokio::test]
async fn names_are_listed_and_found() {
    let gateway = TestGateway::start().await;
    let listed = gateway.get("/v1/models", &[]).await.json();
    assert_eq!(listed["object"], "list");
    let ids: Vec<&str> = listed["data"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|m| m["id"].as_str())
        .collect();
    for name in ["auto", "tier/small", "tier/frontier", "mini", "big"] {
        assert!(ids.contains(&name), "{ids:?}");
    }
    for path in ["/v1/models/auto", "/v1/models/tier/small", "/v1/models/tier%2Fsmall"] {
        assert_eq!(gateway.get(path, &[]).await.status, 200, "{path}");
    }
    let missing = gateway.get("/v1/models/nope", &[]).await;
    assert_eq!(
        (missing.status, &missing.json()["error"]["code"]),
        (404, &json!("model_not_found"))
    );
    assert!(missing.text.contains("tier/small"), "names that may be used: {}", missing.text);
    gateway.finish().await;
}

#[tokio::test]
async fn a_caller_reads_records_of_its_own_tenant_only() {
    let keys = keys_yaml();
    let gateway = TestGateway::with(&keys).await;
    gateway.upstream.says("x");
    let key = |key: &'static str| [("authorization", key)];
    let answer = gateway.send(&chat("mini", "hi"), &key("Bearer sg-alpha")).await;
    gateway.record(&answer).await;
    let path = format!("/v1/requests/{}", answer.header("x-request-id"));
    assert_eq!(gateway.get(&path, &key("Bearer sg-alpha")).await.status, 200);
    assert_eq!(gateway.get(&path, &key("Bearer sg-beta")).await.status, 404);
    assert_eq!(gateway.get(&path, &[]).await.status, 401);
    gateway.finish().await;
}

#[tokio::test]
async fn keys_limit_names_and_the_refusal_does_not_tell() {
    let gateway = TestGateway::with(&keys_yaml()).await;
    let answer = gateway.send(&chat("big", "hi"), &[("x-api-key", "sg-beta")]).await;
    assert_eq!(answer.status, 404);
    let unknown = gateway.send(&chat("no-such", "hi"), &[("x-api-key", "sg-beta")]).await;
    let said = |answer: &crate::support::Answer| answer.json()["error"]["message"].to_string();
    assert_eq!(said(&answer).replace("big", "no-such"), said(&unknown));
    assert!(said(&unknown).contains("mini") && !said(&unknown).contains("medium"));
    gateway.finish().await;
}

/// Two tenants; beta may only ask for `mini`.
pub fn keys_yaml() -> String {
    let hash = |key: &str| {
        semgate::access::hash(key).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    format!(
        "keys:\n  - {{name: a, tenant: alpha, hash: \"sha256:{}\"}}\n  - {{name: b, tenant: beta, hash: \"sha256:{}\", models: [mini]}}\n",
        hash("sg-alpha"),
        hash("sg-beta")
    )
}

#[tokio::test]
async fn a_ceiling_sets_a_limit_or_refuses() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("x");
    let headers = [("x-semgate-max-cost-usd", "0.002")];
    let answer = gateway.send(&chat("mini", "hi"), &headers).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let limit = gateway.upstream.seen()[0].json()["max_completion_tokens"].as_u64().expect("set");
    assert!((256..=1000).contains(&limit), "{limit}");
    let refused =
        gateway.send(&chat("big", "hi there"), &[("x-semgate-max-cost-usd", "0.000001")]).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["error"]["code"], "price_ceiling");
    gateway.finish().await;
}

#[tokio::test]
async fn observe_mode_sends_routes_to_the_baseline_and_says_what_it_would_have_done() {
    let config = crate::support::CONFIG.replace("routing:\n", "routing:\n  mode: observe\n");
    let gateway = TestGateway::of(&config).await;
    gateway.upstream.says("x").says("y");
    let answer = gateway.ask("auto", "hi").await;
    assert_eq!(gateway.upstream.seen()[0].json()["model"], "up-big");
    assert_eq!(answer.header("x-semgate-target"), "up/up-big");
    let record = gateway.record(&answer).await;
    assert_eq!(record["route"]["tier"], "small", "the decision that would have been");
    assert_eq!(record["attempts"][0]["target"], "up/up-big");
    let named = gateway.ask("mini", "hello").await;
    assert_eq!(named.header("x-semgate-target"), "up/up-mini");
    let _: Value = gateway.record(&named).await;
    gateway.finish().await;
}
