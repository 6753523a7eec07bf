//! `providers` and `models`.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::{Check, short};
use crate::config::at::At;
use crate::config::raw::{RawConfig, RawModel, RawPrice, RawProvider, RawTimeouts};
use crate::config::settings::{Model, Provider, Timeouts};
use crate::price::{Price, catalog};

/// What can be called, and the names that stand for it whether or not it is in order: a model with
/// a fault is not also told as a name that does not exist.
pub(super) struct Upstreams {
    pub providers: Vec<Arc<Provider>>,
    pub models: Vec<Arc<Model>>,
    pub model_names: Vec<String>,
    pub provider_names: Vec<String>,
}

impl Upstreams {
    pub(super) fn model(&self, name: &str) -> Option<&Arc<Model>> {
        self.models.iter().find(|model| &*model.name == name)
    }

    pub(super) fn known_models(&self) -> Vec<&str> {
        self.model_names.iter().map(String::as_str).collect()
    }
}

pub(super) fn upstreams(raw: &RawConfig, check: &mut Check<'_>) -> Upstreams {
    let raw_providers = raw.providers.as_deref().unwrap_or_default();
    let raw_models = raw.models.as_deref().unwrap_or_default();
    let named = |name: &Option<At<String>>| name.as_ref().map(|name| name.value.clone());
    let provider_names = raw_providers.iter().filter_map(|p| named(&p.value.name)).collect();
    let model_names = raw_models.iter().filter_map(|m| named(&m.value.name)).collect();
    let mut all =
        Upstreams { providers: Vec::new(), models: Vec::new(), model_names, provider_names };
    for item in raw_providers {
        if let Some(provider) = provider(item, &all.providers, check) {
            all.providers.push(Arc::new(provider));
        }
    }
    for item in raw_models {
        if let Some(model) = model(item, &all, check) {
            all.models.push(Arc::new(model));
        }
    }
    all
}

fn provider(
    item: &At<RawProvider>,
    before: &[Arc<Provider>],
    check: &mut Check<'_>,
) -> Option<Provider> {
    let raw = &item.value;
    let name = check.required(item.id, "name", &raw.name);
    let base_url = check.required(item.id, "base_url", &raw.base_url);
    let base_url = base_url.and_then(|url| checked_url(url, check));
    for key in raw.api_keys.iter().flatten() {
        let text = key.value.value.expose_secret();
        if text.trim().is_empty() {
            check.fault(key.id, "an empty API key", "write it, or leave `api_keys` out");
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let problem = "an API key with characters that no header can carry";
            check.fault(key.id, problem, "write it without spaces and line breaks");
        }
    }
    let region = raw
        .region
        .as_ref()
        .and_then(|region| check.name(region, "region", false).then(|| region.value.clone()));
    let timeouts = timeouts(
        raw.timeouts.as_ref(),
        Timeouts {
            connect: Duration::from_secs(3),
            first_content: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(600),
        },
        check,
    );
    let name = name.filter(|name| check.name(name, "provider", false))?;
    let names: Vec<&str> = before.iter().map(|provider| &*provider.name).collect();
    if !check.first(name, "provider", &names) {
        return None;
    }
    let api_keys = raw.api_keys.iter().flatten();
    Some(Provider {
        name: Arc::from(name.value.as_str()),
        base_url: base_url?,
        api_keys: api_keys.map(|key| SecretString::clone(&key.value.value)).collect(),
        region,
        stream_usage: raw.stream_usage.as_ref().is_none_or(|usage| usage.value),
        timeouts,
    })
}

/// The base of an endpoint, without the slash at its end.
fn checked_url(url: &At<String>, check: &mut Check<'_>) -> Option<String> {
    const ADVICE: &str = "write it as `https://api.openai.com/v1`";
    let fault = match reqwest::Url::parse(&url.value) {
        Err(_) => "`base_url` is no URL",
        Ok(parsed) if !matches!(parsed.scheme(), "http" | "https") => {
            "`base_url` is neither http nor https"
        }
        Ok(parsed) if parsed.host_str().is_none_or(str::is_empty) => "`base_url` names no host",
        Ok(parsed) if parsed.query().is_some() || parsed.fragment().is_some() => {
            "`base_url` has a query or a fragment"
        }
        Ok(parsed) if !parsed.username().is_empty() || parsed.password().is_some() => {
            "`base_url` holds a user or a password, which belong in `api_keys`"
        }
        Ok(_) => return Some(url.value.trim().trim_end_matches('/').to_owned()),
    };
    check.fault(url.id, fault, ADVICE);
    None
}

