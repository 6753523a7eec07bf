//! Table tests and properties of the plan, on the configuration of `fixture`.

use proptest::prelude::*;

use super::fixture::{auto, model, policy, request, settings, signals, tiers};
use super::*;
use crate::route::Evidence;
use crate::route::evidence::promise::{Kept, Lack};
use crate::route::evidence::shift::Watched;
use crate::route::learn::{Pair, Word};

fn names(decision: &RouteDecision) -> Vec<&str> {
    decision.targets.iter().map(|target| &*target.model.name).collect()
}

fn why<'a>(decision: &'a RouteDecision, name: &str) -> &'a str {
    let found = decision.passed_over.iter().find(|(passed, _)| passed == name);
    &found.expect("that name was passed over").1
}

const THRESHOLDS: [Option<f64>; 2] = [Some(0.8), Some(0.7)];

#[test]
fn thresholds_take_the_first_tier_that_reaches_its_value_then_go_upward() {
    let settings = settings(tiers(THRESHOLDS));
    let cases: [([f64; 3], &str, RouteReason, &[&str]); 4] = [
        ([0.8, 0.9, 0.9], "small", RouteReason::Adequate, &["mini", "mini-eu", "medium", "big"]),
        ([0.79, 0.9, 0.9], "mid", RouteReason::Adequate, &["medium", "big"]),
        ([0.5, 0.7, 0.7], "mid", RouteReason::Adequate, &["medium", "big"]),
        ([0.1, 0.2, 0.3], "frontier", RouteReason::LastTier, &["big"]),
    ];
    for (adequacy, tier, reason, targets) in cases {
        let policy = auto(&settings);
        let decision = decide(&policy, &request(100), &settings, Some(&signals(adequacy))).unwrap();
        assert_eq!(decision.tier.as_deref(), Some(tier));
        assert_eq!((decision.reason, names(&decision).as_slice()), (reason, targets));
        let given: Vec<f64> = decision.probabilities.iter().map(|(_, p)| *p).collect();
        assert_eq!(given, adequacy);
        assert_eq!(decision.features.len(), crate::route::features::FEATURES.len());
    }
    let low = signals([0.61, 0.65, 0.9]);
    let decision = decide(&auto(&settings), &request(100), &settings, Some(&low)).unwrap();
    assert_eq!(why(&decision, "tier/small"), "P(adequate) 0.610 < 0.8");
    assert_eq!(why(&decision, "tier/mid"), "P(adequate) 0.650 < 0.7");
}

/// A tier of which the labels show that requests of a gain below the threshold keep the loss.
fn kept(gain: f64, threshold: f64) -> Word {
    let kept = Kept { threshold, bound: 0.0187, loss: 0.011, weak_share: 0.4 };
    Word::Kept { gain, kept, labels: 812 }
}

/// What is known of small and of mid against the frontier.
fn learnt(words: [Word; 2]) -> Signals {
    let pair = |weak: &str| Pair {
        weak: weak.into(),
        strong: "frontier".into(),
        name: format!("{weak} < frontier").into(),
    };
    let mut signals = signals([0.4, 0.5, 0.9]);
    signals.learnt.words = vec![(pair("small"), words[0]), (pair("mid"), words[1])];
    signals.learnt.version = 7;
    signals
}

#[test]
fn quality_mode_takes_the_cheapest_tier_whose_labels_keep_the_loss() {
    let settings = settings(tiers([None, None]));
    let few = Word::Lacks(Lack::Labels { have: 12, need: 150 });
    let cases = [
        ([kept(0.02, 0.1), few], "small", RouteReason::WithinLoss),
        ([kept(0.10, 0.1), kept(-0.01, 0.05)], "mid", RouteReason::WithinLoss),
        ([kept(0.10, 0.1), few], "frontier", RouteReason::Abstained),
        ([few, few], "frontier", RouteReason::Abstained),
        ([Word::Drift(Watched::Surface); 2], "frontier", RouteReason::Drift),
        ([Word::Uncovered("tools"); 2], "frontier", RouteReason::Abstained),
    ];
    for (words, tier, reason) in cases {
        let signals = learnt(words);
        let decision = decide(&auto(&settings), &request(100), &settings, Some(&signals)).unwrap();
        assert_eq!((decision.tier.as_deref(), decision.reason), (Some(tier), reason));
        assert_eq!(decision.version, 7);
    }
}

