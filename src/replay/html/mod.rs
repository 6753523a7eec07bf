//! A replay as a page for people: one file that needs nothing else, neither a script nor a network,
//! light or dark as its reader prefers. `figures` has the numbers, `charts` and `suspects` show them,
//! `svg` draws, `text` escapes. Strings in, a string out.

mod charts;
mod figures;
mod suspects;
mod svg;
mod text;

use serde_json::Value;

use self::text::{clip, count, dollars, escape, percent};
use super::input::Row;
use super::report::Replay;

/// What a page is made of.
#[derive(Debug, Clone, Copy)]
pub struct Replayed<'a> {
    /// The input's name.
    pub input: &'a str,
    /// Settings changed for the run, as key and value.
    pub sets: &'a [(String, String)],
    /// The key that was swept.
    pub sweep: Option<&'a str>,
    pub rows: &'a [Row],
    /// One run, or one for each value of the sweep.
    pub runs: &'a [Replay],
}

/// The page.
pub fn page(replayed: &Replayed<'_>) -> String {
    let name = escape(&clip(replayed.input, 200));
    let mut body =
        format!("<h1>Replay of {name}</h1>\n<p class=\"soft\">{}</p>\n", about(replayed));
    if let Some(key) = replayed.sweep {
        body += &swept(key, replayed.runs);
    }
    for run in replayed.runs {
        if let (Some(key), Some(value)) = (replayed.sweep, &run.value) {
            body += &format!("<h2><code>{}: {}</code></h2>\n", escape(key), escape(value));
        }
        body += &section(replayed.rows, run);
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Replay of {name}</title>\n<style>\n{}</style></head>\n<body><main>\n{body}\
         </main></body></html>\n",
        include_str!("style.css")
    )
}

/// What was replayed, in a line.
fn about(replayed: &Replayed<'_>) -> String {
    let rows = replayed.rows;
    let mut about = format!("{} requests", count(rows.len() as u64));
    let times = || rows.iter().enumerate().filter(|(_, row)| row.has_time());
    let first = times().map(|(number, row)| row.time(number)).min();
    let last = times().map(|(number, row)| row.time(number)).max();
    if let (Some(first), Some(last)) = (first, last) {
        let minute = |time: jiff::Timestamp| time.strftime("%Y-%m-%d %H:%M").to_string();
        about += &format!(", {} to {} UTC", minute(first), minute(last));
    }
    about += ", from an empty cache; no provider was asked";
    for (key, value) in replayed.sets {
        // A page is passed on more easily than a configuration.
        let is_secret = ["key", "token", "hash"].iter().any(|word| key.contains(word));
        let value = if is_secret { "…".to_owned() } else { escape(&clip(value, 80)) };
        about += &format!("; <code>{} = {value}</code>", escape(key));
    }
    about + "."
}

/// The comparison of a sweep's values.
fn swept(key: &str, runs: &[Replay]) -> String {
    let share = |value: &Value| value.as_f64().map_or_else(|| "unmeasured".into(), percent);
    let rows: String = runs
        .iter()
        .map(|run| {
            let saved = run.report["saved_usd"].as_f64().map_or("unknown".into(), dollars);
            format!(
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td>{saved}</td></tr>\n",
                escape(run.value.as_deref().unwrap_or_default()),
                share(&run.report["hit_rate"]),
                share(&run.report["wrong_hit_rate"]),
                share(&run.report["precision"]),
            )
        })
        .collect();
    format!(
        "{}<div class=\"scroll\"><table><tr><th>{}</th><th>hit rate</th><th>wrong hits</th>\
         <th>precision</th><th>saved</th></tr>\n{rows}</table></div>\n",
        charts::sweep(key, runs),
        escape(key)
    )
}

