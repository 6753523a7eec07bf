use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::cache::{Level, TtlClass};
use crate::price::Money;
use crate::replay::report::Tally;
use crate::replay::trace::{Seen, Trace};
use crate::replay::truth;

const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)> \"'& </p>";

fn row(value: Value) -> Row {
    serde_json::from_value(value).expect("a row")
}

/// Rows that come in pairs: each second asks what the first asked, or almost.
fn rows(labelled: bool) -> Vec<Row> {
    (0..24)
        .map(|n| {
            let mut row = json!({
                "id": format!("r{n}"),
                "time": 1_700_000_000 + 60 * n,
                "prompt": format!("How do I {} my card number {}?", ["block", "unblock"][n % 2], n / 2),
            });
            if labelled {
                row["answer_id"] = json!(if n % 8 == 1 { n } else { n / 2 });
                row["answer"] = json!(format!("Answer {}", n / 2));
            }
            if n < 2 {
                row["prompt"] = json!(format!("{HOSTILE} {n}"));
                row["id"] = json!(HOSTILE);
            }
            self::row(row)
        })
        .collect()
}

/// A run over the rows: misses, and hits on what the row before had asked.
fn run(rows: &[Row], value: Option<&str>) -> Replay {
    let mut tally = Tally::default();
    let mut traces = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let mut trace = Trace::blank(number, row.time(number));
        let maker = number.checked_sub(1);
        trace.searched = true;
        trace.ttl_class = Some(TtlClass::Default);
        trace.truth = maker.and_then(|maker| truth::of(row, &rows[maker]));
        trace.maker = maker;
        let score = (number as f32) / 4.0 - 1.0;
        trace.seen = Some(Seen { similarity: 0.91, score, line: 0.0, vetoed: number == 12 });
        let baseline = Some(Money::from_pico(2_000_000_000));
        tally.requests += 1;
        tally.lookups += 1;
        if number % 2 == 1 && score >= 0.0 {
            (trace.level, trace.verdict, trace.detail) =
                (Some(Level::Semantic), "hit", Some("semantic"));
            trace.cost = Some(Money::ZERO);
            tally.hit(Level::Semantic, trace.truth, trace.ttl_class);
        } else {
            (trace.verdict, trace.detail) =
                ("miss", Some(if score < 0.0 { "below-line" } else { "no-candidate" }));
            trace.cost = Some(Money::from_pico(500_000_000));
            *tally.tiers.entry("small".into()).or_default() += 1;
        }
        trace.baseline = baseline;
        tally.money(trace.cost, trace.baseline);
        traces.push(trace);
    }
    Replay { value: value.map(str::to_owned), report: tally.report(0), traces }
}

fn page_of(rows: &[Row], runs: &[Replay], sweep: Option<&str>) -> String {
    let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let sets = [set("cache.scope", HOSTILE), set("providers.0.api_keys", "[sk-secret]")];
    page(&Replayed { input: "traffic <1>.jsonl", sets: &sets, sweep, rows, runs })
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/replay/report.html")
}

fn golden_page() -> String {
    let rows = rows(true);
    page_of(&rows, &[run(&rows, None)], None)
}

#[test]
fn the_page_is_the_golden_one() {
    let expected = std::fs::read_to_string(golden()).unwrap_or_default();
    let found = golden_page();
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {}", number + 1);
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
#[ignore = "writes the golden page: for a change that is meant"]
fn write_the_golden_page() {
    std::fs::create_dir_all(golden().parent().expect("a folder")).expect("made");
    std::fs::write(golden(), golden_page()).expect("written");
}

#[test]
fn hostile_text_stays_text_and_nothing_is_fetched() {
    let rows = rows(true);
    let swept = [run(&rows, Some(HOSTILE)), run(&rows, Some("2%"))];
    for page in [golden_page(), page_of(&rows, &swept, Some(HOSTILE))] {
        assert!(page.contains("&lt;script&gt;alert(1)"), "the prompt is shown");
        assert!(page.contains("providers.0.api_keys") && !page.contains("sk-secret"));
        for forbidden in
            ["<script", "<img", "onerror=alert(2)>", "http://", "https://", "url(", "@import"]
        {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        // Every tag that is opened is closed: no text broke out of its place.
        for tag in ["main", "div", "figure", "svg", "p", "article", "code", "table", "span", "mark"]
        {
            let opened = page.matches(&format!("<{tag}>")).count()
                + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}

#[test]
fn without_labels_it_says_unmeasured() {
    let rows = rows(false);
    let page = page_of(&rows, &[run(&rows, None)], None);
    assert!(page.contains("<b>unmeasured</b>") && page.contains(charts::UNMEASURED));
    assert!(page.contains("not judged") && !page.contains("<b>0.00 %</b>"));
}

#[test]
fn a_run_without_rows_is_a_page_too() {
    let page = page_of(&[], &[run(&[], None)], None);
    assert!(page.contains("0 requests") && !page.contains("NaN"), "{page}");
}

#[test]
fn a_sweep_has_a_section_for_each_value() {
    let rows = rows(true);
    let runs = [run(&rows, Some("1%")), run(&rows, Some("5%"))];
    let page = page_of(&rows, &runs, Some("cache.max_wrong_hits"));
    for text in ["<code>cache.max_wrong_hits: 1%</code>", "<code>cache.max_wrong_hits: 5%</code>"] {
        assert_eq!(page.matches(text).count(), 1, "{text}");
    }
}
