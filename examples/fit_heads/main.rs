//! Fits the router's heads from recorded outcomes and writes `models/router-heads.json` and its
//! card.
//!
//!     cargo run --example fit_heads -- --data ../shared/data --models models
//!
//! Deterministic: the same rows, model files and machine arithmetic give the same weights. Rows are
//! read by `data`, embedded by `vectors`, fitted by `fit`, measured by `measure` and `report`.

#![allow(clippy::print_stdout, reason = "a program that reports to a terminal")]

mod card;
mod data;
mod fit;
mod measure;
mod probes;
mod report;
mod vectors;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use semgate::config::settings;
use semgate::embed::{DIMENSIONS, Embedder};
use semgate::route::Features;
use semgate::route::features::FEATURES;
use semgate::route::heads::{Head, Heads, HeadsFile, TIER_CLASSES, VERSION, isotonic, standardise};
use serde_json::json;

use data::Row;
use fit::{Example, HEADS, Weights};
use report::Judged;

/// Components of a unit vector are brought to about unit variance, like the surface features, so
/// that one ridge suits both. Folded into the weights afterwards.
const VECTOR_SCALE: f32 = 19.6;

/// Ridges tried; the one with the least log loss on sources left out is taken.
const RIDGES: [f64; 4] = [0.03, 0.07, 0.1, 0.2];

#[derive(Parser)]
struct Arguments {
    /// Folder with the recorded outcomes; else `$SEMGATE_DATA`.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Folder with the embedding model; the weights are written there too.
    #[arg(long, default_value = "models")]
    models: PathBuf,
    /// Vectors kept between runs.
    #[arg(long, default_value = "target/routing-vectors.bin")]
    vectors: PathBuf,
    /// Embed nothing: rows without a kept vector take no part.
    #[arg(long)]
    kept_only: bool,
    /// A sentence for the card, such as why rows were left out.
    #[arg(long, default_value = "")]
    remark: String,
    /// Only print what the weights on disk say about the probes.
    #[arg(long)]
    probe: bool,
}

/// Rows with their inputs, aligned.
struct Corpus {
    rows: Vec<Row>,
    inputs: Vec<Vec<f32>>,
    mean: Vec<f32>,
    scale: Vec<f32>,
    /// Rows read, with or without a vector.
    all: usize,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let embedder = start(&arguments.models)?;
    let mut vectors = vectors::Vectors::open(&arguments.vectors, &embedder)
        .map_err(|fault| format!("{}: {fault}", arguments.vectors.display()))?;
    let weights = arguments.models.join("router-heads.json");
    if !arguments.probe {
        let corpus = corpus(&folder(arguments.data), arguments.kept_only, &mut vectors)?;
        train(&corpus, &embedder, &weights, arguments.remark)?;
    }
    probe(&weights, &embedder, &vectors)
}

#[expect(clippy::disallowed_methods, reason = "the edge of a program of its own")]
fn folder(stated: Option<PathBuf>) -> PathBuf {
    let from_environment = || std::env::var("SEMGATE_DATA").ok().map(PathBuf::from);
    stated.or_else(from_environment).unwrap_or_else(|| PathBuf::from("../shared/data"))
}

fn start(models: &Path) -> Result<Embedder, String> {
    let settings = settings::Embedder {
        model: "all-MiniLM-L6-v2".into(),
        threads: 2,
        max_tokens: 256,
        queue: 256,
        timeout: Duration::from_secs(60),
    };
    Embedder::start(&settings, models).map_err(|fault| fault.to_string())
}

fn corpus(
    folder: &Path,
    kept_only: bool,
    vectors: &mut vectors::Vectors<'_>,
) -> Result<Corpus, String> {
    let mut rows = data::read(folder)?;
    let all = rows.len();
    rows.retain(|row| !kept_only || vectors.is_known(&row.prompt));
    println!("{} of {all} rows; embedding what is new", rows.len());
    let prompts: Vec<String> = rows.iter().map(|row| row.prompt.clone()).collect();
    let vectors = vectors.of(&prompts)?;
    let features: Vec<Features> = rows.iter().map(|row| Features::of_text(&row.prompt)).collect();
    let (mean, scale) = scales(&rows, &features);
    let inputs = features
        .iter()
        .zip(&vectors)
        .map(|(features, vector)| {
            let numbers = features.values().iter().zip(mean.iter().zip(&scale));
            let surface = numbers.map(|(value, (mean, scale))| standardise(*value, *mean, *scale));
            vector.iter().map(|component| component * VECTOR_SCALE).chain(surface).collect()
        })
        .collect();
    Ok(Corpus { rows, inputs, mean, scale, all })
}

