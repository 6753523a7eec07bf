//! What the router learns: from shadow calls, callers' words and probes, and that it can be undone.

use semgate::replay::input::Row;
use semgate::replay::run::Run;
use serde_json::json;

use crate::support::{CONFIG, TestGateway, chat};

/// Two tiers without thresholds, no cache, and every request asked of both.
fn config(shadow: &str) -> String {
    let mut config = CONFIG.replace(", min_adequacy: 0.0", "");
    config = config.replace("    - {name: mid, models: [medium]}\n", "");
    format!(
        "{}\n  shadow: {shadow}\n  max_quality_loss: 20%\ncache: {{enabled: false}}\n",
        config.trim_end()
    )
}

async fn idle(gateway: &TestGateway) {
    for _ in 0..4000 {
        if gateway.gateway.jobs().open() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("a job does not end");
}

fn question(n: usize) -> String {
    const WHATS: [&str; 7] = ["river", "bridge", "violin", "comet", "ferry", "lemon", "harbour"];
    const WHERE: [&str; 9] =
        ["Rome", "Oslo", "Lima", "Cairo", "Delhi", "Quito", "Bern", "Kyiv", "Hanoi"];
    format!("Name the oldest {} near {} of which people speak", WHATS[n % 7], WHERE[n % 9])
}

/// So many requests, each answered by both tiers with the same words.
async fn teach(gateway: &TestGateway, requests: std::ops::Range<usize>) {
    for n in requests {
        gateway.upstream.says("The Tiber").says("The Tiber");
        let answer = gateway.ask("auto", &question(n)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        idle(gateway).await;
    }
}

/// How the router stands once everything was learnt, which asking for its history waits for.
async fn standing(gateway: &TestGateway) -> serde_json::Value {
    gateway.admin("/admin/v1/router/history", None).await;
    gateway.admin("/admin/v1/router", None).await.json()["data"][0].clone()
}

#[tokio::test]
async fn shadow_calls_earn_the_cheaper_tier_its_place() {
    let gateway = TestGateway::of(&config("100%")).await;
    gateway.upstream.says("The Tiber").says("The Tiber");
    let first = gateway.ask("auto", &question(0)).await;
    idle(&gateway).await;
    let record = gateway.record(&first).await;
    assert_eq!(
        (&record["route"]["tier"], &record["route"]["reason"]),
        (&"frontier".into(), &"abstained".into())
    );
    assert_eq!(record["route"]["loss"]["evidence"], "baseline");
    teach(&gateway, 1..60).await;
    let standing = standing(&gateway).await;
    assert_eq!(standing["pairs"][0]["pair"], "small:mini < frontier:big");
    assert_eq!(standing["pairs"][0]["labels"], 60, "{standing}");
    assert_eq!(standing["pairs"][0]["weak_share"], 1.0, "{standing}");
    gateway.upstream.says("The Tiber").says("The Tiber");
    let answer = gateway.ask("auto", &question(60)).await;
    idle(&gateway).await;
    let record = gateway.record(&answer).await;
    assert_eq!(
        (&record["route"]["tier"], &record["route"]["reason"]),
        (&"small".into(), &"within_loss".into())
    );
    let loss = &record["route"]["loss"];
    assert_eq!((&loss["evidence"], &loss["labels"]), (&"labels".into(), &50.into()), "{loss}");
    assert!(loss["bound"].as_f64().is_some_and(|bound| bound > 0.0 && bound <= 0.2), "{loss}");
    // What learning cost is our own, and off the savings.
    let metrics = gateway.get("/metrics", &[]).await.text;
    assert!(metrics.contains("semgate_route_labels_total{by=\"shadow\"} 61"), "{metrics}");
    assert!(
        metrics.contains("semgate_jobs_total{outcome=\"done\",what=\"route_shadow\"} 61"),
        "{metrics}"
    );
    let spent = metrics
        .lines()
        .find(|it| it.starts_with("semgate_own_spend_usd_total{by=\"route_shadow\"}"));
    assert!(spent.is_some_and(|line| !line.ends_with(" 0")), "{spent:?}");
    gateway.finish().await;
}

#[tokio::test]
async fn answers_that_differ_or_cannot_be_told_count_as_lost() {
    let gateway = TestGateway::of(&config("100%")).await;
    for (n, small) in ["The Nile", "Nobody can tell, for the people there speak of many things."]
        .into_iter()
        .enumerate()
    {
        gateway.upstream.says("The Tiber").says(small);
        gateway.ask("auto", &question(n)).await;
        idle(&gateway).await;
    }
    let metrics = gateway.get("/metrics", &[]).await.text;
    for by in ["shadow", "undecided"] {
        let line = format!("semgate_route_labels_total{{by=\"{by}\"}} 1");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn nobody_else_is_asked_about_requests_that_cannot_be_compared() {
    let gateway = TestGateway::of(&config("100%")).await;
    let mut body = chat("auto", &question(0));
    body["tools"] = json!([{"type": "function", "function": {"name": "look"}}]);
    gateway.upstream.says("The Tiber");
    let answer = gateway.send(&body, &[]).await;
    idle(&gateway).await;
    assert_eq!(gateway.upstream.seen().len(), 1);
    let explained = gateway.admin("/admin/v1/explain", Some(body)).await.json();
    let expected =
        json!([{"what": "tier/small", "why": "answers to requests with tools are not compared"}]);
    assert_eq!(explained["passed_over"], expected, "{}", answer.text);
    for (name, body) in [("tier/small", "a"), ("mini", "b")] {
        gateway.upstream.says("The Tiber");
        gateway.ask(name, body).await;
        idle(&gateway).await;
    }
    assert_eq!(gateway.upstream.seen().len(), 3, "what the caller chose is not the router's");
    gateway.finish().await;
}

#[tokio::test]
async fn history_lists_what_was_learnt_and_a_rollback_forgets_the_rest() {
    let gateway = TestGateway::of(&config("100%")).await;
    teach(&gateway, 0..80).await;
    let history = gateway.admin("/admin/v1/router/history", None).await.json();
    let versions = history["data"].as_array().expect("a list").clone();
    assert_eq!(versions.len(), 2, "{history}");
    assert_eq!((&versions[0]["version"], &versions[0]["cause"]), (&1.into(), &"learnt".into()));
    let back = json!({"tenant": "anonymous", "route": "auto", "version": 1});
    let made = gateway.admin("/admin/v1/router/rollback", Some(back.clone())).await;
    assert_eq!((made.status, made.json()), (200, json!({"version": 3})));
    assert_eq!(standing(&gateway).await["pairs"][0]["labels"], 50);
    let history = gateway.admin("/admin/v1/router/history", None).await.json();
    assert_eq!(history["data"][2]["cause"], "rollback to 1");
    for (member, value) in
        [("version", json!(99)), ("version", json!("x")), ("route", json!(null)), ("by", json!(1))]
    {
        let mut wrong = back.clone();
        wrong[member] = value;
        let refused = gateway.admin("/admin/v1/router/rollback", Some(wrong)).await;
        assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &member.into()));
    }
    gateway.finish().await;
}

#[tokio::test]
async fn complaints_raise_the_tier_of_like_questions() {
    let config = CONFIG.replace("min_adequacy: 0.0", "min_adequacy: 0.02");
    let gateway = TestGateway::of(&format!("{config}cache: {{enabled: false}}\n")).await;
    let tier = async |prompt: &str| {
        gateway.admin("/admin/v1/explain", Some(chat("auto", prompt))).await.json()
    };
    let before = tier(&question(3)).await;
    assert_eq!(before["tier"], "small");
    let adequacy =
        |explained: &serde_json::Value| explained["probabilities"]["small"].as_f64().unwrap();
    gateway.upstream.says("No idea");
    let answer = gateway.ask("auto", &question(3)).await;
    let said = json!({"id": answer.header("x-request-id"), "verdict": "bad"});
    let url = format!("{}/v1/feedback", gateway.data);
    let told = gateway.client.post(url).header("content-type", "application/json");
    assert_eq!(told.body(said.to_string()).send().await.expect("an answer").status(), 204);
    let after = tier(&question(3)).await;
    assert!((adequacy(&after) - adequacy(&before) * 2.0 / 3.0).abs() < 1e-6, "{after}");
    let far = "Translate the word butterfly";
    gateway.upstream.says("Schmetterling");
    gateway.ask("auto", far).await;
    // Put anew in the same conversation: half a complaint.
    let reworded = json!({"model": "auto", "messages": [
        {"role": "user", "content": question(5)},
        {"role": "assistant", "content": "Hm."},
        {"role": "user", "content": format!("{}, please", question(5))},
    ]});
    gateway.upstream.says("Hm.").says("Well.");
    gateway.ask("auto", &question(5)).await;
    gateway.send(&reworded, &[]).await;
    let metrics = gateway.get("/metrics", &[]).await.text;
    for by in ["feedback", "reworded"] {
        let line = format!("semgate_route_opinions_total{{by=\"{by}\"}} 1");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_probe_places_a_model_by_its_answers() {
    let gateway = TestGateway::of(CONFIG).await;
    for _ in 0..100 {
        gateway.upstream.says("I do not know");
    }
    let found = gateway.admin("/admin/v1/router/probe", Some(json!({"model": "big"}))).await;
    assert_eq!(found.status, 200, "{}", found.text);
    let found = found.json();
    assert_eq!((&found["right"], &found["model"]), (&0.into(), &"big".into()));
    assert!(found["position"].as_f64().is_some_and(|place| place < 0.5), "{found}");
    assert!(found["cost_usd"].as_f64().is_some_and(|cost| cost > 0.0));
    let explained = gateway.admin("/admin/v1/explain", Some(chat("auto", "hello"))).await.json();
    let p = &explained["probabilities"];
    assert!(p["frontier"].as_f64() <= p["mid"].as_f64(), "the frontier is no better: {p}");
    let unknown = gateway.admin("/admin/v1/router/probe", Some(json!({"model": "nobody"}))).await;
    assert_eq!((unknown.status, &unknown.json()["error"]["param"]), (400, &"model".into()));
}

/// Rows of which both models' outcomes are known: the small one is wrong about violins.
fn labelled(n: usize) -> serde_json::Value {
    let prompt = question(n);
    let right = f64::from(u8::from(!prompt.contains("violin")));
    json!({"prompt": prompt, "outcomes": {"mini": {"quality": right}, "big": {"quality": 1.0}}})
}

#[tokio::test]
async fn live_requests_explanations_and_replays_choose_the_same_tiers() {
    let gateway = TestGateway::of(&config("0%").replace("20%", "8%")).await;
    let rows: Vec<_> = (0..150).map(labelled).collect();
    let given = json!({"tenant": null, "route": "auto", "rows": rows});
    let told = gateway.admin("/admin/v1/router/labels", Some(given)).await;
    assert_eq!((told.status, &told.json()["labels"]), (200, &150.into()), "{}", told.text);
    assert!(gateway.upstream.seen().is_empty(), "nobody was asked");
    let caller = gateway.gateway.caller_of_tenant(None).expect("anonymous");
    let headers = Default::default();
    let mut tiers = std::collections::BTreeMap::<String, usize>::new();
    for n in 0..63 {
        let body = chat("auto", &question(n));
        let explained = gateway.admin("/admin/v1/explain", Some(body.clone())).await.json();
        let rehearsed = gateway.gateway.rehearse(
            body.to_string().into(),
            &headers,
            caller.clone(),
            None,
            Some(0.5),
            semgate::now::Now::read(),
        );
        let rehearsed = rehearsed.await.expect("a decision");
        let rehearsed = rehearsed.decision().expect("a plan").tier.clone();
        gateway.upstream.says("The Tiber");
        let answer = gateway.ask("auto", &question(n)).await;
        let live = answer.header("x-semgate-tier").to_owned();
        assert_eq!(explained["tier"], live, "{}", question(n));
        assert_eq!(rehearsed.as_deref(), Some(&*live), "{}", question(n));
        *tiers.entry(live).or_default() += 1;
    }
    assert_eq!(tiers.len(), 2, "{tiers:?}");
    let wrong = json!({"tenant": null, "route": "nowhere", "rows": []});
    let refused = gateway.admin("/admin/v1/router/labels", Some(wrong)).await;
    assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &"route".into()));
    gateway.finish().await;
}

#[tokio::test]
async fn a_replay_learns_as_live_traffic_would_and_pays_for_it() {
    let replay = async |shadow: &str| {
        let gateway = TestGateway::of(&config(shadow)).await;
        let rows: Vec<Row> =
            (0..150).map(|n| serde_json::from_value(labelled(n)).expect("a row")).collect();
        let mut run = Run::new(&gateway.gateway, &rows, false);
        for number in 0..rows.len() {
            run.row(number, None).await;
        }
        let report = run.tally.report(0);
        gateway.finish().await;
        report
    };
    let blind = replay("0%").await;
    assert_eq!((&blind["tiers"], &blind["route_labels"]), (&json!({"frontier": 150}), &0.into()));
    assert_eq!((&blind["saved_usd"], &blind["quality_loss"]), (&0.0.into(), &0.0.into()));
    let taught = replay("100%").await;
    assert_eq!(taught["route_labels"], 150);
    assert!(taught["tiers"]["small"].as_u64().is_some_and(|small| small > 20), "{taught}");
    assert!(taught["own_spend_usd"].as_f64().is_some_and(|own| own > 0.0));
    let loss = taught["quality_loss"].as_f64().expect("outcomes are known");
    assert!((0.0..=0.2).contains(&loss), "{loss}");
    let net = taught["baseline_usd"].as_f64().unwrap() - taught["spend_usd"].as_f64().unwrap();
    assert!((taught["saved_usd"].as_f64().unwrap() - net).abs() < 1e-9);
    assert_eq!(taught, replay("100%").await, "two replays agree");
}
