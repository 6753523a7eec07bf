//! `semgate router eval`: the router measured on recorded outcomes.

use std::io::IsTerminal;

use crate::config::Env;
use crate::config::paths::Paths;
use crate::route::Heads;
use crate::route::eval::{Effort, Plan, Protocol, measure};

use super::super::{Failure, remark, say};
use super::DataArg;

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
    /// Fewer repeats: enough to see that nothing broke, too few to quote
    #[arg(long)]
    quick: bool,
}

pub fn run(args: &Args, env: &Env) -> Result<(), Failure> {
    let rows = args.data.rows(env)?;
    let embedder = super::embedder(&Paths::find(env).models)?;
    let heads = Heads::shipped(embedder.0.identity()).map_err(Failure::config)?;
    let corpus = super::corpus(rows, &embedder, env)?;
    drop(embedder);
    let shows = std::io::stderr().is_terminal();
    let plan = Plan {
        effort: if args.quick { Effort::QUICK } else { Effort::FULL },
        wants: &|protocol| args.only.is_empty() || args.only.contains(&protocol),
        step: &|name| {
            if shows {
                remark(format_args!("measuring {name}"));
            }
        },
    };
    let report = measure(&corpus, &heads, &plan).map_err(Failure::failed)?;
    if args.json {
        say(serde_json::to_value(&report).map_err(Failure::failed)?);
        return Ok(());
    }
    say(report.table().trim_end());
    Ok(())
}
