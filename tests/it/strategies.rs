//! Static strategies, from the configuration to the upstream that is asked.

use serde_json::{Value, json};

use crate::support::{Act, CONFIG, Gate, TestGateway, chat, chat_stream, completion, stream_of};

/// The standard tiers with this strategy for `auto`.
async fn routed(strategy: &str) -> TestGateway {
    let route = format!(
        "  routes: [{{name: auto, tiers: [small, mid, frontier], strategy: {strategy}}}]\n"
    );
    TestGateway::of(&format!("{}\n{route}", CONFIG.trim_end())).await
}

/// Ids of the models that were asked, in order.
fn asked(gateway: &TestGateway) -> Vec<String> {
    let model = |body: Value| body["model"].as_str().expect("a model").to_owned();
    gateway.upstream.seen().iter().map(|seen| model(seen.json())).collect()
}

#[tokio::test]
async fn each_strategy_fails_over_in_its_own_order() {
    for (strategy, reason, expected) in [
        ("cheapest", "cheapest", vec!["up-mini", "up-medium", "up-big"]),
        ("{fixed: big}", "fixed", vec!["up-big", "up-medium"]),
        ("{weighted: {medium: 1e-9, big: 1e9}}", "weighted", vec!["up-big", "up-medium"]),
    ] {
        let gateway = routed(strategy).await;
        for _ in 1..expected.len() {
            gateway.upstream.fails(503);
        }
        gateway.upstream.says("rescued");
        let answer = gateway.ask("auto", "hello").await;
        assert_eq!(answer.status, 200, "{strategy}: {}", answer.text);
        assert_eq!(asked(&gateway), expected, "{strategy}");
        let last = expected.last().expect("some");
        assert_eq!(answer.header("x-semgate-target"), format!("up/{last}"));
        let record = gateway.record(&answer).await;
        assert_eq!(record["route"]["reason"], reason);
        assert_eq!(record["route"]["requested"], "auto");
        let label = format!("reason=\"{reason}\"");
        assert!(gateway.gateway.metrics_text().contains(&label), "{strategy}");
        gateway.finish().await;
    }
}

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let gateway = routed("{fixed: mini}").await;
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let body = json!({"model": "auto", "messages": [{"role": "user", "content": [picture]}]});
    let answer = gateway.send(&body, &[]).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!("no_target_fits")));
    let message = answer.json()["error"]["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("vision"), "{message}");
    gateway.finish().await;
}

#[tokio::test]
async fn a_rule_gives_a_strategy_to_routes_only() {
    let rules = "  rules: [{when: 'stream', then: {strategy: {fixed: big}}}]\n";
    let gateway = TestGateway::of(&format!("{}\n{rules}", CONFIG.trim_end())).await;
    for (model, target, reason, rule) in [
        ("auto", "up/up-big", "fixed", json!("stream")),
        ("mini", "up/up-mini", "named", Value::Null),
        ("tier/mid", "up/up-medium", "forced", Value::Null),
    ] {
        gateway.upstream.streams(&["x"]);
        let answer = gateway.send(&chat_stream(model, model), &[]).await;
        assert_eq!(answer.header("x-semgate-target"), target);
        let record = gateway.record(&answer).await;
        assert_eq!((&record["route"]["reason"], &record["route"]["rule"]), (&json!(reason), &rule));
    }
    gateway.upstream.says("x");
    let whole = gateway.ask("auto", "whole").await;
    assert_eq!(whole.header("x-semgate-target"), "up/up-mini", "the rule did not match");
    gateway.finish().await;
}

#[tokio::test]
async fn a_weighted_draw_stays_with_the_conversation() {
    let gateway = routed("{weighted: {mini: 1, medium: 1}}").await;
    let mut drawn = std::collections::BTreeSet::new();
    for number in 0..16 {
        let mut body = chat("auto", &format!("conversation {number}"));
        let mut targets = std::collections::BTreeSet::new();
        for turn in 0..3 {
            gateway.upstream.says("go on");
            let answer = gateway.send(&body, &[("cache-control", "no-cache")]).await;
            targets.insert(answer.header("x-semgate-target").to_owned());
            let messages = body["messages"].as_array_mut().expect("messages");
            messages.push(json!({"role": "assistant", "content": "go on"}));
            messages.push(json!({"role": "user", "content": format!("turn {turn}")}));
        }
        assert_eq!(targets.len(), 1, "{targets:?}");
        drawn.extend(targets);
    }
    assert_eq!(drawn.len(), 2, "both are drawn");
    gateway.finish().await;
}

