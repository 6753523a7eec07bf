//! `semgate serve`: from a configuration to two listening planes, and back to a clean exit.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::cache::store::{Kept, Store};
use crate::config::paths::{self, Paths};
use crate::config::settings::{Log, LogFormat};
use crate::config::{self, Env, Source};
use crate::gateway::Gateway;
use crate::http::server::Plane;
use crate::http::{admin, data};

use super::load::{self, ConfigArg, Keep};
use super::{Failure, keys, remark, say};

/// Run the gateway.
///
/// Example: OPENAI_API_KEY=sk-… semgate serve
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArg,
}

/// After the cut, time for the last error events to leave.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A configured or kept admin token has at least so many characters.
const TOKEN_LENGTH: usize = 32;

pub fn run(args: Args, env: &Env) -> Result<(), Failure> {
    let (source, settings) = args.config.load(env)?;
    start_log(settings.telemetry.log);
    let (cut, cutting) = watch::channel(false);
    let token = match &settings.server.admin_token {
        Some(token) => token.clone(),
        None => kept_token(&Paths::find(env).state),
    };
    let planes = (settings.server.listen, settings.server.admin_listen);
    let grace = settings.server.shutdown_grace;
    let gateway = load::gateway(settings, env, Keep::InFile, cutting)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no runtime could be started: {error}")))?;
    let done = runtime.block_on(async {
        let data = bind(planes.0, data::router(gateway.clone())).await?;
        let admin = bind(planes.1, admin::router(gateway.clone(), &token)).await?;
        // Whoever has read the ready line may stop or reload the gateway at once.
        let signals = Signals::listen()?;
        announce(&gateway, &data, &admin)?;
        serve(gateway.clone(), (data, admin), signals, (source, env.clone()), (cut, grace)).await
    });
    if done.is_ok() {
        gateway.cache().close();
    }
    // Idle workers and background tasks must not hold up the exit.
    runtime.shutdown_timeout(Duration::from_millis(100));
    done
}

async fn bind(address: SocketAddr, router: axum::Router) -> Result<Plane, Failure> {
    Plane::bind(address, router).await.map_err(Failure::failed)
}

fn announce(gateway: &Gateway, data: &Plane, admin: &Plane) -> Result<(), Failure> {
    let address = |plane: &Plane| plane.address().map_err(Failure::failed);
    let (data, admin) = (address(data)?, address(admin)?);
    let settings = gateway.settings();
    say(format_args!("semgate ready data=http://{data} admin=http://{admin}"));
    // Whoever waits for the line reads through a pipe.
    io::stdout().flush().map_err(Failure::failed)?;
    remark(where_answers_are(gateway.cache().store()));
    if settings.keys.is_empty() {
        remark("No `keys:` are configured: anyone on this machine may use the gateway.");
    }
    let key = if settings.keys.is_empty() { "" } else { " -H 'Authorization: Bearer sg-…'" };
    let model = if settings.route("auto").is_some() {
        "auto".to_owned()
    } else {
        settings.models.first().map_or_else(|| "MODEL".into(), |model| model.name.to_string())
    };
    remark(format_args!(
        "Try: curl -s http://{data}/v1/chat/completions{key} -H 'Content-Type: application/json' \
         -d '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'"
    ));
    Ok(())
}

fn where_answers_are(store: Option<&Store>) -> String {
    let Some(store) = store else {
        return "Answers are kept in memory only and are gone when the gateway stops.".to_owned();
    };
    let path = store.path().display();
    match store.kept() {
        Kept::InFile => format!("Answers are kept in {path}."),
        Kept::HeldByAnother => {
            format!("Another gateway holds {path}: answers are kept in memory only until it stops.")
        }
        Kept::Failing(why) => {
            format!("{path} cannot be used ({why}): answers are kept in memory only until it can.")
        }
    }
}

/// Runs both planes until a signal says to stop, then drains the data plane.
async fn serve(
    gateway: Arc<Gateway>,
    (data, admin): (Plane, Plane),
    mut signals: Signals,
    (source, env): (Source, Env),
    (cut, grace): (watch::Sender<bool>, Duration),
) -> Result<(), Failure> {
    let (stop, mut stopping) = watch::channel(false);
    let data = tokio::spawn(data.serve(async move {
        let _ = stopping.wait_for(|stop| *stop).await;
    }));
    // The admin plane answers to the very end, so that readiness can be seen to be gone.
    let admin = tokio::spawn(admin.serve(std::future::pending()));
    signals.until_stop(|| reload(&gateway, &source, &env)).await;
    tracing::info!(grace_s = grace.as_secs(), "shutting down");
    gateway.drain();
    stop.send_replace(true);
    let drained = async {
        let graceful = data.await.map_err(Failure::failed)?;
        let open = graceful.shutdown();
        tokio::pin!(open);
        if tokio::time::timeout(grace, &mut open).await.is_err() {
            cut.send_replace(true);
            if tokio::time::timeout(LAST_WORDS, &mut open).await.is_err() {
                tracing::warn!("some connections did not close in time");
            }
        }
        Ok(())
    };
    let done = tokio::select! {
        done = drained => done,
        () = signals.stop() => Err(Failure::failed("stopped at once by a second signal")),
    };
    admin.abort();
    done
}

/// SIGHUP: a good file replaces the settings whole, a bad one leaves the old in force.
fn reload(gateway: &Gateway, source: &Source, env: &Env) {
    let reloads = &gateway.recorder().metrics.config_reloads;
    let loaded = match config::load(source, env, &[]) {
        Ok(loaded) => loaded,
        Err(faults) => {
            reloads.with_label_values(&["refused"]).inc();
            tracing::error!("the new configuration is refused, the old stays in force:\n{faults}");
            return;
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    match gateway.reload(loaded.settings) {
        Ok(kept) => {
            for kept in kept {
                tracing::warn!("{kept} changed: it takes effect after a restart");
            }
            reloads.with_label_values(&["ok"]).inc();
            tracing::info!("configuration reloaded");
        }
        Err(error) => {
            reloads.with_label_values(&["refused"]).inc();
            tracing::error!(%error, "the new configuration cannot be put in force");
        }
    }
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(Failure::failed);
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    async fn until_stop(&mut self, mut reload: impl FnMut()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => reload(),
            }
        }
    }
}

/// The log goes to stderr, without content; the decision record is the log of requests.
fn start_log(log: Log) {
    let builder = tracing_subscriber::fmt().with_max_level(log.level).with_writer(io::stderr);
    let colour = io::IsTerminal::is_terminal(&io::stderr());
    match log.format {
        LogFormat::Text => builder.with_ansi(colour).with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// The token in the state folder, made if there is none. Where the folder cannot be written the
/// gateway still runs, with a token that nobody knows.
fn kept_token(state: &Path) -> SecretString {
    let path = state.join("admin_token");
    if let Ok(token) = std::fs::read_to_string(&path)
        && token.trim().len() >= TOKEN_LENGTH
    {
        return token.trim().to_owned().into();
    }
    let token = SecretString::from(keys::random_key("sga-"));
    let kept = paths::create_private_dir(state)
        .and_then(|()| paths::write_private(&path, token.expose_secret().as_bytes()));
    if let Err(error) = kept {
        tracing::warn!(
            path = %path.display(), %error,
            "the admin token cannot be kept; set `server.admin_token` to reach the admin plane"
        );
    }
    token
}
