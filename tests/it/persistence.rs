//! Answers that outlive the process: stopped, killed, purged.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use semgate::cache::feedback::{Feedback, Label};
use semgate::cache::learn::Lane;
use semgate::cache::store::{FILE, Offline, Reader};
use semgate::cache::{Cache, CacheKey, Entry, Purge, Scope, TtlClass};
use semgate::config::settings;
use semgate::dialect::Usage;
use semgate::now::Now;
use serde_json::json;

use crate::home::{Home, Running, post};
use crate::support::{TestGateway, Upstream, chat};

const CACHE_FILE: &str = ".cache/semgate/cache.db";

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_serves_the_exact_hit_and_then_the_semantic_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let question = "What is the capital of France?";
    // The endpoint is in the scope: another one's answers are not this one's.
    let upstream = Upstream::start().await;
    let first = TestGateway::keeping(folder.path(), &upstream).await;
    first.upstream.says("Paris");
    assert_eq!(first.ask("auto", question).await.content(), "Paris");
    first.gateway.cache().close();
    first.finish().await;

    let second = TestGateway::keeping(folder.path(), &upstream).await;
    let exact = second.ask("auto", question).await;
    assert_eq!(exact.content(), "Paris");
    assert!(exact.header("cache-status").ends_with("detail=exact"), "{exact:?}");
    second.gateway.cache().flush();
    let again = second.ask("auto", "what is the capital of france").await;
    assert_eq!(again.content(), "Paris");
    assert!(again.header("cache-status").ends_with("detail=semantic"), "{again:?}");
    second.gateway.cache().close();
    second.finish().await;
}

/// Waits until the gateway has written so many entries.
fn wait_until_written(home: &Home, running: &Running, entries: u64) {
    let args = ["cache", "stats", "--json", "--admin", &running.admin];
    while home.run(&args).exits(0).json()["file"]["written"] != entries {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_says_where_answers_are_and_finds_them_again() {
    let upstream = Upstream::start().await;
    upstream.says("Hello");
    let home = Home::configured();
    let mut running = home.serve(&upstream.url);
    let said = running.wait_for("curl");
    let file = home.path(CACHE_FILE);
    assert!(said.contains(&format!("Answers are kept in {}.", file.display())), "{said}");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().expect("a folder"))), (0o600, 0o700));
    assert_eq!(post(&running, &chat("auto", "Hi"), "any").await.content(), "Hello");

    let mut second = home.serve(&upstream.url);
    let said = second.wait_for("curl");
    assert!(said.contains("Another gateway holds") && said.contains("in memory only"), "{said}");
    second.signal("TERM");
    second.ends(0);
    home.run(&["cache", "stats", "--offline"]).exits(1).says("--admin");
    home.run(&["cache", "purge", "--all", "--config", "semgate.yaml"]).exits(1).says("--admin");
    running.signal("TERM");
    running.ends(0);

    let stats = home.run(&["cache", "stats", "--offline", "--json"]).exits(0).json();
    assert_eq!((&stats["entries"], &stats["file"]), (&json!(1), &json!(file)));
    let explained = home.run_against(&upstream.url, &["explain", "--json", "Hi"]).exits(0).json();
    assert_eq!(explained["cache"]["verdict"], "hit", "{explained}");
    let running = home.serve(&upstream.url);
    let hit = post(&running, &chat("auto", "Hi"), "any").await;
    assert_eq!((hit.content().as_str(), hit.header("x-semgate-attempts")), ("Hello", "0"));
    running.signal("TERM");
    running.ends(0);

    let purge = ["cache", "purge", "--json", "--config", "semgate.yaml"];
    let purge = |what: &[&str]| home.run(&[&purge, what].concat()).exits(0).json();
    assert_eq!(purge(&["--tenant", "nobody"]), json!({"purged": 0}));
    assert_eq!(purge(&["--older-than", "1h"]), json!({"purged": 0}));
    assert_eq!(purge(&["--all"]), json!({"purged": 1}));
    let explained = home.run_against(&upstream.url, &["explain", "--json", "Hi"]).exits(0).json();
    assert_eq!(explained["cache"]["verdict"], "miss");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_survives_a_kill() {
    let upstream = Upstream::start().await;
    upstream.says("first").says("second");
    let home = Home::configured();
    let running = home.serve(&upstream.url);
    assert_eq!(post(&running, &chat("auto", "Hi"), "any").await.content(), "first");
    wait_until_written(&home, &running, 1);
    running.signal("KILL");
    drop(running);
    let running = home.serve(&upstream.url);
    assert_eq!(post(&running, &chat("auto", "Hi"), "any").await.content(), "first");
    let purged = home.run(&["cache", "purge", "--json", "--all", "--admin", &running.admin]);
    assert_eq!(purged.exits(0).json(), json!({"purged": 1}));
    running.signal("KILL");
    drop(running);
    let running = home.serve(&upstream.url);
    assert_eq!(post(&running, &chat("auto", "Hi"), "any").await.content(), "second");
}