#[test]
fn a_tier_that_is_passed_over_says_what_it_lacks() {
    let settings = settings(tiers([None, None]));
    let plan = |words| decide(&auto(&settings), &request(9), &settings, Some(&learnt(words)));
    let few = Word::Lacks(Lack::Labels { have: 12, need: 150 });
    let decision = plan([kept(0.123, 0.1), few]).unwrap();
    let expected = "the stronger tier is expected to gain 12.3 points, and up to 10 the stated loss \
                    is kept (at most 1.9 points, from 812 labels)";
    assert_eq!(why(&decision, "tier/small"), expected);
    assert_eq!(why(&decision, "tier/mid"), "12 labels of this traffic, of at least 150");
    let loss = decision.loss.unwrap();
    assert_eq!((loss.expected, loss.evidence), (0.0, Evidence::Baseline));
    let loss = plan([kept(0.02, 0.1), few]).unwrap().loss.unwrap();
    assert_eq!((loss.expected, loss.bound, loss.evidence), (0.02, 0.0187, Evidence::Labels(812)));
}

#[test]
fn callers_who_complain_nearby_are_heard_in_both_modes() {
    let complaint = vec![("small".into(), Said { good: 0.0, bad: 2.0 })];
    let quality = settings(tiers([None, None]));
    let mut signals = learnt([kept(0.0, 0.1); 2]);
    signals.learnt.said = complaint.clone();
    let decision = decide(&auto(&quality), &request(9), &quality, Some(&signals)).unwrap();
    assert_eq!(decision.tier.as_deref(), Some("mid"));
    let expected = "callers complained of its answers to like requests";
    assert_eq!(why(&decision, "tier/small"), expected);
    let thresholds = settings(tiers(THRESHOLDS));
    let mut signals = self::signals([0.9, 0.9, 0.9]);
    signals.learnt.said = complaint;
    let decision = decide(&auto(&thresholds), &request(9), &thresholds, Some(&signals)).unwrap();
    assert_eq!(decision.tier.as_deref(), Some("mid"));
    // (2 × 0.9 + 0) / (2 + 2).
    assert_eq!(why(&decision, "tier/small"), "P(adequate) 0.450 < 0.8");
    let loss = decision.loss.unwrap();
    assert_eq!((loss.expected, loss.bound, loss.evidence), (0.0, 0.05, Evidence::Heads));
}

#[test]
fn a_measured_model_stands_where_it_was_found() {
    let settings = settings(tiers(THRESHOLDS));
    let mut signals = signals([0.5, 0.6, 0.9]);
    // As good as the frontier, whatever its rank in the file.
    signals.learnt.positions = Arc::new([("mini".into(), 2.0)].into());
    let decision = decide(&auto(&settings), &request(9), &settings, Some(&signals)).unwrap();
    assert_eq!((decision.tier.as_deref(), decision.probabilities[0].1), (Some("small"), 0.9));
}

#[test]
fn a_conversation_keeps_its_tier_until_leaving_pays() {
    let settings = settings(tiers(THRESHOLDS));
    let plan = |adequacy, tier: &str, lower| {
        let held = Some(Held { tier: tier.into(), lower, kept: 0 });
        let outlook = Outlook { held, ..Outlook::default() };
        let signals = Some(signals(adequacy));
        decide_within(&auto(&settings), &request(9), &settings, signals.as_ref(), &outlook).unwrap()
    };
    let easy = [0.9, 0.9, 0.9];
    let stays = plan(easy, "mid", 0);
    assert_eq!((stays.tier.as_deref(), stays.reason), (Some("mid"), RouteReason::Session));
    let expected = "good enough, but the conversation keeps its tier (turn 1 of 3)";
    assert_eq!(why(&stays, "tier/small"), expected);
    assert_eq!(names(&stays), ["medium", "big"]);
    assert_eq!(plan(easy, "mid", 2).reason, RouteReason::Adequate);
    let rises = plan([0.1, 0.2, 0.3], "mid", 0);
    assert_eq!((rises.tier.as_deref(), rises.reason), (Some("frontier"), RouteReason::LastTier));
    assert_eq!(plan(easy, "small", 0).reason, RouteReason::Adequate);
    assert_eq!(plan(easy, "gone", 0).reason, RouteReason::Adequate);
}

