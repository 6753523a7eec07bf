//! Prometheus metrics. Every label comes from a bounded set: configured names, our own reasons.
//!
//! Most are counted from the decision record when it closes, so that metrics and records cannot
//! tell different stories; gauges of live state are set when somebody scrapes.

use std::collections::HashSet;

use prometheus::{
    CounterVec, Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::OwnWork;
use super::cache_metrics::CacheMetrics;
use super::decision::{Attempt, DecisionRecord};
use super::route_metrics::RouteMetrics;
use crate::dialect::Usage;
use crate::price::Money;

/// Handles of all metrics, and the registry they are scraped from.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    lookups: IntCounterVec,
    collapsed: IntCounterVec,
    decisions: IntCounterVec,
    attempts: IntCounterVec,
    upstream_seconds: HistogramVec,
    pub first_content_seconds: HistogramVec,
    overhead_seconds: HistogramVec,
    tokens: IntCounterVec,
    cost: CounterVec,
    saved: Gauge,
    own_spend: CounterVec,
    pub jobs: IntCounterVec,
    pub rule_errors: IntCounter,
    pub records_dropped: IntCounter,
    pub unknown_events: IntCounter,
    pub cache_stale: IntCounterVec,
    pub cache_entries: IntGaugeVec,
    pub cache_bytes: IntGauge,
    pub cache_followers: IntGauge,
    pub cache: CacheMetrics,
    pub route: RouteMetrics,
    pub embed_queue: IntGauge,
    pub in_flight: IntGauge,
    pub target_healthy: IntGaugeVec,
    pub config_reloads: IntCounterVec,
}

/// Steps of ours whose time is overhead; `upstream` is the provider's.
pub(super) const OVERHEAD_STEPS: [&str; 5] = ["exact", "embed", "search", "verify", "decide"];

/// What the gateway spends money on for itself: failed attempts, what it asks to learn, and its jobs
/// (`jobs::What`).
const OWN_SPEND: [&str; 7] =
    ["retry", "exploration", "shadow", "refresh", "judge", "route_shadow", "probe"];

const UPSTREAM_BUCKETS: [f64; 12] =
    [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0];
const OVERHEAD_BUCKETS: [f64; 10] = [5e-6, 2e-5, 1e-4, 5e-4, 1e-3, 2e-3, 5e-3, 2e-2, 0.1, 0.5];

impl Metrics {
    pub fn new() -> Self {
        let make = Maker { registry: Registry::new() };
        let metrics = Self {
            requests: make.counters("requests_total", "Requests ended.", &["route", "outcome"]),
            lookups: make.counters(
                "cache_lookups_total",
                "Cache verdicts by the level that gave them.",
                &["level", "verdict"],
            ),
            collapsed: make.counters(
                "cache_collapsed_total",
                "Requests that shared the upstream call of an equal one.",
                &["route"],
            ),
            decisions: make.counters(
                "route_decisions_total",
                "Routing decisions.",
                &["tier", "reason"],
            ),
            attempts: make.counters(
                "upstream_attempts_total",
                "Upstream attempts.",
                &["target", "outcome"],
            ),
            upstream_seconds: make.histogram(
                "upstream_seconds",
                "Duration of upstream attempts.",
                &["target"],
                &UPSTREAM_BUCKETS,
            ),
            first_content_seconds: make.histogram(
                "first_content_seconds",
                "Time until a stream's first content left.",
                &["route"],
                &UPSTREAM_BUCKETS,
            ),
            overhead_seconds: make.histogram(
                "overhead_seconds",
                "Time spent in our own steps.",
                &["step"],
                &OVERHEAD_BUCKETS,
            ),
            tokens: make.counters(
                "tokens_total",
                "Tokens of upstream answers, as billed.",
                &["target", "kind"],
            ),
            cost: make.sums("cost_usd_total", "Upstream cost in US dollars.", &["target"]),
            saved: make.gauge("saved_usd", "Saved against the baseline, net, in US dollars."),
            own_spend: make.sums(
                "own_spend_usd_total",
                "Spent by the gateway for itself, in US dollars.",
                &["by"],
            ),
            jobs: make.counters(
                "jobs_total",
                "Upstream requests that no caller waited for.",
                &["what", "outcome"],
            ),
            rule_errors: make.counter("rule_errors_total", "Rules that failed to evaluate."),
            records_dropped: make
                .counter("records_dropped_total", "Decision records the file could not take."),
            unknown_events: make
                .counter("unknown_stream_events_total", "Upstream events forwarded unread."),
            cache_stale: make.counters(
                "cache_stale_hits_total",
                "Answers served past their expiry, by why.",
                &["why"],
            ),
            cache_entries: make.gauges("cache_entries", "Stored entries.", &["level"]),
            cache_bytes: make.int_gauge("cache_bytes", "Bytes held by the cache, both levels."),
            cache_followers: make.int_gauge(
                "cache_followers",
                "Requests that share the upstream call of an equal one at this moment.",
            ),
            cache: CacheMetrics::new(&make),
            route: RouteMetrics::new(&make),
            embed_queue: make.int_gauge("embed_queue", "Texts waiting for the embedder."),
            in_flight: make.int_gauge("in_flight", "Requests in flight."),
            target_healthy: make.gauges(
                "target_healthy",
                "1 if the target may be tried.",
                &["target"],
            ),
            config_reloads: make.counters(
                "config_reloads_total",
                "Reloads of the configuration.",
                &["outcome"],
            ),
            registry: make.registry,
        };
        // Shown from the start: what was never spent is nothing, not unknown.
        for by in OWN_SPEND {
            metrics.own_spend.with_label_values(&[by]);
        }
        metrics
    }

