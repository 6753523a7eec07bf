//! The data plane: what applications talk to.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
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
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response<Body>, Failure> {
    let names = gateway.names(&headers)?;
    match names.iter().find(|name| **name == id) {
        Some(name) => Ok(json_response(&listed(name))),
        None => {
            let message = format!("The model `{id}` does not exist or you may not use it.");
            Err(Failure(GatewayError::ModelNotFound { message }))
        }
    }
}

fn listed(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": 0, "owned_by": "semgate"})
}

async fn record(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response<Body>, Failure> {
    let record = gateway.record_of(&headers, &id)?.ok_or_else(|| {
        let message = format!("No record of the request `{id}` is kept (any more).");
        Failure(GatewayError::UnknownUrl { message })
    })?;
    Ok(json_response(&*record))
}

async fn unknown(uri: Uri) -> Failure {
    let path = uri.path();
    let known =
        ["/chat/completions", "/models", "/requests", "/responses", "/embeddings", "/completions"];
    let message = if known.iter().any(|known| path.starts_with(known)) {
        format!("Unknown request URL: {path}. The base_url must end in /v1.")
    } else {
        format!(
            "Unknown request URL: {path}. This gateway serves POST /v1/chat/completions and GET /v1/models."
        )
    };
    Failure(GatewayError::UnknownUrl { message })
}

async fn method_not_allowed(method: axum::http::Method, uri: Uri) -> Failure {
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