#[test]
fn a_cheaper_baseline_is_where_quality_mode_stops() {
    let mut settings = settings(tiers([None, None]));
    settings.routing.baseline = settings.model("mini").cloned();
    let signals = signals([0.1, 0.9, 0.99]);
    let decision = decide(&auto(&settings), &request(9), &settings, Some(&signals)).unwrap();
    assert_eq!(decision.tier.as_deref(), Some("small"));
    assert_eq!(decision.reason, RouteReason::WithinLoss);
    settings.routing.baseline = settings.model("medium").cloned();
    let decision = decide(&auto(&settings), &request(9), &settings, Some(&signals)).unwrap();
    assert_eq!(decision.tier.as_deref(), Some("mid"));
    assert_eq!(decision.reason, RouteReason::Abstained);
}

#[test]
fn without_a_classifier_the_last_tier_answers() {
    let settings = settings(tiers(THRESHOLDS));
    let decision = decide(&auto(&settings), &request(100), &settings, None).unwrap();
    assert_eq!(decision.tier.as_deref(), Some("frontier"));
    assert_eq!(decision.reason, RouteReason::NoClassifier);
    assert!(decision.probabilities.is_empty() && decision.features.is_empty());
}

#[test]
fn each_requirement_drops_what_misses_it_and_says_so() {
    let settings = settings(tiers(THRESHOLDS));
    let sure = signals([0.99, 0.99, 0.99]);
    let decide = |request: &ChatRequest, policy: &Policy| {
        super::decide(policy, request, &settings, Some(&sure)).unwrap()
    };
    let mut image = request(10);
    image.facts.has_image = true;
    let decision = decide(&image, &auto(&settings));
    assert_eq!(names(&decision), ["mini-eu", "medium", "big"]);
    assert!(why(&decision, "mini").contains("vision"));
    let mut tools = request(10);
    tools.facts.has_tools = true;
    assert_eq!(names(&decide(&tools, &auto(&settings))), ["mini", "mini-eu", "big"]);
    let mut schema = request(10);
    schema.facts.wants_json_schema = true;
    assert_eq!(names(&decide(&schema, &auto(&settings))), ["mini-eu", "medium", "big"]);
    let long = request(7_937);
    let decision = decide(&long, &auto(&settings));
    assert_eq!(names(&decision), ["medium", "big"]);
    assert_eq!(why(&decision, "mini"), "context window 8192 < 8193 tokens needed");
    let limited = ChatRequest { max_output: Some(5_000), ..request(4_000) };
    assert_eq!(names(&decide(&limited, &auto(&settings))), ["medium", "big"]);
    let eu = Policy { regions: Some(vec!["eu".into()]), ..auto(&settings) };
    let decision = decide(&request(10), &eu);
    assert_eq!(names(&decision), ["mini-eu", "medium"]);
    assert!(why(&decision, "mini").contains("region unknown"));
    assert!(why(&decision, "big").contains("region us"));
}

#[test]
fn one_tier_left_needs_no_classifier() {
    let settings = settings(tiers(THRESHOLDS));
    let us = Policy { regions: Some(vec!["us".into()]), ..auto(&settings) };
    for signals in [None, Some(signals([0.9, 0.9, 0.9]))] {
        let decision = decide(&us, &request(10), &settings, signals.as_ref()).unwrap();
        assert_eq!(names(&decision), ["big"]);
        assert_eq!(decision.reason, RouteReason::OnlyTier);
    }
}

#[test]
fn nothing_left_names_the_constraints() {
    let settings = settings(tiers(THRESHOLDS));
    let fault = decide(&auto(&settings), &request(200_000), &settings, None).unwrap_err();
    assert_eq!(fault.outcome(), "no_target_fits");
    assert!(fault.message().contains("fits this request: context window ("));
    let mut image = request(10);
    image.facts.has_image = true;
    let ap = Policy { regions: Some(vec!["ap".into()]), ..auto(&settings) };
    let fault = decide(&ap, &image, &settings, None).unwrap_err();
    assert!(fault.message().contains(": region, vision ("), "{}", fault.message());
}

