//! Each strategy as a function, then on the plan's configuration of three tiers.

use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_assume};
use proptest::proptest;

use super::*;
use crate::dialect::openai::request::Facts;
use crate::error::GatewayError;
use crate::policy::{Choice, Policy};
use crate::route::plan::fixture::{model, policy, request, settings, tiers};
use crate::route::{RouteReason, decide_within, observed};

fn names(decision: &RouteDecision) -> Vec<&str> {
    decision.targets.iter().map(|target| &*target.model.name).collect()
}

fn whys(decision: &RouteDecision) -> Vec<String> {
    let why = |target: &super::super::Planned| target.why.expect("a strategy's").to_string();
    decision.targets.iter().map(why).collect()
}

fn of(strategy: Strategy, settings: &Settings) -> Policy {
    let route = settings.routing.routes[0].clone();
    policy(Choice::Strategy { route, strategy: Arc::new(strategy) })
}

fn models(spec: &[(&str, i64)]) -> Vec<Model> {
    spec.iter().map(|(name, dollars)| model(name, None, 1_000, *dollars)).collect()
}

fn named(settings: &Settings, name: &str) -> Arc<Model> {
    settings.model(name).expect("a model of the fixture").clone()
}

#[test]
fn fixed_is_that_model_then_its_fallbacks() {
    let settings = settings(tiers([None, None]));
    let [mini, big] = ["mini", "big"].map(|name| named(&settings, name));
    let outside = Arc::new(model("outside", None, 100_000, 1));
    let fixed = Strategy::Fixed { model: mini.clone(), fallbacks: vec![outside, big] };
    let policy = of(fixed, &settings);
    let go =
        |tokens| decide_within(&policy, &request(tokens), &settings, None, &Outlook::default());
    let decision = go(100).unwrap();
    assert_eq!(names(&decision), ["mini", "outside", "big"]);
    assert_eq!(whys(&decision), ["fixed", "its fallback", "its fallback"]);
    assert_eq!((decision.tier.as_deref(), decision.reason), (Some("small"), RouteReason::Fixed));
    assert_eq!(decision.targets[1].tier, None, "a fallback may stand outside the tiers");
    let long = go(10_000).unwrap();
    assert_eq!(names(&long), ["outside", "big"], "what does not fit is passed over");
    assert!(long.passed_over[0].1.contains("context window 8192"), "{:?}", long.passed_over);
    match go(1_000_000) {
        Err(GatewayError::NoTargetFits { message }) => {
            assert!(message.contains("fits this request: context window"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    let acted = observed(&decision, &policy, &request(100), &settings);
    assert_eq!(names(&acted), ["big"], "observed as a classifier's decision is");
    // Where the route lacks the model, there is nothing to choose.
    let mut route = (*settings.routing.routes[0]).clone();
    route.tiers.remove(0);
    assert!(Strategy::Fixed { model: mini, fallbacks: Vec::new() }.pool(&route).is_empty());
}

#[test]
fn cheapest_goes_by_what_this_request_would_cost() {
    // Input and output in dollars per million tokens.
    let mut some = models(&[("reads", 1), ("writes", 1), ("equal", 1), ("unknown", 1)]);
    let price = |input: i64, output: i64| {
        let (input, output) = (input * 1_000_000, output * 1_000_000);
        Some(crate::price::Price { input, output, cached_input: None })
    };
    some[0].price = price(1, 10);
    some[1].price = price(2, 4);
    some[2].price = price(2, 4);
    some[3].price = None;
    let some: Vec<&Model> = some.iter().collect();
    let order = |prompt_tokens, limit| {
        let facts = Facts { prompt_tokens, ..Facts::default() };
        let order = cheapest::order(&some, &facts, limit);
        order.into_iter().map(|(place, _)| place).collect::<Vec<_>>()
    };
    assert_eq!(order(100, None), [1, 2, 0, 3], "the answer decides; equals as written");
    assert_eq!(order(10_000, None), [0, 1, 2, 3], "the prompt decides");
    assert_eq!(order(100, Some(5)), [0, 1, 2, 3], "a short answer");
    assert_eq!(order(5_000, Some(100_000)), [0, 1, 2, 3], "a limit is not what is expected");
    let facts = Facts { prompt_tokens: 1_000, ..Facts::default() };
    let order = cheapest::order(&some, &facts, None);
    assert_eq!(order[0].1.to_string(), "$0.0028 with 200 output tokens");
    assert_eq!(order[3].1.to_string(), "price unknown");
}

#[test]
fn cheapest_crosses_tiers_and_keeps_to_what_fits() {
    let settings = settings(tiers([Some(0.9), Some(0.9)]));
    let policy = of(Strategy::Cheapest, &settings);
    let none = Outlook::default();
    let decision = decide_within(&policy, &request(100), &settings, None, &none).unwrap();
    assert_eq!(names(&decision), ["mini", "mini-eu", "medium", "big"]);
    assert_eq!(decision.reason, RouteReason::Cheapest);
    let mut pictured = request(100);
    pictured.facts.has_image = true;
    let eu = Policy { regions: Some(vec!["eu".into()]), ..policy };
    let decision = decide_within(&eu, &pictured, &settings, None, &none).unwrap();
    assert_eq!(names(&decision), ["mini-eu", "medium"]);
    assert_eq!(decision.passed_over.len(), 2, "{:?}", decision.passed_over);
}

fn seen(ms: Option<u64>, tried_minutes: Option<u64>) -> Seen {
    Seen { ready: true, ms: ms.map(|ms| ms as f64), tried: tried_minutes.map(Duration::from_mins) }
}

fn places(order: Vec<(usize, Why)>) -> Vec<usize> {
    order.into_iter().map(|(place, _)| place).collect()
}

#[test]
fn fastest_goes_by_health_then_time_then_place() {
    let down = Seen { ready: false, ..seen(Some(1), Some(0)) };
    let table = [
        (vec![seen(Some(300), Some(0)), seen(Some(200), Some(0))], vec![1, 0]),
        (vec![seen(None, Some(0)), seen(Some(900), Some(0))], vec![1, 0]),
        (vec![seen(None, Some(0)), seen(None, Some(0))], vec![0, 1]),
        (vec![down, seen(Some(900), Some(0)), seen(None, Some(0))], vec![1, 2, 0]),
        (vec![down, down], vec![0, 1]),
        (vec![seen(Some(5), Some(0)), seen(Some(5), Some(0))], vec![0, 1]),
    ];
    for (seen, expected) in table {
        for chance in [None, Some(0.0), Some(0.99)] {
            assert_eq!(places(fastest::order(&seen, chance)), expected, "{seen:?}");
        }
    }
    let shown = fastest::order(&[down, seen(None, Some(0)), seen(Some(42), Some(0))], None);
    let shown: Vec<String> = shown.iter().map(|(_, why)| why.to_string()).collect();
    assert_eq!(shown, ["takes 42 ms", "not measured yet", "resting or failing"]);
}

#[test]
fn fastest_tries_the_untried_at_once_and_the_stale_now_and_then() {
    let quick = seen(Some(100), Some(0));
    let never = Seen::UNKNOWN;
    let tried = |seen: &[Seen], chance| {
        let order = fastest::order(seen, chance);
        let mut sorted = places(order.clone());
        sorted.sort_unstable();
        assert_eq!(sorted, (0..seen.len()).collect::<Vec<_>>(), "everybody once");
        (order[0].0, order[0].1 == Why::Tried)
    };
    assert_eq!(tried(&[quick, never, never], Some(0.99)), (1, true));
    assert_eq!(tried(&[quick, never, never], None), (0, false), "a rehearsal tries nothing");
    assert_eq!(tried(&[never], Some(0.0)), (0, false), "alone there is nothing to find out");
    let down = Seen { ready: false, ..never };
    assert_eq!(tried(&[quick, down], Some(0.0)), (0, false), "nor in one that is down");
    let stale = [quick, seen(Some(800), Some(6)), seen(Some(900), Some(7))];
    assert_eq!(tried(&stale, Some(0.019)), (2, true), "the one not tried for longest");
    assert_eq!(tried(&stale, Some(0.02)), (0, false));
    let fresh = [quick, seen(Some(800), Some(5))];
    assert_eq!(tried(&fresh, Some(0.0)), (0, false));
    // The first is measured by being first, however long ago that was.
    let quiet = [seen(Some(100), Some(60)), seen(Some(800), Some(50))];
    assert_eq!(tried(&quiet, Some(0.0)), (1, true));
}

fn weighed(spec: &[(&str, f64)]) -> Vec<(Arc<Model>, f64)> {
    let weigh = |(name, weight): &(&str, f64)| (Arc::new(model(name, None, 1, 1)), *weight);
    spec.iter().map(weigh).collect()
}

fn drawn(weights: &[(Arc<Model>, f64)], down: &[usize], seed: u64) -> Vec<(usize, Why)> {
    let models: Vec<&Model> = weights.iter().map(|(model, _)| &**model).collect();
    let seen: Vec<Seen> = (0..weights.len())
        .map(|place| Seen { ready: !down.contains(&place), ..Seen::UNKNOWN })
        .collect();
    weighted::order(&models, weights, &seen, seed)
}

#[test]
fn weighted_draws_one_and_lets_the_others_follow_in_falling_weight() {
    let weights = weighed(&[("a", 10.0), ("b", 60.0), ("c", 30.0)]);
    let mut firsts = [0; 3];
    for seed in 0..1_000 {
        let order = drawn(&weights, &[], seed);
        assert_eq!(order, drawn(&weights, &[], seed), "the same seed, the same draw");
        firsts[order[0].0] += 1;
        let rest: Vec<usize> = places(order[1..].to_vec());
        let falling: Vec<usize> =
            [1, 2, 0].into_iter().filter(|place| *place != order[0].0).collect();
        assert_eq!(rest, falling);
        // Whoever is down gets no draw, and nobody else's conversation moves for it.
        let without = drawn(&weights, &[1], seed);
        assert_ne!(without[0].0, 1);
        if order[0].0 != 1 {
            assert_eq!(without[0].0, order[0].0);
        }
        assert_eq!(without.iter().find(|(place, _)| *place == 1).unwrap().1, Why::NotReady);
    }
    assert!(firsts.iter().all(|count| *count > 50), "{firsts:?}");
    let order = drawn(&weights, &[0, 1, 2], 1);
    assert_eq!(order[0].0, drawn(&weights, &[], 1)[0].0, "with all down, the draw stands");
    let shown = drawn(&weighed(&[("a", 2.0), ("b", 1.0)]), &[1], 1);
    let shown: Vec<String> = shown.iter().map(|(_, why)| why.to_string()).collect();
    assert_eq!(shown, ["drawn, weight 66.7 %", "resting or failing"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever the weights, each model is drawn as often as its share says: within five standard
    /// errors over 2,000 draws.
    #[test]
    fn weighted_keeps_the_shares(
        weights in proptest::collection::vec(0.01_f64..100.0, 1..5), start in any::<u32>()
    ) {
        const DRAWS: usize = 2_000;
        let named = ["a", "b", "c", "d"];
        let spec: Vec<(&str, f64)> = named.into_iter().zip(weights.iter().copied()).collect();
        let models = weighed(&spec);
        let mut counts = vec![0_usize; weights.len()];
        for draw in 0..DRAWS {
            counts[drawn(&models, &[], u64::from(start) + draw as u64)[0].0] += 1;
        }
        let sum: f64 = weights.iter().sum();
        for (count, weight) in counts.iter().zip(&weights) {
            let share = weight / sum;
            let error = (share * (1.0 - share) / DRAWS as f64).sqrt();
            let off = (*count as f64 / DRAWS as f64 - share).abs();
            prop_assert!(off <= 5.0 * error + 1e-9, "{count} of {DRAWS} at a share of {share}");
        }
    }

    #[test]
    fn no_weight_is_too_large_or_too_small(
        a in prop::num::f64::POSITIVE | prop::num::f64::SUBNORMAL,
        b in prop::num::f64::POSITIVE, seed in any::<u64>()
    ) {
        prop_assume!(a > 0.0);
        let order = drawn(&weighed(&[("a", a), ("b", b)]), &[], seed);
        let mut places = places(order);
        places.sort_unstable();
        prop_assert_eq!(places, vec![0, 1]);
    }
}

#[test]
fn the_seed_is_the_conversations() {
    let chat = |messages: serde_json::Value| {
        let mut request = request(10);
        request.raw = bytes::Bytes::from(messages.to_string());
        request.body.insert("messages".into(), messages);
        request
    };
    let said = |role: &str, text: &str| serde_json::json!({"role": role, "content": text});
    let seed_of = |messages| seed("acme", "auto", &chat(messages), Some(0.5));
    let first = seed_of(serde_json::json!([said("system", "S"), said("user", "Hi")]));
    let later = serde_json::json!([
        said("system", "S"),
        said("user", "Hi"),
        said("assistant", "Yes?"),
        said("user", "Go on")
    ]);
    assert_eq!(first, seed_of(later.clone()));
    assert_eq!(first, seed("acme", "auto", &chat(later.clone()), Some(0.1)), "no chance in it");
    assert_ne!(first, seed_of(serde_json::json!([said("system", "T"), said("user", "Hi")])));
    assert_ne!(first, seed_of(serde_json::json!([said("system", "S"), said("user", "Ho")])));
    assert_ne!(first, seed("other", "auto", &chat(later.clone()), Some(0.5)));
    assert_ne!(first, seed("acme", "support", &chat(later), Some(0.5)));
    // Without a word of the user's each request is drawn for itself.
    let bare = chat(serde_json::json!([said("system", "S")]));
    assert_ne!(seed("t", "r", &bare, Some(0.1)), seed("t", "r", &bare, Some(0.2)));
    assert_eq!(seed("t", "r", &bare, None), seed("t", "r", &bare, None));
}

#[test]
fn a_strategy_uses_what_is_seen_of_its_targets() {
    let settings = settings(tiers([None, None]));
    let policy = of(Strategy::Fastest, &settings);
    let label = |name: &str| named(&settings, name).label();
    let told = |ms: u64| seen(Some(ms), Some(0));
    let outlook = Outlook {
        chance: Some(0.5),
        seen: HashMap::from([
            (label("mini"), told(900)),
            (label("mini-eu"), Seen { ready: false, ..told(1) }),
            (label("medium"), told(400)),
            (label("big"), told(100)),
        ]),
        ..Outlook::default()
    };
    let decision = decide_within(&policy, &request(9), &settings, None, &outlook).unwrap();
    assert_eq!(names(&decision), ["big", "medium", "mini", "mini-eu"]);
    assert_eq!(
        (decision.tier.as_deref(), decision.reason),
        (Some("frontier"), RouteReason::Fastest)
    );
    let weights = weighed(&[("big", 1.0), ("nobody", 5.0)]);
    let policy = of(Strategy::Weighted(weights), &settings);
    let decision = decide_within(&policy, &request(9), &settings, None, &outlook).unwrap();
    assert_eq!(names(&decision), ["big"], "a model that the route lacks takes no part");
    assert_eq!(whys(&decision), ["drawn, weight 100 %"]);
    assert!(policy.choice.keeps_order());
}
