//! `semgate replay`: recorded traffic through a configuration, before a live request depends on it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::sync::watch;

use crate::cache::Cache;
use crate::config::paths::{Paths, write_private};
use crate::config::{self, Env, Settings};
use crate::embed::Embedder;
use crate::gateway::Gateway;
use crate::index::Foresight;
use crate::record::Recorder;
use crate::replay::embed::{Shelf, Vectors, embed};
use crate::replay::html::{self, Replayed};
use crate::replay::input::{self, Input};
use crate::replay::report::{self, Replay};
use crate::replay::run::Run;
use crate::replay::vectors;
use crate::route::Heads;

use super::load::{self, ConfigArg};
use super::{Failure, block_on, remark, say};

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
    /// Write a page with pictures: curves, savings over time, the most suspicious hits
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Count lines that are no requests instead of stopping
    #[arg(long)]
    skip_invalid: bool,
}

type Override = (String, String);

/// Distinct texts up to which the neighbours of all are computed at once: quadratic, but for so
/// many still faster than searches one by one.
const FORESEEN: usize = 200_000;

pub fn run(args: &Args, env: &Env) -> Result<(), Failure> {
    let sets = args.sets.iter().map(|set| split(set, "--set")).collect::<Result<Vec<_>, _>>()?;
    let settings = settings(args, env, &sets)?;
    let sweep = args.sweep.as_deref().map(|sweep| split(sweep, "--sweep")).transpose()?;
    if let Some((key, _)) = &sweep
        && (key == "embedder" || key.starts_with("embedder."))
    {
        let why = "the embedder cannot be swept: the vectors of all runs are made once";
        return Err(Failure::usage(why));
    }
    // Every value is checked before the first is replayed.
    let planned = match &sweep {
        None => vec![(None, settings.clone())],
        Some((key, values)) => values
            .split(',')
            .map(|value| {
                let set = (key.clone(), value.to_owned());
                let settings = self::settings(args, env, &[&sets[..], &[set]].concat())?;
                Ok((Some(value.to_owned()), settings))
            })
            .collect::<Result<Vec<_>, Failure>>()?,
    };
    let input = input::read(&args.input, args.skip_invalid).map_err(Failure::failed)?;
    let mut parts = Parts::prepare(args, env, settings, input)?;
    let traced = args.report.is_some();
    let decisions = args.decisions.as_deref();
    let runs = planned
        .into_iter()
        .map(|(value, settings)| parts.replay(value, settings, decisions, traced))
        .collect::<Result<Vec<_>, Failure>>()?;
    let key = sweep.as_ref().map(|(key, _)| &**key);
    if let Some(path) = &args.report {
        let input = args.input.display().to_string();
        let rows = &parts.input.rows;
        let page =
            html::page(&Replayed { input: &input, sets: &sets, sweep: key, rows, runs: &runs });
        write_private(path, page.as_bytes())
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
    }
    match (key, &runs[..]) {
        (Some(key), runs) if args.json => {
            let row = |run: &Replay| json!({"value": run.value, "report": run.report});
            say(json!({"sweep": key, "rows": runs.iter().map(row).collect::<Vec<_>>()}));
        }
        (Some(key), runs) => say(report::sweep(key, runs).trim_end()),
        (None, runs) => runs.iter().for_each(|run| match args.json {
            true => say(&run.report),
            false => say(report::table(&run.report).trim_end()),
        }),
    }
    Ok(())
}

fn settings(args: &Args, env: &Env, sets: &[Override]) -> Result<Settings, Failure> {
    let source = config::find(args.config.config.as_deref(), env);
    Ok(config::load(&source, env, sets)?.settings)
}

fn split(text: &str, option: &str) -> Result<Override, Failure> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let pair = pair.map(|(key, value)| (key.to_owned(), value.to_owned()));
    pair.ok_or_else(|| Failure::usage(format!("{option} wants KEY=VALUE, not `{text}`.")))
}

/// What outlives a single run: the model, the rows, their vectors, and which of them are near.
struct Parts {
    embedder: Option<Embedder>,
    heads: Option<Heads>,
    input: Input,
    vectors: Vectors,
    foresight: Option<Arc<Foresight>>,
}