#[tokio::test]
async fn an_answer_of_any_model_of_the_strategy_is_served_to_all() {
    let gateway = routed("fastest").await;
    gateway.upstream.says("kept");
    let first = gateway.ask("auto", "what is kept?").await;
    assert_eq!(first.header("x-semgate-target"), "up/up-mini");
    let again = gateway.ask("auto", "what is kept?").await;
    assert_eq!(again.header("x-semgate-attempts"), "0", "{}", again.text);
    gateway.finish().await;
}

/// Each target is tried once; then the quickest goes first, for whole answers and streams apart.
#[tokio::test]
async fn fastest_follows_what_was_measured() {
    let gateway = routed("fastest").await;
    let slow = Gate::shut();
    let reply = Act::Reply { status: 200, headers: vec![], body: completion("slow").to_string() };
    gateway.upstream.then(Act::After(slow.clone(), Box::new(reply)));
    let body = chat("auto", "first");
    let waiting = gateway.begin(&body, &[]);
    let others = async {
        while gateway.upstream.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        for prompt in ["second", "third"] {
            gateway.upstream.says("quick");
            gateway.ask("auto", prompt).await;
        }
        // The first has now taken longer than the second and third together.
        slow.open();
    };
    let (first, ()) = tokio::join!(waiting, others);
    assert_eq!(first.status(), 200);
    assert_eq!(asked(&gateway), ["up-mini", "up-medium", "up-big"], "each once, to be measured");
    drop(first);
    for prompt in ["fourth", "fifth"] {
        gateway.upstream.says("quick");
        let answer = gateway.ask("auto", prompt).await;
        assert_ne!(answer.header("x-semgate-target"), "up/up-mini");
        assert_eq!(gateway.record(&answer).await["route"]["reason"], "fastest");
    }
    let explained = gateway.admin("/admin/v1/explain", Some(chat("auto", "sixth"))).await.json();
    assert_eq!(explained["policy"]["strategy"], "fastest");
    assert_eq!(explained["plan"][2]["target"], "up/up-mini");
    let why = explained["plan"][2]["why"].as_str().expect("a reason");
    assert!(why.starts_with("takes ") && why.ends_with(" ms"), "{why}");
    // Streams have figures of their own: nobody has been tried.
    gateway
        .upstream
        .then(Act::Stream { events: stream_of(&["x"], true), end: crate::support::End::Proper });
    let streamed = gateway.send(&chat_stream("auto", "seventh"), &[]).await;
    assert_eq!(streamed.header("x-semgate-target"), "up/up-mini");
    gateway.finish().await;
}

#[tokio::test]
async fn observing_sends_a_strategy_route_to_the_baseline() {
    let route =
        "  mode: observe\n  routes: [{name: auto, tiers: [small, mid], strategy: cheapest}]\n";
    let gateway = TestGateway::of(&format!("{}\n{route}", CONFIG.trim_end())).await;
    gateway.upstream.says("x");
    let answer = gateway.ask("auto", "hi").await;
    assert_eq!(answer.header("x-semgate-target"), "up/up-big");
    let record = gateway.record(&answer).await;
    assert_eq!(
        (&record["route"]["reason"], &record["route"]["tier"]),
        (&json!("cheapest"), &json!("small"))
    );
    gateway.finish().await;
}

#[tokio::test]
async fn an_explanation_says_which_strategy_chose_and_why_others_come_later() {
    let gateway = routed("{weighted: {mini: 80, medium: 20}}").await;
    let explained = gateway.admin("/admin/v1/explain", Some(chat("auto", "hello"))).await.json();
    assert_eq!(explained["reason"], "weighted");
    assert_eq!(
        explained["policy"]["strategy"],
        json!({"weighted": {"mini": 80.0, "medium": 20.0}})
    );
    let whys: Vec<&str> =
        [0, 1].map(|place| explained["plan"][place]["why"].as_str().expect("a reason")).into();
    assert!(whys[0].starts_with("drawn, weight ") && whys[1].starts_with("not drawn, weight "));
    assert!(explained["plan"][2].is_null(), "big has no weight");
    let again = gateway.admin("/admin/v1/explain", Some(chat("auto", "hello"))).await.json();
    assert_eq!(again["plan"], explained["plan"]);
    gateway.finish().await;
}
