//! `POST /v1/feedback`: what callers may say of their answers, and what comes of it.

use serde_json::{Value, json};

use crate::passthrough::keys_yaml;
use crate::support::{Act, Answer, End, Gate, TestGateway, chat, chat_stream, stream_of};

const ALPHA: (&str, &str) = ("x-api-key", "sg-alpha");
const BETA: (&str, &str) = ("x-api-key", "sg-beta");
const QUESTION: &str = "how do I return a parcel to the shop it came from";

async fn say_raw(gateway: &TestGateway, body: String, headers: &[(&str, &str)]) -> Answer {
    let mut request = gateway.client.post(format!("{}/v1/feedback", gateway.data)).body(body);
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.expect("the gateway answers")).await
}

async fn say(gateway: &TestGateway, answer: &Answer, verdict: &str, who: (&str, &str)) -> u16 {
    let body = json!({"id": answer.header("x-request-id"), "verdict": verdict});
    say_raw(gateway, body.to_string(), &[who]).await.status
}

fn is_hit(answer: &Answer, level: &str) -> bool {
    let status = answer.header("cache-status");
    status.starts_with("semgate; hit") && status.ends_with(&format!("detail={level}"))
}

#[tokio::test]
async fn a_bad_exact_hit_is_gone_at_once_from_both_levels() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("wrong").says("right");
    gateway.ask("auto", QUESTION).await;
    let hit = gateway.ask("auto", QUESTION).await;
    assert!(is_hit(&hit, "exact"));
    assert_eq!(say(&gateway, &hit, "bad", ALPHA).await, 204);
    let shouted = gateway.ask("auto", &QUESTION.to_uppercase()).await;
    assert_eq!(shouted.content(), "right", "the semantic level has forgotten it");
    let again = gateway.ask("auto", QUESTION).await;
    assert!(is_hit(&again, "semantic"), "the exact level too: {:?}", again.headers);
    assert_eq!(again.content(), "right");
    gateway.finish().await;
}

#[tokio::test]
async fn a_bad_semantic_hit_keeps_the_two_questions_apart() {
    let gateway = TestGateway::start().await;
    let shouted = QUESTION.to_uppercase();
    gateway.upstream.says("A").says("A again").says("B");
    gateway.ask("auto", QUESTION).await;
    let hit = gateway.ask("auto", &shouted).await;
    assert!(is_hit(&hit, "semantic"), "{:?}", hit.headers);
    assert_eq!(say(&gateway, &hit, "bad", ALPHA).await, 204);
    // The first question is asked and stored again; it must not answer the second one once more.
    let stored = gateway.ask("auto", QUESTION).await;
    assert_eq!(stored.header("cache-status"), "semgate; fwd=miss; stored; detail=no-candidate");
    assert_eq!(gateway.ask("auto", &shouted).await.content(), "B");
    let stats = gateway.admin("/admin/v1/cache/stats", None).await.json();
    assert_eq!(stats["feedback"], json!({"good": 0, "bad": 1, "answers": 4, "pairs_apart": 1}));
    gateway.finish().await;
}

#[tokio::test]
async fn a_bad_answer_of_ones_own_is_not_kept_whether_whole_or_streamed() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("wrong").streams(&["wrong ", "too"]).says("right");
    let first = gateway.ask("auto", QUESTION).await;
    assert_eq!(say(&gateway, &first, "bad", ALPHA).await, 204);
    let second = gateway.send(&chat_stream("auto", QUESTION), &[]).await;
    assert_eq!(second.streamed(), "wrong too");
    assert_eq!(say(&gateway, &second, "bad", ALPHA).await, 204);
    assert_eq!(gateway.ask("auto", QUESTION).await.content(), "right");
    gateway.finish().await;
}

#[tokio::test]
async fn a_stream_condemned_before_its_end_is_not_stored() {
    let gateway = TestGateway::start().await;
    let (mut events, gate) = (stream_of(&["wro", "ng"], true), Gate::shut());
    let rest = events.split_off(2);
    gateway
        .upstream
        .then(Act::Pause { events, gate: gate.clone(), rest, end: End::Proper })
        .says("right");
    let request = gateway.client.post(format!("{}/v1/chat/completions", gateway.data));
    let request = request.header("content-type", "application/json");
    let body = chat_stream("auto", QUESTION).to_string();
    gateway.count_one();
    let response = request.body(body).send().await.expect("a head");
    let id = response.headers()["x-request-id"].to_str().expect("an id").to_owned();
    let said = json!({"id": id, "verdict": "bad"}).to_string();
    assert_eq!(say_raw(&gateway, said, &[]).await.status, 204);
    gate.open();
    let text = response.text().await.expect("a whole stream");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert!(!text.contains(" stored"), "{text}");
    assert_eq!(gateway.ask("auto", QUESTION).await.content(), "right");
    let record = gateway.record_by_id(&id).await;
    assert_eq!(record["feedback"], json!({"verdict": "bad"}));
    gateway.finish().await;
}

