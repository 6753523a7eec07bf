#[path = "resolve_tests/names.rs"]
mod names;

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::*;
use crate::access::Rights;
use crate::config::settings::*;
use crate::dialect::openai::request::{Facts, LastMessage};

const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(3),
    first_content: Duration::from_secs(60),
    idle: Duration::from_secs(30),
    total: Duration::from_secs(600),
};

fn provider(name: &str) -> Arc<Provider> {
    Arc::new(Provider {
        name: name.into(),
        base_url: "http://127.0.0.1:1/v1".into(),
        api_keys: Vec::new(),
        region: None,
        stream_usage: true,
        timeouts: TIMEOUTS,
    })
}

fn model(name: &str, provider: &Arc<Provider>, id: &str, fallbacks: &[&str]) -> Arc<Model> {
    Arc::new(Model {
        name: name.into(),
        provider: provider.clone(),
        id: id.into(),
        price: None,
        context: None,
        max_output: None,
        vision: false,
        tools: true,
        json_schema: true,
        web_search: false,
        fallbacks: fallbacks.iter().map(|name| Arc::from(*name)).collect(),
        timeouts: TIMEOUTS,
    })
}

fn tier(name: &str, models: &[&Arc<Model>]) -> Arc<Tier> {
    let models = models.iter().map(|model| (*model).clone()).collect();
    Arc::new(Tier { name: name.into(), models, min_adequacy: None })
}

fn route(name: &str, tiers: &[&Arc<Tier>], regions: Option<&[&str]>, cache: bool) -> Arc<Route> {
    Arc::new(Route {
        name: name.into(),
        tiers: tiers.iter().map(|tier| (*tier).clone()).collect(),
        regions: regions.map(|regions| regions.iter().map(|&name| name.into()).collect()),
        cache,
        strategy: Arc::default(),
    })
}

/// Two providers, three tiers, four models, three routes. `gpt-4o` is a route and also the name and
/// id of a model that the route hides.
fn settings() -> Settings {
    let (openai, local) = (provider("openai"), provider("local"));
    let mini = model("mini", &openai, "gpt-4.1-mini", &["medium", "gone"]);
    let medium = model("medium", &local, "qwen/medium", &[]);
    let big = model("big", &openai, "gpt-5", &[]);
    let hidden = model("gpt-4o", &openai, "gpt-4o", &[]);
    let small = tier("small", &[&mini]);
    let mid = tier("mid", &[&medium]);
    let frontier = tier("frontier", &[&big]);
    Settings {
        origin: Origin::Environment,
        server: Server {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin_token: None,
            allowed_hosts: Vec::new(),
            body_limit: 1,
            max_in_flight: 1,
            shutdown_grace: Duration::ZERO,
        },
        embedder: None,
        cache: crate::cache::key::tests::cache_settings(),
        routing: Routing {
            mode: Mode::Enforce,
            max_quality_loss: 0.02,
            confidence: 0.9,
            shadow: 0.0,
            baseline: Some(big.clone()),
            tiers: vec![small.clone(), mid.clone(), frontier.clone()],
            rules: Vec::new(),
            routes: vec![
                route("auto", &[&small, &mid, &frontier], None, true),
                route("support", &[&small, &mid], Some(&["eu", "ch"]), false),
                route("gpt-4o", &[&small, &frontier], None, true),
            ],
        },
        providers: vec![openai, local],
        models: vec![mini, medium, big, hidden],
        resilience: Resilience { attempts: 3, retry_budget: 0.2 },
        keys: Vec::new(),
        telemetry: Telemetry {
            log: Log { format: LogFormat::Text, level: tracing::Level::INFO },
            content: false,
            ring: 1,
            record: None,
        },
    }
}

fn when(source: &str) -> Arc<Expression> {
    Arc::new(Expression::compile(source).unwrap())
}

fn with_rules(rules: Vec<(&str, RouteEffect)>) -> Settings {
    let mut settings = settings();
    settings.routing.rules =
        rules.into_iter().map(|(text, then)| RouteRule { when: when(text), then }).collect();
    settings
}

fn to_tier(name: &str) -> RouteEffect {
    RouteEffect::Tier(name.into())
}

