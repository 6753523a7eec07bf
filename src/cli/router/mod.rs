//! `semgate router`: the router's heads, trained and measured, and what it has learnt.

mod eval;
mod fit;
mod manage;
mod teach;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::paths::Paths;
use crate::config::{Env, settings};
use crate::embed::{Embedder, files};
use crate::route::recorded::vectors::{Shelf, embed};
use crate::route::recorded::{Corpus, Row, read};

use super::replay::progress;
use super::{Failure, remark};

/// Train and measure what decides which model is good enough.
///
/// Example: semgate router eval --data ../shared/data
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Eval(eval::Args),
    Fit(fit::Args),
    Probe(manage::Probe),
    History(manage::History),
    Rollback(manage::Rollback),
    Teach(teach::Args),
}

pub fn run(args: &Args, env: &Env) -> Result<(), Failure> {
    match &args.command {
        Command::Eval(args) => eval::run(args, env),
        Command::Fit(args) => fit::run(args, env),
        Command::Probe(args) => manage::probe(args, env),
        Command::History(args) => manage::history(args, env),
        Command::Rollback(args) => manage::roll_back(args, env),
        Command::Teach(args) => teach::run(args, env),
    }
}

/// `--data`, as the commands that read recorded outcomes have it.
#[derive(Debug, clap::Args)]
struct DataArg {
    /// Folder of recorded outcomes, with train/ and dev/ in it or in its routing/. Default:
    /// $SEMGATE_DATA
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl DataArg {
    fn rows(&self, env: &Env) -> Result<Vec<Row>, Failure> {
        let named = self.data.clone().or_else(|| env.non_empty("SEMGATE_DATA").map(PathBuf::from));
        let folder = named.ok_or_else(|| {
            Failure::usage("Name the folder of recorded outcomes: --data DIR, or $SEMGATE_DATA.")
        })?;
        read(&folder).map_err(Failure::failed)
    }
}

/// The shipped embedding model with its whole window, on every core: nobody else is served.
fn embedder(models: &Path) -> Result<(Embedder, usize), Failure> {
    let settings = settings::Embedder {
        model: files::DEFAULT.to_owned(),
        threads: std::thread::available_parallelism().map_or(1, NonZero::get),
        max_tokens: 256,
        queue: 256,
        timeout: Duration::from_secs(60),
    };
    let embedder = Embedder::start(&settings, models).map_err(|fault| {
        Failure::config(format!("{fault}\nFetch the embedding model with `semgate model fetch`."))
    })?;
    Ok((embedder, settings.max_tokens))
}

/// The rows with their vectors: those of an earlier run from the cache folder, the others made now.
fn corpus(rows: Vec<Row>, embedder: &(Embedder, usize), env: &Env) -> Result<Corpus, Failure> {
    let (embedder, window) = embedder;
    let shelf = Shelf::below(&Paths::find(env).cache, embedder, *window);
    let texts: Vec<&str> = rows.iter().map(|row| &*row.prompt).collect();
    let bar = progress(0, "embedding");
    let embedded = embed(&texts, embedder, &shelf, |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })
    .map_err(Failure::failed)?;
    bar.finish_and_clear();
    if let Some(why) = embedded.trouble {
        remark(format_args!("The vectors are not kept for the next run: {why}."));
    }
    Ok(Corpus::new(rows, embedded.vectors))
}
