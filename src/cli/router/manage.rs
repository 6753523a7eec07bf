//! `semgate router probe`, `history` and `rollback`: of a running gateway, or on the file of one that
//! does not run.

use std::path::PathBuf;
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::cache::learn::Lane;
use crate::cli::admin_client::{AdminArg, call};
use crate::cli::load::{self, ConfigArg, Keep};
use crate::cli::{Failure, block_on, say};
use crate::config::Env;
use crate::gateway::Gateway;

/// Whose router.
#[derive(Debug, clap::Args)]
pub(super) struct Of {
    #[command(flatten)]
    pub(super) admin: AdminArg,
    /// Of a gateway that does not run, found by its configuration (as with --config)
    #[arg(long, conflicts_with = "admin")]
    offline: bool,
    /// Of a gateway that does not run, by its configuration file
    #[arg(long, value_name = "FILE", conflicts_with = "admin")]
    config: Option<PathBuf>,
}

/// Ask a model a few questions with known answers, so that the router knows its place
///
/// The model is then placed between the small and the frontier models that the router was trained
/// on, wherever its tier stands in the file. The questions cost some thousand tokens.
///
/// Example: semgate router probe mini
#[derive(Debug, clap::Args)]
pub struct Probe {
    #[command(flatten)]
    of: Of,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// A name of `models:`
    model: String,
}

/// List what was learnt of each tenant's routes, version by version
///
/// Example: semgate router history --tenant acme
#[derive(Debug, clap::Args)]
pub struct History {
    #[command(flatten)]
    of: Of,
    /// Of this tenant only
    #[arg(long)]
    tenant: Option<String>,
    /// Of this route only
    #[arg(long)]
    route: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Go back to a version: what was learnt after it counts no more
///
/// Example: semgate router rollback --tenant acme --route auto 12
#[derive(Debug, clap::Args)]
pub struct Rollback {
    #[command(flatten)]
    of: Of,
    #[arg(long, default_value = "anonymous")]
    tenant: String,
    #[arg(long, default_value = "auto")]
    route: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// As `semgate router history` lists it
    version: u32,
}

impl Of {
    /// The whole gateway, which nobody else may be running.
    pub(super) fn gateway(&self, env: &Env) -> Result<Option<Arc<Gateway>>, Failure> {
        if !self.offline && self.config.is_none() {
            return Ok(None);
        }
        let (_, settings) = ConfigArg { config: self.config.clone() }.load(env)?;
        let (_, cutting) = watch::channel(false);
        let gateway = load::gateway(settings, env, Keep::State, cutting)?;
        Ok(Some(gateway))
    }
}

pub fn probe(args: &Probe, env: &Env) -> Result<(), Failure> {
    let found = match args.of.gateway(env)? {
        None => {
            let body = json!({"model": args.model});
            let path = "/admin/v1/router/probe";
            call(&args.of.admin.admin, env, Method::POST, path, Some(body), &[])?
        }
        Some(gateway) => {
            let found = block_on(gateway.probe(&args.model))?;
            let found = found.map_err(|error| Failure::failed(error.message()))?;
            serde_json::to_value(found).map_err(Failure::failed)?
        }
    };
    if args.json {
        say(found);
        return Ok(());
    }
    let position = found["position"].as_f64().unwrap_or_default();
    say(format_args!(
        "{}: {} of {} right, place {position:.2} (0 as a small model, 1 as a mid, 2 as a frontier one)",
        args.model, found["right"], found["asked"]
    ));
    for kind in found["kinds"].as_array().into_iter().flatten() {
        let name = kind[0].as_str().unwrap_or_default();
        say(format_args!("  {name:<14} {} of {}", kind[2], kind[1]));
    }
    if let Some(cost) = found["cost_usd"].as_f64() {
        say(format_args!("  cost           ${cost:.6}"));
    }
    Ok(())
}

pub fn history(args: &History, env: &Env) -> Result<(), Failure> {
    let found = match args.of.gateway(env)? {
        None => {
            call(&args.of.admin.admin, env, Method::GET, "/admin/v1/router/history", None, &[])?
        }
        Some(gateway) => {
            let found = block_on(gateway.router_history())?;
            json!({"data": found.map_err(|error| Failure::failed(error.message()))?})
        }
    };
    let wanted = |row: &&Value| {
        let is = |member: &str, name: &Option<String>| {
            name.as_ref().is_none_or(|name| row[member] == name.as_str())
        };
        is("tenant", &args.tenant) && is("route", &args.route)
    };
    let rows: Vec<&Value> = found["data"].as_array().into_iter().flatten().filter(wanted).collect();
    if args.json {
        say(json!({"data": rows}));
        return Ok(());
    }
    if rows.is_empty() {
        say("nothing was learnt yet");
    }
    for row in rows {
        say(line(row));
    }
    Ok(())
}

pub fn roll_back(args: &Rollback, env: &Env) -> Result<(), Failure> {
    let made = match args.of.gateway(env)? {
        None => {
            let body = json!({"tenant": args.tenant, "route": args.route, "version": args.version});
            let path = "/admin/v1/router/rollback";
            call(&args.of.admin.admin, env, Method::POST, path, Some(body), &[])?
        }
        Some(gateway) => {
            let lane =
                Lane { tenant: args.tenant.as_str().into(), route: args.route.as_str().into() };
            let made = block_on(gateway.roll_back(lane, args.version))?;
            json!({"version": made.map_err(|error| Failure::failed(error.message()))?})
        }
    };
    if args.json {
        say(made);
    } else {
        say(format_args!(
            "{}/{} knows what it knew at version {} (now version {})",
            args.tenant, args.route, args.version, made["version"]
        ));
    }
    Ok(())
}

/// One line of a version.
fn line(row: &Value) -> String {
    let text = |member: &str| row[member].as_str().unwrap_or_default().to_owned();
    let pairs = row["pairs"].as_object().into_iter().flatten();
    let pairs: Vec<String> = pairs
        .map(|(pair, known)| {
            let gain = known["gain"].as_f64().unwrap_or_default() * 100.0;
            format!("{pair}: {} labels, gain {gain:.1} points", known["labels"])
        })
        .collect();
    let mark = if row["current"] == true { "*" } else { " " };
    format!(
        "{mark} {:>3}  {}  {}/{}  {}{}",
        row["version"].as_u64().unwrap_or(0),
        text("at"),
        text("tenant"),
        text("route"),
        text("cause"),
        pairs.iter().map(|pair| format!("; {pair}")).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_one_line() {
        let row = json!({
            "tenant": "acme", "route": "auto", "version": 12, "at": "2026-05-01T10:00:00Z",
            "cause": "learnt", "current": true,
            "pairs": {"small:mini < frontier:big": {"labels": 400, "undecided": 3, "gain": 0.1234}},
        });
        let expected = "*  12  2026-05-01T10:00:00Z  acme/auto  learnt; \
                        small:mini < frontier:big: 400 labels, gain 12.3 points";
        assert_eq!(line(&row), expected);
    }
}
