//! What several commands share: finding and loading the configuration, and building the gateway
//! from it.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::cache::Cache;
use crate::config::paths::Paths;
use crate::config::{self, Env, Settings, Source};
use crate::embed::Embedder;
use crate::gateway::Gateway;
use crate::record::Recorder;
use crate::route::Heads;
use crate::route::learn::{Archive, FILE};

use super::{Failure, remark};

/// `--config`, as every command has it.
#[derive(Debug, clap::Args)]
pub struct ConfigArg {
    /// Configuration file. Default: $SEMGATE_CONFIG, else ./semgate.yaml, else provider keys found
    /// in the environment (OPENAI_API_KEY, …)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ConfigArg {
    /// Loads the settings; warnings go to stderr.
    pub fn load(&self, env: &Env) -> Result<(Source, Settings), Failure> {
        let source = config::find(self.config.as_deref(), env);
        let loaded = config::load(&source, env, &[])?;
        for warning in &loaded.warnings {
            remark(format_args!("warning: {warning}"));
        }
        Ok((source, loaded.settings))
    }
}

/// Starts the embedder, if there is to be one, and reads the heads that fit it.
pub fn models(
    settings: &Settings,
    env: &Env,
) -> Result<(Option<Embedder>, Option<Heads>), Failure> {
    let Some(wanted) = &settings.embedder else { return Ok((None, None)) };
    let folder = Paths::find(env).models;
    let embedder = Embedder::start(wanted, &folder).map_err(|fault| {
        Failure::config(format!(
            "{fault}\nFetch the embedding model with `semgate model fetch` (or \
             `scripts/fetch-model.sh` in a checkout), or write `embedder: off` to run with the \
             exact cache and rules only."
        ))
    })?;
    let heads = Heads::shipped(embedder.identity()).map_err(Failure::config)?;
    Ok((Some(embedder), Some(heads)))
}

/// What a command does with answers on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Reads and writes them, if the configuration has it so.
    InFile,
    /// Of what was learnt, reads what there is; answers are read where they are asked for.
    Read,
    /// Reads and writes what was learnt; answers are none of its business.
    State,
}

/// What the router has learnt. Without its file it learns in memory: it is no reason not to serve.
pub fn archive(heads: &Heads, env: &Env, keep: Keep) -> Option<Archive> {
    let folder = Paths::find(env).state;
    let inputs = heads.inputs();
    let opened = match keep {
        Keep::InFile | Keep::State => Archive::open(&folder, &inputs).map(Some),
        Keep::Read => Archive::read(&folder, &inputs),
    };
    opened.unwrap_or_else(|fault| {
        let file = folder.join(FILE);
        remark(format_args!(
            "warning: {}: {fault}; what the router learns is kept in memory only",
            file.display()
        ));
        None
    })
}

/// The whole gateway, without listeners.
pub fn gateway(
    settings: Settings,
    env: &Env,
    keep: Keep,
    cut: watch::Receiver<bool>,
) -> Result<Arc<Gateway>, Failure> {
    let (embedder, heads) = models(&settings, env)?;
    let recorder = Recorder::new(&settings)
        .map_err(|error| Failure::config(format!("the record file cannot be opened: {error}")))?;
    let mut cache = Cache::new(&settings.cache).map_err(Failure::failed)?;
    if keep == Keep::InFile && settings.cache.persistence.enabled {
        let identity = embedder.as_ref().map(Embedder::identity);
        cache = cache.keep_in(&Paths::find(env).cache, identity).map_err(Failure::failed)?;
    }
    let archive = match &heads {
        Some(heads) if settings.routing.tiers.len() > 1 => archive(heads, env, keep),
        _ => None,
    };
    let gateway = Gateway::new(settings, embedder, heads, cache, Arc::new(recorder), cut)
        .map_err(|error| Failure::failed(error.log()))?;
    Ok(Arc::new(match archive {
        Some(archive) => gateway.remembering(archive),
        None => gateway,
    }))
}