impl Parts {
    fn prepare(args: &Args, env: &Env, settings: Settings, input: Input) -> Result<Self, Failure> {
        let (embedder, heads) = load::models(&for_embedding(settings.clone()), env)?;
        let vectors = match (&embedder, &settings.embedder) {
            (Some(embedder), Some(wanted)) => {
                // A text beyond the window has another vector under another window.
                let identity = format!("{}/{}", embedder.identity(), wanted.max_tokens);
                let places = vectors::places(&args.input, &identity, &Paths::find(env).cache);
                embedded(&input, embedder, &Shelf { places, identity })
            }
            _ => vec![None; input.rows.len()],
        };
        let foresight = foresee(&vectors, settings.cache.semantic.candidates)?;
        Ok(Self { embedder, heads, input, vectors, foresight })
    }

    /// One run against an empty cache.
    fn replay(
        &mut self,
        value: Option<String>,
        mut settings: Settings,
        decisions: Option<&Path>,
        traced: bool,
    ) -> Result<Replay, Failure> {
        // A replay leaves no trace in the operator's own record.
        settings.telemetry.record = None;
        let cache = match &self.foresight {
            Some(foresight) => Cache::foreseen(&settings.cache, Arc::clone(foresight)),
            None => Cache::synchronous(&settings.cache),
        };
        let recorder = Recorder::new(&settings).map_err(Failure::failed)?;
        let (_cut, cutting) = watch::channel(false);
        let (embedder, heads) = (self.embedder.take(), self.heads.take());
        let gateway = Gateway::new(settings, embedder, heads, cache, recorder.into(), cutting)
            .map_err(|error| Failure::failed(error.log()))?;
        let mut file = decisions.map(create).transpose()?;
        let bar = progress(self.input.rows.len(), "replaying");
        let (report, traces) = block_on(async {
            let mut run = Run::new(&gateway, &self.input.rows, traced);
            for (number, vector) in self.vectors.iter().enumerate() {
                let decision = run.row(number, vector.clone()).await;
                if let Some(file) = &mut file {
                    serde_json::to_writer(&mut *file, &decision).map_err(Failure::failed)?;
                    file.write_all(b"\n").map_err(Failure::failed)?;
                }
                bar.inc(1);
            }
            Ok::<_, Failure>((run.tally.report(self.input.skipped), run.into_traces()))
        })??;
        bar.finish_and_clear();
        if let Some(mut file) = file {
            file.flush().map_err(Failure::failed)?;
        }
        (self.embedder, self.heads) = gateway.into_models();
        Ok(Replay { value, report, traces })
    }
}

/// Nobody else is served meanwhile: every core may embed.
fn for_embedding(mut settings: Settings) -> Settings {
    if let Some(embedder) = &mut settings.embedder {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        embedder.threads = embedder.threads.max(cores);
    }
    settings
}

/// The vectors of all rows; what could not be kept is said.
fn embedded(input: &Input, embedder: &Embedder, shelf: &Shelf) -> Vectors {
    let bar = progress(input.rows.len(), "embedding");
    let embedded = embed(&input.rows, embedder, shelf, |done| bar.set_position(done as u64));
    bar.finish_and_clear();
    if let Some(why) = embedded.trouble {
        remark(format_args!("The vectors are not kept for the next replay: {why}."));
    }
    embedded.vectors
}

/// What is near what; `None` where there are too many vectors, or none.
fn foresee(vectors: &Vectors, candidates: usize) -> Result<Option<Arc<Foresight>>, Failure> {
    let known = || vectors.iter().flatten().map(|embedding| &embedding.vector);
    let count = known().count();
    if count == 0 || count > FORESEEN {
        return Ok(None);
    }
    // Not every near row is in the cache; a list that runs out costs a scan.
    let keep = (4 * candidates).max(96);
    let bar = progress(count, "comparing");
    let foresight = Foresight::of(known(), keep, |done| bar.set_position(done as u64));
    bar.finish_and_clear();
    Ok(Some(Arc::new(foresight.map_err(Failure::failed)?)))
}

fn create(path: &Path) -> Result<BufWriter<File>, Failure> {
    let file = File::create(path);
    file.map(BufWriter::new)
        .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}

/// A bar on a terminal, nothing elsewhere.
pub(super) fn progress(rows: usize, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(rows as u64).with_message(what);
    let style = ProgressStyle::with_template("{msg:10} {wide_bar} {pos}/{len} {eta}");
    bar.set_style(style.expect("the template is valid"));
    bar
}
