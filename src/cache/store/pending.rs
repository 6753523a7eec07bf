//! What waits to be written: bounded in number and in bytes, except for what somebody waits
//! for and what must not come back.
//! Putting something here never waits for the disk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::Fault;
use crate::cache::negatives::Pair;
use crate::cache::{CacheKey, Entry, Purge};
use crate::now::Now;

/// Changes that may wait.
const LIMIT: usize = 8192;
/// Bytes of entries that may wait, as [`Entry::bytes`] counts them.
const BYTES: usize = 64 << 20;

/// A change of the file.
#[derive(Debug)]
pub(super) enum Change {
    Put(Arc<Entry>),
    Remove(Vec<(CacheKey, String)>),
    /// As `Remove`, but owed until it is done.
    Withdraw(Vec<(CacheKey, String)>),
    /// Entries that are to lose their vectors; owed as well.
    Strip(Vec<(CacheKey, String)>),
    /// The names of all learnt states that are to stay.
    KeepStates(Vec<String>),
    /// Pairs of questions to be kept apart.
    Apart(Vec<Pair>),
    /// Hits of entries.
    Touch(Vec<(CacheKey, u64)>),
    /// Rows that are no entries, and rows whose vector is no use.
    Discard {
        rows: Vec<i64>,
        vectors: Vec<i64>,
    },
    Purge(PurgeOrder),
    /// What a reader found wrong with the file.
    Report(Fault),
    /// Answered when all before it is committed; whether all of it was.
    Flush(SyncSender<bool>),
}

/// A purge, and who waits for it.
#[derive(Debug)]
pub(super) struct PurgeOrder {
    pub what: Purge,
    pub now: Now,
    /// Ids of what was removed, or why the file may still hold them.
    pub done: SyncSender<Result<Vec<String>, String>>,
}

/// Changes in order, and the newest of each learnt state.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub changes: VecDeque<Change>,
    pub states: BTreeMap<String, Vec<u8>>,
    pub closing: bool,
    bytes: usize,
}

impl Work {
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.states.is_empty()
    }
}

#[derive(Debug, Default)]
pub(super) struct Pending {
    work: Mutex<Work>,
    changed: Condvar,
}

impl Pending {
    /// Whether there was room.
    pub fn push(&self, change: Change) -> bool {
        let bytes = match &change {
            Change::Put(entry) => entry.bytes(),
            _ => 0,
        };
        let must = matches!(
            change,
            Change::Purge(_)
                | Change::Flush(_)
                | Change::Withdraw(_)
                | Change::Strip(_)
                | Change::KeepStates(_)
                | Change::Apart(_)
        );
        let mut work = self.lock();
        let is_full = work.changes.len() >= LIMIT || work.bytes + bytes > BYTES;
        if work.closing || (is_full && !must) {
            return false;
        }
        work.bytes += bytes;
        work.changes.push_back(change);
        drop(work);
        self.changed.notify_one();
        true
    }

    /// Keeps the newest bytes of that name.
    pub fn save(&self, name: &str, bytes: Vec<u8>) {
        self.lock().states.insert(name.to_owned(), bytes);
        self.changed.notify_one();
    }

    /// Everything that waits, as soon as there is something, at the latest after `patience`.
    pub fn take(&self, patience: Duration) -> Work {
        let idle = |work: &mut Work| work.is_empty() && !work.closing;
        let waited = self.changed.wait_timeout_while(self.lock(), patience, idle);
        let (mut work, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let closing = work.closing;
        let taken = std::mem::take(&mut *work);
        work.closing = closing;
        taken
    }

    pub fn len(&self) -> usize {
        self.lock().changes.len()
    }

    /// Nothing further is taken in.
    pub fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
