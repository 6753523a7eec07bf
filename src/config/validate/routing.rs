//! `routing`: tiers, rules, routes and the baseline.

use std::sync::Arc;

use super::cache::{is_on, mode};
use super::strategy::{self, Reach};
use super::upstream::Upstreams;
use super::{Check, short};
use crate::config::at::At;
use crate::config::raw::{RawRoute, RawRouteRule, RawRouting, RawTier};
use crate::config::settings::{Model, Route, RouteEffect, RouteRule, Routing, Tier};
use crate::config::tree::Id;
use crate::route::Strategy;

/// The route over all tiers.
const AUTO: &str = "auto";

/// A tier and where it stands.
type Placed = (Id, Arc<Tier>);

pub(super) fn routing(raw: &RawRouting, upstreams: &Upstreams, check: &mut Check<'_>) -> Routing {
    let tiers = tiers(raw, upstreams, check);
    let confidence = raw.confidence.as_ref().map_or(0.9, |share| share.value.0);
    if let Some(written) = &raw.confidence
        && !(confidence > 0.0 && confidence < 1.0)
    {
        check.fault(written.id, "confidence is neither 0 nor 1", "write a share such as 0.9");
    }
    let baseline = baseline(raw, &tiers, upstreams, check);
    let rules = raw.rules.iter().flatten();
    let reach = tier_models_of(tiers.iter().map(|(_, tier)| tier));
    let rules = rules.filter_map(|item| rule(item, raw, upstreams, &reach, check)).collect();
    Routing {
        mode: mode(&raw.mode),
        max_quality_loss: raw.max_quality_loss.as_ref().map_or(0.02, |share| share.value.0),
        confidence,
        shadow: raw.shadow.as_ref().map_or(0.0, |share| share.value.0),
        baseline,
        routes: routes(raw, &tiers, upstreams, check),
        rules,
        tiers: tiers.into_iter().map(|(_, tier)| tier).collect(),
    }
}

/// The models of these tiers, each once.
fn tier_models_of<'t>(tiers: impl Iterator<Item = &'t Arc<Tier>>) -> Vec<Arc<Model>> {
    let mut models: Vec<Arc<Model>> = Vec::new();
    for model in tiers.flat_map(|tier| &tier.models) {
        if !models.iter().any(|known| known.name == model.name) {
            models.push(model.clone());
        }
    }
    models
}

fn tier_names(raw: &RawRouting) -> Vec<&str> {
    let tiers = raw.tiers.iter().flatten();
    tiers.filter_map(|tier| Some(tier.value.name.as_ref()?.value.as_str())).collect()
}

fn tiers(raw: &RawRouting, upstreams: &Upstreams, check: &mut Check<'_>) -> Vec<Placed> {
    let mut tiers: Vec<Placed> = Vec::new();
    for item in raw.tiers.iter().flatten() {
        let models = tier_models(item, upstreams, check);
        let Some(name) = check.required(item.id, "name", &item.value.name) else { continue };
        let names: Vec<&str> = tiers.iter().map(|(_, tier)| &*tier.name).collect();
        if check.name(name, "tier", false) && check.first(name, "tier", &names) {
            let min_adequacy = item.value.min_adequacy.as_ref().map(|share| share.value.0);
            let name = Arc::from(name.value.as_str());
            tiers.push((item.id, Arc::new(Tier { name, models, min_adequacy })));
        }
    }
    tiers
}

fn tier_models(
    item: &At<RawTier>,
    upstreams: &Upstreams,
    check: &mut Check<'_>,
) -> Vec<Arc<Model>> {
    let written = item.value.models.as_deref().unwrap_or_default();
    if check.lacks(item.id, "models", &item.value.models) {
        check.fault(item.id, "a tier without models", "write `models: [name]`");
    }
    let known = upstreams.known_models();
    for named in written {
        let model = upstreams.model(&named.value);
        if model.is_none() && !known.contains(&named.value.as_str()) {
            check.unknown(named, "model", &known);
        }
        // A model whose price is written has its fault there already.
        if model.is_some_and(|model| model.price.is_none()) {
            let problem = format!("the price of `{}` is not known", short(&named.value));
            let advice =
                "write `price: {input: …, output: …}` (USD per million tokens) at the model";
            check.fault(named.id, problem, advice);
        }
    }
    let names = check.texts(Some(written), "model");
    names.iter().filter_map(|name| upstreams.model(name).cloned()).collect()
}

