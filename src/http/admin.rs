//! The admin plane: metrics, decisions, targets and spend; the cache is in a file of its own. Everything but health and
//! metrics wants the token; metrics want it from beyond loopback.

mod cache;
mod router;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::access;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::record::spend::By;

use super::body::RequestBody;
use super::data::{Failure, Tail, json_response, method_not_allowed};
use super::{error, hosts};

/// A body of the admin plane at most; an `explain` carries a chat request.
const BODY_LIMIT: u64 = 20_000_000;

/// Decisions listed when nobody says how many.
const DEFAULT_LIMIT: usize = 100;

/// What the handlers share.
#[derive(Debug, Clone)]
struct Plane {
    gateway: Arc<Gateway>,
    /// SHA-256 of the token: comparing digests says nothing about the token's bytes.
    token: [u8; 32],
}

/// Every route of the admin plane.
pub fn router(gateway: Arc<Gateway>, token: &SecretString) -> Router {
    let health = super::health::router(gateway.clone());
    let plane = Plane { gateway, token: access::hash(token.expose_secret()) };
    Router::new()
        .route("/admin/v1/decisions", get(decisions))
        .route("/admin/v1/decisions/{id}", get(decision))
        .route("/admin/v1/explain", post(explain))
        .route("/admin/v1/targets", get(targets))
        .route("/admin/v1/spend", get(spend))
        .route("/metrics", get(metrics))
        .merge(cache::routes())
        .merge(router::routes())
        .fallback(unknown)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(plane.clone(), authorise))
        .with_state(plane)
        .merge(health)
}

async fn authorise(State(plane): State<Plane>, request: Request, next: Next) -> Response<Body> {
    let given = access::credential(request.headers()).map(access::hash);
    let by_token = given.is_some_and(|given| given == plane.token);
    if by_token || may_scrape(&request) {
        return next.run(request).await;
    }
    error::response(&GatewayError::InvalidApiKey)
}

/// Metrics from loopback, under a loopback name: a scraper on the machine, not a web page.
fn may_scrape(request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    request.uri().path() == "/metrics"
        && peer.is_some_and(|ConnectInfo(peer)| peer.ip().is_loopback())
        && hosts::check(request.headers(), request.uri(), &[]).is_ok()
}

#[derive(Debug, Deserialize)]
struct Limit {
    limit: Option<usize>,
}

async fn decisions(
    State(plane): State<Plane>,
    query: Result<Query<Limit>, QueryRejection>,
) -> Result<Response<Body>, Failure> {
    let Query(query) =
        query.map_err(|_| GatewayError::bad_param("limit", "`limit` must be a whole number."))?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    Ok(json_response(&json!({"data": plane.gateway.recorder().ring.recent(limit)})))
}

async fn decision(State(plane): State<Plane>, Tail(id): Tail) -> Result<Response<Body>, Failure> {
    let record = plane.gateway.recorder().ring.find(&id).ok_or_else(|| {
        let message = format!("No record of the request `{id}` is kept (any more).");
        GatewayError::UnknownUrl { message }
    })?;
    Ok(json_response(&*record))
}

async fn explain(State(plane): State<Plane>, request: Request) -> Result<Response<Body>, Failure> {
    let (headers, body) = RequestBody::split(request);
    let body = body.read(&headers, BODY_LIMIT).await?;
    // The token's own header must not be taken for a caller's.
    let caller = plane.gateway.caller_of_tenant(tenant(&headers)?.as_deref())?;
    Ok(json_response(&plane.gateway.explain(body, &headers, caller).await?))
}

/// `x-semgate-tenant`: on whose behalf an explanation is asked for.
fn tenant(headers: &HeaderMap) -> Result<Option<String>, GatewayError> {
    let Some(value) = headers.get("x-semgate-tenant") else { return Ok(None) };
    let text = value.to_str().map_err(|_| {
        GatewayError::bad_param("x-semgate-tenant", "`x-semgate-tenant` must be plain text.")
    })?;
    Ok(Some(text.to_owned()))
}

async fn targets(State(plane): State<Plane>) -> Response<Body> {
    json_response(&json!({"data": plane.gateway.targets()}))
}

#[derive(Debug, Deserialize)]
struct SpendBy {
    by: Option<String>,
}

async fn spend(
    State(plane): State<Plane>,
    query: Result<Query<SpendBy>, QueryRejection>,
) -> Result<Response<Body>, Failure> {
    let by = match query.as_ref().map(|Query(query)| query.by.as_deref().unwrap_or("tenant")) {
        Ok("tenant") => By::Tenant,
        Ok("model") => By::Model,
        Ok("tag") => By::Tag,
        _ => return Err(GatewayError::bad_param("by", "`by` is tenant, model or tag.").into()),
    };
    Ok(json_response(&json!({"data": plane.gateway.recorder().spend.table(by)})))
}

async fn metrics(State(plane): State<Plane>) -> impl IntoResponse {
    let text = plane.gateway.metrics_text();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, kind)], text)
}

async fn unknown(uri: axum::http::Uri) -> Failure {
    let message = format!("Unknown admin URL: {}.", uri.path());
    Failure(GatewayError::UnknownUrl { message })
}
