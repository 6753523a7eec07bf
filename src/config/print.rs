//! The effective configuration as YAML: defaults filled in, secrets left out, ready to save.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Loaded;
use super::at::{At, OrOff, WordOr};
use super::raw::*;
use super::scalar::{Secret, Share, Size, Span, UsdPerMillion};
use super::settings::{
    Cache, CacheScope, Key, LogFormat, Mode, Model, Provider, RouteEffect, Routing, Settings,
    Telemetry, Timeouts,
};
use super::substitute::escape;
use super::tree::{Id, Value};
use crate::route::Strategy;

/// The YAML text. Read again, with the environment variables that it names set, it gives equal
/// settings.
pub fn print(loaded: &Loaded) -> String {
    let effective = effective(loaded);
    let mut text =
        String::from("# The effective configuration: what was written and the defaults.\n");
    for variable in &effective.withheld {
        writeln!(text, "# A secret stood in the text here; set {variable} to it.")
            .expect("invariant: writing to a string cannot fail");
    }
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    text + &serde_saphyr::to_string_with_options(&effective.config, options)
        .expect("invariant: a configuration serializes to YAML")
}

/// A configuration with every default written out.
pub(super) struct Effective {
    pub config: RawConfig,
    /// Variables that now stand for secrets which were written in the text.
    withheld: Vec<String>,
}

pub(super) fn effective(loaded: &Loaded) -> Effective {
    let settings = &loaded.settings;
    let mut secrets = Secrets { loaded, withheld: Vec::new() };
    let config = RawConfig {
        server: server(settings, &mut secrets),
        embedder: Some(embedder(settings)),
        cache: cache(&settings.cache, &loaded.raw.cache),
        routing: routing(&settings.routing, &loaded.raw.routing),
        providers: list(&settings.providers, |item| provider(item, &mut secrets)),
        models: list(&settings.models, |item| model(item)),
        resilience: RawResilience {
            attempts: key(number(settings.resilience.attempts)),
            retry_budget: key(Share(settings.resilience.retry_budget)),
        },
        keys: list(&settings.keys, access),
        telemetry: telemetry(&settings.telemetry),
    };
    Effective { config, withheld: secrets.withheld }
}

/// Decides what is shown in place of a secret.
struct Secrets<'l> {
    loaded: &'l Loaded,
    withheld: Vec<String>,
}

impl Secrets<'_> {
    /// The reference that was written, or a new one of that name.
    fn shown(&mut self, secret: &At<Secret>, name: &str) -> At<Secret> {
        let written = self.written(secret.id);
        let shown = written.and_then(|text| references_only(&text)).unwrap_or_else(|| {
            let mut variable: String = name.to_uppercase();
            variable.retain(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
            let mut variable = variable.replace(['-', '.'], "_");
            if variable.starts_with(|c: char| c.is_ascii_digit()) {
                variable.insert(0, '_');
            }
            self.withheld.push(variable.clone());
            format!("${{{variable}}}")
        });
        At::nowhere(Secret { value: secret.value.value.clone(), shown })
    }

    fn written(&self, id: Id) -> Option<String> {
        match &self.loaded.tree.root.find(id)?.value {
            Value::Scalar(scalar) => scalar.written.clone(),
            _ => None,
        }
    }
}

/// The text if nothing but `${NAME}` stands in it: a default between the braces may be a secret.
fn references_only(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some(inner) = rest.strip_prefix("${") {
        let (name, after) = inner.split_once('}')?;
        if name.contains(":-") {
            return None;
        }
        rest = after;
    }
    rest.is_empty().then(|| text.to_owned())
}

fn key<T>(value: T) -> Option<At<T>> {
    Some(At::nowhere(value))
}

/// A text of the settings, in the words that read as it.
fn text(value: &str) -> Option<At<String>> {
    key(escape(value))
}

fn texts(values: impl IntoIterator<Item = impl AsRef<str>>) -> Option<Vec<At<String>>> {
    Some(values.into_iter().map(|value| At::nowhere(escape(value.as_ref()))).collect())
}

fn list<T, R>(items: &[T], write: impl FnMut(&T) -> R) -> Option<Vec<At<R>>> {
    Some(items.iter().map(write).map(At::nowhere).collect())
}

fn number(value: usize) -> u32 {
    u32::try_from(value).expect("invariant: numbers of the settings were read as u32")
}

fn mode(mode: Mode) -> Option<At<RawMode>> {
    key(match mode {
        Mode::Enforce => RawMode::Enforce,
        Mode::Observe => RawMode::Observe,
    })
}

fn server(settings: &Settings, secrets: &mut Secrets<'_>) -> RawServer {
    let server = &settings.server;
    let token = secrets.loaded.raw.server.admin_token.as_ref();
    RawServer {
        listen: key(server.listen.to_string()),
        admin_listen: key(server.admin_listen.to_string()),
        admin_token: token.map(|token| secrets.shown(token, "SEMGATE_ADMIN_TOKEN")),
        allowed_hosts: texts(&server.allowed_hosts),
        body_limit: key(Size(server.body_limit)),
        max_in_flight: key(number(server.max_in_flight)),
        shutdown_grace: key(Span(server.shutdown_grace)),
    }
}

