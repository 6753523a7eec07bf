//! The one error of the request path.
//!
//! A variant is a cause, in our words. What a client reads of it is [`GatewayError::message`], what
//! the log keeps is [`GatewayError::log`]; the two stay apart. Status codes and the envelope are
//! made in `http/error.rs` and nowhere else.

use std::time::Duration;

use bytes::Bytes;

/// Why a request ended without an answer.
#[derive(Debug, Clone)]
pub enum GatewayError {
    /// The request itself is at fault (400). `param` names the field, as OpenAI does.
    BadRequest { message: String, param: Option<String> },
    /// Nothing within the caller's price ceiling can answer (400 `price_ceiling`).
    PriceCeiling { message: String },
    /// No model in force fits the request; the message names the constraint (400 `no_target_fits`).
    NoTargetFits { message: String },
    /// No key, an unknown one or a malformed one: all alike (401).
    InvalidApiKey,
    /// Known caller, refused by policy (403).
    Policy { message: String },
    /// The requested name is not one that this caller may use (404).
    ModelNotFound { message: String },
    /// No such path (404).
    UnknownUrl { message: String },
    /// The path exists, the method does not (405).
    MethodNotAllowed { message: String },
    /// It contradicts what was said before (409); `param` names the field that does.
    Conflict { message: String, param: &'static str },
    /// The body is larger than `server.body_limit` (413).
    RequestTooLarge { limit: u64 },
    /// Not `application/json` (415).
    UnsupportedMediaType { message: String },
    /// Every attempt ended in 429, or every target is cooling down (429).
    RateLimited { retry_after: Duration },
    /// Every attempt failed (502); each is named by target and status, never with a secret.
    UpstreamFailed { attempts: Vec<AttemptNote> },
    /// Every attempt failed because *our* credential was refused (502).
    ProviderAuth { attempts: Vec<AttemptNote> },
    /// An upstream's verdict about the request itself: status and (scrubbed) body pass through.
    Refused { status: u16, body: Bytes, content_type: String },
    /// More requests in flight than `server.max_in_flight` (503).
    Overloaded { retry_after: Duration },
    /// The caller's total time ran out (504).
    Timeout { after: Duration },
    /// `only-if-cached` and nothing stored (504).
    NotCached,
    /// Purged entries may come back after a restart (500); the message says what to do.
    PurgeUndone { message: String },
    /// A fault of ours (500); the text is for the log only.
    Internal { log: String },
}

/// One failed attempt, as told to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptNote {
    /// `provider/upstream-id`.
    pub target: String,
    /// Upstream status, or what happened instead: `connect`, `timeout`, `cut`, `malformed`, …
    pub outcome: String,
}

impl GatewayError {
    /// A fault in the request, without a field to blame.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::BadRequest { message: message.into(), param: None }
    }

    /// A fault in the request's field `param`.
    pub fn bad_param(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::BadRequest { message: message.into(), param: Some(param.into()) }
    }

    /// Stable short name: the metric label and the record's `outcome`.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::BadRequest { .. } => "bad_request",
            Self::PriceCeiling { .. } => "price_ceiling",
            Self::NoTargetFits { .. } => "no_target_fits",
            Self::InvalidApiKey => "invalid_api_key",
            Self::Policy { .. } => "policy",
            Self::ModelNotFound { .. } => "model_not_found",
            Self::UnknownUrl { .. } => "unknown_url",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::Conflict { .. } => "conflict",
            Self::RequestTooLarge { .. } => "request_too_large",
            Self::UnsupportedMediaType { .. } => "unsupported_media_type",
            Self::RateLimited { .. } => "rate_limit_exceeded",
            Self::UpstreamFailed { .. } => "upstream_failed",
            Self::ProviderAuth { .. } => "provider_auth",
            Self::Refused { .. } => "refused",
            Self::Overloaded { .. } => "overloaded",
            Self::Timeout { .. } => "timeout",
            Self::NotCached => "not_cached",
            Self::PurgeUndone { .. } => "purge_undone",
            Self::Internal { .. } => "internal",
        }
    }

    /// Whether providers or the gateway are in trouble, rather than the request: an expired answer
    /// may then be better than none.
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::UpstreamFailed { .. }
                | Self::ProviderAuth { .. }
                | Self::Overloaded { .. }
                | Self::Timeout { .. }
        )
    }

    /// The sentence for the client.
    pub fn message(&self) -> String {
        match self {
            Self::BadRequest { message, .. }
            | Self::PriceCeiling { message }
            | Self::NoTargetFits { message }
            | Self::Policy { message }
            | Self::ModelNotFound { message }
            | Self::UnknownUrl { message }
            | Self::MethodNotAllowed { message }
            | Self::PurgeUndone { message }
            | Self::Conflict { message, .. }
            | Self::UnsupportedMediaType { message } => message.clone(),
            Self::InvalidApiKey => {
                "Incorrect API key provided. Send the key as `Authorization: Bearer sg-…`.".into()
            }
            Self::RequestTooLarge { limit } => {
                format!("The request body is larger than the limit of {limit} bytes.")
            }
            Self::RateLimited { retry_after } => format!(
                "Every target that may serve this request is rate limited; try again in {} s.",
                whole_seconds(*retry_after)
            ),
            Self::UpstreamFailed { attempts } => {
                format!("No upstream could answer: {}.", list(attempts))
            }
            Self::ProviderAuth { attempts } => format!(
                "The provider refused the gateway's own credential: {}. The operator must check it.",
                list(attempts)
            ),
            Self::Refused { status, .. } => {
                format!("The upstream refused the request with status {status}.")
            }
            Self::Overloaded { .. } => "The gateway has too many requests in flight.".into(),
            Self::Timeout { after } => {
                format!("The request took longer than {} ms.", after.as_millis())
            }
            Self::NotCached => {
                "`only-if-cached` was asked for and no stored answer fits this request.".into()
            }
            Self::Internal { .. } => {
                "The gateway failed; the request id leads to the cause.".into()
            }
        }
    }

    /// The sentence for the log.
    pub fn log(&self) -> String {
        match self {
            Self::Internal { log } => log.clone(),
            other => other.message(),
        }
    }
}

/// `Retry-After` in whole seconds, within 1 to 60.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).clamp(1, 60) as u64
}

fn list(attempts: &[AttemptNote]) -> String {
    if attempts.is_empty() {
        return "no target was available".into();
    }
    let notes: Vec<String> =
        attempts.iter().map(|note| format!("{} ({})", note.target, note.outcome)).collect();
    notes.join(", ")
}
