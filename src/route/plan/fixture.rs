//! A configuration of three tiers for the plan's tests: what it takes to call `decide`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Map;

use crate::config::settings::{
    Cache, Log, LogFormat, Mode, Model, Origin, Provider, Resilience, Route, Routing, Server,
    Settings, Telemetry, Tier, Timeouts,
};
use crate::dialect::openai::ChatRequest;
use crate::dialect::openai::request::{Facts, LastMessage};
use crate::policy::{Choice, Policy};
use crate::price::Price;
use crate::route::learn::Learnt;
use crate::route::{Features, Signals};

fn timeouts() -> Timeouts {
    let second = Duration::from_secs(1);
    Timeouts { connect: second, first_content: second, idle: second, total: second }
}

fn provider(name: &str, region: Option<&str>) -> Arc<Provider> {
    Arc::new(Provider {
        name: name.into(),
        base_url: "http://127.0.0.1:1".into(),
        api_keys: Vec::new(),
        region: region.map(str::to_owned),
        stream_usage: true,
        timeouts: timeouts(),
    })
}

/// A model that can do everything in a window of `context`, at `dollars` per million tokens.
pub(in crate::route) fn model(
    name: &str,
    region: Option<&str>,
    context: u64,
    dollars: i64,
) -> Model {
    let rate = dollars * 1_000_000;
    Model {
        name: name.into(),
        provider: provider(region.unwrap_or("nowhere"), region),
        id: name.into(),
        price: Some(Price { input: rate, output: rate, cached_input: None }),
        context: Some(context),
        max_output: None,
        vision: true,
        tools: true,
        json_schema: true,
        web_search: false,
        fallbacks: Vec::new(),
        timeouts: timeouts(),
    }
}

pub(in crate::route) fn tier(
    name: &str,
    models: Vec<Model>,
    min_adequacy: Option<f64>,
) -> Arc<Tier> {
    let models = models.into_iter().map(Arc::new).collect();
    Arc::new(Tier { name: name.into(), models, min_adequacy })
}

pub(in crate::route) fn tiers(thresholds: [Option<f64>; 2]) -> Vec<Arc<Tier>> {
    let blind = Model { vision: false, json_schema: false, ..model("mini", None, 8_192, 1) };
    let medium =
        Model { tools: false, max_output: Some(1_000), ..model("medium", Some("eu"), 32_000, 5) };
    vec![
        tier("small", vec![blind, model("mini-eu", Some("eu"), 4_096, 1)], thresholds[0]),
        tier("mid", vec![medium], thresholds[1]),
        tier("frontier", vec![model("big", Some("us"), 128_000, 20)], None),
    ]
}

pub(in crate::route) fn settings(tiers: Vec<Arc<Tier>>) -> Settings {
    let baseline = tiers.last().map(|tier| tier.models[0].clone());
    let models = tiers.iter().flat_map(|tier| tier.models.clone()).collect();
    let routes = vec![Arc::new(Route {
        name: "auto".into(),
        tiers: tiers.clone(),
        regions: None,
        cache: true,
        strategy: Arc::default(),
    })];
    let any = "127.0.0.1:0".parse().expect("an address");
    Settings {
        origin: Origin::Environment,
        server: Server {
            listen: any,
            admin_listen: any,
            admin_token: None,
            allowed_hosts: Vec::new(),
            body_limit: 1,
            max_in_flight: 1,
            shutdown_grace: Duration::ZERO,
        },
        embedder: None,
        cache: cache(),
        routing: Routing {
            mode: Mode::Enforce,
            max_quality_loss: 0.02,
            confidence: 0.9,
            shadow: 0.0,
            baseline,
            tiers,
            rules: Vec::new(),
            routes,
        },
        providers: Vec::new(),
        models,
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

fn cache() -> Cache {
    Cache { enabled: false, ..Cache::default() }
}

pub(in crate::route) fn policy(choice: Choice) -> Policy {
    Policy {
        requested: "auto".into(),
        route_label: "auto".into(),
        choice,
        rule: None,
        cache_effect: None,
        cache_allowed: true,
        max_quality_loss: 0.02,
        confidence: 0.9,
        regions: None,
        max_cost: None,
        timeout: None,
        tags: BTreeMap::new(),
        rule_errors: 0,
    }
}

pub(in crate::route) fn auto(settings: &Settings) -> Policy {
    policy(Choice::Tiers { route: settings.routing.routes[0].clone() })
}

pub(in crate::route) fn request(prompt_tokens: u64) -> ChatRequest {
    ChatRequest {
        raw: Bytes::new(),
        body: Map::new(),
        model: "auto".into(),
        stream: false,
        include_usage: false,
        prompt: String::new(),
        last: LastMessage::UserText,
        facts: Facts { prompt_tokens, turns: 1, ..Facts::default() },
        max_output: None,
    }
}

pub(in crate::route) fn signals(adequacy: [f64; 3]) -> Signals {
    let features = Features::of_text("Hello");
    Signals { adequacy, doubt: [0.1, 0.05, 0.0], features, learnt: Learnt::default() }
}