fn embedder(settings: &Settings) -> OrOff<RawEmbedder> {
    let Some(embedder) = &settings.embedder else { return OrOff::Off };
    OrOff::On(RawEmbedder {
        model: text(&embedder.model),
        threads: key(number(embedder.threads)),
        max_tokens: key(number(embedder.max_tokens)),
        queue: key(number(embedder.queue)),
        timeout: key(Span(embedder.timeout)),
    })
}

fn cache(cache: &Cache, written: &RawCache) -> RawCache {
    let mut rules = written.rules.clone().unwrap_or_default();
    for rule in &mut rules {
        rule.value.when = rule.value.when.as_ref().and_then(|when| text(&when.value));
    }
    RawCache {
        enabled: key(cache.enabled),
        judge: cache.judge.as_ref().and_then(|model| text(&model.name)),
        max_wrong_hits: written.max_wrong_hits.clone().or(key(Share(0.01))),
        min_precision: written.min_precision.clone().or(key(OrOff::On(Share(0.95)))),
        exploration: written.exploration.clone().or(key(Share(0.02))),
        mode: mode(cache.mode),
        scope: key(match cache.scope {
            CacheScope::Tenant => RawScope::Tenant,
            CacheScope::Key => RawScope::Key,
        }),
        scope_fields: texts(&cache.scope_fields),
        ignored_fields: texts(&cache.ignored_fields),
        max_temperature: key(cache.max_temperature),
        max_entry: key(Size(cache.max_entry)),
        tool_calls: key(cache.tool_calls),
        expose_evidence: key(cache.expose_evidence),
        feedback_window: key(Span(cache.feedback_window)),
        shadow: key(Share(cache.shadow)),
        exact: RawExact {
            enabled: key(cache.exact.enabled),
            max_bytes: key(Size(cache.exact.max_bytes)),
        },
        semantic: RawSemantic {
            enabled: key(cache.semantic.enabled),
            max_entries: key(number(cache.semantic.max_entries)),
            max_bytes: key(Size(cache.semantic.max_bytes)),
            candidates: key(number(cache.semantic.candidates)),
            // The settings hold an f32; the written number reads shorter and gives the same.
            min_similarity: written.semantic.min_similarity.clone().or(key(0.5)),
        },
        ttl: RawTtl {
            default: key(Span(cache.ttl.default)),
            volatile: key(Span(cache.ttl.volatile)),
            timeless: key(Span(cache.ttl.timeless)),
        },
        persistence: RawPersistence { enabled: key(cache.persistence.enabled) },
        stale_while_revalidate: key(Span(cache.stale_while_revalidate)),
        stale_if_error: key(Span(cache.stale_if_error)),
        refresh_ahead: key(cache.refresh_ahead),
        rules: Some(rules),
    }
}

fn routing(routing: &Routing, written: &RawRouting) -> RawRouting {
    let mut rules = written.rules.clone().unwrap_or_default();
    // Each written rule has become one.
    for (rule, effect) in rules.iter_mut().zip(&routing.rules) {
        rule.value.when = rule.value.when.as_ref().and_then(|when| text(&when.value));
        if let (Some(then), RouteEffect::Strategy(strategy)) = (&mut rule.value.then, &effect.then)
        {
            then.value.strategy = key(written_strategy(strategy));
        }
        if let Some(then) = &mut rule.value.then {
            then.value.tier = then.value.tier.as_ref().and_then(|tier| text(&tier.value));
            then.value.model = then.value.model.as_ref().and_then(|model| text(&model.value));
        }
    }
    // A route is printed if the file has it: `auto` is made anew unless it was written.
    let is_written = |name: &str| {
        let mut names = written.routes.iter().flatten().filter_map(|r| r.value.name.as_ref());
        names.any(|written| written.value == name)
    };
    RawRouting {
        mode: mode(routing.mode),
        max_quality_loss: key(Share(routing.max_quality_loss)),
        confidence: key(Share(routing.confidence)),
        shadow: key(Share(routing.shadow)),
        baseline: routing.baseline.as_ref().and_then(|model| text(&model.name)),
        tiers: list(&routing.tiers, |tier| RawTier {
            name: text(&tier.name),
            models: texts(tier.models.iter().map(|model| &model.name)),
            min_adequacy: tier.min_adequacy.and_then(|share| key(Share(share))),
        }),
        rules: Some(rules),
        routes: Some(
            routing
                .routes
                .iter()
                .filter(|route| is_written(&route.name))
                .map(|route| RawRoute {
                    name: text(&route.name),
                    tiers: texts(route.tiers.iter().map(|tier| &tier.name)),
                    // Those of its tiers are not the route's own where nobody asks for them.
                    min_adequacy: thresholds(
                        route
                            .tiers
                            .iter()
                            .filter(|_| route.strategy.is_classifier())
                            .map(|tier| (&*tier.name, tier.min_adequacy)),
                    ),
                    strategy: key(written_strategy(&route.strategy)),
                    regions: route.regions.as_ref().and_then(texts),
                    cache: key(route.cache),
                })
                .map(At::nowhere)
                .collect(),
        ),
    }
}

