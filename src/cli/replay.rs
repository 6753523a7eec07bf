//! `semgate replay`: recorded traffic through a configuration, before a live request depends on it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::cache::Cache;
use crate::config::{self, Env, Settings};
use crate::embed::Embedder;
use crate::gateway::Gateway;
use crate::record::Recorder;
use crate::replay::input::{self, Input};
use crate::replay::report::{self, Swept};
use crate::replay::run::{self, Run, Vectors};
use crate::route::Heads;

use super::load::{self, ConfigArg};
use super::{Failure, block_on, say};

/// Run recorded traffic through a configuration, offline.
///
/// Example: semgate replay --input traffic.jsonl --set cache.semantic.min_similarity=0.8
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// JSON lines, plain or gzip; `-` for standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Change a setting for this run, may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// One run for each value
    #[arg(long, value_name = "KEY=V1,V2,…")]
    sweep: Option<String>,
    /// Write one line per request
    #[arg(long, value_name = "FILE", conflicts_with = "sweep")]
    decisions: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Count lines that are no requests instead of stopping
    #[arg(long)]
    skip_invalid: bool,
}

type Override = (String, String);

pub fn run(args: &Args, env: &Env) -> Result<(), Failure> {
    let sets = args.sets.iter().map(|set| split(set, "--set")).collect::<Result<Vec<_>, _>>()?;
    let settings = settings(args, env, &sets)?;
    let input = input::read(&args.input, args.skip_invalid).map_err(Failure::failed)?;
    let (embedder, heads) = load::models(&settings, env)?;
    let bar = progress(input.rows.len(), "embedding");
    let vectors = run::embed(&input.rows, embedder.as_ref(), |done| bar.set_position(done as u64));
    bar.finish_and_clear();
    let parts = Parts { embedder, heads, input, vectors };
    match &args.sweep {
        Some(sweep) => self::sweep(args, env, &sets, sweep, parts),
        None => {
            let (_, report) = parts.replay(settings, args.decisions.as_deref())?;
            if args.json {
                say(report)
            } else {
                say(report::table(&report).trim_end())
            }
            Ok(())
        }
    }
}

fn settings(args: &Args, env: &Env, sets: &[Override]) -> Result<Settings, Failure> {
    let source = config::find(args.config.config.as_deref(), env);
    Ok(config::load(&source, env, sets)?.settings)
}

fn split(text: &str, option: &str) -> Result<Override, Failure> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let pair = pair.map(|(key, value)| (key.to_owned(), value.to_owned()));
    pair.ok_or_else(|| Failure::failed(format!("{option} wants KEY=VALUE, not `{text}`.")))
}

/// What outlives a single run: the model, the rows and their vectors.
struct Parts {
    embedder: Option<Embedder>,
    heads: Option<Heads>,
    input: Input,
    vectors: Vectors,
}

impl Parts {
    /// One run against an empty cache. Gives the parts back for the next one.
    fn replay(
        mut self,
        mut settings: Settings,
        decisions: Option<&Path>,
    ) -> Result<(Self, Value), Failure> {
        // A replay leaves no trace in the operator's own record.
        settings.telemetry.record = None;
        let cache = Cache::synchronous(&settings.cache);
        let recorder = Recorder::new(&settings).map_err(Failure::failed)?;
        let (_cut, cutting) = watch::channel(false);
        let (embedder, heads) = (self.embedder.take(), self.heads.take());
        let gateway = Gateway::new(settings, embedder, heads, cache, recorder.into(), cutting)
            .map_err(|error| Failure::failed(error.log()))?;
        let mut file = decisions
            .map(|path| {
                let file = File::create(path);
                file.map(BufWriter::new)
                    .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
            })
            .transpose()?;
        let bar = progress(self.input.rows.len(), "replaying");
        let report = block_on(async {
            let mut run = Run::new(&gateway, &self.input.rows);
            for (number, vector) in self.vectors.iter().enumerate() {
                let decision = run.row(number, vector.clone()).await;
                if let Some(file) = &mut file {
                    serde_json::to_writer(&mut *file, &decision).map_err(Failure::failed)?;
                    file.write_all(b"\n").map_err(Failure::failed)?;
                }
                bar.inc(1);
            }
            Ok::<_, Failure>(run.tally.report(self.input.skipped))
        })??;
        bar.finish_and_clear();
        if let Some(mut file) = file {
            file.flush().map_err(Failure::failed)?;
        }
        (self.embedder, self.heads) = gateway.into_models();
        Ok((self, report))
    }
}

/// One row per value of the swept key.
fn sweep(
    args: &Args,
    env: &Env,
    sets: &[Override],
    sweep: &str,
    mut parts: Parts,
) -> Result<(), Failure> {
    let (key, values) = split(sweep, "--sweep")?;
    if key == "embedder" || key.starts_with("embedder.") {
        let why = "the embedder cannot be swept: the vectors of all runs are made once";
        return Err(Failure::failed(why));
    }
    let mut rows = Vec::new();
    for value in values.split(',') {
        let mut sets = sets.to_vec();
        sets.push((key.clone(), value.to_owned()));
        let report;
        (parts, report) = parts.replay(settings(args, env, &sets)?, None)?;
        rows.push(Swept { value: value.to_owned(), report });
    }
    if args.json {
        say(json!({"sweep": key, "rows": rows}));
        return Ok(());
    }
    say(format_args!(
        "{key:<16} {:>9} {:>12} {:>10} {:>12}",
        "hit rate", "wrong hits", "precision", "saved"
    ));
    for Swept { value, report } in rows {
        let percent = |key: &str| {
            report[key]
                .as_f64()
                .map_or("unmeasured".into(), |rate| format!("{:.2} %", rate * 100.0))
        };
        let saved =
            report["saved_usd"].as_f64().map_or("unknown".into(), |usd| format!("${usd:.4}"));
        say(format_args!(
            "{value:<16} {:>9} {:>12} {:>10} {saved:>12}",
            percent("hit_rate"),
            percent("wrong_hit_rate"),
            percent("precision")
        ));
    }
    Ok(())
}

/// A bar on a terminal, nothing elsewhere.
fn progress(rows: usize, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(rows as u64).with_message(what);
    let style = ProgressStyle::with_template("{msg:10} {wide_bar} {pos}/{len} {eta}");
    bar.set_style(style.expect("the template is valid"));
    bar
}
