//! What a request's headers ask for: cache directives, semgate's own headers, what is forwarded, and
//! the map that rules may read. Credentials are the business of `access`; nothing here keeps them.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};

use super::cache_control;
use crate::cache::Directives;
use crate::config::Share;
use crate::error::GatewayError;
use crate::price::Money;

const TIER: &str = "x-semgate-tier";
const MAX_COST: &str = "x-semgate-max-cost-usd";
const MAX_LOSS: &str = "x-semgate-max-quality-loss";
const TIMEOUT: &str = "x-semgate-timeout-ms";
const TAGS: &str = "x-semgate-tags";

/// Never visible to rules, whatever they are called on the way here.
const CREDENTIALS: [&str; 5] =
    ["authorization", "x-api-key", "api-key", "cookie", "proxy-authorization"];

/// Beta switches that an upstream understands and we pass on as they are.
const PASSED_ON: [&str; 2] = ["openai-beta", "anthropic-beta"];

const MAX_TIMEOUT_MS: u64 = 3_600_000;
const MAX_TAGS: usize = 16;
/// Characters of a tag's name or value, and of the caller's request id.
const MAX_CHARS: usize = 256;

/// The headers of one request, parsed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestHeaders {
    pub cache: Directives,
    /// `x-semgate-tier`, as written; whether there is such a tier is for `resolve`.
    pub tier: Option<String>,
    /// `x-semgate-max-cost-usd`; above zero.
    pub max_cost: Option<Money>,
    /// `x-semgate-max-quality-loss`; 0 to 1. Whether it counts is for `resolve`.
    pub max_quality_loss: Option<f64>,
    /// `x-semgate-timeout-ms`; 1 ms to an hour.
    pub timeout: Option<Duration>,
    /// `x-semgate-tags`.
    pub tags: BTreeMap<String, String>,
    /// The caller's `x-request-id`, if it is at most 256 visible characters.
    pub client_request_id: Option<String>,
    /// For the upstream: valid trace context and beta switches.
    pub forward: Vec<(HeaderName, HeaderValue)>,
    /// For rules: lower-case names, values that are UTF-8, no credentials. A header that came in
    /// several lines is joined by `, `.
    pub headers: BTreeMap<String, String>,
}

impl RequestHeaders {
    /// Reads them. A header of ours, or `Cache-Control`, that does not parse is 400 and named as
    /// `param`; anybody else's is ignored when it makes no sense.
    pub fn parse(headers: &HeaderMap) -> Result<Self, GatewayError> {
        Ok(Self {
            cache: cache_control::parse(headers)?,
            tier: single(headers, TIER)?.map(tier).transpose()?,
            max_cost: single(headers, MAX_COST)?.map(max_cost).transpose()?,
            max_quality_loss: single(headers, MAX_LOSS)?.map(max_quality_loss).transpose()?,
            timeout: single(headers, TIMEOUT)?.map(timeout).transpose()?,
            tags: tags(headers)?,
            client_request_id: client_request_id(headers),
            forward: forward(headers),
            headers: visible(headers),
        })
    }
}

/// The one value of a header of ours. Two lines would leave open which of them counts.
fn single<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, GatewayError> {
    let mut lines = headers.get_all(name).iter();
    let Some(first) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(GatewayError::bad_param(name, format!("{name} is given more than once.")));
    }
    text(first)
        .map(|value| Some(value.trim()))
        .ok_or_else(|| GatewayError::bad_param(name, format!("{name} is not readable text.")))
}

fn text(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}

fn tier(value: &str) -> Result<String, GatewayError> {
    if value.is_empty() {
        return Err(GatewayError::bad_param(TIER, format!("{TIER} names no tier.")));
    }
    Ok(value.to_owned())
}

fn max_cost(value: &str) -> Result<Money, GatewayError> {
    match dollars(value) {
        Some(money) if money > Money::ZERO => Ok(money),
        _ => Err(GatewayError::bad_param(
            MAX_COST,
            format!("{MAX_COST} must be US dollars above zero in decimals, such as 0.002."),
        )),
    }
}

/// A share, as in the configuration.
fn max_quality_loss(value: &str) -> Result<f64, GatewayError> {
    value.parse().map(|Share(share)| share).map_err(|_| {
        let wanted = "must be a share from 0% to 100%, such as 5% or 0.05";
        GatewayError::bad_param(MAX_LOSS, format!("{MAX_LOSS} {wanted}."))
    })
}