    /// Counts a closed record. `known` holds the targets of the configuration: a target that a
    /// caller made up by naming `provider/<any id>` counts as `other`.
    pub fn count(&self, record: &DecisionRecord, known: &HashSet<String>) {
        self.requests.with_label_values(&[&record.route.label, &record.outcome]).inc();
        let level = record.cache.level.unwrap_or("none");
        self.lookups.with_label_values(&[level, &record.cache.verdict]).inc();
        if record.cache.collapsed {
            self.collapsed.with_label_values(&[&record.route.label]).inc();
        }
        if let Some(reason) = record.route.reason {
            let tier = record.route.tier.as_deref().unwrap_or("none");
            self.decisions.with_label_values(&[tier, reason]).inc();
        }
        self.count_attempts(&record.attempts, record.usage, known);
        for step in OVERHEAD_STEPS {
            if let Some(ms) = record.timings_ms.get(step) {
                self.overhead_seconds.with_label_values(&[step]).observe(ms / 1e3);
            }
        }
        self.count_money(record);
        self.cache.count(record);
        self.route.count(record);
    }

    /// Counts work that belongs to no request.
    pub fn count_own(&self, work: &OwnWork<'_>, known: &HashSet<String>) {
        self.jobs.with_label_values(&[work.by, work.outcome]).inc();
        self.count_attempts(work.attempts, work.usage, known);
        let spent: Money = work.attempts.iter().filter_map(|attempt| attempt.cost_usd).sum();
        if spent > Money::ZERO {
            self.saved.sub(spent.usd());
            self.own_spend.with_label_values(&[work.by]).inc_by(spent.usd());
        }
    }

    /// `usage` is that of the last attempt.
    fn count_attempts(&self, attempts: &[Attempt], usage: Option<Usage>, known: &HashSet<String>) {
        for attempt in attempts {
            let target = bounded(&attempt.target, known);
            let outcome = attempt.error.unwrap_or("ok");
            self.attempts.with_label_values(&[target, outcome]).inc();
            self.upstream_seconds.with_label_values(&[target]).observe(attempt.ms / 1e3);
            if let Some(cost) = attempt.cost_usd {
                self.cost.with_label_values(&[target]).inc_by(cost.usd().max(0.0));
            }
        }
        if let (Some(usage), Some(attempt)) = (usage, attempts.last()) {
            let target = bounded(&attempt.target, known);
            self.tokens.with_label_values(&[target, "prompt"]).inc_by(usage.prompt_tokens);
            self.tokens.with_label_values(&[target, "completion"]).inc_by(usage.completion_tokens);
            self.tokens.with_label_values(&[target, "cached"]).inc_by(usage.cached_tokens);
        }
    }

    fn count_money(&self, record: &DecisionRecord) {
        if let Some(saved) = record.saved_usd {
            self.saved.add(saved.usd());
        }
        if let Some(own) = record.own_spend_usd {
            let vain = if record.explored { own.min(record.spent_in_vain()) } else { own };
            for (by, spent) in [("retry", vain), ("exploration", own - vain)] {
                if by == "retry" || record.explored {
                    self.own_spend.with_label_values(&[by]).inc_by(spent.usd().max(0.0));
                }
            }
        }
    }

    /// The exposition in Prometheus' text format.
    pub fn text(&self) -> String {
        let mut buffer = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut buffer)
            .expect("metrics encode into memory");
        String::from_utf8(buffer).expect("the text format is UTF-8")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn bounded<'a>(target: &'a str, known: &HashSet<String>) -> &'a str {
    if known.contains(target) { target } else { "other" }
}

/// Makes and registers metrics under the common prefix.
pub(super) struct Maker {
    registry: Registry,
}

impl Maker {
    fn register<M: prometheus::core::Collector + Clone + 'static>(&self, metric: M) -> M {
        self.registry.register(Box::new(metric.clone())).expect("each name is registered once");
        metric
    }

    fn options(name: &str, help: &str) -> Opts {
        Opts::new(name, help).namespace("semgate")
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let metric = IntCounterVec::new(Self::options(name, help), labels);
        self.register(metric.expect("names and labels are valid"))
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        let metric = IntCounter::with_opts(Self::options(name, help));
        self.register(metric.expect("the name is valid"))
    }

    pub(super) fn sums(&self, name: &str, help: &str, labels: &[&str]) -> CounterVec {
        let metric = CounterVec::new(Self::options(name, help), labels);
        self.register(metric.expect("names and labels are valid"))
    }

    fn gauge(&self, name: &str, help: &str) -> Gauge {
        let metric = Gauge::with_opts(Self::options(name, help));
        self.register(metric.expect("the name is valid"))
    }

    pub(super) fn int_gauge(&self, name: &str, help: &str) -> IntGauge {
        let metric = IntGauge::with_opts(Self::options(name, help));
        self.register(metric.expect("the name is valid"))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        let metric = IntGaugeVec::new(Self::options(name, help), labels);
        self.register(metric.expect("names and labels are valid"))
    }

    pub(super) fn ratios(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        let metric = GaugeVec::new(Self::options(name, help), labels);
        self.register(metric.expect("names and labels are valid"))
    }

    fn histogram(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        let options =
            HistogramOpts { common_opts: Self::options(name, help), buckets: buckets.to_vec() };
        let metric = HistogramVec::new(options, labels);
        self.register(metric.expect("names, labels and buckets are valid"))
    }
}
