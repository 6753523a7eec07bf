//! `semgate check`: every fault of a configuration, at its place.

use crate::config::{self, Env, Source};

use super::load::ConfigArg;
use super::{Failure, remark, say};

/// Validate the configuration; every fault as file:line:column.
///
/// Example: semgate check --config semgate.yaml
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Print the JSON Schema of the configuration instead
    #[arg(long, conflicts_with = "print")]
    schema: bool,
    /// Print the effective configuration without secrets, ready to save
    #[arg(long)]
    print: bool,
    /// Print the outcome as JSON
    #[arg(long, conflicts_with_all = ["schema", "print"])]
    json: bool,
}

pub fn run(args: &Args, env: &Env) -> Result<(), Failure> {
    if args.schema {
        let schema = serde_json::to_string_pretty(&config::schema()).map_err(Failure::failed)?;
        say(schema);
        return Ok(());
    }
    let source = config::find(args.config.config.as_deref(), env);
    let loaded = match config::load(&source, env, &[]) {
        Ok(loaded) => loaded,
        Err(faults) if args.json => {
            let faults: Vec<String> = faults.0.iter().map(ToString::to_string).collect();
            say(serde_json::json!({"ok": false, "faults": faults, "warnings": []}));
            return Err(Failure::config(""));
        }
        Err(faults) => return Err(faults.into()),
    };
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    if args.json {
        say(serde_json::json!({"ok": true, "faults": [], "warnings": warnings}));
        return Ok(());
    }
    for warning in &warnings {
        remark(format_args!("warning: {warning}"));
    }
    if args.print {
        say(config::print(&loaded).trim_end());
    } else {
        say(match source {
            Source::File(path) => format!("{}: ok", path.display()),
            Source::Environment => "environment: ok".into(),
        });
    }
    Ok(())
}
