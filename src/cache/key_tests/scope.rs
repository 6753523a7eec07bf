//! Callers and policies that share, and that do not.

use super::*;
use crate::route::Strategy;

fn changed(change: impl Fn(&mut Policy)) -> Policy {
    let mut policy = policy(auto());
    change(&mut policy);
    policy
}

fn tiers(tiers: Vec<Arc<Tier>>) -> Policy {
    let route =
        Route { name: "auto".into(), tiers, regions: None, cache: true, strategy: Arc::default() };
    policy(Choice::Tiers { route: Arc::new(route) })
}

fn strategic(strategy: Strategy, tiers: Vec<Arc<Tier>>) -> Policy {
    let Choice::Tiers { route } = self::tiers(tiers).choice else { unreachable!() };
    policy(Choice::Strategy { route, strategy: Arc::new(strategy) })
}

/// Weights say how often a model is asked, not whose answers will do.
#[test]
fn a_strategys_scope_is_whom_it_may_choose() {
    let tenant = cache_settings();
    let acme = caller("acme", None);
    let both = || vec![tier("small", Some(0.8)), tier("frontier", None)];
    let weighted = |weights: &[f64]| {
        let tiers = both();
        let models = tiers.iter().map(|tier| tier.models[0].clone());
        strategic(Strategy::Weighted(models.zip(weights.iter().copied()).collect()), both())
    };
    let key = |policy: &Policy| key_of(&acme, policy, &tenant);
    assert_eq!(key(&weighted(&[80.0, 20.0])), key(&weighted(&[1.0, 2.0])));
    let unasked = vec![tier("small", None), tier("frontier", None)];
    let cheapest = key(&strategic(Strategy::Cheapest, both()));
    assert_eq!(cheapest, key(&strategic(Strategy::Cheapest, unasked)), "nobody asks thresholds");
    for other in [
        weighted(&[1.0, 2.0]),
        weighted(&[1.0]),
        strategic(Strategy::Fastest, both()),
        strategic(Strategy::Cheapest, vec![tier("small", None)]),
        self::tiers(both()),
    ] {
        assert_ne!(cheapest, key(&other));
    }
    assert_ne!(key(&weighted(&[1.0, 2.0])), key(&weighted(&[1.0])));
}

fn forced(name: &str, by: ForcedBy) -> Policy {
    policy(Choice::Forced { tier: tier(name, None), by })
}

fn named(id: &str, fallbacks: Vec<Arc<Model>>) -> Policy {
    policy(Choice::Named { model: model(id), fallbacks, by: ForcedBy::Name })
}

fn regions(names: &[&str]) -> Policy {
    changed(|policy| policy.regions = Some(names.iter().map(|&name| name.into()).collect()))
}

fn key_of(caller: &Caller, policy: &Policy, settings: &Cache) -> Keyed {
    keyed(identify(&decode(&with("")), caller, policy, settings))
}

#[test]
fn whoever_calls_and_whatever_is_in_force_separates() {
    let tenant = cache_settings();
    let mut by_key = cache_settings();
    by_key.scope = CacheScope::Key;
    let acme = caller("acme", Some("web"));
    let mut keys = vec![
        key_of(&caller("acm", Some("web")), &policy(auto()), &tenant),
        key_of(&caller("", None), &policy(auto()), &tenant),
        key_of(&acme, &policy(auto()), &by_key),
        key_of(&caller("acme", Some("app")), &policy(auto()), &by_key),
        key_of(&caller("acme", None), &policy(auto()), &by_key),
    ];
    let policies = [
        policy(auto()),
        changed(|policy| policy.requested = "gpt-4o".into()),
        changed(|policy| policy.max_quality_loss = 0.05),
        changed(|policy| policy.confidence = 0.5),
        tiers(vec![tier("small", Some(0.8))]),
        tiers(vec![tier("small", Some(0.7)), tier("frontier", None)]),
        tiers(vec![tier("small", None), tier("frontier", None)]),
        regions(&[]),
        regions(&["eu"]),
        regions(&["eu", "us"]),
        forced("small", ForcedBy::Header),
        forced("frontier", ForcedBy::Header),
        named("small", Vec::new()),
        named("small", vec![model("frontier")]),
    ];
    keys.extend(policies.iter().map(|policy| key_of(&acme, policy, &tenant)));
    for (at, left) in keys.iter().enumerate() {
        for (other, right) in keys.iter().enumerate().skip(at + 1) {
            assert_ne!(left.scope, right.scope, "cases {at} and {other}");
            assert_ne!(left.exact, right.exact, "cases {at} and {other}");
        }
    }
}

#[test]
fn what_changes_no_answer_is_shared() {
    let settings = cache_settings();
    let acme = caller("acme", Some("web"));
    let same = |left: &Policy, right: &Policy| {
        assert_eq!(key_of(&acme, left, &settings), key_of(&acme, right, &settings));
    };
    let plain = policy(auto());
    // Keys of a tenant share, unless the scope is the key.
    let keyless = key_of(&caller("acme", None), &plain, &settings);
    assert_eq!(key_of(&acme, &plain, &settings), keyless);
    same(&forced("small", ForcedBy::Header), &forced("small", ForcedBy::Rule));
    same(&regions(&["eu", "us"]), &regions(&["us", "eu", "us"]));
    // Neither money nor time nor tags.
    let limited = changed(|policy| {
        policy.max_cost = Some(crate::price::Money::from_pico(1));
        policy.timeout = Some(Duration::from_secs(1));
        policy.tags = [("team".to_owned(), "web".to_owned())].into();
    });
    same(&limited, &plain);
}
