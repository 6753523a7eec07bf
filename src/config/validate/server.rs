//! `server`, `embedder` and `telemetry`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::Check;
use crate::config::at::{At, OrOff};
use crate::config::raw::{RawEmbedder, RawLevel, RawLogFormat, RawRecord, RawServer, RawTelemetry};
use crate::config::settings::{Embedder, Log, LogFormat, RecordFile, Server, Telemetry};
use crate::config::tree::Id;

/// The only embedding model that is built in.
const EMBEDDING_MODEL: &str = "all-MiniLM-L6-v2";
const SHORTEST_TOKEN: usize = 32;

pub(super) fn server(raw: &RawServer, has_keys: bool, check: &mut Check<'_>) -> Option<Server> {
    let listen = address(&raw.listen, 8080, check);
    let admin_listen = address(&raw.admin_listen, 8081, check);
    if let (Some(data), Some(admin)) = (listen, admin_listen) {
        let id = raw.admin_listen.as_ref().or(raw.listen.as_ref()).map_or(0, |key| key.id);
        if data == admin && data.port() != 0 {
            check.fault(id, format!("both planes listen on {data}"), "give each its own port");
        }
        if !data.ip().is_loopback() && !has_keys {
            let id = raw.listen.as_ref().map_or(0, |key| key.id);
            let problem =
                format!("{data} can be reached from other machines, and there are no keys");
            let advice = "add `keys:` (see `semgate keys create`), or listen on 127.0.0.1";
            check.fault(id, problem, advice);
        }
    }
    if let Some(token) = &raw.admin_token
        && token.value.value.expose_secret().chars().count() < SHORTEST_TOKEN
    {
        let advice = "write at least 32, or leave it out and one is made";
        check.fault(token.id, "the admin token has fewer than 32 characters", advice);
    }
    Some(Server {
        allowed_hosts: check.texts(raw.allowed_hosts.as_deref(), "host"),
        body_limit: bytes(&raw.body_limit, 20_000_000, check),
        max_in_flight: check.within(&raw.max_in_flight, 4096, 1..=1_000_000) as usize,
        shutdown_grace: raw
            .shutdown_grace
            .as_ref()
            .map_or(Duration::from_secs(30), |span| span.value.0),
        admin_token: raw.admin_token.as_ref().map(|token| token.value.value.clone()),
        listen: listen?,
        admin_listen: admin_listen?,
    })
}

fn address(key: &Option<At<String>>, port: u16, check: &mut Check<'_>) -> Option<SocketAddr> {
    let Some(At { id, value }) = key else { return Some(([127, 0, 0, 1], port).into()) };
    let address = value.parse().ok();
    if address.is_none() {
        let problem = format!("`{}` is no address with a port", super::short(value));
        check.fault(*id, problem, format!("write `127.0.0.1:{port}` or `[::1]:{port}`"));
    }
    address
}

/// A size above zero, or its default.
pub(super) fn bytes(
    key: &Option<At<crate::config::scalar::Size>>,
    default: u64,
    check: &mut Check<'_>,
) -> u64 {
    let Some(At { id, value }) = key else { return default };
    if value.0 == 0 {
        check.fault(*id, "a limit of zero lets nothing through", "write a size such as `10MB`");
    }
    value.0
}

pub(super) fn embedder(
    raw: Option<&OrOff<RawEmbedder>>,
    check: &mut Check<'_>,
) -> Option<Embedder> {
    let absent = RawEmbedder::default();
    let raw = match raw {
        Some(OrOff::Off) => return None,
        Some(OrOff::On(raw)) => raw,
        None => &absent,
    };
    if let Some(model) = &raw.model
        && model.value != EMBEDDING_MODEL
    {
        let problem = format!("`{}` is no embedding model of semgate", super::short(&model.value));
        check.fault(model.id, problem, format!("write `{EMBEDDING_MODEL}`, or `embedder: off`"));
    }
    Some(Embedder {
        model: EMBEDDING_MODEL.to_owned(),
        threads: check.within(&raw.threads, 1, 1..=256) as usize,
        max_tokens: check.within(&raw.max_tokens, 256, 8..=256) as usize,
        queue: check.within(&raw.queue, 256, 1..=1_000_000) as usize,
        timeout: check.above_zero(&raw.timeout, Duration::from_millis(500)),
    })
}

fn record(id: Id, raw: &RawRecord, content: bool, check: &mut Check<'_>) -> Option<RecordFile> {
    let path = check.required(id, "path", &raw.path)?;
    if path.value.trim().is_empty() {
        check.fault(path.id, "an empty path", "write `path: semgate.jsonl`, or `record: off`");
    }
    if !content {
        let problem = "records are written without prompts, so `semgate replay` refuses them";
        check.warn(path.id, problem, "set `telemetry.content: true` to keep prompts");
    }
    Some(RecordFile {
        path: PathBuf::from(&path.value),
        max_bytes: bytes(&raw.max_bytes, 1_000_000_000, check),
        keep: check.within(&raw.keep, 5, 0..=10_000) as usize,
    })
}

pub(super) fn telemetry(raw: &RawTelemetry, check: &mut Check<'_>) -> Telemetry {
    let content = raw.content.as_ref().is_some_and(|content| content.value);
    let record = match &raw.record {
        Some(OrOff::On(At { id, value })) => record(*id, value, content, check),
        Some(OrOff::Off) | None => None,
    };
    Telemetry {
        log: Log {
            format: match raw.log.format.as_ref().map(|format| format.value) {
                Some(RawLogFormat::Json) => LogFormat::Json,
                Some(RawLogFormat::Text) | None => LogFormat::Text,
            },
            level: match raw.log.level.as_ref().map(|level| level.value) {
                Some(RawLevel::Error) => tracing::Level::ERROR,
                Some(RawLevel::Warn) => tracing::Level::WARN,
                Some(RawLevel::Info) | None => tracing::Level::INFO,
                Some(RawLevel::Debug) => tracing::Level::DEBUG,
                Some(RawLevel::Trace) => tracing::Level::TRACE,
            },
        },
        content,
        ring: check.within(&raw.ring, 1000, 0..=1_000_000) as usize,
        record,
    }
}
