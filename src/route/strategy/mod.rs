//! Static strategies: who answers where the operator has said how to pick, and no classifier does.
//! Each is a file with one pure function: the models that fit, in the order of the file, into the
//! order in which they are tried, with the reason for each place. What a request requires is
//! `require`'s, health during dispatch is dispatch's.

mod cheapest;
mod fastest;
mod fixed;
mod weighted;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::plan::{Sieve, tier_of};
use super::require::{Needs, Strictness};
use super::session::Held;
use super::{RouteDecision, RouteReason};
use crate::config::settings::{Model, Route, Settings};
use crate::dialect::openai::ChatRequest;
use crate::error::GatewayError;
use crate::price::Money;

pub use weighted::seed;

/// Who picks among the models of a route's tiers.
#[derive(Debug, Clone, Default)]
pub enum Strategy {
    /// The classifier: the cheapest tier that is good enough.
    #[default]
    Classifier,
    /// This model, then its own fallbacks.
    Fixed { model: Arc<Model>, fallbacks: Vec<Arc<Model>> },
    /// A draw by weights, each above zero; the others follow in falling weight.
    Weighted(Vec<(Arc<Model>, f64)>),
    /// By what the request would cost.
    Cheapest,
    /// By measured time.
    Fastest,
}

/// What a plan is told from outside request and configuration.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    /// Decides the draw of `weighted`; equal for the requests of a conversation.
    pub seed: u64,
    /// Uniform in [0, 1): whether `fastest` tries a target whose figures are old. `None`: the request
    /// is only rehearsed, and nothing is tried.
    pub chance: Option<f64>,
    /// What is known of targets, by their label. One that is missing is well and unmeasured.
    pub seen: HashMap<String, Seen>,
    /// What the conversation's last turn has left, where the classifier chooses.
    pub held: Option<Held>,
}

/// What is known of one target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// It would be sent a request now.
    pub ready: bool,
    /// Its moving mean for this kind of request, in milliseconds: to the first content of a stream,
    /// or to the whole answer.
    pub ms: Option<f64>,
    /// How long ago it was last sent a request of this kind; `None`: never.
    pub tried: Option<Duration>,
}

/// Why a target has its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Why {
    Fixed,
    Fallback,
    /// The draw fell on it; its share of the weights, 0 to 1.
    Drawn {
        share: f64,
    },
    /// The draw did not fall on it.
    NotDrawn {
        share: f64,
    },
    /// Estimated cost with that many completion tokens; `None` where the price is unknown.
    Cost {
        cost: Option<Money>,
        output: u64,
    },
    /// Its moving mean, in milliseconds.
    Takes {
        ms: f64,
    },
    /// It comes first to be measured.
    Tried,
    Unmeasured,
    /// It rests or its circuit is open.
    NotReady,
}

impl Seen {
    pub const UNKNOWN: Self = Self { ready: true, ms: None, tried: None };
}

impl Strategy {
    pub fn is_classifier(&self) -> bool {
        matches!(self, Self::Classifier)
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Classifier => "classifier",
            Self::Fixed { .. } => "fixed",
            Self::Weighted(_) => "weighted",
            Self::Cheapest => "cheapest",
            Self::Fastest => "fastest",
        }
    }

    /// Whom it may send a request of the route to, each once, in the order of the file; `fixed` also
    /// to fallbacks outside the route's tiers. Empty if the route has none of its models.
    pub fn pool<'a>(&'a self, route: &'a Route) -> Vec<&'a Arc<Model>> {
        let mut pool: Vec<&Arc<Model>> = Vec::new();
        let mut add = |model: &'a Arc<Model>| {
            if !pool.iter().any(|known| known.name == model.name) {
                pool.push(model);
            }
        };
        let of_route = || route.tiers.iter().flat_map(|tier| &tier.models);
        match self {
            Self::Classifier | Self::Cheapest | Self::Fastest => of_route().for_each(add),
            Self::Weighted(weights) => of_route()
                .filter(|model| weights.iter().any(|(weighed, _)| weighed.name == model.name))
                .for_each(add),
            Self::Fixed { model, fallbacks } => {
                if of_route().any(|known| known.name == model.name) {
                    add(model);
                    fallbacks.iter().for_each(add);
                }
            }
        }
        pool
    }
}

/// The order in which a strategy tries the models that fit, among those of the route.
///
/// # Errors
/// As [`super::decide`].
pub(super) fn decide(
    request: &ChatRequest,
    needs: &Needs<'_>,
    settings: &Settings,
    (route, strategy): (&Route, &Strategy),
    outlook: &Outlook,
) -> Result<RouteDecision, GatewayError> {
    let mut sieve = Sieve::default();
    let mut fitting = Vec::new();
    for model in strategy.pool(route) {
        let holds = |tier: &&Arc<_>| holds(tier, model);
        let tier = route.tiers.iter().find(holds).map(|tier| tier.name.clone());
        let tier = tier.or_else(|| tier_of(settings, model));
        fitting.extend(sieve.model(needs, model, tier, Strictness::Picked));
    }
    if fitting.is_empty() {
        return Err(sieve.nothing_fits());
    }
    let models: Vec<&Model> = fitting.iter().map(|planned| &*planned.model).collect();
    let seen: Vec<Seen> = models
        .iter()
        .map(|model| outlook.seen.get(&model.label()).copied().unwrap_or(Seen::UNKNOWN))
        .collect();
    let (reason, order) = match strategy {
        Strategy::Fixed { model, .. } => (RouteReason::Fixed, fixed::order(model, &models)),
        Strategy::Weighted(weights) => {
            (RouteReason::Weighted, weighted::order(&models, weights, &seen, outlook.seed))
        }
        Strategy::Classifier | Strategy::Cheapest => {
            (RouteReason::Cheapest, cheapest::order(&models, &request.facts, request.max_output))
        }
        Strategy::Fastest => (RouteReason::Fastest, fastest::order(&seen, outlook.chance)),
    };
    let targets: Vec<_> = order
        .into_iter()
        .map(|(place, why)| super::Planned { why: Some(why), ..fitting[place].clone() })
        .collect();
    Ok(sieve.decision(targets[0].tier.clone(), targets, reason))
}

fn holds(tier: &crate::config::settings::Tier, model: &Model) -> bool {
    tier.models.iter().any(|known| known.name == model.name)
}

/// For people, as in `explain`.
impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = |share: f64| (share * 1000.0).round() / 10.0;
        match self {
            Self::Fixed => f.write_str("fixed"),
            Self::Fallback => f.write_str("its fallback"),
            Self::Drawn { share } => write!(f, "drawn, weight {} %", percent(*share)),
            Self::NotDrawn { share } => write!(f, "not drawn, weight {} %", percent(*share)),
            Self::Cost { cost: Some(cost), output } => {
                write!(f, "${cost} with {output} output tokens")
            }
            Self::Cost { cost: None, .. } => f.write_str("price unknown"),
            Self::Takes { ms } => write!(f, "takes {ms:.0} ms"),
            Self::Tried => f.write_str("tried, to be measured"),
            Self::Unmeasured => f.write_str("not measured yet"),
            Self::NotReady => f.write_str("resting or failing"),
        }
    }
}

#[cfg(test)]
mod tests;
