//! Obtaining a model's files, from the hub or from a folder. A file takes its place only when it is
//! whole and its SHA-256 is the pinned one; until then it has another name, and on an error it goes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::files::{self, DEFAULT, Model, ModelError, ModelFile, hex};

/// Where the models' repositories are.
pub const HUB: &str = "https://huggingface.co";

/// Waiting for a connection, and for the next bytes of a download.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How far below the folder of `--from` a file may lie, and how many entries are looked at: enough
/// for an unpacked wheel or a hub cache, little enough for `--from /` to end.
const DEPTH: usize = 4;
const ENTRIES: usize = 20_000;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// The pinned file was there already.
    Present,
    Copied,
    Downloaded,
}

/// How far a file is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    pub file: &'a str,
    pub done: u64,
    pub size: u64,
}

/// Brings the default model's files to `models_dir`: from the folder `from` (or folders below it),
/// else from the hub. Files that are there and verified are left alone, unless `force`. Gives each
/// file's name and what became of it.
pub async fn fetch(
    models_dir: &Path,
    from: Option<&Path>,
    force: bool,
    progress: impl FnMut(Progress<'_>),
) -> Result<Vec<(String, Fetched)>, ModelError> {
    let source = from.map_or(Source::Hub(HUB), Source::Folder);
    fetch_model(files::model(DEFAULT)?, models_dir, source, force, progress).await
}

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    /// Base address.
    Hub(&'a str),
    Folder(&'a Path),
}

async fn fetch_model(
    model: &Model,
    models_dir: &Path,
    source: Source<'_>,
    force: bool,
    mut progress: impl FnMut(Progress<'_>),
) -> Result<Vec<(String, Fetched)>, ModelError> {
    let mut done = Vec::with_capacity(model.files.len());
    for file in &model.files {
        let target = model.path(models_dir, file);
        let became = if !force && file.verify(&target).is_ok() {
            Fetched::Present
        } else {
            create_folder(&model.folder(models_dir))?;
            match source {
                Source::Folder(folder) => {
                    copy(file, folder, &target, &mut progress)?;
                    Fetched::Copied
                }
                Source::Hub(base) => {
                    let (repository, revision) = (&model.repository, &model.revision);
                    let url = format!("{base}/{repository}/resolve/{revision}/{}", file.name);
                    download(file, &url, &target, &mut progress).await?;
                    Fetched::Downloaded
                }
            }
        };
        done.push((file.name.clone(), became));
    }
    Ok(done)
}

/// The first file of that name below `folder` that is the pinned one. A folder may hold others of
/// the same name: a wheel of this model has two `config.json`.
fn copy(
    file: &ModelFile,
    folder: &Path,
    target: &Path,
    progress: &mut impl FnMut(Progress<'_>),
) -> Result<(), ModelError> {
    for path in candidates(folder, &file.name)? {
        if file.verify(&path).is_ok() {
            let bytes = std::fs::read(&path).map_err(io(&path))?;
            let mut partial = Partial::beside(target, file)?;
            partial.write(&bytes, progress)?;
            return partial.keep().map_err(|reason| io(&path)(std::io::Error::other(reason)));
        }
    }
    Err(ModelError::NotInFolder { folder: folder.to_owned(), file: file.name.clone() })
}

/// Files of that name in `folder` and below, the nearest first. Only the folder itself must be
/// readable.
fn candidates(folder: &Path, name: &str) -> Result<Vec<PathBuf>, ModelError> {
    std::fs::read_dir(folder).map_err(io(folder))?;
    let (mut found, mut level, mut entries) = (Vec::new(), vec![folder.to_owned()], 0);
    for _ in 0..=DEPTH {
        let mut below = Vec::new();
        for folder in level {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                entries += 1;
                if entries > ENTRIES {
                    return Ok(found);
                }
                let path = entry.path();
                if path.is_dir() {
                    below.push(path);
                } else if entry.file_name() == name {
                    found.push(path);
                }
            }
        }
        below.sort();
        level = below;
    }
    Ok(found)
}

async fn download(
    file: &ModelFile,
    url: &str,
    target: &Path,
    progress: &mut impl FnMut(Progress<'_>),
) -> Result<(), ModelError> {
    let unreachable = |error: &dyn std::error::Error| ModelError::Unreachable {
        url: url.to_owned(),
        reason: root_cause(error),
    };
    // An error says that the process has a provider already, which does as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build()
        .map_err(|error| unreachable(&error))?;
    let response = client.get(url).send().await.map_err(|error| unreachable(&error))?;
    if !response.status().is_success() {
        let status = response.status().as_u16();
        return Err(ModelError::Refused { url: url.to_owned(), status });
    }
    let wrong = |reason| ModelError::WrongDownload { url: url.to_owned(), reason };
    let mut partial = Partial::beside(target, file)?;
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| unreachable(&error))?;
        if partial.written + chunk.len() as u64 > file.size {
            return Err(wrong(format!("it has more than {} bytes", file.size)));
        }
        partial.write(&chunk, progress)?;
    }
    partial.keep().map_err(wrong)
}

/// A file on its way. Dropped, it is deleted.
struct Partial<'a> {
    file: &'a ModelFile,
    target: &'a Path,
    temporary: NamedTempFile,
    hash: Sha256,
    written: u64,
}

impl<'a> Partial<'a> {
    /// In the target's own folder, so that the last step is a rename; readable by its owner only.
    fn beside(target: &'a Path, file: &'a ModelFile) -> Result<Self, ModelError> {
        let folder = target.parent().unwrap_or(Path::new("."));
        let temporary =
            tempfile::Builder::new().prefix(".partial-").tempfile_in(folder).map_err(io(folder))?;
        Ok(Self { file, target, temporary, hash: Sha256::new(), written: 0 })
    }

    fn write(
        &mut self,
        bytes: &[u8],
        progress: &mut impl FnMut(Progress<'_>),
    ) -> Result<(), ModelError> {
        self.temporary.write_all(bytes).map_err(io(self.target))?;
        self.hash.update(bytes);
        self.written += bytes.len() as u64;
        progress(Progress { file: &self.file.name, done: self.written, size: self.file.size });
        Ok(())
    }

    /// Gives the file its name, if it is the pinned one; else says why not.
    fn keep(self) -> Result<(), String> {
        let found = hex(&self.hash.finalize());
        if found != self.file.sha256 {
            return Err(format!("SHA-256 {found} instead of {}", self.file.sha256));
        }
        // On disk before it has its name: a crash must not leave a named file without its bytes.
        self.temporary.as_file().sync_all().map_err(|error| error.to_string())?;
        self.temporary.persist(self.target).map_err(|error| error.to_string())?;
        Ok(())
    }
}

fn create_folder(folder: &Path) -> Result<(), ModelError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(io(folder))
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> ModelError {
    |source| ModelError::Io { path: path.to_owned(), source }
}

/// The innermost error: reqwest's own sentence says no more than that sending failed.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
