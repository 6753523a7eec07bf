//! `strategy:` of rules and routes: which models it names, and whether it can ever choose them.

use std::sync::Arc;

use super::upstream::Upstreams;
use super::{Check, short};
use crate::config::at::{At, WordOr};
use crate::config::raw::{RawStrategy, RawStrategyOf, RawStrategyWord, STRATEGIES};
use crate::config::settings::Model;
use crate::route::Strategy;

/// The models among which a strategy may choose.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reach<'m> {
    /// Of a rule: those of any tier, since it applies to several routes.
    Tiers(&'m [Arc<Model>]),
    /// Of a route: those of its own tiers.
    Route(&'m [Arc<Model>]),
}

/// The strategy, or `None` where its fault is told.
pub(super) fn strategy(
    written: &At<RawStrategy>,
    reach: Reach<'_>,
    upstreams: &Upstreams,
    check: &mut Check<'_>,
) -> Option<Strategy> {
    let block = match &written.value {
        WordOr::Word(RawStrategyWord::Classifier) => return Some(Strategy::Classifier),
        WordOr::Word(RawStrategyWord::Cheapest) => return Some(Strategy::Cheapest),
        WordOr::Word(RawStrategyWord::Fastest) => return Some(Strategy::Fastest),
        WordOr::Block(block) => block,
    };
    match block {
        RawStrategyOf { fixed: Some(name), weighted: None } => {
            let model = reachable(name, reach, upstreams, check)?;
            let fallbacks = model.fallbacks.iter().filter_map(|name| upstreams.model(name));
            Some(Strategy::Fixed { fallbacks: fallbacks.cloned().collect(), model })
        }
        RawStrategyOf { fixed: None, weighted: Some(weights) } if !weights.value.is_empty() => {
            // Every fault is told, so none of them ends the reading.
            let mut sound = Some(Vec::with_capacity(weights.value.len()));
            for (name, weight) in &weights.value {
                let drawn = weighed(name, weight, reach, upstreams, check);
                sound = sound.zip(drawn).map(|(mut sound, drawn)| {
                    sound.push(drawn);
                    sound
                });
            }
            sound.map(Strategy::Weighted)
        }
        RawStrategyOf { fixed: Some(_), weighted: Some(_) } => {
            check.fault(written.id, "one strategy, not two", "write `fixed` or `weighted`");
            None
        }
        _ => {
            let empty = block.weighted.as_ref().map_or(written.id, |weights| weights.id);
            if check.is_bare(empty) {
                let advice = format!("write one of {STRATEGIES}");
                check.fault(written.id, "the strategy names no model", advice);
            }
            None
        }
    }
}

fn weighed(
    name: &At<String>,
    weight: &At<f64>,
    reach: Reach<'_>,
    upstreams: &Upstreams,
    check: &mut Check<'_>,
) -> Option<(Arc<Model>, f64)> {
    let model = reachable(name, reach, upstreams, check);
    if weight.value > 0.0 {
        return Some((model?, weight.value));
    }
    let problem = format!("the weight of `{}` is not above zero", short(&name.value));
    check.fault(weight.id, problem, "write a number above zero, or leave the model out");
    None
}

/// A model of that name that the strategy can choose.
fn reachable(
    name: &At<String>,
    reach: Reach<'_>,
    upstreams: &Upstreams,
    check: &mut Check<'_>,
) -> Option<Arc<Model>> {
    let Some(model) = upstreams.model(&name.value) else {
        let known = upstreams.known_models();
        if !known.contains(&name.value.as_str()) {
            check.unknown(name, "model", &known);
        }
        return None;
    };
    let (models, whose, advice) = match reach {
        Reach::Tiers(models) => (models, "any tier", "put it into a tier, or write `{model: …}`"),
        Reach::Route(models) => (models, "the tiers of this route", "add its tier to the route"),
    };
    if !models.iter().any(|known| known.name == model.name) {
        let problem = format!("the model `{}` is not in {whose}", short(&name.value));
        let names: Vec<&str> = models.iter().take(20).map(|model| &*model.name).collect();
        let advice = if names.is_empty() {
            advice.to_owned()
        } else {
            format!("{advice}; there are {}", names.join(", "))
        };
        check.fault(name.id, problem, advice);
        return None;
    }
    Some(model.clone())
}
