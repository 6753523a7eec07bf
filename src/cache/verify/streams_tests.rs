//! The policy on the first rows of two labelled streams with a judge that knows: one of many
//! repeats, whose hits must be found, and one of none, where every hit is wrong. `eval_cache` runs
//! all eight streams to their end; this is what the suite can afford.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::weights::SHIPPED;
use super::*;
use crate::config::settings;
use crate::embed::{Embedder, Vector, files};
use crate::index::flat::dot;

const GOALS: Goals = Goals { budget: Budget { lookups: 0.01, hits: None }, exploration: 0.02 };

/// Neighbours of a lookup, and the cosine that they reach at least.
const CANDIDATES: usize = 24;
const FLOOR: f32 = 0.5;

struct Row {
    answer: String,
    profile: Profile,
    vector: Vector,
}

#[expect(clippy::disallowed_methods, reason = "a test finds its data by the environment")]
fn folder(variable: &str, default: &str) -> PathBuf {
    std::env::var(variable).map_or_else(|_| default.into(), PathBuf::from)
}

/// The first rows of a stream; `None` where the stream or the model's weights are not at hand.
fn rows(stream: &str, count: usize) -> Option<Vec<Row>> {
    let models = folder("SEMGATE_MODELS", "models");
    let path =
        folder("SEMGATE_DATA", "../shared/data").join(format!("cache/streams/{stream}.jsonl.gz"));
    let file = std::fs::File::open(&path).ok().filter(|_| files::is_present(&models));
    let Some(file) = file else {
        let (path, models) = (path.display(), models.display());
        _ = writeln!(std::io::stderr(), "skipped: no {path}, or no weights in {models}");
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip of UTF-8");
    let rows: Vec<serde_json::Value> =
        text.lines().take(count).map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let field = |row: &serde_json::Value, name: &str| row[name].as_str().expect("text").to_owned();
    let prompts: Vec<String> = rows.iter().map(|row| field(row, "prompt")).collect();
    let vectors = vectors(&prompts, &models);
    let parts = rows.iter().zip(&prompts).zip(vectors);
    let row = |((row, prompt), vector): ((&serde_json::Value, &String), Vector)| Row {
        answer: field(row, "answer_id"),
        profile: Profile::of(prompt),
        vector,
    };
    Some(parts.map(row).collect())
}

fn vectors(prompts: &[String], models: &Path) -> Vec<Vector> {
    let wanted = settings::Embedder {
        model: files::DEFAULT.to_owned(),
        threads: 2,
        max_tokens: 256,
        queue: 64,
        timeout: Duration::from_secs(60),
    };
    let embedder = Embedder::start(&wanted, models).expect("the weights are there");
    let embedded = embedder.embed_blocking(prompts).into_iter();
    embedded.map(|one| one.expect("a short text has a vector").vector).collect()
}

/// The most similar stored earlier rows, nearest first.
fn near(rows: &[Row], query: usize, stored: &[bool]) -> Vec<(usize, f32)> {
    let earlier = (0..query).filter(|other| stored[*other]);
    let mut near: Vec<(usize, f32)> = earlier
        .map(|other| (other, dot(&rows[query].vector, &rows[other].vector)))
        .filter(|(_, similarity)| *similarity >= FLOOR)
        .collect();
    near.sort_by(|a, b| b.1.total_cmp(&a.1));
    near.truncate(CANDIDATES);
    near
}

/// Right and wrong hits of a run over the rows.
fn run(rows: &[Row], seed: u64) -> (usize, usize) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut mind = Mind::new(&SHIPPED);
    let mut stored = vec![false; rows.len()];
    let (mut right, mut wrong) = (0, 0);
    for (query, row) in rows.iter().enumerate() {
        let candidates: Vec<Candidate<'_>> = near(rows, query, &stored)
            .into_iter()
            .map(|(other, similarity)| Candidate {
                entry: other as u64,
                profile: &rows[other].profile,
                similarity,
            })
            .collect();
        let answers = |entry: u64| rows[entry as usize].answer == row.answer;
        let weighed = mind.weigh(&SHIPPED, &row.profile, &candidates);
        let decision = mind.decide(&weighed, &GOALS, &Errors::NONE, rng.random());
        let lookup = mind.remember(&row.profile, &candidates, &weighed, &decision);
        if let (Decision::Serve { .. }, Some(best)) = (decision, weighed.contenders.first()) {
            if answers(best.entry) { right += 1 } else { wrong += 1 }
        } else {
            let say = |same| if same { Verdict::Same } else { Verdict::Different };
            let verdicts: Vec<Verdict> =
                lookup.compared.iter().map(|other| say(answers(other.entry))).collect();
            stored[query] = true;
            for gone in mind.learn(&lookup, &verdicts, Some(query as u64), &Errors::NONE) {
                stored[gone as usize] = false;
            }
        }
        if mind.is_due() {
            mind.study(&SHIPPED, &GOALS, &Errors::NONE);
        }
    }
    (right, wrong)
}

fn shares(stream: &str, count: usize) -> Option<(f64, f64)> {
    let rows = rows(stream, count)?;
    let (right, wrong) = run(&rows, 1);
    let share = |part: usize| part as f64 / rows.len() as f64;
    let (hits, wrong) = (share(right + wrong), share(wrong));
    _ = writeln!(std::io::stderr(), "{stream}: {hits:.4} hits, {wrong:.4} wrong");
    Some((hits, wrong))
}

#[test]
fn repeats_are_found_under_the_budget() {
    // Measured: 45.7 % and 0.07 %. The 65 % of the whole stream are for `eval_cache` to check.
    let Some((hits, wrong)) = shares("bitext", 1500) else { return };
    assert!(hits >= 0.42 && wrong <= 0.01, "{hits} hits, {wrong} wrong");
}

#[test]
fn where_nothing_repeats_next_to_nothing_is_served() {
    // Measured: none over the first 1,500.
    let Some((hits, wrong)) = shares("background", 1000) else { return };
    assert!(wrong < 0.006 && hits == wrong, "{hits} hits, {wrong} wrong");
}
