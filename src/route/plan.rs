//! Where a request goes: requirements first, then the policy's choice, then the order in which
//! targets are tried. A pure function of its arguments; health, retries and credentials are
//! dispatch's.

use std::sync::Arc;

use super::choose::{Candidate, Choice as Chosen, Signals};
use super::choose::{adequacy_at, by_loss, by_threshold, doubt_at, loss, position};
use super::learn::Said;
use super::require::{Misfit, Needs, Strictness};
use super::session::{Bill, Held};
use super::strategy::{self, Outlook};
use super::{Planned, RouteDecision, RouteReason};
use crate::config::settings::{Model, Route, Settings, Tier};
use crate::dialect::openai::ChatRequest;
use crate::dialect::openai::request::Facts;
use crate::error::GatewayError;
use crate::policy::{Choice, ForcedBy, Policy};
use crate::price::Money;

/// Decides which tier answers and which targets are tried, in order.
///
/// `signals` is what the classifier says, `None` if it did not run (embedder off, late or failed):
/// a route then goes to its last tier.
///
/// - A *named model* is tried first, then its own fallbacks. Of the model itself only window,
///   region and price ceiling are required; what it can do is for its upstream to say. A fallback
///   is our choice, so every requirement holds for it.
/// - A *forced tier* is never left.
/// - A *strategy* orders the models of a route's tiers, and fails over in that order.
/// - A *route* fails over within the chosen tier, then upward; never downward, and never to a tier
///   that the route lacks.
///
/// # Errors
/// [`GatewayError::NoTargetFits`] names the constraints that left nothing;
/// [`GatewayError::PriceCeiling`] says that the price ceiling alone did.
pub fn decide(
    policy: &Policy,
    request: &ChatRequest,
    settings: &Settings,
    signals: Option<&Signals>,
) -> Result<RouteDecision, GatewayError> {
    decide_within(policy, request, settings, signals, &Outlook::default())
}

/// As [`decide`], with what static strategies are told: the draw, and how targets fare.
///
/// # Errors
/// As [`decide`].
pub fn decide_within(
    policy: &Policy,
    request: &ChatRequest,
    settings: &Settings,
    signals: Option<&Signals>,
    outlook: &Outlook,
) -> Result<RouteDecision, GatewayError> {
    let needs = Needs::of(policy, request);
    match &policy.choice {
        Choice::Named { model, fallbacks, by } => {
            named(&needs, settings, model, fallbacks, reason_of(*by, RouteReason::Named))
        }
        Choice::Forced { tier, by } => {
            let mut sieve = Sieve::default();
            let targets = sieve.tier(&needs, tier);
            if targets.is_empty() {
                return Err(sieve.nothing_fits());
            }
            let reason = reason_of(*by, RouteReason::Forced);
            Ok(sieve.decision(Some(tier.name.clone()), targets, reason))
        }
        Choice::Tiers { route } => {
            among(&needs, settings, (route, request), signals, outlook.held.as_ref())
        }
        Choice::Strategy { route, strategy } => {
            strategy::decide(request, &needs, settings, (route, strategy), outlook)
        }
    }
}

/// What observe mode does with a decision that was made: a route's request goes to the baseline,
/// while a model or tier that the caller asked for stays in force. The decision itself is left for
/// the record, which says what would have been done.
///
/// The baseline is held to window, region and price ceiling like a named model: observing must not
/// send a request where its key forbids. A baseline that does not fit, and a configuration without
/// one, leave the decided targets in place.
pub fn observed(
    decision: &RouteDecision,
    policy: &Policy,
    request: &ChatRequest,
    settings: &Settings,
) -> RouteDecision {
    let asked_for = match &policy.choice {
        Choice::Tiers { .. } | Choice::Strategy { .. } => false,
        Choice::Forced { by, .. } | Choice::Named { by, .. } => *by != ForcedBy::Rule,
    };
    let mut acted = RouteDecision { reason: RouteReason::Observe, ..decision.clone() };
    let Some(baseline) = settings.routing.baseline.as_ref().filter(|_| !asked_for) else {
        return acted;
    };
    if let Ok(set_max_output) = Needs::of(policy, request).fit(baseline, Strictness::Named) {
        let tier = tier_of(settings, baseline);
        acted.tier = tier.clone();
        acted.targets = vec![Planned { model: baseline.clone(), tier, set_max_output, why: None }];
        acted.set_max_output = set_max_output;
    }
    acted
}

/// What the request would cost on the model with `output` completion tokens, from the prompt's
/// estimate and without any provider-side caching; `None` where the price is unknown.
pub fn estimate_cost(model: &Model, facts: &Facts, output: u64) -> Option<Money> {
    model.price.map(|price| price.of_tokens(facts.prompt_tokens, output))
}

