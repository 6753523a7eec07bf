//! Labels that the operator has: what several models gave to a request of the traffic, as the replay
//! format's `outcomes` say. They teach the router without a single call.

use std::sync::Arc;

use bytes::Bytes;

use crate::access::Caller;
use crate::cache::learn::Lane;
use crate::config::settings::{Model, Settings, Tier};
use crate::dialect::openai::ChatRequest;
use crate::error::GatewayError;
use crate::now::Now;
use crate::route::Features;
use crate::route::learn::{By, Label, Learner, Pair, Sample, Standing};

use super::Gateway;

/// The quality of a model's answer to a request, 0 to 1, where it is known.
pub type Quality<'a> = &'a (dyn Fn(&Model) -> Option<f64> + Sync);

impl Gateway {
    /// Learns from a request with known outcomes, as if it had been drawn for comparison. How many
    /// pairs it says something of; none where the request has no text, or no pair has both outcomes.
    ///
    /// # Errors
    /// The request is not valid, or nothing is learnt here.
    pub async fn give(
        &self,
        lane: &Lane,
        body: Bytes,
        quality: Quality<'_>,
    ) -> Result<usize, GatewayError> {
        let learner = self.learner()?.clone();
        let request = ChatRequest::decode(body)?;
        let (Some(embedder), false) = (&self.embedder, request.prompt.is_empty()) else {
            return Ok(0);
        };
        let Ok(embedded) = embedder.embed(&request.prompt).await else { return Ok(0) };
        let features = Features::of(&request);
        let sample = Sample::of(&embedded.vector, &features, &request.prompt);
        let settings = self.settings();
        let pairs = learner.pairs(&lane.route);
        let told = pairs.iter().filter(|pair| {
            let gain = gain(&settings, pair, quality);
            gain.is_some_and(|gain| label(&learner, lane, pair, &sample, (gain, 1.0)))
        });
        Ok(told.count())
    }

    /// How a tenant's route stands once everything given was learnt.
    pub async fn settled(&self, lane: &Lane) -> Result<Option<Standing>, GatewayError> {
        let learner = self.learner()?.clone();
        let waited = tokio::task::spawn_blocking(move || {
            learner.settle();
            learner.standings()
        });
        let standings =
            waited.await.map_err(|error| GatewayError::Internal { log: error.to_string() })?;
        Ok(standings.into_iter().find(|standing| standing.lane == *lane))
    }

    /// On whose behalf labels are given: of a tenant's route.
    ///
    /// # Errors
    /// There is no such tenant or route.
    pub fn lane_of(&self, tenant: Option<&str>, route: &str) -> Result<Lane, GatewayError> {
        let caller: Arc<Caller> = self.caller_of_tenant(tenant)?;
        let settings = self.settings();
        let Some(route) = settings.route(route) else {
            let message = format!("`{route}` is no route of the configuration.");
            return Err(GatewayError::bad_param("route", message));
        };
        Ok(Lane { tenant: caller.tenant.clone(), route: route.name.clone() })
    }
}

/// What the stronger tier of a pair gains, where an outcome of a model of either is known.
pub fn gain(settings: &Settings, pair: &Pair, quality: Quality<'_>) -> Option<f64> {
    let of = |name: &str| {
        let tier: &Tier = settings.tier(name)?;
        tier.models.iter().find_map(|model| quality(model))
    };
    Some(of(&pair.strong)? - of(&pair.weak)?)
}

/// Puts a label down; `known` is its gain, and 1 / the chance with which it was drawn.
pub fn label(
    learner: &Learner,
    lane: &Lane,
    pair: &Pair,
    sample: &Sample,
    known: (f64, f64),
) -> bool {
    let (gain, weight) = (known.0.clamp(-1.0, 1.0) as f32, known.1 as f32);
    let at = Now::read().wall;
    learner.label(lane, pair, Label { sample: sample.clone(), gain, weight, by: By::Given, at }).0
}
