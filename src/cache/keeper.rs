//! Memory and file kept alike: entries come back from the file at the start, and from then on the
//! file follows memory.
//!
//! At the start the gateway serves at once. A request whose exact key is not in memory yet asks the
//! file for it, and waits for a moment at most, while everything is read in the background. Later
//! the file is compared with memory now and then: what memory gave up leaves the file, and what the
//! file missed (its queue or the disk was full, it was begun anew) is offered to it again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::exact::Exact;
use super::learn::{self, Minds};
use super::semantic::Semantic;
use super::store::{Fault, Kept, OpenPurge, Reader, Store};
use super::{CacheKey, Entry, Purge};
use crate::now::Now;

/// Rows read between two looks at who asks for a key: a millisecond's work.
const SLICE: usize = 64;
/// Requests that may wait for a key.
const QUEUE: usize = 256;
/// How long a request waits for the file: little beside an upstream call, much beside a read.
const PATIENCE: Duration = Duration::from_millis(20);
const TICK: Duration = Duration::from_secs(1);
/// Between two comparisons of file and memory.
const SWEEP: Duration = Duration::from_secs(30);
/// An entry younger than this may still be on its way to the file.
const SETTLED: Duration = Duration::from_secs(10);
/// Names in one order to the file.
const CHUNK: usize = 1024;
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
    exact: Option<Arc<Exact>>,
    semantic: Option<Arc<Semantic>>,
    minds: Arc<Minds>,
    /// Held for reading by whoever stores, for writing by whoever purges: a purge falls between two
    /// entries, never between an entry's place in memory and its place in the file. It holds the
    /// purges that entries still to be read have to pass.
    gate: RwLock<Vec<(Purge, Now)>>,
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
    _gate: RwLockReadGuard<'k, Vec<(Purge, Now)>>,
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
        exact: Option<Arc<Exact>>,
        semantic: Option<Arc<Semantic>>,
        minds: Arc<Minds>,
    ) -> std::io::Result<Self> {
        // What was learnt comes before the entries that it is about.
        let unusable = minds.restore(store.states());
        if unusable > 0 {
            tracing::warn!(
                unusable,
                "what was learnt of some traffic is another version's; it is learnt anew"
            );
        }
        let shared = Arc::new(Shared {
            store,
            exact,
            semantic,
            minds,
            gate: RwLock::default(),
            is_warm: AtomicBool::new(false),
            warmed: Default::default(),
        });
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

    /// Purges memory, and the file moments later. Returns the ids of what memory held.
    pub fn withdraw(
        &self,
        what: &Purge,
        now: Now,
        remove: impl FnOnce() -> Vec<Arc<Entry>>,
    ) -> Vec<String> {
        self.begin_purge(what, now, remove).0
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
            gate.push((what.clone(), now));
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
        loop {
            if !self.is_warm.load(Ordering::Acquire) && self.store.opened() > 0 {
                if self.warm(messages) {
                    return;
                }
                self.note_hits(&mut noted);
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

    /// Writes down what was learnt since the last time.
    fn note_minds(&self) {
        for (name, bytes) in self.minds.changed() {
            self.store.save_state(&name, bytes);
        }
    }

    /// Reads the whole file into memory, and first what somebody waits for. Whether to stop.
    fn warm(&self, messages: &Receiver<Message>) -> bool {
        let begun = Now::read().mono;
        let mut restored = 0;
        match self.read_all(messages, &mut restored) {
            Ok(true) => return true,
            Ok(false) => {}
            Err(fault) => {
                tracing::warn!(%fault, restored, "the cache's file could not be read to its end");
                self.store.report(fault);
            }
        }
        let mut gate = self.write();
        self.is_warm.store(true, Ordering::Release);
        gate.clear();
        drop(gate);
        if let Some(semantic) = &self.semantic {
            // Entries that expired or were dropped meanwhile leave their groups.
            let here = semantic.all().iter().map(|entry| learn::number(&entry.id)).collect();
            self.minds.keep_only(&here);
        }
        self.warmed.1.notify_all();
        let took_ms = Now::read().mono.duration_since(begun).as_millis() as u64;
        tracing::info!(entries = restored, took_ms, "answers of an earlier run are back");
        false
    }

    fn read_all(&self, messages: &Receiver<Message>, restored: &mut usize) -> Result<bool, Fault> {
        let reader = self.store.reader()?;
        let mut from = None;
        loop {
            if self.answer(&reader, messages) {
                return Ok(true);
            }
            let (entries, next) = self.slice(&reader, from)?;
            *restored += entries;
            if next.is_none() {
                return Ok(false);
            }
            from = next;
        }
    }

    /// One batch of rows into memory: how many entries, and where the next one begins.
    fn slice(&self, reader: &Reader, from: Option<i64>) -> Result<(usize, Option<i64>), Fault> {
        let batch = reader.batch(from, SLICE, Now::read())?;
        let next = batch.next;
        let entries = batch.entries.len();
        self.restore(batch.entries);
        self.store.discard(batch.rejected, batch.vectors);
        Ok((entries, next))
    }

    /// Serves those who wait for a key. Whether to stop.
    fn answer(&self, reader: &Reader, messages: &Receiver<Message>) -> bool {
        while let Ok(message) = messages.try_recv() {
            match message {
                Message::Close => return true,
                Message::Find(key, done) => {
                    // A fault shows again in the pass over all rows.
                    if let Ok(Some(entry)) = reader.find(&key, Now::read()) {
                        self.restore(vec![entry]);
                        _ = done.send(());
                    }
                }
            }
        }
        false
    }

    /// Puts entries of the file into memory, except where memory knows better: a purge, or a newer
    /// entry of the same key.
    fn restore(&self, entries: Vec<Entry>) {
        let purges = self.read();
        for entry in entries {
            let is_purged = |(what, at): &(Purge, Now)| {
                entry.stored.wall <= at.wall && what.selects(&entry, *at)
            };
            if purges.iter().any(is_purged) {
                continue;
            }
            let entry = Arc::new(entry);
            if let Some(exact) = &self.exact {
                exact.restore(Arc::clone(&entry));
            }
            if let Some(semantic) = &self.semantic
                && entry.vector.is_some()
            {
                semantic.restore(entry);
            }
        }
    }

    /// Every fresh entry of either level; of two with the same key, the newer.
    fn resident(&self, now: Now) -> HashMap<CacheKey, Arc<Entry>> {
        let exact = self.exact.iter().flat_map(|exact| exact.all());
        let semantic = self.semantic.iter().flat_map(|semantic| semantic.all());
        let mut resident = HashMap::<CacheKey, Arc<Entry>>::new();
        for entry in exact.chain(semantic).filter(|entry| entry.is_fresh(now)) {
            let known = resident.entry(entry.key).or_insert_with(|| Arc::clone(&entry));
            if known.stored.wall < entry.stored.wall {
                *known = entry;
            }
        }
        resident
    }

    /// Makes the file hold what memory holds.
    fn compare(&self, now: Now) -> Result<(), Fault> {
        if self.store.kept() != Kept::InFile {
            return Ok(());
        }
        // In this order: what came in between is in memory, and at worst written twice.
        let mut in_file: HashMap<CacheKey, String> =
            self.store.reader()?.names()?.into_iter().collect();
        let resident = self.resident(now);
        let missing: Vec<&Arc<Entry>> = resident
            .values()
            .filter(|entry| in_file.get(&entry.key) != Some(&entry.id) && entry.age(now) > SETTLED)
            .collect();
        for entries in missing.chunks(CHUNK) {
            let storing = self.read();
            for entry in entries.iter().filter(|entry| self.holds(entry)) {
                self.store.put(Arc::clone(entry));
            }
            drop(storing);
        }
        in_file.retain(|key, id| resident.get(key).is_none_or(|entry| entry.id != *id));
        let gone: Vec<(CacheKey, String)> = in_file.into_iter().collect();
        for entries in gone.chunks(CHUNK) {
            self.store.remove(entries.to_vec());
        }
        Ok(())
    }

    /// Whether memory holds that very entry.
    fn holds(&self, entry: &Entry) -> bool {
        let is_it = |found: Arc<Entry>| found.id == entry.id;
        self.exact.as_ref().and_then(|exact| exact.get(&entry.key)).is_some_and(is_it)
            || self.semantic.as_ref().and_then(|it| it.get(&entry.key)).is_some_and(is_it)
    }

    /// Tells the file how often entries were of use, where that changed.
    fn note_hits(&self, noted: &mut HashMap<CacheKey, u64>) {
        let resident = self.resident(Now::read()).into_values();
        let counted = resident.map(|entry| (entry.key, entry.hits.load(Ordering::Relaxed)));
        let hits: HashMap<CacheKey, u64> = counted.filter(|(_, hits)| *hits > 0).collect();
        let is_news = |hit: &(CacheKey, u64)| noted.get(&hit.0) != Some(&hit.1);
        let news = hits.iter().map(|(key, count)| (*key, *count)).filter(is_news);
        let changed: Vec<(CacheKey, u64)> = news.collect();
        for part in changed.chunks(CHUNK) {
            self.store.touch(part.to_vec());
        }
        *noted = hits;
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<(Purge, Now)>> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<(Purge, Now)>> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