fn baseline(
    raw: &RawRouting,
    tiers: &[Placed],
    upstreams: &Upstreams,
    check: &mut Check<'_>,
) -> Option<Arc<Model>> {
    let Some(named) = &raw.baseline else {
        // The first of equals: a later one must cost more.
        let rate = |model: &Model| model.price.map(|price| (price.output, price.input));
        let last = &tiers.last()?.1.models;
        return last.iter().rev().max_by_key(|model| rate(model)).cloned();
    };
    let model = upstreams.model(&named.value).cloned();
    let known = upstreams.known_models();
    match &model {
        None if !known.contains(&named.value.as_str()) => check.unknown(named, "model", &known),
        Some(model) if model.price.is_none() => {
            let problem = format!("the price of the baseline `{}` is not known", model.name);
            check.warn(named.id, problem, "write its `price`, or savings cannot be told");
        }
        _ => {}
    }
    model
}

fn rule(
    item: &At<RawRouteRule>,
    raw: &RawRouting,
    upstreams: &Upstreams,
    reach: &[Arc<Model>],
    check: &mut Check<'_>,
) -> Option<RouteRule> {
    const ADVICE: &str = "write one of `{tier: name}`, `{model: name}` and `{strategy: …}`";
    let when = check.when(item.id, &item.value.when);
    let then = check.required(item.id, "then", &item.value.then)?;
    let effect = match (&then.value.tier, &then.value.model, &then.value.strategy) {
        (Some(tier), None, None) => {
            let known = tier_names(raw);
            let exists = known.contains(&tier.value.as_str());
            if !exists {
                check.unknown(tier, "tier", &known);
            }
            exists.then(|| RouteEffect::Tier(Arc::from(tier.value.as_str())))
        }
        (None, Some(named), None) => {
            let model = upstreams.model(&named.value).cloned();
            let known = upstreams.known_models();
            if model.is_none() && !known.contains(&named.value.as_str()) {
                check.unknown(named, "model", &known);
            }
            model.map(RouteEffect::Model)
        }
        (None, None, Some(written)) => {
            let strategy = strategy::strategy(written, Reach::Tiers(reach), upstreams, check);
            strategy.map(|strategy| RouteEffect::Strategy(Arc::new(strategy)))
        }
        (None, None, None) => {
            if check.is_bare(then.id) {
                check.fault(then.id, "the rule does nothing", ADVICE);
            }
            None
        }
        _ => {
            check.fault(then.id, "a rule does one thing, not two", ADVICE);
            None
        }
    };
    Some(RouteRule { when: when?, then: effect? })
}

fn routes(
    raw: &RawRouting,
    tiers: &[Placed],
    upstreams: &Upstreams,
    check: &mut Check<'_>,
) -> Vec<Arc<Route>> {
    let mut routes: Vec<Arc<Route>> = Vec::new();
    let written = raw.routes.as_deref().unwrap_or_default();
    let has_auto = written.iter().any(|r| r.value.name.as_ref().is_some_and(|n| n.value == AUTO));
    if !has_auto && !tiers.is_empty() {
        thresholds(AUTO, tiers, check);
        routes.push(Arc::new(Route {
            name: Arc::from(AUTO),
            tiers: tiers.iter().map(|(_, tier)| tier.clone()).collect(),
            regions: None,
            cache: true,
            strategy: Arc::default(),
        }));
    }
    for item in written {
        if let Some(route) = route(item, raw, tiers, upstreams, check) {
            let names: Vec<&str> = routes.iter().map(|route| &*route.name).collect();
            let name = item.value.name.as_ref().expect("invariant: a route was made of its name");
            if check.first(name, "route", &names) {
                routes.push(Arc::new(route));
            }
        }
    }
    // `auto` stands first wherever the file defines it.
    routes.sort_by_key(|route| &*route.name != AUTO);
    routes
}

