//! The data plane: what applications talk to.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use futures_util::FutureExt;
use serde_json::{Value, json};

use crate::error::GatewayError;
use crate::gateway::{Call, Gateway};
use crate::now::Now;

use super::body::RequestBody;
use super::error;

/// Every route of the data plane.
pub fn router(gateway: Arc<Gateway>) -> Router {
    let health = super::health::router(gateway.clone());
    Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/models", get(models))
        .route("/v1/models/{*id}", get(model))
        .route("/v1/requests/{id}", get(record))
        .route("/v1/feedback", post(feedback))
        .fallback(unknown)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(gateway.clone(), check_host))
        .with_state(gateway)
        .merge(health)
}

async fn chat(State(gateway): State<Arc<Gateway>>, request: Request) -> Response<Body> {
    let (headers, body) = RequestBody::split(request);
    let call = Call { headers, body, now: Now::read() };
    // A panic must not take the connection, or anybody else's request, with it.
    match AssertUnwindSafe(gateway.chat(call)).catch_unwind().await {
        Ok(reply) => reply.0,
        Err(_) => error::response(&GatewayError::Internal { log: "a step panicked".into() }),
    }
}

async fn models(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
) -> Result<Response<Body>, Failure> {
    let data: Vec<Value> = gateway.names(&headers)?.iter().map(|name| listed(name)).collect();
    Ok(json_response(&json!({"object": "list", "data": data})))
}

async fn model(
    State(gateway): State<Arc<Gateway>>,
    Tail(id): Tail,
    headers: HeaderMap,
) -> Result<Response<Body>, Failure> {
    gateway.check_name(&headers, &id)?;
    Ok(json_response(&listed(&id)))
}

fn listed(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": 0, "owned_by": "semgate"})
}

async fn record(
    State(gateway): State<Arc<Gateway>>,
    Tail(id): Tail,
    headers: HeaderMap,
) -> Result<Response<Body>, Failure> {
    let record = gateway.record_of(&headers, &id)?.ok_or_else(|| {
        let message = format!("No record of the request `{id}` is kept (any more).");
        Failure(GatewayError::UnknownUrl { message })
    })?;
    Ok(json_response(&*record))
}

async fn feedback(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
) -> Result<StatusCode, Failure> {
    let (headers, body) = RequestBody::split(request);
    gateway.feedback(Call { headers, body, now: Now::read() }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unknown(uri: Uri) -> Failure {
    let path = uri.path();
    let message = if path == "/v1" || path.starts_with("/v1/") {
        format!(
            "Unknown request URL: {path}. This gateway serves POST /v1/chat/completions and GET /v1/models."
        )
    } else {
        format!("Unknown request URL: {path}. The client's base_url must end in /v1.")
    };
    Failure(GatewayError::UnknownUrl { message })
}

/// The fallback of every route on both planes.
pub(super) async fn method_not_allowed(method: axum::http::Method, uri: Uri) -> Failure {
    let message = format!("{method} is not allowed on {}.", uri.path());
    Failure(GatewayError::MethodNotAllowed { message })
}

async fn check_host(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    match gateway.check_host(request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(refused) => error::response(&refused),
    }
}

/// What a path ends with. One that is no UTF-8 is refused in our envelope.
#[derive(Debug)]
pub(super) struct Tail(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Tail {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(tail) = path.map_err(|why| GatewayError::bad(format!("{}.", why.body_text())))?;
        Ok(Self(tail))
    }
}

/// An error on its way out of a handler.
#[derive(Debug)]
pub struct Failure(pub GatewayError);

impl From<GatewayError> for Failure {
    fn from(error: GatewayError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response<Body> {
        error::response(&self.0)
    }
}

/// A JSON body with status 200.
pub fn json_response<T: serde::Serialize>(value: &T) -> Response<Body> {
    let body = serde_json::to_vec(value).expect("our own values serialise");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::OK;
    let json = axum::http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(axum::http::header::CONTENT_TYPE, json);
    response
}
