//! The decision record: what a request was, what was decided and why, what it cost and saved.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialect::Usage;
use crate::price::Money;

use super::answers::FeedbackNote;

/// One JSON object per request. Members without a value are absent.
#[derive(Debug, Clone, Serialize)]
pub struct DecisionRecord {
    /// UUIDv7; also the response's `x-request-id`.
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<String>,
    pub time: Timestamp,
    pub tenant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub request: Content,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Content>,
    pub cache: CacheNote,
    pub route: RouteNote,
    pub attempts: Vec<Attempt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(serialize_with = "usd", skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<Money>,
    /// What the model the caller named, else the baseline, would have cost.
    #[serde(serialize_with = "usd", skip_serializing_if = "Option::is_none")]
    pub baseline_usd: Option<Money>,
    #[serde(serialize_with = "usd", skip_serializing_if = "Option::is_none")]
    pub saved_usd: Option<Money>,
    /// What semgate spent for itself: attempts that did not answer the caller, and all of them where
    /// memory would have answered, had it not been asked upstream to learn.
    #[serde(serialize_with = "usd", skip_serializing_if = "Option::is_none")]
    pub own_spend_usd: Option<Money>,
    /// A hit that was asked upstream to learn from its answer.
    #[serde(skip)]
    pub explored: bool,
    /// Milliseconds by step; only the steps that ran.
    pub timings_ms: BTreeMap<&'static str, f64>,
    /// `ok`, `client_gone`, `cut`, or the error's name.
    pub outcome: String,
    /// What the caller said of the answer afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<FeedbackNote>,
}

impl DecisionRecord {
    /// The record as it is when a request arrives: nothing known but its id and its time.
    pub fn open(id: String, time: Timestamp) -> Self {
        Self {
            id,
            client_request_id: None,
            time,
            tenant: String::new(),
            key: None,
            tags: BTreeMap::new(),
            request: Content::Digest { hash: String::new(), bytes: 0 },
            response: None,
            cache: CacheNote { verdict: "none".into(), ..CacheNote::default() },
            route: RouteNote { label: "none".into(), ..RouteNote::default() },
            attempts: Vec::new(),
            usage: None,
            cost_usd: None,
            baseline_usd: None,
            saved_usd: None,
            own_spend_usd: None,
            explored: false,
            timings_ms: BTreeMap::new(),
            outcome: "client_gone".into(),
            feedback: None,
        }
    }

    /// Whether the caller was answered from the cache.
    pub fn is_hit(&self) -> bool {
        let from_memory = self.attempts.is_empty() || self.cache.on_error;
        self.cache.verdict == "hit" && from_memory && self.outcome == "ok"
    }

    /// What attempts cost that did not answer anybody, as far as it is known.
    pub(super) fn spent_in_vain(&self) -> Money {
        let failed = self.attempts.iter().filter(|attempt| attempt.error.is_some());
        failed.filter_map(|attempt| attempt.cost_usd).sum()
    }

    /// Books what attempts cost where none of them answered: nobody was served, all of it is ours.
    pub(super) fn bill_in_vain(&mut self) {
        let costs: Vec<Money> =
            self.attempts.iter().filter_map(|attempt| attempt.cost_usd).collect();
        if !costs.is_empty() {
            let spent: Money = costs.into_iter().sum();
            self.cost_usd = Some(spent);
            self.own_spend_usd = Some(spent);
        }
    }

    /// Bytes of content held, roughly.
    pub fn content_bytes(&self) -> usize {
        self.request.held() + self.response.as_ref().map_or(0, Content::held)
    }

    #[cfg(test)]
    pub fn example() -> Self {
        Self::open("0197".into(), Timestamp::UNIX_EPOCH)
    }
}

/// A body, or what may be kept of it without `telemetry.content`.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Content {
    Whole(Box<RawValue>),
    /// BLAKE3 in hex, and length in bytes.
    Digest {
        hash: String,
        bytes: usize,
    },
}

impl Content {
    /// The body itself if content may be kept, else its digest. A body that is no JSON is digested.
    pub fn of(body: &[u8], keep: bool) -> Self {
        let whole = if keep { one_line(body) } else { None };
        whole.map_or_else(|| Self::digest(body), Self::Whole)
    }

    fn digest(body: &[u8]) -> Self {
        Self::Digest { hash: blake3::hash(body).to_hex().to_string(), bytes: body.len() }
    }

    fn held(&self) -> usize {
        match self {
            Self::Whole(body) => body.get().len(),
            Self::Digest { .. } => 0,
        }
    }
}

/// The body as it is, but on one line, as the record file needs it: between JSON's tokens a line
/// break is white space, and inside a string it cannot stand. `None` if the body is no JSON.
fn one_line(body: &[u8]) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(body).ok()?;
    RawValue::from_string(text.trim().replace(['\n', '\r'], " ")).ok()
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct CacheNote {
    /// `hit`, `miss`, `request`, `stale`, `bypass`, `none` (never reached).
    pub verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_class: Option<&'static str>,
    /// On a hit: what its caller did not wait, against the making of the answer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved_ms: Option<f64>,
    /// Served after every provider had failed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub on_error: bool,
    /// Whether this request's answer was stored.
    pub stored: bool,
    /// Whether it shared the call, be it in vain, of a request on its way: an equal one, or one that
    /// differs in form only.
    pub collapsed: bool,
    /// Of a request that got another one's answer: that one's id, and the entry's if it was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct RouteNote {
    pub requested: String,
    /// Bounded name for metrics: a configured route or model, else `other`.
    pub label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    pub features: BTreeMap<&'static str, f32>,
    pub probabilities: BTreeMap<String, f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What the choice is expected to cost in quality.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossNote>,
}

/// Quality expected to be lost against the strongest tier, 0 to 1, and what that rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LossNote {
    /// Of this request.
    pub expected: f64,
    /// Of the mean of such requests, from above.
    pub bound: f64,
    /// `labels`, `heads`, or `baseline`, which loses nothing.
    pub evidence: &'static str,
    /// Labels of this traffic that it rests on.
    pub labels: usize,
    /// Version of what was learnt; 0 before the first.
    pub version: u32,
}

/// One upstream attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attempt {
    /// `provider/upstream-id`.
    pub target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong: `connect`, `timeout`, `rate_limited`, `status`, `malformed`, `cut`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
    pub ms: f64,
    #[serde(serialize_with = "usd", skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<Money>,
}

/// Decimal dollars as a JSON number.
fn usd<S: serde::Serializer>(money: &Option<Money>, serializer: S) -> Result<S::Ok, S::Error> {
    match money {
        Some(money) => serializer.serialize_f64(money.usd()),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_many_lines_is_recorded_on_one_and_says_the_same() {
        let body = b"\r\n{\n  \"model\": \"m\",\r\n  \"text\": \"a\\nb\", \"n\": 1.50\n}\n";
        let line = serde_json::to_string(&Content::of(body, true)).expect("serialises");
        assert!(!line.contains(['\n', '\r']), "{line}");
        assert!(line.contains("1.50"), "numbers keep their digits");
        let (before, after): (serde_json::Value, serde_json::Value) =
            (serde_json::from_slice(body).unwrap(), serde_json::from_str(&line).unwrap());
        assert_eq!(before, after);
        assert!(matches!(Content::of(b"{", true), Content::Digest { bytes: 1, .. }));
    }
}
