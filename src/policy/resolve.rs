//! From a requested name to the policy in force. Who decides, strongest first: the key's rights, a
//! named model or tier, `x-semgate-tier`, rules, the classifier (which runs later, in `route`).
//!
//! Rights say which names a key may *ask* for, be it in the body or in `x-semgate-tier`. Where a
//! route it may ask for then leads, by rule or classifier, is the operator's decision and needs no
//! further right; neither do the fallbacks of a model.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::facts::RuleFacts;
use super::headers::RequestHeaders;
use super::models::{self, Destination};
use super::{Choice, Expression, ForcedBy, Policy};
use crate::access::Caller;
use crate::config::Settings;
use crate::config::settings::{CacheEffect, Model, Route, RouteEffect, Tier};
use crate::dialect::openai::ChatRequest;
use crate::error::GatewayError;
use crate::route::Strategy;

/// Resolves a request. `hour_utc` is the hour of the day, 0 to 23, that rules may ask for.
///
/// # Errors
///
/// 404 `model_not_found` for a name that does not exist or that the caller may not use, alike; 400
/// for `x-semgate-tier` with a tier that does not exist, that the route lacks, or that the caller
/// may not ask for.
pub fn resolve(
    settings: &Settings,
    caller: &Caller,
    request: &ChatRequest,
    headers: &RequestHeaders,
    hour_utc: u8,
) -> Result<Policy, GatewayError> {
    let destination = models::find_allowed(settings, caller, &request.model)?;
    let header_tier = header_tier(settings, caller, headers)?;
    let tags = merged_tags(caller, headers);
    let mut rules = Rules {
        facts: RuleFacts::new(request, &caller.tenant, hour_utc, &tags, &headers.headers),
        errors: 0,
    };
    let route_label = label(settings, &destination);
    let mut rule = None;
    let mut route_regions = None;
    let mut cache_allowed = true;
    let choice = match destination {
        Destination::Tier(tier) => Choice::Forced { tier, by: ForcedBy::Name },
        Destination::Model(model) => named(settings, model, ForcedBy::Name),
        Destination::Route(route) => {
            route_regions = route.regions.clone();
            cache_allowed = route.cache;
            match header_tier {
                Some(name) => forced_by_header(&route, name)?,
                None => match rules.route(settings, &route) {
                    Some((choice, fired)) => {
                        rule = Some(fired);
                        choice
                    }
                    None => among(route.strategy.clone(), route),
                },
            }
        }
    };
    let cache_effect = rules.cache(settings);
    let max_quality_loss = match headers.max_quality_loss {
        Some(loss) if idle_loss_header(caller, &choice).is_none() => loss,
        _ => settings.routing.max_quality_loss,
    };
    let rule_errors = rules.errors;
    Ok(Policy {
        requested: request.model.clone(),
        route_label,
        choice,
        rule,
        cache_effect,
        cache_allowed,
        max_quality_loss,
        confidence: settings.routing.confidence,
        regions: intersection(caller.rights.regions.as_deref(), route_regions),
        max_cost: headers.max_cost,
        timeout: headers.timeout,
        tags,
        rule_errors,
    })
}

/// Why `x-semgate-max-quality-loss` has nothing to act on, if so: it is for quality mode. It is then
/// no fault, for a caller need not know how the operator routes, and does not part the cache either.
pub fn idle_loss_header(caller: &Caller, choice: &Choice) -> Option<&'static str> {
    match choice {
        _ if !caller.rights.overrides => Some("this key may not override"),
        Choice::Tiers { route } if route.has_thresholds() => Some("the route goes by min_adequacy"),
        Choice::Tiers { .. } => None,
        Choice::Strategy { .. } => Some("the strategy asks for no quality"),
        Choice::Forced { .. } => Some("a tier is forced"),
        Choice::Named { .. } => Some("a model is named"),
    }
}

/// The tier of `x-semgate-tier`, if the key's header counts. It must exist even where a named model
/// or tier outranks it, so that a typing error does not go unnoticed.
fn header_tier<'h>(
    settings: &Settings,
    caller: &Caller,
    headers: &'h RequestHeaders,
) -> Result<Option<&'h str>, GatewayError> {
    let Some(name) = headers.tier.as_deref().filter(|_| caller.rights.overrides) else {
        return Ok(None);
    };
    let exists = settings.tier(name).is_some();
    if exists && models::is_listed(caller, &format!("tier/{name}")) {
        return Ok(Some(name));
    }
    Err(tier_fault(name, "does not exist, or this key may not ask for it"))
}

