//! Memory and file kept alike: entries come back from the file at the start, and from then on the
//! file follows memory.
//!
//! At the start the gateway serves at once. A request whose exact key is not in memory yet asks the
//! file for it, and waits for a moment at most, while everything is read in the background. Later
//! the file is compared with memory now and then: what memory gave up leaves the file, and what the
//! file missed (its queue or the disk was full, it was begun anew) is offered to it again.
//!
//! Here: what the cache asks of the file, and the thread. `warm` reads the file at the start,
//! `gate` keeps out what was taken out meanwhile, `follow` makes the file hold what memory holds.

mod follow;
mod gate;
mod warm;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::learn::Minds;
use super::levels::Levels;
use super::negatives::{Negatives, Pair};
use super::store::{OpenPurge, Store};
use super::{CacheKey, Entry, Purge};
use crate::now::Now;
use gate::Gate;

/// Requests that may wait for a key.
const QUEUE: usize = 256;
/// How long a request waits for the file: little beside an upstream call, much beside a read.
const PATIENCE: Duration = Duration::from_millis(20);
const TICK: Duration = Duration::from_secs(1);
/// Between two comparisons of file and memory.
const SWEEP: Duration = Duration::from_secs(30);
/// How long a withdrawal waits for the file. It stands without; but whoever complained of an answer
/// should not meet it again because the process died the moment after.
const COURTESY: Duration = Duration::from_secs(1);
/// How long a stop waits for the file.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The file of a cache, and the thread that keeps it and memory alike.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    messages: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    levels: Arc<Levels>,
    minds: Arc<Minds>,
    negatives: Arc<Negatives>,
    /// Held for reading by whoever stores, for writing by whoever takes out: a removal falls between
    /// two entries, never between an entry's place in memory and its place in the file.
    gate: RwLock<Gate>,
    /// What was learnt in earlier runs is here, so that writing it down loses nothing.
    has_learnt: AtomicBool,
    /// Everything that the file held was read.
    is_warm: AtomicBool,
    /// Told when it was, or when it never will be.
    warmed: (Mutex<()>, Condvar),
}

enum Message {
    /// Somebody waits for the entry of that key.
    Find(CacheKey, oneshot::Sender<()>),
    Close,
}

/// Proof that no purge is under way.
pub(super) struct Storing<'k> {
    shared: &'k Shared,
    _gate: RwLockReadGuard<'k, Gate>,
}

impl Storing<'_> {
    /// Puts an entry on its way to the file.
    pub fn put(&self, entry: Arc<Entry>) {
        self.shared.store.put(entry);
    }
}

