//! Prices and capabilities of models that the configuration does not spell out.
//!
//! The facts stand in `config/catalog.json` and are built in; `scripts/make-catalog.py` makes the
//! file. They are what contributors of LiteLLM wrote down of public price lists
//! (`config/catalog.NOTICE.md`), not what a provider guarantees: a configured price goes first.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::Price;
use crate::config::settings::{Model, Provider};

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../config/catalog.json"))
        .expect("invariant: the built-in catalog is well formed, as a test checks")
});

/// Providers by the catalog's own name for them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalog {
    providers: BTreeMap<String, Listed>,
}

/// A provider of the catalog.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// Hosts of its API.
    hosts: Vec<String>,
    models: BTreeMap<String, Facts>,
}

/// What is known of a model. Absent is unknown.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    /// Pico-dollars per token.
    input: i64,
    output: i64,
    cached_input: Option<i64>,
    /// Tokens.
    context: Option<u64>,
    max_output: Option<u64>,
    vision: Option<bool>,
    tools: Option<bool>,
    json_schema: Option<bool>,
    /// Every answer draws on the live web.
    #[serde(default)]
    web_search: bool,
}

/// Which of the catalog's providers this one is: by the host of its `base_url`, else by its name.
fn listed(provider: &Provider) -> Option<&'static Listed> {
    let url = reqwest::Url::parse(&provider.base_url).ok();
    let host = url.as_ref().and_then(|url| url.host_str());
    let by_host = CATALOG
        .providers
        .values()
        .find(|listed| host.is_some_and(|host| listed.hosts.iter().any(|known| known == host)));
    by_host.or_else(|| CATALOG.providers.get(&*provider.name))
}

/// The model `id` of a configured provider, with what the catalog knows of it. Unknown: text and
/// tools and JSON schema, no vision, no limit, no price.
pub fn adhoc_model(provider: &Arc<Provider>, id: &str) -> Model {
    let facts = listed(provider).and_then(|listed| listed.models.get(id));
    Model {
        name: Arc::from(format!("{}/{id}", provider.name)),
        provider: provider.clone(),
        id: Arc::from(id),
        price: facts.map(|facts| Price {
            input: facts.input,
            output: facts.output,
            cached_input: facts.cached_input,
        }),
        context: facts.and_then(|facts| facts.context),
        max_output: facts.and_then(|facts| facts.max_output),
        vision: facts.and_then(|facts| facts.vision).unwrap_or(false),
        tools: facts.and_then(|facts| facts.tools).unwrap_or(true),
        json_schema: facts.and_then(|facts| facts.json_schema).unwrap_or(true),
        web_search: facts.is_some_and(|facts| facts.web_search),
        fallbacks: Vec::new(),
        timeouts: provider.timeouts,
    }
}

/// The one configured provider to which the catalog gives the bare id; `None` if it gives it to
/// none or to several of them.
pub fn provider_of(providers: &[Arc<Provider>], id: &str) -> Option<Arc<Provider>> {
    let gives = |provider: &&Arc<Provider>| {
        listed(provider).is_some_and(|listed| listed.models.contains_key(id))
    };
    let mut found = providers.iter().filter(gives);
    let first = found.next()?;
    found.next().is_none().then(|| first.clone())
}
