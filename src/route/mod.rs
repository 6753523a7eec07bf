//! Which tier answers: requirements, features, trained heads, and the plan. Pure but for reading
//! the weights at start, and but for [`recorded`], which reads what the router is trained on and
//! measured with.

mod choose;
pub mod eval;
pub mod evidence;
pub mod features;
pub mod fit;
pub mod heads;
pub mod learn;
mod lexicon;
pub mod plan;
pub mod recorded;
mod require;
mod scan;
pub mod session;
pub mod strategy;
mod task;

use std::sync::Arc;

use crate::config::settings::Model;

pub use choose::{HEADS, Signals};
pub use features::Features;
pub use heads::{Heads, HeadsFault};
pub use plan::{decide, decide_within, estimate_cost, observed, tier_place};
pub use require::{OUTPUT_RESERVE, is_in_region};
pub use strategy::{Outlook, Seen, Strategy, Why};

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
    /// What is expected to be lost against the strongest tier; `None` where no classifier ran.
    pub loss: Option<Loss>,
    /// Of what was learnt of this traffic; 0: nothing yet.
    pub version: u32,
    /// Models dropped by a hard constraint, and tiers passed over, each with its reason.
    pub passed_over: Vec<(String, String)>,
    /// Output limit set by us because the caller gave a price ceiling and no limit: that of the
    /// first target. Each target has its own.
    pub set_max_output: Option<u64>,
}

/// One target of a plan.
#[derive(Debug, Clone)]
pub struct Planned {
    pub model: Arc<Model>,
    /// Tier the target belongs to; `None` for a named model outside the tiers.
    pub tier: Option<Arc<str>>,
    /// Output limit to set on the request for this target, under a price ceiling and without a
    /// limit of the caller's: what the ceiling affords here.
    pub set_max_output: Option<u64>,
    /// Why a strategy gave it its place; `None` where no strategy did.
    pub why: Option<Why>,
}

/// What a choice is expected to cost in quality, 0 to 1, against the route's strongest tier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// Of this request. Negative where the cheaper tier is expected to do better.
    pub expected: f64,
    /// Of the mean of such requests: at the stated confidence from labels, else one standard error up.
    pub bound: f64,
    pub evidence: Evidence,
}

/// What an expected loss rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The strongest tier answers: nothing is lost.
    Baseline,
    /// The shipped heads alone.
    Heads,
    /// So many labels of this traffic.
    Labels(usize),
}

impl Evidence {
    /// Stable name, for records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Heads => "heads",
            Self::Labels(_) => "labels",
        }
    }

    /// How many labels.
    pub fn labels(self) -> usize {
        match self {
            Self::Labels(labels) => labels,
            Self::Baseline | Self::Heads => 0,
        }
    }
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
    /// Threshold mode: no cheaper tier's P(adequate) reached its value.
    LastTier,
    /// Quality mode: the cheapest tier within the loss.
    WithinLoss,
    /// Quality mode: nothing cheaper was within the loss, or the evidence was thin.
    Abstained,
    /// Quality mode: the traffic is another than that of the labels, so that the strongest tier answers.
    Drift,
    /// No classifier (embedder off, or its fault): the route's last tier.
    NoClassifier,
    /// `routing.mode: observe`: a route goes to the baseline, a named model to itself.
    Observe,
    /// Only one tier was left after the requirements.
    OnlyTier,
    /// A cheaper tier is good enough, but the conversation keeps its own.
    Session,
    /// A strategy of a route or rule: that model.
    Fixed,
    /// A strategy: a draw by weights.
    Weighted,
    /// A strategy: by estimated cost.
    Cheapest,
    /// A strategy: by measured time.
    Fastest,
}

impl RouteReason {
    /// Stable name: metric label and the record's `route.reason`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Forced => "forced",
            Self::Rule => "rule",
            Self::Adequate => "adequate",
            Self::LastTier => "last_tier",
            Self::WithinLoss => "within_loss",
            Self::Abstained => "abstained",
            Self::Drift => "drift",
            Self::NoClassifier => "no_classifier",
            Self::Observe => "observe",
            Self::OnlyTier => "only_tier",
            Self::Session => "session",
            Self::Fixed => "fixed",
            Self::Weighted => "weighted",
            Self::Cheapest => "cheapest",
            Self::Fastest => "fastest",
        }
    }
}
