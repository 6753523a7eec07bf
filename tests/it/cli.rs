//! The commands as a person or a script runs them: the built binary in an empty home, its exit
//! codes, what it prints where. The embedder is off except where its absence is the subject.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Answer, Upstream, chat};

const CONFIG: &str = "
server: {listen: 127.0.0.1:0, admin_listen: 127.0.0.1:0, shutdown_grace: 5s}
embedder: off
providers:
  - {name: up, dialect: openai, base_url: \"${UPSTREAM:-http://127.0.0.1:1/v1}\", api_keys: [sk-upstream-secret]}
models:
  - {name: mini, provider: up, id: up-mini, price: {input: 1, output: 2}}
  - {name: big, provider: up, id: up-big, price: {input: 10, output: 20}}
routing:
  tiers:
    - {name: small, models: [mini]}
    - {name: frontier, models: [big]}
";

/// A home of its own: nothing of the machine's environment is seen.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    /// A home with the standard configuration as `semgate.yaml`.
    fn configured() -> Self {
        let home = Self::new();
        home.write("semgate.yaml", CONFIG);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_semgate"));
        command.args(args).env_clear().current_dir(self.0.path());
        command.env("HOME", self.0.path()).env("XDG_STATE_HOME", self.path("state"));
        // What `check --print` writes in the place of the key.
        command.env("UP_API_KEY", "sk-upstream-secret");
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        Ended::of(args, self.command(args).output().expect("the binary runs"))
    }

    fn run_with_input(&self, args: &[&str], input: &str) -> Ended {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(input.as_bytes()).expect("taken");
        drop(stdin);
        Ended::of(args, child.wait_with_output().expect("an end"))
    }

    fn serve(&self, upstream: &str) -> Running {
        let mut command = self.command(&["serve"]);
        command.env("UPSTREAM", upstream).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut ready = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut ready).expect("a line");
        let address = |name: &str| {
            let word = ready.split_whitespace().find_map(|word| word.strip_prefix(name));
            word.unwrap_or_else(|| panic!("no ready line: {ready:?}")).to_owned()
        };
        assert!(ready.starts_with("semgate ready data=http://127.0.0.1:"), "{ready}");
        Running { data: address("data="), admin: address("admin="), child }
    }
}

/// How a command ended.
struct Ended {
    args: String,
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    fn of(args: &[&str], output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let ended = Self {
            args: args.join(" "),
            code: output.status.code().expect("no signal ended it"),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        assert!(!ended.out.contains('\u{1b}') && !ended.err.contains('\u{1b}'), "no colour");
        assert!(!ended.err.contains("panicked"), "{}: {}", ended.args, ended.err);
        ended
    }

    /// Asserts the exit code, and that a failure says why on stderr.
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}: {}{}", self.args, self.out, self.err);
        assert!(code == 0 || !self.err.trim().is_empty(), "{}: no reason given", self.args);
        self
    }

    fn says(self, why: &str) -> Self {
        assert!(self.err.contains(why), "{}: {why:?} is not in {:?}", self.args, self.err);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON: {}", self.out))
    }
}

/// A gateway in a process of its own, killed when a test fails.
struct Running {
    child: Child,
    data: String,
    admin: String,
}

impl Running {
    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Reads stderr until a line has `text`.
    fn wait_for(&mut self, text: &str) -> String {
        let stderr = self.child.stderr.as_mut().expect("piped");
        let mut seen = String::new();
        let mut byte = [0];
        while !(seen.contains(text) && seen.ends_with('\n')) {
            let read = stderr.read(&mut byte).expect("readable");
            assert_eq!(read, 1, "{text:?} never came: {seen}");
            seen.push(char::from(byte[0]));
        }
        seen
    }