fn timeouts(raw: Option<&RawTimeouts>, base: Timeouts, check: &mut Check<'_>) -> Timeouts {
    let Some(raw) = raw else { return base };
    Timeouts {
        connect: check.above_zero(&raw.connect, base.connect),
        first_content: check.above_zero(&raw.first_content, base.first_content),
        idle: check.above_zero(&raw.idle, base.idle),
        total: check.above_zero(&raw.total, base.total),
    }
}

fn model(item: &At<RawModel>, all: &Upstreams, check: &mut Check<'_>) -> Option<Model> {
    let raw = &item.value;
    let name = check.required(item.id, "name", &raw.name);
    let id = check.required(item.id, "id", &raw.id);
    let id = id.filter(|id| check.name(id, "model", true));
    let provider = check.required(item.id, "provider", &raw.provider).and_then(|named| {
        let found = all.providers.iter().find(|provider| *provider.name == *named.value);
        if found.is_none() && !all.provider_names.contains(&named.value) {
            let known: Vec<&str> = all.provider_names.iter().map(String::as_str).collect();
            check.unknown(named, "provider", &known);
        }
        found
    });
    let price = raw.price.as_ref().and_then(|written| price(written, check));
    let context = limit(&raw.context, check);
    let max_output = limit(&raw.max_output, check);
    let fallbacks = fallbacks(raw, all, check);
    let name = name.filter(|name| check.name(name, "model", true))?;
    let names: Vec<&str> = all.models.iter().map(|model| &*model.name).collect();
    if !check.first(name, "model", &names) {
        return None;
    }
    let base =
        provider.map(|provider| catalog::adhoc_model(provider, id.map_or("", |id| &id.value)));
    let limits = base.as_ref().map(|base| base.timeouts);
    let written = raw.timeouts.as_ref();
    let timeouts = limits.map(|limits| timeouts(written, limits, check));
    let base = base?;
    let switch = |key: &Option<At<bool>>, default| key.as_ref().map_or(default, |key| key.value);
    Some(Model {
        name: Arc::from(name.value.as_str()),
        id: Arc::from(id?.value.as_str()),
        price: if raw.price.is_some() { price } else { base.price },
        context: context.or(base.context),
        max_output: max_output.or(base.max_output),
        vision: switch(&raw.vision, base.vision),
        tools: switch(&raw.tools, base.tools),
        json_schema: switch(&raw.json_schema, base.json_schema),
        fallbacks,
        timeouts: timeouts?,
        ..base
    })
}

fn limit(key: &Option<At<u64>>, check: &mut Check<'_>) -> Option<u64> {
    let At { id, value } = key.as_ref()?;
    if *value == 0 {
        check.fault(*id, "a limit of zero tokens", "write the number of tokens, or leave it out");
    }
    Some(*value)
}

fn price(raw: &At<RawPrice>, check: &mut Check<'_>) -> Option<Price> {
    let input = check.required(raw.id, "input", &raw.value.input);
    let output = check.required(raw.id, "output", &raw.value.output);
    Some(Price {
        input: input?.value.0,
        output: output?.value.0,
        cached_input: raw.value.cached_input.as_ref().map(|rate| rate.value.0),
    })
}

fn fallbacks(raw: &RawModel, all: &Upstreams, check: &mut Check<'_>) -> Vec<Arc<str>> {
    let known = all.known_models();
    for fallback in raw.fallbacks.iter().flatten() {
        if raw.name.as_ref() == Some(fallback) {
            let problem = format!("`{}` is its own fallback", short(&fallback.value));
            check.fault(fallback.id, problem, "name another model, or leave it out");
        } else if !known.contains(&fallback.value.as_str()) && !fallback.value.trim().is_empty() {
            check.unknown(fallback, "model", &known);
        }
    }
    let names = check.texts(raw.fallbacks.as_deref(), "fallback");
    names.into_iter().map(Arc::from).collect()
}
