//! Errors as HTTP: status, type, code and headers of each cause, in the OpenAI envelope. Nothing
//! else in the program knows a status code of ours.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;
use serde_json::json;

use crate::error::{GatewayError, whole_seconds};

/// How a cause looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Face {
    pub status: StatusCode,
    pub kind: &'static str,
    pub code: Option<&'static str>,
}

const INVALID: &str = "invalid_request_error";

/// Status, type and code of an error.
pub fn face(error: &GatewayError) -> Face {
    use GatewayError as E;
    let (status, kind, code) = match error {
        E::BadRequest { .. } => (StatusCode::BAD_REQUEST, INVALID, None),
        E::PriceCeiling { .. } => (StatusCode::BAD_REQUEST, INVALID, Some("price_ceiling")),
        E::NoTargetFits { .. } => (StatusCode::BAD_REQUEST, INVALID, Some("no_target_fits")),
        E::InvalidApiKey => (StatusCode::UNAUTHORIZED, INVALID, Some("invalid_api_key")),
        E::Policy { .. } => (StatusCode::FORBIDDEN, INVALID, Some("policy")),
        E::ModelNotFound { .. } => (StatusCode::NOT_FOUND, INVALID, Some("model_not_found")),
        E::UnknownUrl { .. } => (StatusCode::NOT_FOUND, INVALID, Some("unknown_url")),
        E::MethodNotAllowed { .. } => {
            (StatusCode::METHOD_NOT_ALLOWED, INVALID, Some("method_not_allowed"))
        }
        E::Conflict { .. } => (StatusCode::CONFLICT, INVALID, None),
        E::RequestTooLarge { .. } => {
            (StatusCode::PAYLOAD_TOO_LARGE, INVALID, Some("request_too_large"))
        }
        E::UnsupportedMediaType { .. } => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID, Some("unsupported_media_type"))
        }
        E::RateLimited { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", Some("rate_limit_exceeded"))
        }
        E::UpstreamFailed { .. } => {
            (StatusCode::BAD_GATEWAY, "upstream_error", Some("upstream_failed"))
        }
        E::ProviderAuth { .. } => {
            (StatusCode::BAD_GATEWAY, "upstream_error", Some("provider_auth"))
        }
        E::Refused { status, .. } => {
            (StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY), INVALID, None)
        }
        E::Overloaded { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "server_error", Some("overloaded"))
        }
        E::Timeout { .. } => (StatusCode::GATEWAY_TIMEOUT, "server_error", Some("timeout")),
        E::NotCached => (StatusCode::GATEWAY_TIMEOUT, "server_error", Some("not_cached")),
        E::PurgeUndone { .. } | E::Internal { .. } => {
            (StatusCode::INTERNAL_SERVER_ERROR, "server_error", None)
        }
    };
    Face { status, kind, code }
}

/// The envelope: all four members, always.
pub fn envelope(error: &GatewayError) -> Bytes {
    let face = face(error);
    let param = match error {
        GatewayError::BadRequest { param, .. } => param.as_deref(),
        GatewayError::ModelNotFound { .. } => Some("model"),
        GatewayError::Conflict { param, .. } => Some(*param),
        _ => None,
    };
    let body = json!({"error": {
        "message": error.message(), "type": face.kind, "param": param, "code": face.code,
    }});
    body.to_string().into()
}

/// The whole response of an error, before the headers that every reply gets.
pub fn response(error: &GatewayError) -> Response<Body> {
    let (body, content_type) = match error {
        GatewayError::Refused { body, content_type, .. } => (body.clone(), content_type.as_str()),
        _ => (envelope(error), "application/json"),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = face(error).status;
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_str(content_type);
    headers
        .insert(CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/json")));
    match error {
        GatewayError::Overloaded { retry_after } | GatewayError::RateLimited { retry_after } => {
            headers.insert(RETRY_AFTER, whole_seconds(*retry_after).into());
        }
        // A second try of the same request would end the same way; SDKs heed this header.
        GatewayError::UpstreamFailed { .. }
        | GatewayError::ProviderAuth { .. }
        | GatewayError::Timeout { .. }
        | GatewayError::NotCached => {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        GatewayError::InvalidApiKey => {
            headers.insert("www-authenticate", HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_envelope_has_four_members_whatever_the_error() {
        let errors = [
            GatewayError::bad_param("model", "x"),
            GatewayError::InvalidApiKey,
            GatewayError::NotCached,
            GatewayError::Internal { log: "secret detail".into() },
        ];
        for error in errors {
            let value: serde_json::Value =
                serde_json::from_slice(&envelope(&error)).expect("the envelope is JSON");
            let members = value["error"].as_object().expect("an object");
            assert_eq!(members.len(), 4);
            assert!(!value.to_string().contains("secret detail"));
        }
    }

    #[test]
    fn waits_are_whole_seconds_within_a_minute() {
        for (wait, header) in [(0, "1"), (1001, "2"), (59_000, "59"), (900_000, "60")] {
            let error = GatewayError::RateLimited { retry_after: Duration::from_millis(wait) };
            assert_eq!(response(&error).headers()[RETRY_AFTER], header);
        }
    }

    #[test]
    fn what_cannot_get_better_says_so() {
        let failed = GatewayError::UpstreamFailed { attempts: Vec::new() };
        assert_eq!(response(&failed).headers()["x-should-retry"], "false");
        let busy = GatewayError::Overloaded { retry_after: Duration::ZERO };
        assert!(!response(&busy).headers().contains_key("x-should-retry"));
    }
}