    fn ends(mut self, code: i32) {
        assert_eq!(self.child.wait().expect("an end").code(), Some(code));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Without idle connections, nothing of ours keeps a gateway from ending.
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
    client.build().expect("a client")
}

async fn get(url: String) -> Answer {
    Answer::of(client().get(url).send().await.expect("an answer")).await
}

async fn post(running: &Running, body: &Value, key: &str) -> Answer {
    let request = client().post(format!("{}/v1/chat/completions", running.data));
    let request = request.header("content-type", "application/json").bearer_auth(key);
    Answer::of(request.body(body.to_string()).send().await.expect("an answer")).await
}

#[test]
fn wrong_command_lines_exit_2_and_say_why() {
    let home = Home::configured();
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage"),
        (&["router", "fit"], "router"),
        (&["serve", "--nope"], "--nope"),
        (&["replay"], "--input"),
        (&["replay", "--input", "x", "--report", "y"], "--report"),
        (&["replay", "--input", "x", "--set", "cache"], "KEY=VALUE"),
        (&["explain", "--header", "nope", "hi"], "NAME:VALUE"),
        (&["keys", "create", "--name", "a"], "--tenant"),
        (&["keys", "create", "--name", "a b", "--tenant", "t"], "--name"),
        (&["cache", "purge"], "--all"),
        (&["cache", "purge", "--all", "--tenant", "t"], "--tenant"),
        (&["cache", "purge", "--tag", "a=b"], "--tag"),
    ];
    for (args, why) in cases {
        home.run(args).exits(2).says(why);
    }
}

#[test]
fn every_command_has_help_with_an_example() {
    let commands: &[&[&str]] = &[
        &[],
        &["serve"],
        &["check"],
        &["explain"],
        &["replay"],
        &["model"],
        &["model", "fetch"],
        &["model", "list"],
        &["keys"],
        &["keys", "create"],
        &["cache"],
        &["cache", "stats"],
        &["cache", "purge"],
    ];
    for command in commands {
        let help = Home::new().run(&[command, &["--help"][..]].concat()).exits(0);
        assert!(help.out.contains("Example: "), "{command:?}: {}", help.out);
    }
}

#[test]
fn what_cannot_start_exits_78_and_says_what_to_do() {
    let home = Home::new();
    for command in [&["serve"][..], &["check"], &["explain", "hi"], &["replay", "--input", "-"]] {
        home.run(command).exits(78).says("OPENAI_API_KEY");
    }
    home.run(&["check", "--config", "nope.yaml"]).exits(78).says("nope.yaml: ");
    home.write("model.yaml", &CONFIG.replace("embedder: off", ""));
    for command in [&["serve"][..], &["explain", "hi"], &["replay", "--input", "-"]] {
        let args = [command, &["--config", "model.yaml"]].concat();
        home.run(&args).exits(78).says("semgate model fetch");
    }
}

#[test]
fn check_names_every_fault_at_its_place() {
    let home = Home::new();
    home.write("bad.yaml", "cache:\n  ttl: {default: soon}\n  enabld: true\nserver: {listen: 1}\n");
    let checked = home.run(&["check", "--config", "bad.yaml"]).exits(78);
    let places: Vec<&str> = checked.err.lines().map(|line| &line[..13]).collect();
    assert_eq!(places, ["bad.yaml:2:18", "bad.yaml:3:3:", "bad.yaml:4:18"], "{}", checked.err);
    assert!(checked.err.lines().all(|line| line.contains("; ")), "{}", checked.err);
    assert!(checked.err.contains("`enabled`"), "the nearest name: {}", checked.err);
    let faults = Home::run(&home, &["check", "--config", "bad.yaml", "--json"]);
    assert_eq!((faults.code, faults.err.as_str()), (78, ""), "JSON says it all");
    assert_eq!(faults.json()["faults"].as_array().map(Vec::len), Some(3));
    home.write("semgate.yaml", CONFIG);
    assert_eq!(home.run(&["check"]).exits(0).out.trim(), "semgate.yaml: ok");
    assert_eq!(home.run(&["check", "--json"]).exits(0).json()["ok"], true);
}

