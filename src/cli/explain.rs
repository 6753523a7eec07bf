//! `semgate explain`: a dry run of one request. Contacts no provider.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::cache::store::FILE;
use crate::config::Env;
use crate::config::paths::Paths;

use super::load::{self, ConfigArg, Keep};
use super::{Failure, admin_client, block_on, remark, say};

/// Show what would happen to a request, and why; contacts no provider.
///
/// Example: semgate explain "What is the capital of France?"
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Name the caller asks for [default: auto, or the request's]
    #[arg(long)]
    model: Option<String>,
    /// A whole chat request as JSON (`-` for standard input) instead of a prompt
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    request: Option<PathBuf>,
    /// On whose behalf
    #[arg(long)]
    tenant: Option<String>,
    /// A request header, may be repeated
    #[arg(long = "header", value_name = "K:V")]
    headers: Vec<String>,
    /// Ask the running gateway at this admin URL, with its cache
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// What the user would say; read from standard input if absent
    prompt: Option<String>,
}

pub fn run(args: &Args, env: &Env) -> Result<(), Failure> {
    let body = body(args)?;
    let headers = headers(&args.headers)?;
    let explanation = match &args.admin {
        Some(admin) => {
            let mut pairs: Vec<(&str, &str)> = headers
                .iter()
                .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
                .collect();
            pairs.extend(args.tenant.as_deref().map(|tenant| ("x-semgate-tenant", tenant)));
            let path = "/admin/v1/explain";
            admin_client::call(admin, env, Method::POST, path, Some(body), &pairs)?
        }
        None => {
            let (_, mut settings) = args.config.load(env)?;
            // A dry run leaves no trace, not even an empty record file.
            settings.telemetry.record = None;
            let (_cut, cutting) = watch::channel(false);
            let kept =
                settings.cache.persistence.enabled.then(|| Paths::find(env).cache.join(FILE));
            let gateway = load::gateway(settings, env, Keep::Read, cutting)?;
            let explained = block_on(async {
                let caller = gateway.caller_of_tenant(args.tenant.as_deref())?;
                if let Some(file) = kept.filter(|file| file.exists()) {
                    let body = body.to_string().into();
                    if let Some(fault) = gateway.recollect(&file, body, &headers, &caller) {
                        remark(format_args!("{} is not read: {fault}", file.display()));
                    }
                }
                gateway.explain(body.to_string().into(), &headers, caller).await
            })?;
            let explained = explained.map_err(|error| Failure::failed(error.message()))?;
            serde_json::to_value(explained).map_err(Failure::failed)?
        }
    };
    if args.json {
        say(serde_json::to_string_pretty(&explanation).map_err(Failure::failed)?);
    } else {
        show(&explanation);
    }
    Ok(())
}

/// The request: a file, or a prompt wrapped into one user message.
fn body(args: &Args) -> Result<Value, Failure> {
    let mut body = match &args.request {
        Some(path) => {
            let text = if path.as_os_str() == "-" {
                standard_input()?
            } else {
                std::fs::read_to_string(path)
                    .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?
            };
            serde_json::from_str(&text)
                .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?
        }
        None => {
            let prompt = match &args.prompt {
                Some(prompt) => prompt.clone(),
                None if std::io::stdin().is_terminal() => {
                    return Err(Failure::usage("Say a PROMPT, or --request FILE."));
                }
                None => standard_input()?,
            };
            json!({"messages": [{"role": "user", "content": prompt}]})
        }
    };
    let members = body
        .as_object_mut()
        .ok_or_else(|| Failure::failed("The request must be a JSON object."))?;
    if let Some(model) = &args.model {
        members.insert("model".into(), model.as_str().into());
    }
    members.entry("model").or_insert_with(|| "auto".into());
    Ok(body)
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(Failure::failed)?;
    Ok(text)
}

fn headers(given: &[String]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for pair in given {
        let parsed = pair.split_once(':').and_then(|(name, value)| {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        });
        let Some((name, value)) = parsed else {
            return Err(Failure::usage(format!("--header wants NAME:VALUE, not `{pair}`.")));
        };
        headers.append(name, value);
    }
    Ok(headers)
}

/// The explanation for a person.
fn show(explanation: &Value) {
    let line = |name: &str, value: &Value| {
        if !value.is_null() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            say(format_args!("{name:<14} {text}"));
        }
    };
    line("requested", &explanation["policy"]["requested"]);
    line("choice", &explanation["policy"]["choice"]);
    line("strategy", &explanation["policy"]["strategy"]);
    line("rule", &explanation["rule"]);
    line("cache", &explanation["cache"]["status"]);
    line("ttl class", &explanation["cache"]["ttl_class"]);
    line("evidence", &explanation["cache"]["evidence"]);
    if let Some(probabilities) = explanation["probabilities"].as_object() {
        for (tier, p) in probabilities {
            line(&format!("P({tier})"), &json!(format!("{:.3}", p.as_f64().unwrap_or(0.0))));
        }
    }
    line("features", &features(&explanation["features"]));
    line("tier", &explanation["tier"]);
    line("reason", &explanation["reason"]);
    line("quality loss", &loss(&explanation["loss"]));
    for passed in explanation["passed_over"].as_array().into_iter().flatten() {
        let text = format!("{}: {}", text(&passed["what"]), text(&passed["why"]));
        line("passed over", &json!(text));
    }
    for planned in explanation["plan"].as_array().into_iter().flatten() {
        let cost = planned["cost_usd"].as_f64().map(|usd| format!("  about ${usd:.6}"));
        let why = planned["why"].as_str().map(|why| format!("  ({why})"));
        let text = format!(
            "{}{}{}",
            text(&planned["target"]),
            cost.unwrap_or_default(),
            why.unwrap_or_default()
        );
        line("plan", &json!(text));
    }
    for note in explanation["notes"].as_array().into_iter().flatten() {
        line("note", note);
    }
    line("error", &explanation["error"]);
}

/// The features that are not nothing; null where none were looked at.
fn features(features: &Value) -> Value {
    let features = features.as_object().into_iter().flatten();
    let live: Vec<String> = features
        .filter_map(|(name, value)| Some((name, value.as_f64()?)))
        .filter(|(_, value)| *value != 0.0)
        .map(|(name, value)| format!("{name} {}", (value * 100.0).round() / 100.0))
        .collect();
    if live.is_empty() { Value::Null } else { json!(live.join(", ")) }
}

/// What the choice is expected to cost in quality, and how that is known.
fn loss(loss: &Value) -> Value {
    let points = |member: &str| loss[member].as_f64().map(|share| (share * 1000.0).round() / 10.0);
    let (Some(expected), Some(bound)) = (points("expected"), points("bound")) else {
        return Value::Null;
    };
    json!(match text(&loss["evidence"]) {
        "baseline" => "none: the strongest tier answers".to_owned(),
        "labels" => format!(
            "{expected} points expected, at most {bound} on the mean ({} labels of this traffic)",
            loss["labels"]
        ),
        _ => format!("{expected} points expected, {bound} with the doubt (shipped heads alone)"),
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}
