//! `semgate model`: obtaining the embedding model, and seeing what is there.

use std::path::PathBuf;

use indicatif::ProgressBar;
use serde_json::json;

use crate::config::Env;
use crate::config::paths::Paths;
use crate::embed::fetch::{self, Fetched, Progress};
use crate::embed::files;

use super::{Failure, block_on, remark, say};

/// Obtain the embedding model, or list what is there.
///
/// Example: semgate model fetch
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Get the model from the Hugging Face hub, or from a folder, and verify its SHA-256
    ///
    /// Example: semgate model fetch --from ~/Downloads/all-MiniLM-L6-v2
    Fetch {
        /// A folder that holds model.safetensors, tokenizer.json and config.json
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
        /// Fetch again even if the files are there and verified
        #[arg(long)]
        force: bool,
    },
    /// The models this version knows, and whether they are there
    ///
    /// Example: semgate model list --json
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub fn run(args: &Args, env: &Env) -> Result<(), Failure> {
    let folder = Paths::find(env).models;
    match &args.command {
        Command::Fetch { from, force } => {
            let bar = ProgressBar::no_length();
            let work = fetch::fetch(&folder, from.as_deref(), *force, |progress| {
                show(&bar, progress);
            });
            let fetched = block_on(work)?.map_err(Failure::failed)?;
            bar.finish_and_clear();
            for (file, how) in fetched {
                let how = match how {
                    Fetched::Present => "already there",
                    Fetched::Copied => "copied",
                    Fetched::Downloaded => "downloaded",
                };
                remark(format_args!("{file}: {how}, verified"));
            }
            say(folder.display());
        }
        Command::List { json } => {
            for model in files::list(&folder) {
                if *json {
                    say(json!({
                        "name": model.name, "present": model.present,
                        "verified": model.verified, "path": model.path,
                    }));
                } else {
                    let state = match (model.present, model.verified) {
                        (_, true) => "verified",
                        (true, false) => "damaged: run `semgate model fetch --force`",
                        (false, false) => "absent: run `semgate model fetch`",
                    };
                    say(format_args!("{}  {state}  {}", model.name, model.path.display()));
                }
            }
        }
    }
    Ok(())
}

/// A bar on a terminal, nothing elsewhere.
fn show(bar: &ProgressBar, progress: Progress<'_>) {
    bar.set_message(progress.file.to_owned());
    bar.set_position(progress.done);
    bar.set_length(progress.size);
}
