//! What a replay says: counts, rates and money with their 95 % intervals. Keys are stable;
//! `docs/replay.md` documents them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cache::{Level, TtlClass};
use crate::price::Money;

use super::trace::Trace;
use super::truth::{By, Truth};

/// Normal quantile of a two-sided 95 % interval.
const Z: f64 = 1.959_964;

/// Sums of a run.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub requests: usize,
    /// Requests that the line refused.
    pub refused: usize,
    /// Requests for which the semantic level searched.
    pub lookups: usize,
    pub exact_hits: usize,
    pub semantic_hits: usize,
    /// Of semantic hits: judged wrong, judged right.
    wrong: usize,
    right: usize,
    /// Of semantic hits: judged by label, by the judge.
    by_label: usize,
    by_judge: usize,
    /// Of exact hits: judged, and wrong.
    exact: Judged,
    /// Hits of both levels by the class of their time to live.
    ttl_classes: BTreeMap<&'static str, Judged>,
    pub tiers: BTreeMap<String, usize>,
    spend: Money,
    baseline: Money,
    /// Rows whose baseline has no price.
    unpriced: usize,
    /// Rows priced by estimate.
    pub estimated: usize,
    qualities: Vec<(f64, f64)>,
    /// Of `spend`, what was spent to learn.
    own: Money,
    /// Requests of which two tiers were compared.
    pub labels: usize,
    /// Losses that the router expected of its choices.
    expected: Vec<f64>,
    /// Rows with a saved amount, for its interval.
    saved: Vec<f64>,
}

/// Some hits, and what is known of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Judged {
    pub hits: usize,
    /// It is known whether they are right.
    pub judged: usize,
    pub wrong: usize,
}

impl Judged {
    fn add(&mut self, truth: Option<Truth>) {
        self.hits += 1;
        self.judged += usize::from(truth.is_some());
        self.wrong += usize::from(truth.is_some_and(|truth| truth.wrong));
    }
}

impl Tally {
    /// Counts a hit; `truth` is `None` where nobody can tell.
    pub fn hit(&mut self, level: Level, truth: Option<Truth>, class: Option<TtlClass>) {
        if let Some(class) = class {
            self.ttl_classes.entry(class.name()).or_default().add(truth);
        }
        match level {
            Level::Exact => {
                self.exact_hits += 1;
                self.exact.add(truth);
            }
            Level::Semantic => {
                self.semantic_hits += 1;
                let Some(Truth { wrong, by }) = truth else { return };
                self.wrong += usize::from(wrong);
                self.right += usize::from(!wrong);
                self.by_label += usize::from(by == By::Label);
                self.by_judge += usize::from(by == By::Judge);
            }
        }
    }

    /// Counts what a request cost and what the baseline would have cost. What has no price is not
    /// free: one such row, and nobody can say what was saved.
    pub fn money(&mut self, cost: Option<Money>, baseline: Option<Money>) {
        self.spend += cost.unwrap_or_default();
        self.baseline += baseline.unwrap_or_default();
        match (cost, baseline) {
            (Some(cost), Some(baseline)) => self.saved.push((baseline - cost).usd()),
            _ => self.unpriced += 1,
        }
    }

    /// Counts what was spent to learn: it is taken off the savings.
    pub fn spend_on_learning(&mut self, cost: Option<Money>) {
        self.own += cost.unwrap_or_default();
        self.money(cost, Some(Money::ZERO));
    }

    /// Counts the loss that the router expected of a choice, where it made one.
    pub fn expect(&mut self, loss: Option<f64>) {
        self.expected.extend(loss);
    }

    /// Counts the quality served beside the baseline's, where both are known.
    pub fn quality(&mut self, served: Option<f64>, baseline: Option<f64>) {
        if let (Some(served), Some(baseline)) = (served, baseline) {
            self.qualities.push((served, baseline));
        }
    }

    /// Whether hits were judged; without hits there is nothing to measure and nothing wrong.
    fn measured(&self) -> bool {
        self.semantic_hits == 0 || self.wrong + self.right > 0
    }

    /// Wrong hits among all semantic hits, extrapolated over those nobody could judge.
    fn wrong_rate(&self) -> Option<f64> {
        let judged = self.wrong + self.right;
        if !self.measured() || self.lookups == 0 {
            return None;
        }
        let share = if judged == 0 { 0.0 } else { self.wrong as f64 / judged as f64 };
        Some(share * self.semantic_hits as f64 / self.lookups as f64)
    }

