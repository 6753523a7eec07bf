//! What the metrics say of the cache: hits and refusals with their reasons, what hits saved, labels,
//! the index, and the measured rate of wrong hits. Requests are counted from their records, levels
//! brought up to date when somebody scrapes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use prometheus::{CounterVec, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::decision::DecisionRecord;
use super::metrics::Maker;
use crate::cache::Level;
use crate::cache::Stats;
use crate::cache::learn::{Given, Standing};

/// Handles of the cache's metrics.
#[derive(Debug)]
pub struct CacheMetrics {
    hits: IntCounterVec,
    refusals: IntCounterVec,
    guard_vetoes: IntCounterVec,
    saved_usd: CounterVec,
    saved_seconds: CounterVec,
    labels: IntCounterVec,
    shadow: IntCounterVec,
    inserts: IntCounterVec,
    evictions: IntCounterVec,
    dropped: IntCounter,
    scopes: IntGauge,
    tombstones: IntGauge,
    answers: IntGauge,
    pairs_apart: IntGauge,
    wrong_hits: GaugeVec,
    calibration: IntGaugeVec,
    /// One scrape at a time: each adds to counters what has happened since the last one.
    scraping: Mutex<()>,
}

/// Verdicts as metrics call them, in the order of [`Given`].
const VERDICTS: [&str; 3] = ["same", "different", "cannot_tell"];

impl CacheMetrics {
    pub(super) fn new(make: &Maker) -> Self {
        let counters = |name, help, labels: &[&str]| make.counters(name, help, labels);
        Self {
            hits: counters(
                "cache_hits_total",
                "Requests answered from the cache, by level and reason: the request was equal, was \
                 a repeat in the same words, or its score passed the line.",
                &["level", "reason"],
            ),
            refusals: counters(
                "cache_refusals_total",
                "Requests that the cache did not answer, as in Cache-Status.",
                &["verdict", "detail"],
            ),
            guard_vetoes: counters(
                "cache_guard_vetoes_total",
                "Lookups whose best candidate a guard forbade.",
                &["guard"],
            ),
            saved_usd: make.sums(
                "cache_saved_usd_total",
                "What the answers of hits would have cost, in US dollars.",
                &["level"],
            ),
            saved_seconds: make.sums(
                "cache_saved_seconds_total",
                "What the callers of hits did not wait, against the making of the answers.",
                &["level"],
            ),
            labels: counters(
                "cache_labels_total",
                "Verdicts on answers: of callers, and on the best candidate of a lookup that was \
                 asked upstream, of comparing the two answers or of the judge model.",
                &["source", "verdict"],
            ),
            shadow: counters(
                "cache_shadow_total",
                "Semantic hits asked upstream as well, by whether the answers are the same.",
                &["verdict"],
            ),
            inserts: counters("cache_inserts_total", "Entries stored.", &["level"]),
            evictions: counters(
                "cache_evictions_total",
                "Entries pushed out by a budget.",
                &["level"],
            ),
            dropped: make.counter(
                "cache_dropped_total",
                "Entries that the semantic level could not store, or had no time to.",
            ),
            scopes: make.int_gauge("cache_index_scopes", "Scopes with an index."),
            tombstones: make
                .int_gauge("cache_index_tombstones", "Removed vectors that indexes still hold."),
            answers: make.int_gauge("feedback_answers", "Answers that callers may still judge."),
            pairs_apart: make.int_gauge(
                "cache_pairs_apart",
                "Pairs of questions that feedback keeps from sharing an answer.",
            ),
            wrong_hits: make.ratios(
                "cache_wrong_hit_ratio",
                "Wrong hits per lookup: the estimate, and its upper bound. Absent: not measured.",
                &["route", "bound"],
            ),
            calibration: make.gauges(
                "cache_calibration_labels",
                "Verdicts that the rate of wrong hits rests on.",
                &["route"],
            ),
            scraping: Mutex::default(),
        }
    }

    /// Counts a closed record.
    pub(super) fn count(&self, record: &DecisionRecord) {
        let note = &record.cache;
        if !record.is_hit() {
            if note.verdict != "hit" && note.verdict != "none" {
                let detail = note.detail.as_deref().unwrap_or("none");
                self.refusals.with_label_values(&[&note.verdict, detail]).inc();
            }
            if let Some(guard) = note.guard {
                self.guard_vetoes.with_label_values(&[guard]).inc();
            }
            return;
        }
        let level = note.level.unwrap_or("none");
        let reason = match (note.score, note.line) {
            (Some(score), Some(line)) if score >= line => "line",
            (Some(_), Some(_)) => "repeat",
            _ => "equal",
        };
        self.hits.with_label_values(&[level, reason]).inc();
        if let Some(saved) = record.saved_usd {
            self.saved_usd.with_label_values(&[level]).inc_by(saved.usd().max(0.0));
        }
        if let Some(ms) = note.saved_ms {
            self.saved_seconds.with_label_values(&[level]).inc_by(ms / 1e3);
        }
    }

    /// Counts a label: `source` is who gave it, `verdict` what it says.
    pub fn label(&self, source: &'static str, verdict: &'static str) {
        self.labels.with_label_values(&[source, verdict]).inc();
    }

    /// Labels counted so far.
    pub fn labels(&self, source: &str, verdict: &str) -> u64 {
        self.labels.with_label_values(&[source, verdict]).get()
    }

    /// Hits of a level so far, whatever their reason.
    pub fn hits(&self, level: Level) -> u64 {
        let reasons = ["equal", "repeat", "line"];
        reasons
            .iter()
            .map(|reason| self.hits.with_label_values(&[level.name(), reason]).get())
            .sum()
    }