/// Mean and inverse standard deviation of each feature over the training rows; 0 for a constant.
fn scales(rows: &[Row], features: &[Features]) -> (Vec<f32>, Vec<f32>) {
    let train: Vec<&[f32]> = rows
        .iter()
        .zip(features)
        .filter(|(row, _)| !row.is_dev)
        .map(|(_, features)| features.values())
        .collect();
    let count = train.len() as f64;
    let column = |index: usize| train.iter().map(move |values| f64::from(values[index]));
    (0..FEATURES.len())
        .map(|index| {
            let mean = column(index).sum::<f64>() / count;
            let variance = column(index).map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            let scale = if variance > 1e-9 { 1.0 / variance.sqrt() } else { 0.0 };
            (mean as f32, scale as f32)
        })
        .unzip()
}

/// The training rows that share no question with `held`. Each set weighs with the root of its
/// size, so that neither the two large sets nor the smallest decide alone.
fn examples<'a>(
    corpus: &'a Corpus,
    held: &HashSet<&str>,
    without: Option<&str>,
) -> Vec<Example<'a>> {
    let chosen: Vec<usize> = (0..corpus.rows.len())
        .filter(|index| {
            let row = &corpus.rows[*index];
            !row.is_dev && !held.contains(row.stem.as_str()) && without != Some(row.source.as_str())
        })
        .collect();
    let mut sizes: HashMap<&str, f64> = HashMap::new();
    for index in &chosen {
        *sizes.entry(&corpus.rows[*index].set).or_default() += 1.0;
    }
    let example = |index: usize| {
        let row = &corpus.rows[index];
        let weight = 1.0 / sizes[row.set.as_str()].sqrt();
        Example { inputs: &corpus.inputs[index], quality: bridged(row.quality), weight }
    };
    chosen.into_iter().map(example).collect()
}

/// A mid tier that was not recorded is taken to lie half way between the small and the frontier
/// one. Without this the mid head would know fewer kinds of task than its neighbours, and the
/// three would cross where it guesses: on sources left out, the mid gap's error falls from 0.10 to
/// 0.065, for 0.004 of log loss. Measurements use recorded labels only.
fn bridged([small, mid, frontier]: [Option<f32>; HEADS]) -> [Option<f32>; HEADS] {
    let half_way = small.zip(frontier).map(|(small, frontier)| (small + frontier) / 2.0);
    [small, mid.or(half_way), frontier]
}

fn predict(heads: &[Weights; HEADS], inputs: &[f32]) -> [f64; HEADS] {
    let logits = [0, 1, 2].map(|head| fit::logit(&heads[head], inputs));
    isotonic(logits).map(|logit| 1.0 / (1.0 + (-logit).exp()))
}

/// Every source predicted by heads that never saw it, nor any of its questions elsewhere.
fn left_out<'a>(corpus: &'a Corpus, ridge: f64) -> Vec<Judged<'a>> {
    let mut sources: Vec<&str> = Vec::new();
    for row in &corpus.rows {
        if !sources.contains(&row.source.as_str()) {
            sources.push(&row.source);
        }
    }
    let judge = |source: &str| -> Vec<Judged<'a>> {
        let tested = || (0..corpus.rows.len()).filter(|i| corpus.rows[*i].source == source);
        let held: HashSet<&str> = tested().map(|i| corpus.rows[i].stem.as_str()).collect();
        let heads = fit::fit(&examples(corpus, &held, Some(source)), width(), ridge);
        tested().map(|i| (&corpus.rows[i], predict(&heads, &corpus.inputs[i]))).collect()
    };
    // Two at a time: the sources are independent, and their order is kept.
    std::thread::scope(|scope| {
        let (left, right) = sources.split_at(sources.len() / 2);
        let other = scope.spawn(|| right.iter().map(|s| judge(s)).collect::<Vec<_>>());
        let mut judged: Vec<_> = left.iter().map(|s| judge(s)).collect();
        judged.extend(other.join().expect("fitting does not panic"));
        judged.into_iter().flatten().collect()
    })
}

fn width() -> usize {
    DIMENSIONS + FEATURES.len()
}