/// Completion tokens expected of a request. A limit above it is a guard, not what is expected:
/// counted in full it would let the output price alone decide.
pub(super) fn expected_output(limit: Option<u64>) -> u64 {
    const USUAL: u64 = 200;
    limit.map_or(USUAL, |limit| limit.min(USUAL))
}

fn reason_of(by: ForcedBy, otherwise: RouteReason) -> RouteReason {
    if by == ForcedBy::Rule { RouteReason::Rule } else { otherwise }
}

fn named(
    needs: &Needs<'_>,
    settings: &Settings,
    model: &Arc<Model>,
    fallbacks: &[Arc<Model>],
    reason: RouteReason,
) -> Result<RouteDecision, GatewayError> {
    let mut sieve = Sieve::default();
    let own = tier_of(settings, model);
    // The requested model failing a requirement ends the request: its fallbacks stand in for an
    // upstream in trouble, not for another choice of model.
    let Some(first) = sieve.model(needs, model, own.clone(), Strictness::Named) else {
        return Err(sieve.nothing_fits());
    };
    let mut targets = vec![first];
    for fallback in fallbacks {
        let tier = tier_of(settings, fallback);
        targets.extend(sieve.model(needs, fallback, tier, Strictness::Picked));
    }
    Ok(sieve.decision(own, targets, reason))
}

/// A tier of a route with the targets that are left of it.
struct Left<'a> {
    tier: &'a Arc<Tier>,
    candidate: Candidate,
    targets: Vec<Planned>,
}

fn among(
    needs: &Needs<'_>,
    settings: &Settings,
    (route, request): (&Route, &ChatRequest),
    signals: Option<&Signals>,
    held: Option<&Held>,
) -> Result<RouteDecision, GatewayError> {
    let mut sieve = Sieve::default();
    let mut left = Vec::with_capacity(route.tiers.len());
    for tier in &route.tiers {
        let targets = sieve.tier(needs, tier);
        if !targets.is_empty() {
            left.push(Left { tier, candidate: candidate(settings, tier, signals), targets });
        }
    }
    if left.is_empty() {
        return Err(sieve.nothing_fits());
    }
    let mut chosen = choose(settings, route, &left, signals);
    if let Some(held) = held {
        chosen = stay(chosen, held, &left, request);
    }
    for (passed, why) in left.iter().zip(chosen.passed_over) {
        sieve.passed_over.push((format!("tier/{}", passed.tier.name), why));
    }
    let tier = left[chosen.index].tier.name.clone();
    let candidates: Vec<Candidate> = left.iter().map(|left| left.candidate).collect();
    let loss = loss(&candidates, chosen.index, strongest(settings, &left));
    let targets = left.drain(chosen.index..).flat_map(|left| left.targets).collect();
    let mut decision = sieve.decision(Some(tier), targets, chosen.reason);
    if let Some(signals) = signals {
        decision.features = signals.features.named();
        decision.loss = Some(loss);
        decision.version = signals.learnt.version;
        decision.probabilities = route
            .tiers
            .iter()
            .map(|tier| (tier.name.clone(), candidate(settings, tier, Some(signals)).adequacy))
            .collect();
    }
    Ok(decision)
}

