//! A provider on raw TCP that does what its script says and remembers what it was sent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

pub const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}"#;
pub const ROLE: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
pub const HELLO: &str =
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n";
pub const STOP: &str =
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
pub const DONE: &str = "data: [DONE]\n\n";
pub const ERROR: &str = "data: {\"error\":{\"message\":\"overloaded sk-good\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n";

/// What to do with one request.
#[derive(Debug, Clone)]
pub enum Act {
    /// Bytes on the wire as they are.
    Send(String),
    /// Nothing more; tells when the other side has closed.
    Stall,
    /// Goes on when the test says so.
    Wait(Arc<Notify>),
}

/// One whole answer.
pub fn reply(status: u16, headers: &str, body: &str) -> Vec<Act> {
    let length = body.len();
    vec![Act::Send(format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    ))]
}

/// Head of a stream that ends with the connection.
pub fn events(parts: &[&str]) -> Vec<Act> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    vec![Act::Send(format!("{head}{}", parts.concat()))]
}

/// The same, but the connection then stays open without a byte.
pub fn events_then_stall(parts: &[&str]) -> Vec<Act> {
    let mut acts = events(parts);
    acts.push(Act::Stall);
    acts
}

#[derive(Debug)]
pub struct Upstream {
    pub base_url: String,
    received: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    /// A message when a request came in, and when a stalled one's other side closed.
    arrived: mpsc::UnboundedReceiver<()>,
    closed: mpsc::UnboundedReceiver<()>,
}

impl Upstream {
    /// Plays one script per request, the last one again and again.
    pub async fn play(scripts: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let (arrival, arrived) = mpsc::unbounded_channel();
        let (closing, closed) = mpsc::unbounded_channel();
        let seen = received.clone();
        let connections = Arc::new(AtomicUsize::new(0));
        let accepted = connections.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                let (scripts, seen) = (scripts.clone(), seen.clone());
                let (arrival, closing) = (arrival.clone(), closing.clone());
                tokio::spawn(serve(socket, scripts, seen, arrival, closing));
            }
        });
        Self { base_url, received, connections, arrived, closed }
    }

    /// Requests received, head and body, in order.
    pub fn requests(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    pub fn calls(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub async fn arrived(&mut self) {
        self.arrived.recv().await.unwrap();
    }

    /// Waits until a stalled connection was closed by the other side.
    pub async fn saw_close(&mut self) {
        self.closed.recv().await.unwrap();
    }
}

async fn serve(
    mut socket: TcpStream,
    scripts: Vec<Vec<Act>>,
    seen: Arc<Mutex<Vec<String>>>,
    arrival: mpsc::UnboundedSender<()>,
    closing: mpsc::UnboundedSender<()>,
) {
    while let Some(request) = read_request(&mut socket).await {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            seen.len() - 1
        };
        let _ = arrival.send(());
        let mut last = false;
        for act in &scripts[number.min(scripts.len() - 1)] {
            match act {
                Act::Send(text) => {
                    last |= text.contains("connection: close");
                    if socket.write_all(text.as_bytes()).await.is_err() {
                        return;
                    }
                }
                Act::Wait(signal) => signal.notified().await,
                Act::Stall => {
                    let mut byte = [0];
                    while matches!(socket.read(&mut byte).await, Ok(1..)) {}
                    let _ = closing.send(());
                    return;
                }
            }
        }
        if last || scripts[number.min(scripts.len() - 1)].is_empty() {
            return;
        }
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.trim().parse::<usize>().unwrap());
            if bytes.len() >= head + 4 + length {
                return Some(String::from_utf8(bytes).unwrap());
            }
        }
        let mut chunk = [0; 4096];
        match socket.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
        }
    }
}
