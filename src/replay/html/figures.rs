//! The numbers behind the pictures: pure arithmetic on traces.

use serde_json::Value;

use crate::cache::Level;
use crate::replay::report::wilson;
use crate::replay::trace::{Seen, Trace};

/// Points that a curve is drawn with, at most.
const MAX_POINTS: usize = 240;

/// Columns of a picture over time, at most.
const MAX_COLUMNS: usize = 48;

/// Bounds of the bins of predicted probability, finer where hits are decided.
const BINS: [f64; 15] =
    [0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0];

/// Where a line would have put hit rate and wrong-hit rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Score from which on a candidate is served.
    pub line: f64,
    /// Hits of both levels among all requests.
    pub hit_rate: f64,
    /// Wrong hits of the semantic level among its lookups.
    pub wrong_rate: f64,
}

/// The probability that a score stands for: scores are log-odds.
pub fn probability(score: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(score)).exp())
}

/// A candidate that the line decides about.
fn is_decided_by_line(trace: &Trace) -> Option<Seen> {
    let seen = trace.seen.filter(|seen| !seen.vetoed)?;
    let by_line = match trace.level {
        // A repeat is served below the line too.
        Some(level) => level == Level::Semantic && seen.score >= seen.line,
        None => matches!(trace.detail, Some("below-line" | "explored")),
    };
    by_line.then_some(seen)
}

/// Hit rate against wrong-hit rate for every line that the recorded scores allow, from strict to
/// lenient; empty where nobody can tell right from wrong.
pub fn curve(traces: &[Trace]) -> Vec<Point> {
    let lookups = traces.iter().filter(|trace| trace.searched).count();
    if lookups == 0 {
        return Vec::new();
    }
    let mut open: Vec<(f32, &Trace)> =
        traces.iter().filter_map(|trace| Some((is_decided_by_line(trace)?.score, trace))).collect();
    open.sort_by(|a, b| b.0.total_cmp(&a.0));
    // What is served whatever the line: repeats, to the letter or nearly so.
    let fixed = |trace: &&Trace| trace.level.is_some() && is_decided_by_line(trace).is_none();
    let mut counts = Counts::default();
    traces.iter().filter(fixed).for_each(|trace| counts.add(trace));
    let every = open.len().div_ceil(MAX_POINTS).max(1);
    let mut points = Vec::new();
    for (place, (score, trace)) in open.iter().enumerate() {
        counts.add(trace);
        let is_last_of_its_score = open.get(place + 1).is_none_or(|(next, _)| next < score);
        if is_last_of_its_score
            && (points.is_empty() || place.is_multiple_of(every) || place + 1 == open.len())
        {
            points.extend(counts.point(f64::from(*score), traces.len(), lookups));
        }
    }
    points
}

#[derive(Debug, Default)]
struct Counts {
    hits: usize,
    semantic: usize,
    judged: usize,
    wrong: usize,
}

impl Counts {
    /// Counts what would be a hit.
    fn add(&mut self, trace: &Trace) {
        self.hits += 1;
        if trace.level == Some(Level::Exact) {
            return;
        }
        self.semantic += 1;
        self.judged += usize::from(trace.truth.is_some());
        self.wrong += usize::from(trace.truth.is_some_and(|truth| truth.wrong));
    }

    fn point(&self, line: f64, requests: usize, lookups: usize) -> Option<Point> {
        let share = match self.judged {
            0 if self.semantic > 0 => return None,
            0 => 0.0,
            judged => self.wrong as f64 / judged as f64,
        };
        Some(Point {
            line,
            hit_rate: self.hits as f64 / requests as f64,
            wrong_rate: share * self.semantic as f64 / lookups as f64,
        })
    }
}

/// Where a run came out.
pub fn operating_point(report: &Value) -> Option<(f64, f64)> {
    Some((report["wrong_hit_rate"].as_f64()?, report["hit_rate"].as_f64()?))
}

/// Candidates with like predictions, and how many of them were right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    pub low: f64,
    pub high: f64,
    pub count: usize,
    pub right: usize,
    /// Mean prediction.
    pub predicted: f64,
    /// Share that was right, and its 95 % interval.
    pub observed: f64,
    pub interval: [f64; 2],
}

