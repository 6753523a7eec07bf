//! `POST /v1/feedback`: a caller says what an answer was worth. A bad one is out of the cache when
//! this returns; what is learnt from it is the cache's business.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::cache::feedback::Label;
use crate::dialect::openai::strict_object;
use crate::error::GatewayError;
use crate::record::answers::{Judged, Word};

use super::{Call, Gateway};

/// A larger body is refused with 413.
const BODY_LIMIT: u64 = 16 << 10;

/// Characters of a reason at most.
const MAX_REASON: usize = 1000;

/// What a request for feedback says.
#[derive(Debug, PartialEq)]
struct Said {
    /// As it was given: what is no id of ours is no id of an answer.
    id: String,
    label: Label,
    reason: Option<String>,
}

impl Gateway {
    /// Takes the verdict of the caller behind these headers on one of the tenant's answers.
    pub async fn feedback(&self, call: Call) -> Result<(), GatewayError> {
        let state = self.state.load_full();
        let caller = state.access.authenticate(&call.headers)?;
        let body = call.body.read(&call.headers, BODY_LIMIT).await?;
        let said = read(&body)?;
        let reason = said.reason.filter(|_| state.settings.telemetry.content);
        let judged = parse_id(&said.id).map_or(Judged::Unknown, |id| {
            let word = Word { id, tenant: &caller.tenant, label: said.label, reason };
            self.recorder.judge(word, call.now)
        });
        let (feedback, is_first) = match judged {
            Judged::First(feedback) => (feedback, true),
            Judged::Again(feedback) => (feedback, false),
            Judged::Otherwise(label) => {
                let message = format!("This answer was judged {} before.", label.name());
                return Err(GatewayError::Conflict { message, param: "verdict" });
            }
            Judged::Unknown => {
                let message =
                    format!("No answer of the request `{}` is known (any more).", said.id);
                return Err(GatewayError::UnknownUrl { message });
            }
        };
        if is_first && let Some(id) = parse_id(&said.id) {
            self.hear_feedback(id, said.label, call.now.wall);
        }
        let (cache, now) = (self.cache.clone(), call.now);
        // Removing an entry from the file waits for the disk: not on a thread that serves requests.
        let done = tokio::task::spawn_blocking(move || {
            if is_first {
                cache.feedback(&feedback, now);
            } else {
                cache.refute(&feedback, now);
            }
        });
        done.await.map_err(|_| GatewayError::Internal { log: "feedback panicked".into() })
    }
}

/// The id of a record in the one form in which we give it.
fn parse_id(id: &str) -> Option<Uuid> {
    Uuid::parse_str(id).ok().filter(|parsed| parsed.to_string() == id)
}

fn read(body: &[u8]) -> Result<Said, GatewayError> {
    let members = strict_object(body).map_err(GatewayError::bad)?;
    if let Some(unknown) =
        members.keys().find(|name| !["id", "verdict", "reason"].contains(&&***name))
    {
        let name: String = unknown.chars().take(64).collect();
        let message =
            format!("Unknown parameter: `{name}`; feedback has `id`, `verdict` and `reason`.");
        return Err(GatewayError::bad_param(name, message));
    }
    let label = text(&members, "verdict")?.and_then(Label::named).ok_or_else(|| {
        GatewayError::bad_param("verdict", "`verdict` must be \"good\" or \"bad\".")
    })?;
    let id =
        text(&members, "id")?.filter(|id| !id.is_empty() && id.len() <= 64).ok_or_else(|| {
            let message = "`id` must be the `x-request-id` of the answer.";
            GatewayError::bad_param("id", message)
        })?;
    let reason = text(&members, "reason")?;
    if reason.is_some_and(|reason| reason.chars().count() > MAX_REASON) {
        let message = format!("`reason` must have at most {MAX_REASON} characters.");
        return Err(GatewayError::bad_param("reason", message));
    }
    Ok(Said { id: id.to_owned(), label, reason: reason.map(str::to_owned) })
}

/// A text, or nothing; null is nothing.
fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, GatewayError> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(GatewayError::bad_param(name, format!("`{name}` must be a text."))),
    }
}
