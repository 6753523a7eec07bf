//! Which tier answers: requirements, features, trained heads, and the plan. Pure but for reading
//! the weights at start.

pub mod features;
mod lexicon;
mod scan;

use std::sync::Arc;

use crate::config::settings::Model;

/// Where a request goes and why.
#[derive(Debug, Clone)]
pub struct RouteDecision {
    /// Chosen tier; `None` for a named model outside the tiers.
    pub tier: Option<Arc<str>>,
    /// What dispatch tries, in order: the tier's targets, then (for a route) upward.
    pub targets: Vec<Planned>,
    pub reason: RouteReason,
    /// P(adequate) by tier, in the order of the route; empty when the classifier did not run.
    pub probabilities: Vec<(Arc<str>, f64)>,
    /// Named surface features; empty when the classifier did not run.
    pub features: Vec<(&'static str, f32)>,
    /// Models dropped by a hard constraint, and tiers passed over, each with its reason.
    pub passed_over: Vec<(String, String)>,
    /// Output limit set by us because the caller gave a price ceiling and no limit.
    pub set_max_output: Option<u64>,
}

/// One target of a plan.
#[derive(Debug, Clone)]
pub struct Planned {
    pub model: Arc<Model>,
    /// Tier the target belongs to; `None` for a named model outside the tiers.
    pub tier: Option<Arc<str>>,
}

/// Why this tier. The names are metric labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteReason {
    /// The caller named a model.
    Named,
    /// The caller, a header or a rule forced a tier or model.
    Forced,
    Rule,
    /// Threshold mode: the first tier whose P(adequate) reached its value.
    Adequate,
    /// Quality mode: the cheapest tier within the loss.
    WithinLoss,
    /// Quality mode: nothing cheaper was within the loss, or the evidence was thin.
    Abstained,
    /// No classifier (embedder off, or its fault): the route's last tier.
    NoClassifier,
    /// `routing.mode: observe`: a route goes to the baseline, a named model to itself.
    Observe,
    /// Only one tier was left after the requirements.
    OnlyTier,
}