#[test]
fn a_price_ceiling_drops_sets_a_limit_or_refuses() {
    let settings = settings(tiers(THRESHOLDS));
    let sure = signals([0.99, 0.99, 0.99]);
    let with = |micros: i128, max_output, tokens| {
        let ceiling = Some(Money::from_pico(micros * 1_000_000));
        let policy = Policy { max_cost: ceiling, ..auto(&settings) };
        let request = ChatRequest { max_output, ..request(tokens) };
        decide(&policy, &request, &settings, Some(&sure))
    };
    // 2,000 µ$ at 1, 5 and 20 $ per million: 2,000, 400 and 100 tokens in all.
    let decision = with(2_000, None, 100).unwrap();
    assert_eq!(names(&decision), ["mini", "mini-eu", "medium"]);
    let limits: Vec<_> = decision.targets.iter().map(|target| target.set_max_output).collect();
    assert_eq!(limits, [Some(1_900), Some(1_900), Some(300)]);
    assert_eq!(decision.set_max_output, Some(1_900));
    assert!(why(&decision, "big").starts_with("price ceiling $0.002 <"));
    // The caller's own limit is priced whole, and nothing is set.
    let decision = with(2_000, Some(301), 100).unwrap();
    assert_eq!((names(&decision), decision.set_max_output), (vec!["mini", "mini-eu"], None));
    // What the ceiling affords beyond the model's own limits is not asked for.
    let decision = with(1_000_000, None, 100).unwrap();
    let limits: Vec<_> = decision.targets.iter().map(|target| target.set_max_output).collect();
    assert_eq!(limits, [Some(8_092), Some(3_996), Some(1_000), Some(49_900)]);
    // 255 tokens are too few.
    assert!(with(356, None, 100).is_ok());
    let fault = with(355, None, 100).unwrap_err();
    assert_eq!(fault.outcome(), "price_ceiling");
    // A request that fits no window is not told about money.
    assert_eq!(with(355, None, 200_000).unwrap_err().outcome(), "no_target_fits");
}

#[test]
fn an_unknown_price_misses_every_ceiling() {
    let mut settings = settings(tiers(THRESHOLDS));
    let free = Model { price: None, ..model("free", None, 9_000, 0) };
    settings.models.push(Arc::new(free));
    let choice = Choice::Named {
        model: settings.model("free").expect("it is there").clone(),
        fallbacks: Vec::new(),
        by: ForcedBy::Name,
    };
    let policy = Policy { max_cost: Some(Money::from_pico(1 << 60)), ..policy(choice) };
    let fault = decide(&policy, &request(10), &settings, None).unwrap_err();
    assert_eq!(fault.outcome(), "price_ceiling");
    assert!(fault.message().contains("price unknown"));
}

#[test]
fn a_named_model_goes_to_itself_then_to_its_fallbacks_that_fit() {
    let settings = settings(tiers(THRESHOLDS));
    let get = |name: &str| settings.model(name).expect("a model of that name").clone();
    let named = |by| {
        let fallbacks = vec![get("medium"), get("mini"), get("big")];
        policy(Choice::Named { model: get("mini"), fallbacks, by })
    };
    let mut image = request(10);
    image.facts.has_image = true;
    let decision = decide(&named(ForcedBy::Name), &image, &settings, None).unwrap();
    assert_eq!(names(&decision), ["mini", "medium", "big"], "vision is for mini's upstream to say");
    assert_eq!((decision.tier.as_deref(), decision.reason), (Some("small"), RouteReason::Named));
    let decision = decide(&named(ForcedBy::Rule), &request(10), &settings, None).unwrap();
    assert_eq!(decision.reason, RouteReason::Rule);
    let fault = decide(&named(ForcedBy::Name), &request(9_000), &settings, None).unwrap_err();
    assert_eq!(fault.outcome(), "no_target_fits");
}