fn written_strategy(strategy: &Strategy) -> RawStrategy {
    match strategy {
        Strategy::Classifier => WordOr::Word(RawStrategyWord::Classifier),
        Strategy::Cheapest => WordOr::Word(RawStrategyWord::Cheapest),
        Strategy::Fastest => WordOr::Word(RawStrategyWord::Fastest),
        Strategy::Fixed { model, .. } => {
            WordOr::Block(RawStrategyOf { fixed: text(&model.name), weighted: None })
        }
        Strategy::Weighted(weights) => {
            let weights = weights
                .iter()
                .map(|(model, weight)| (At::nowhere(escape(&model.name)), At::nowhere(*weight)));
            WordOr::Block(RawStrategyOf { fixed: None, weighted: key(weights.collect()) })
        }
    }
}

/// The thresholds of a route's tiers; `None` in quality mode.
fn thresholds<'t>(
    tiers: impl Iterator<Item = (&'t str, Option<f64>)>,
) -> Option<BTreeMap<At<String>, At<Share>>> {
    let map: BTreeMap<_, _> =
        tiers.filter_map(|(tier, share)| Some((text(tier)?, At::nowhere(Share(share?))))).collect();
    (!map.is_empty()).then_some(map)
}

fn provider(provider: &Provider, secrets: &mut Secrets<'_>) -> RawProvider {
    let raw = secrets.loaded.raw.providers.iter().flatten();
    let mut raw =
        raw.filter(|raw| raw.value.name.as_ref().is_some_and(|n| *n.value == *provider.name));
    let keys = raw.next().and_then(|raw| raw.value.api_keys.as_deref()).unwrap_or_default();
    let shown = keys.iter().enumerate().map(|(index, key)| {
        let suffix = if index == 0 { String::new() } else { format!("_{}", index + 1) };
        secrets.shown(key, &format!("{}_API_KEY{suffix}", provider.name))
    });
    RawProvider {
        api_keys: Some(shown.collect()),
        name: text(&provider.name),
        dialect: key(RawDialect::Openai),
        base_url: text(&provider.base_url),
        region: provider.region.as_deref().and_then(text),
        stream_usage: key(provider.stream_usage),
        timeouts: Some(timeouts(&provider.timeouts)),
    }
}

fn timeouts(timeouts: &Timeouts) -> RawTimeouts {
    RawTimeouts {
        connect: key(Span(timeouts.connect)),
        first_content: key(Span(timeouts.first_content)),
        idle: key(Span(timeouts.idle)),
        total: key(Span(timeouts.total)),
    }
}

fn model(model: &Model) -> RawModel {
    let own_timeouts = model.timeouts != model.provider.timeouts;
    RawModel {
        name: text(&model.name),
        provider: text(&model.provider.name),
        id: text(&model.id),
        price: model.price.and_then(|price| {
            key(RawPrice {
                input: key(UsdPerMillion(price.input)),
                output: key(UsdPerMillion(price.output)),
                cached_input: price.cached_input.and_then(|rate| key(UsdPerMillion(rate))),
            })
        }),
        context: model.context.and_then(key),
        max_output: model.max_output.and_then(key),
        vision: key(model.vision),
        tools: key(model.tools),
        json_schema: key(model.json_schema),
        fallbacks: texts(&model.fallbacks),
        timeouts: own_timeouts.then(|| timeouts(&model.timeouts)),
    }
}

fn access(key_settings: &Key) -> RawKey {
    let hex = key_settings.hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let rights = &key_settings.rights;
    let tags = rights
        .tags
        .iter()
        .map(|(name, value)| (At::nowhere(name.clone()), At::nowhere(escape(value))));
    RawKey {
        name: text(&key_settings.name),
        tenant: text(&key_settings.tenant),
        hash: key(format!("sha256:{hex}")),
        models: rights.models.as_ref().and_then(texts),
        regions: rights.regions.as_ref().and_then(texts),
        tags: Some(tags.collect()),
        overrides: key(rights.overrides),
    }
}

fn telemetry(telemetry: &Telemetry) -> RawTelemetry {
    RawTelemetry {
        log: RawLog {
            format: key(match telemetry.log.format {
                LogFormat::Text => RawLogFormat::Text,
                LogFormat::Json => RawLogFormat::Json,
            }),
            level: key(match telemetry.log.level {
                tracing::Level::ERROR => RawLevel::Error,
                tracing::Level::WARN => RawLevel::Warn,
                tracing::Level::INFO => RawLevel::Info,
                tracing::Level::DEBUG => RawLevel::Debug,
                tracing::Level::TRACE => RawLevel::Trace,
            }),
        },
        content: key(telemetry.content),
        ring: key(number(telemetry.ring)),
        record: telemetry.record.as_ref().map(|record| {
            OrOff::On(At::nowhere(RawRecord {
                path: record.path.to_str().and_then(text),
                max_bytes: key(Size(record.max_bytes)),
                keep: key(number(record.keep)),
            }))
        }),
    }
}
