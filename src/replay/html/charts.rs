//! The figures of a run: each with a title, a picture and what it says in words.

use serde_json::Value;

use super::figures::{self, Fate, Point};
use super::svg::{Axis, Chart};
use super::text::{clip, count, dollars, escape, percent};
use crate::replay::report::Replay;
use crate::replay::trace::Trace;

/// What stands where hits could not be told right from wrong.
pub const UNMEASURED: &str = "Unmeasured: nothing in this traffic tells right hits from wrong ones. Rows without \
     <code>answer_id</code> are compared by their answers, and no pair of them could be judged.";

fn rough_percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent.fract().abs() < 1e-6 { format!("{percent:.0} %") } else { format!("{percent:.2} %") }
}

fn rows(n: f64) -> String {
    count(n as u64)
}

fn figure(title: &str, caption: &str, picture: &str) -> String {
    format!("<figure><h3>{title}</h3><figcaption>{caption}</figcaption>\n{picture}</figure>\n")
}

/// Hit rate against wrong-hit rate for every line that this run's scores allow.
pub fn trade(run: &Replay) -> String {
    let title = "Hit rate against wrong hits";
    let points = figures::curve(&run.traces);
    let here = figures::operating_point(&run.report);
    let (false, Some(here)) = (points.is_empty(), here) else {
        return figure(title, UNMEASURED, "");
    };
    // Beyond some times what happened, a cache is of no interest.
    let right = (4.0 * here.0).max(0.02);
    let shown: Vec<Point> = points.into_iter().filter(|point| point.wrong_rate <= right).collect();
    let high = shown.iter().map(|point| point.hit_rate).fold(here.1, f64::max);
    let x = Axis::from_zero(right, "wrong hits among lookups", rough_percent);
    let mut chart = Chart::new(x, Axis::from_zero(high, "hit rate", rough_percent));
    let line: Vec<(f64, f64)> = shown.iter().map(|p| (p.wrong_rate, p.hit_rate)).collect();
    chart.line(&line, "curve");
    for point in shown.iter().step_by(shown.len().div_ceil(24).max(1)) {
        let title = format!(
            "line {:.2}: {} hits, {} wrong",
            point.line,
            percent(point.hit_rate),
            percent(point.wrong_rate)
        );
        chart.dot((point.wrong_rate, point.hit_rate), 2.5, "f-semantic", &title);
    }
    let title_here = format!("this run: {} hits, {} wrong", percent(here.1), percent(here.0));
    chart.dot(here, 6.5, "here", &title_here);
    chart.word(here, "this run");
    let caption = "The curve shows every fixed line that could have been drawn, with hindsight, \
                   through the scores of this run. A line that is learnt on the way may end above \
                   or below it.";
    let label = "Hit rate against the rate of wrong hits, for every line";
    figure(title, caption, &chart.finish(label))
}

/// A point for each value of a sweep.
pub fn sweep(key: &str, runs: &[Replay]) -> String {
    let title = format!("Hit rate against wrong hits, by <code>{}</code>", escape(key));
    let points: Vec<(f64, f64, &str)> = runs
        .iter()
        .filter_map(|run| {
            let (wrong, hits) = figures::operating_point(&run.report)?;
            Some((wrong, hits, run.value.as_deref().unwrap_or_default()))
        })
        .collect();
    if points.is_empty() {
        return figure(&title, UNMEASURED, "");
    }
    let right = points.iter().map(|point| point.0).fold(0.002, f64::max);
    let high = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let x = Axis::from_zero(right * 1.15, "wrong hits among lookups", rough_percent);
    let mut chart = Chart::new(x, Axis::from_zero(high * 1.1, "hit rate", rough_percent));
    let line: Vec<(f64, f64)> = points.iter().map(|point| (point.0, point.1)).collect();
    chart.line(&line, "curve");
    for (wrong, hits, value) in points {
        let value = clip(value, 24);
        let title = format!("{value}: {} hits, {} wrong", percent(hits), percent(wrong));
        chart.dot((wrong, hits), 6.0, "here", &title);
        chart.word((wrong, hits), &value);
    }
    let caption = "One replay from an empty cache for each value, joined in the order given.";
    figure(&title, caption, &chart.finish("Hit rate against the rate of wrong hits, by value"))
}

/// Predicted probability against what was right.
pub fn calibration(traces: &[Trace]) -> String {
    let title = "Calibration";
    let bins = figures::calibration(traces);
    if bins.is_empty() {
        return figure(title, UNMEASURED, "");
    }
    let share = |label| Axis { low: 0.0, high: 1.0, label, format: rough_percent };
    let mut chart = Chart::new(share("predicted P(right)"), share("observed right"));
    chart.line(&[(0.0, 0.0), (1.0, 1.0)], "ideal");
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(1) as f64;
    for bin in &bins {
        let [low, high] = bin.interval;
        chart.line(&[(bin.predicted, low), (bin.predicted, high)], "whisker");
        let title = format!(
            "predicted {}, observed {}: {} of {}",
            percent(bin.predicted),
            percent(bin.observed),
            count(bin.right as u64),
            count(bin.count as u64)
        );
        let radius = 3.0 + 7.0 * (bin.count as f64 / most).sqrt();
        chart.dot((bin.predicted, bin.observed), radius, "bin", &title);
    }
    let cells: String = bins
        .iter()
        .map(|bin| {
            format!(
                "<tr><td>{} to {}</td><td>{}</td><td>{}</td><td>{}</td><td>{} to {}</td></tr>\n",
                rough_percent(bin.low),
                rough_percent(bin.high),
                count(bin.count as u64),
                percent(bin.predicted),
                percent(bin.observed),
                percent(bin.interval[0]),
                percent(bin.interval[1])
            )
        })
        .collect();
    let table = format!(
        "<details><summary>As a table</summary><div class=\"scroll\"><table><tr><th>predicted</th>\
         <th>candidates</th><th>mean</th><th>observed</th><th>95 % interval</th></tr>\n{cells}\
         </table></div></details>"
    );
    let caption = "Best candidates of which it is known whether their answer was right, served or \
                   not, by the probability that the verifier gave them. On the dashed line it is \
                   right about itself; the larger the dot, the more candidates; bars are 95 % \
                   intervals.";
    let picture = chart.finish("Predicted probability of being right against the observed share");
    figure(title, caption, &(picture + &table))
}

