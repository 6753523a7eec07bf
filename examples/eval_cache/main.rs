//! Replays labelled streams through the verifier and shows hits and wrong hits beside what simpler
//! caches reach; `--fit` fits the shipped prior instead.
//!
//!     cargo run --release --example eval_cache -- --data ../shared/data
//!     cargo run --release --example eval_cache -- --fit
//!
//! The verifier is run as the gateway runs it, with labels for a judge; the index, the store and
//! the network are left out. A stream that trains the prior is shown with a prior fitted to the
//! other ones. Streams are read by `stream`, run by `run`; `fit` fits, `baselines` are the simpler
//! caches, `report` prints.

#![allow(clippy::print_stdout, reason = "a program that reports to a terminal")]

mod baselines;
mod fit;
mod report;
mod run;
mod stream;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Parser;
use semgate::cache::verify::mind::Goals;
use semgate::cache::verify::weights::{Prior, SHIPPED};
use semgate::cache::verify::{Budget, Errors};
use semgate::config::settings;
use semgate::embed::Embedder;

use run::{Run, Setup, run};
use stream::Stream;

const STREAMS: [&str; 8] =
    ["banking77", "clinc150", "bitext", "t2s", "overnight", "qqp", "background", "mixed"];

/// Streams whose licences let them train what ships.
const TRAINING: [&str; 3] = ["banking77", "clinc150", "bitext"];

#[derive(Parser)]
struct Arguments {
    /// Folder with `cache/streams`; else `$SEMGATE_DATA`.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Folder with the embedding model and the prior.
    #[arg(long, default_value = "models")]
    models: PathBuf,
    /// Folder where vectors are kept between runs.
    #[arg(long, default_value = "target/eval-cache")]
    vectors: PathBuf,
    /// Streams to run; all eight without.
    #[arg(long, value_delimiter = ',')]
    streams: Vec<String>,
    /// Runs of each stream, with exploration and judge drawn anew.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// Rates of false *same* and false *different*: `0.05` for both, or `0.10/0.01`.
    #[arg(long, default_value = "0", value_parser = noise)]
    judge_noise: Errors,
    /// Wrong hits allowed among lookups.
    #[arg(long, default_value_t = 0.01)]
    max_wrong_hits: f32,
    /// Right hits required among hits.
    #[arg(long)]
    min_precision: Option<f32>,
    /// Replace this share of the answers in mid-stream.
    #[arg(long, default_value_t = 0.0)]
    replaced: f64,
    /// Show no baselines.
    #[arg(long)]
    no_baselines: bool,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Show so many right and so many wrong hits of each stream, to be read.
    #[arg(long, default_value_t = 0)]
    show: usize,
    /// Fit the prior to the streams that may train it and write it.
    #[arg(long)]
    fit: bool,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let mut names: Vec<&str> = arguments.streams.iter().map(String::as_str).collect();
    if names.is_empty() {
        names = if arguments.fit { TRAINING.to_vec() } else { STREAMS.to_vec() };
    }
    let needs_others = !arguments.fit && names.iter().any(|name| TRAINING.contains(name));
    let extra = TRAINING.into_iter().filter(|name| needs_others && !names.contains(name));
    let all: Vec<&str> = names.iter().copied().chain(extra).collect();
    let streams = load(&arguments, &all)?;
    if arguments.fit {
        return write_prior(&arguments, &streams);
    }
    let shown = &streams[..names.len()];
    let goals = Goals {
        budget: Budget {
            lookups: arguments.max_wrong_hits,
            hits: arguments.min_precision.map(|least| 1.0 - least),
        },
        exploration: 0.02,
    };
    let priors = parallel(shown.len(), |n| prior(&shown[n], &streams));
    let jobs: Vec<(usize, u64)> =
        (0..shown.len()).flat_map(|n| (0..arguments.seeds).map(move |seed| (n, seed))).collect();
    let mut runs = parallel(jobs.len(), |job| {
        let (n, seed) = jobs[job];
        let (judge, replaced) = (arguments.judge_noise, arguments.replaced);
        let setup = Setup { goals, judge, seed: 100 + seed, replaced, mute: false };
        run(&shown[n], &priors[n], &setup)
    });
    let lines: Vec<report::Line> = shown
        .iter()
        .map(|stream| {
            let own: Vec<Run> = runs.drain(..arguments.seeds as usize).collect();
            if arguments.show > 0 {
                report::show(stream, &own[0], arguments.show);
            }
            let limit = f64::from(arguments.max_wrong_hits);
            let baselines = (!arguments.no_baselines).then(|| report::Baselines {
                fixed: baselines::fixed(stream, limit),
                vcache: baselines::vcache(stream, limit, 1),
            });
            report::Line::of(stream, &own, baselines, arguments.replaced > 0.0)
        })
        .collect();
    report::print(&lines, arguments.json);
    Ok(())
}