fn tier_fault(name: &str, what: &str) -> GatewayError {
    let name = models::shortened(name);
    GatewayError::bad_param("x-semgate-tier", format!("The tier `{name}` {what}."))
}

fn forced_by_header(route: &Route, name: &str) -> Result<Choice, GatewayError> {
    match tier_of(route, name) {
        Some(tier) => Ok(Choice::Forced { tier, by: ForcedBy::Header }),
        None => Err(tier_fault(name, &format!("is not among those of the route `{}`", route.name))),
    }
}

/// Who picks among the models of a route.
fn among(strategy: Arc<Strategy>, route: Arc<Route>) -> Choice {
    match *strategy {
        Strategy::Classifier => Choice::Tiers { route },
        _ => Choice::Strategy { route, strategy },
    }
}

fn tier_of(route: &Route, name: &str) -> Option<Arc<Tier>> {
    route.tiers.iter().find(|tier| &*tier.name == name).cloned()
}

fn named(settings: &Settings, model: Arc<Model>, by: ForcedBy) -> Choice {
    let fallbacks = model.fallbacks.iter().filter_map(|name| settings.model(name)).cloned();
    let fallbacks = fallbacks.collect();
    Choice::Named { model, fallbacks, by }
}

/// The configuration's rules on one request.
struct Rules<'a> {
    facts: RuleFacts<'a>,
    /// Evaluations that failed; such a rule does not match.
    errors: u32,
}

impl Rules<'_> {
    /// The first matching rule of `routing.rules`, by its place and text. A rule that sends to a
    /// tier the route lacks, or by a strategy to models of which it has none, does not apply to that route: a route says which tiers may serve it.
    fn route(
        &mut self,
        settings: &Settings,
        route: &Arc<Route>,
    ) -> Option<(Choice, (usize, String))> {
        for (place, rule) in settings.routing.rules.iter().enumerate() {
            let choice = match &rule.then {
                RouteEffect::Tier(name) => {
                    tier_of(route, name).map(|tier| Choice::Forced { tier, by: ForcedBy::Rule })
                }
                RouteEffect::Model(model) => Some(named(settings, model.clone(), ForcedBy::Rule)),
                RouteEffect::Strategy(strategy) => (!strategy.pool(route).is_empty())
                    .then(|| among(strategy.clone(), route.clone())),
            };
            if let Some(choice) = choice
                && self.holds(&rule.when)
            {
                return Some((choice, (place, rule.when.source().to_owned())));
            }
        }
        None
    }

    /// The first matching rule of `cache.rules`; these apply to named models as well.
    fn cache(&mut self, settings: &Settings) -> Option<CacheEffect> {
        if !settings.cache.enabled {
            return None;
        }
        settings.cache.rules.iter().find(|rule| self.holds(&rule.when)).map(|rule| rule.then)
    }

    fn holds(&mut self, when: &Expression) -> bool {
        when.evaluate(&self.facts).unwrap_or_else(|_| {
            self.errors += 1;
            false
        })
    }
}

/// The caller's tags with the key's own over them, so that a caller cannot attribute its cost to
/// another team.
fn merged_tags(caller: &Caller, headers: &RequestHeaders) -> BTreeMap<String, String> {
    let mut tags = headers.tags.clone();
    tags.extend(caller.rights.tags.clone());
    tags
}

/// `None` is any region; an empty list is none at all, and the router will say so.
fn intersection(key: Option<&[String]>, route: Option<Vec<String>>) -> Option<Vec<String>> {
    match (key, route) {
        (None, route) => route,
        (Some(key), None) => Some(key.to_vec()),
        (Some(key), Some(route)) => {
            Some(route.into_iter().filter(|region| key.contains(region)).collect())
        }
    }
}

/// A name for metrics, of which there are only as many as the configuration has.
fn label(settings: &Settings, destination: &Destination) -> Arc<str> {
    match destination {
        Destination::Route(route) => route.name.clone(),
        Destination::Tier(tier) => Arc::from(format!("tier/{}", tier.name)),
        Destination::Model(model) => match settings.model(&model.name) {
            Some(configured) => configured.name.clone(),
            None => Arc::from("other"),
        },
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
