//! The files of recorded outcomes: gzipped lines of JSON, one prompt each.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The sets, one file each in either part, in the order of every report.
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

const PARTS: [&str; 2] = ["train", "dev"];

/// Benchmarks that train nothing that ships, with the reason.
pub const LEFT_OUT: [(&str, &str); 3] = [
    ("natural_qa", "questions under CC BY-SA"),
    ("arc_challenge", "questions under CC BY-SA"),
    (
        "trivia_qa",
        "recorded quality 0.17 to 0.19 for models that score several times that on TriviaQA: the \
         grader's exact match, not the models",
    ),
];

/// And the mark of a row.
const CONTAMINATED: &str = "too close to what one of the models was trained on";

/// Why the recorded outcomes cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    #[error("no recorded outcomes in {0}: neither train/ and dev/ nor routing/ with them")]
    Folder(PathBuf),
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    #[error("{0}, line {1}: {2}")]
    Line(PathBuf, usize, serde_json::Error),
}

/// One prompt with what was recorded of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub id: String,
    /// One of [`FILES`].
    pub set: &'static str,
    /// Where the outcomes were recorded; a set that no router has seen shares its source with none
    /// of those that trained it.
    pub source: String,
    /// Benchmark within the source.
    pub benchmark: String,
    pub domain: String,
    pub prompt: String,
    /// Characters of the prompt.
    pub chars: usize,
    /// Rows of one stem ask the same question, whatever the set and the options: what one of them
    /// taught must not be tested on another.
    pub stem: u64,
    /// Mean quality of small, mid and frontier models in [0, 1].
    pub quality: [Option<f64>; 3],
    /// Quality by the source's own name of the model. Not every model is in every row.
    pub scores: BTreeMap<String, f64>,
    pub contaminated: bool,
    pub is_dev: bool,
}

impl Row {
    /// Quality of the cheapest and of the strongest recorded tier; `None` with fewer than two.
    pub fn pair(&self) -> Option<(f64, f64)> {
        let [small, mid, frontier] = self.quality;
        small.zip(frontier.or(mid))
    }
}

/// Why a row trains nothing that ships; `None` if it may. Measuring on it is no trouble.
pub fn left_out(row: &Row) -> Option<&'static str> {
    if row.contaminated {
        return Some(CONTAMINATED);
    }
    LEFT_OUT.iter().find(|(benchmark, _)| *benchmark == row.benchmark).map(|(_, why)| *why)
}

/// Every row of both parts, in the order of [`FILES`], train before dev. `folder` is that of
/// `train/` and `dev/`, or the one that holds it as `routing/`.
///
/// # Errors
/// The file and line that cannot be read.
pub fn read(folder: &Path) -> Result<Vec<Row>, ReadFault> {
    let mut rows = Vec::new();
    let base = [folder.to_owned(), folder.join("routing")]
        .into_iter()
        .find(|base| PARTS.iter().all(|part| base.join(part).is_dir()))
        .ok_or_else(|| ReadFault::Folder(folder.to_owned()))?;
    for set in FILES {
        for part in PARTS {
            let path = base.join(part).join(format!("{set}.jsonl.gz"));
            read_file(&path, set, part == "dev", &mut rows)?;
        }
    }
    Ok(rows)
}

fn read_file(
    path: &Path,
    set: &'static str,
    is_dev: bool,
    rows: &mut Vec<Row>,
) -> Result<(), ReadFault> {
    let fault = |error| ReadFault::File(path.to_owned(), error);
    let file = File::open(path).map_err(fault)?;
    let lines = BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines();
    for (number, line) in lines.enumerate() {
        let recorded: Recorded = serde_json::from_str(&line.map_err(fault)?)
            .map_err(|error| ReadFault::Line(path.to_owned(), number + 1, error))?;
        rows.push(recorded.into_row(set, is_dev));
    }
    Ok(())
}

/// A line of a file.
#[derive(Deserialize)]
struct Recorded {
    id: String,
    source: String,
    benchmark: String,
    domain: String,
    prompt: String,
    tier: Tiers,
    scores: BTreeMap<String, f64>,
    #[serde(default)]
    contaminated: bool,
}

#[derive(Deserialize)]
struct Tiers {
    small: Option<f64>,
    mid: Option<f64>,
    frontier: Option<f64>,
}