#[tokio::test]
async fn who_shares_the_answer_of_another_may_condemn_it() {
    let gateway = TestGateway::start().await;
    let (gate, reply) = (Gate::shut(), crate::support::completion("wrong").to_string());
    let reply = Act::Reply { status: 200, headers: vec![], body: reply };
    gateway.upstream.then(Act::After(gate.clone(), Box::new(reply))).says("right");
    let open = async {
        gateway.until_following(1).await;
        gate.open();
    };
    let asked = || gateway.ask("auto", QUESTION);
    let (first, second, ()) = tokio::join!(asked(), asked(), open);
    let shares = |answer: &Answer| answer.header("cache-status").contains("collapsed");
    assert!(shares(&first) != shares(&second), "{:?} {:?}", first.headers, second.headers);
    let follower = if shares(&first) { &first } else { &second };
    assert_eq!(say(&gateway, follower, "bad", ALPHA).await, 204);
    assert_eq!(gateway.ask("auto", QUESTION).await.content(), "right");
    gateway.finish().await;
}

#[tokio::test]
async fn a_good_word_removes_nothing_and_the_first_verdict_stands() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("right");
    let miss = gateway.ask("auto", QUESTION).await;
    let hit = gateway.ask("auto", QUESTION).await;
    assert_eq!(say(&gateway, &hit, "good", ALPHA).await, 204);
    assert_eq!(say(&gateway, &hit, "good", ALPHA).await, 204, "an equal one is fine");
    let id = hit.header("x-request-id");
    let other = json!({"id": id, "verdict": "bad"}).to_string();
    let refused = say_raw(&gateway, other, &[]).await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.json()["error"]["type"], "invalid_request_error");
    assert_eq!(refused.json()["error"]["param"], "verdict");
    assert!(is_hit(&gateway.ask("auto", QUESTION).await, "exact"), "the other verdict did nothing");
    assert_eq!(say(&gateway, &miss, "good", ALPHA).await, 204, "each answer has its own");
    gateway.record(&hit).await;
    let record = gateway.get(&format!("/v1/requests/{id}"), &[]).await.json();
    assert_eq!(record["feedback"], json!({"verdict": "good"}));
    let metrics = gateway.get("/metrics", &[]).await.text;
    let line = "semgate_cache_labels_total{source=\"feedback\",verdict=\"good\"} 2";
    assert!(metrics.lines().any(|shown| shown == line), "{metrics}");
    gateway.finish().await;
}

#[tokio::test]
async fn a_reason_is_kept_only_with_content() {
    for (more, expected) in [
        ("", json!({"verdict": "bad"})),
        (
            "telemetry: {content: true}\n",
            json!({"verdict": "bad", "reason": "it is the old price"}),
        ),
    ] {
        let gateway = TestGateway::with(more).await;
        gateway.upstream.says("x");
        let answer = gateway.ask("auto", QUESTION).await;
        let id = answer.header("x-request-id");
        let body = json!({"id": id, "verdict": "bad", "reason": "it is the old price"});
        assert_eq!(say_raw(&gateway, body.to_string(), &[]).await.status, 204);
        assert_eq!(gateway.record(&answer).await["feedback"], expected);
        gateway.finish().await;
    }
}

