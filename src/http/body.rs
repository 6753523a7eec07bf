//! Reading a request body within its limits: type, size and patience.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Request};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::error::GatewayError;

/// A client that sends nothing of its body for so long is cut off.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body that has not been read yet.
#[derive(Debug)]
pub struct RequestBody {
    body: Body,
}

impl RequestBody {
    /// Splits a request into its head and its unread body.
    pub fn split(request: Request<Body>) -> (HeaderMap, Self) {
        let (head, body) = request.into_parts();
        (head.headers, Self { body })
    }

    /// Reads the whole body. A length above the limit is refused before a byte is kept; a body
    /// without a length is refused at the limit.
    pub async fn read(self, headers: &HeaderMap, limit: u64) -> Result<Bytes, GatewayError> {
        check_type(headers)?;
        let declared = headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.parse::<u64>().ok());
        if declared.is_some_and(|length| length > limit) {
            return Err(GatewayError::RequestTooLarge { limit });
        }
        let mut body = self.body;
        let mut whole = BytesMut::new();
        loop {
            let frame = tokio::time::timeout(PATIENCE, body.frame()).await.map_err(|_| {
                GatewayError::bad("The request body stopped arriving; send it without pauses.")
            })?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|_| GatewayError::bad("The request body ended early."))?;
            let Ok(data) = frame.into_data() else { continue };
            if (whole.len() + data.len()) as u64 > limit {
                return Err(GatewayError::RequestTooLarge { limit });
            }
            if whole.is_empty() && declared == Some(data.len() as u64) {
                return Ok(data);
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }
}

/// Only `application/json` is taken, and it must be said: browsers send other types, or none,
/// across origins without asking first.
fn check_type(headers: &HeaderMap) -> Result<(), GatewayError> {
    if headers.contains_key(CONTENT_ENCODING) {
        let message = "Compressed request bodies are not supported; send plain JSON.".into();
        return Err(GatewayError::UnsupportedMediaType { message });
    }
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let kind = given.split(';').next().unwrap_or("").trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let given = if kind.is_empty() { "none".into() } else { format!("`{kind}`") };
    let message = format!(
        "Unsupported content type ({given}); send the body with `Content-Type: application/json`."
    );
    Err(GatewayError::UnsupportedMediaType { message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    fn json(length: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "application/json; charset=utf-8".parse().expect("valid"));
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, length.parse().expect("valid"));
        }
        headers
    }

    fn chunks(parts: &'static [&'static str]) -> RequestBody {
        let parts =
            parts.iter().map(|part| Ok::<_, std::io::Error>(Bytes::from_static(part.as_bytes())));
        RequestBody { body: Body::from_stream(stream::iter(parts)) }
    }

    #[tokio::test]
    async fn a_declared_length_above_the_limit_is_refused_unread() {
        let body = RequestBody {
            body: Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()),
        };
        let refused = body.read(&json(Some("11")), 10).await;
        assert!(matches!(refused, Err(GatewayError::RequestTooLarge { limit: 10 })));
    }

    #[tokio::test]
    async fn a_chunked_body_is_cut_at_the_limit_and_read_below_it() {
        let read = chunks(&["{\"a\"", ":1}"]).read(&json(None), 7).await.expect("fits");
        assert_eq!(&*read, b"{\"a\":1}");
        let refused = chunks(&["{\"a\"", ":10}"]).read(&json(None), 7).await;
        assert!(matches!(refused, Err(GatewayError::RequestTooLarge { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_is_given_up() {
        let body = RequestBody {
            body: Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()),
        };
        assert!(matches!(body.read(&json(None), 10).await, Err(GatewayError::BadRequest { .. })));
    }

    #[tokio::test]
    async fn other_types_and_none_are_refused() {
        for given in ["text/plain", "application/x-www-form-urlencoded", ""] {
            let mut headers = HeaderMap::new();
            if !given.is_empty() {
                headers.insert(CONTENT_TYPE, given.parse().expect("valid"));
            }
            let refused = chunks(&["{}"]).read(&headers, 10).await;
            assert!(matches!(refused, Err(GatewayError::UnsupportedMediaType { .. })), "{given}");
        }
    }
}
