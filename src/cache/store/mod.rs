//! Answers on disk: `cache.db` in the cache folder of this user (0600).
//!
//! The file follows memory, never the other way round, except once: at the start. Writing happens on
//! a thread of its own (`writer`) behind a bounded queue (`pending`); a full queue, a full disk or a
//! file that another process holds means that nothing is kept there, never that a request fails or
//! waits. A record is served only if it proves to be what was written (`record`). No SQLite leaves
//! this folder (`file` and `batch` have all of it).
//!
//! Which entries memory holds, and what happens at the start, is `cache::keeper`'s business.

mod batch;
mod fault;
mod file;
mod offline;
mod pending;
mod reader;
mod record;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use super::negatives::Pair;
use super::{CacheKey, Entry, Purge};
use crate::now::Now;
use pending::{Change, Pending, PurgeOrder};
use writer::Writer;

pub use fault::Fault;
pub use offline::{Offline, OfflineStats};
pub use reader::{Batch, Reader};
pub use record::Rejected;

/// Name of the file in its folder.
pub const FILE: &str = "cache.db";
/// How long a purge waits for the file before it removes it whole: more than any purge takes on a
/// disk that works.
const PURGE_PATIENCE: Duration = Duration::from_secs(15);

/// The file, as the cache sees it.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    path: PathBuf,
    /// Identity of the embedder whose vectors are of use; `None` without one.
    embedder: Option<String>,
    max_bytes: u64,
    pending: Pending,
    /// Milliseconds for which an expired entry is kept.
    grace_ms: AtomicU64,
    kept: Mutex<Kept>,
    /// How often the file was opened.
    opened: AtomicU64,
    /// The file was removed under the writer.
    is_forgotten: AtomicBool,
    written: AtomicU64,
    lost: AtomicU64,
    rejected: AtomicU64,
    renewed: AtomicU64,
    failures: AtomicU64,
}

/// Where answers are kept at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    InFile,
    /// In memory only, until the other process ends.
    HeldByAnother,
    /// In memory only, until the file can be used again.
    Failing(String),
}

/// What the file holds and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct StoreStats {
    /// Whether answers are kept in the file at present.
    pub is_open: bool,
    /// Bytes of the file and its log.
    pub bytes: u64,
    /// Changes that wait to be written.
    pub queued: u64,
    /// Entries written.
    pub written: u64,
    /// Entries that were not written when they should have been; memory offers them again.
    pub lost: u64,
    /// Records that were no entries, or expired ones, and were dropped.
    pub rejected: u64,
    /// Times that a damaged file was begun anew.
    pub renewed: u64,
    /// Times that the file failed while in use.
    pub failures: u64,
}

