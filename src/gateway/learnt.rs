//! What the router has learnt, for those who run the gateway: how it stands, its history, and the
//! way back. Learning itself is `route::learn`'s.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cache::learn::Lane;
use crate::error::GatewayError;
use crate::route::learn::{Standing, Version};

use super::Gateway;

/// A version, as it is shown.
#[derive(Debug, Serialize)]
pub struct Shown {
    #[serde(flatten)]
    lane: Lane,
    version: u32,
    at: String,
    cause: String,
    /// Whether it is in force.
    current: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<&'static str>,
    /// By pair: labels, those that nobody could tell, and the mean gain of the stronger tier.
    pairs: BTreeMap<String, ShownPair>,
}

#[derive(Debug, Serialize)]
struct ShownPair {
    labels: usize,
    undecided: usize,
    gain: f64,
}

impl Gateway {
    /// How each tenant's routes stand; none without an embedder.
    pub fn router_standings(&self) -> Vec<Standing> {
        self.learner.as_ref().map(|learner| learner.standings()).unwrap_or_default()
    }

    /// What was learnt, oldest first by tenant and route. Waits for whoever learns.
    pub async fn router_history(&self) -> Result<Vec<Shown>, GatewayError> {
        let learner = self.learner()?.clone();
        let history = tokio::task::spawn_blocking(move || learner.history()).await;
        let mut history =
            history.map_err(|error| GatewayError::Internal { log: error.to_string() })?;
        history.sort_by(|a, b| (&a.0.tenant, &a.0.route).cmp(&(&b.0.tenant, &b.0.route)));
        Ok(history.iter().flat_map(|(lane, versions)| shown(lane, versions)).collect())
    }

    /// Goes back to a version of a tenant's route, and returns the number of the one that it makes.
    pub async fn roll_back(&self, lane: Lane, to: u32) -> Result<u32, GatewayError> {
        let learner = self.learner()?.clone();
        let done = tokio::task::spawn_blocking(move || learner.roll_back(&lane, to)).await;
        let done = done.map_err(|error| GatewayError::Internal { log: error.to_string() })?;
        done.map_err(|unknown| {
            GatewayError::bad_param(
                "version",
                format!("{unknown} to go back to; `semgate router history` lists them."),
            )
        })
    }
}

fn shown(lane: &Lane, versions: &[Version]) -> Vec<Shown> {
    let newest = versions.last().map(|version| version.number);
    let show = |version: &Version| Shown {
        lane: lane.clone(),
        version: version.number,
        at: version.at.to_string(),
        cause: version.cause.to_string(),
        current: Some(version.number) == newest,
        drift: version.fallen.map(|watched| watched.name()),
        pairs: version
            .pairs
            .iter()
            .map(|(pair, saved)| {
                let (labels, undecided) = (saved.labels, saved.undecided);
                (pair.clone(), ShownPair { labels, undecided, gain: saved.gain })
            })
            .collect(),
    };
    versions.iter().map(show).collect()
}