fn choose(
    settings: &Settings,
    route: &Route,
    left: &[Left<'_>],
    signals: Option<&Signals>,
) -> Chosen {
    let only = |index, reason| Chosen { index, reason, passed_over: Vec::new() };
    if left.len() == 1 {
        return only(0, RouteReason::OnlyTier);
    }
    if signals.is_none() {
        return only(left.len() - 1, RouteReason::NoClassifier);
    }
    let candidates: Vec<Candidate> = left.iter().map(|left| left.candidate).collect();
    if route.has_thresholds() {
        return by_threshold(&candidates);
    }
    by_loss(&candidates, strongest(settings, left))
}

/// The place of the tier against which losses count: the baseline's, or the last that is left.
fn strongest(settings: &Settings, left: &[Left<'_>]) -> usize {
    let baseline = baseline_tier(settings);
    let place = baseline.and_then(|tier| left.iter().position(|left| left.tier.name == tier.name));
    place.unwrap_or(left.len() - 1)
}

/// What was chosen, unless a cheaper tier than the conversation's was, and staying is worth it.
fn stay(chosen: Chosen, held: &Held, left: &[Left<'_>], request: &ChatRequest) -> Chosen {
    let place = left.iter().position(|left| left.tier.name == held.tier);
    let Some(place) = place.filter(|place| *place > chosen.index) else { return chosen };
    let bill = |place: usize| Bill {
        price: left[place].targets.first().and_then(|target| target.model.price),
        prompt_tokens: request.facts.prompt_tokens,
        output_tokens: expected_output(request.max_output),
    };
    let Some(stay) = held.stay(&bill(place), &bill(chosen.index)) else { return chosen };
    let mut passed_over = chosen.passed_over;
    passed_over.resize(place, stay.to_string());
    Chosen { index: place, reason: RouteReason::Session, passed_over }
}

/// What the classifier says about a tier. Its capability is that of its first model, where that was
/// measured, else its place among *all* tiers of the file, so that `small` means the same in a
/// route that lacks the others.
fn candidate(settings: &Settings, tier: &Tier, signals: Option<&Signals>) -> Candidate {
    let all = &settings.routing.tiers;
    let min_adequacy = tier.min_adequacy;
    let Some(signals) = signals else {
        let (word, said) = (None, Said::default());
        return Candidate { adequacy: 0.0, doubt: 0.0, min_adequacy, word, said };
    };
    let place = all.iter().position(|other| other.name == tier.name);
    let measured = tier.models.first().and_then(|model| signals.learnt.positions.get(&model.name));
    let position =
        measured.copied().unwrap_or_else(|| position(place.unwrap_or(all.len()), all.len()));
    let said = signals.learnt.said(&tier.name);
    Candidate {
        adequacy: said.adequacy(adequacy_at(&signals.adequacy, position)),
        doubt: doubt_at(&signals.doubt, position),
        min_adequacy,
        word: signals.learnt.word(&tier.name),
        said,
    }
}

/// Where a model stands between small (0) and frontier (2) by the rank of its tier; outside the tiers
/// half way.
pub fn tier_place(settings: &Settings, model: &Model) -> f64 {
    let all = &settings.routing.tiers;
    let tier = tier_of(settings, model);
    let place = tier.and_then(|name| all.iter().position(|tier| tier.name == name));
    place.map_or(position(1, 3), |place| position(place, all.len()))
}

/// The tier that holds `routing.baseline`, else the last.
pub(super) fn baseline_tier(settings: &Settings) -> Option<&Arc<Tier>> {
    let holds = settings.routing.baseline.as_ref().and_then(|model| tier_of(settings, model));
    holds.and_then(|name| settings.tier(&name)).or(settings.routing.tiers.last())
}

/// The cheapest tier that holds the model.
pub(super) fn tier_of(settings: &Settings, model: &Model) -> Option<Arc<str>> {
    let holds = |tier: &&Arc<Tier>| tier.models.iter().any(|other| other.name == model.name);
    settings.routing.tiers.iter().find(holds).map(|tier| tier.name.clone())
}

/// Collects what the requirements drop, in order, with the reasons.
#[derive(Default)]
pub(super) struct Sieve {
    passed_over: Vec<(String, String)>,
    misfits: Vec<Misfit>,
}

impl Sieve {
    /// The models of the tier that fit.
    fn tier(&mut self, needs: &Needs<'_>, tier: &Tier) -> Vec<Planned> {
        let mut targets = Vec::with_capacity(tier.models.len());
        for model in &tier.models {
            targets.extend(self.model(needs, model, Some(tier.name.clone()), Strictness::Picked));
        }
        targets
    }

    /// The model as a target, if it fits.
    pub(super) fn model(
        &mut self,
        needs: &Needs<'_>,
        model: &Arc<Model>,
        tier: Option<Arc<str>>,
        strictness: Strictness,
    ) -> Option<Planned> {
        match needs.fit(model, strictness) {
            Ok(set_max_output) => {
                Some(Planned { model: model.clone(), tier, set_max_output, why: None })
            }
            Err(misfit) => {
                self.passed_over.push((model.name.to_string(), misfit.to_string()));
                self.misfits.push(misfit);
                None
            }
        }
    }

    pub(super) fn decision(
        self,
        tier: Option<Arc<str>>,
        targets: Vec<Planned>,
        reason: RouteReason,
    ) -> RouteDecision {
        let set_max_output = targets.first().and_then(|target| target.set_max_output);
        RouteDecision {
            tier,
            targets,
            reason,
            probabilities: Vec::new(),
            features: Vec::new(),
            loss: None,
            version: 0,
            passed_over: self.passed_over,
            set_max_output,
        }
    }

    /// Every model was dropped. If one fits but for its price, the ceiling is what the caller can
    /// change; else the constraints are named.
    pub(super) fn nothing_fits(&self) -> GatewayError {
        let reasons: Vec<String> =
            self.passed_over.iter().map(|(model, why)| format!("{model}: {why}")).collect();
        let reasons = reasons.join("; ");
        if self.misfits.iter().any(|misfit| matches!(misfit, Misfit::Ceiling { .. })) {
            let message = format!(
                "No model that fits this request stays within the price ceiling of \
                 `x-semgate-max-cost-usd` ({reasons})."
            );
            return GatewayError::PriceCeiling { message };
        }
        let mut constraints: Vec<&str> = self.misfits.iter().map(Misfit::constraint).collect();
        constraints.sort_unstable();
        constraints.dedup();
        let constraints = constraints.join(", ");
        let message = format!("No model in force fits this request: {constraints} ({reasons}).");
        GatewayError::NoTargetFits { message }
    }
}

#[cfg(test)]
pub(super) mod fixture;
#[cfg(test)]
mod tests;
