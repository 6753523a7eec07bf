//! What became of an attempt: an upstream's status, headers and body, or a fault of the transport,
//! turned into one [`Failure`]. Pure. What follows from it is decided in [`super::retry`].

use std::time::Duration;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// Codes and types by which providers say that money, not patience, is missing.
const QUOTA_CODES: &[&str] = &[
    "insufficient_quota",
    "insufficient_balance",
    "insufficient_credits",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "enforced_spend_limit_reached",
];
/// Ending of further such codes.
const QUOTA_SUFFIX: &str = "spend_limit_exceeded";
/// How much of a refused plain-text body is quoted to the caller.
const EXCERPT: usize = 256;

/// Why an attempt gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The upstream's verdict about the request itself: 400, 404, 413, 422. Not retried.
    Refused { status: u16, body: Bytes, content_type: String },
    /// 401, 403: our credential was refused.
    Credential { status: u16 },
    /// 402, or 429 with a code that speaks of money.
    Quota { status: u16 },
    /// 429; `wait` as the headers ask.
    RateLimited { wait: Option<Duration> },
    /// Any other status: 5xx, 408, 409, a redirect, …
    Status { status: u16, wait: Option<Duration> },
    /// No connection: refused, DNS, TLS, or not within the limit. Nothing was sent.
    Connect,
    /// The connection broke after the request was sent and before a head came.
    Reset,
    /// No content event within `timeouts.first_content`.
    FirstContent,
    /// A 2xx whose body is no answer: HTML, empty, not JSON, an unasked-for encoding.
    Malformed,
    /// A 2xx whose body ended too soon.
    Cut,
    /// A 2xx whose body, or first event, is an error.
    ErrorAnswer,
    /// The caller's whole time ran out during the attempt. `ours`: it was the configured time, not
    /// one that the caller shortened, so that the target is to blame.
    Deadline { ours: bool },
}

/// Why a target is not to be called for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BenchReason {
    Credential,
    Quota,
    RateLimit,
}

impl BenchReason {
    pub fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Quota => "quota",
            Self::RateLimit => "rate_limit",
        }
    }
}

/// How long a refused credential rests.
pub const CREDENTIAL_BENCH: Duration = Duration::from_secs(10 * 60);
/// How long a credential without money rests, whatever the headers say.
pub const QUOTA_BENCH: Duration = Duration::from_secs(15 * 60);
/// How long a rate-limited target rests when the headers do not say.
pub const RATE_LIMIT_BENCH: Duration = Duration::from_secs(1);
/// `Retry-After: 0` is still a refusal: without a pause the next call would be the same one.
const SHORTEST_BENCH: Duration = Duration::from_millis(10);

impl Failure {
    /// The name in the record and the metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::Credential { .. } => "credential",
            Self::Quota { .. } => "quota",
            Self::RateLimited { .. } => "rate_limited",
            Self::Status { .. } => "status",
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::FirstContent | Self::Deadline { .. } => "timeout",
            Self::Malformed => "malformed",
            Self::Cut => "cut",
            Self::ErrorAnswer => "error_answer",
        }
    }

    /// The upstream's status, where it is the cause.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. }
            | Self::Credential { status }
            | Self::Quota { status }
            | Self::Status { status, .. } => Some(*status),
            Self::RateLimited { .. } => Some(429),
            _ => None,
        }
    }

    /// What a client is told of the attempt: the status, else the label.
    pub fn note(&self) -> String {
        self.status().map_or_else(|| self.label().to_owned(), |status| status.to_string())
    }

    /// For how long, and why, the target is not to be called with this credential.
    pub fn bench(&self) -> Option<(BenchReason, Duration)> {
        match self {
            Self::Credential { .. } => Some((BenchReason::Credential, CREDENTIAL_BENCH)),
            Self::Quota { .. } => Some((BenchReason::Quota, QUOTA_BENCH)),
            Self::RateLimited { wait } => {
                let rest = wait.unwrap_or(RATE_LIMIT_BENCH).max(SHORTEST_BENCH);
                Some((BenchReason::RateLimit, rest))
            }
            _ => None,
        }
    }

    /// Whether the breaker counts it: the target is in trouble, rather than the request, our
    /// credential or the caller's patience.
    pub fn blames_target(&self) -> bool {
        match self {
            Self::Status { status, .. } => *status >= 500 || *status == 408,
            Self::Connect
            | Self::Reset
            | Self::FirstContent
            | Self::Malformed
            | Self::Cut
            | Self::ErrorAnswer => true,
            Self::Deadline { ours } => *ours,
            Self::Refused { .. }
            | Self::Credential { .. }
            | Self::Quota { .. }
            | Self::RateLimited { .. } => false,
        }
    }

    /// The wait that came with a failure which benches nobody (a 503 with `Retry-After`).
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Status { wait, .. } => *wait,
            _ => None,
        }
    }
}

