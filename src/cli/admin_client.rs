//! Talking to the admin plane of a running gateway.

use reqwest::{Client, Method};
use serde_json::Value;

use crate::config::Env;
use crate::config::paths::Paths;

use super::{Failure, block_on};

/// `--admin`, as commands that ask a running gateway have it.
#[derive(Debug, clap::Args)]
pub struct AdminArg {
    /// Admin plane of the running gateway; the token is $SEMGATE_ADMIN_TOKEN, else the one kept in
    /// the state folder
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8081")]
    pub admin: String,
}

/// Sends a request and returns the JSON answer.
pub fn call(
    admin: &str,
    env: &Env,
    method: Method,
    path: &str,
    body: Option<Value>,
    headers: &[(&str, &str)],
) -> Result<Value, Failure> {
    let url = format!("{}{path}", admin.trim_end_matches('/'));
    block_on(async {
        let client = Client::builder().no_proxy().build().map_err(Failure::failed)?;
        let mut request = client.request(method, &url).bearer_auth(token(env)?);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.map_err(|error| {
            let why = if error.is_connect() { "nothing answers there" } else { "no answer" };
            Failure::failed(format!("{url}: {why}. Is a gateway running? Say where with --admin."))
        })?;
        let status = response.status();
        let text = response.text().await.map_err(Failure::failed)?;
        let answer: Value = serde_json::from_str(&text)
            .map_err(|_| Failure::failed(format!("{url}: status {status}, and no JSON")))?;
        if status.is_success() {
            return Ok(answer);
        }
        let message = answer["error"]["message"].as_str().unwrap_or("no message");
        Err(Failure::failed(format!("{url}: status {status}: {message}")))
    })?
}

fn token(env: &Env) -> Result<String, Failure> {
    if let Some(token) = env.non_empty("SEMGATE_ADMIN_TOKEN") {
        return Ok(token);
    }
    let path = Paths::find(env).state.join("admin_token");
    let kept = std::fs::read_to_string(&path);
    kept.map(|token| token.trim().to_owned()).map_err(|_| {
        Failure::failed(format!(
            "No admin token: set $SEMGATE_ADMIN_TOKEN to the gateway's `server.admin_token` ({} is not there).",
            path.display()
        ))
    })
}
