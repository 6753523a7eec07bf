//! What a row's answer costs: by the tokens that the row gives for a model, else by those of its
//! recorded answer, else by an estimate that is alike for every model.

use crate::config::settings::Model;
use crate::dialect::Usage;
use crate::dialect::openai::{ChatRequest, read_usage};
use crate::price::Money;

use super::input::{Outcome, Row};

/// Output tokens of a row that says nothing about them, alike for every model.
const ESTIMATED_OUTPUT: u64 = 200;

/// What the row says about an answer by this model, under its name, its upstream id or its label.
pub fn outcome(row: &Row, model: &Model) -> Option<Outcome> {
    if row.outcomes.is_empty() {
        return None;
    }
    let found = row.outcomes.get(&*model.name).or_else(|| row.outcomes.get(&*model.id));
    found.or_else(|| row.outcomes.get(&model.label())).copied()
}

/// Tokens of the row's answer by this model; marked where they are an estimate.
pub fn usage(row: &Row, request: &ChatRequest, model: Option<&Model>) -> Usage {
    if let Some(found) = model.and_then(|model| outcome(row, model))
        && let (Some(prompt_tokens), Some(completion_tokens)) =
            (found.input_tokens, found.output_tokens)
    {
        return Usage { prompt_tokens, completion_tokens, ..Usage::default() };
    }
    row.response().and_then(|response| read_usage(&response["usage"])).unwrap_or_else(|| Usage {
        prompt_tokens: request.facts.prompt_tokens,
        completion_tokens: ESTIMATED_OUTPUT,
        estimated: true,
        ..Usage::default()
    })
}

/// `None` where the model has no price: that is not free.
pub fn cost(model: Option<&Model>, usage: &Usage) -> Option<Money> {
    Some(model?.price?.cost(usage))
}
