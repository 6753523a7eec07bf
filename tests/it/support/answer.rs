//! What a caller got, and the ways to look at it.

use axum::body::Body;
use serde_json::Value;

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