impl Recorded {
    fn into_row(self, set: &'static str, is_dev: bool) -> Row {
        Row {
            id: self.id,
            set,
            source: self.source,
            benchmark: self.benchmark,
            domain: self.domain,
            chars: self.prompt.chars().count(),
            stem: stem(&self.prompt),
            prompt: self.prompt,
            quality: [self.tier.small, self.tier.mid, self.tier.frontier],
            scores: self.scores,
            contaminated: self.contaminated,
            is_dev,
        }
    }
}

/// The question without its options: what stands before the first of them, letters and digits
/// only, in lower case; as a number.
fn stem(prompt: &str) -> u64 {
    let is_option = |line: &&str| {
        let mut chars = line.trim_start().trim_start_matches('(').chars();
        matches!(chars.next(), Some('A'..='J')) && matches!(chars.next(), Some('.' | ')'))
    };
    let kept = prompt.lines().take_while(|line| !is_option(line));
    let letters: String =
        kept.flat_map(str::chars).filter(|c| c.is_alphanumeric()).collect::<String>();
    let hash = blake3::hash(letters.to_lowercase().as_bytes());
    let (first, _) = hash.as_bytes().split_first_chunk::<8>().expect("invariant: 32 bytes");
    u64::from_le_bytes(*first)
}

#[cfg(test)]
pub(in crate::route) mod tests {
    use std::io::Write;

    use super::*;

    /// Writes a file of each set and part, `lines` of each.
    pub fn write(folder: &Path, lines: impl Fn(&str, &str) -> Vec<String>) {
        for part in PARTS {
            std::fs::create_dir_all(folder.join(part)).unwrap();
            for set in FILES {
                let path = folder.join(part).join(format!("{set}.jsonl.gz"));
                let mut file = flate2::write::GzEncoder::new(
                    File::create(path).unwrap(),
                    flate2::Compression::fast(),
                );
                for line in lines(set, part) {
                    writeln!(file, "{line}").unwrap();
                }
                file.finish().unwrap();
            }
        }
    }

    /// A row of two tiers that says nothing but where it is from.
    pub fn row(set: &'static str, source: &str, prompt: &str) -> Row {
        Row {
            id: String::new(),
            set,
            source: source.to_owned(),
            benchmark: String::new(),
            domain: String::new(),
            prompt: prompt.to_owned(),
            chars: prompt.chars().count(),
            stem: stem(prompt),
            quality: [Some(0.0), None, Some(1.0)],
            scores: BTreeMap::new(),
            contaminated: false,
            is_dev: false,
        }
    }

    fn line(set: &str, part: &str) -> String {
        format!(
            r#"{{"id":"{set}/{part}","source":"s","benchmark":"gsm","domain":"d","prompt":"Why?\nA. x",
            "tier":{{"small":0.5,"frontier":1.0}},"scores":{{"m":0.5}},"contaminated":true}}"#
        )
        .replace('\n', "")
    }

    #[test]
    fn reads_either_folder_and_says_which_line_is_at_fault() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("routing");
        assert!(matches!(read(folder.path()), Err(ReadFault::Folder(_))));
        write(&inner, |set, part| vec![line(set, part)]);
        let rows = read(folder.path()).unwrap();
        assert_eq!(rows.len(), 18);
        assert_eq!(rows, read(&inner).unwrap());
        let row = &rows[1];
        assert_eq!((row.set, row.is_dev, row.pair()), (FILES[0], true, Some((0.5, 1.0))));
        assert_eq!(left_out(row), Some(CONTAMINATED));
        write(&inner, |set, part| vec![line(set, part), "{".into()]);
        assert!(
            read(&inner).unwrap_err().to_string().contains("train/routellm_mmlu.jsonl.gz, line 2")
        );
    }

    #[test]
    fn one_question_has_one_stem_whatever_its_options() {
        let same = stem("Which of these is true?\nA. One\nB. Two");
        assert_eq!(same, stem("which of these is TRUE\n(A) Two\n(B) Three\n(C) Four"));
        assert_ne!(same, stem("Which of those is true?\nA. One\nB. Two"));
        // A line that begins as an option does not is part of the question.
        assert_ne!(stem("Prove it.\nA line"), stem("Prove it."));
    }

    #[test]
    fn what_must_not_train_says_why() {
        let json = line("x", "dev").replace("true", "false");
        let mut row = serde_json::from_str::<Recorded>(&json).unwrap().into_row(FILES[0], false);
        assert_eq!(left_out(&row), None);
        row.benchmark = "natural_qa".into();
        assert_eq!(left_out(&row), Some("questions under CC BY-SA"));
        row.quality = [None, Some(0.5), Some(0.7)];
        assert_eq!(row.pair(), None);
    }
}
