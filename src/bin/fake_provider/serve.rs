//! The edge: accepts connections, routes requests, performs scripts, and notices when a client
//! leaves. What to send was decided before the first byte goes out.

use std::sync::Arc;
use std::time::Duration;

use semgate::now::Now;
use serde_json::{Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, sleep_until};

use super::answer;
use super::behaviour::{BASES, BadName, Behaviour};
use super::contract::{ApiError, ChatRequest};
use super::http::{Incoming, ReadError, Request};
use super::journal::{Journal, Outcome, Received};
use super::knowledge::Knowledge;
use super::script::{self, Act, Script};

/// How a fake provider is run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Keys that callers must present; none: any caller is served.
    pub keys: Vec<String>,
    /// Models have no latency of their own.
    pub instant: bool,
}

#[derive(Debug)]
struct Provider {
    options: Options,
    knowledge: Knowledge,
    journal: Journal,
}

/// Serves until dropped. Each connection is a task of its own, which ends with its connection.
pub async fn serve(listener: TcpListener, options: Options) {
    let knowledge = Knowledge::shipped();
    let provider = Arc::new(Provider { options, knowledge, journal: Journal::default() });
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(converse(provider.clone(), stream));
            }
            // Out of file descriptors, most likely: wait for some to come back.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Answers the requests of one connection, one after the other.
async fn converse(provider: Arc<Provider>, stream: TcpStream) {
    // Events must leave as they are written; without the option they only leave later.
    let _ = stream.set_nodelay(true);
    let (read, mut write) = stream.into_split();
    let mut incoming = Incoming::new(read);
    loop {
        let request = match receive(&mut incoming, &mut write).await {
            Ok(Some(request)) => request,
            Ok(None) | Err(ReadError::Broken) => return,
            Err(ReadError::Refused(status)) => {
                let error =
                    ApiError::invalid("Not a request that can be read.").with_status(status);
                let start = Instant::now();
                perform(&Script::error(&error), start, &mut incoming, &mut write).await;
                return;
            }
        };
        let start = Instant::now();
        let keep_alive = request.keep_alive;
        let (script, entry) = provider.respond(request);
        let outcome = perform(&script, start, &mut incoming, &mut write).await;
        if let Some(entry) = entry {
            provider.journal.close(entry, outcome, start.elapsed());
        }
        let resets = script.steps.last().is_some_and(|step| step.act == Act::Reset);
        if outcome == Outcome::Broken && resets {
            // A linger of zero turns closing into a reset, unless a half says goodbye before.
            let _ = incoming.inner().as_ref().set_zero_linger();
            write.forget();
            return;
        }
        if outcome != Outcome::Complete || !keep_alive {
            return;
        }
    }
}

