//! The load generator of scripts/bench-overhead.sh: prepared requests over keep-alive HTTP/1.1 on
//! plain TCP, every answer checked, one line of JSON at the end. It knows no gateway; who is asked,
//! how often and what a right answer looks like stands in its arguments. It measures wall clock only:
//! the CPU time of the process asked is read by whoever starts this.
//! Built with `cargo build --release --bench load`; `cargo bench` without arguments only says so.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// A request that takes longer is a fault.
const PATIENCE: Duration = Duration::from_secs(120);
/// Faults printed; the rest are counted.
const SHOWN: usize = 5;

/// Sends prepared chat requests and checks the answers.
#[derive(Debug, Clone, Parser)]
struct Arguments {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long, default_value = "/v1/chat/completions")]
    path: String,
    /// A header line for every request; may be repeated.
    #[arg(long = "header")]
    headers: Vec<String>,
    /// One JSON body a line; used in turn, from the first again after the last.
    #[arg(long)]
    bodies: PathBuf,
    #[arg(long)]
    requests: usize,
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Answers are event streams.
    #[arg(long)]
    stream: bool,
    /// What usage must say.
    #[arg(long)]
    completion_tokens: u64,
    /// Least length of an answer's body in bytes.
    #[arg(long, default_value_t = 1)]
    min_body: usize,
    /// Greatest length of an answer's body in bytes.
    #[arg(long, default_value_t = usize::MAX)]
    max_body: usize,
    /// Least number of events, `[DONE]` not counted.
    #[arg(long, default_value_t = 0)]
    min_events: usize,
    /// Greatest number of events.
    #[arg(long, default_value_t = usize::MAX)]
    max_events: usize,
    /// What the head of each answer must contain.
    #[arg(long)]
    expect: Option<String>,
    /// Opens all streams up to their first event, prints `open`, and ends when stdin does.
    #[arg(long)]
    hold: bool,
}

/// What one request measured.
#[derive(Debug)]
struct Sample {
    total: Duration,
    first: Duration,
    /// Milliseconds of embedding that the gateway reports.
    embed: Option<f64>,
}

type Outcome = Result<Sample, String>;

