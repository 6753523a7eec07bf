//! The file of a gateway that does not run, as the commands see it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::fault::Fault;
use super::file::File;
use super::reader::Reader;
use super::{FILE, files, size, writer};
use crate::cache::Purge;
use crate::now::Now;

/// The file, locked for as long as this lives.
#[derive(Debug)]
pub struct Offline {
    path: PathBuf,
    _lock: std::fs::File,
}

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OfflineStats {
    pub file: PathBuf,
    pub bytes: u64,
    pub entries: u64,
    pub vectors: u64,
    pub state_bytes: u64,
}

impl Offline {
    /// Takes hold of the file in `folder`; `None` if there is none.
    ///
    /// # Errors
    /// [`Fault::Held`] while a gateway holds it.
    pub fn open(folder: &Path) -> Result<Option<Self>, Fault> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let lock = writer::lock(&folder.join("cache.lock"))?;
        Ok(Some(Self { path, _lock: lock }))
    }

    pub fn stats(&self) -> Result<OfflineStats, Fault> {
        let [entries, vectors, state_bytes] = Reader::open(&self.path, None)?.counts()?;
        let bytes = files(&self.path).iter().map(|path| size(path)).sum();
        Ok(OfflineStats { file: self.path.clone(), bytes, entries, vectors, state_bytes })
    }

    /// Removes what `what` selects, for good, and returns how many entries that were.
    pub fn purge(&self, what: &Purge, now: Now) -> Result<usize, Fault> {
        let mut file = File::open(&self.path, u64::MAX)?;
        let purged = writer::purge(&mut file, what, now, Duration::MAX)?.len();
        file.settle()?;
        Ok(purged)
    }
}
