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
mod serve;

use std::fmt;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Env, Faults};

/// `EX_CONFIG` of sysexits.h: whatever cannot start because of its configuration or a missing model.
const EX_CONFIG: u8 = 78;

/// Self-hosted LLM gateway: answers from memory when it safely can, asks the cheapest model that is
/// good enough otherwise, and shows what it did, why, what it cost and what it saved.
#[derive(Debug, Parser)]
#[command(name = "semgate", version, disable_help_subcommand = true, max_term_width = 100)]
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
}

/// Why a command ended without doing its work.
#[derive(Debug)]
pub enum Failure {
    /// Exit 1.
    Failed(String),
    /// Exit 78.
    Config(String),
}

impl Failure {
    pub fn failed(why: impl fmt::Display) -> Self {
        Self::Failed(why.to_string())
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
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(why)) => {
            complain(&why);
            ExitCode::FAILURE
        }
        Err(Failure::Config(why)) => {
            complain(&why);
            ExitCode::from(EX_CONFIG)
        }
    }
}

#[expect(clippy::print_stderr, reason = "commands speak to a person")]
fn complain(why: &str) {
    eprintln!("{}", why.trim_end());
}

/// Prints a line of a command's result.
#[expect(clippy::print_stdout, reason = "commands print their results")]
fn say(line: impl fmt::Display) {
    println!("{line}");
}

/// Prints a remark beside the result.
#[expect(clippy::print_stderr, reason = "commands speak to a person")]
fn remark(line: impl fmt::Display) {
    eprintln!("{line}");
}

/// A runtime for commands that talk to a network.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no runtime could be started: {error}")))?;
    Ok(runtime.block_on(work))
}
