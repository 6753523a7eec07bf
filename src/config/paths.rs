//! Where files are kept (XDG), and how private ones are made: folders 0700, files 0600.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Env;

/// The folders of this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// `$XDG_STATE_HOME/semgate`: the admin token, later the ledger.
    pub state: PathBuf,
    /// `$XDG_CACHE_HOME/semgate`.
    pub cache: PathBuf,
    /// The embedding model; see [`Paths::find`].
    pub models: PathBuf,
}

impl Paths {
    /// The folders that the environment names. `models` is `$SEMGATE_MODELS`, else `./models` if
    /// it holds the weights, else `$XDG_DATA_HOME/semgate/models`. Nothing is created.
    pub fn find(env: &Env) -> Self {
        Self::find_below(env, Path::new("."))
    }

    /// As [`Paths::find`], with `./models` looked for below `folder`.
    fn find_below(env: &Env, folder: &Path) -> Self {
        let local = folder.join("models");
        let models = match env.non_empty("SEMGATE_MODELS") {
            Some(named) => PathBuf::from(named),
            None if holds_weights(&local) => local,
            None => xdg(env, "XDG_DATA_HOME", ".local/share").join("models"),
        };
        Self {
            state: xdg(env, "XDG_STATE_HOME", ".local/state"),
            cache: xdg(env, "XDG_CACHE_HOME", ".cache"),
            models,
        }
    }
}

/// A base folder of the XDG specification, which tells to ignore relative values. Without a home
/// the folder stands below the working directory, so that a bare container still works.
fn xdg(env: &Env, variable: &str, below_home: &str) -> PathBuf {
    let base = env
        .non_empty(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(PathBuf::from(env.non_empty("HOME")?).join(below_home)));
    base.unwrap_or_else(|| PathBuf::from(below_home)).join("semgate")
}

/// Whether `model.safetensors` stands in the folder or in a folder of it.
fn holds_weights(folder: &Path) -> bool {
    const WEIGHTS: &str = "model.safetensors";
    if folder.join(WEIGHTS).is_file() {
        return true;
    }
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| entry.path().join(WEIGHTS).is_file())
}

/// Creates the folder and its parents, for this user only (0700). One that exists is left as it is.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes the whole file for this user only (0600). The text goes to a neighbour first and takes
/// the name at the end, so a reader sees the old file or the new one.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // `NamedTempFile` is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Opens a file for appending, made for this user only (0600) if it does not exist.
pub fn append_private(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Takes everybody else's rights to the file away.
pub fn make_private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_follow_xdg_and_ignore_relative_values() {
        let env = Env::of([("HOME", "/home/a"), ("XDG_STATE_HOME", "/s"), ("XDG_CACHE_HOME", "c")]);
        let paths = Paths::find_below(&env, Path::new("/nowhere"));
        assert_eq!(paths.state, Path::new("/s/semgate"));
        assert_eq!(paths.cache, Path::new("/home/a/.cache/semgate"));
        assert_eq!(paths.models, Path::new("/home/a/.local/share/semgate/models"));
    }

    #[test]
    fn models_folder_is_the_named_one_then_a_local_one_with_weights() {
        let folder = tempfile::tempdir().unwrap();
        let env = Env::of([("HOME", "/h")]);
        let local = folder.path().join("models/all-MiniLM-L6-v2");
        fs::create_dir_all(&local).unwrap();
        assert!(Paths::find_below(&env, folder.path()).models.starts_with("/h"));
        fs::write(local.join("model.safetensors"), b"x").unwrap();
        assert_eq!(Paths::find_below(&env, folder.path()).models, folder.path().join("models"));
        let named = Env::of([("SEMGATE_MODELS", "/m")]);
        assert_eq!(Paths::find_below(&named, folder.path()).models, Path::new("/m"));
    }

    #[cfg(unix)]
    #[test]
    fn private_files_and_folders_are_for_this_user_only() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        create_private_dir(&folder).unwrap();
        create_private_dir(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        let file = folder.join("token");
        write_private(&file, b"one").unwrap();
        write_private(&file, b"two").unwrap();
        assert_eq!(mode(&file), 0o600);
        assert_eq!(fs::read(&file).unwrap(), b"two");
        append_private(&file).unwrap().write_all(b"+").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two+");
        let fresh = folder.join("records");
        append_private(&fresh).unwrap();
        assert_eq!(mode(&fresh), 0o600);
    }
}