fn route(
    item: &At<RawRoute>,
    raw: &RawRouting,
    all: &[Placed],
    upstreams: &Upstreams,
    check: &mut Check<'_>,
) -> Option<Route> {
    let written = item.value.tiers.as_deref().unwrap_or_default();
    if check.lacks(item.id, "tiers", &item.value.tiers) {
        check.fault(item.id, "a route without tiers", "write `tiers: [name]`, cheapest first");
    }
    let known = tier_names(raw);
    for named in written.iter().filter(|named| !known.contains(&named.value.as_str())) {
        check.unknown(named, "tier", &known);
    }
    let own = item.value.min_adequacy.iter().flatten();
    for (tier, _) in own.clone().filter(|(tier, _)| !written.contains(tier)) {
        let known: Vec<&str> = written.iter().map(|tier| tier.value.as_str()).collect();
        check.unknown(tier, "tier of this route", &known);
    }
    let tiers: Vec<Placed> = check
        .texts(Some(written), "tier")
        .iter()
        .filter_map(|name| all.iter().find(|(_, tier)| *tier.name == **name))
        .map(|(id, tier)| {
            let mine = own.clone().find(|(name, _)| *name.value == *tier.name);
            let min_adequacy = mine.map_or(tier.min_adequacy, |(_, share)| Some(share.value.0));
            (*id, Arc::new(Tier { min_adequacy, ..Tier::clone(tier) }))
        })
        .collect();
    let place = |wanted: &Placed| all.iter().position(|(_, tier)| tier.name == wanted.1.name);
    if !tiers.is_sorted_by_key(place) {
        let problem = "the tiers of the route are not in the order of `routing.tiers`";
        check.fault(item.id, problem, "write the cheapest first, as there");
    }
    let name = check.required(item.id, "name", &item.value.name)?;
    if !check.name(name, "route", true) {
        return None;
    }
    let strategy = route_strategy(&item.value, &tiers, upstreams, check);
    if matches!(strategy, Strategy::Classifier) {
        // The fault of a route is told at the route, whose own values may be the cause.
        let here: Vec<Placed> = tiers.iter().map(|(_, tier)| (name.id, tier.clone())).collect();
        thresholds(&name.value, &here, check);
    }
    let regions = item.value.regions.as_deref();
    let regions = regions.map(|regions| check.texts(Some(regions), "region"));
    if let (Some(regions), Some(first)) = (&regions, item.value.regions.iter().flatten().next()) {
        warn_regions(&tiers, regions, first.id, check);
    }
    Some(Route {
        name: Arc::from(name.value.as_str()),
        tiers: tiers.into_iter().map(|(_, tier)| tier).collect(),
        regions,
        cache: is_on(&item.value.cache, true),
        strategy: Arc::new(strategy),
    })
}

/// The route's strategy. Thresholds of its own beside one that asks for none are a fault; those of
/// its tiers are there for other routes.
fn route_strategy(
    raw: &RawRoute,
    tiers: &[Placed],
    upstreams: &Upstreams,
    check: &mut Check<'_>,
) -> Strategy {
    let Some(written) = &raw.strategy else { return Strategy::Classifier };
    let reach = tier_models_of(tiers.iter().map(|(_, tier)| tier));
    let strategy = strategy::strategy(written, Reach::Route(&reach), upstreams, check);
    let chosen = strategy.as_ref().is_some_and(|strategy| !strategy.is_classifier());
    if chosen && raw.min_adequacy.as_ref().is_some_and(|own| !own.is_empty()) {
        let problem =
            "only the classifier asks for `min_adequacy`, and this route has another strategy";
        check.fault(written.id, problem, "leave out one of the two");
    }
    strategy.unwrap_or_default()
}

/// Threshold mode wants a threshold of every tier but the last, which takes what is left.
fn thresholds(route: &str, tiers: &[Placed], check: &mut Check<'_>) {
    let Some((_, but_last)) = tiers.split_last() else { return };
    if tiers.iter().all(|(_, tier)| tier.min_adequacy.is_none()) {
        return;
    }
    for (id, tier) in but_last.iter().filter(|(_, tier)| tier.min_adequacy.is_none()) {
        let problem = format!(
            "tier `{}` has no `min_adequacy` in route `{}`, where another has",
            tier.name,
            short(route)
        );
        check.fault(*id, problem, "write it for every tier but the last, or for none");
    }
}

fn warn_regions(tiers: &[Placed], regions: &[String], id: Id, check: &mut Check<'_>) {
    let mut models = tiers.iter().flat_map(|(_, tier)| &tier.models);
    if !models.any(|model| model.provider.region.as_ref().is_some_and(|r| regions.contains(r))) {
        let problem = format!("no model of the route is in {}", regions.join(" or "));
        check.warn(id, problem, "set `region` at a provider, or no request can be answered");
    }
}
