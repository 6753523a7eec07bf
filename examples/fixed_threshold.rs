//! What simpler caches would have made of the same traffic: none, one of literal repeats, and
//! semantic caches that serve the nearest stored prompt from a fixed cosine on, as today's products
//! do. A baseline for `scripts/bench-savings.sh`; nothing of it is part of semgate.
//!
//! All of them stand before the same router, at the same prices, and each starts empty. They never
//! expire an answer and hold all of them: limits of their own would only cost them hits.
//!
//!     cargo run --example fixed_threshold -- --config FILE --threshold 0.8,0.95 FILE…
//!
//! Vectors come from the file that `semgate replay` keeps, or are made and kept there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use serde_json::{Value, json};
use tokio::sync::watch;

use semgate::cache::{Cache, Level};
use semgate::config::paths::Paths;
use semgate::config::{self, Env};
use semgate::embed::{Embedder, Vector};
use semgate::gateway::Gateway;
use semgate::index::{Foresight, ScopeIndex};
use semgate::price::Money;
use semgate::record::Recorder;
use semgate::replay::embed::{Shelf, embed};
use semgate::replay::input::{self, Row};
use semgate::replay::report::Tally;
use semgate::replay::run::Run;
use semgate::replay::trace::Trace;
use semgate::replay::{truth, vectors};
use semgate::route::Heads;

/// Replays traffic through caches with a fixed threshold.
#[derive(Debug, Parser)]
struct Arguments {
    /// Whose routes and prices
    #[arg(long)]
    config: PathBuf,
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Cosines from which on the nearest stored prompt is served
    #[arg(long, value_delimiter = ',', default_values_t = [0.8, 0.95])]
    threshold: Vec<f32>,
    /// Question streams in the replay format
    #[arg(required = true)]
    streams: Vec<PathBuf>,
}

/// A stream, and what each row costs without a cache.
struct Stream {
    rows: Vec<Row>,
    vectors: Vec<Option<Vector>>,
    /// Nothing was served in them.
    traces: Vec<Trace>,
    foresight: Arc<Foresight>,
    /// The file that holds its vectors, if there is one.
    kept: Option<PathBuf>,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let mut reports = Vec::new();
    for path in &arguments.streams {
        let stream = runtime.block_on(stream(&arguments, path))?;
        let mut rows = vec![json!({"name": "no cache", "report": replay(&stream, false, None)?})];
        rows.push(json!({"name": "exact only", "report": replay(&stream, true, None)?}));
        for threshold in &arguments.threshold {
            let report = replay(&stream, true, Some(*threshold))?;
            rows.push(json!({"name": format!("fixed {threshold}"), "report": report}));
        }
        reports.push(json!({"input": path, "vectors": stream.kept, "rows": rows}));
    }
    println(&Value::from(reports));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result of a program of its own")]
fn println(value: &Value) {
    println!("{value}");
}

/// Reads and embeds the rows, and sends them down the line with the cache switched off.
async fn stream(arguments: &Arguments, path: &Path) -> Result<Stream, String> {
    let env = Env::real();
    let pair = |set: &String| set.split_once('=').map(|(key, value)| (key.into(), value.into()));
    let mut sets: Vec<(String, String)> = arguments.sets.iter().filter_map(pair).collect();
    sets.push(("cache.enabled".into(), "false".into()));
    let source = config::find(Some(&arguments.config), &env);
    let loaded = config::load(&source, &env, &sets).map_err(|faults| faults.to_string())?;
    let mut settings = loaded.settings;
    settings.telemetry.record = None;
    let rows = input::read(path, false)?.rows;
    let wanted = settings.embedder.as_ref().ok_or("the configuration has no embedder")?;
    let paths = Paths::find(&env);
    let embedder = Embedder::start(wanted, &paths.models).map_err(|fault| fault.to_string())?;
    let identity = format!("{}/{}", embedder.identity(), wanted.max_tokens);
    let shelf = Shelf { places: vectors::places(path, &identity, &paths.cache), identity };
    let embeddings = embed(&rows, &embedder, &shelf, |_| {}).vectors;
    let kept = vectors::load(&shelf.places, &shelf.identity).1;
    let heads = Heads::shipped(embedder.identity()).map_err(|fault| fault.to_string())?;
    let recorder = Recorder::new(&settings).map_err(|error| error.to_string())?;
    let cache = Cache::synchronous(&settings.cache);
    let (_cut, cutting) = watch::channel(false);
    let gateway =
        Gateway::new(settings, Some(embedder), Some(heads), cache, recorder.into(), cutting)
            .map_err(|error| error.log())?;
    let mut run = Run::new(&gateway, &rows, true);
    for (number, embedding) in embeddings.iter().enumerate() {
        run.row(number, embedding.clone()).await;
    }
    let traces = run.into_traces();
    // A text that was cut off has no semantic level anywhere.
    let whole = |embedding: &semgate::embed::Embedding| !embedding.truncated;
    let vectors: Vec<Option<Vector>> = embeddings
        .into_iter()
        .map(|embedding| embedding.filter(whole).map(|embedding| embedding.vector))
        .collect();
    let foresight = Foresight::of(vectors.iter().flatten(), 64, |_| {});
    let foresight = Arc::new(foresight.map_err(|error| error.to_string())?);
    Ok(Stream { rows, vectors, traces, foresight, kept })
}

/// One cache over the stream: literal repeats if `exact`, and the nearest from `threshold` on.
fn replay(stream: &Stream, exact: bool, threshold: Option<f32>) -> Result<Value, String> {
    let mut tally = Tally::default();
    // Tenant and body of a request to the row that was answered first.
    let mut known: HashMap<(&str, Vec<u8>), usize> = HashMap::new();
    let mut scopes: HashMap<&str, ScopeIndex> = HashMap::new();
    for (number, (row, trace)) in stream.rows.iter().zip(&stream.traces).enumerate() {
        tally.requests += 1;
        let tenant = row.tenant.as_deref().unwrap_or_default();
        let repeat = known.get(&(tenant, row.body())).copied().filter(|_| exact);
        let vector = stream.vectors[number].as_ref().filter(|_| repeat.is_none());
        let index = scopes
            .entry(tenant)
            .or_insert_with(|| ScopeIndex::with_foresight(Arc::clone(&stream.foresight)));
        let nearest = match (vector, threshold) {
            (Some(vector), Some(threshold)) => {
                tally.lookups += 1;
                let found = index.search(vector, 1).map_err(|fault| format!("{fault:?}"))?;
                found
                    .first()
                    .filter(|near| near.similarity >= threshold)
                    .map(|near| near.id as usize)
            }
            _ => None,
        };
        let served = repeat.map(|maker| (Level::Exact, maker));
        match served.or(nearest.map(|maker| (Level::Semantic, maker))) {
            Some((level, maker)) => {
                tally.hit(level, truth::of(row, &stream.rows[maker]), None);
                tally.money(Some(Money::ZERO), trace.baseline);
            }
            None => {
                tally.money(trace.cost, trace.baseline);
                let tier = trace.tier.as_deref().unwrap_or("none");
                *tally.tiers.entry(tier.to_owned()).or_default() += 1;
                known.insert((tenant, row.body()), number);
                if let Some(vector) = vector {
                    let inserted = index.insert(number as u64, Vector::clone(vector));
                    inserted.map_err(|fault| format!("{fault:?}"))?;
                }
            }
        }
    }
    Ok(tally.report(0))
}
