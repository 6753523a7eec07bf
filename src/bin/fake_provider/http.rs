//! HTTP/1.1 over raw TCP: reads requests, frames what goes out. No HTTP library stands between us
//! and the bytes, because a scripted upstream must be able to send wrong ones.

use std::collections::BTreeMap;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes of a request's head, and of one chunk's size line. Beyond: 431 and the connection closes.
const HEAD_LIMIT: usize = 64 * 1024;
/// Bytes of a request's body. Beyond: 413 and the connection closes.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// A request as received.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Names in lower case; repeated ones joined by `, `.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// Whether the client will send another request on this connection.
    pub keep_alive: bool,
}

impl Request {
    /// A header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Why no request could be read.
#[derive(Debug)]
pub enum ReadError {
    /// The bytes are no acceptable request; answered with this status before closing.
    Refused(u16),
    /// The connection broke in the middle of a request.
    Broken,
}

impl From<io::Error> for ReadError {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

/// The client's half of a connection, with what was read ahead.
#[derive(Debug)]
pub struct Incoming<R> {
    read: R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    pub fn new(read: R) -> Self {
        Self { read, buffer: Vec::new() }
    }

    /// What is read from.
    pub fn inner(&self) -> &R {
        &self.read
    }

    /// The head of the next request; `None` when the client closed between two requests.
    pub async fn head(&mut self) -> Result<Option<Request>, ReadError> {
        let mut lines = Vec::new();
        let mut size = 0;
        loop {
            let Some(line) = self.line().await? else {
                return if lines.is_empty() { Ok(None) } else { Err(ReadError::Broken) };
            };
            size += line.len();
            if size > HEAD_LIMIT {
                return Err(ReadError::Refused(431));
            }
            match (line.is_empty(), lines.is_empty()) {
                // An empty line before a request is tolerated (RFC 9112, section 2.2).
                (true, true) => {}
                (true, false) => return head(&lines).map(Some).ok_or(ReadError::Refused(400)),
                (false, _) => lines.push(line),
            }
        }
    }

    /// The body that a head announces, by length or in chunks.
    pub async fn body(&mut self, head: &Request) -> Result<Vec<u8>, ReadError> {
        if let Some(coding) = head.header("transfer-encoding") {
            if !coding.eq_ignore_ascii_case("chunked") {
                return Err(ReadError::Refused(501));
            }
            return self.chunks().await;
        }
        let Some(length) = head.header("content-length") else { return Ok(Vec::new()) };
        let length = length.parse().map_err(|_| ReadError::Refused(400))?;
        if length > BODY_LIMIT {
            return Err(ReadError::Refused(413));
        }
        self.exactly(length).await
    }

    /// Resolves when the client closes its half. What it sends meanwhile is kept for the next
    /// request. A client that only half-closes counts as gone.
    pub async fn left(&mut self) {
        while self.buffer.len() <= BODY_LIMIT {
            if !matches!(self.fill().await, Ok(read) if read > 0) {
                return;
            }
        }
        std::future::pending().await
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, ReadError> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?.ok_or(ReadError::Broken)?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).map_err(|_| ReadError::Refused(400))?;
            if size == 0 {
                break;
            }
            if size > BODY_LIMIT - body.len() {
                return Err(ReadError::Refused(413));
            }
            body.extend(self.exactly(size).await?);
            if self.line().await?.as_deref() != Some("") {
                return Err(ReadError::Refused(400));
            }
        }
        // Trailers, which nobody reads.
        while !self.line().await?.ok_or(ReadError::Broken)?.is_empty() {}
        Ok(body)
    }

    /// The next line without its end; `None` at the end of the connection.
    async fn line(&mut self) -> Result<Option<String>, ReadError> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=searched + end).collect();
                let line = line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n"));
                let line = line.expect("the line was cut after its line feed").to_vec();
                return String::from_utf8(line).map(Some).map_err(|_| ReadError::Refused(400));
            }
            searched = self.buffer.len();
            if searched > HEAD_LIMIT {
                return Err(ReadError::Refused(431));
            }
            if self.fill().await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(ReadError::Broken) };
            }
        }
    }

    async fn exactly(&mut self, size: usize) -> Result<Vec<u8>, ReadError> {
        while self.buffer.len() < size {
            if self.fill().await? == 0 {
                return Err(ReadError::Broken);
            }
        }
        Ok(self.buffer.drain(..size).collect())
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.read.read_buf(&mut self.buffer).await
    }
}

