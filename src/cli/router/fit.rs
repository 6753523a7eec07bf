//! `semgate router fit`: trains what ships for the router, from recorded outcomes and the written
//! prompts, and writes the weights and their card.

use std::path::PathBuf;

use serde_json::json;

use crate::config::Env;
use crate::config::paths::Paths;
use crate::route::Heads;
use crate::route::fit::{train, written};

use super::super::{Failure, say};
use super::DataArg;

/// Train the router's heads on recorded outcomes and written prompts
///
/// Writes FILE and, beside it, its model card (FILE with .md). Deterministic.
///
/// Example: semgate router fit --data ../shared/data --out models/router-heads.json
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: DataArg,
    /// Everyday prompts with their levels, one JSON object a line. Default: those built in
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// Where the weights go. Default: router-heads.json in the models folder, where `serve` finds
    /// them
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// `min_adequacy` of the small and the mid tier at which the card counts
    #[arg(long, value_names = ["SMALL", "MID"], num_args = 2, default_values_t = [0.78, 0.8])]
    thresholds: Vec<f64>,
    /// A text for the card, added as it is
    #[arg(long, value_name = "TEXT", default_value = "")]
    remark: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

static PROMPTS: &str = include_str!("../../../models/router-prompts.jsonl");

pub fn run(args: &Args, env: &Env) -> Result<(), Failure> {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path)
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
    };
    let lines = args.prompts.as_ref().map_or_else(|| Ok(PROMPTS.to_owned()), read)?;
    let written = written::parse(&lines).map_err(Failure::failed)?;
    let rows = args.data.rows(env)?;
    let models = Paths::find(env).models;
    let embedder = super::embedder(&models)?;
    let corpus = super::corpus(rows, &embedder, env)?;
    let texts: Vec<String> = written.iter().map(|written| written.prompt.clone()).collect();
    let (embedder, _) = &embedder;
    let vectors = embedder
        .embed_blocking(&texts)
        .into_iter()
        .map(|embedding| embedding.map(|embedding| embedding.vector))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|fault| Failure::failed(format!("a prompt cannot be embedded: {fault:?}")))?;
    let thresholds = [args.thresholds[0], args.thresholds[1]];
    let identity = embedder.identity();
    let trained = train(&corpus, &written, &vectors, identity, thresholds, &args.remark)
        .map_err(Failure::failed)?;
    let out = args.out.clone().unwrap_or_else(|| models.join("router-heads.json"));
    let text = serde_json::to_string(&trained.file).map_err(Failure::failed)? + "\n";
    // What is written must be what a gateway will read.
    Heads::parse(&text, identity).map_err(Failure::failed)?;
    let write = |path: &PathBuf, text: &str| {
        std::fs::write(path, text)
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
    };
    write(&out, &text)?;
    let card = out.with_extension("md");
    write(&card, &trained.card)?;
    if args.json {
        say(json!({"file": out, "card": card, "hash": trained.file.hash, "bytes": text.len(),
            "metrics": trained.file.metrics}));
    } else {
        say(&trained.card);
        say(format_args!("{}, {}", out.display(), card.display()));
    }
    Ok(())
}