    /// The report as one object.
    pub fn report(&self, skipped: usize) -> Value {
        let hits = self.exact_hits + self.semantic_hits;
        let judged = self.wrong + self.right;
        let precision = (judged > 0).then(|| self.right as f64 / judged as f64);
        let priced = self.unpriced == 0;
        let saved = self.baseline - self.spend;
        let (served, baseline) = self.mean_quality();
        json!({
            "requests": self.requests,
            "refused": self.refused,
            "skipped": skipped,
            "lookups": self.lookups,
            "hits": {"exact": self.exact_hits, "semantic": self.semantic_hits},
            "hit_rate": share(hits, self.requests),
            "wrong_hits": self.measured().then_some(self.wrong),
            "judged_hits": judged,
            "judged_by": {
                "label": self.by_label,
                "judge": self.by_judge,
                "nobody": self.semantic_hits - judged,
            },
            "wrong_exact_hits": (self.exact.hits == 0 || self.exact.judged > 0)
                .then_some(self.exact.wrong),
            "ttl_classes": self.ttl_classes,
            "wrong_hit_rate": self.wrong_rate(),
            "precision": precision,
            "tiers": self.tiers,
            "spend_usd": self.spend.usd(),
            "baseline_usd": priced.then(|| self.baseline.usd()),
            "saved_usd": priced.then(|| saved.usd()),
            "own_spend_usd": self.own.usd(),
            "route_labels": self.labels,
            "quality": served,
            "baseline_quality": baseline,
            "quality_loss": served.zip(baseline).map(|(served, baseline)| baseline - served),
            "expected_quality_loss": centre_and_error(&self.expected).map(|(mean, _)| mean),
            "estimated_share": share(self.estimated, self.requests),
            "intervals": self.intervals(hits, judged, priced),
        })
    }

    fn mean_quality(&self) -> (Option<f64>, Option<f64>) {
        let n = self.qualities.len();
        if n == 0 {
            return (None, None);
        }
        let (served, baseline) =
            self.qualities.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
        (Some(served / n as f64), Some(baseline / n as f64))
    }