fn head(lines: &[String]) -> Option<Request> {
    let mut words = lines[0].split(' ');
    let (method, path, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !version.starts_with("HTTP/1.") {
        return None;
    }
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for line in &lines[1..] {
        let (name, value) = line.split_once(':')?;
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        headers
            .entry(name)
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(value);
            })
            .or_insert_with(|| value.to_owned());
    }
    let asked = headers.get("connection").map(|value| value.to_ascii_lowercase());
    let keep_alive = match asked.as_deref() {
        Some("close") => false,
        Some("keep-alive") => true,
        _ => version != "HTTP/1.0",
    };
    let path = path.split('?').next().unwrap_or_default().to_owned();
    Some(Request { method: method.to_owned(), path, headers, body: Vec::new(), keep_alive })
}

/// The head of a response. A body without a length is sent in chunks.
pub fn response_head(status: u16, headers: &[(&str, &str)], length: Option<usize>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    match length {
        Some(length) => head.push_str(&format!("content-length: {length}\r\n\r\n")),
        None => head.push_str("transfer-encoding: chunked\r\n\r\n"),
    }
    head.into_bytes()
}

/// One chunk of a chunked body.
pub fn chunk(payload: &[u8]) -> Vec<u8> {
    let mut framed = format!("{:x}\r\n", payload.len()).into_bytes();
    framed.extend(payload);
    framed.extend(b"\r\n");
    framed
}

/// The end of a chunked body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        // The phrase may be empty (RFC 9112, section 4).
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Result<Option<Request>, ReadError> {
        let mut incoming = Incoming::new(bytes);
        let Some(mut request) = incoming.head().await? else { return Ok(None) };
        request.body = incoming.body(&request).await?;
        Ok(Some(request))
    }

    #[tokio::test]
    async fn reads_lengths_and_chunks_alike() {
        let whole =
            b"POST /v1/x?a=b HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello";
        let chunked =
            b"POST /v1/x HTTP/1.1\r\nX-A: 1\r\nx-a:2\r\nTransfer-Encoding: chunked\r\n\r\n\
            2;ext=1\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: x\r\n\r\n";
        for bytes in [&whole[..], &chunked[..]] {
            let request = read(bytes).await.unwrap().unwrap();
            assert_eq!((&*request.method, &*request.path), ("POST", "/v1/x"));
            assert_eq!(request.header("x-a"), Some("1, 2"));
            assert_eq!(request.body, b"hello");
            assert!(request.keep_alive);
        }
    }

    #[tokio::test]
    async fn two_requests_share_a_connection() {
        let bytes = b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\nAGET /b HTTP/1.1\r\n\r\n";
        let mut incoming = Incoming::new(&bytes[..]);
        let first = incoming.head().await.unwrap().unwrap();
        assert_eq!(incoming.body(&first).await.unwrap(), b"A");
        assert_eq!(incoming.head().await.unwrap().unwrap().path, "/b");
        assert!(incoming.head().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn refuses_what_is_no_request() {
        for (bytes, status) in [
            (&b"HELLO\r\n\r\n"[..], 400),
            (b"GET / HTTP/2\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", 413),
            (b"POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", 501),
            (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n", 400),
        ] {
            let refused = read(bytes).await;
            let text = String::from_utf8_lossy(bytes);
            assert!(matches!(refused, Err(ReadError::Refused(s)) if s == status), "{text}");
        }
        let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(HEAD_LIMIT));
        assert!(matches!(read(long.as_bytes()).await, Err(ReadError::Refused(431))));
        let cut = read(b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nhalf").await;
        assert!(matches!(cut, Err(ReadError::Broken)));
    }

    #[tokio::test]
    async fn old_and_closing_clients_are_not_kept() {
        for (bytes, keep) in [
            (&b"GET / HTTP/1.0\r\n\r\n"[..], false),
            (b"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", false),
            (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
        ] {
            assert_eq!(read(bytes).await.unwrap().unwrap().keep_alive, keep);
        }
    }
}