#[test]
fn what_check_prints_loads_again_and_has_no_secret() {
    let home = Home::configured();
    let printed = home.run(&["check", "--print"]).exits(0).out;
    assert!(!printed.contains("sk-upstream-secret"), "{printed}");
    home.write("again.yaml", &printed);
    home.run(&["check", "--config", "again.yaml"]).exits(0);
    let again = home.run(&["check", "--config", "again.yaml", "--print"]).exits(0).out;
    let settings = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    assert_eq!(settings(&again), settings(&printed));
    let schema = home.run(&["check", "--schema"]).exits(0).json();
    assert!(schema["properties"]["cache"].is_object() || schema["$defs"].is_object());
}

#[test]
fn provider_keys_of_the_environment_are_a_configuration() {
    let home = Home::new();
    let mut command = home.command(&["check", "--print"]);
    command.env("OPENAI_API_KEY", "sk-environment").env("OPENAI_BASE_URL", "http://127.0.0.1:9/v1");
    let printed = Ended::of(&["check", "--print"], command.output().expect("runs")).exits(0).out;
    assert!(printed.contains("http://127.0.0.1:9/v1") && printed.contains("frontier"), "{printed}");
    assert!(!printed.contains("sk-environment"), "{printed}");
}

#[test]
fn a_reader_that_leaves_early_is_no_fault() {
    let home = Home::new();
    let mut command = home.command(&["check", "--schema"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    drop(child.stdout.take());
    Ended::of(&["check", "--schema"], child.wait_with_output().expect("an end")).exits(0);
}

#[test]
fn explain_tells_the_plan_and_its_json_has_the_documented_members() {
    let home = Home::configured();
    let shown = home.run(&["explain", "--model", "tier/frontier", "Hi"]).exits(0).out;
    assert!(shown.contains("frontier") && shown.contains("up/up-big"), "{shown}");
    let args = ["explain", "--json", "--tenant", "acme", "--header", "x-semgate-tier: small", "Hi"];
    let explained = home.run(&args).exits(0).json();
    for member in ["policy", "key", "cache", "features", "probabilities", "tier", "plan", "rule"] {
        assert!(explained.get(member).is_some(), "{member}: {explained}");
    }
    for member in ["verdict", "detail", "ttl_class"] {
        assert!(explained["cache"].get(member).is_some(), "{member}: {explained}");
    }
    assert_eq!(explained["tier"], "small");
    assert_eq!(explained["plan"][0]["target"], "up/up-mini");
    assert!(explained["plan"][0]["cost_usd"].is_number());
    let request = chat("big", "Hi").to_string();
    let explained = home.run_with_input(&["explain", "--request", "-", "--json"], &request);
    assert_eq!(explained.exits(0).json()["plan"][0]["target"], "up/up-big");
    home.run(&["explain", "--model", "nope", "Hi"]).exits(1).says("tier/small");
    home.run(&["explain", "--request", "nope.json"]).exits(1).says("nope.json");
    home.run_with_input(&["explain", "--request", "-"], "{\"messages\": 3}").exits(1);
}

#[test]
fn replay_reads_what_is_documented_and_names_the_line_at_fault() {
    let home = Home::configured();
    let rows = [
        json!({"id": "r1", "time": 1_700_000_000, "prompt": "Hi", "answer": "Hello", "answer_id": "a"}),
        json!({"id": "r2", "time": "2023-11-14T22:13:30Z", "prompt": "Hi", "answer": "Hello", "answer_id": "a"}),
        json!({"id": "r3", "time": 1_700_000_020, "prompt": "Hi", "answer": "No", "answer_id": "b", "tenant": "t"}),
        json!({"id": "r4", "time": 1_700_000_030, "request": chat("mini", "Hi"), "unknown": 1}),
    ];
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    home.write("in.jsonl", &text);
    let base = ["replay", "--json", "--input"];
    let report = home.run(&[&base[..], &["in.jsonl", "--decisions", "d.jsonl"]].concat()).exits(0);
    let report = report.json();
    for key in [
        "requests",
        "lookups",
        "hits",
        "hit_rate",
        "wrong_hits",
        "wrong_hit_rate",
        "precision",
        "tiers",
        "spend_usd",
        "baseline_usd",
        "saved_usd",
        "quality",
        "baseline_quality",
        "intervals",
    ] {
        assert!(report.get(key).is_some(), "{key}: {report}");
    }
    assert_eq!(report["requests"], 4);
    assert_eq!(report["hits"], json!({"exact": 1, "semantic": 0}));
    assert_eq!((&report["hit_rate"], &report["wrong_hits"]), (&json!(0.25), &json!(0)));
    let decisions = fs::read_to_string(home.path("d.jsonl")).expect("written");
    let decisions: Vec<Value> =
        decisions.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(decisions.len(), 4);
    assert_eq!(decisions[1]["level"], "exact");
    assert_eq!((&decisions[1]["entry_id"], &decisions[1]["wrong"]), (&json!("r1"), &json!(false)));
    let members: Vec<&String> = decisions[0].as_object().expect("an object").keys().collect();
    assert_eq!(members.len(), 12, "{members:?}");

    let packed = Command::new("gzip").arg("-k").arg(home.path("in.jsonl")).status();
    assert!(packed.expect("gzip runs").success());
    assert_eq!(home.run(&[&base[..], &["in.jsonl.gz"]].concat()).exits(0).json(), report);
    let piped = home.run_with_input(&[&base[..], &["-"]].concat(), &text).exits(0);
    assert_eq!(piped.json(), report);

    home.write("bad.jsonl", &format!("{text}{{\"id\": \"r5\"}}\n"));
    home.run(&["replay", "--input", "bad.jsonl"]).exits(1).says("bad.jsonl:5: ");
    let skipped = home.run(&[&base[..], &["bad.jsonl", "--skip-invalid"]].concat()).exits(0);
    assert_eq!((&skipped.json()["requests"], &skipped.json()["skipped"]), (&json!(4), &json!(1)));
}

#[test]
fn replay_changes_settings_for_the_run_only() {
    let home = Home::configured();
    home.write("in.jsonl", &"{\"prompt\": \"Hi\", \"answer\": \"Hello\"}\n".repeat(3));
    let run = |more: &[&str]| home.run(&[&["replay", "--input", "in.jsonl"], more].concat());
    let off = run(&["--json", "--set", "cache.exact.enabled=false"]).exits(0).json();
    assert_eq!(off["hits"]["exact"], 0);
    let swept = run(&["--json", "--sweep", "cache.exact.enabled=true,false"]).exits(0).json();
    assert_eq!(swept["rows"][0]["value"], "true");
    assert_eq!(swept["rows"][0]["report"]["hits"]["exact"], 2);
    assert_eq!(swept["rows"][1]["report"]["hits"]["exact"], 0);
    let table = run(&["--sweep", "cache.exact.enabled=true,false"]).exits(0).out;
    assert_eq!(table.lines().count(), 3, "a head and a row per value: {table}");
    run(&["--set", "cache.exakt.enabled=false"]).exits(78).says("`exact`");
    run(&["--sweep", "cache.ttl.default=1h,soon"]).exits(78).says("cache.ttl.default");
}

#[test]
fn model_list_says_what_is_missing() {
    let home = Home::new();
    let shown = home.run(&["model", "list"]).exits(0).out;
    assert!(shown.contains("semgate model fetch"), "{shown}");
    assert_eq!(home.run(&["model", "list", "--json"]).exits(0).json()["present"], false);
    home.run(&["model", "fetch", "--from", "."]).exits(1).says("SHA-256");
}

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

#[test]
fn explain_leaves_no_record_file() {
    let home = Home::new();
    let telemetry = "telemetry: {content: true, record: {path: record.jsonl}}\n";
    home.write("semgate.yaml", &format!("{CONFIG}{telemetry}"));
    home.run(&["explain", "Hi"]).exits(0);
    assert!(!home.path("record.jsonl").exists());
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
