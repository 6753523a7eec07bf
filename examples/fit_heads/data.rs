//! Reads the recorded outcomes that train and measure the heads: which rows take part, to which set
//! they belong, and which of them are the same question.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

/// One prompt with the quality of each tier class.
pub struct Row {
    /// File, and benchmark where the file holds several: the unit of weights and figures.
    pub set: String,
    /// Where the outcomes were recorded: the unit that is left out to measure transfer.
    pub source: String,
    /// The question without its options, case and punctuation.
    pub stem: String,
    pub prompt: String,
    /// Mean quality of small, mid and frontier models in [0, 1].
    pub quality: [Option<f32>; 3],
    pub is_dev: bool,
}

#[derive(Deserialize)]
struct Recorded {
    source: String,
    benchmark: String,
    prompt: String,
    tier: Tiers,
    #[serde(default)]
    contaminated: bool,
}

#[derive(Deserialize)]
struct Tiers {
    small: Option<f32>,
    mid: Option<f32>,
    frontier: Option<f32>,
}

/// The files, in the order of the report.
pub const FILES: [&str; 9] = [
    "routellm_mmlu",
    "routellm_gsm8k",
    "mmlu_pro",
    "zeroeval_gsm",
    "zeroeval_math-l5",
    "zeroeval_crux",
    "llmrouter_multitask",
    "gaokao",
    "arena_bench_v1",
];

/// Benchmarks left out, with the reason that the card gives.
pub const LEFT_OUT: [(&str, &str); 3] = [
    ("natural_qa", "questions under CC BY-SA: may not train what ships"),
    ("arc_challenge", "questions under CC BY-SA: may not train what ships"),
    (
        "trivia_qa",
        "recorded quality 0.17 to 0.19 for models that score several times that on TriviaQA: the \
         grader's exact match, not the models",
    ),
];

/// Every usable row of train and dev. Repeats of a prompt within a set are dropped, dev first kept.
pub fn read(folder: &Path) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for file in FILES {
        let mut seen = HashSet::new();
        for part in ["dev", "train"] {
            let path = folder.join("routing").join(part).join(format!("{file}.jsonl.gz"));
            let opened =
                File::open(&path).map_err(|fault| format!("{}: {fault}", path.display()))?;
            let lines = BufReader::new(flate2::read::MultiGzDecoder::new(opened)).lines();
            for line in lines {
                let line = line.map_err(|fault| format!("{}: {fault}", path.display()))?;
                let recorded: Recorded = serde_json::from_str(&line)
                    .map_err(|fault| format!("{}: {fault}", path.display()))?;
                if let Some(row) = row(file, part == "dev", recorded)
                    && seen.insert(row.prompt.clone())
                {
                    rows.push(row);
                }
            }
        }
    }
    Ok(rows)
}

fn row(file: &str, is_dev: bool, recorded: Recorded) -> Option<Row> {
    let left_out = LEFT_OUT.iter().any(|(benchmark, _)| *benchmark == recorded.benchmark);
    let quality = [recorded.tier.small, recorded.tier.mid, recorded.tier.frontier];
    if left_out || recorded.contaminated || quality.iter().all(Option::is_none) {
        return None;
    }
    let set = match file {
        "llmrouter_multitask" => format!("llmrouter {}", recorded.benchmark),
        _ => file.to_owned(),
    };
    let stem = stem(&recorded.prompt);
    Some(Row { set, source: recorded.source, stem, prompt: recorded.prompt, quality, is_dev })
}

/// What makes two prompts the same question: everything before the first option, letters and
/// digits only, in lower case.
fn stem(prompt: &str) -> String {
    let is_option = |line: &&str| {
        let mut chars = line.trim_start().trim_start_matches('(').chars();
        matches!(chars.next(), Some('A'..='J')) && matches!(chars.next(), Some('.' | ')'))
    };
    let kept = prompt.lines().take_while(|line| !is_option(line));
    let letters = |line: &str| line.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    kept.map(letters).collect::<String>().to_lowercase()
}
