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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::settings::Timeouts;

    fn provider(name: &str, base_url: &str) -> Arc<Provider> {
        let second = Duration::from_secs(1);
        Arc::new(Provider {
            name: Arc::from(name),
            base_url: base_url.to_owned(),
            api_keys: Vec::new(),
            region: None,
            stream_usage: true,
            timeouts: Timeouts {
                connect: second,
                first_content: second,
                idle: second,
                total: second,
            },
        })
    }

    #[test]
    fn a_provider_is_known_by_its_host_then_by_its_name() {
        let openai = provider("mine", "https://api.openai.com/v1");
        let model = adhoc_model(&openai, "gpt-4.1-mini");
        let price = Price { input: 400_000, output: 1_600_000, cached_input: Some(100_000) };
        assert_eq!(model.price, Some(price));
        assert_eq!((model.context, model.max_output), (Some(1_047_576), Some(32_768)));
        assert!(model.vision && model.tools && model.json_schema && !model.web_search);
        assert_eq!(model.label(), "mine/gpt-4.1-mini");
        let behind_proxy = provider("openai", "http://127.0.0.1:9/v1");
        assert_eq!(adhoc_model(&behind_proxy, "gpt-4.1-mini").price, Some(price));
        // The host says more than the name.
        let misnamed = provider("mistral", "https://api.openai.com/v1");
        assert_eq!(adhoc_model(&misnamed, "mistral-small-latest").price, None);
    }

    #[test]
    fn an_unknown_model_takes_text_tools_and_schemas_at_an_unknown_cost() {
        let model = adhoc_model(&provider("local", "http://h"), "llama");
        assert_eq!((model.price, model.context, model.max_output), (None, None, None));
        assert!(!model.vision && model.tools && model.json_schema && !model.web_search);
    }

    #[test]
    fn a_bare_id_belongs_to_the_one_provider_that_has_it() {
        let openai = provider("openai", "https://api.openai.com/v1");
        let groq = provider("groq", "https://api.groq.com/openai/v1");
        let together = provider("together", "https://api.together.xyz/v1");
        let all = [openai.clone(), groq.clone(), together];
        let name = |providers: &[Arc<Provider>], id: &str| {
            provider_of(providers, id).map(|provider| provider.name.to_string())
        };
        assert_eq!(name(&all, "gpt-4o").as_deref(), Some("openai"));
        assert_eq!(name(&all, "openai/gpt-oss-120b"), None);
        assert_eq!(name(&all[..2], "openai/gpt-oss-120b").as_deref(), Some("groq"));
        assert_eq!(name(&all, "no-such-model"), None);
        assert_eq!(name(&[openai.clone(), openai], "gpt-4o"), None);
    }

    #[test]
    fn the_catalog_is_small_and_its_prices_are_plausible() {
        assert!(include_str!("../../config/catalog.json").len() <= 150_000);
        let mut models = 0;
        for (provider, listed) in &CATALOG.providers {
            assert!(!listed.hosts.is_empty() && !listed.models.is_empty(), "{provider}");
            for (id, facts) in &listed.models {
                models += 1;
                // From a tenth of a cent to a thousand dollars per million tokens.
                for rate in [facts.input, facts.output] {
                    assert!((1_000..=1_000_000_000).contains(&rate), "{provider}/{id}");
                }
                assert!(facts.cached_input.is_none_or(|rate| rate > 0), "{provider}/{id}");
                assert!(facts.context != Some(0) && facts.max_output != Some(0), "{provider}/{id}");
            }
        }
        assert!(models > 300);
    }
}