/// A run: its figures, its pictures, and the hits to look at.
fn section(rows: &[Row], run: &Replay) -> String {
    let report = &run.report;
    let mut section = format!("<p class=\"lead\">{}</p>\n", lead(report));
    section += &format!("<div class=\"tiles\">\n{}</div>\n", tiles(report));
    section += &format!(
        "<div class=\"figures\">\n{}{}{}{}{}</div>\n",
        charts::trade(run),
        charts::calibration(&run.traces),
        charts::savings(run),
        charts::fates(&run.traces),
        charts::mix(report)
    );
    section += "<h2>The most suspicious hits</h2>\n<p class=\"note\">Wrong ones first, then those \
                with the lowest scores. Words that the other question lacks are marked.</p>\n";
    section + &suspects::section(rows, &run.traces)
}

/// The run in a sentence or two.
fn lead(report: &Value) -> String {
    let hits = report["hit_rate"].as_f64().unwrap_or_default();
    let mut lead =
        format!("{} of the requests would have been answered from memory. ", percent(hits));
    let semantic = report["hits"]["semantic"].as_u64().unwrap_or_default();
    lead += &match report["wrong_hit_rate"].as_f64() {
        _ if semantic == 0 => "None of them by the semantic level. ".to_owned(),
        Some(wrong) => format!("{} of the lookups got a wrong answer. ", percent(wrong)),
        None => format!("How many of these answers are wrong is unknown. {} ", charts::UNMEASURED),
    };
    if let Some(saved) = report["saved_usd"].as_f64() {
        let share = report["baseline_usd"].as_f64().filter(|usd| *usd > 0.0);
        let share = share.map_or_else(String::new, |usd| format!(", {}", percent(saved / usd)));
        lead += &format!("Saved against the baseline: {}{share}.", dollars(saved));
    }
    lead
}

fn tiles(report: &Value) -> String {
    let share = |key: &str| report[key].as_f64().map_or_else(|| "unmeasured".to_owned(), percent);
    let interval = |key: &str, show: fn(f64) -> String| {
        let [low, high] = [&report["intervals"][key][0], &report["intervals"][key][1]];
        match (low.as_f64(), high.as_f64()) {
            (Some(low), Some(high)) => format!("95 %: {} to {}", show(low), show(high)),
            _ => "no interval".to_owned(),
        }
    };
    let number = |value: &Value| value.as_u64().map_or_else(|| "unmeasured".to_owned(), count);
    let by = &report["judged_by"];
    let mut tiles = tile(
        "hit rate",
        &share("hit_rate"),
        &[
            interval("hit_rate", percent),
            format!(
                "{} exact, {} semantic",
                number(&report["hits"]["exact"]),
                number(&report["hits"]["semantic"])
            ),
        ],
    );
    tiles += &tile(
        "wrong hits among lookups",
        &share("wrong_hit_rate"),
        &[
            interval("wrong_hit_rate", percent),
            format!(
                "{} wrong, {} lookups",
                number(&report["wrong_hits"]),
                number(&report["lookups"])
            ),
        ],
    );
    tiles += &tile(
        "precision of semantic hits",
        &share("precision"),
        &[
            interval("precision", percent),
            format!(
                "judged by label {}, by the judge {}, by nobody {}",
                number(&by["label"]),
                number(&by["judge"]),
                number(&by["nobody"])
            ),
        ],
    );
    let saved = report["saved_usd"].as_f64().map_or("unknown".into(), dollars);
    let spend = dollars(report["spend_usd"].as_f64().unwrap_or_default());
    let baseline = report["baseline_usd"].as_f64().map_or("unknown".into(), dollars);
    tiles += &tile(
        "saved",
        &saved,
        &[interval("saved_usd", dollars), format!("spent {spend}, baseline {baseline}")],
    );
    if let (Some(served), Some(baseline)) =
        (report["quality"].as_f64(), report["baseline_quality"].as_f64())
    {
        tiles += &tile(
            "quality served",
            &format!("{served:.4}"),
            &[
                format!("baseline {baseline:.4}"),
                format!("loss {}", interval("quality_loss", |loss| format!("{loss:.4}"))),
            ],
        );
    }
    tiles
}

fn tile(name: &str, figure: &str, notes: &[String]) -> String {
    let notes: String = notes.iter().map(|note| format!("<span>{note}</span>")).collect();
    format!("<div class=\"tile\"><span>{name}</span><b>{figure}</b>{notes}</div>\n")
}

#[cfg(test)]
mod tests;