fn main() -> ExitCode {
    // `cargo bench` starts every bench; without a target there is nothing to load.
    if std::env::args_os().skip(1).all(|argument| argument == "--bench") {
        say("load: run by scripts/bench-overhead.sh");
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(run(arguments)))
    {
        Ok(clean) if clean => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str) {
    // A closed stdout means that nobody waits for the line.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Whether all answers were right.
async fn run(arguments: Arguments) -> Result<bool, String> {
    let requests = Arc::new(prepare(&arguments)?);
    let arguments = Arc::new(arguments);
    let next = Arc::new(AtomicUsize::new(0));
    let (send, mut receive) = mpsc::unbounded_channel();
    let begin = Instant::now();
    for _ in 0..arguments.connections {
        let (arguments, requests) = (arguments.clone(), requests.clone());
        tokio::spawn(converse(arguments, requests, next.clone(), send.clone()));
    }
    drop(send);
    let (mut samples, mut faults) = (Vec::new(), Vec::new());
    while let Some(outcome) = receive.recv().await {
        match outcome {
            Ok(sample) => samples.push(sample),
            Err(fault) => faults.push(fault),
        }
        if arguments.hold && samples.len() + faults.len() == arguments.connections {
            break;
        }
    }
    let wall = begin.elapsed();
    say(&report(&samples, &faults, wall));
    if arguments.hold {
        say("open");
        let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        let _ = ended.await;
    }
    Ok(faults.is_empty())
}

/// Every request, ready to be written.
fn prepare(arguments: &Arguments) -> Result<Vec<Vec<u8>>, String> {
    let bodies = std::fs::read_to_string(&arguments.bodies)
        .map_err(|error| format!("{}: {error}", arguments.bodies.display()))?;
    let mut head = format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n",
        arguments.path, arguments.address
    );
    for header in &arguments.headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    let requests: Vec<Vec<u8>> = bodies
        .lines()
        .map(|body| format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes())
        .collect();
    if requests.is_empty() { Err("no bodies".into()) } else { Ok(requests) }
}

/// One connection: requests one after the other until all were sent.
async fn converse(
    arguments: Arc<Arguments>,
    requests: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
    outcomes: mpsc::UnboundedSender<Outcome>,
) {
    let mut connection = None;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= arguments.requests {
            return;
        }
        let request = &requests[number % requests.len()];
        let outcome = timeout(PATIENCE, exchange(&arguments, &mut connection, request)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")));
        if outcome.is_err() {
            connection = None;
        }
        let _ = outcomes.send(outcome);
        if arguments.hold {
            std::future::pending::<()>().await;
        }
    }
}

async fn exchange(
    arguments: &Arguments,
    connection: &mut Option<Connection>,
    request: &[u8],
) -> Outcome {
    if connection.is_none() {
        *connection = Some(Connection::open(arguments.address).await?);
    }
    let connection = connection.as_mut().expect("opened above");
    let begin = Instant::now();
    connection.stream.write_all(request).await.map_err(|error| format!("write: {error}"))?;
    let head = connection.head().await?;
    let mut first = begin.elapsed();
    if !head.starts_with("HTTP/1.1 200") {
        let status = head.lines().next().unwrap_or_default().to_owned();
        let body = connection.body(&head, None).await.unwrap_or_default();
        let body = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
        return Err(format!("{status}: {body}"));
    }
    if arguments.hold {
        // The first event may have come with the head; nothing may follow it.
        if connection.buffer.is_empty() {
            connection.fill().await?;
        }
        first = begin.elapsed();
        return Ok(Sample { total: first, first, embed: None });
    }
    let mut at = None;
    let body = connection.body(&head, Some(&mut at)).await?;
    let total = begin.elapsed();
    if let (true, Some(at)) = (arguments.stream, at) {
        first = at - begin;
    }
    check(arguments, &head, &body)?;
    Ok(Sample { total, first, embed: embedding(&head) })
}

/// Whether an answer is what was asked for.
fn check(arguments: &Arguments, head: &str, body: &[u8]) -> Result<(), String> {
    if let Some(expected) = &arguments.expect
        && !head.contains(expected.as_str())
    {
        return Err(format!("the head lacks `{expected}`: {head}"));
    }
    if !(arguments.min_body..=arguments.max_body).contains(&body.len()) {
        return Err(format!("a body of {} bytes", body.len()));
    }
    let tokens = number_after(body, b"\"completion_tokens\":");
    if tokens != Some(arguments.completion_tokens) {
        return Err(format!("completion_tokens: {tokens:?}"));
    }
    if !arguments.stream {
        return Ok(());
    }
    let mut events = 0;
    let mut done = false;
    for line in body.split(|byte| *byte == b'\n') {
        let Some(data) = line.strip_prefix(b"data:") else { continue };
        if done {
            return Err("an event after [DONE]".into());
        }
        match data.trim_ascii() {
            b"[DONE]" => done = true,
            _ => events += 1,
        }
    }
    if !done {
        return Err("no [DONE]".into());
    }
    if !(arguments.min_events..=arguments.max_events).contains(&events) {
        return Err(format!("{events} events"));
    }
    Ok(())
}

/// The last whole number that follows a marker; a stream may carry zeroes before.
fn number_after(body: &[u8], marker: &[u8]) -> Option<u64> {
    let at = body.windows(marker.len()).rposition(|window| window == marker)?;
    let digits = body[at + marker.len()..].trim_ascii_start();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

/// `embed` of a `Server-Timing` header, in milliseconds.
fn embedding(head: &str) -> Option<f64> {
    let (_, rest) = head.split_once("embed;dur=")?;
    let end = rest.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// A connection with what was read ahead.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|error| format!("connect {address}: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    async fn fill(&mut self) -> Result<(), String> {
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err("the connection was closed".into()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("read: {error}")),
        }
    }

    /// The head without its empty line; names in lower case so that all servers read alike.
    async fn head(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                let head = String::from_utf8_lossy(&head[..end]).into_owned();
                let lines = head.split("\r\n").map(|line| match line.split_once(':') {
                    Some((name, value)) => format!("{}:{value}", name.to_ascii_lowercase()),
                    None => line.to_owned(),
                });
                return Ok(lines.collect::<Vec<_>>().join("\n"));
            }
            self.fill().await?;
        }
    }

    /// The body, by length or in chunks; `first` learns when its first bytes came.
    async fn body(
        &mut self,
        head: &str,
        mut first: Option<&mut Option<Instant>>,
    ) -> Result<Vec<u8>, String> {
        let mut came = |buffered: usize| {
            if let Some(first) = first.as_mut()
                && first.is_none()
                && buffered > 0
            {
                **first = Some(Instant::now());
            }
        };
        came(self.buffer.len());
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        if let Some(length) = length {
            let length: usize = length.trim().parse().map_err(|_| "a bad content-length")?;
            while self.buffer.len() < length {
                self.fill().await?;
                came(self.buffer.len());
            }
            return Ok(self.buffer.drain(..length).collect());
        }
        let mut body = Vec::new();
        let mut at = 0;
        loop {
            let size_end = loop {
                match find(&self.buffer[at..], b"\r\n") {
                    Some(end) => break at + end,
                    None => self.fill().await?,
                }
                came(self.buffer.len());
            };
            let size = std::str::from_utf8(&self.buffer[at..size_end]).ok();
            let size = size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
            let size = size.ok_or("neither a length nor chunks")?;
            let (from, to) = (size_end + 2, size_end + 2 + size);
            while self.buffer.len() < to + 2 {
                self.fill().await?;
            }
            body.extend_from_slice(&self.buffer[from..to]);
            at = to + 2;
            if size == 0 {
                self.buffer.drain(..at);
                return Ok(body);
            }
            // Moving the rest for every chunk would be quadratic in what one read brought.
            if at == self.buffer.len() {
                self.buffer.clear();
                at = 0;
            }
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn report(samples: &[Sample], faults: &[String], wall: Duration) -> String {
    let sorted = |value: fn(&Sample) -> Option<f64>| {
        let mut all: Vec<f64> = samples.iter().filter_map(value).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let totals = sorted(|sample| Some(sample.total.as_secs_f64() * 1e3));
    let firsts = sorted(|sample| Some(sample.first.as_secs_f64() * 1e3));
    let embeds = sorted(|sample| sample.embed);
    let rests = sorted(|sample| Some(sample.total.as_secs_f64() * 1e3 - sample.embed?));
    json!({
        "answers": samples.len(),
        "faults": faults.len(),
        "first_faults": &faults[..faults.len().min(SHOWN)],
        "wall_s": wall.as_secs_f64(),
        "p50_ms": quantile(&totals, 0.50), "p90_ms": quantile(&totals, 0.90),
        "p99_ms": quantile(&totals, 0.99), "max_ms": totals.last(),
        "first_p50_ms": quantile(&firsts, 0.50), "first_p99_ms": quantile(&firsts, 0.99),
        "embed_p50_ms": quantile(&embeds, 0.50), "without_embed_p50_ms": quantile(&rests, 0.50),
    })
    .to_string()
}

/// Nearest rank.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}
