//! The router on the admin plane: how it stands, what it has learnt, going back, and probing a model.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::cache::learn::Lane;
use crate::config::settings::Model;
use crate::dialect::openai::strict_object;
use crate::error::GatewayError;
use crate::http::body::RequestBody;
use crate::http::data::{Failure, json_response};

use crate::replay::bill::outcome;
use crate::replay::input::Row;

use super::{BODY_LIMIT, Plane};

pub(super) fn routes() -> Router<Plane> {
    Router::new()
        .route("/admin/v1/router", get(standings))
        .route("/admin/v1/router/history", get(history))
        .route("/admin/v1/router/rollback", post(roll_back))
        .route("/admin/v1/router/probe", post(probe))
        .route("/admin/v1/router/labels", post(labels))
}

async fn standings(State(plane): State<Plane>) -> Response<Body> {
    json_response(&json!({"data": plane.gateway.router_standings()}))
}

async fn history(State(plane): State<Plane>) -> Result<Response<Body>, Failure> {
    Ok(json_response(&json!({"data": plane.gateway.router_history().await?})))
}

async fn roll_back(
    State(plane): State<Plane>,
    request: Request,
) -> Result<Response<Body>, Failure> {
    let members = members(request, &["tenant", "route", "version"]).await?;
    let to = members.get("version").and_then(Value::as_u64).and_then(|it| u32::try_from(it).ok());
    let to = to.ok_or_else(|| {
        GatewayError::bad_param("version", "`version` must be the number of a version.")
    })?;
    let lane =
        Lane { tenant: text(&members, "tenant")?.into(), route: text(&members, "route")?.into() };
    let version = plane.gateway.roll_back(lane.clone(), to).await?;
    tracing::info!(tenant = &*lane.tenant, route = &*lane.route, to, version, "router rolled back");
    Ok(json_response(&json!({"version": version})))
}

async fn probe(State(plane): State<Plane>, request: Request) -> Result<Response<Body>, Failure> {
    let members = members(request, &["model"]).await?;
    Ok(json_response(&plane.gateway.probe(text(&members, "model")?).await?))
}

/// Labels that the operator has: `{"tenant", "route", "rows": [{"request", "outcomes"}]}`, the rows as
/// in the replay format.
async fn labels(State(plane): State<Plane>, request: Request) -> Result<Response<Body>, Failure> {
    let members = members(request, &["tenant", "route", "rows"]).await?;
    let tenant = members.get("tenant").and_then(Value::as_str);
    let lane = plane.gateway.lane_of(tenant, text(&members, "route")?)?;
    let rows = members.get("rows").and_then(Value::as_array).ok_or_else(|| {
        GatewayError::bad_param("rows", "`rows` must be a list of requests with outcomes.")
    })?;
    let read = |row: &Value| {
        Row::deserialize(row).map_err(|error| {
            GatewayError::bad_param("rows", format!("`rows` has one that is not valid: {error}."))
        })
    };
    let rows = rows.iter().map(read).collect::<Result<Vec<Row>, _>>()?;
    let mut labels = 0;
    for row in &rows {
        let quality = |model: &Model| outcome(row, model)?.quality;
        labels += plane.gateway.give(&lane, Bytes::from(row.body()), &quality).await?;
    }
    let standing = plane.gateway.settled(&lane).await?;
    Ok(json_response(&json!({"labels": labels, "standing": standing})))
}

/// The members of a body that has no others than these.
async fn members(request: Request, known: &[&str]) -> Result<Map<String, Value>, GatewayError> {
    let (headers, body) = RequestBody::split(request);
    let body = body.read(&headers, BODY_LIMIT).await?;
    let members = strict_object(&body).map_err(GatewayError::bad)?;
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(members),
        Some(name) => {
            let message = format!("Unknown parameter: `{name}`; known are {}.", known.join(", "));
            Err(GatewayError::bad_param(name.clone(), message))
        }
    }
}

fn text<'m>(members: &'m Map<String, Value>, name: &'static str) -> Result<&'m str, GatewayError> {
    let text = members.get(name).and_then(Value::as_str);
    text.ok_or_else(|| GatewayError::bad_param(name, format!("`{name}` must be a text.")))
}
