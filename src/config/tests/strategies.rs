//! `strategy:` of rules and routes: what is read, what is printed, and every fault with its words.

use super::*;
use crate::config::settings::RouteEffect;
use crate::route::Strategy;

const START: &str = "
providers: [{name: p, base_url: http://h}]
models:
  - {name: a, provider: p, id: a, price: {input: 1, output: 1}, fallbacks: [c]}
  - {name: b, provider: p, id: b, price: {input: 2, output: 2}}
  - {name: c, provider: p, id: c, price: {input: 3, output: 3}}
routing:
  tiers: [{name: s, models: [a], min_adequacy: 0.8}, {name: l, models: [b]}]
";

fn faults_of(line: &str) -> Vec<String> {
    let text = format!("{START}  {line}\n");
    match load_text("f.yaml", &text, &env(), &[]) {
        Ok(_) => panic!("no fault in {line}"),
        Err(faults) => faults.0.iter().map(Fault::to_string).collect(),
    }
}

fn shown(strategy: &Strategy) -> String {
    let names = |models: &[Arc<settings::Model>]| {
        models.iter().map(|model| model.name.to_string()).collect::<Vec<_>>().join(",")
    };
    match strategy {
        Strategy::Fixed { model, fallbacks } => {
            format!("fixed {} then {}", model.name, names(fallbacks))
        }
        Strategy::Weighted(weights) => {
            let weights: Vec<_> =
                weights.iter().map(|(model, weight)| format!("{}={weight}", model.name)).collect();
            format!("weighted {}", weights.join(","))
        }
        plain => plain.name().to_owned(),
    }
}

#[test]
fn each_strategy_is_read_in_both_places_and_prints_as_itself() {
    for (written, expected) in [
        ("classifier", "classifier"),
        ("cheapest", "cheapest"),
        ("fastest", "fastest"),
        ("{fixed: a}", "fixed a then c"),
        ("{weighted: {b: 20, a: 0.5}}", "weighted a=0.5,b=20"),
    ] {
        let text = format!(
            "{START}  rules: [{{when: 'stream', then: {{strategy: {written}}}}}]\n  \
             routes: [{{name: r, tiers: [s, l], strategy: {written}}}, {{name: q, tiers: [l]}}]\n"
        );
        let loaded = parsed(&text);
        let routing = &loaded.settings.routing;
        assert_eq!(shown(&loaded.settings.route("r").unwrap().strategy), expected);
        assert!(loaded.settings.route("q").unwrap().strategy.is_classifier());
        let RouteEffect::Strategy(strategy) = &routing.rules[0].then else { panic!("{written}") };
        assert_eq!(shown(strategy), expected);
        assert_prints_as_itself(&loaded);
    }
}

#[test]
fn every_fault_has_its_place_and_what_to_write() {
    for (written, column, part) in [
        (
            "slowest",
            12,
            "no strategy `slowest`; write one of classifier, cheapest, fastest, `{fixed",
        ),
        ("fixed", 12, "`fixed` names no model; write `{fixed: name}`"),
        ("weighted", 12, "names no models; write `{weighted: {name: 80, other: 20}}`"),
        ("[cheapest]", 12, "expected a mapping, found a list"),
        ("{fixd: a}", 13, "unknown key `fixd`; did you mean `fixed`?"),
        ("{}", 12, "the strategy names no model; write one of classifier"),
        ("{weighted: {}}", 12, "the strategy names no model"),
        ("{fixed: x}", 20, "there is no model `x`"),
        ("{fixed: a, weighted: {b: 1}}", 12, "one strategy, not two"),
        ("{weighted: {x: 1, a: 2}}", 24, "there is no model `x`"),
        ("{weighted: {a: 0, b: 2}}", 27, "the weight of `a` is not above zero; write a number"),
        ("{weighted: {a: -1}}", 27, "the weight of `a` is not above zero"),
        ("{weighted: {a: 80%}}", 27, "expected a number, found `80%`"),
        ("{weighted: [a, b]}", 23, "expected a mapping, found a list"),
    ] {
        let rule = "rules: [{when: 'stream', then: {strategy: ";
        let route = "routes: [{name: r, tiers: [s, l], strategy: ";
        for line in [format!("{rule}{written}}}}}]"), format!("{route}{written}}}]")] {
            let before = line.find("strategy: ").unwrap();
            let found = faults_of(&line);
            assert_eq!(found.len(), 1, "{found:#?}");
            let place = format!("f.yaml:9:{}: ", before + column + 1);
            assert!(found[0].starts_with(&place), "{}\nnot at {place}", found[0]);
            assert!(found[0].contains(part), "{}\nwithout {part}", found[0]);
        }
    }
}

#[test]
fn a_strategy_reaches_no_model_outside_its_tiers() {
    for (line, place, part) in [
        (
            "rules: [{when: 'stream', then: {strategy: {fixed: c}}}]",
            53,
            "`c` is not in any tier; put it into a tier, or write `{model: …}`; there are a, b",
        ),
        (
            "routes: [{name: r, tiers: [s], strategy: {weighted: {a: 1, b: 1}}}]",
            62,
            "`b` is not in the tiers of this route; add its tier to the route; there are a",
        ),
        (
            "routes: [{name: r, tiers: [s, l], strategy: fastest, min_adequacy: {s: 0.5}}]",
            47,
            "only the classifier asks for `min_adequacy`",
        ),
        (
            "rules: [{when: 'stream', then: {tier: s, strategy: fastest}}]",
            34,
            "a rule does one thing, not two; write one of `{tier: name}`",
        ),
    ] {
        let found = faults_of(line);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].starts_with(&format!("f.yaml:9:{place}: ")), "{}", found[0]);
        assert!(found[0].contains(part), "{}\nwithout {part}", found[0]);
    }
}

/// Thresholds of the tiers are there for other routes.
#[test]
fn a_strategy_route_asks_for_no_thresholds_of_its_tiers() {
    let text = START
        .replace("min_adequacy: 0.8", "min_adequacy: 0.8, name: s")
        .replace("{name: s, models", "{models")
        .replace("{name: l, models: [b]}", "{name: l, models: [b]}, {name: x, models: [c]}");
    let auto = "  routes: [{name: auto, tiers: [s, l, x], strategy: cheapest}]\n";
    let settings = parsed(&format!("{text}{auto}")).settings;
    assert_eq!(settings.route("auto").unwrap().strategy.name(), "cheapest");
    let found = load_text("f.yaml", &text, &env(), &[]).unwrap_err();
    assert!(found.to_string().contains("tier `l` has no `min_adequacy`"), "{found}");
}