/// Decimal dollars, exactly: up to twelve digits on either side of the point, since money is whole
/// pico-dollars.
fn dollars(value: &str) -> Option<Money> {
    let (whole, fraction) = match value.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (value, ""),
    };
    let fraction = fraction.trim_end_matches('0');
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || fraction.len() > 12 || !digits(whole) {
        return None;
    }
    if !digits(fraction) {
        return None;
    }
    let pico: i128 = format!("{whole}{fraction:0<12}").parse().ok()?;
    Some(Money::from_pico(pico))
}

fn timeout(value: &str) -> Result<Duration, GatewayError> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse::<u64>() {
        Ok(ms) if digits && (1..=MAX_TIMEOUT_MS).contains(&ms) => Ok(Duration::from_millis(ms)),
        _ => Err(GatewayError::bad_param(
            TIMEOUT,
            format!("{TIMEOUT} must be a whole number of milliseconds from 1 to {MAX_TIMEOUT_MS}."),
        )),
    }
}

/// `feature=search,team=web`; several lines are one list. An empty header is an empty list.
fn tags(headers: &HeaderMap) -> Result<BTreeMap<String, String>, GatewayError> {
    let fault = |message: String| GatewayError::bad_param(TAGS, message);
    let mut tags = BTreeMap::new();
    for line in headers.get_all(TAGS) {
        let line = text(line).ok_or_else(|| fault(format!("{TAGS} is not readable text.")))?;
        if line.trim().is_empty() {
            continue;
        }
        for pair in line.split(',') {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                fault(format!("{TAGS} must be a list of name=value, such as feature=search."))
            })?;
            let (name, value) = (name.trim(), value.trim());
            if !is_tag_name(name) {
                return Err(fault(format!(
                    "A tag's name in {TAGS} must be of a to z, 0 to 9, `_`, `.` and `-`."
                )));
            }
            if value.chars().count() > MAX_CHARS || value.chars().any(char::is_control) {
                return Err(fault(format!(
                    "The value of `{name}` in {TAGS} must be at most {MAX_CHARS} printable \
                     characters."
                )));
            }
            if tags.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(fault(format!("{TAGS} names `{name}` more than once.")));
            }
        }
    }
    if tags.len() > MAX_TAGS {
        return Err(fault(format!("{TAGS} has more than {MAX_TAGS} tags.")));
    }
    Ok(tags)
}

fn is_tag_name(name: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-')
    };
    !name.is_empty() && name.len() <= MAX_CHARS && name.bytes().all(allowed)
}

/// The caller's own id is a note in the record, so a strange one is dropped, not refused.
fn client_request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?.trim();
    let visible = id.bytes().all(|byte| byte.is_ascii_graphic());
    (visible && !id.is_empty() && id.len() <= MAX_CHARS).then(|| id.to_owned())
}

fn forward(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let mut forward = Vec::new();
    let mut parents = headers.get_all("traceparent").iter();
    if let (Some(parent), None) = (parents.next(), parents.next())
        && is_traceparent(parent.as_bytes())
    {
        forward.push((HeaderName::from_static("traceparent"), parent.clone()));
        // Without a valid parent the state means nothing (W3C Trace Context, section 3.3).
        for state in headers.get_all("tracestate") {
            forward.push((HeaderName::from_static("tracestate"), state.clone()));
        }
    }
    for name in PASSED_ON {
        for value in headers.get_all(name) {
            forward.push((HeaderName::from_static(name), value.clone()));
        }
    }
    forward
}

/// W3C Trace Context, section 3.2: version, trace id, parent id and flags in lower-case hex.
fn is_traceparent(value: &[u8]) -> bool {
    const LENGTH: usize = 55;
    if value.len() < LENGTH {
        return false;
    }
    let (known, rest) = value.split_at(LENGTH);
    let hex = |part: &[u8]| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |part: &[u8]| part.iter().all(|byte| *byte == b'0');
    let (version, trace, parent, flags) =
        (&known[..2], &known[3..35], &known[36..52], &known[53..]);
    let dashes = [2, 35, 52].iter().all(|at| known[*at] == b'-');
    // A later version may append fields after a dash; version 00 may not, and ff is no version.
    let tail = rest.is_empty() || (version != b"00" && rest[0] == b'-');
    dashes
        && [version, trace, parent, flags].iter().all(|part| hex(part))
        && version != b"ff"
        && !zero(trace)
        && !zero(parent)
        && tail
}

fn visible(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut visible: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let name = name.as_str();
        let Some(value) = text(value) else { continue };
        if CREDENTIALS.contains(&name) || name.starts_with("proxy-auth") {
            continue;
        }
        match visible.get_mut(name) {
            Some(joined) => {
                joined.push_str(", ");
                joined.push_str(value);
            }
            None => {
                visible.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    visible
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
