//! What learning rests on: the shipped basis, and what is stated for each pair of tiers. Made from
//! the configuration; replaced whole by a reload.

use std::collections::HashMap;
use std::sync::Arc;

use super::knowledge::Terms;
use super::label::Pair;
use crate::config::settings::{Route, Settings, Tier};
use crate::route::evidence::inputs::Basis;
use crate::route::plan::baseline_tier;

/// What learning needs to know of the gateway.
#[derive(Debug, Clone, Default)]
pub struct School {
    pub basis: Arc<Basis>,
    /// Identity of the basis.
    pub identity: Arc<str>,
    /// By route: its pairs, cheapest first.
    routes: HashMap<Arc<str>, Vec<Pair>>,
    loss: f64,
    confidence: f64,
}

impl School {
    pub fn new(basis: Arc<Basis>, identity: &str, settings: &Settings) -> Self {
        let routes = settings.routing.routes.iter();
        Self {
            basis,
            identity: identity.into(),
            routes: routes.map(|route| (route.name.clone(), pairs(settings, route))).collect(),
            loss: settings.routing.max_quality_loss,
            confidence: settings.routing.confidence,
        }
    }

    /// The same for another configuration.
    pub fn under(&self, settings: &Settings) -> Self {
        Self::new(self.basis.clone(), &self.identity, settings)
    }

    /// The pairs of a route, cheapest first; none where a route is unknown or has one tier.
    pub fn pairs(&self, route: &str) -> &[Pair] {
        self.routes.get(route).map_or(&[], Vec::as_slice)
    }

    /// What is stated for a pair of the route; `None`: the configuration does not know it (any more).
    pub fn terms(&self, route: &str, pair: &str) -> Option<Terms> {
        let pairs = self.pairs(route);
        let known = pairs.iter().any(|known| *known.name == *pair);
        let whole = Terms { loss: self.loss, confidence: self.confidence };
        known.then(|| whole.shared(pairs.len()))
    }
}

/// Each tier of the route below the strongest that it may fall back on: the baseline's, or its last
/// where it lacks that.
fn pairs(settings: &Settings, route: &Route) -> Vec<Pair> {
    let baseline = baseline_tier(settings);
    let place = baseline.and_then(|tier| route.tiers.iter().position(|own| own.name == tier.name));
    let Some(place) = place.or(route.tiers.len().checked_sub(1)) else { return Vec::new() };
    let strong: &Tier = &route.tiers[place];
    route.tiers[..place].iter().map(|weak| Pair::of(weak, strong)).collect()
}