/// Mean over sets of the mean log loss of a set, all heads.
fn macro_loss(judged: &[Judged<'_>]) -> f64 {
    let names = report::sets(judged);
    let of_set = |set: &String| {
        let rows = judged.iter().filter(|(row, _)| row.set == *set);
        let pairs: Vec<(f64, f64)> = rows
            .flat_map(|(row, p)| {
                row.quality.iter().zip(*p).filter_map(|(q, p)| q.map(|q| (p, f64::from(q))))
            })
            .collect();
        measure::log_loss(&pairs)
    };
    names.iter().map(of_set).sum::<f64>() / names.len() as f64
}

fn train(corpus: &Corpus, embedder: &Embedder, path: &Path, remark: String) -> Result<(), String> {
    let mut tried: Vec<(f64, f64)> = Vec::new();
    for ridge in RIDGES {
        let loss = macro_loss(&left_out(corpus, ridge));
        println!("ridge {ridge}: log loss {loss:.4} on sources left out");
        tried.push((loss, ridge));
    }
    let best = tried.iter().min_by(|a, b| a.0.total_cmp(&b.0)).expect("ridges to try");
    let (unseen_loss, ridge) = *best;
    let unseen = left_out(corpus, ridge);
    let held: HashSet<&str> = dev(corpus).map(|i| corpus.rows[i].stem.as_str()).collect();
    let used = examples(corpus, &held, None);
    let heads = fit::fit(&used, width(), ridge);
    let seen: Vec<Judged<'_>> =
        dev(corpus).map(|i| (&corpus.rows[i], predict(&heads, &corpus.inputs[i]))).collect();
    let card = card::Card {
        ridge,
        remark,
        train_rows: used.len(),
        taken: (corpus.rows.len(), corpus.all),
        dev_rows: seen.len(),
        doubt: report::doubt(&unseen),
        losses: (macro_loss(&seen), unseen_loss),
        dev: (report::ranking(&seen), report::calibration(&seen)),
        thresholds: report::thresholds(&seen),
        unseen: (report::ranking(&unseen), report::calibration(&unseen)),
    };
    let file = weights_file(corpus, embedder, &heads, &card);
    let text = serde_json::to_string(&file).map_err(|fault| fault.to_string())?;
    Heads::parse(&text, embedder.identity()).map_err(|fault| fault.to_string())?;
    std::fs::write(path, text + "\n").map_err(|fault| fault.to_string())?;
    let text = card.render(embedder.identity(), &file.hash);
    println!("{text}");
    std::fs::write(path.with_extension("md"), text).map_err(|fault| fault.to_string())
}

fn dev(corpus: &Corpus) -> impl Iterator<Item = usize> {
    (0..corpus.rows.len()).filter(|index| corpus.rows[*index].is_dev)
}

fn weights_file(
    corpus: &Corpus,
    embedder: &Embedder,
    heads: &[Weights; HEADS],
    card: &card::Card,
) -> HeadsFile {
    let head = |(index, tier): (usize, &&str)| {
        let weights = &heads[index];
        let rescaled = |w: &f64| short(*w * f64::from(VECTOR_SCALE));
        Head {
            tier: (*tier).to_owned(),
            bias: short(weights[width()]),
            vector: weights[..DIMENSIONS].iter().map(rescaled).collect(),
            surface: weights[DIMENSIONS..width()].iter().map(|w| short(*w)).collect(),
        }
    };
    let mut file = HeadsFile {
        version: VERSION,
        embedder: embedder.identity().to_owned(),
        features: FEATURES.iter().map(|feature| feature.name.to_owned()).collect(),
        feature_mean: corpus.mean.iter().map(|value| short(f64::from(*value))).collect(),
        feature_scale: corpus.scale.iter().map(|value| short(f64::from(*value))).collect(),
        heads: TIER_CLASSES.iter().enumerate().map(head).collect(),
        doubt: card.doubt,
        training: json!({"rows": card.train_rows, "ridge": card.ridge, "files": data::FILES,
            "left_out": data::LEFT_OUT.map(|(benchmark, _)| benchmark)}),
        metrics: card.metrics(),
        hash: String::new(),
    };
    file.hash = file.digest();
    file
}

/// Five decimals: far below what a weight is known to, and a third of the file's size.
fn short(value: f64) -> f32 {
    ((value * 1e5).round() / 1e5) as f32
}

/// What the weights on disk say about the probes.
fn probe(path: &Path, embedder: &Embedder, vectors: &vectors::Vectors<'_>) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|fault| fault.to_string())?;
    let heads = Heads::parse(&text, embedder.identity()).map_err(|fault| fault.to_string())?;
    let texts: Vec<String> = probes::PROBES.iter().map(|(_, text)| (*text).to_owned()).collect();
    println!("small   mid  front  level     prompt");
    for ((level, text), vector) in probes::PROBES.iter().zip(vectors.embed(&texts)?) {
        let [small, mid, frontier] = heads.predict(&vector, &Features::of_text(text));
        let start: String = text.chars().take(70).collect();
        println!("{small:.3} {mid:.3} {frontier:.3}  {:<9} {start}", format!("{level:?}"));
    }
    Ok(())
}
