//! The built binary in an empty home, and a gateway as a process of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::Answer;

pub const CONFIG: &str = "
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
pub struct Home(TempDir);

impl Home {
    pub fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    /// A home with the standard configuration as `semgate.yaml`.
    pub fn configured() -> Self {
        let home = Self::new();
        home.write("semgate.yaml", CONFIG);
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_semgate"));
        command.args(args).env_clear().current_dir(self.0.path());
        command.env("HOME", self.0.path()).env("XDG_STATE_HOME", self.path("state"));
        // What `check --print` writes in the place of the key.
        command.env("UP_API_KEY", "sk-upstream-secret");
        command.stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        Ended::of(args, self.command(args).output().expect("the binary runs"))
    }

    /// With that upstream in the environment.
    pub fn run_against(&self, upstream: &str, args: &[&str]) -> Ended {
        let output = self.command(args).env("UPSTREAM", upstream).output();
        Ended::of(args, output.expect("the binary runs"))
    }

    pub fn run_with_input(&self, args: &[&str], input: &str) -> Ended {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(input.as_bytes()).expect("taken");
        drop(stdin);
        Ended::of(args, child.wait_with_output().expect("an end"))
    }

    pub fn serve(&self, upstream: &str) -> Running {
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
pub struct Ended {
    args: String,
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn of(args: &[&str], output: Output) -> Self {
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
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}: {}{}", self.args, self.out, self.err);
        assert!(code == 0 || !self.err.trim().is_empty(), "{}: no reason given", self.args);
        self
    }

    pub fn says(self, why: &str) -> Self {
        assert!(self.err.contains(why), "{}: {why:?} is not in {:?}", self.args, self.err);
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON: {}", self.out))
    }
}

/// A gateway in a process of its own, killed when a test fails.
pub struct Running {
    child: Child,
    pub data: String,
    pub admin: String,
}

impl Running {
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Reads stderr until a line has `text`.
    pub fn wait_for(&mut self, text: &str) -> String {
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

    pub fn ends(mut self, code: i32) {
        assert_eq!(self.child.wait().expect("an end").code(), Some(code));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Without idle connections, nothing of ours keeps a gateway from ending.
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
    client.build().expect("a client")
}

pub async fn get(url: String) -> Answer {
    Answer::of(client().get(url).send().await.expect("an answer")).await
}

pub async fn post(running: &Running, body: &Value, key: &str) -> Answer {
    let request = client().post(format!("{}/v1/chat/completions", running.data));
    let request = request.header("content-type", "application/json").bearer_auth(key);
    Answer::of(request.body(body.to_string()).send().await.expect("an answer")).await
}