/// Predicted against observed: over every best candidate of which it is known whether its answer
/// is right, served or not. Bins without one are left out.
pub fn calibration(traces: &[Trace]) -> Vec<Bin> {
    let pairs: Vec<(f64, bool)> = traces
        .iter()
        .filter_map(|trace| {
            let seen = trace.seen.filter(|seen| !seen.vetoed)?;
            Some((probability(seen.score), !trace.truth?.wrong))
        })
        .collect();
    let within = |low: f64, high: f64| {
        move |pair: &&(f64, bool)| {
            low <= pair.0 && (pair.0 < high || (high == 1.0 && pair.0 <= high))
        }
    };
    BINS.windows(2)
        .filter_map(|bounds| {
            let (low, high) = (bounds[0], bounds[1]);
            let own: Vec<&(f64, bool)> = pairs.iter().filter(within(low, high)).collect();
            let (count, right) = (own.len(), own.iter().filter(|pair| pair.1).count());
            Some(Bin {
                low,
                high,
                count,
                right,
                interval: wilson(right, count)?,
                predicted: own.iter().map(|pair| pair.0).sum::<f64>() / count as f64,
                observed: right as f64 / count as f64,
            })
        })
        .collect()
}

/// What became of a request, coarsely enough for a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Exact,
    Semantic,
    Explored,
    BelowLine,
    Guard,
    NoCandidate,
    OtherMiss,
    Bypass,
    Other,
}

impl Fate {
    pub const ALL: [Self; 9] = [
        Self::Exact,
        Self::Semantic,
        Self::Explored,
        Self::BelowLine,
        Self::Guard,
        Self::NoCandidate,
        Self::OtherMiss,
        Self::Bypass,
        Self::Other,
    ];

    pub fn of(trace: &Trace) -> Self {
        match (trace.level, trace.verdict, trace.detail.unwrap_or_default()) {
            (Some(Level::Exact), ..) => Self::Exact,
            (Some(Level::Semantic), ..) => Self::Semantic,
            (None, "miss", "explored") => Self::Explored,
            (None, "miss", "below-line") => Self::BelowLine,
            (None, "miss", "no-candidate") => Self::NoCandidate,
            (None, "miss", detail) if detail.starts_with("guard-") => Self::Guard,
            (None, "miss", _) => Self::OtherMiss,
            (None, "bypass", _) => Self::Bypass,
            _ => Self::Other,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "hit, exact",
            Self::Semantic => "hit, semantic",
            Self::Explored => "miss: explored",
            Self::BelowLine => "miss: below the line",
            Self::Guard => "miss: a guard",
            Self::NoCandidate => "miss: nothing near",
            Self::OtherMiss => "miss: other",
            Self::Bypass => "bypass",
            Self::Other => "other",
        }
    }

    /// Its colour in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Exact => "f-exact",
            Self::Semantic => "f-semantic",
            Self::Explored => "f-explored",
            Self::BelowLine => "f-below",
            Self::Guard => "f-guard",
            Self::NoCandidate => "f-none",
            Self::OtherMiss => "f-miss",
            Self::Bypass => "f-bypass",
            Self::Other => "f-other",
        }
    }
}

/// A stretch of rows, and how many of them had each fate, in the order of [`Fate::ALL`].
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// First row, and the one after the last.
    pub from: usize,
    pub to: usize,
    pub counts: [usize; Fate::ALL.len()],
}

/// Fates over time, in stretches of equally many rows.
pub fn columns(traces: &[Trace]) -> Vec<Column> {
    let size = traces.len().div_ceil(MAX_COLUMNS).max(1);
    let column = |(place, stretch): (usize, &[Trace])| {
        let mut counts = [0; Fate::ALL.len()];
        stretch.iter().for_each(|trace| counts[Fate::of(trace) as usize] += 1);
        Column { from: place * size, to: place * size + stretch.len(), counts }
    };
    traces.chunks(size).enumerate().map(column).collect()
}

/// Money spent up to a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spent {
    pub rows: usize,
    pub with: f64,
    pub without: f64,
}

/// Cumulative spend in dollars with semgate and with the baseline for everything. Empty where a
/// price is unknown: what has no price is not free.
pub fn spending(traces: &[Trace]) -> Vec<Spent> {
    let every = traces.len().div_ceil(MAX_POINTS).max(1);
    let mut sum = Spent { rows: 0, with: 0.0, without: 0.0 };
    let mut points = vec![sum];
    for trace in traces {
        sum.rows += 1;
        // A refused request costs nothing either way.
        match (trace.cost, trace.baseline, trace.verdict) {
            (Some(cost), Some(baseline), _) => {
                sum.with += cost.usd();
                sum.without += baseline.usd();
            }
            (None, None, "refused") => {}
            _ => return Vec::new(),
        }
        if sum.rows.is_multiple_of(every) || sum.rows == traces.len() {
            points.push(sum);
        }
    }
    points
}