    /// Dollars and seconds that hits of a level have saved so far.
    pub fn saved(&self, level: Level) -> (f64, f64) {
        let of = |sums: &CounterVec| sums.with_label_values(&[level.name()]).get();
        (of(&self.saved_usd), of(&self.saved_seconds))
    }

    /// Brings what the cache counts itself up to date.
    pub fn levels(&self, stats: &Stats, answers: usize, pairs_apart: usize) {
        let _one = self.scraping.lock().unwrap_or_else(PoisonError::into_inner);
        let (exact, semantic) = (&stats.exact, &stats.semantic);
        for (level, inserts, evictions) in [
            (Level::Exact, exact.inserts, exact.evictions),
            (Level::Semantic, semantic.inserts, semantic.evictions),
        ] {
            raise(&self.inserts.with_label_values(&[level.name()]), inserts);
            raise(&self.evictions.with_label_values(&[level.name()]), evictions);
        }
        raise(&self.dropped, semantic.dropped);
        let gauge =
            |gauge: &IntGauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        gauge(&self.scopes, semantic.scopes);
        gauge(&self.tombstones, semantic.tombstones);
        gauge(&self.answers, answers as u64);
        gauge(&self.pairs_apart, pairs_apart as u64);
    }

    /// Brings the verdicts of judges up to date.
    pub fn verdicts(&self, given: &Given) {
        let _one = self.scraping.lock().unwrap_or_else(PoisonError::into_inner);
        for (source, counts) in [("comparison", given.comparison), ("model", given.model)] {
            for (verdict, count) in VERDICTS.iter().zip(counts) {
                raise(&self.labels.with_label_values(&[source, verdict]), count);
            }
        }
        for (verdict, count) in VERDICTS.iter().zip(given.shadow) {
            raise(&self.shadow.with_label_values(&[verdict]), count);
        }
    }

    /// Shows these figures and no others. A route's tenants are shown together, the estimate as the
    /// mean weighed by labels, the upper bound as the worst of theirs, so that the number of series
    /// does not grow with tenants. `known` are the routes and models of the configuration.
    pub fn lanes(&self, standings: &[Standing], known: impl Fn(&str) -> bool) {
        let _one = self.scraping.lock().unwrap_or_else(PoisonError::into_inner);
        self.wrong_hits.reset();
        self.calibration.reset();
        let mut routes: BTreeMap<&str, Vec<&Standing>> = BTreeMap::new();
        for standing in standings {
            let route = &*standing.lane.route;
            routes.entry(if known(route) { route } else { "other" }).or_default().push(standing);
        }
        for (route, of_route) in routes {
            let labels: u32 = of_route.iter().map(|standing| standing.labels).sum();
            self.calibration.with_label_values(&[route]).set(labels.into());
            let measured = || of_route.iter().filter_map(|it| Some((it.labels, it.wrong_hits?)));
            let Some(upper) = measured().map(|(_, (_, upper))| upper).reduce(f32::max) else {
                continue;
            };
            let wrong: f64 = measured()
                .map(|(labels, (estimate, _))| f64::from(labels) * f64::from(estimate))
                .sum();
            let shown = self.wrong_hits.with_label_values(&[route, "estimate"]);
            shown.set(wrong / f64::from(labels.max(1)));
            self.wrong_hits.with_label_values(&[route, "upper"]).set(upper.into());
        }
    }
}

/// Counters only rise: what was counted elsewhere is caught up with.
fn raise(counter: &IntCounter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::learn::Lane;
    use crate::record::Metrics;

    fn standing(route: &str, labels: u32, wrong_hits: Option<(f32, f32)>) -> Standing {
        let lane = Lane { tenant: "acme".into(), route: route.into() };
        Standing { lane, line: None, wrong_hits, lookups: 9, labels, entries: 0, alarms: 0 }
    }

    #[test]
    fn a_routes_tenants_are_shown_together_and_made_up_names_as_other() {
        let metrics = Metrics::new();
        let standings = [
            standing("auto", 100, Some((0.5, 0.625))),
            standing("auto", 300, Some((0.25, 0.75))),
            standing("made-up", 0, None),
        ];
        metrics.cache.lanes(&standings, |name| name == "auto");
        let text = metrics.text();
        for line in [
            "semgate_cache_wrong_hit_ratio{bound=\"estimate\",route=\"auto\"} 0.3125",
            "semgate_cache_wrong_hit_ratio{bound=\"upper\",route=\"auto\"} 0.75",
            "semgate_cache_calibration_labels{route=\"auto\"} 400",
            "semgate_cache_calibration_labels{route=\"other\"} 0",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} in\n{text}");
        }
        assert!(!text.contains("made-up"), "{text}");
        assert!(!text.contains("ratio{bound=\"upper\",route=\"other\"}"), "unmeasured: {text}");
        metrics.cache.lanes(&[], |_| true);
        assert!(!metrics.text().contains("semgate_cache_wrong_hit_ratio{"), "gone with its lane");
    }

    #[test]
    fn what_the_cache_counts_itself_is_caught_up_with() {
        let metrics = Metrics::new();
        let mut stats = Stats::default();
        for (evictions, dropped) in [(2, 1), (2, 1), (5, 3)] {
            stats.exact.evictions = evictions;
            stats.semantic.dropped = dropped;
            metrics.cache.levels(&stats, 7, 0);
        }
        let text = metrics.text();
        assert!(text.contains("semgate_cache_evictions_total{level=\"exact\"} 5"), "{text}");
        assert!(text.contains("semgate_cache_dropped_total 3"), "{text}");
        assert!(text.contains("semgate_feedback_answers 7"), "{text}");
    }
}
