//! An upstream that answers from a script, and what it has to say.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

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

    pub fn unused(&self) -> usize {
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
