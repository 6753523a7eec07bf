//! The cache on the admin plane: what it holds, single entries, and throwing away.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::cache::Purge;
use crate::config::Span;
use crate::dialect::openai::strict_object;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::http::body::RequestBody;
use crate::http::data::{Failure, Tail, json_response};

use super::{BODY_LIMIT, Plane};

/// The members of a purge, of which it has one.
const MEMBERS: &str = "{\"all\": true}, {\"tenant\": …}, {\"model\": …}, {\"older_than\": \"1h\"}, \
                       {\"entry\": …}, {\"key\": …}, {\"tag\": \"feature=search\"}";

pub(super) fn routes() -> Router<Plane> {
    Router::new()
        .route("/admin/v1/cache/stats", get(stats))
        .route("/admin/v1/cache/purge", post(purge))
        .route("/admin/v1/cache/entries/{id}", get(entry).delete(remove))
}

async fn stats(State(plane): State<Plane>) -> Response<Body> {
    json_response(&plane.gateway.cache_stats())
}

async fn purge(State(plane): State<Plane>, request: Request) -> Result<Response<Body>, Failure> {
    let (headers, body) = RequestBody::split(request);
    let body = body.read(&headers, BODY_LIMIT).await?;
    let what = selection(&body, &plane.gateway)?;
    let purged = plane.gateway.purge(what.clone()).await?;
    tracing::info!(?what, purged, "cache purged");
    Ok(json_response(&json!({"purged": purged})))
}

async fn entry(State(plane): State<Plane>, Tail(id): Tail) -> Result<Response<Body>, Failure> {
    let entry = plane.gateway.entry(&id).ok_or_else(|| no_entry(&id))?;
    Ok(json_response(&entry))
}

async fn remove(State(plane): State<Plane>, Tail(id): Tail) -> Result<StatusCode, Failure> {
    if !plane.gateway.remove_entry(&id).await? {
        return Err(no_entry(&id).into());
    }
    tracing::info!(entry = id, "entry removed");
    Ok(StatusCode::NO_CONTENT)
}

fn no_entry(id: &str) -> GatewayError {
    let message = format!("No entry `{id}` is stored (any more).");
    GatewayError::UnknownUrl { message }
}

/// What a purge selects: exactly one member says it. A name that the configuration does not know is
/// a slip of the operator's and refused; a tenant or an entry without answers is not.
fn selection(body: &[u8], gateway: &Gateway) -> Result<Purge, GatewayError> {
    let members = strict_object(body).map_err(GatewayError::bad)?;
    let mut members = members.into_iter().filter(|(_, value)| !value.is_null());
    let (Some((name, value)), None) = (members.next(), members.next()) else {
        return Err(GatewayError::bad(format!("Say exactly one of {MEMBERS}.")));
    };
    let refuse = |why: &str| GatewayError::bad_param(&*name, format!("`{name}` {why}."));
    let text = || value.as_str().map(str::to_owned).ok_or_else(|| refuse("must be a text"));
    let known = |is_known: bool, why| if is_known { Ok(()) } else { Err(refuse(why)) };
    match &*name {
        "all" if value == Value::Bool(true) => Ok(Purge::All),
        "all" => Err(refuse("must be true")),
        "tenant" => text().map(Purge::Tenant),
        "entry" => text().map(Purge::Entry),
        "model" => {
            let model = text()?;
            known(
                gateway.has_model(&model),
                &format!("names `{model}`, which is not in `models:`"),
            )?;
            Ok(Purge::Model(model))
        }
        "key" => {
            let key = text()?;
            known(gateway.has_key(&key), &format!("names `{key}`, which is not in `keys:`"))?;
            Ok(Purge::Key(key))
        }
        "older_than" => {
            let age: Result<Span, _> = text()?.parse();
            age.map(|age| Purge::OlderThan(age.0)).map_err(|why| refuse(&why.to_string()))
        }
        "tag" => {
            let tag = text()?;
            let (name, value) =
                tag.split_once('=').ok_or_else(|| refuse("must be a `name=value`"))?;
            Ok(Purge::Tag { name: name.trim().to_owned(), value: value.trim().to_owned() })
        }
        _ => Err(refuse(&format!("is no member of a purge; say exactly one of {MEMBERS}"))),
    }
}