fn caller(models: Option<&[&str]>) -> Caller {
    let rights = Rights {
        models: models.map(|models| models.iter().map(|&name| name.into()).collect()),
        ..Rights::all()
    };
    Caller { tenant: "acme".into(), key: Some("web".into()), rights }
}

fn request(model: &str) -> ChatRequest {
    let Value::Object(body) =
        json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]})
    else {
        panic!("an object")
    };
    ChatRequest {
        raw: Value::Object(body.clone()).to_string().into(),
        body,
        model: model.into(),
        stream: false,
        include_usage: false,
        prompt: "Hi".into(),
        last: LastMessage::UserText,
        facts: Facts { prompt_chars: 2, prompt_tokens: 8, turns: 1, ..Facts::default() },
        max_output: None,
    }
}

fn headers(lines: &[(&'static str, &str)]) -> RequestHeaders {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(*name, value.parse().unwrap());
    }
    RequestHeaders::parse(&map).unwrap()
}

fn go(
    settings: &Settings,
    caller: &Caller,
    model: &str,
    lines: &[(&'static str, &str)],
) -> Result<Policy, GatewayError> {
    resolve(settings, caller, &request(model), &headers(lines), 9)
}

/// The choice in one word or two, for comparison.
fn shown(policy: &Policy) -> String {
    match &policy.choice {
        Choice::Tiers { route } => format!("route {}", route.name),
        Choice::Strategy { route, strategy } => format!("{} in {}", strategy.name(), route.name),
        Choice::Forced { tier, by } => format!("tier {} by {by:?}", tier.name),
        Choice::Named { model, fallbacks, by } => {
            format!("model {} by {by:?}, then {}", model.label(), fallbacks.len())
        }
    }
}

fn chosen(
    settings: &Settings,
    caller: &Caller,
    model: &str,
    lines: &[(&'static str, &str)],
) -> String {
    match go(settings, caller, model, lines) {
        Ok(policy) => shown(&policy),
        Err(GatewayError::ModelNotFound { .. }) => "404".into(),
        Err(GatewayError::BadRequest { param, .. }) => format!("400 {}", param.unwrap_or_default()),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn who_decides_is_as_documented() {
    let settings = with_rules(vec![("true", to_tier("mid"))]);
    let anyone = caller(None);
    let small = [("x-semgate-tier", "small")];
    assert_eq!(chosen(&settings, &anyone, "auto", &[]), "tier mid by Rule");
    assert_eq!(chosen(&settings, &anyone, "auto", &small), "tier small by Header");
    assert_eq!(chosen(&settings, &anyone, "tier/frontier", &small), "tier frontier by Name");
    assert_eq!(chosen(&settings, &anyone, "big", &small), "model openai/gpt-5 by Name, then 0");
}

#[test]
fn a_strategy_is_the_routes_or_that_of_a_rule_that_can_choose_there() {
    let mut settings = settings();
    let fixed = |name: &str| {
        let model = settings.model(name).unwrap().clone();
        RouteEffect::Strategy(Arc::new(Strategy::Fixed { model, fallbacks: Vec::new() }))
    };
    let plain = |strategy| RouteEffect::Strategy(Arc::new(strategy));
    settings.routing.rules = with_rules(vec![
        ("tags.a == '1'", fixed("big")),
        ("tags.a == '1'", plain(Strategy::Cheapest)),
        ("tags.a == '2'", plain(Strategy::Classifier)),
    ])
    .routing
    .rules;
    let fastest =
        Route { strategy: Arc::new(Strategy::Fastest), ..(*settings.routing.routes[1]).clone() };
    settings.routing.routes[1] = Arc::new(fastest);
    let anyone = caller(None);
    let tag = |value: &'static str| [("x-semgate-tags", value)];
    for (model, value, expected) in [
        ("support", "a=0", "fastest in support"),
        ("auto", "a=0", "route auto"),
        ("auto", "a=1", "fixed in auto"),
        ("support", "a=1", "cheapest in support"),
        ("support", "a=2", "route support"),
        ("tier/small", "a=1", "tier small by Name"),
        ("mini", "a=1", "model openai/gpt-4.1-mini by Name, then 1"),
    ] {
        assert_eq!(chosen(&settings, &anyone, model, &tag(value)), expected, "{model} {value}");
    }
    let header = [("x-semgate-tier", "small")];
    assert_eq!(chosen(&settings, &anyone, "support", &header), "tier small by Header");
}

#[test]
fn the_tier_header_must_name_a_tier_of_the_route() {
    let settings = settings();
    let anyone = caller(None);
    let refused = "400 x-semgate-tier";
    for (model, tier, expected) in [
        ("support", "frontier", refused),
        ("support", "mid", "tier mid by Header"),
        ("auto", "nope", refused),
        ("mini", "nope", refused),
        ("tier/small", "nope", refused),
        ("nope", "nope", "404"),
    ] {
        let lines = [("x-semgate-tier", tier)];
        assert_eq!(chosen(&settings, &anyone, model, &lines), expected, "{model} {tier}");
    }
    let mut fixed = caller(None);
    fixed.rights.overrides = false;
    for tier in ["small", "nope"] {
        let lines = [("x-semgate-tier", tier)];
        assert_eq!(chosen(&settings, &fixed, "auto", &lines), "route auto");
    }
}

#[test]
fn the_quality_header_acts_in_quality_mode_and_where_the_key_may_override() {
    let mut settings = with_rules(vec![("tags.a == '1'", to_tier("mid"))]);
    let mut held = (*settings.routing.routes[2]).clone();
    held.tiers[0] = Arc::new(Tier { min_adequacy: Some(0.5), ..(*held.tiers[0]).clone() });
    settings.routing.routes[2] = Arc::new(held);
    let quick =
        Route { strategy: Arc::new(Strategy::Fastest), ..(*settings.routing.routes[1]).clone() };
    settings.routing.routes[1] = Arc::new(quick);
    let anyone = caller(None);
    let mut bound = caller(None);
    bound.rights.overrides = false;
    let header = ("x-semgate-max-quality-loss", "5%");
    for (model, caller, tags, loss) in [
        ("auto", &anyone, "", 0.05),
        ("auto", &bound, "", 0.02),
        ("auto", &anyone, "a=1", 0.02),
        ("support", &anyone, "", 0.02),
        ("gpt-4o", &anyone, "", 0.02),
        ("mini", &anyone, "", 0.02),
        ("tier/small", &anyone, "", 0.02),
    ] {
        let policy = go(&settings, caller, model, &[header, ("x-semgate-tags", tags)]).unwrap();
        assert_eq!(policy.max_quality_loss, loss, "{model} {tags}");
        let idle = idle_loss_header(caller, &policy.choice);
        assert_eq!(idle.is_none(), loss == 0.05, "{model} {tags} {idle:?}");
    }
    assert_eq!(go(&settings, &anyone, "auto", &[]).unwrap().max_quality_loss, 0.02);
}

#[test]
fn a_key_cannot_reach_by_header_what_it_may_not_name() {
    let settings = with_rules(vec![("prompt == 'Hi'", to_tier("frontier"))]);
    let limited = caller(Some(&["auto", "tier/small"]));
    let header = |tier: &'static str| [("x-semgate-tier", tier)];
    assert_eq!(chosen(&settings, &limited, "auto", &header("small")), "tier small by Header");
    assert_eq!(chosen(&settings, &limited, "auto", &header("frontier")), "400 x-semgate-tier");
    // Where the operator's own rule leads is no question of rights.
    assert_eq!(chosen(&settings, &limited, "auto", &[]), "tier frontier by Rule");
}

#[test]
fn the_first_rule_that_holds_and_applies_wins() {
    let mini = settings().model("mini").unwrap().clone();
    let settings = with_rules(vec![
        ("prompt == 'no'", to_tier("small")),
        ("int(tags.level) > 3", to_tier("small")),
        ("hour == 9", to_tier("frontier")),
        ("headers['x-app'] == 'a'", to_tier("mid")),
        ("true", RouteEffect::Model(mini)),
    ]);
    let anyone = caller(None);
    let policy = go(&settings, &anyone, "auto", &[]).unwrap();
    assert_eq!(shown(&policy), "tier frontier by Rule");
    assert_eq!(policy.rule, Some((2, "hour == 9".into())));
    assert_eq!(policy.rule_errors, 1, "the tag is no number");
    // `support` has no frontier, so that rule does not apply to it.
    let app = [("x-app", "a"), ("x-semgate-tags", "level=2")];
    let policy = go(&settings, &anyone, "support", &app).unwrap();
    assert_eq!((shown(&policy), policy.rule_errors), ("tier mid by Rule".into(), 0));
    let policy = go(&settings, &anyone, "support", &[("x-semgate-tags", "level=2")]).unwrap();
    assert_eq!(shown(&policy), "model openai/gpt-4.1-mini by Rule, then 1");
    assert_eq!(policy.rule.map(|(place, _)| place), Some(4));
    // Rules apply to routes only.
    let policy = go(&settings, &anyone, "tier/mid", &[]).unwrap();
    assert_eq!((policy.rule, policy.rule_errors), (None, 0));
}

#[test]
fn a_route_without_thresholds_of_the_tier_forces_its_own_variant() {
    let mut settings = settings();
    let mut own = (*settings.routing.tiers[0]).clone();
    own.min_adequacy = Some(0.7);
    settings.routing.routes[1] = route("support", &[&Arc::new(own)], None, true);
    let policy = go(&settings, &caller(None), "support", &[("x-semgate-tier", "small")]).unwrap();
    match policy.choice {
        Choice::Forced { tier, .. } => assert_eq!(tier.min_adequacy, Some(0.7)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn regions_are_those_that_key_and_route_both_allow() {
    let settings = settings();
    let regions = |key: Option<&[&str]>, model: &str| {
        let mut caller = caller(None);
        caller.rights.regions = key.map(|key| key.iter().map(|&name| name.into()).collect());
        go(&settings, &caller, model, &[]).unwrap().regions
    };
    let list = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
    assert_eq!(regions(None, "auto"), None);
    assert_eq!(regions(None, "support"), list(&["eu", "ch"]));
    assert_eq!(regions(Some(&["us", "eu"]), "support"), list(&["eu"]));
    assert_eq!(regions(Some(&["us"]), "support"), list(&[]));
    assert_eq!(regions(Some(&["us"]), "mini"), list(&["us"]));
}

#[test]
fn cache_rules_apply_to_every_request() {
    let mut settings = settings();
    let rule = |text: &str, then| CacheRule { when: when(text), then };
    settings.cache.rules = vec![
        rule("int(tags.level) > 3", CacheEffect::Ttl(Duration::from_secs(1))),
        rule("tags.feature == 'quote'", CacheEffect::Bypass),
        rule("true", CacheEffect::Ttl(Duration::from_secs(60))),
    ];
    let anyone = caller(None);
    let quote = [("x-semgate-tags", "feature=quote")];
    for model in ["auto", "mini", "tier/small"] {
        let policy = go(&settings, &anyone, model, &quote).unwrap();
        assert_eq!(policy.cache_effect, Some(CacheEffect::Bypass));
        let policy = go(&settings, &anyone, model, &[]).unwrap();
        assert_eq!(policy.cache_effect, Some(CacheEffect::Ttl(Duration::from_secs(60))));
        assert_eq!(policy.rule_errors, 1);
    }
    assert!(!go(&settings, &anyone, "support", &[]).unwrap().cache_allowed);
    settings.cache.enabled = false;
    let policy = go(&settings, &anyone, "auto", &quote).unwrap();
    assert_eq!((policy.cache_effect, policy.rule_errors), (None, 0));
}

#[test]
fn the_keys_tags_win_and_rules_see_them() {
    let settings = with_rules(vec![("tags.team == 'web'", to_tier("mid"))]);
    let mut caller = caller(None);
    caller.rights.tags = [("team".to_owned(), "web".to_owned())].into();
    let lines = [("x-semgate-tags", "team=evil,feature=search")];
    let policy = go(&settings, &caller, "auto", &lines).unwrap();
    assert_eq!(policy.tags["team"], "web");
    assert_eq!(policy.tags["feature"], "search");
    assert_eq!(shown(&policy), "tier mid by Rule");
}

#[test]
fn limits_of_the_request_are_carried() {
    let settings = settings();
    let lines = [("x-semgate-timeout-ms", "250"), ("x-semgate-max-cost-usd", "0.5")];
    let policy = go(&settings, &caller(None), "auto", &lines).unwrap();
    assert_eq!(policy.timeout, Some(Duration::from_millis(250)));
    assert_eq!(policy.max_cost.map(|money| money.to_string()).as_deref(), Some("0.5"));
    assert_eq!((policy.max_quality_loss, policy.confidence), (0.02, 0.9));
}