async fn receive<W: AsyncWrite + Unpin>(
    incoming: &mut Incoming<OwnedReadHalf>,
    write: &mut W,
) -> Result<Option<Request>, ReadError> {
    let Some(mut request) = incoming.head().await? else { return Ok(None) };
    if request
        .header("expect")
        .is_some_and(|expected| expected.eq_ignore_ascii_case("100-continue"))
    {
        write.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    request.body = incoming.body(&request).await?;
    Ok(Some(request))
}

/// Performs a script. Between any two bytes, the client may leave.
async fn perform<W: AsyncWrite + Unpin>(
    script: &Script,
    start: Instant,
    incoming: &mut Incoming<OwnedReadHalf>,
    write: &mut W,
) -> Outcome {
    for step in &script.steps {
        let act = async {
            if step.at > Duration::ZERO {
                sleep_until(start + step.at).await;
            }
            match &step.act {
                Act::Write(bytes) => match write.write_all(bytes).await {
                    Ok(()) => None,
                    Err(_) => Some(Outcome::ClientLeft),
                },
                Act::Silence(None) => std::future::pending().await,
                Act::Silence(Some((every, bytes))) => loop {
                    sleep(*every).await;
                    if write.write_all(bytes).await.is_err() {
                        return Some(Outcome::ClientLeft);
                    }
                },
                Act::Close | Act::Reset => Some(Outcome::Broken),
            }
        };
        let ended = tokio::select! {
            biased;
            ended = act => ended,
            () = incoming.left() => Some(Outcome::ClientLeft),
        };
        if let Some(outcome) = ended {
            return outcome;
        }
    }
    Outcome::Complete
}

impl Provider {
    /// Decides what to send, and opens the journal's entry unless the request is about the journal.
    fn respond(&self, request: Request) -> (Script, Option<u64>) {
        match (&*request.method, &*request.path) {
            ("GET", "/journal") => {
                let lines = self.journal.lines().into_bytes();
                return (Script::whole(200, "application/x-ndjson", lines), None);
            }
            ("DELETE", "/journal") => {
                let received = self.journal.clear();
                return (Script::json(200, &json!({"cleared": true, "received": received})), None);
            }
            _ => {}
        }
        let received = Received {
            method: request.method.clone(),
            path: request.path.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
        };
        let entry = self.journal.open(received, Now::read());
        let script = self.route(&request, entry).unwrap_or_else(|error| Script::error(&error));
        self.journal.amend(entry, |entry| {
            entry.status = (script.status > 0).then_some(script.status);
        });
        (script, Some(entry))
    }

    fn route(&self, request: &Request, entry: u64) -> Result<Script, ApiError> {
        self.authenticate(request)?;
        let method = |expected: &str| {
            if request.method == expected {
                return Ok(());
            }
            let message = format!("Not allowed to {} on {}.", request.method, request.path);
            Err(ApiError::invalid(message).with_status(405).with_code("method_not_allowed"))
        };
        match &*request.path {
            "/v1/chat/completions" => {
                method("POST")?;
                self.chat(&request.body, entry)
            }
            "/v1/models" => {
                method("GET")?;
                let models: Vec<Value> = BASES.iter().map(|id| model(id)).collect();
                Ok(Script::json(200, &json!({"object": "list", "data": models})))
            }
            path => match path.strip_prefix("/v1/models/") {
                Some(id) => {
                    method("GET")?;
                    self.behaviour(id)?;
                    Ok(Script::json(200, &model(id)))
                }
                None => Err(ApiError::invalid(format!("Unknown request URL: {path}."))
                    .with_status(404)
                    .with_code("unknown_url")),
            },
        }
    }

    fn authenticate(&self, request: &Request) -> Result<(), ApiError> {
        if self.options.keys.is_empty() {
            return Ok(());
        }
        let presented =
            request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        match presented {
            Some(key) if self.options.keys.iter().any(|known| known == key) => Ok(()),
            _ => Err(ApiError::bad_key()),
        }
    }

    fn chat(&self, body: &[u8], entry: u64) -> Result<Script, ApiError> {
        let request = ChatRequest::parse(body)?;
        let behaviour = self.behaviour(&request.model)?;
        let call = self.journal.count(&behaviour.model);
        let fault = behaviour.fault_at(call).map(|fault| format!("{fault:?}"));
        self.journal.amend(entry, |entry| {
            entry.model = Some(behaviour.model.clone());
            entry.call = Some(call);
            entry.fault = fault;
        });
        let reply = answer::reply(&request, &behaviour, &self.knowledge);
        Ok(script::chat(&request, &behaviour, &reply, call))
    }

    fn behaviour(&self, name: &str) -> Result<Behaviour, ApiError> {
        Behaviour::parse(name, self.options.instant).map_err(|bad| match bad {
            BadName::Unknown => ApiError::unknown_model(name),
            BadName::Knob(knob) => ApiError::invalid(format!("Model name: {knob}.")).at("model"),
        })
    }
}

fn model(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "fake-provider"})
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn start(options: Options) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, options));
        address
    }

    fn chat(model: &str, headers: &str) -> String {
        let messages = json!([{"role": "user", "content": "How do I reset my password?"}]);
        let body = json!({"model": model, "messages": messages, "stream": true}).to_string();
        let path = "/v1/chat/completions";
        format!("POST {path} HTTP/1.1\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
    }

    /// What comes back until the provider closes, and whether it closed in an orderly way.
    async fn exchange(address: std::net::SocketAddr, request: &str) -> (String, bool) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let orderly = stream.read_to_end(&mut answer).await.is_ok();
        (String::from_utf8(answer).unwrap(), orderly)
    }

    async fn journal(address: std::net::SocketAddr) -> Vec<Value> {
        let (answer, _) = exchange(address, "GET /journal HTTP/1.0\r\n\r\n").await;
        let lines = answer.split_once("\r\n\r\n").unwrap().1.lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_connection_serves_several_requests() {
        let address = start(Options { instant: true, ..Options::default() }).await;
        let first = chat("fake-small", "");
        let second = chat("fake-mid~no-done", "connection: close\r\n");
        let (answer, orderly) = exchange(address, &format!("{first}{second}")).await;
        assert!(orderly);
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
        assert_eq!(answer.matches("data: [DONE]").count(), 1);
        let entries = journal(address).await;
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[1]["model"], "fake-mid~no-done");
        assert_eq!((&entries[1]["call"], &entries[1]["status"]), (&json!(1), &json!(200)));
        assert_eq!(entries[1]["body"]["messages"][0]["role"], "user");
        assert!(entries.iter().all(|entry| entry["outcome"] == "complete"));
    }

    #[tokio::test]
    async fn keys_are_checked_when_there_are_any() {
        let keys = vec!["sk-fake".to_owned()];
        let address = start(Options { keys, instant: true }).await;
        for (headers, status) in [
            ("authorization: Bearer sk-fake\r\n", 200),
            ("authorization: Bearer sk-other\r\n", 401),
            ("", 401),
        ] {
            let request = chat("fake-small", &format!("connection: close\r\n{headers}"));
            let (answer, _) = exchange(address, &request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{headers}: {answer}");
        }
    }

    #[tokio::test]
    async fn the_journal_knows_when_a_client_left() {
        let address = start(Options { instant: true, ..Options::default() }).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(chat("fake-small~stall=2", "").as_bytes()).await.unwrap();
        stream.read_u8().await.unwrap();
        assert_eq!(journal(address).await[0]["outcome"], "pending");
        drop(stream);
        let left = async {
            while journal(address).await[0]["outcome"] == "pending" {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), left).await.unwrap();
        let entry = journal(address).await.remove(0);
        assert_eq!(
            (&entry["outcome"], &entry["fault"]),
            (&json!("client_left"), &json!("Stall(2)"))
        );
        assert!(entry["client_left_ms"].is_number());
    }

    #[tokio::test]
    async fn connections_break_as_scripted() {
        let address = start(Options { instant: true, ..Options::default() }).await;
        let (cut, orderly) = exchange(address, &chat("fake-small~cut=2", "")).await;
        assert!(orderly && !cut.ends_with("0\r\n\r\n"), "{cut}");
        assert_eq!(exchange(address, &chat("fake-small~drop", "")).await, (String::new(), true));
        assert_eq!(exchange(address, &chat("fake-small~rst", "")).await, (String::new(), false));
        let (refused, _) = exchange(address, "nonsense\r\n\r\n").await;
        assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
    }

    #[tokio::test]
    async fn paths_and_names_are_checked() {
        let address = start(Options::default()).await;
        for (line, status, word) in [
            ("GET /v1/models", 200, "fake-frontier"),
            ("GET /v1/models/fake-mid~ttft=5", 200, "fake-mid~ttft=5"),
            ("GET /v1/models/gpt-4o", 404, "model_not_found"),
            ("GET /v1/models/fake-mid~fly", 400, "no such knob"),
            ("POST /v1/models", 405, "method_not_allowed"),
            ("GET /chat/completions", 404, "unknown_url"),
        ] {
            let (answer, _) = exchange(address, &format!("{line} HTTP/1.0\r\n\r\n")).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {answer}");
            assert!(answer.contains(word), "{line}: {answer}");
        }
    }
}