/// What a status outside 2xx means. `body` is already scrubbed; `wait` is what the headers ask for.
pub fn classify(status: u16, wait: Option<Duration>, body: Bytes) -> Failure {
    match status {
        400 | 404 | 413 | 422 => {
            let body = presentable(status, body);
            Failure::Refused { status, body, content_type: "application/json".into() }
        }
        401 | 403 => Failure::Credential { status },
        402 => Failure::Quota { status },
        429 if speaks_of_money(&body) => Failure::Quota { status },
        429 => Failure::RateLimited { wait },
        _ => Failure::Status { status, wait },
    }
}

/// Replaces every occurrence of a credential by `[redacted]`: some upstreams repeat what they
/// refuse.
pub fn scrub(body: Bytes, secrets: &[SecretString]) -> Bytes {
    let mut body = body;
    for secret in secrets {
        let secret = secret.expose_secret().as_bytes();
        if secret.is_empty() || !contains(&body, secret) {
            continue;
        }
        let mut clean = Vec::with_capacity(body.len());
        let mut rest: &[u8] = &body;
        while let Some(at) = find(rest, secret) {
            clean.extend_from_slice(&rest[..at]);
            clean.extend_from_slice(b"[redacted]");
            rest = &rest[at + secret.len()..];
        }
        clean.extend_from_slice(rest);
        body = clean.into();
    }
    body
}