impl Keeper {
    /// Begins to read the file into the levels.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(
        store: Store,
        levels: Arc<Levels>,
        minds: Arc<Minds>,
        negatives: Arc<Negatives>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            store,
            levels,
            minds,
            negatives,
            gate: RwLock::default(),
            is_warm: AtomicBool::new(false),
            has_learnt: AtomicBool::new(false),
            warmed: Default::default(),
        });
        // What was learnt comes before the entries that it is about, and before the first request.
        shared.recall();
        let (messages, waiting) = sync_channel(QUEUE);
        let work = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("cache-keeper".into());
        let thread = thread.spawn(move || work.run(&waiting))?;
        Ok(Self { shared, messages, thread: Some(thread) })
    }

    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Whether the file still holds entries that memory has not seen.
    pub fn is_warming(&self) -> bool {
        !self.shared.is_warm.load(Ordering::Acquire) && self.shared.store.opened() > 0
    }

    /// Brings the entry of that key into memory, if the file has it and is quick. Whether to look
    /// again.
    pub async fn fetch(&self, key: &CacheKey) -> bool {
        if !self.is_warming() {
            return false;
        }
        let (done, found) = oneshot::channel();
        let asked = self.messages.try_send(Message::Find(*key, done)).is_ok();
        asked && matches!(tokio::time::timeout(PATIENCE, found).await, Ok(Ok(())))
    }

    /// What is stored while this is held is stored before or after any purge, not during one.
    pub fn storing(&self) -> Storing<'_> {
        Storing { shared: &self.shared, _gate: self.shared.read() }
    }

    /// Purges memory with `remove`, and the file. Returns the ids of what memory and file held.
    ///
    /// # Errors
    /// Ids as above, and why the file may still hold purged entries.
    pub fn purge(
        &self,
        what: &Purge,
        now: Now,
        remove: impl FnOnce() -> Vec<Arc<Entry>>,
    ) -> Result<Vec<String>, (Vec<String>, String)> {
        let (mut ids, open) = self.begin_purge(what, now, remove);
        match open.wait() {
            Ok(more) => {
                ids.extend(more);
                Ok(ids)
            }
            Err(why) => Err((ids, why)),
        }
    }

    /// Purges memory, and the file moments later; waits a second at most for it. Returns the ids of
    /// what memory held.
    pub fn withdraw(
        &self,
        what: &Purge,
        now: Now,
        remove: impl FnOnce() -> Vec<Arc<Entry>>,
    ) -> Vec<String> {
        let (ids, open) = self.begin_purge(what, now, remove);
        open.wait_for(COURTESY);
        ids
    }

    /// Takes entries out of memory with `remove`, and out of the file moments later; those of them
    /// that only the file holds so far never come to memory.
    pub fn retire(&self, numbers: &[u64], remove: impl FnOnce() -> Vec<Arc<Entry>>) {
        let mut gate = self.shared.write();
        let removed = remove();
        if !self.shared.is_warm.load(Ordering::Acquire) {
            gate.retire(numbers, Now::read());
        }
        self.shared.store.withdraw(names(&removed));
    }

    /// Takes the entry of that number out of the semantic level with `remove`; in the file it loses
    /// its vector, so that it does not come back to that level.
    pub fn supersede(&self, number: u64, remove: impl FnOnce() -> Vec<Arc<Entry>>) {
        let mut gate = self.shared.write();
        let removed = remove();
        if !self.shared.is_warm.load(Ordering::Acquire) {
            gate.supersede(number, Now::read());
        }
        self.shared.store.strip(names(&removed));
    }

    /// Keeps two questions apart in later runs too.
    pub fn keep_apart(&self, pair: Pair) {
        self.shared.store.keep_apart(vec![pair]);
    }

    fn begin_purge(
        &self,
        what: &Purge,
        now: Now,
        remove: impl FnOnce() -> Vec<Arc<Entry>>,
    ) -> (Vec<String>, OpenPurge) {
        let mut gate = self.shared.write();
        let ids = remove().into_iter().map(|entry| entry.id.clone()).collect();
        if !self.shared.is_warm.load(Ordering::Acquire) {
            gate.purge(what, now);
        }
        // In line before the next entry can be.
        (ids, self.shared.store.purge(what.clone(), now))
    }

    /// Waits until everything in the file is in memory, and what memory had to say is in the file.
    pub fn flush(&self) {
        let (lock, warmed) = &self.shared.warmed;
        let mut idle = lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.is_warming() && self.thread.as_ref().is_some_and(|it| !it.is_finished()) {
            let waited = warmed.wait_timeout(idle, TICK);
            (idle, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        drop(idle);
        self.shared.store.flush(LAST_WORDS);
    }

    /// Writes what waits and closes the file, within seconds even if it does not answer.
    pub fn close(&self) {
        // A keeper whose queue is full sees the next tick; a second close finds nobody.
        _ = self.messages.try_send(Message::Close);
        self.shared.note_hits(&mut HashMap::new());
        self.shared.note_minds();
        self.shared.store.close(LAST_WORDS);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        _ = self.messages.send(Message::Close);
        if let Some(thread) = self.thread.take() {
            // A keeper that panicked has told so itself.
            _ = thread.join();
        }
        self.close();
    }
}

impl Shared {
    fn run(&self, messages: &Receiver<Message>) {
        let mut swept = Now::read().mono;
        let mut noted = HashMap::new();
        // The opening of the file after which all that was learnt was written down.
        let mut opened = self.store.opened();
        loop {
            if !self.is_warm.load(Ordering::Acquire) && self.store.opened() > 0 {
                if self.warm(messages) {
                    return;
                }
                self.note_hits(&mut noted);
            }
            if self.is_warm.load(Ordering::Acquire) && self.store.opened() != opened {
                // It was another process's so far, or failed, or was begun anew.
                opened = self.store.opened();
                self.note_all();
            }
            match messages.recv_timeout(TICK) {
                Ok(Message::Find(_, done)) => drop(done),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Now::read();
            let is_warm = self.is_warm.load(Ordering::Acquire);
            if is_warm && now.mono.saturating_duration_since(swept) >= SWEEP {
                swept = now.mono;
                self.note_hits(&mut noted);
                self.note_minds();
                if let Err(fault) = self.compare(now) {
                    tracing::debug!(%fault, "the cache's file was not compared with memory");
                }
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Gate> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Gate> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entries as the file calls them.
fn names(entries: &[Arc<Entry>]) -> Vec<(CacheKey, String)> {
    entries.iter().map(|entry| (entry.key, entry.id.clone())).collect()
}

#[cfg(test)]
mod tests;