#[test]
fn without_persistence_no_file_is_made() {
    let home = Home::configured();
    let config = fs::read_to_string(home.path("semgate.yaml")).expect("there");
    home.write("semgate.yaml", &format!("{config}cache: {{persistence: {{enabled: false}}}}\n"));
    let mut running = home.serve("http://127.0.0.1:1/v1");
    assert!(running.wait_for("curl").contains("in memory only"));
    running.signal("TERM");
    running.ends(0);
    assert!(!home.path(CACHE_FILE).exists());
    let stats = home.run(&["cache", "stats", "--offline", "--json"]).exits(0).json();
    assert_eq!(stats["entries"], 0);
}

const EMBEDDER: &str = "bag@1";
const FOLDER: &str = "SEMGATE_TEST_FOLDER";
const KILLS: &str = "SEMGATE_TEST_KILLS";

#[expect(clippy::disallowed_methods, reason = "a test is the edge where its environment is read")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn hash(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

/// The only right answer to a prompt.
fn answer(prompt: &str) -> Vec<u8> {
    let length = 100 + usize::from(hash(prompt)[0]) * 30;
    format!("{prompt} = {}", "x".repeat(length)).into_bytes()
}

/// The `place`-th write of a run. Keys repeat, so that entries replace each other.
fn entry(run: usize, place: usize, now: Now) -> Entry {
    let prompt = format!("question {}", place % 700);
    let tenant = ["a", "b", "c"][place % 3];
    let angle = f32::from(hash(&prompt)[1]);
    Entry {
        id: format!("{run}-{place}"),
        key: CacheKey(hash(&prompt)),
        scope: Scope(hash("scope")),
        tenant: tenant.into(),
        key_name: None,
        vector: Some(vec![angle.cos(), angle.sin()].into()),
        answer: answer(&prompt).into(),
        prompt,
        usage: Usage::default(),
        model: "mini".into(),
        target: "p/mini".into(),
        tier: None,
        stored: now,
        ttl_class: TtlClass::Timeless,
        ttl: Duration::from_hours(100),
        cost: None,
        took: Duration::from_secs(1),
        tags: std::collections::BTreeMap::new(),
        lane: Lane { tenant: tenant.into(), route: "auto".into() },
        hits: AtomicU64::new(0),
    }
}

/// A caller's word that the answer made for this request is wrong.
fn bad(request: &str) -> Feedback {
    let (tenant, route) = ("a".into(), "auto".into());
    Feedback { request: request.to_owned(), tenant, route, label: Label::Bad, served: None }
}

