//! The line without its deeds: what it would decide about a request, at a given time. `explain` and
//! `replay` rest on it, so that neither can tell another story than live traffic.

use std::sync::Arc;

use axum::http::HeaderMap;
use bytes::Bytes;

use crate::access::Caller;
use crate::cache::key::{Lookup, identify};
use crate::dialect::openai::ChatRequest;
use crate::dialect::openai::answer::Completion;
use crate::embed::Embedding;
use crate::error::GatewayError;
use crate::judge::Verdict;
use crate::now::Now;
use crate::policy::RequestHeaders;
use crate::record::OpenRecord;
use crate::route::{RouteDecision, plan};

use super::recall::Recall;
use super::settle::{Admission, Made, keep};
use super::{Asked, Gateway, consider};

/// Everything that was decided about a rehearsed request.
#[derive(Debug)]
pub struct Rehearsal {
    pub(super) asked: Asked,
    pub(super) memory: Recall,
    pub(super) decision: Result<RouteDecision, GatewayError>,
    pub(super) key: Lookup,
    /// `Cache-Status` as a caller would read it.
    pub(super) status: Option<String>,
}

impl Gateway {
    /// Decides about a request without asking a provider. `vector` is the prompt's embedding where it
    /// is known already. `draw` is what decides about exploration, as for a live request, and makes
    /// the cache learn from it; without one nothing is counted.
    ///
    /// # Errors
    /// What the line would have refused before looking into the cache.
    pub async fn rehearse(
        &self,
        body: Bytes,
        headers: &HeaderMap,
        caller: Arc<Caller>,
        vector: Option<Embedding>,
        draw: Option<f32>,
        now: Now,
    ) -> Result<Rehearsal, GatewayError> {
        let settings = self.settings();
        let request = ChatRequest::decode(body)?;
        let headers = RequestHeaders::parse(headers)?;
        let mut asked = consider(&settings, caller, headers, request, now)?;
        asked.vector = vector;
        asked.draw = draw;
        let mut record = OpenRecord::rehearsal(self.recorder.clone(), now);
        let key = identify(&asked.request, &asked.caller, &asked.policy, &settings.cache);
        let memory = self.recall(&asked, key, &mut record).await;
        let signals = self.signals(&asked, &memory);
        let decision = plan::decide(&asked.policy, &asked.request, &settings, signals.as_ref());
        let status = record.status_line();
        Ok(Rehearsal { asked, memory, decision, key, status })
    }
}

impl Rehearsal {
    pub fn memory(&self) -> &Recall {
        &self.memory
    }

    pub fn decision(&self) -> Result<&RouteDecision, &GatewayError> {
        self.decision.as_ref()
    }

    pub fn request(&self) -> &ChatRequest {
        &self.asked.request
    }

    /// Stores an answer to the rehearsed request as if an upstream had given it now. False if it
    /// would not have been stored then. `verdicts` says of each entry that learning compares the answer
    /// with whether it has the same, where that is known.
    pub fn remember(
        &self,
        gateway: &Gateway,
        id: &str,
        made: Made<'_>,
        verdicts: Option<Vec<Verdict>>,
    ) -> bool {
        let Some(admission) = Admission::of(&self.asked, &self.memory) else { return false };
        let Ok(mut answer) = Completion::read(&made.body) else { return false };
        // A recording may leave out why its answer ended; it is then taken to be whole.
        answer.finish_reason.get_or_insert_with(|| "stop".into());
        let entry = admission.entry(&self.asked, id, made, &answer, self.asked.now);
        let Ok(entry) = entry else { return false };
        keep(&gateway.cache, &self.asked, &admission, entry, verdicts);
        true
    }
}