/// Hits in falling suspicion, at most `count`: wrong ones first, then what hardly passed.
pub fn suspects(traces: &[Trace], count: usize) -> Vec<&Trace> {
    let lead = |trace: &Trace| trace.seen.map_or(f32::INFINITY, |seen| seen.score);
    let mut hits: Vec<&Trace> = traces
        .iter()
        .filter(|trace| trace.level == Some(Level::Semantic) || trace.is_wrong_hit())
        .collect();
    hits.sort_by(|a, b| {
        b.is_wrong_hit().cmp(&a.is_wrong_hit()).then_with(|| lead(a).total_cmp(&lead(b)))
    });
    hits.truncate(count);
    hits
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::price::Money;
    use crate::replay::truth::{By, Truth};

    fn lookup(score: f32, wrong: Option<bool>) -> Trace {
        let hit = score >= 2.0;
        Trace {
            level: hit.then_some(Level::Semantic),
            verdict: if hit { "hit" } else { "miss" },
            detail: Some(if hit { "semantic" } else { "below-line" }),
            searched: true,
            seen: Some(Seen { similarity: 0.9, score, line: 2.0, vetoed: false }),
            truth: wrong.map(|wrong| Truth { wrong, by: By::Label }),
            ..Trace::blank(0, Timestamp::UNIX_EPOCH)
        }
    }

    #[test]
    fn the_curve_passes_through_what_happened() {
        let traces =
            [lookup(4.0, Some(false)), lookup(2.0, Some(true)), lookup(1.0, Some(false)), {
                let mut repeat = lookup(9.0, Some(false));
                repeat.level = Some(Level::Exact);
                repeat.searched = false;
                repeat
            }];
        let points: Vec<(f64, f64, f64)> =
            curve(&traces).iter().map(|p| (p.line, p.hit_rate, p.wrong_rate)).collect();
        assert_eq!(points[0], (4.0, 0.5, 0.0));
        assert_eq!(points[1], (2.0, 0.75, 1.0 / 3.0), "as served: two of three lookups, one wrong");
        assert_eq!(points[2], (1.0, 1.0, 1.0 / 3.0));
    }

    #[test]
    fn a_guard_a_repeat_and_an_unknown_truth_are_no_points() {
        let mut vetoed = lookup(5.0, Some(true));
        vetoed.seen.as_mut().expect("seen").vetoed = true;
        vetoed.level = None;
        assert_eq!(curve(&[vetoed.clone()]), []);
        assert_eq!(calibration(&[vetoed]), []);
        assert_eq!(curve(&[lookup(5.0, None)]), [], "unmeasured");
        let mut repeat = lookup(0.0, Some(false));
        repeat.level = Some(Level::Semantic);
        let points = curve(&[repeat, lookup(3.0, Some(true))]);
        assert_eq!((points[0].hit_rate, points[0].wrong_rate), (1.0, 0.5), "served at any line");
    }

    #[test]
    fn bins_hold_predictions_against_what_was_right() {
        let traces: Vec<Trace> =
            (0..10).map(|n| lookup(3.0, Some(n == 0))).chain([lookup(-9.0, Some(true))]).collect();
        let bins = calibration(&traces);
        assert_eq!(
            bins.iter().map(|bin| (bin.count, bin.right)).collect::<Vec<_>>(),
            [(1, 0), (10, 9)]
        );
        assert!((bins[1].predicted - 0.9526).abs() < 1e-4 && bins[1].observed == 0.9);
        assert!(
            (probability(0.0) - 0.5).abs() < 1e-12
                && calibration(&[lookup(99.0, Some(false))]).len() == 1
        );
    }

    #[test]
    fn unpriced_rows_leave_no_picture_of_savings() {
        let mut priced = lookup(3.0, None);
        priced.cost = Some(Money::from_pico(1_000_000_000_000));
        priced.baseline = Some(Money::from_pico(3_000_000_000_000));
        let spent = spending(&[priced.clone(), priced.clone()]);
        assert_eq!(spent.last(), Some(&Spent { rows: 2, with: 2.0, without: 6.0 }));
        assert_eq!(spending(&[priced, lookup(3.0, None)]), []);
    }

    #[test]
    fn the_wrong_are_the_first_suspects() {
        let traces = [
            lookup(5.0, Some(false)),
            lookup(2.1, None),
            lookup(6.0, Some(true)),
            lookup(0.0, Some(true)),
        ];
        let scores: Vec<f32> =
            suspects(&traces, 10).iter().map(|trace| trace.seen.expect("seen").score).collect();
        assert_eq!(scores, [6.0, 2.1, 5.0]);
        assert_eq!(suspects(&traces, 1).len(), 1);
    }

    #[test]
    fn columns_count_every_row_once() {
        let traces: Vec<Trace> = (0..1000).map(|n| lookup((n % 5) as f32, None)).collect();
        let columns = columns(&traces);
        assert!(columns.len() <= MAX_COLUMNS);
        assert_eq!(columns.iter().map(|c| c.counts.iter().sum::<usize>()).sum::<usize>(), 1000);
        assert_eq!((columns[0].from, columns.last().expect("some").to), (0, 1000));
    }
}
