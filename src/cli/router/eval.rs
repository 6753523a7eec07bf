//! `semgate router eval`: the router measured on recorded outcomes.

use std::io::IsTerminal;
use std::path::PathBuf;

use crate::config::Env;
use crate::config::paths::Paths;
use crate::dialect::openai::ChatRequest;
use crate::embed::Embedder;
use crate::route::eval::cases::{self, Outcome};
use crate::route::eval::{Effort, Plan, Protocol, demo, measure};
use crate::route::{Features, Heads};

use super::super::{Failure, remark, say};
use super::DataArg;

/// Thirty prompts, short but hard or long but easy, written down before any training.
const OWN: &str = include_str!("../../../models/router-cases.jsonl");

/// Measure the router on recorded outcomes; every figure is seeded
///
/// Example: semgate router eval --data ../shared/data --json
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: DataArg,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Only these measurements
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    only: Vec<Protocol>,
    /// LiteLLM's own routing cases, as scripts/eval-routing.sh exports them from its package
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    /// Fewer repeats: enough to see that nothing broke, too few to quote
    #[arg(long)]
    quick: bool,
}

pub fn run(args: &Args, env: &Env) -> Result<(), Failure> {
    let rows = args.data.rows(env)?;
    let embedder = super::embedder(&Paths::find(env).models)?;
    let heads = Heads::shipped(embedder.0.identity()).map_err(Failure::config)?;
    let corpus = super::corpus(rows, &embedder, env)?;
    let wants = |protocol| args.only.is_empty() || args.only.contains(&protocol);
    let decided = wants(Protocol::Cases).then(|| decide(args, &embedder.0, &heads)).transpose()?;
    drop(embedder);
    let shows = std::io::stderr().is_terminal();
    let plan = Plan {
        effort: if args.quick { Effort::QUICK } else { Effort::FULL },
        wants: &wants,
        step: &|name| {
            if shows {
                remark(format_args!("measuring {name}"));
            }
        },
    };
    let mut report = measure(&corpus, &heads, &plan).map_err(Failure::failed)?;
    if let Some((own, theirs)) = decided {
        (report.own_cases, report.litellm_cases) = (Some(own), theirs);
    }
    if args.json {
        say(serde_json::to_value(&report).map_err(Failure::failed)?);
        return Ok(());
    }
    say(report.table().trim_end());
    Ok(())
}

/// Our own cases, and those of `--cases`.
fn decide(
    args: &Args,
    embedder: &Embedder,
    heads: &Heads,
) -> Result<(Outcome, Option<Outcome>), Failure> {
    let settings = demo().map_err(Failure::failed)?;
    let run = |name: &str, lines: &str| {
        let fault = |why: &dyn std::fmt::Display| Failure::failed(format!("{name}: {why}"));
        let cases = cases::parse(lines).map_err(|why| fault(&why))?;
        let signals = |request: &ChatRequest| {
            let embedded = embedder.embed_blocking(std::slice::from_ref(&request.prompt));
            let embedding = embedded.into_iter().next()?.ok()?;
            Some(heads.signals(&embedding.vector, Features::of(request)))
        };
        cases::run(&cases, &settings, signals)
            .map_err(|(place, error)| fault(&format_args!("case {}: {}", place + 1, error.log())))
    };
    let own = run("router-cases.jsonl", OWN)?;
    let Some(path) = &args.cases else {
        remark(
            "LiteLLM's own cases are not measured: scripts/eval-routing.sh exports them from its \
             Python package, for --cases FILE.",
        );
        return Ok((own, None));
    };
    let name = path.display().to_string();
    let lines = std::fs::read_to_string(path)
        .map_err(|error| Failure::failed(format!("{name}: {error}")))?;
    Ok((own, Some(run(&name, &lines)?)))
}
