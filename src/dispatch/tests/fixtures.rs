//! Settings, targets and orders for tests.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;
use tokio::time::Instant;

use crate::config::Settings;
use crate::config::settings::*;
use crate::dialect::openai::ChatRequest;
use crate::dispatch::{AttemptLog, Dispatcher, Order};
use crate::price::Price;
use crate::route::Planned;

pub const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(3),
    first_content: Duration::from_secs(60),
    idle: Duration::from_secs(30),
    total: Duration::from_secs(600),
};

pub fn provider(name: &str, base_url: String, keys: &[&str], timeouts: Timeouts) -> Arc<Provider> {
    Arc::new(Provider {
        name: name.into(),
        base_url,
        api_keys: keys.iter().map(|key| SecretString::from(*key)).collect(),
        region: Some("eu".into()),
        stream_usage: true,
        timeouts,
    })
}

/// A model that costs `rate` pico-dollars per input token and twice that per output token.
pub fn model(provider: &Arc<Provider>, id: &str, rate: i64) -> Arc<Model> {
    Arc::new(Model {
        name: id.into(),
        provider: provider.clone(),
        id: id.into(),
        price: Some(Price { input: rate, output: 2 * rate, cached_input: None }),
        context: None,
        max_output: None,
        vision: false,
        tools: true,
        json_schema: true,
        web_search: false,
        fallbacks: Vec::new(),
        timeouts: provider.timeouts,
    })
}

pub fn planned(model: &Arc<Model>, tier: Option<&str>) -> Planned {
    Planned { model: model.clone(), tier: tier.map(Arc::from), set_max_output: None, why: None }
}

pub fn settings(models: &[Arc<Model>]) -> Settings {
    let mut providers: Vec<Arc<Provider>> = Vec::new();
    for model in models {
        if !providers.iter().any(|known| known.name == model.provider.name) {
            providers.push(model.provider.clone());
        }
    }
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Settings {
        origin: Origin::Environment,
        server: Server {
            listen: loopback,
            admin_listen: loopback,
            admin_token: None,
            allowed_hosts: Vec::new(),
            body_limit: 20_000_000,
            max_in_flight: 4_096,
            shutdown_grace: Duration::from_secs(30),
        },
        embedder: None,
        cache: cache(),
        routing: Routing {
            mode: Mode::Enforce,
            max_quality_loss: 0.02,
            confidence: 0.9,
            shadow: 0.0,
            baseline: None,
            tiers: Vec::new(),
            rules: Vec::new(),
            routes: Vec::new(),
        },
        providers,
        models: models.to_vec(),
        resilience: Resilience { attempts: 3, retry_budget: 0.2 },
        keys: Vec::new(),
        telemetry: Telemetry {
            log: Log { format: LogFormat::Text, level: tracing::Level::INFO },
            content: false,
            ring: 1_000,
            record: None,
        },
    }
}

fn cache() -> Cache {
    Cache { enabled: false, ..Cache::default() }
}

pub fn dispatcher(models: &[Arc<Model>]) -> Dispatcher {
    Dispatcher::new(Arc::new(settings(models))).unwrap()
}

/// An order for the models as given, one tier, ten minutes.
pub fn order(models: &[Arc<Model>], stream: bool) -> Order {
    let body = format!(
        r#"{{"model":"auto","stream":{stream},"messages":[{{"role":"user","content":"Hi there"}}]}}"#
    );
    Order {
        request: Arc::new(ChatRequest::decode(Bytes::from(body)).unwrap()),
        targets: models.iter().map(|model| planned(model, Some("small"))).collect(),
        keep_order: false,
        forward: Vec::new(),
        deadline: Instant::now() + TIMEOUTS.total,
        total: TIMEOUTS.total,
        log: AttemptLog::new(),
    }
}