#[test]
fn a_forced_tier_is_never_left() {
    let settings = settings(tiers(THRESHOLDS));
    for (by, reason) in [
        (ForcedBy::Name, RouteReason::Forced),
        (ForcedBy::Header, RouteReason::Forced),
        (ForcedBy::Rule, RouteReason::Rule),
    ] {
        let forced = policy(Choice::Forced { tier: settings.routing.tiers[0].clone(), by });
        let decision = decide(&forced, &request(10), &settings, None).unwrap();
        assert_eq!(names(&decision), ["mini", "mini-eu"]);
        assert_eq!((decision.tier.as_deref(), decision.reason), (Some("small"), reason));
        assert!(decide(&forced, &request(9_000), &settings, None).is_err());
    }
}

#[test]
fn observing_sends_routes_to_the_baseline_and_leaves_what_was_asked_for() {
    let settings = settings(tiers(THRESHOLDS));
    let observe = |policy: &Policy| {
        let decision =
            decide(policy, &request(10), &settings, Some(&signals([0.9, 0.9, 0.9]))).unwrap();
        assert_eq!(decision.tier.as_deref(), Some("small"), "the decision itself is untouched");
        let acted = observed(&decision, policy, &request(10), &settings);
        assert_eq!(acted.reason, RouteReason::Observe);
        acted
    };
    let acted = observe(&auto(&settings));
    assert_eq!((names(&acted), acted.tier.as_deref()), (vec!["big"], Some("frontier")));
    let small = settings.routing.tiers[0].clone();
    let by_rule = policy(Choice::Forced { tier: small.clone(), by: ForcedBy::Rule });
    assert_eq!(names(&observe(&by_rule)), ["big"]);
    let by_name = policy(Choice::Forced { tier: small, by: ForcedBy::Name });
    assert_eq!(names(&observe(&by_name)), ["mini", "mini-eu"]);
    let eu = Policy { regions: Some(vec!["eu".into()]), ..auto(&settings) };
    assert_eq!(names(&observe(&eu)), ["mini-eu", "medium"], "a baseline abroad is not an option");
}

#[test]
fn a_route_without_a_tier_keeps_the_meaning_of_the_others() {
    let mut settings = settings(tiers(THRESHOLDS));
    let route = Route {
        name: "support".into(),
        tiers: settings.routing.tiers[..2].to_vec(),
        regions: None,
        cache: true,
        strategy: Arc::default(),
    };
    settings.routing.routes.push(Arc::new(route));
    let policy = policy(Choice::Tiers { route: settings.routing.routes[1].clone() });
    let signals = signals([0.2, 0.75, 0.99]);
    let decision = decide(&policy, &request(10), &settings, Some(&signals)).unwrap();
    assert_eq!(decision.tier.as_deref(), Some("mid"));
    assert_eq!(names(&decision), ["medium"]);
    assert_eq!(decision.probabilities[1].1, 0.75, "mid is the mid head, not the frontier's");
}

#[test]
fn estimates_are_prompt_and_output_at_list_price() {
    let facts = Facts { prompt_tokens: 1_000, ..Facts::default() };
    let cost = estimate_cost(&model("any", None, 1, 2), &facts, 500);
    assert_eq!(cost, Some(Money::from_pico(3_000_000_000)));
}

proptest! {
    /// Raising a threshold never chooses a cheaper tier, and targets never lie below the choice.
    #[test]
    fn a_stricter_threshold_never_goes_downward(
        mut adequacy in [0.0..1.0f64, 0.0..1.0, 0.0..1.0],
        first in 0.0..1.0f64, second in 0.0..1.0f64, more in 0.0..0.5f64,
        tokens in 0u64..20_000,
    ) {
        adequacy.sort_by(f64::total_cmp);
        let place = |first: f64, second: f64| {
            let settings = settings(tiers([Some(first), Some(second)]));
            let signals = signals(adequacy);
            let decision =
                decide(&auto(&settings), &request(tokens), &settings, Some(&signals)).unwrap();
            let of = |name: &str| {
                settings.routing.tiers.iter().position(|tier| &*tier.name == name).unwrap()
            };
            let chosen = of(decision.tier.as_deref().unwrap());
            let upward = decision.targets.iter()
                .map(|target| of(target.tier.as_deref().unwrap()))
                .collect::<Vec<_>>();
            assert!(upward.is_sorted() && upward[0] == chosen);
            chosen
        };
        prop_assert!(place(first, second) <= place(first + more, second));
        prop_assert!(place(first, second) <= place(first, second + more));
    }
}
