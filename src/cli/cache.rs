//! `semgate cache`: what the cache of a running gateway holds, and emptying it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::config::Env;

use super::admin_client::{AdminArg, call};
use super::{Failure, say};

/// Look at the cache of a running gateway, or purge it.
///
/// Example: semgate cache stats
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Entries, bytes and hits by level
    ///
    /// Example: semgate cache stats --json
    Stats {
        #[command(flatten)]
        admin: AdminArg,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove entries; effective before the command returns
    ///
    /// Example: semgate cache purge --tenant acme
    Purge {
        #[command(flatten)]
        admin: AdminArg,
        #[command(flatten)]
        what: What,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What goes: exactly one of these.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Everything
    #[arg(long)]
    all: bool,
    /// Everything of a tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Everything a model (a name of `models:`) answered
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Everything older than, such as 1h or 7d
    #[arg(long, value_name = "AGE")]
    older_than: Option<String>,
    /// One entry, as the `cache.entry` of a decision record names it
    #[arg(long, value_name = "ID")]
    entry: Option<String>,
    /// Everything made for a key (a name of `keys:`)
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Everything whose request bore a tag
    #[arg(long, value_name = "NAME=VALUE")]
    tag: Option<String>,
}

impl What {
    fn to_json(&self) -> Value {
        let named = [
            ("tenant", &self.tenant),
            ("model", &self.model),
            ("older_than", &self.older_than),
            ("entry", &self.entry),
            ("key", &self.key),
            ("tag", &self.tag),
        ];
        match named.into_iter().find_map(|(name, value)| Some((name, value.as_ref()?))) {
            Some((name, value)) => json!({name: value}),
            None => json!({"all": self.all}),
        }
    }
}

pub fn run(args: &Args, env: &Env) -> Result<(), Failure> {
    match &args.command {
        Command::Stats { admin, json } => {
            let stats = call(&admin.admin, env, Method::GET, "/admin/v1/cache/stats", None, &[])?;
            if *json { say(stats) } else { table(&stats, "") }
        }
        Command::Purge { admin, what, json } => {
            let body = Some(what.to_json());
            let done = call(&admin.admin, env, Method::POST, "/admin/v1/cache/purge", body, &[])?;
            if *json { say(done) } else { say(format_args!("purged {} entries", done["purged"])) }
        }
    }
    Ok(())
}

/// Members as `level.name  value`, one a line.
fn table(value: &Value, prefix: &str) {
    let Some(members) = value.as_object() else { return };
    for (name, value) in members {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if value.is_object() {
            table(value, &name);
        } else {
            say(format_args!("{name:<28} {value}"));
        }
    }
}
