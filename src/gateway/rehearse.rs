//! The line without its deeds: what it would decide about a request, at a given time. `explain` and
//! `replay` rest on it, so that neither can tell another story than live traffic.

use std::path::Path;
use std::sync::Arc;

use axum::http::HeaderMap;
use bytes::Bytes;

use crate::access::Caller;
use crate::cache::Entry;
use crate::cache::key::{Lookup, identify};
use crate::cache::store::{Fault, Reader};
use crate::cache::ttl::Life;
use crate::dialect::openai::ChatRequest;
use crate::dialect::openai::answer::Completion;
use crate::embed::{Embedder, Embedding};
use crate::error::GatewayError;
use crate::judge::Verdict;
use crate::now::Now;
use crate::policy::RequestHeaders;
use crate::record::OpenRecord;
use crate::route::RouteDecision;
use crate::route::learn::Pair;

use super::given::{Quality, gain, label};
use super::recall::Recall;
use super::settle::{Admission, Made, keep, renew};
use super::teach::Look;
use super::{Asked, Gateway, consider};

/// Everything that was decided about a rehearsed request.
#[derive(Debug)]
pub struct Rehearsal {
    pub(super) asked: Asked,
    pub(super) memory: Recall,
    pub(super) decision: Result<RouteDecision, GatewayError>,
    look: Option<Look>,
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
        let key =
            identify(&asked.request, &asked.caller, &asked.policy, &settings.cache, asked.life);
        let memory = self.recall(&asked, key, &mut record).await;
        let look = self.look(&asked, &memory);
        let signals = self.signals(&asked, look.as_ref());
        let decision = self.plan(&asked, signals.as_ref());
        let status = record.status_line();
        Ok(Rehearsal { asked, memory, decision, look, key, status })
    }
}

impl Gateway {
    /// Brings into memory what a file of answers has for a request, before it is rehearsed. Tells
    /// what is wrong with the file, if it cannot be read. A request that the line would refuse has
    /// no answers.
    pub fn recollect(
        &self,
        file: &Path,
        body: Bytes,
        headers: &HeaderMap,
        caller: &Arc<Caller>,
    ) -> Option<Fault> {
        let now = Now::read();
        let settings = self.settings();
        let request = ChatRequest::decode(body).ok()?;
        let headers = RequestHeaders::parse(headers).ok()?;
        let asked = consider(&settings, caller.clone(), headers, request, now).ok()?;
        let Asked { request, caller, policy, life, .. } = &asked;
        let key = identify(request, caller, policy, &settings.cache, *life);
        let Lookup::Keyed(keyed) = key else { return None };
        let identity = self.embedder.as_ref().map(Embedder::identity);
        let reader = Reader::open(file, identity);
        reader.and_then(|reader| self.cache.recollect(reader, &keyed, now)).err()
    }
}

impl Rehearsal {
    pub fn memory(&self) -> &Recall {
        &self.memory
    }

    pub fn decision(&self) -> Result<&RouteDecision, &GatewayError> {
        self.decision.as_ref()
    }

    /// How long answers to it live.
    pub fn life(&self) -> Life {
        self.asked.life
    }

    /// Whether it is served past its expiry: live, the answer would be asked again beside the line.
    pub fn renews(&self) -> bool {
        self.memory.hit().is_some_and(|hit| !hit.entry.is_fresh(self.asked.now))
    }

    /// What a live gateway would learn about routing from this request: the watchers see it, and for
    /// `routing.shadow` of the requests a pair of tiers is compared, here by what the row says of their
    /// models. The pair, where there was one. `draws` are uniform in [0, 1).
    pub fn compare_tiers(
        &self,
        gateway: &Gateway,
        draws: [f64; 3],
        quality: Quality<'_>,
    ) -> Option<Pair> {
        let (look, learner) = (self.look.as_ref()?, gateway.learner.as_ref()?);
        if let Some(alarm) = learner.watch(&look.lane, &look.sample, draws[0]) {
            gateway.alarmed(&look.lane, &alarm);
        }
        let share = self.asked.settings.routing.shadow;
        if draws[1] >= share || self.asked.uncovered().is_some() {
            return None;
        }
        let pairs = learner.pairs(&look.lane.route);
        let pair = pairs.get((draws[2] * pairs.len() as f64) as usize)?.clone();
        let gain = gain(&self.asked.settings, &pair, quality)?;
        let known = (gain, pairs.len() as f64 / share);
        label(learner, &look.lane, &pair, &look.sample, known);
        // So that two replays agree, whoever learns is waited for.
        learner.settle();
        Some(pair)
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
        let Some((admission, entry)) = self.admitted(id, made) else { return false };
        keep(&gateway.cache, &self.asked, &admission, entry, verdicts);
        true
    }

    /// Stores the answer that was asked for beside the line because a hit had expired, and learns
    /// from it as there. False if there was no hit, or the answer is not to be stored. `verdicts` as in
    /// [`Self::remember`].
    pub fn renew(
        &self,
        gateway: &Gateway,
        id: &str,
        made: Made<'_>,
        verdicts: Option<Vec<Verdict>>,
    ) -> bool {
        let Some(hit) = self.memory.hit() else { return false };
        let Some((admission, entry)) = self.admitted(id, made) else { return false };
        let old = (hit.entry, hit.level);
        renew(&gateway.cache, &self.asked, &admission, entry, old, verdicts);
        true
    }

    fn admitted(&self, id: &str, made: Made<'_>) -> Option<(Admission, Entry)> {
        let admission = Admission::of(&self.asked, &self.memory)?;
        let mut answer = Completion::read(&made.body).ok()?;
        // A recording may leave out why its answer ended; it is then taken to be whole.
        answer.finish_reason.get_or_insert_with(|| "stop".into());
        let entry = admission.entry(&self.asked, id, made, &answer, self.asked.now).ok()?;
        Some((admission, entry))
    }
}