/// Cumulative spend with and without semgate.
pub fn savings(run: &Replay) -> String {
    let title = "Savings over time";
    let points = figures::spending(&run.traces);
    let Some(last) = points.last().filter(|last| last.rows > 0) else {
        let why = "Unknown: some of the models have no price, and what has no price is not free.";
        return figure(title, why, "");
    };
    let x = Axis::from_zero(last.rows as f64, "requests", rows);
    let y = Axis::from_zero(last.without.max(last.with), "dollars, cumulative", dollars);
    let mut chart = Chart::new(x, y);
    let with: Vec<(f64, f64)> = points.iter().map(|p| (p.rows as f64, p.with)).collect();
    let without: Vec<(f64, f64)> = points.iter().map(|p| (p.rows as f64, p.without)).collect();
    chart.area(&without, &with, "saved");
    chart.line(&without, "without");
    chart.line(&with, "with");
    chart.word(without[without.len() - 1], &format!("baseline {}", dollars(last.without)));
    chart.word(with[with.len() - 1], &format!("semgate {}", dollars(last.with)));
    let estimated = run.report["estimated_share"].as_f64().unwrap_or_default();
    let caption = format!(
        "Spent so far with semgate, and by asking the baseline for everything; the area is saved. \
         {} of the requests are priced by estimate.",
        percent(estimated)
    );
    figure(title, &caption, &chart.finish("Cumulative spend with and without semgate"))
}

/// Hits by level and reasons of misses, in the order of the requests.
pub fn fates(traces: &[Trace]) -> String {
    let columns = figures::columns(traces);
    let x = Axis { low: 0.0, high: traces.len().max(1) as f64, label: "requests", format: rows };
    let y = Axis { low: 0.0, high: 1.0, label: "share", format: rough_percent };
    let mut chart = Chart::new(x, y);
    let mut totals = [0; Fate::ALL.len()];
    for column in &columns {
        let size = (column.to - column.from) as f64;
        let mut below = 0.0;
        for (fate, n) in Fate::ALL.into_iter().zip(column.counts) {
            totals[fate as usize] += n;
            if n == 0 {
                continue;
            }
            let share = n as f64 / size;
            let title = format!(
                "requests {} to {}: {}, {} ({})",
                count(column.from as u64 + 1),
                count(column.to as u64),
                fate.name(),
                count(n as u64),
                percent(share)
            );
            let x = (column.from as f64, column.to as f64);
            chart.bar(x, (below, below + share), fate.class(), &title);
            below += share;
        }
    }
    let legend: String = Fate::ALL
        .into_iter()
        .filter(|fate| totals[*fate as usize] > 0)
        .map(|fate| {
            let n = count(totals[fate as usize] as u64);
            format!("<li><i class=\"{}\"></i>{} {n}</li>", fate.class(), fate.name())
        })
        .collect();
    let picture = chart.finish("Share of hits by level and of misses by reason, over time");
    let caption = "Each column is a stretch of requests; a cache that starts empty learns from left \
                   to right.";
    let picture = format!("{picture}<ul class=\"legend\">{legend}</ul>");
    figure("Hits and misses over time", caption, &picture)
}

/// Who answered.
pub fn mix(report: &Value) -> String {
    let n = |value: &Value| value.as_u64().unwrap_or_default();
    let mut parts = vec![
        ("memory, exact".to_owned(), n(&report["hits"]["exact"]), "f-exact"),
        ("memory, semantic".to_owned(), n(&report["hits"]["semantic"]), "f-semantic"),
    ];
    let tiers = report["tiers"].as_object().into_iter().flatten();
    parts.extend(tiers.map(|(tier, count)| {
        let name = if tier == "none" { "a named model".into() } else { format!("tier {tier}") };
        (name, n(count), "f-below")
    }));
    parts.push(("refused".into(), n(&report["refused"]), "f-other"));
    let whole = n(&report["requests"]).max(1) as f64;
    let most = parts.iter().map(|part| part.1).max().unwrap_or(1).max(1) as f64;
    let bars: String = parts
        .iter()
        .filter(|part| part.1 > 0)
        .map(|(name, n, class)| {
            format!(
                "<span>{}</span><div class=\"{class}\" style=\"width:{:.1}%\"></div>\
                 <span>{} ({})</span>\n",
                escape(&clip(name, 40)),
                *n as f64 / most * 100.0,
                count(*n),
                percent(*n as f64 / whole)
            )
        })
        .collect();
    figure(
        "Who answered",
        "Requests by what answered them.",
        &format!("<div class=\"mix\">{bars}</div>"),
    )
}
