//! The commands. Each file is one command: its options with their help, and what it does. Errors
//! are readable sentences on stderr; exit codes are 0 done, 1 failed, 2 usage, 78 unusable
//! configuration or missing model.

mod admin_client;
mod cache;
mod check;
mod explain;
mod keys;
mod load;
mod model;
mod replay;
mod router;
mod serve;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Env, Faults};

/// `EX_CONFIG` of sysexits.h: whatever cannot start because of its configuration or a missing model.
const EX_CONFIG: u8 = 78;

/// As the parser of the command line ends.
const USAGE: u8 = 2;

/// Self-hosted LLM gateway: answers from memory when it safely can, asks the cheapest model that is
/// good enough otherwise, and shows what it did, why, what it cost and what it saved.
#[derive(Debug, Parser)]
#[command(name = "semgate", version, disable_help_subcommand = true, max_term_width = 100)]
#[command(after_help = "Example: OPENAI_API_KEY=sk-… semgate serve")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    Check(check::Args),
    Explain(explain::Args),
    Replay(replay::Args),
    Model(model::Args),
    Keys(keys::Args),
    Cache(cache::Args),
    Router(router::Args),
}

/// Why a command ended without doing its work.
#[derive(Debug)]
pub enum Failure {
    /// Exit 1.
    Failed(String),
    /// Exit 2: the command line itself is at fault, in a way that its parser cannot see.
    Usage(String),
    /// Exit 78.
    Config(String),
}

impl Failure {
    pub fn failed(why: impl fmt::Display) -> Self {
        Self::Failed(why.to_string())
    }

    pub fn usage(why: impl fmt::Display) -> Self {
        Self::Usage(why.to_string())
    }

    pub fn config(why: impl fmt::Display) -> Self {
        Self::Config(why.to_string())
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Config(faults.to_string())
    }
}

/// Parses the command line and runs the command.
pub fn run() -> ExitCode {
    // The provider of TLS is process-wide; a second installation would only find the first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args = Args::parse();
    let env = Env::real();
    let done = match args.command {
        Command::Serve(args) => serve::run(args, &env),
        Command::Check(args) => check::run(&args, &env),
        Command::Explain(args) => explain::run(&args, &env),
        Command::Replay(args) => replay::run(&args, &env),
        Command::Model(args) => model::run(&args, &env),
        Command::Keys(args) => keys::run(&args),
        Command::Cache(args) => cache::run(&args, &env),
        Command::Router(args) => router::run(&args, &env),
    };
    let (why, code) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Failed(why)) => (why, 1),
        Err(Failure::Usage(why)) => (why, USAGE),
        Err(Failure::Config(why)) => (why, EX_CONFIG),
    };
    if !why.is_empty() {
        remark(why.trim_end());
    }
    ExitCode::from(code)
}

/// Prints a line of a command's result. A reader that has seen enough, as `head` has, is no fault;
/// a result that cannot be written is one, and nothing after it can mend it.
fn say(line: impl fmt::Display) {
    let written = writeln!(io::stdout().lock(), "{line}");
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        remark(format_args!("The result cannot be written: {error}."));
        std::process::exit(1);
    }
}

/// Prints a remark beside the result. Nobody can be told that nobody listens.
fn remark(line: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// A runtime for commands that talk to a network.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no runtime could be started: {error}")))?;
    Ok(runtime.block_on(work))
}
