//! A gateway on a free port and an upstream that answers from a script.
//!
//! [`TestGateway::finish`] ends each test: one record per request, no request of the script left
//! over, nothing unexpected asked of the upstream.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use semgate::cache::Cache;
use semgate::config::{self, Env};
use semgate::embed::{Embedder, files};
use semgate::gateway::{Call, Gateway};
use semgate::http::body::RequestBody;
use semgate::http::server::Plane;
use semgate::http::{admin, data};
use semgate::now::Now;
use semgate::record::Recorder;
use semgate::route::Heads;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

pub const ADMIN_TOKEN: &str = "sga-0123456789abcdef0123456789abcdef";

/// What the upstream does with one request.
#[derive(Debug, Clone)]
pub enum Act {
    /// A whole response with status, extra headers and body.
    Reply { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// Events, each written apart; then the end as told.
    Stream { events: Vec<String>, end: End },
    /// Events, a wait for the gate, further events; then the end as told.
    Pause { events: Vec<String>, gate: Gate, rest: Vec<String>, end: End },
    /// Waits for the gate, then does as told.
    After(Gate, Box<Act>),
    /// These bytes as they are, head included; then the connection closes.
    Raw(Vec<u8>),
    /// Closes the connection without a word.
    Hang,
    /// Says nothing until the client leaves; the wait is noted.
    Silence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The body ends properly.
    Proper,
    /// The connection breaks.
    Break,
    /// Nothing more comes until the client leaves.
    Stall,
}

/// Shut until opened, once for all who wait.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    pub fn shut() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    pub fn open(&self) {
        self.0.close();
    }

    async fn pass(&self) {
        assert!(self.0.acquire().await.is_err(), "no permit is ever given");
    }
}

/// A request as the upstream saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the upstream received JSON")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug, Default)]
struct Script {
    acts: VecDeque<Act>,
    seen: Vec<Seen>,
    left_early: usize,
}

/// An upstream that answers in the order of its script, whoever asks.
#[derive(Debug, Clone)]
pub struct Upstream {
    script: Arc<Mutex<Script>>,
    pub url: String,
}

impl Upstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/v1", listener.local_addr().expect("bound"));
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = script.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { script, url }
    }

    pub fn then(&self, act: Act) -> &Self {
        self.script.lock().expect("unpoisoned").acts.push_back(act);
        self
    }

    /// A completion with this text.
    pub fn says(&self, text: &str) -> &Self {
        self.then(Act::Reply { status: 200, headers: vec![], body: completion(text).to_string() })
    }

    pub fn fails(&self, status: u16) -> &Self {
        let body =
            json!({"error": {"message": "scripted", "type": "x", "param": null, "code": null}});
        self.then(Act::Reply { status, headers: vec![], body: body.to_string() })
    }

    pub fn streams(&self, pieces: &[&str]) -> &Self {
        self.then(Act::Stream { events: stream_of(pieces, true), end: End::Proper })
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.script.lock().expect("unpoisoned").seen.clone()
    }

    pub fn left_early(&self) -> usize {
        self.script.lock().expect("unpoisoned").left_early
    }

    fn unused(&self) -> usize {
        self.script.lock().expect("unpoisoned").acts.len()
    }
}

