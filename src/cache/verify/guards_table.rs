//! What each guard costs (right pairs vetoed) and gains (wrong pairs vetoed): the table in
//! docs/cache.md.
//!
//!     cargo test --lib -- --ignored --nocapture cost_and_gain_of_each_guard

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use crate::cache::Guard;
use crate::cache::verify::guards::{GUARDS, differ};
use crate::cache::verify::{Profile, speaks};
use crate::config::settings;
use crate::embed::{DIMENSIONS, Embedder, files};

/// Requests of each stream, from its beginning.
const ROWS: usize = 1500;
const STREAMS: [&str; 8] =
    ["banking77", "clinc150", "bitext", "t2s", "overnight", "qqp", "background", "mixed"];
/// Nearest neighbours below this are no candidates for a hit.
const NEAR: f32 = 0.7;

struct Pair {
    a: Profile,
    b: Profile,
    same: bool,
}

#[expect(clippy::disallowed_methods, reason = "a test is an edge")]
fn folder(variable: &str, default: &str) -> PathBuf {
    std::env::var(variable).map_or_else(|_| default.into(), PathBuf::from)
}

fn rows(path: &str) -> Option<Vec<serde_json::Value>> {
    let file = std::fs::File::open(folder("SEMGATE_DATA", "../shared/data").join(path)).ok()?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip of UTF-8");
    Some(text.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect())
}

fn near_misses(kind: &str) -> Option<Vec<Pair>> {
    let rows = rows("cache/pairs/near_miss.jsonl.gz")?;
    let of_kind =
        rows.iter().filter(|row| row["kind"].as_str().is_some_and(|k| k.starts_with(kind)));
    let side = |row: &serde_json::Value, side: &str| Profile::of(row[side].as_str().expect("text"));
    Some(
        of_kind
            .map(|row| Pair { a: side(row, "a"), b: side(row, "b"), same: row["same"] == true })
            .collect(),
    )
}

/// Vectors of the texts, kept below `target/` from one run to the next.
fn vectors(stream: &str, texts: &[String], embedder: &Embedder) -> Vec<Vec<f32>> {
    let kept = PathBuf::from(format!("target/guard-vectors-{stream}.f32"));
    let bytes = texts.len() * DIMENSIONS * size_of::<f32>();
    if let Some(known) = std::fs::read(&kept).ok().filter(|known| known.len() == bytes) {
        let (numbers, _) = known.as_chunks::<4>();
        let numbers: Vec<f32> = numbers.iter().map(|four| f32::from_le_bytes(*four)).collect();
        return numbers.chunks(DIMENSIONS).map(<[f32]>::to_vec).collect();
    }
    let embedded = embedder.embed_blocking(texts).into_iter();
    let vectors: Vec<Vec<f32>> =
        embedded.map(|one| one.expect("a short text has a vector").vector.to_vec()).collect();
    let numbers = vectors.iter().flatten().flat_map(|number| number.to_le_bytes());
    std::fs::write(&kept, numbers.collect::<Vec<u8>>()).expect("target/ is writable");
    vectors
}

/// Each request of a stream with its nearest earlier one.
fn neighbours(stream: &str, embedder: &Embedder) -> Option<Vec<Pair>> {
    let mut rows = rows(&format!("cache/streams/{stream}.jsonl.gz"))?;
    rows.truncate(ROWS);
    let texts: Vec<String> =
        rows.iter().map(|row| row["prompt"].as_str().expect("text").to_owned()).collect();
    let vectors = vectors(stream, &texts, embedder);
    let mut pairs = Vec::new();
    for (place, vector) in vectors.iter().enumerate().skip(1) {
        let cosine = |other: usize| -> f32 {
            vector.iter().zip(vectors[other].iter()).map(|(a, b)| a * b).sum()
        };
        let nearest = (0..place).map(|other| (other, cosine(other)));
        let (nearest, similarity) =
            nearest.max_by(|a, b| a.1.total_cmp(&b.1)).expect("an earlier one");
        if similarity >= NEAR {
            pairs.push(Pair {
                a: Profile::of(&texts[place]),
                b: Profile::of(&texts[nearest]),
                same: rows[place]["answer_id"] == rows[nearest]["answer_id"],
            });
        }
    }
    Some(pairs)
}

/// A row of the table: for each guard, and for all, the right and the wrong pairs that it vetoes.
fn row(name: &str, pairs: &[Pair]) -> String {
    let all = |same: bool| pairs.iter().filter(|pair| pair.same == same).count();
    let vetoed = |same: bool, by: &dyn Fn(&Pair) -> bool| {
        pairs.iter().filter(|pair| pair.same == same && by(pair)).count()
    };
    let by = |guard: Guard| move |pair: &Pair| differ(guard, &pair.a, &pair.b);
    let mut row = format!("| {name} | {} / {} |", all(true), all(false));
    for guard in GUARDS {
        row += &format!(" {} / {} |", vetoed(true, &by(guard)), vetoed(false, &by(guard)));
    }
    let any = |pair: &Pair| GUARDS.iter().any(|guard| differ(*guard, &pair.a, &pair.b));
    row + &format!(" {} / {} |", vetoed(true, &any), vetoed(false, &any))
}

/// Pairs that a guard vetoes, to read: at most these of each guard.
const SHOWN: usize = 25;

#[expect(clippy::print_stdout, reason = "a measurement says what it measured")]
fn show(name: &str, pairs: &[Pair]) {
    for guard in GUARDS {
        for same in [true, false] {
            let vetoed = pairs.iter().filter(|p| p.same == same && differ(guard, &p.a, &p.b));
            for pair in vetoed.take(SHOWN) {
                let [a, b] = [&pair.a, &pair.b].map(|profile| profile.words().join(" "));
                println!("{name}, {guard:?}, same {same}: {a} | {b}");
            }
        }
    }
}

#[test]
#[ignore = "embeds twelve thousand prompts; prints the table of docs/cache.md"]
#[expect(clippy::print_stdout, reason = "a measurement says what it measured")]
fn cost_and_gain_of_each_guard() {
    let models = folder("SEMGATE_MODELS", "models");
    assert!(files::is_present(&models), "no weights in {}", models.display());
    let wanted = settings::Embedder {
        model: files::DEFAULT.to_owned(),
        threads: 1,
        max_tokens: 256,
        queue: 64,
        timeout: Duration::from_secs(60),
    };
    let embedder = Embedder::start(&wanted, &models).expect("the weights are there");
    let mut table = vec![
        "| pairs | right / wrong | number | unit | date | negation | antonym | entity | any |"
            .to_owned(),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    for kind in ["checklist", "paws", "qqp"] {
        let pairs = near_misses(kind).expect("the labelled pairs");
        table.push(row(kind, &pairs));
        show(kind, &pairs);
    }
    for stream in STREAMS {
        let pairs = neighbours(stream, &embedder).expect("the labelled streams");
        table.push(row(&format!("stream {stream}"), &pairs));
        show(stream, &pairs);
    }
    println!("{}", table.join("\n"));
    for stream in STREAMS {
        let rows = rows(&format!("cache/streams/{stream}.jsonl.gz")).expect("the streams");
        let is_unread = |row: &&serde_json::Value| !speaks(row["prompt"].as_str().expect("text"));
        println!(
            "{stream}: {} of {} are not read",
            rows.iter().filter(is_unread).count(),
            rows.len()
        );
    }
}
