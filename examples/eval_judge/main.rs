//! Measures the judge on recorded pairs of answers: how much it decides, and how often it errs.
//!
//!     scripts/eval-judge.sh
//!
//! Pairs are split by question family into one half on which the rules were written, and one on
//! which they were not; both are shown. Intervals (95 %) come from drawing families anew, because
//! pairs of one family are not independent.

#![allow(clippy::print_stdout, reason = "a program that reports to a terminal")]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use semgate::judge::{Reading, Verdict, compare};
use serde::Deserialize;

/// Draws of families behind an interval.
const DRAWS: usize = 1000;

#[derive(Parser)]
struct Arguments {
    /// Folder with the recorded answers.
    #[arg(long, default_value = "../shared/data")]
    data: PathBuf,
    /// Print the pairs of the first half that were decided wrongly.
    #[arg(long)]
    errors: bool,
}

#[derive(Deserialize)]
struct Pair {
    id: String,
    question: String,
    answer_a: String,
    answer_b: String,
    same: Option<bool>,
    kind: String,
    family: String,
}

/// How pairs came out: rows are the truth (same, different, null), columns the verdict.
#[derive(Debug, Clone, Copy, Default)]
struct Counts([[f64; 3]; 3]);

impl Counts {
    fn add(&mut self, other: &Counts, times: f64) {
        for (row, more) in self.0.iter_mut().zip(&other.0) {
            for (count, more) in row.iter_mut().zip(more) {
                *count += more * times;
            }
        }
    }

    /// Decided of labelled, wrong of those called same, wrong of those called different, decided
    /// of null; in percent.
    fn shares(&self) -> [f64; 4] {
        let [same, different, null] = self.0;
        let labelled = same.iter().sum::<f64>() + different.iter().sum::<f64>();
        let decided = labelled - same[2] - different[2];
        let of = |part: f64, whole: f64| if whole == 0.0 { 0.0 } else { 100.0 * part / whole };
        [
            of(decided, labelled),
            of(different[0], same[0] + different[0]),
            of(same[1], same[1] + different[1]),
            of(null[0] + null[1], null.iter().sum()),
        ]
    }
}

fn main() {
    let arguments = Arguments::parse();
    let path = arguments.data.join("cache/answers/pairs.jsonl.gz");
    let file = std::fs::File::open(&path).unwrap_or_else(|error| {
        println!("no pairs at {}: {error}", path.display());
        std::process::exit(1);
    });
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip of UTF-8");
    let pairs: Vec<Pair> =
        text.lines().map(|line| serde_json::from_str(line).expect("a pair a line")).collect();
    let judged = judge(&pairs);
    for (half, name) in [(0, "rules written on it"), (1, "held out")] {
        println!("\n{name}\n");
        println!("| kind | labelled | decided % | wrong-same % | wrong-diff % | null decided % |");
        println!("| --- | ---: | ---: | ---: | ---: | ---: |");
        let mut kinds: Vec<&str> = pairs.iter().map(|pair| &*pair.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds.into_iter().map(Some).chain([None]) {
            row(&pairs, &judged, half, kind);
        }
    }
    matrix(&pairs, &judged);
    if arguments.errors {
        errors(&pairs, &judged);
    }
}

/// The verdicts in order, with the time that they took.
fn judge(pairs: &[Pair]) -> Vec<Verdict> {
    let mut micros = [Vec::new(), Vec::new()];
    let mut judged = Vec::new();
    for pair in pairs {
        #[expect(clippy::disallowed_methods, reason = "a measurement")]
        let start = Instant::now();
        let (a, b) = (Reading::of_text(&pair.answer_a), Reading::of_text(&pair.answer_b));
        let read = start.elapsed();
        judged.push(compare(&pair.question, &a, &b).verdict);
        micros[0].push(read.as_secs_f64() * 5e5);
        micros[1].push((start.elapsed() - read).as_secs_f64() * 1e6);
    }
    for (name, micros) in ["reading one answer", "comparing two"].iter().zip(&mut micros) {
        micros.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
        println!("{name}: median {:.0} µs, p99 {:.0} µs", at(0.5), at(0.99));
    }
    judged
}

/// 0 or 1, by a hash: pairs of one family fall into one half.
fn half(family: &str) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(family.as_bytes());
    crc.sum() % 2
}

fn of(pair: &Pair, verdict: Verdict) -> (usize, usize) {
    let truth = match pair.same {
        Some(true) => 0,
        Some(false) => 1,
        None => 2,
    };
    let said = match verdict {
        Verdict::Same => 0,
        Verdict::Different => 1,
        Verdict::CannotTell => 2,
    };
    (truth, said)
}

fn row(pairs: &[Pair], judged: &[Verdict], part: u32, kind: Option<&str>) {
    let mut families: BTreeMap<&str, Counts> = BTreeMap::new();
    for (pair, verdict) in pairs.iter().zip(judged) {
        if half(&pair.family) == part && kind.is_none_or(|kind| kind == pair.kind) {
            let (truth, said) = of(pair, *verdict);
            families.entry(&pair.family).or_default().0[truth][said] += 1.0;
        }
    }
    let families: Vec<Counts> = families.into_values().collect();
    let mut all = Counts::default();
    families.iter().for_each(|family| all.add(family, 1.0));
    let mut draws: [Vec<f64>; 4] = Default::default();
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..DRAWS {
        let mut drawn = Counts::default();
        for _ in 0..families.len() {
            // Xorshift: draws need no more.
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            drawn.add(&families[(seed % families.len() as u64) as usize], 1.0);
        }
        drawn.shares().iter().zip(&mut draws).for_each(|(share, draws)| draws.push(*share));
    }
    let cells = all.shares().into_iter().zip(&mut draws).map(|(share, draws)| {
        draws.sort_unstable_by(f64::total_cmp);
        let (low, high) = (draws[DRAWS / 40], draws[DRAWS - 1 - DRAWS / 40]);
        format!("{share:.1} ({low:.1}–{high:.1})")
    });
    let cells: Vec<String> = cells.collect();
    let labelled: f64 = all.0[..2].iter().flatten().sum();
    println!("| {} | {labelled} | {} |", kind.unwrap_or("all"), cells.join(" | "));
}

fn matrix(pairs: &[Pair], judged: &[Verdict]) {
    let mut counts = Counts::default();
    for (pair, verdict) in pairs.iter().zip(judged) {
        let (truth, said) = of(pair, *verdict);
        counts.0[truth][said] += 1.0;
    }
    println!("\nall pairs\n\n| truth | called same | called different | cannot tell |");
    println!("| --- | ---: | ---: | ---: |");
    for (name, row) in ["same", "different", "null"].iter().zip(counts.0) {
        println!("| {name} | {} | {} | {} |", row[0], row[1], row[2]);
    }
}

fn errors(pairs: &[Pair], judged: &[Verdict]) {
    for (pair, verdict) in pairs.iter().zip(judged).filter(|(pair, _)| half(&pair.family) == 0) {
        let (truth, said) = of(pair, *verdict);
        if truth + said == 1 || truth == 2 && said < 2 {
            println!("\n{} {:?} was called {verdict:?}", pair.id, pair.same);
            println!("--- question\n{}\n--- a\n{}", pair.question, pair.answer_a);
            println!("--- b\n{}", pair.answer_b);
        }
    }
}