#[tokio::test]
async fn what_is_no_feedback_is_refused_with_its_member() {
    let gateway = TestGateway::start().await;
    let id = "01970000-0000-7000-8000-000000000000";
    for (body, status, param) in [
        ("{", 400, Value::Null),
        ("[]", 400, Value::Null),
        (r#"{"id": "a", "id": "b", "verdict": "bad"}"#, 400, Value::Null),
        (r#"{"verdict": "bad"}"#, 400, json!("id")),
        (r#"{"id": "", "verdict": "bad"}"#, 400, json!("id")),
        (r#"{"id": 7, "verdict": "bad"}"#, 400, json!("id")),
        (&format!(r#"{{"id": "{id}"}}"#), 400, json!("verdict")),
        (&format!(r#"{{"id": "{id}", "verdict": "meh"}}"#), 400, json!("verdict")),
        (&format!(r#"{{"id": "{id}", "verdict": true}}"#), 400, json!("verdict")),
        (&format!(r#"{{"id": "{id}", "verdict": "bad", "reason": 1}}"#), 400, json!("reason")),
        (&format!(r#"{{"id": "{id}", "verdict": "bad", "score": 1}}"#), 400, json!("score")),
        (
            &json!({"id": id, "verdict": "bad", "reason": "x".repeat(1001)}).to_string(),
            400,
            json!("reason"),
        ),
        (
            &json!({"id": id, "verdict": "bad", "reason": "x".repeat(20_000)}).to_string(),
            413,
            Value::Null,
        ),
        (&json!({"id": id, "verdict": "bad", "reason": null}).to_string(), 404, Value::Null),
        (r#"{"id": "no-such", "verdict": "good"}"#, 404, Value::Null),
    ] {
        let refused = say_raw(&gateway, body.to_owned(), &[]).await;
        assert_eq!(refused.status, status, "{body}: {}", refused.text);
        assert_eq!(refused.json()["error"]["param"], param, "{body}");
    }
    let body = json!({"id": id, "verdict": "bad"}).to_string();
    let refused = say_raw(&gateway, body.clone(), &[("content-type", "text/plain")]).await;
    assert_eq!(refused.status, 415);
    let refused = say_raw(&gateway, body, &[("host", "evil.example")]).await;
    assert_eq!((refused.status, refused.json()["error"]["code"].clone()), (403, json!("policy")));
    assert_eq!(gateway.get("/v1/feedback", &[]).await.status, 405);
    gateway.finish().await;
}

#[tokio::test]
async fn a_tenant_judges_its_own_answers_only() {
    let gateway = TestGateway::with(&keys_yaml()).await;
    gateway.upstream.says("for alpha");
    gateway.send(&chat("mini", QUESTION), &[ALPHA]).await;
    let hit = gateway.send(&chat("mini", QUESTION), &[ALPHA]).await;
    let id = hit.header("x-request-id");
    let foreign = json!({"id": id, "verdict": "bad"}).to_string();
    let refused = say_raw(&gateway, foreign.clone(), &[BETA]).await;
    let unknown = id.replace(|digit: char| digit.is_ascii_digit(), "0");
    let made_up = json!({"id": unknown, "verdict": "bad"}).to_string();
    let nothing = say_raw(&gateway, made_up, &[BETA]).await;
    assert_eq!((refused.status, nothing.status), (404, 404));
    assert_eq!(refused.text.replace(id, ""), nothing.text.replace(&unknown, ""), "the same 404");
    assert_eq!(say_raw(&gateway, foreign, &[]).await.status, 401);
    assert!(is_hit(&gateway.send(&chat("mini", QUESTION), &[ALPHA]).await, "exact"));
    assert_eq!(say(&gateway, &hit, "bad", ALPHA).await, 204);
    gateway.finish().await;
}

#[tokio::test]
async fn answers_outlive_their_records_but_not_their_window() {
    let gateway = TestGateway::with("telemetry: {ring: 1}\n").await;
    gateway.upstream.says("1").says("2").fails(400);
    let first = gateway.ask("auto", QUESTION).await;
    gateway.ask("auto", "something else altogether").await;
    let path = format!("/v1/requests/{}", first.header("x-request-id"));
    assert_eq!(gateway.get(&path, &[]).await.status, 404, "the ring holds one record");
    assert_eq!(say(&gateway, &first, "bad", ALPHA).await, 204);
    let failed = gateway.ask("auto", "a question that is refused").await;
    assert_eq!(failed.status, 400);
    assert_eq!(say(&gateway, &failed, "bad", ALPHA).await, 404, "no answer, nothing to judge");

    let gateway = TestGateway::with("cache: {feedback_window: 0s}\n").await;
    gateway.upstream.says("1");
    let answer = gateway.ask("auto", QUESTION).await;
    assert_eq!(say(&gateway, &answer, "bad", ALPHA).await, 404);
    gateway.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_verdicts_at_the_same_time_one_stands_and_is_counted_once() {
    let gateway = TestGateway::start().await;
    gateway.upstream.says("x");
    let answer = gateway.ask("auto", QUESTION).await;
    let verdicts = (0..40).map(|number| if number % 2 == 0 { "good" } else { "bad" });
    let sent = verdicts.map(|verdict| say(&gateway, &answer, verdict, ALPHA));
    let statuses = futures_util::future::join_all(sent).await;
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(204), count(409)), (20, 20), "{statuses:?}");
    let stats = gateway.admin("/admin/v1/cache/stats", None).await.json();
    let labels = |verdict: &str| stats["feedback"][verdict].as_u64().expect("a number");
    assert_eq!(labels("good") + labels("bad"), 1);
    let kept = stats["exact"]["entries"].as_u64().expect("a number");
    assert_eq!(kept, labels("good"), "a bad answer is gone, a good one stays");
    gateway.finish().await;
}
