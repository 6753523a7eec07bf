//! `semgate serve` as a process: its files, signals, reload and end.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;

use crate::home::{CONFIG, Home, client, get, post};
use crate::support::{Upstream, chat};

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_answers_keeps_its_token_private_and_ends_well() {
    let upstream = Upstream::start().await;
    upstream.says("Hello");
    let home = Home::configured();
    let mut running = home.serve(&upstream.url);
    let said = running.wait_for("curl");
    assert!(said.contains(&format!("{}/v1/chat/completions", running.data)), "{said}");
    let answer = post(&running, &chat("auto", "Hi"), "anything").await;
    assert_eq!((answer.status, answer.content().as_str()), (200, "Hello"));

    let mode = |path: PathBuf| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(home.path("state/semgate")), 0o700);
    assert_eq!(mode(home.path("state/semgate/admin_token")), 0o600);
    let admin = running.admin.clone();
    let stats = home.run(&["cache", "stats", "--json", "--admin", &admin]).exits(0).json();
    assert_eq!(stats["exact"]["entries"], 1);
    let args = ["explain", "--json", "--admin", &admin, "Hi"];
    assert_eq!(home.run(&args).exits(0).json()["cache"]["verdict"], "hit");
    let purge = |what: &[&str]| {
        home.run(&[&["cache", "purge", "--json", "--admin", &admin], what].concat())
    };
    assert_eq!(purge(&["--tenant", "nobody"]).exits(0).json(), json!({"purged": 0}));
    assert_eq!(purge(&["--older-than", "1h"]).exits(0).json(), json!({"purged": 0}));
    assert_eq!(purge(&["--entry", "none"]).exits(0).json(), json!({"purged": 0}));
    assert_eq!(purge(&["--tag", "a=b"]).exits(0).json(), json!({"purged": 0}));
    purge(&["--tag", "a"]).exits(1).says("name=value");
    purge(&["--key", "nope"]).exits(1).says("nope");
    purge(&["--older-than", "soon"]).exits(1).says("older_than");
    purge(&["--model", "nope"]).exits(1).says("nope");
    assert_eq!(purge(&["--all"]).exits(0).json(), json!({"purged": 1}));
    let stranger = Home::new();
    stranger.run(&["cache", "stats", "--admin", &admin]).exits(1).says("SEMGATE_ADMIN_TOKEN");

    running.signal("TERM");
    running.ends(0);
    home.run(&["cache", "stats", "--admin", &admin]).exits(1).says("Is a gateway running?");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_drains_it_is_not_ready_and_accepts_nothing() {
    let upstream = Upstream::start().await;
    upstream.then(crate::support::Act::Silence);
    let home = Home::configured();
    let mut running = home.serve(&upstream.url);
    let (data, admin) = (running.data.clone(), running.admin.clone());
    assert_eq!(get(format!("{admin}/readyz")).await.status, 200);
    let request = client().post(format!("{data}/v1/chat/completions"));
    let request = request.header("content-type", "application/json");
    let waiting = tokio::spawn(request.body(chat("auto", "Hi").to_string()).send());
    while upstream.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    running.signal("TERM");
    running.wait_for("shutting down");
    while get(format!("{admin}/readyz")).await.status != 503 {
        tokio::task::yield_now().await;
    }
    assert_eq!(get(format!("{admin}/healthz")).await.status, 200);
    while client().get(format!("{data}/healthz")).send().await.is_ok() {
        tokio::task::yield_now().await;
    }
    running.signal("INT");
    running.wait_for("second signal");
    running.ends(1);
    assert!(waiting.await.expect("no panic").is_err(), "the caller's connection ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_still_waits_when_the_grace_is_over_is_told() {
    let upstream = Upstream::start().await;
    upstream.then(crate::support::Act::Silence);
    let home = Home::new();
    home.write("semgate.yaml", &CONFIG.replace("shutdown_grace: 5s", "shutdown_grace: 0s"));
    let running = home.serve(&upstream.url);
    let body = chat("auto", "Hi");
    let (answer, ()) = tokio::join!(post(&running, &body, "any"), async {
        while upstream.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        running.signal("TERM");
    });
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (503, &json!("overloaded")));
    assert_eq!(answer.header("retry-after"), "1");
    running.ends(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let home = Home::new();
    home.write("semgate.yaml", &CONFIG.replacen("127.0.0.1:0", &address, 1));
    home.run(&["serve"]).exits(1).says(&address);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_created_key_opens_the_gateway_after_a_reload_and_a_bad_file_changes_nothing() {
    let upstream = Upstream::start().await;
    upstream.says("Hello").says("Hello again");
    let home = Home::configured();
    let mut running = home.serve(&upstream.url);
    let created = home.run(&["keys", "create", "--name", "web", "--tenant", "acme"]).exits(0).out;
    let (key, line) = created.split_once('\n').expect("two lines");
    assert!(key.starts_with("sg-"), "{created}");
    home.write("semgate.yaml", &format!("{CONFIG}keys:\n{line}"));
    running.signal("HUP");
    running.wait_for("configuration reloaded");
    assert_eq!(post(&running, &chat("auto", "Hi"), "sg-wrong").await.status, 401);
    assert_eq!(post(&running, &chat("auto", "Hi"), key).await.status, 200);
    home.write("semgate.yaml", "kees: []\n");
    running.signal("HUP");
    let said = running.wait_for("unknown key");
    assert!(said.contains("semgate.yaml:1:1"), "{said}");
    assert_eq!(post(&running, &chat("auto", "Hi"), "sg-wrong").await.status, 401);
    assert_eq!(post(&running, &chat("auto", "Hi there"), key).await.status, 200);
    running.signal("TERM");
    running.ends(0);
}
