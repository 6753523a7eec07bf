//! What several commands share: finding and loading the configuration, and building the gateway
//! from it.

use std::io;
use std::path::{Path, PathBuf};
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
    let heads = heads(&folder, embedder.identity())?;
    Ok((Some(embedder), Some(heads)))
}

/// The router's weights: the file in the models folder, if there is one, else those built in. A file
/// that does not fit is refused rather than passed over: who put it there believes it is in force.
fn heads(folder: &Path, embedder: &str) -> Result<Heads, Failure> {
    let path = folder.join("router-heads.json");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Heads::shipped(embedder).map_err(Failure::config);
        }
        Err(error) => return Err(Failure::config(format!("{}: {error}", path.display()))),
    };
    Heads::parse(&text, embedder).map_err(|fault| {
        Failure::config(format!(
            "{}: {fault}.\nTrain it again with `semgate router fit`, or take the file away to use \
             the weights that are built in.",
            path.display()
        ))
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::files;

    #[test]
    fn weights_of_the_models_folder_go_first_and_must_fit() {
        let folder = tempfile::tempdir().unwrap();
        let identity = files::model(files::DEFAULT).unwrap().identity();
        let shipped = heads(folder.path(), &identity).unwrap();
        let path = folder.path().join("router-heads.json");
        let mut own = shipped.file().clone();
        own.cold.length += 1.0;
        own.hash = own.digest();
        std::fs::write(&path, serde_json::to_string(&own).unwrap()).unwrap();
        let read = heads(folder.path(), &identity).unwrap();
        assert_eq!(read.file(), &own);
        assert_ne!(read.file(), shipped.file());
        own.cold.length += 1.0;
        std::fs::write(&path, serde_json::to_string(&own).unwrap()).unwrap();
        let refused = heads(folder.path(), &identity).unwrap_err();
        assert!(
            matches!(&refused, Failure::Config(why) if why.contains("router-heads.json")
                && why.contains("semgate router fit")),
            "{refused:?}"
        );
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(heads(folder.path(), &identity), Err(Failure::Config(_))));
    }
}