    fn intervals(&self, hits: usize, judged: usize, priced: bool) -> Value {
        let differences: Vec<f64> =
            self.qualities.iter().map(|(served, baseline)| baseline - served).collect();
        let scale = if judged == 0 { 1.0 } else { self.semantic_hits as f64 / judged as f64 };
        let wrong = self.measured().then(|| wilson(self.wrong, self.lookups)).flatten();
        json!({
            "hit_rate": wilson(hits, self.requests),
            "wrong_hit_rate": wrong.map(|[low, high]| [low * scale, (high * scale).min(1.0)]),
            "precision": wilson(self.right, judged),
            "saved_usd": priced.then(|| total(&self.saved)).flatten(),
            "quality_loss": mean(&differences),
        })
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Wilson's score interval of a proportion (Wilson, 1927); `None` without trials.
pub fn wilson(successes: usize, trials: usize) -> Option<[f64; 2]> {
    if trials == 0 {
        return None;
    }
    let n = trials as f64;
    let p = successes as f64 / n;
    let centre = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Some([((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0)])
}

/// Normal interval of a mean; `None` with fewer than two values.
fn mean(values: &[f64]) -> Option<[f64; 2]> {
    let (centre, error) = centre_and_error(values)?;
    Some([centre - Z * error, centre + Z * error])
}

/// Normal interval of a sum of independent rows.
fn total(values: &[f64]) -> Option<[f64; 2]> {
    let (centre, error) = centre_and_error(values)?;
    let n = values.len() as f64;
    Some([n * (centre - Z * error), n * (centre + Z * error)])
}

fn centre_and_error(values: &[f64]) -> Option<(f64, f64)> {
    let n = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let centre = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (n - 1.0);
    Some((centre, (variance / n).sqrt()))
}

/// The report for a person.
pub fn table(report: &Value) -> String {
    let number = |key: &str| report[key].as_f64();
    let percent = |key: &str| {
        let interval = &report["intervals"][key];
        number(key).map_or_else(
            || "unmeasured".to_owned(),
            |rate| match (interval[0].as_f64(), interval[1].as_f64()) {
                (Some(low), Some(high)) => {
                    format!("{:.2} %   [{:.2}, {:.2}]", rate * 100.0, low * 100.0, high * 100.0)
                }
                _ => format!("{:.2} %", rate * 100.0),
            },
        )
    };
    let dollars =
        |key: &str| number(key).map_or_else(|| "unknown".to_owned(), |usd| format!("${usd:.4}"));
    let count =
        |value: &Value| value.as_u64().map_or_else(|| "unmeasured".into(), |n| n.to_string());
    let mut rows = vec![
        ("requests", count(&report["requests"])),
        ("lookups", count(&report["lookups"])),
        ("hits, exact", count(&report["hits"]["exact"])),
        ("hits, semantic", count(&report["hits"]["semantic"])),
        ("hit rate", percent("hit_rate")),
        ("wrong hits", count(&report["wrong_hits"])),
        ("wrong-hit rate", percent("wrong_hit_rate")),
        ("precision", percent("precision")),
    ];
    let tiers: Vec<(String, String)> = report["tiers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(tier, n)| (format!("tier {tier}"), count(n)))
        .collect();
    rows.extend(tiers.iter().map(|(name, value)| (name.as_str(), value.clone())));
    rows.push(("spend", dollars("spend_usd")));
    rows.push(("always baseline", dollars("baseline_usd")));
    if report["route_labels"].as_u64().is_some_and(|n| n > 0) {
        rows.push(("spent to learn", dollars("own_spend_usd")));
    }
    rows.push(("saved", dollars("saved_usd")));
    if let (Some(served), Some(baseline)) = (number("quality"), number("baseline_quality")) {
        rows.push(("quality", format!("{served:.4} (baseline {baseline:.4})")));
    }
    rows.push((
        "priced by estimate",
        format!("{:.1} %", number("estimated_share").unwrap_or(0.0) * 100.0),
    ));
    for (name, key) in [
        ("wrong hits, exact", "wrong_exact_hits"),
        ("refused", "refused"),
        ("skipped lines", "skipped"),
    ] {
        if report[key].as_u64().is_some_and(|n| n > 0) {
            rows.push((name, count(&report[key])));
        }
    }
    rows.iter().map(|(name, value)| format!("{name:<20} {value}\n")).collect()
}

/// A finished run.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Of a sweep: the value of the swept key.
    pub value: Option<String>,
    pub report: Value,
    /// Empty, unless a page is to be made of them.
    pub traces: Vec<Trace>,
}

/// The runs of a sweep for a person: one row for each value.
pub fn sweep(key: &str, runs: &[Replay]) -> String {
    let line = |name: &str, [hits, wrong, precision, saved]: [&str; 4]| {
        let values = runs.iter().filter_map(|run| run.value.as_deref());
        let width = values.chain([key]).map(|text| text.chars().count()).max().unwrap_or(0);
        format!("{name:<width$} {hits:>10} {wrong:>11} {precision:>11} {saved:>12}\n")
    };
    let row = |run: &Replay| {
        let percent = |key: &str| {
            let rate = run.report[key].as_f64();
            rate.map_or("unmeasured".into(), |rate| format!("{:.2} %", rate * 100.0))
        };
        let saved = run.report["saved_usd"].as_f64();
        let saved = saved.map_or("unknown".into(), |usd| format!("${usd:.4}"));
        let value = run.value.as_deref().unwrap_or_default();
        let rates = ["hit_rate", "wrong_hit_rate", "precision"].map(percent);
        line(value, [&*rates[0], &*rates[1], &*rates[2], &*saved])
    };
    let head = line(key, ["hit rate", "wrong hits", "precision", "saved"]);
    runs.iter().map(row).fold(head, |table, row| table + &row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_agrees_with_published_values() {
        // Newcombe (1998), table I: 81 of 263 and 15 of 148.
        for (successes, trials, low, high) in [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)]
        {
            let [l, h] = wilson(successes, trials).expect("trials");
            assert!((l - low).abs() < 5e-4 && (h - high).abs() < 5e-4, "{l} {h}");
        }
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(0, 10).expect("trials")[0], 0.0);
    }

    #[test]
    fn hits_that_nobody_can_judge_are_unmeasured_not_right() {
        let mut tally = Tally { requests: 2, lookups: 2, ..Tally::default() };
        tally.hit(Level::Semantic, None, None);
        let report = tally.report(0);
        assert_eq!(report["wrong_hits"], Value::Null);
        assert_eq!(report["precision"], Value::Null);
        let wrong = Truth { wrong: true, by: By::Label };
        tally.hit(Level::Semantic, Some(wrong), None);
        let report = tally.report(0);
        assert_eq!(report["wrong_hits"], 1);
        assert_eq!(report["wrong_hit_rate"], 1.0);
        assert_eq!(report["judged_by"], json!({"label": 1, "judge": 0, "nobody": 1}));
        assert_eq!(report["wrong_exact_hits"], 0, "none, not unmeasured");
        tally.hit(Level::Exact, None, Some(TtlClass::Volatile));
        assert_eq!(tally.report(0)["wrong_exact_hits"], Value::Null);
        tally.hit(Level::Exact, Some(wrong), Some(TtlClass::Volatile));
        let report = tally.report(0);
        assert_eq!(report["wrong_exact_hits"], 1);
        assert_eq!(report["wrong_hits"], 1, "of the semantic level alone");
        let volatile = json!({"hits": 2, "judged": 1, "wrong": 1});
        assert_eq!(report["ttl_classes"], json!({"volatile": volatile}));
    }

    #[test]
    fn money_without_a_price_is_unknown_not_zero() {
        let mut tally = Tally::default();
        tally.money(Some(Money::from_pico(5)), None);
        assert_eq!(tally.report(0)["saved_usd"], Value::Null);
        let mut tally = Tally::default();
        tally.money(None, Some(Money::from_pico(5)));
        assert_eq!(tally.report(0)["saved_usd"], Value::Null, "an unpriced answer is not free");
    }
}