/// Not a test: the process that is killed. It says what it did, line by line.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn writes_until_it_is_killed() {
    let Some(folder) = environment(FOLDER) else { return };
    let cache = Cache::new(&settings::Cache::default()).expect("a thread");
    let cache = cache.keep_in(folder.as_ref(), Some(EMBEDDER)).expect("a thread");
    let run = environment("SEMGATE_TEST_RUN").and_then(|run| run.parse().ok()).unwrap_or(0);
    let mut out = std::io::stdout().lock();
    for place in 0.. {
        cache.admit(entry(run, place, Now::read()));
        let mut said = format!("wrote {place}\n");
        if place % 61 == 60 {
            let tenant = ["a", "b", "c"][place / 61 % 3];
            cache.purge(&Purge::Tenant(tenant.into()), Now::read()).expect("a file that works");
            said = format!("purged {tenant} {place}\n");
        }
        if place % 53 == 52 {
            let entry = format!("{run}-{place}");
            let begun = Now::read();
            cache.feedback(&bad(&entry), begun);
            // It waits for a second. Where the disk took longer, nothing was promised.
            if Now::read().mono.duration_since(begun.mono) < Duration::from_millis(900) {
                said = format!("refuted {entry}\n");
            }
        }
        if place % 37 == 36 {
            let state = vec![(place % 251) as u8; 20_000];
            cache.store().expect("it has a file").save_state("learnt", state);
        }
        if out.write_all(said.as_bytes()).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// What a child took out before it was killed.
#[derive(Default)]
struct Removed {
    /// The tenant, and the place of the last write before.
    purges: Vec<(String, usize)>,
    /// Ids.
    refuted: Vec<String>,
}

/// Lets a child write until it has said `lines` lines, and kills it.
fn kill_after(lines: usize, run: usize, folder: &Path) -> Removed {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "persistence::writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env("SEMGATE_TEST_RUN", run.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let said = BufReader::new(child.stdout.take().expect("piped")).lines();
    let said = said.map_while(Result::ok);
    let is_ours =
        |line: &String| ["wrote ", "purged ", "refuted "].iter().any(|word| line.starts_with(word));
    let mut removed = Removed::default();
    for line in said.filter(is_ours).take(lines) {
        if let Some((tenant, place)) =
            line.strip_prefix("purged ").and_then(|it| it.split_once(' '))
        {
            removed.purges.push((tenant.to_owned(), place.parse().expect("a place")));
        }
        removed.refuted.extend(line.strip_prefix("refuted ").map(str::to_owned));
    }
    child.kill().expect("killed");
    child.wait().expect("an end");
    removed
}

/// Everything in the file is right, and nothing of it was purged.
fn check(folder: &Path, run: usize, removed: &Removed) -> usize {
    let reader = Reader::open(&folder.join(FILE), Some(EMBEDDER)).expect("a file of ours");
    let (mut from, mut found) = (None, 0);
    loop {
        let batch = reader.batch(from, 100, Now::read()).expect("readable to its end");
        assert!(batch.rejected.is_empty() && batch.vectors.is_empty(), "{batch:?}");
        for entry in &batch.entries {
            assert_eq!(entry.answer, answer(&entry.prompt));
            assert_eq!(entry.key, CacheKey(hash(&entry.prompt)));
            assert!(entry.vector.is_some());
            let (made, place) = entry.id.split_once('-').expect("run and place");
            let (made, place): (usize, usize) =
                (made.parse().expect("a run"), place.parse().expect("a place"));
            assert!(!removed.refuted.contains(&entry.id), "{entry:?} came back");
            for (tenant, at) in &removed.purges {
                let is_purged = **tenant == *entry.tenant && (made < run || place <= *at);
                assert!(!is_purged, "{entry:?} came back");
            }
        }
        found += batch.entries.len();
        from = batch.next;
        if from.is_none() {
            break;
        }
    }
    for (name, bytes) in reader.states().expect("readable") {
        assert_eq!(name, "learnt");
        assert!(bytes.len() == 20_000 && bytes.iter().all(|byte| *byte == bytes[0]));
    }
    found
}

#[test]
fn killed_at_any_moment_nothing_wrong_comes_back() {
    let kills = environment(KILLS).map_or(10, |kills| kills.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let (mut found, mut refuted) = (0, 0);
    for run in 0..kills {
        let chance = hash(&format!("kill {run}"));
        let lines = 1 + usize::from(u16::from_le_bytes([chance[0], chance[1]])) % 900;
        let removed = kill_after(lines, run, folder.path());
        found += check(folder.path(), run, &removed);
        refuted += removed.refuted.len();
    }
    assert!(refuted > kills, "callers have complained");
    assert!(found > kills, "entries do outlive a kill");
    let offline = Offline::open(folder.path()).expect("free").expect("there");
    assert!(offline.stats().expect("readable").entries > 0);
}