impl Store {
    /// Opens `cache.db` in `folder` and starts its thread. A file that cannot be used now is tried
    /// again later; [`Self::kept`] says how things stand. Vectors that `embedder` did not make are
    /// dropped.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(folder: &Path, embedder: Option<&str>, max_bytes: u64) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(folder, embedder, max_bytes));
        let writer = Writer::new(Arc::clone(&shared));
        let name = "cache-file".to_owned();
        let thread = std::thread::Builder::new().name(name).spawn(move || writer.run())?;
        Ok(Self { shared, writer: Mutex::new(Some(thread)) })
    }

    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    pub fn kept(&self) -> Kept {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often the file was opened; grows when one that could not be used can be used again.
    pub fn opened(&self) -> u64 {
        self.shared.opened.load(Ordering::Acquire)
    }

    /// Keeps an entry, in place of the one of its key. Never waits; what finds no room is counted.
    /// Whether there was room.
    pub fn put(&self, entry: Arc<Entry>) -> bool {
        let is_taken = self.shared.pending.push(Change::Put(entry));
        if !is_taken {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
        is_taken
    }

    /// Removes entries that memory gave up. Whether there was room for the order.
    pub fn remove(&self, entries: Vec<(CacheKey, String)>) -> bool {
        self.shared.pending.push(Change::Remove(entries))
    }

    /// Removes entries that are not to come back. The order is always taken, and one that fails is
    /// repeated when the file can be used again.
    pub fn withdraw(&self, entries: Vec<(CacheKey, String)>) {
        if !entries.is_empty() {
            self.shared.pending.push(Change::Withdraw(entries));
        }
    }

    /// Removes the vectors of entries: from now on they are for the exact level only. The order is
    /// taken and repeated as that of [`Self::withdraw`].
    pub fn strip(&self, entries: Vec<(CacheKey, String)>) {
        if !entries.is_empty() {
            self.shared.pending.push(Change::Strip(entries));
        }
    }

    /// From now on entries that expired are kept for so long.
    pub fn keep_expired(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.shared.grace_ms.store(millis, Ordering::Relaxed);
    }

    /// Notes how often entries were served. Whether there was room for the note.
    pub fn touch(&self, hits: Vec<(CacheKey, u64)>) -> bool {
        self.shared.pending.push(Change::Touch(hits))
    }

    /// Drops what a reader found to be of no use.
    pub fn discard(&self, rows: Vec<i64>, vectors: Vec<i64>) {
        self.shared.rejected.fetch_add(rows.len() as u64, Ordering::Relaxed);
        if !rows.is_empty() || !vectors.is_empty() {
            self.shared.pending.push(Change::Discard { rows, vectors });
        }
    }

    /// Tells of a fault that a reader met; a damaged file is begun anew.
    pub fn report(&self, fault: Fault) {
        self.shared.pending.push(Change::Report(fault));
    }

    /// Puts a purge in line behind what was put before it; [`OpenPurge::wait`] waits for it.
    pub fn purge(&self, what: Purge, now: Now) -> OpenPurge {
        let (done, answer) = sync_channel(1);
        let is_closed = !self.shared.pending.push(Change::Purge(PurgeOrder { what, now, done }));
        OpenPurge { shared: Arc::clone(&self.shared), answer, is_closed }
    }

    /// Keeps a learnt state: the newest bytes of a name replace the older ones.
    pub fn save_state(&self, name: &str, bytes: Vec<u8>) {
        self.shared.pending.save(name, bytes);
    }

    /// Drops every learnt state but those of these names.
    pub fn keep_states(&self, names: Vec<String>) {
        self.shared.pending.push(Change::KeepStates(names));
    }

    /// Keeps these pairs of questions apart, in later runs too. The order is always taken.
    pub fn keep_apart(&self, pairs: Vec<Pair>) {
        self.shared.pending.push(Change::Apart(pairs));
    }

    /// Reads the file beside its writer.
    ///
    /// # Errors
    /// The file is not ours at present, or cannot be read.
    pub fn reader(&self) -> Result<Reader, Fault> {
        match self.kept() {
            Kept::InFile => Reader::open(&self.shared.path, self.shared.embedder.as_deref())
                .map(|reader| reader.with_grace(self.shared.grace())),
            Kept::HeldByAnother => Err(Fault::Held),
            Kept::Failing(why) => Err(Fault::Io(why)),
        }
    }

    /// Waits until all that was put so far is committed; whether it was, in time.
    pub fn flush(&self, patience: Duration) -> bool {
        let (done, answer) = sync_channel(1);
        let asked = self.shared.pending.push(Change::Flush(done));
        asked && answer.recv_timeout(patience) == Ok(true)
    }

    /// Writes what waits and closes the file; gives up after `patience`. Whether it was in time.
    pub fn close(&self, patience: Duration) -> bool {
        let in_time = self.flush(patience);
        self.shared.pending.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && (in_time || self.kept() != Kept::InFile)
        {
            // A writer that panicked has told so itself.
            _ = writer.join();
        }
        in_time
    }

    pub fn stats(&self) -> StoreStats {
        let shared = &self.shared;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreStats {
            is_open: self.kept() == Kept::InFile,
            bytes: shared.files().iter().map(|path| size(path)).sum(),
            queued: shared.pending.len() as u64,
            written: read(&shared.written),
            lost: read(&shared.lost),
            rejected: read(&shared.rejected),
            renewed: read(&shared.renewed),
            failures: read(&shared.failures),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close(Duration::from_secs(5));
    }
}

/// A purge that is under way, whether or not somebody waits for it.
#[derive(Debug)]
pub struct OpenPurge {
    shared: Arc<Shared>,
    answer: std::sync::mpsc::Receiver<Result<Vec<String>, String>>,
    is_closed: bool,
}

impl OpenPurge {
    /// Waits for so long at most; the purge goes on whatever comes of it.
    pub fn wait_for(self, patience: Duration) {
        if !self.is_closed {
            _ = self.answer.recv_timeout(patience);
        }
    }

    /// Waits until nothing that was purged can come back, also after a crash, and returns the ids
    /// of what the file held of it. A file that does not answer in time is removed whole.
    ///
    /// # Errors
    /// Why the file may still hold purged entries.
    pub fn wait(self) -> Result<Vec<String>, String> {
        if self.is_closed {
            return Err("the gateway is stopping".to_owned());
        }
        match self.answer.recv_timeout(PURGE_PATIENCE) {
            Ok(done) => done,
            Err(_) => {
                self.shared.is_forgotten.store(true, Ordering::Release);
                self.shared.forget_file().map(|()| Vec::new()).map_err(|fault| fault.to_string())
            }
        }
    }
}

impl Shared {
    fn new(folder: &Path, embedder: Option<&str>, max_bytes: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            path: folder.join(FILE),
            embedder: embedder.map(str::to_owned),
            max_bytes,
            pending: Pending::default(),
            grace_ms: AtomicU64::new(0),
            kept: Mutex::new(Kept::Failing("it was not opened yet".to_owned())),
            opened: AtomicU64::new(0),
            is_forgotten: AtomicBool::new(false),
            written: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            renewed: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    fn set(&self, kept: Kept) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }

    fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms.load(Ordering::Relaxed))
    }

    fn lock_path(&self) -> PathBuf {
        self.folder.join("cache.lock")
    }

    /// The file first: SQLite does away with a log that has no file, but would read one that has.
    fn files(&self) -> [PathBuf; 3] {
        files(&self.path)
    }

    /// Removes the file from the disk. It works where there is no space left for anything else; a
    /// writer that still holds it open writes into nothing.
    fn forget_file(&self) -> Result<(), Fault> {
        for path in self.files() {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        // The names must be gone from the disk too before anybody is told so.
        Ok(std::fs::File::open(&self.folder)?.sync_all()?)
    }
}

/// The file, its log, and the index of its log.
fn files(path: &Path) -> [PathBuf; 3] {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    [path.to_owned(), beside("-wal"), beside("-shm")]
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// For a sentence: where answers are kept.
impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InFile => f.write_str("open"),
            Self::HeldByAnother => f.write_str("held by another process"),
            Self::Failing(why) => write!(f, "not usable ({why})"),
        }
    }
}
