//! The commands as a person or a script runs them: exit codes, and what is printed where. The
//! embedder is off except where its absence is the subject.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::home::{CONFIG, Ended, Home};
use crate::support::chat;

#[test]
fn wrong_command_lines_exit_2_and_say_why() {
    let home = Home::configured();
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage"),
        (&["router", "fit"], "--data"),
        (&["serve", "--nope"], "--nope"),
        (&["replay"], "--input"),
        (&["replay", "--input", "x", "--set", "cache"], "KEY=VALUE"),
        (&["explain", "--header", "nope", "hi"], "NAME:VALUE"),
        (&["keys", "create", "--name", "a"], "--tenant"),
        (&["keys", "create", "--name", "a b", "--tenant", "t"], "--name"),
        (&["cache", "purge"], "--all"),
        (&["cache", "purge", "--all", "--tenant", "t"], "--tenant"),
        (&["cache", "purge", "--tag", "a=b", "--key", "web"], "--key"),
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
        &["router"],
        &["router", "eval"],
        &["router", "fit"],
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
    let paged = run(&["--sweep", "cache.exact.enabled=true,false", "--report", "r.html"]).exits(0);
    assert_eq!(paged.out, table, "the page comes beside the table");
    let page = fs::read_to_string(home.path("r.html")).expect("written");
    assert!(page.contains("cache.exact.enabled: false</code></h2>") && page.contains("66.67 %"));
    run(&["--report", "/nowhere/r.html"]).exits(1).says("/nowhere/r.html");
    run(&["--set", "cache.exakt.enabled=false"]).exits(78).says("`exact`");
    run(&["--sweep", "cache.ttl.default=1h,soon"]).exits(78).says("cache.ttl.default");
}

#[test]
fn replay_keeps_the_keys_apart_that_the_configuration_does() {
    let home = Home::configured();
    let row = |key: &str, label: &str| {
        json!({"prompt": "Hi", "answer": label, "answer_id": label, "key": key}).to_string()
    };
    let rows = [row("web", "a"), row("web", "a"), row("app", "b"), row("app", "b")];
    home.write("in.jsonl", &rows.join("\n"));
    let run = |more: &[&str]| {
        let args = [&["replay", "--input", "in.jsonl", "--json"], more].concat();
        home.run(&args).exits(0).json()
    };
    let shared = run(&[]);
    assert_eq!((&shared["hits"]["exact"], &shared["wrong_exact_hits"]), (&json!(3), &json!(2)));
    let apart = run(&["--set", "cache.scope=key"]);
    assert_eq!((&apart["hits"]["exact"], &apart["wrong_exact_hits"]), (&json!(2), &json!(0)));
    let class = json!({"default": {"hits": 2, "judged": 2, "wrong": 0}});
    assert_eq!(apart["ttl_classes"], class);
}

#[test]
fn model_list_says_what_is_missing() {
    let home = Home::new();
    let shown = home.run(&["model", "list"]).exits(0).out;
    assert!(shown.contains("semgate model fetch"), "{shown}");
    assert_eq!(home.run(&["model", "list", "--json"]).exits(0).json()["present"], false);
    home.run(&["model", "fetch", "--from", "."]).exits(1).says("SHA-256");
}

#[test]
fn explain_leaves_no_record_file() {
    let home = Home::new();
    let telemetry = "telemetry: {content: true, record: {path: record.jsonl}}\n";
    home.write("semgate.yaml", &format!("{CONFIG}{telemetry}"));
    home.run(&["explain", "Hi"]).exits(0);
    assert!(!home.path("record.jsonl").exists());
}
