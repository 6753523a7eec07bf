//! `semgate router eval`: the router measured on recorded outcomes.

use serde_json::json;

use crate::config::Env;
use crate::config::paths::Paths;
use crate::route::eval::sets;

use super::super::{Failure, say};
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
}

pub fn run(args: &Args, env: &Env) -> Result<(), Failure> {
    let rows = args.data.rows(env)?;
    let embedder = super::embedder(&Paths::find(env).models)?;
    let corpus = super::corpus(rows, &embedder, env)?;
    let sets = sets::measure(&corpus);
    if args.json {
        say(json!({"sets": sets}));
        return Ok(());
    }
    say(format_args!("{:20} {:>6} {:>6} {:>7}  length", "set", "rows", "weak", "strong"));
    for set in &sets {
        let sets::Set { set, rows, weak, strong, length } = set;
        let interval = format!("{:.3} [{:.2}, {:.2}]", length.value, length.low, length.high);
        say(format_args!("{set:20} {rows:>6} {weak:>6.3} {strong:>7.3}  {interval}"));
    }
    Ok(())
}