/// A completion as OpenAI sends it, with members that no gateway knows.
pub fn completion(text: &str) -> Value {
    json!({
        "id": "chatcmpl-up", "object": "chat.completion", "created": 1, "model": "up-model",
        "vendor_extra": {"kept": true},
        "choices": [{"index": 0, "finish_reason": "stop", "logprobs": null,
            "message": {"role": "assistant", "content": text, "reasoning_content": "hm"}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    })
}

/// The events of a stream: role, pieces, finish, and usage if asked, then `[DONE]`.
pub fn stream_of(pieces: &[&str], done: bool) -> Vec<String> {
    let chunk = |delta: Value, finish: Value| {
        let chunk = json!({
            "id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1,
            "model": "up-model", "vendor_extra": 1, "usage": null,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        });
        format!("data: {chunk}\n\n")
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    events.extend(pieces.iter().map(|piece| chunk(json!({"content": piece}), Value::Null)));
    events.push(chunk(json!({}), json!("stop")));
    let usage = json!({
        "id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1, "model": "up-model",
        "choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    });
    events.push(format!("data: {usage}\n\n"));
    if done {
        events.push("data: [DONE]\n\n".into());
    }
    events
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>) {
    while let Some(seen) = read_request(&mut stream).await {
        let act = {
            let mut script = script.lock().expect("unpoisoned");
            script.seen.push(seen);
            script.acts.pop_front()
        };
        let act =
            act.unwrap_or(Act::Reply { status: 599, headers: vec![], body: "unscripted".into() });
        if !perform(&mut stream, act, &script).await {
            return;
        }
    }
}

/// True if the connection goes on.
async fn perform(stream: &mut TcpStream, act: Act, script: &Arc<Mutex<Script>>) -> bool {
    match act {
        Act::Reply { status, headers, body } => {
            let extra: String =
                headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let kind = if extra.to_lowercase().contains("content-type") {
                ""
            } else {
                "content-type: application/json\r\n"
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\n{kind}{extra}content-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(head.as_bytes()).await.is_ok()
        }
        Act::Stream { events, end } => {
            begin(stream).await
                && tell(stream, events, script).await
                && finish(stream, end, script).await
        }
        Act::Pause { events, gate, rest, end } => {
            if !begin(stream).await || !tell(stream, events, script).await {
                return false;
            }
            tokio::select! {
                () = gate.pass() => {}
                _ = wait_for_leave(stream, script) => return false,
            }
            tell(stream, rest, script).await && finish(stream, end, script).await
        }
        Act::After(gate, act) => {
            tokio::select! {
                () = gate.pass() => {}
                _ = wait_for_leave(stream, script) => return false,
            }
            Box::pin(perform(stream, *act, script)).await
        }
        Act::Raw(bytes) => {
            let _ = stream.write_all(&bytes).await;
            false
        }
        Act::Hang => false,
        Act::Silence => wait_for_leave(stream, script).await,
    }
}

async fn begin(stream: &mut TcpStream) -> bool {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                openai-processing-ms: 7\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.is_ok()
}

async fn tell(stream: &mut TcpStream, events: Vec<String>, script: &Arc<Mutex<Script>>) -> bool {
    for event in events {
        let frame = format!("{:x}\r\n{event}\r\n", event.len());
        if stream.write_all(frame.as_bytes()).await.is_err() {
            script.lock().expect("unpoisoned").left_early += 1;
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

async fn finish(stream: &mut TcpStream, end: End, script: &Arc<Mutex<Script>>) -> bool {
    match end {
        End::Proper => stream.write_all(b"0\r\n\r\n").await.is_ok(),
        End::Break => false,
        End::Stall => wait_for_leave(stream, script).await,
    }
}

async fn wait_for_leave(stream: &mut TcpStream, script: &Arc<Mutex<Script>>) -> bool {
    let mut byte = [0];
    let _ = stream.read(&mut byte).await;
    script.lock().expect("unpoisoned").left_early += 1;
    false
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
            _ => return None,
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).expect("an ASCII head");
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    let mut body = bytes[end + 4..].to_vec();
    let mut rest = vec![0; length - body.len().min(length)];
    stream.read_exact(&mut rest).await.ok()?;
    body.extend_from_slice(&rest);
    Some(Seen { path, headers, body: String::from_utf8(body).expect("UTF-8") })
}

/// A whole gateway on free ports.
pub struct TestGateway {
    pub gateway: Arc<Gateway>,
    pub upstream: Upstream,
    pub data: String,
    pub admin: String,
    pub client: reqwest::Client,
    cut: watch::Sender<bool>,
    sent: Mutex<usize>,
    embedded: Arc<AtomicUsize>,
}

/// Three tiers on one upstream; prices in dollars per million tokens.
pub const CONFIG: &str = "
embedder: {timeout: 5s}
providers:
  - {name: up, dialect: openai, base_url: \"${UPSTREAM}\", api_keys: [\"sk-upstream-secret\"], region: us}
models:
  - {name: mini, provider: up, id: up-mini, price: {input: 1, output: 2}, context: 4000, tools: true, vision: false, json_schema: true}
  - {name: medium, provider: up, id: up-medium, price: {input: 10, output: 20}, context: 100000}
  - {name: big, provider: up, id: up-big, price: {input: 100, output: 200}, vision: true, fallbacks: [medium]}
routing:
  tiers:
    - {name: small, models: [mini], min_adequacy: 0.0}
    - {name: mid, models: [medium], min_adequacy: 0.0}
    - {name: frontier, models: [big]}
";

impl TestGateway {
    pub async fn start() -> Self {
        Self::with("").await
    }

    /// The standard configuration with `more` YAML after it.
    pub async fn with(more: &str) -> Self {
        Self::of(&format!("{CONFIG}{more}")).await
    }

    pub async fn of(yaml: &str) -> Self {
        Self::build(yaml, None, Upstream::start().await).await
    }

    /// The standard configuration, with answers kept in that folder.
    pub async fn keeping(folder: &Path, upstream: &Upstream) -> Self {
        Self::build(CONFIG, Some(folder), upstream.clone()).await
    }

    async fn build(yaml: &str, folder: Option<&Path>, upstream: Upstream) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let env = Env::of([("UPSTREAM", upstream.url.as_str())]);
        let loaded = config::load_text("test.yaml", yaml, &env, &[]);
        let settings = loaded.unwrap_or_else(|faults| panic!("{faults}")).settings;
        let embedded = Arc::new(AtomicUsize::new(0));
        let embedder = settings.embedder.as_ref().map(|wanted| {
            let embedded = embedded.clone();
            Embedder::from_fn(wanted, move |texts: &[&str]| {
                embedded.fetch_add(texts.len(), Ordering::Relaxed);
                texts.iter().map(|t| bag_of_words(t)).collect()
            })
        });
        let heads = embedder.as_ref().map(|_| {
            // Their words about these vectors mean nothing; the thresholds of CONFIG do not care.
            let fitted_on = files::model("all-MiniLM-L6-v2").expect("known").identity();
            Heads::shipped(&fitted_on).expect("the shipped heads are valid")
        });
        let recorder = Arc::new(Recorder::new(&settings).expect("records open"));
        let mut cache = Cache::synchronous(&settings.cache);
        if let Some(folder) = folder {
            let identity = embedder.as_ref().map(Embedder::identity);
            cache = cache.keep_in(folder, identity).expect("a thread");
        }
        let (cut, cutting) = watch::channel(false);
        let gateway = Gateway::new(settings, embedder, heads, cache, recorder, cutting)
            .expect("the gateway starts");
        let gateway = Arc::new(gateway);
        let data = listen(data::router(gateway.clone())).await;
        let admin = listen(admin::router(gateway.clone(), &ADMIN_TOKEN.into())).await;
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { gateway, upstream, data, admin, client, cut, sent: Mutex::new(0), embedded }
    }

    /// Sends a chat request with extra headers.
    pub async fn send(&self, body: &Value, headers: &[(&str, &str)]) -> Answer {
        self.send_raw(body.to_string(), headers).await
    }

    pub async fn send_raw(&self, body: String, headers: &[(&str, &str)]) -> Answer {
        *self.sent.lock().expect("unpoisoned") += 1;
        let url = format!("{}/v1/chat/completions", self.data);
        let mut request = self.client.post(url).body(body);
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.send().await.expect("the gateway answers")).await
    }

    /// Begins a chat request without a socket of its own: for more callers than a process has
    /// files. The body of the response may still be coming.
    pub async fn begin(
        &self,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> axum::http::Response<Body> {
        *self.sent.lock().expect("unpoisoned") += 1;
        let mut request = axum::http::Request::post("/").header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_string())).expect("a request");
        let (headers, body) = RequestBody::split(request);
        self.gateway.chat(Call { headers, body, now: Now::read() }).await.0
    }

    /// As [`Self::begin`], read to the end.
    pub async fn send_inside(&self, body: &Value, headers: &[(&str, &str)]) -> Answer {
        Answer::of_body(self.begin(body, headers).await).await
    }

    /// Waits until this many requests follow another one.
    pub async fn until_following(&self, count: usize) {
        let wanted = format!("semgate_cache_followers {count}\n");
        for _ in 0..5000 {
            if self.gateway.metrics_text().contains(&wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("never {wanted}");
    }

    /// Texts that the embedder has been given.
    pub fn embedded(&self) -> usize {
        self.embedded.load(Ordering::Relaxed)
    }

    /// Counts a chat request that was sent by other means.
    pub fn count_one(&self) {
        *self.sent.lock().expect("unpoisoned") += 1;
    }

    /// Asks a prompt of a model.
    pub async fn ask(&self, model: &str, prompt: &str) -> Answer {
        self.send(&chat(model, prompt), &[]).await
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let base = if path.starts_with("/v1") { &self.data } else { &self.admin };
        let mut request = self.client.get(format!("{base}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.send().await.expect("the gateway answers")).await
    }

    /// An authorised request to the admin plane.
    pub async fn admin(&self, path: &str, body: Option<Value>) -> Answer {
        let url = format!("{}{path}", self.admin);
        let request = match body {
            Some(body) => self
                .client
                .post(url)
                .header("content-type", "application/json")
                .body(body.to_string()),
            None => self.client.get(url),
        };
        Answer::of(request.bearer_auth(ADMIN_TOKEN).send().await.expect("an answer")).await
    }

    /// The record of an answered request, once it is closed.
    pub async fn record(&self, answer: &Answer) -> Value {
        self.record_by_id(answer.header("x-request-id")).await
    }

    pub async fn record_by_id(&self, id: &str) -> Value {
        for _ in 0..1000 {
            if let Some(record) = self.gateway.recorder().ring.find(id) {
                return serde_json::to_value(&*record).expect("records serialise");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("no record of {id}");
    }

    /// Turns the switch that ends running streams.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Ends a test: every request left exactly one record, the script is used up.
    pub async fn finish(self) {
        let sent = *self.sent.lock().expect("unpoisoned");
        for _ in 0..1000 {
            if self.gateway.recorder().ring.recent(usize::MAX).len() == sent {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let records = self.gateway.recorder().ring.recent(usize::MAX);
        assert_eq!(records.len(), sent, "one record per request");
        assert_eq!(self.upstream.unused(), 0, "every scripted act is used");
        let text = serde_json::to_string(&records).expect("records serialise");
        assert!(!text.contains("sk-upstream-secret"), "no secret in a record");
    }
}

async fn listen(router: axum::Router) -> String {
    let plane = Plane::bind("127.0.0.1:0".parse().expect("an address"), router).await;
    let plane = plane.expect("a free port");
    let url = format!("http://{}", plane.address().expect("bound"));
    tokio::spawn(plane.serve(std::future::pending()));
    url
}

/// A response, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap_or_else(|error| format!("broken: {error}"));
        Self { status, headers, text }
    }

    pub async fn of_body(response: axum::http::Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let text = match axum::body::to_bytes(body, usize::MAX).await {
            Ok(bytes) => String::from_utf8(bytes.to_vec()).expect("UTF-8"),
            Err(error) => format!("broken: {error}"),
        };
        Self { status: head.status.as_u16(), headers: head.headers, text }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// The header's value, or the empty string.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("visible ASCII"))
    }

    pub fn content(&self) -> String {
        self.json()["choices"][0]["message"]["content"].as_str().expect("content").to_owned()
    }

    /// The `data:` payloads of a stream that are JSON.
    pub fn chunks(&self) -> Vec<Value> {
        self.text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter_map(|data| serde_json::from_str(data).ok())
            .collect()
    }

    /// The text of a stream.
    pub fn streamed(&self) -> String {
        let pieces = self.chunks();
        pieces.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect()
    }
}

pub fn chat(model: &str, prompt: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": prompt}]})
}

pub fn chat_stream(model: &str, prompt: &str) -> Value {
    let mut body = chat(model, prompt);
    body["stream"] = true.into();
    body
}

/// An embedder for tests: words hashed into a unit vector, so that texts that share words are near
/// each other. Enough to exercise the pipeline; what a real model does is tested with the real one.
fn bag_of_words(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0_f32; semgate::embed::DIMENSIONS];
    vector[0] = 0.01;
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty())
    {
        let hash =
            word.bytes().fold(7_u64, |h, b| h.wrapping_mul(1_099_511_628_211) ^ u64::from(b));
        vector[1 + (hash % 383) as usize] += 1.0;
    }
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / norm).collect()
}
