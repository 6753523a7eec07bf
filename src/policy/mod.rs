//! What is in force for a request: the requested name, the key's rights, headers and rules, resolved
//! into one [`Policy`]. Pure: configuration and request in, decision out.

mod cache_control;
pub mod expression;
mod facts;
pub mod headers;
pub mod models;
mod names;
pub mod resolve;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::settings::{CacheEffect, Model, Route, Tier};
use crate::price::Money;
use crate::route::Strategy;

pub use expression::{Expression, ExpressionFault};
pub use facts::RuleFacts;
pub use headers::RequestHeaders;
pub use models::{AllowedName, Destination, allowed_names, is_allowed};
pub use resolve::{idle_loss_header, resolve};

/// The policy in force for one request.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The name as the caller wrote it.
    pub requested: String,
    /// Bounded metric label: the route's name, or the model's name or label.
    pub route_label: Arc<str>,
    pub choice: Choice,
    /// The rule that fired, by its place in `routing.rules` (from 0) and its text.
    pub rule: Option<(usize, String)>,
    /// Of the first matching `cache.rules` entry.
    pub cache_effect: Option<CacheEffect>,
    /// False when the route says `cache: false`.
    pub cache_allowed: bool,
    /// Share in [0, 1]: of the header where it counts, else of the configuration.
    pub max_quality_loss: f64,
    pub confidence: f64,
    /// Regions that the key and the route both allow; `None` means any.
    pub regions: Option<Vec<String>>,
    /// `x-semgate-max-cost-usd`.
    pub max_cost: Option<Money>,
    /// `x-semgate-timeout-ms`.
    pub timeout: Option<Duration>,
    /// Caller's tags with the key's own over them.
    pub tags: BTreeMap<String, String>,
    /// Rules whose evaluation failed; they did not match.
    pub rule_errors: u32,
}

/// Who may answer.
#[derive(Debug, Clone)]
pub enum Choice {
    /// The classifier chooses among these tiers, cheapest first.
    Tiers { route: Arc<Route> },
    /// A static strategy chooses among the models of these tiers; never the classifier.
    Strategy { route: Arc<Route>, strategy: Arc<Strategy> },
    /// One tier and no other: named as `tier/<name>`, by header or by a rule.
    Forced { tier: Arc<Tier>, by: ForcedBy },
    /// One model, with its own fallbacks only.
    Named { model: Arc<Model>, fallbacks: Vec<Arc<Model>>, by: ForcedBy },
}

impl Choice {
    /// Whether the order of a plan is a promise: dispatch tries its targets as they stand, past those
    /// that rest. Else the targets of a tier are tried by health, latency and price.
    pub fn keeps_order(&self) -> bool {
        matches!(self, Self::Named { .. } | Self::Strategy { .. })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForcedBy {
    /// The requested name itself.
    Name,
    /// `x-semgate-tier`.
    Header,
    /// A rule of the configuration.
    Rule,
}
