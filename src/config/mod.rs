//! The configuration: raw YAML in, validated [`Settings`] out, one way.
//!
//! The rest of the program sees `Settings` only. Whatever can be wrong with a file is found here,
//! with its place, before anything starts.
//!
//! text → `tree` (places) → `overrides` → `substitute` (`${ENV}`) → `read` (types, unknown keys) →
//! `raw` → `validate` → `settings`; back again in `print`.

mod at;
mod environment;
mod fault;
mod overrides;
mod print;
mod raw;
mod read;
mod scalar;
mod schema;
mod substitute;
mod tree;
mod validate;

pub mod env;
pub mod paths;
pub mod settings;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use env::Env;
pub use fault::{Fault, Faults, Place};
pub use print::print;
pub use raw::RawConfig;
pub use scalar::{Share, Span};
pub use schema::schema;
pub use settings::Settings;

use settings::Origin;
use tree::{Id, Tree};

/// Where the configuration is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    /// No file: providers whose keys are in the environment.
    Environment,
}

/// A configuration without faults.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    /// What works but is hardly meant.
    pub warnings: Vec<Fault>,
    /// As it was written, substituted and overridden.
    pub raw: RawConfig,
    tree: Tree,
}

/// `--config`, else `$SEMGATE_CONFIG`, else `./semgate.yaml` if it exists, else the environment.
pub fn find(cli: Option<&Path>, env: &Env) -> Source {
    find_below(cli, env, Path::new(""))
}

fn find_below(cli: Option<&Path>, env: &Env, folder: &Path) -> Source {
    let local = folder.join("semgate.yaml");
    match (cli, env.non_empty("SEMGATE_CONFIG")) {
        (Some(path), _) => Source::File(path.to_owned()),
        (None, Some(path)) => Source::File(PathBuf::from(path)),
        (None, None) if local.exists() => Source::File(local),
        (None, None) => Source::Environment,
    }
}

/// Reads and validates a configuration. `overrides` are dotted keys with YAML values
/// (`cache.ttl.default` = `1h`, `routing.tiers.small.min_adequacy` = `0.9`) that replace the
/// file's.
///
/// # Errors
/// Every fault found, in the order of the text.
pub fn load(source: &Source, env: &Env, overrides: &[(String, String)]) -> Result<Loaded, Faults> {
    match source {
        Source::File(path) => {
            let name: Arc<str> = Arc::from(path.display().to_string());
            let text = std::fs::read(path).map_err(|error| {
                let problem = format!("cannot be read: {error}");
                Fault::new(Place::Whole(name.clone()), problem, "see its path and permissions")
            })?;
            let text = String::from_utf8(text).map_err(|error| {
                let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                Fault::new(end_of(&name, before), "a byte that is no UTF-8", "save it as UTF-8")
            })?;
            load_text(&name, &text, env, overrides)
        }
        Source::Environment => settle(environment::tree(env)?, Origin::Environment, env, overrides),
    }
}

/// As [`load`], of a text that stands in the file `name`.
///
/// # Errors
/// Every fault found, in the order of the text.
pub fn load_text(
    name: &str,
    text: &str,
    env: &Env,
    overrides: &[(String, String)],
) -> Result<Loaded, Faults> {
    let tree = Tree::parse(&Arc::from(name), text)?;
    settle(tree, Origin::File(PathBuf::from(name)), env, overrides)
}

/// From the located tree to the settings.
fn settle(
    mut tree: Tree,
    origin: Origin,
    env: &Env,
    overrides: &[(String, String)],
) -> Result<Loaded, Faults> {
    let mut faults = overrides::apply(&mut tree, overrides).0;
    let (unset, unset_faults): (HashSet<Id>, Vec<Fault>) =
        substitute::substitute(&mut tree, env).into_iter().unzip();
    faults.extend(unset_faults);
    let (raw, unfit) = read::read::<RawConfig>(&tree, unset);
    faults.extend(unfit.0);
    let mut check = validate::Check::new(&tree, faults);
    let settings = validate::validate(&raw, origin, &mut check);
    let validate::Check { faults, warnings, .. } = check;
    match settings {
        Some(settings) => Ok(Loaded { settings, warnings: Faults(warnings).sorted().0, raw, tree }),
        None => Err(Faults(faults).sorted()),
    }
}

/// The place behind the text.
fn end_of(name: &Arc<str>, text: &[u8]) -> Place {
    let text = String::from_utf8_lossy(text);
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    Place::File { name: name.clone(), line, column }
}
