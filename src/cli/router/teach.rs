//! `semgate router teach`: gives the router labels that the operator has.

use std::path::PathBuf;

use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::admin_client::call;
use crate::cli::{Failure, block_on, remark, say};
use crate::config::Env;
use crate::config::settings::Model;
use crate::replay::bill::outcome;
use crate::replay::input::{self, Row};

use super::manage::Of;

/// Rows that go to a running gateway in one request.
const CHUNK: usize = 200;

/// Teach the router from requests of which several models' outcomes are known
///
/// The input is the replay format with `outcomes`; each row says, of every pair of tiers, what the
/// stronger one gained. The rows should be a sample of the route's traffic, drawn by chance.
///
/// Example: semgate router teach --input labelled.jsonl --route auto
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    of: Of,
    /// Rows with `prompt` or `request`, and `outcomes`
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Whose traffic it is [default: the anonymous tenant]
    #[arg(long)]
    tenant: Option<String>,
    /// A route of the configuration
    #[arg(long, default_value = "auto")]
    route: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, env: &Env) -> Result<(), Failure> {
    let rows = input::read(&args.input, false).map_err(Failure::failed)?.rows;
    let told = match args.of.gateway(env)? {
        None => by_admin(args, &rows, env)?,
        Some(gateway) => block_on(async {
            let lane = gateway.lane_of(args.tenant.as_deref(), &args.route)?;
            let mut labels = 0;
            for row in &rows {
                let quality = |model: &Model| outcome(row, model)?.quality;
                labels += gateway.give(&lane, Bytes::from(row.body()), &quality).await?;
            }
            Ok::<_, crate::error::GatewayError>(
                json!({"labels": labels, "standing": gateway.settled(&lane).await?}),
            )
        })?
        .map_err(|error| Failure::failed(error.message()))?,
    };
    if args.json {
        say(told);
        return Ok(());
    }
    say(format_args!("{} labels from {} rows", told["labels"], rows.len()));
    for pair in told["standing"]["pairs"].as_array().into_iter().flatten() {
        say(standing_line(pair));
    }
    if told["labels"] == 0 {
        remark("No row has an outcome for a model of either tier of a pair.");
    }
    Ok(())
}

fn by_admin(args: &Args, rows: &[Row], env: &Env) -> Result<Value, Failure> {
    let mut told = json!({"labels": 0});
    let mut labels = 0;
    for chunk in rows.chunks(CHUNK) {
        let given: Vec<Value> = chunk
            .iter()
            .map(|row| {
                let request: Value = serde_json::from_slice(&row.body()).unwrap_or_default();
                let outcomes = row.outcomes.iter();
                let outcomes = outcomes.map(|(model, found)| (model, json!({"quality": found.quality})));
                json!({"request": request, "outcomes": outcomes.collect::<std::collections::BTreeMap<_, _>>()})
            })
            .collect();
        let body = json!({"tenant": args.tenant, "route": args.route, "rows": given});
        let path = "/admin/v1/router/labels";
        told = call(&args.of.admin.admin, env, Method::POST, path, Some(body), &[])?;
        labels += told["labels"].as_u64().unwrap_or(0);
    }
    told["labels"] = labels.into();
    Ok(told)
}

fn standing_line(pair: &Value) -> String {
    let points = |member: &str| pair[member].as_f64().map(|it| format!("{:.1} points", it * 100.0));
    let name = pair["pair"].as_str().unwrap_or_default();
    match (pair["abstains"].as_str(), points("bound")) {
        (None, Some(bound)) => format!(
            "{name}: {:.0} % of the requests may go down, losing at most {bound}",
            pair["weak_share"].as_f64().unwrap_or(0.0) * 100.0
        ),
        (why, _) => format!("{name}: none may go down yet: {}", why.unwrap_or("no labels")),
    }
}
