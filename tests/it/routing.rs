//! Which tier answers.

use serde_json::json;

use crate::support::{TestGateway, chat};

#[tokio::test]
async fn names_headers_rules_and_the_classifier_in_their_order() {
    let rules = "
  rules:
    - {when: 'prompt_chars > 1000', then: {tier: frontier}}
    - {when: 'tags.team == \"support\"', then: {model: medium}}
  routes:
    - {name: gpt-4o, tiers: [small, mid], min_adequacy: {small: 0.0}}
";
    let gateway = TestGateway::of(&format!("{}{rules}", crate::support::CONFIG.trim_end())).await;
    let long = "x ".repeat(600);
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);
    let cases: [Case<'_>; 7] = [
        ("auto", "a", &[], "up/up-mini", "adequate"),
        ("auto", &long, &[], "up/up-big", "rule"),
        ("auto", "b", &[("x-semgate-tags", "team=support")], "up/up-medium", "rule"),
        ("auto", &long, &[("x-semgate-tier", "mid")], "up/up-medium", "forced"),
        ("tier/mid", "c", &[], "up/up-medium", "forced"),
        ("big", &long, &[], "up/up-big", "named"),
        ("gpt-4o", "d", &[], "up/up-mini", "adequate"),
    ];
    for (model, prompt, headers, target, reason) in cases {
        gateway.upstream.says("x");
        let answer = gateway.send(&chat(model, prompt), headers).await;
        assert_eq!(
            answer.header("x-semgate-target"),
            target,
            "{model} {headers:?}: {}",
            answer.text
        );
        assert_eq!(gateway.record(&answer).await["route"]["reason"], reason, "{model} {headers:?}");
    }
    let lacks = gateway.send(&chat("gpt-4o", "e"), &[("x-semgate-tier", "frontier")]).await;
    assert_eq!(lacks.status, 400, "{}", lacks.text);
    gateway.finish().await;
}

#[tokio::test]
async fn upstream_ids_and_provider_paths_are_names_too() {
    let gateway = TestGateway::start().await;
    for (model, sent) in [("up-mini", "up-mini"), ("up/up-big", "up-big"), ("up/any-id", "any-id")]
    {
        gateway.upstream.says("x");
        let answer = gateway.ask(model, &format!("hi {model}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let seen = gateway.upstream.seen().pop().expect("asked");
        assert_eq!(seen.json()["model"], sent);
    }
    gateway.finish().await;
}

#[tokio::test]
async fn an_explanation_tells_what_would_happen_and_does_nothing() {
    let gateway = TestGateway::start().await;
    let explained = gateway.admin("/admin/v1/explain", Some(chat("auto", "hello there"))).await;
    assert_eq!(explained.status, 200, "{}", explained.text);
    let explained = explained.json();
    assert_eq!(explained["policy"]["requested"], "auto");
    assert_eq!(explained["tier"], "small");
    assert_eq!(explained["plan"][0]["target"], "up/up-mini");
    assert_eq!(explained["cache"]["verdict"], "miss");
    assert_eq!(explained["cache"]["ttl_class"], "default");
    assert!(explained["probabilities"]["small"].is_f64());
    assert!(explained["features"].as_object().is_some_and(|features| features.len() > 30));
    assert!(gateway.upstream.seen().is_empty());
    gateway.finish().await;
}

#[tokio::test]
async fn the_quality_header_overrides_the_configured_loss() {
    let quality = crate::support::CONFIG.replace(", min_adequacy: 0.0", "");
    let gateway = TestGateway::of(&format!("{}\n  confidence: 0.5\n", quality.trim_end())).await;
    const HEADER: &str = "x-semgate-max-quality-loss";
    for (loss, target, reason) in
        [("100%", "up/up-mini", "within_loss"), ("0", "up/up-big", "abstained")]
    {
        gateway.upstream.says("x");
        // A request on which the shipped heads see a gap between mid and frontier.
        let hard = chat("auto", "Prove that there is no largest prime");
        let answer = gateway.send(&hard, &[(HEADER, loss)]).await;
        assert_eq!(answer.header("x-semgate-target"), target, "{loss}: {}", answer.text);
        assert_eq!(gateway.record(&answer).await["route"]["reason"], reason);
    }
    let faulty = gateway.send(&chat("auto", "hello"), &[(HEADER, "a bit")]).await;
    assert_eq!((faulty.status, &faulty.json()["error"]["param"]), (400, &HEADER.into()));
    gateway.finish().await;
}

#[tokio::test]
async fn an_explanation_says_where_the_quality_header_has_no_effect() {
    let gateway = TestGateway::start().await;
    let url = format!("{}/admin/v1/explain", gateway.admin);
    let request = gateway.client.post(url).bearer_auth(crate::support::ADMIN_TOKEN);
    let request = request.header("content-type", "application/json");
    let request = request.header("x-semgate-max-quality-loss", "5%");
    let explained = request.body(chat("auto", "hello").to_string()).send().await;
    let explained = crate::support::Answer::of(explained.expect("an answer")).await.json();
    assert_eq!(explained["policy"]["max_quality_loss"], 0.02);
    let note = "x-semgate-max-quality-loss has no effect: the route goes by min_adequacy";
    assert_eq!(explained["notes"], serde_json::json!([note]));
    gateway.finish().await;
}

#[tokio::test]
async fn a_conversation_rises_at_once_and_falls_slowly() {
    let quality = crate::support::CONFIG.replace(", min_adequacy: 0.0", "");
    let gateway = TestGateway::of(&format!("{}\n  confidence: 0.5\n", quality.trim_end())).await;
    let mut messages = Vec::new();
    for (turn, (loss, target, reason)) in [
        ("100%", "up/up-mini", "within_loss"),
        ("0", "up/up-big", "abstained"),
        ("100%", "up/up-big", "session"),
        ("100%", "up/up-big", "session"),
        ("100%", "up/up-mini", "within_loss"),
    ]
    .into_iter()
    .enumerate()
    {
        gateway.upstream.says("as you like");
        messages.push(json!({"role": "user", "content": format!("question number {turn}")}));
        let body = json!({"model": "auto", "messages": messages});
        let answer = gateway.send(&body, &[("x-semgate-max-quality-loss", loss)]).await;
        assert_eq!(answer.header("x-semgate-target"), target, "turn {turn}: {}", answer.text);
        assert_eq!(gateway.record(&answer).await["route"]["reason"], reason, "turn {turn}");
        messages.push(json!({"role": "assistant", "content": "as you like"}));
    }
    // The same words as a conversation of its own begin anew.
    gateway.upstream.says("x");
    let header = [("x-semgate-max-quality-loss", "100%")];
    let answer = gateway.send(&chat("auto", "question number 2"), &header).await;
    assert_eq!(answer.header("x-semgate-target"), "up/up-mini");
    gateway.finish().await;
}
