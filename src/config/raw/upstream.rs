//! Whom requests are sent to, and for whom: routing, providers, models, keys.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Key, RawMode, RawStrategy, Skip};
use crate::config::at::At;
use crate::config::scalar::{Secret, Share, Span, UsdPerMillion};

block! {
    RawRouting {
        /// `observe` sends routes to the baseline and records what would have been decided.
        mode: Key<RawMode>,
        /// Quality that may be lost against the baseline, in points.
        max_quality_loss: Key<Share>,
        /// How sure the plan must be of that.
        confidence: Key<Share>,
        /// Share of the requests for which another tier is asked as well, to learn from.
        shadow: Key<Share>,
        /// The model that savings and quality are counted against. Absent: the dearest model of
        /// the last tier.
        baseline: Key<String>,
        /// Cheapest first.
        tiers: Option<Vec<At<RawTier>>>,
        /// First match wins; they apply to routes only.
        rules: Option<Vec<At<RawRouteRule>>>,
        /// Names that callers may ask for, beside `auto`.
        routes: Option<Vec<At<RawRoute>>>,
    }
}

block! {
    RawTier {
        /// Callers may ask for `tier/<name>`.
        name: Key<String>,
        /// Models of like capability, in order.
        models: Option<Vec<At<String>>>,
        /// The tier answers if its answer is adequate with at least this probability.
        min_adequacy: Key<Share>,
    }
}

block! {
    RawRouteRule {
        /// A CEL expression over the request.
        when: Key<String>,
        /// Who answers then: a tier, a model, or whom a strategy picks.
        then: Key<RawRouteEffect>,
    }
}

block! {
    RawRouteEffect {
        /// A tier.
        tier: Key<String>,
        /// A name of `models`.
        model: Key<String>,
        /// Who picks among the models of the route's tiers.
        strategy: Key<RawStrategy>,
    }
}

block! {
    RawRoute {
        /// The name that callers ask for; it may be a model's name.
        name: Key<String>,
        /// The tiers it may use, cheapest first.
        tiers: Option<Vec<At<String>>>,
        /// In place of the tiers' own values, tier by tier.
        min_adequacy: Option<BTreeMap<At<String>, At<Share>>>,
        /// Who picks among the models of its tiers: `classifier`, `cheapest`, `fastest`,
        /// `{fixed: name}` or `{weighted: {name: 80, other: 20}}`.
        strategy: Key<RawStrategy>,
        /// Only models of providers in these regions.
        regions: Option<Vec<At<String>>>,
        /// `false`: its requests are neither looked up nor stored.
        cache: Key<bool>,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawDialect {
    /// The OpenAI chat completions API and what is compatible with it.
    Openai,
}

block! {
    RawProvider {
        /// Part of the target's name in headers, records and metrics.
        name: Key<String>,
        /// The API that it speaks.
        dialect: Key<RawDialect>,
        /// `/chat/completions` is appended.
        base_url: Key<String>,
        /// Credentials; none for an endpoint without authentication.
        api_keys: Option<Vec<At<Secret>>>,
        /// Compared with the regions of keys and routes.
        region: Key<String>,
        /// `false` for an endpoint that refuses `stream_options`; tokens of streams are then
        /// estimated.
        stream_usage: Key<bool>,
        /// Time limits of its models.
        timeouts: Option<RawTimeouts>,
    }
}

block! {
    RawTimeouts {
        /// To open a connection.
        connect: Key<Span>,
        /// Streams only: until the first content.
        first_content: Key<Span>,
        /// Streams only: between any two bytes.
        idle: Key<Span>,
        /// The whole request of the caller, all attempts.
        total: Key<Span>,
    }
}

block! {
    RawModel {
        /// The name that tiers, rules and callers use.
        name: Key<String>,
        /// A name of `providers`.
        provider: Key<String>,
        /// The provider's own id of the model.
        id: Key<String>,
        /// Absent: from the catalog.
        price: Key<RawPrice>,
        /// Context window in tokens. Absent: from the catalog, else no limit.
        context: Key<u64>,
        /// Longest answer in tokens. Absent: from the catalog, else no limit.
        max_output: Key<u64>,
        /// Whether it reads images. Absent: from the catalog, else no.
        vision: Key<bool>,
        /// Whether it calls tools. Absent: from the catalog, else yes.
        tools: Key<bool>,
        /// Whether it keeps to a JSON schema. Absent: from the catalog, else yes.
        json_schema: Key<bool>,
        /// Models tried after it when a caller named it.
        fallbacks: Option<Vec<At<String>>>,
        /// In place of the provider's, limit by limit.
        timeouts: Option<RawTimeouts>,
    }
}

block! {
    /// USD per million tokens.
    RawPrice {
        /// Prompt tokens.
        input: Key<UsdPerMillion>,
        /// Completion tokens.
        output: Key<UsdPerMillion>,
        /// Prompt tokens that the provider read from its own cache. Absent: as `input`.
        cached_input: Key<UsdPerMillion>,
    }
}

block! {
    RawKey {
        /// Name of the key in records.
        name: Key<String>,
        /// Tenants never share answers.
        tenant: Key<String>,
        /// SHA-256 of the key, as `semgate keys create` prints it.
        hash: Key<String>,
        /// Names it may ask for. Absent: all.
        models: Option<Vec<At<String>>>,
        /// Regions its requests may be sent to. Absent: all.
        regions: Option<Vec<At<String>>>,
        /// Tags of each of its requests.
        tags: Option<BTreeMap<At<String>, At<String>>>,
        /// Whether `x-semgate-tier` and `x-semgate-max-quality-loss` are heeded.
        overrides: Key<bool>,
    }
}
