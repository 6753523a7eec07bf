//! What came of the runs, as a table or as JSON, beside the goals.

use serde_json::{Value, json};

use super::run::{Counts, Outcome, Run};
use super::stream::Stream;

/// Lookups of a short stream, and of the window over which a hit rate is reached.
const SHORT: usize = 1500;
const WINDOW: usize = 500;

/// What simpler caches reach.
pub struct Baselines {
    /// The best fixed threshold with hindsight.
    pub fixed: (f32, Counts),
    pub vcache: Counts,
}

/// One stream; rates are means over the runs.
pub struct Line {
    name: String,
    figures: Vec<(&'static str, f64)>,
}

impl Line {
    pub fn of(stream: &Stream, runs: &[Run], baselines: Option<Baselines>, replaced: bool) -> Self {
        let mean = |f: &dyn Fn(&Run) -> f64| runs.iter().map(f).sum::<f64>() / runs.len() as f64;
        let all = |run: &Run| Counts::of(&run.outcomes);
        let head = |run: &Run| Counts::of(&run.outcomes[..run.outcomes.len().min(SHORT)]);
        let share = |part: usize, run: &Run| part as f64 / run.outcomes.len() as f64;
        let mut figures = vec![
            ("oracle", stream.oracle()),
            ("hit", mean(&|run| all(run).hit_rate())),
            ("wrong%", 100.0 * mean(&|run| all(run).wrong_rate())),
            ("worst%", 100.0 * runs.iter().map(|run| all(run).wrong_rate()).fold(0.0, f64::max)),
            ("precision", mean(&|run| all(run).precision())),
            ("explored", mean(&|run| share(all(run).explored, run))),
            ("forced", mean(&|run| share(run.forced, run))),
            ("alarms", mean(&|run| run.alarms as f64)),
            ("vetoed_right", mean(&|run| share(run.vetoed_right, run))),
            ("hit_1500", mean(&|run| head(run).hit_rate())),
            ("wrong%_1500", 100.0 * mean(&|run| head(run).wrong_rate())),
            ("first_hit", mean(&|run| first_hit(&run.outcomes) as f64)),
            ("to_80%", mean(&|run| to_most(&run.outcomes) as f64)),
            ("p50_us", mean(&|run| quantile(&run.nanoseconds, 0.5))),
            ("p99_us", mean(&|run| quantile(&run.nanoseconds, 0.99))),
        ];
        if replaced {
            let after = |run: &Run, from: usize| {
                let start = (run.outcomes.len() / 2 + from).min(run.outcomes.len());
                Counts::of(&run.outcomes[start..]).wrong_rate()
            };
            figures.push(("wrong%_after_500", 100.0 * mean(&|run| after(run, 500))));
            figures.push(("wrong%_after_1000", 100.0 * mean(&|run| after(run, 1000))));
        }
        if let Some(Baselines { fixed: (threshold, fixed), vcache }) = baselines {
            figures.extend([
                ("fixed_at", f64::from(threshold)),
                ("fixed_hit", fixed.hit_rate()),
                ("fixed_wrong%", 100.0 * fixed.wrong_rate()),
                ("vcache_hit", vcache.hit_rate()),
                ("vcache_wrong%", 100.0 * vcache.wrong_rate()),
            ]);
        }
        Self { name: stream.name.clone(), figures }
    }
}

pub fn print(lines: &[Line], as_json: bool) {
    let Some(first) = lines.first() else { return };
    let mean = |place: usize| {
        lines.iter().map(|line| line.figures[place].1).sum::<f64>() / lines.len() as f64
    };
    let means = first.figures.iter().enumerate().map(|(place, (name, _))| (*name, mean(place)));
    let means = Line { name: "mean".to_owned(), figures: means.collect() };
    let all = lines.iter().chain([&means]);
    if as_json {
        let object = |line: &Line| {
            let figures =
                line.figures.iter().map(|(name, figure)| ((*name).to_owned(), json!(figure)));
            (line.name.clone(), Value::Object(figures.collect()))
        };
        println!("{}", Value::Object(all.map(object).collect()));
        return;
    }
    // A figure a row, a stream a column: there are more figures than fit beside each other.
    print!("{:18}", "");
    for line in lines.iter().chain([&means]) {
        print!("{:>11}", line.name);
    }
    println!();
    for (place, (name, _)) in first.figures.iter().enumerate() {
        print!("{name:18}");
        for line in lines.iter().chain([&means]) {
            print!("{:>11.3}", line.figures[place].1);
        }
        println!();
    }
}

/// Hits to be read by eye, evenly spread over the run.
pub fn show(stream: &Stream, run: &Run, count: usize) {
    for right in [false, true] {
        let of_kind: Vec<_> = run
            .hits
            .iter()
            .filter(|(query, entry)| (stream.answers[*query] == stream.answers[*entry]) == right)
            .collect();
        let kind = if right { "right" } else { "wrong" };
        for (query, entry) in of_kind.iter().step_by((of_kind.len() / count).max(1)).take(count) {
            println!(
                "{}\t{kind}\t{}\t{}",
                stream.name, stream.prompts[*query], stream.prompts[*entry]
            );
        }
    }
}

fn is_hit(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Right | Outcome::Wrong)
}

/// Lookups until the first hit; all where there is none.
fn first_hit(outcomes: &[Outcome]) -> usize {
    outcomes.iter().position(is_hit).unwrap_or(outcomes.len())
}

/// Lookups until the hit rate of the last 500 is 80 % of that of the last quarter.
fn to_most(outcomes: &[Outcome]) -> usize {
    let goal = 0.8 * Counts::of(&outcomes[outcomes.len() * 3 / 4..]).hit_rate();
    let reached = outcomes.windows(WINDOW).position(|part| Counts::of(part).hit_rate() >= goal);
    reached.map_or(outcomes.len(), |place| place + WINDOW)
}

/// In microseconds.
fn quantile(nanoseconds: &[u32], q: f64) -> f64 {
    let mut sorted = nanoseconds.to_vec();
    sorted.sort_unstable();
    let place = ((sorted.len() as f64 * q) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(place).map_or(0.0, |nanoseconds| f64::from(*nanoseconds) / 1000.0)
}