fn load(arguments: &Arguments, names: &[&str]) -> Result<Vec<Stream>, String> {
    let folder = folder(arguments.data.clone()).join("cache/streams");
    std::fs::create_dir_all(&arguments.vectors).map_err(|error| error.to_string())?;
    let settings = settings::Embedder {
        model: "all-MiniLM-L6-v2".into(),
        threads: 2,
        max_tokens: 256,
        queue: 256,
        timeout: Duration::from_secs(60),
    };
    let embedder =
        Embedder::start(&settings, &arguments.models).map_err(|fault| fault.to_string())?;
    let load = |name: &&str| {
        let path = folder.join(format!("{name}.jsonl.gz"));
        Stream::load(&path, &embedder, &arguments.vectors)
    };
    names.iter().map(load).collect()
}

#[expect(clippy::disallowed_methods, reason = "the edge of a program of its own")]
fn folder(stated: Option<PathBuf>) -> PathBuf {
    let from_environment = || std::env::var("SEMGATE_DATA").ok().map(PathBuf::from);
    stated.or_else(from_environment).unwrap_or_else(|| PathBuf::from("../shared/data"))
}

/// The shipped prior; for a stream that trained it, one fitted to the other ones.
fn prior(stream: &Stream, streams: &[Stream]) -> Prior {
    if !TRAINING.contains(&stream.name.as_str()) {
        return SHIPPED.clone();
    }
    let others = streams
        .iter()
        .filter(|other| TRAINING.contains(&other.name.as_str()) && other.name != stream.name);
    fit::fit(&others.collect::<Vec<_>>(), fit::SEED)
}

fn write_prior(arguments: &Arguments, streams: &[Stream]) -> Result<(), String> {
    let prior = fit::fit(&streams.iter().collect::<Vec<_>>(), fit::SEED);
    let names = streams.iter().map(|stream| stream.name.clone()).collect();
    let (weights, card) = fit::files(&prior, names);
    for (name, text) in [("verifier-prior.json", weights), ("verifier-prior.md", card)] {
        let path = arguments.models.join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn noise(text: &str) -> Result<Errors, String> {
    let (a, d) = text.split_once('/').unwrap_or((text, text));
    let rate = |text: &str| match text.parse::<f32>() {
        Ok(rate) if (0.0..0.5).contains(&rate) => Ok(rate),
        _ => Err(format!("`{text}` is no rate from 0 to 0.5")),
    };
    Ok(Errors { false_same: rate(a)?, false_different: rate(d)? })
}

/// What `work` makes of 0 to `count`, in order, on every core.
fn parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let done = Mutex::new((0..count).map(|_| None).collect::<Vec<Option<T>>>());
    std::thread::scope(|scope| {
        for _ in 0..cores.min(count) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if place >= count {
                        break;
                    }
                    let made = work(place);
                    done.lock().expect("invariant: no worker panics with the lock")[place] =
                        Some(made);
                }
            });
        }
    });
    let done = done.into_inner().expect("invariant: no worker panics with the lock");
    done.into_iter().map(|made| made.expect("invariant: every place was worked on")).collect()
}
