//! `semgate cache`: what the cache of a running gateway holds, or the file of one that does not run;
//! and emptying it.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};

use crate::cache::Purge;
use crate::cache::store::{FILE, Fault, Offline, OfflineStats};
use crate::config::paths::Paths;
use crate::config::{Env, Span};
use crate::now::Now;

use super::admin_client::{AdminArg, call};
use super::load::ConfigArg;
use super::{Failure, say};

/// Look at the cache of a running gateway, or at its file; or purge it.
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
        of: Of,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove entries; effective before the command returns
    ///
    /// Example: semgate cache purge --tenant acme
    Purge {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        what: What,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Whose cache.
#[derive(Debug, clap::Args)]
struct Of {
    #[command(flatten)]
    admin: AdminArg,
    /// The file of a gateway that does not run, found by its configuration (as with --config)
    #[arg(long, conflicts_with = "admin")]
    offline: bool,
    /// The file of a gateway that does not run, by its configuration file
    #[arg(long, value_name = "FILE", conflicts_with = "admin")]
    config: Option<PathBuf>,
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

impl What {
    fn to_purge(&self) -> Result<Purge, Failure> {
        let Self { all: _, tenant, model, older_than, entry, key, tag } = self;
        let plain = [
            tenant.clone().map(Purge::Tenant),
            model.clone().map(Purge::Model),
            entry.clone().map(Purge::Entry),
            key.clone().map(Purge::Key),
        ];
        if let Some(purge) = plain.into_iter().flatten().next() {
            return Ok(purge);
        }
        if let Some(age) = older_than {
            let age: Result<Span, _> = age.parse();
            return age
                .map(|age| Purge::OlderThan(age.0))
                .map_err(|why| Failure::usage(format!("--older-than: {why}.")));
        }
        let Some(tag) = tag else { return Ok(Purge::All) };
        let (name, value) =
            tag.split_once('=').ok_or_else(|| Failure::usage("--tag wants NAME=VALUE."))?;
        Ok(Purge::Tag { name: name.trim().to_owned(), value: value.trim().to_owned() })
    }
}

pub fn run(args: &Args, env: &Env) -> Result<(), Failure> {
    match &args.command {
        Command::Stats { of, json } => {
            let stats = if of.is_file() {
                file_stats(of, env)?
            } else {
                call(&of.admin.admin, env, Method::GET, "/admin/v1/cache/stats", None, &[])?
            };
            if *json { say(stats) } else { table(&stats, "") }
        }
        Command::Purge { of, what, json } => {
            let done = if of.is_file() {
                json!({"purged": purge_file(of, &what.to_purge()?, env)?})
            } else {
                let body = Some(what.to_json());
                call(&of.admin.admin, env, Method::POST, "/admin/v1/cache/purge", body, &[])?
            };
            if *json { say(done) } else { say(format_args!("purged {} entries", done["purged"])) }
        }
    }
    Ok(())
}

impl Of {
    fn is_file(&self) -> bool {
        self.offline || self.config.is_some()
    }

    /// The file, locked; `None` if there is none.
    fn file(&self, env: &Env) -> Result<(PathBuf, Option<Offline>), Failure> {
        // A file that does not load has no cache either.
        ConfigArg { config: self.config.clone() }.load(env)?;
        let folder = Paths::find(env).cache;
        let file = folder.join(FILE);
        match Offline::open(&folder) {
            Ok(offline) => Ok((file, offline)),
            Err(Fault::Held) => Err(Failure::failed(format!(
                "A gateway holds {}: ask it with --admin URL.",
                file.display()
            ))),
            Err(fault) => Err(Failure::failed(format!("{}: {fault}", file.display()))),
        }
    }
}

fn file_stats(of: &Of, env: &Env) -> Result<Value, Failure> {
    let (file, offline) = of.file(env)?;
    let fail = |fault: Fault| Failure::failed(format!("{}: {fault}", file.display()));
    let stats = match offline {
        Some(offline) => offline.stats().map_err(fail)?,
        None => OfflineStats { file: file.clone(), ..OfflineStats::default() },
    };
    serde_json::to_value(stats).map_err(Failure::failed)
}

fn purge_file(of: &Of, what: &Purge, env: &Env) -> Result<usize, Failure> {
    let (file, offline) = of.file(env)?;
    let Some(offline) = offline else { return Ok(0) };
    let purged = offline.purge(what, Now::read());
    purged.map_err(|fault| Failure::failed(format!("{}: {fault}", file.display())))
}

/// Members as `level.name  value`, one a line.
fn table(value: &Value, prefix: &str) {
    let Some(members) = value.as_object() else { return };
    for (name, value) in members {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if value.is_object() {
            table(value, &name);
        } else if let (true, Some(lanes)) = (name == "lanes", value.as_array()) {
            lanes.iter().for_each(|lane| say(lane_line(lane)));
        } else {
            say(format_args!("{name:<28} {value}"));
        }
    }
}

/// One line of a tenant and route: what share of its lookups was answered wrongly, as far as that is
/// known.
fn lane_line(lane: &Value) -> String {
    let text = |member: &str| lane[member].as_str().unwrap_or_default().to_owned();
    let share = |of: &Value| of.as_f64().map(|share| format!("{:.2} %", share * 100.0));
    let rate = &lane["wrong_hit_rate"];
    let wrong = match (share(&rate["estimate"]), share(&rate["upper"])) {
        (Some(estimate), Some(upper)) => {
            format!("wrong hits {estimate} of lookups, at most {upper}; {} labels", lane["labels"])
        }
        _ => "wrong hits unmeasured".into(),
    };
    let name = format!("{}/{}", text("tenant"), text("route"));
    format!("{name:<28} {wrong}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_that_was_not_measured_says_so() {
        let mut lane =
            json!({"tenant": "acme", "route": "auto", "wrong_hit_rate": null, "labels": 0});
        assert_eq!(lane_line(&lane), format!("{:<28} wrong hits unmeasured", "acme/auto"));
        lane["wrong_hit_rate"] = json!({"estimate": 0.0042, "upper": 0.0098});
        lane["labels"] = 312.into();
        let said = "wrong hits 0.42 % of lookups, at most 0.98 %; 312 labels";
        assert_eq!(lane_line(&lane), format!("{:<28} {said}", "acme/auto"));
    }
}
