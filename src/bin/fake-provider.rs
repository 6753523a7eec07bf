//! A scripted upstream that speaks the OpenAI chat dialect: for the demo, the tests, the benchmarks.
//!
//! It answers known paraphrases alike and near-misses differently, does what a model name asks of
//! it, and keeps a journal of what it received. Nothing is random: the same request gets the same
//! bytes. It leaves judging what arrived to whoever reads the journal.
//!
//! ```text
//! fake-provider --listen 127.0.0.1:8090
//! fake-provider ready http://127.0.0.1:8090/v1
//! ```
//!
//! `POST /v1/chat/completions`, `GET /v1/models[/ID]`, `GET /journal` (JSON lines, oldest first) and
//! `DELETE /journal` (which also restarts the count of calls, and tells how many requests had come).
//!
//! # Model names
//!
//! `fake-small`, `fake-mid` and `fake-frontier` differ in speed and in the length of their answers.
//! A label may follow (`fake-mid-east`), then any number of knobs, each after a `~`. Any other name
//! is 404 `model_not_found`, an unknown knob is 400.
//!
//! | knob | effect |
//! | --- | --- |
//! | `ttft=MS`, `rate=N` | time to the first token; tokens per second afterwards (0: at once) |
//! | `tokens=N` | exactly N tokens of answer |
//! | `reasoning=N` | N tokens of `reasoning_content` before the answer |
//! | `cached=N` | N prompt tokens reported as cached |
//! | `no-usage` | no usage at all, asked for or not |
//! | `filter`, `refusal` | finish reason `content_filter`; a refusal instead of content |
//! | `comments=MS` | streams: the head at once, then a comment every MS until the first token, and while stalled |
//! | `bytes=N`, `crlf` | bodies written N bytes at a time; stream lines end in CRLF |
//!
//! Faults, one of them at a time:
//!
//! | knob | fault |
//! | --- | --- |
//! | `status=N`, `retry-after=S` | an OpenAI error of that status (429: `rate_limit_exceeded`) |
//! | `auth`, `quota`, `context` | 401 `invalid_api_key`; 429 `insufficient_quota`; 400 `context_length_exceeded` |
//! | `html`, `empty`, `garbage` | a proxy's HTML page (502, or `status`); 200 without a body; 200 with broken JSON |
//! | `drop`, `rst`, `hang` | closes, or resets, without an answer; never answers |
//! | `cut=N`, `eof=N` | after N content chunks the connection breaks; the body ends cleanly without a finish |
//! | `no-done` | a stream that lacks only `[DONE]` |
//! | `error-first`, `error-after=N` | an error event, at once or after N content chunks |
//! | `stall=N` | after N content chunks nothing more comes |
//! | `fail=N`, `from=K` | only N calls are at fault; only from the K-th call on (1 is the first) |
//!
//! A whole answer has no chunks: there `cut`, `eof` and `stall` act in the middle of the body, the
//! error events are a 500, and `no-done` has no effect.

#[path = "fake_provider/mod.rs"]
mod fake_provider;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use fake_provider::{Options, serve};
use tokio::net::TcpListener;

/// A scripted upstream that speaks the OpenAI chat dialect.
#[derive(Debug, Parser)]
#[command(after_help = "Example: fake-provider --listen 127.0.0.1:8090")]
struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// A key that callers must present; may be repeated. Without one, any caller is served.
    #[arg(long = "key")]
    keys: Vec<String>,
    /// Models answer at once; only the knobs `ttft` and `rate` make them wait.
    #[arg(long)]
    instant: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start a runtime: {error}")),
    };
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> ExitCode {
    let bound = TcpListener::bind(arguments.listen).await;
    let ready = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = match ready {
        Ok(ready) => ready,
        Err(error) => return fail(&format!("cannot listen on {}: {error}", arguments.listen)),
    };
    let mut out = std::io::stdout();
    // A closed stdout is no reason to stop: nobody waits for the line then.
    let _ = writeln!(out, "fake-provider ready http://{address}/v1").and_then(|()| out.flush());
    tokio::select! {
        () = serve(listener, Options { keys: arguments.keys, instant: arguments.instant }) => {}
        _ = tokio::signal::ctrl_c() => {}
        () = terminated() => {}
    }
    ExitCode::SUCCESS
}

/// Resolves on SIGTERM.
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

fn fail(what: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "fake-provider: {what}");
    ExitCode::FAILURE
}