/// Whether `text` holds one of the credentials.
pub fn leaks(text: &[u8], secrets: &[SecretString]) -> bool {
    secrets.iter().any(|secret| {
        let secret = secret.expose_secret().as_bytes();
        !secret.is_empty() && contains(text, secret)
    })
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    find(text, part).is_some()
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// The body as it may pass: JSON objects and arrays as they are; anything else (HTML from a
/// content network, plain text, nothing) in an envelope of ours.
fn presentable(status: u16, body: Bytes) -> Bytes {
    if matches!(serde_json::from_slice(&body), Ok(Value::Object(_) | Value::Array(_))) {
        return body;
    }
    let text = String::from_utf8_lossy(&body);
    let text = text.trim();
    let plain = !text.is_empty() && !text.contains('<');
    let message = if plain {
        let excerpt: String = text.chars().take(EXCERPT).collect();
        format!("The upstream refused the request with status {status}: {excerpt}")
    } else {
        format!("The upstream refused the request with status {status}.")
    };
    let envelope = json!({
        "error": {
            "message": message,
            "type": "invalid_request_error",
            "param": null,
            "code": null,
        }
    });
    envelope.to_string().into()
}

/// Whether an error body names a quota or a bill by its `code` or `type`.
fn speaks_of_money(body: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return false };
    let value = match &value {
        Value::Array(items) => items.first().unwrap_or(&value),
        other => other,
    };
    let error = value.get("error").filter(|error| error.is_object()).unwrap_or(value);
    ["code", "type"]
        .iter()
        .filter_map(|member| error.get(member).and_then(Value::as_str))
        .any(|word| QUOTA_CODES.contains(&word) || word.ends_with(QUOTA_SUFFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Failure {
        classify(status, None, Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn statuses_sort_into_kinds() {
        for status in [400, 404, 413, 422] {
            assert_eq!(of(status, "{}").label(), "refused", "{status}");
        }
        for status in [401, 403] {
            assert_eq!(of(status, "{}").label(), "credential", "{status}");
        }
        assert_eq!(of(402, "{}").label(), "quota");
        assert_eq!(of(429, "{}").label(), "rate_limited");
        for status in [301, 302, 307, 405, 408, 409, 418, 451, 500, 502, 503, 504, 520, 529, 599] {
            assert_eq!(of(status, "{}").label(), "status", "{status}");
        }
    }

    #[test]
    fn the_breaker_counts_troubled_targets_only() {
        for status in [408, 500, 502, 503, 504, 520, 529] {
            assert!(of(status, "").blames_target(), "{status}");
        }
        for status in [302, 400, 401, 402, 403, 404, 405, 409, 413, 422, 429] {
            assert!(!of(status, "").blames_target(), "{status}");
        }
        assert!(Failure::Deadline { ours: true }.blames_target());
        assert!(!Failure::Deadline { ours: false }.blames_target());
    }

    #[test]
    fn quota_is_told_from_rate() {
        let quota = [
            r#"{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            r#"{"error":{"type":"requests","code":"insufficient_quota"}}"#,
            r#"{"error":{"type":"workspace_spend_limit_exceeded"}}"#,
            r#"{"type":"error","error":{"type":"enforced_spend_limit_reached"}}"#,
            r#"[{"error":{"code":"billing_not_active"}}]"#,
            r#"{"code":"insufficient_balance","message":"m"}"#,
        ];
        for body in quota {
            assert_eq!(of(429, body).label(), "quota", "{body}");
        }
        let rate = [
            r#"{"error":{"type":"tokens","code":"rate_limit_exceeded"}}"#,
            r#"{"error":{"message":"insufficient_quota is not the cause","code":429}}"#,
            r#"{"error":"slow down"}"#,
            "[]",
            "too many",
            "",
        ];
        for body in rate {
            assert_eq!(of(429, body).label(), "rate_limited", "{body}");
        }
    }

    #[test]
    fn benches_are_as_long_as_the_cause() {
        assert_eq!(of(403, "").bench(), Some((BenchReason::Credential, Duration::from_secs(600))));
        assert_eq!(of(402, "").bench(), Some((BenchReason::Quota, Duration::from_secs(900))));
        assert_eq!(of(429, "").bench(), Some((BenchReason::RateLimit, Duration::from_secs(1))));
        let told = Failure::RateLimited { wait: Some(Duration::from_millis(20)) };
        assert_eq!(told.bench(), Some((BenchReason::RateLimit, Duration::from_millis(20))));
        assert_eq!(of(503, "").bench(), None);
        assert_eq!(of(400, "").bench(), None);
    }

    #[test]
    fn json_passes_and_html_does_not() {
        let json = r#"{"error":{"message":"no","type":"invalid_request_error","param":"x","code":null},"x":1}"#;
        let Failure::Refused { body, .. } = of(400, json) else { panic!("refused") };
        assert_eq!(body, json.as_bytes(), "to the byte");
        for html in ["<html><h1>Not found</h1></html>", "", "   ", "oops <script>", "\u{fffd}<"] {
            let Failure::Refused { body, .. } = of(404, html) else { panic!("refused") };
            let value: Value = serde_json::from_slice(&body).unwrap();
            let error = value["error"].as_object().unwrap();
            assert_eq!(error.len(), 4);
            assert_eq!(error["message"], "The upstream refused the request with status 404.");
        }
        let Failure::Refused { body, .. } = of(404, "404 page not found") else { panic!() };
        assert!(String::from_utf8_lossy(&body).contains("404 page not found"));
    }

    #[test]
    fn credentials_are_scrubbed_wherever_they_stand() {
        let secrets: Vec<SecretString> =
            ["sk-one", "sk-two", ""].iter().map(|s| SecretString::from(*s)).collect();
        let body = Bytes::from_static(b"sk-one: bad key sk-two or sk-one; sk-onesk-one");
        let clean = scrub(body.clone(), &secrets);
        assert!(leaks(&body, &secrets));
        assert!(!leaks(&clean, &secrets));
        assert_eq!(
            clean.as_ref(),
            b"[redacted]: bad key [redacted] or [redacted]; [redacted][redacted]".as_slice()
        );
        let innocent = Bytes::from_static(b"nothing here");
        assert_eq!(scrub(innocent.clone(), &secrets), innocent);
    }
}
