//! `cheapest`: by what this request would cost, over all models of the route's tiers.

use super::Why;
use crate::config::settings::Model;
use crate::dialect::openai::request::Facts;
use crate::price::Money;
use crate::route::estimate_cost;
use crate::route::plan::expected_output;

/// In rising cost; unknown prices last, equals in the order of the file.
pub(super) fn order(
    models: &[&Model],
    facts: &Facts,
    max_output: Option<u64>,
) -> Vec<(usize, Why)> {
    let output = expected_output(max_output);
    let mut order: Vec<(usize, Option<Money>)> = models
        .iter()
        .enumerate()
        .map(|(place, model)| (place, estimate_cost(model, facts, output)))
        .collect();
    order.sort_by_key(|(_, cost)| (cost.is_none(), *cost));
    order.into_iter().map(|(place, cost)| (place, Why::Cost { cost, output })).collect()
}
