//! The semantic level: entries by id, an index for each scope, a budget in entries and in bytes.
//!
//! Storing happens on a thread of its own, fed by a bounded queue: a full queue drops the entry and
//! counts it, for a cache that cannot keep up must not slow the line down. Lookups run on the
//! caller's thread under read locks that writers hold for moments only. Whether a neighbour answers
//! the question is `verify`'s business.

mod queue;
mod state;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::learn::{Minds, number};
use super::{CacheKey, Entry, Scope, Terms};
use crate::config::settings::SemanticCache;
use crate::embed::Vector;
use crate::index::Foresight;
use crate::now::Now;
use queue::{Queue, Work};
use table::Table;

pub use table::{Found, TableStats};

/// Entries that may wait to be stored: a second's worth at a thousand misses a second.
const QUEUE: usize = 1024;
/// Insertions into a graph between two looks at the queue: at up to five milliseconds each, a new
/// entry waits some tens of milliseconds at worst.
const SLICE: usize = 8;
/// A search that met entries which this caller may not be given looks so many times farther.
const WIDER: usize = 4;
/// How often expired entries are looked for.
const SWEEP: Duration = Duration::from_secs(30);

/// Stored entries and their neighbourhoods.
#[derive(Debug)]
pub struct Semantic {
    shared: Arc<Shared>,
    /// `None`: entries are stored on the caller's thread.
    worker: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    table: Table,
    queue: Queue,
    dropped: AtomicU64,
    /// Milliseconds for which an expired entry is kept.
    kept_ms: AtomicU64,
}

impl Semantic {
    /// With a thread that stores in the background.
    pub fn new(settings: &SemanticCache) -> std::io::Result<Self> {
        let mut semantic = Self::synchronous(settings);
        let shared = Arc::clone(&semantic.shared);
        let worker =
            std::thread::Builder::new().name("cache".into()).spawn(move || run(&shared))?;
        semantic.worker = Some(worker);
        Ok(semantic)
    }

    /// Without a thread: an entry is stored, and its scope tidied, before `insert` returns. For
    /// replay, whose results must not depend on the scheduler.
    pub fn synchronous(settings: &SemanticCache) -> Self {
        Self::without_thread(Table::new(settings.max_entries, settings.max_bytes))
    }

    /// As [`Self::synchronous`], for vectors of which it is known what is near what.
    pub fn foreseen(settings: &SemanticCache, foresight: Arc<Foresight>) -> Self {
        let mut table = Table::new(settings.max_entries, settings.max_bytes);
        table.foresight = Some(foresight);
        Self::without_thread(table)
    }

    fn without_thread(table: Table) -> Self {
        let (dropped, kept_ms) = (AtomicU64::new(0), AtomicU64::new(0));
        let shared = Shared { table, queue: Queue::new(QUEUE), dropped, kept_ms };
        Self { shared: Arc::new(shared), worker: None }
    }

    /// Entries that go are told to these minds.
    pub fn report_to(&self, minds: Arc<Minds>) {
        self.shared.table.report_to(minds);
    }

    /// Stores an entry, in place of the one of the same exact key. An entry without a vector, with
    /// one that is no unit vector, or larger than the whole budget is dropped and counted.
    pub fn insert(&self, entry: Arc<Entry>) {
        if self.worker.is_some() {
            if !self.shared.queue.push(entry) {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
            return;
        }
        self.shared.store(entry);
        while self.shared.table.tidy(usize::MAX) {}
    }

    /// Takes an entry of an earlier run back, unless one of the same key is here already. It can be
    /// found when this returns; its scope is tidied later, and an entry that is on its way here
    /// takes its place.
    pub fn restore(&self, entry: Arc<Entry>) {
        let writer = self.shared.table.writer();
        if self.shared.table.get(&entry.key).is_none() && !self.shared.table.insert(&writer, entry)
        {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        drop(writer);
        self.shared.queue.wake();
    }

    /// The entry of that exact key, fresh or not, unless it is still on its way here.
    pub fn get(&self, key: &CacheKey) -> Option<Arc<Entry>> {
        self.shared.table.get(key)
    }

    /// Every entry, fresh or not.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.shared.table.all()
    }

    /// Neighbours of `vector` in `scope` with a cosine of at least `floor`, most similar first: at
    /// most `k` that meet the terms, and others met on the way that are only too old or too late
    /// for this caller. Those that nobody can be given any more are removed when they are met.
    pub fn search(
        &self,
        scope: &Scope,
        vector: &Vector,
        k: usize,
        floor: f32,
        terms: &Terms<'_>,
    ) -> Vec<Found> {
        let look = |k| self.shared.table.search(scope, vector, k, floor);
        let (kept, now) = (self.shared.kept(), terms.now);
        let is_dead = |entry: &Entry| !entry.is_usable(now, kept);
        let mut found = look(k);
        if found.iter().any(|found| is_dead(&found.entry)) {
            // What is dead took the place of what is not: look again without it.
            self.shared.table.remove_found(&found, is_dead);
            found = look(k);
        }
        if found.len() >= k && found.iter().any(|found| !terms.allow(&found.entry)) {
            // The rest may come back to life for others, so it stays; look past it.
            found = look(k.saturating_mul(WIDER));
        }
        let mut room = k;
        found.retain(|found| {
            let takes_room = terms.allow(&found.entry);
            let stays = !is_dead(&found.entry) && (!takes_room || room > 0);
            room -= usize::from(stays && takes_room);
            stays
        });
        found
    }

    /// From now on expired entries are kept for so long before they are removed.
    pub fn keep_expired(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.shared.kept_ms.store(millis, Ordering::Relaxed);
    }

    /// Removes every entry that `selects` names, those still queued included, and returns them. A
    /// lookup that begins afterwards finds none of them.
    pub fn remove_if(&self, selects: impl Fn(&Entry) -> bool) -> Vec<Arc<Entry>> {
        // The writer's lock keeps the worker from holding an entry that is in neither place.
        let writer = self.shared.table.writer();
        let mut removed = self.shared.queue.remove_if(&selects);
        removed.extend(self.shared.table.remove_if(&writer, selects));
        drop(writer);
        self.shared.queue.wake();
        removed
    }

    /// As [`Self::remove_if`], for the entries of these numbers, without a look at the others.
    pub fn remove_numbered(&self, numbers: &[u64]) -> Vec<Arc<Entry>> {
        let writer = self.shared.table.writer();
        let is_meant = |entry: &Entry| numbers.contains(&number(&entry.id));
        let mut removed = self.shared.queue.remove_if(is_meant);
        removed.extend(self.shared.table.remove_numbered(&writer, numbers));
        drop(writer);
        self.shared.queue.wake();
        removed
    }

    /// The stored entries of these numbers, without those still queued.
    pub fn numbered(&self, numbers: &[u64]) -> Vec<Arc<Entry>> {
        self.shared.table.numbered(numbers)
    }

    /// Waits until everything inserted so far can be found.
    pub fn flush(&self) {
        if self.worker.is_some() {
            self.shared.queue.wait_until_empty();
        }
    }

    pub fn stats(&self) -> TableStats {
        self.shared.table.stats()
    }

    /// Entries that were not stored: the queue was full, or the entry could not be.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Semantic {
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(worker) = self.worker.take() {
            // A worker that panicked has told so itself.
            _ = worker.join();
        }
    }
}

impl Shared {
    fn kept(&self) -> Duration {
        Duration::from_millis(self.kept_ms.load(Ordering::Relaxed))
    }

    fn store(&self, entry: Arc<Entry>) {
        let writer = self.table.writer();
        if !self.table.insert(&writer, entry) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Moves one entry from the queue to the table; a removal in between sees it in one of them.
    fn store_next(&self) {
        let writer = self.table.writer();
        let Some(entry) = self.queue.pop() else { return };
        let stored = catch_unwind(AssertUnwindSafe(|| self.table.insert(&writer, entry)));
        if !stored.unwrap_or(false) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        drop(writer);
        self.queue.done();
    }

    /// Tidies a little; whether there is more to do.
    fn tidy(&self) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.table.tidy(SLICE))).unwrap_or_else(|_| {
            tracing::error!("a scope of the semantic index could not be tidied; it is scanned");
            self.table.give_up_tidying();
            false
        })
    }
}

/// The worker: new entries first, then a slice of tidying, a sweep now and then.
fn run(shared: &Shared) {
    let mut tidying = true;
    let mut swept = Now::read();
    loop {
        match shared.queue.wait(if tidying { Duration::ZERO } else { SWEEP }) {
            Work::Entry => {
                shared.store_next();
                tidying = true;
            }
            Work::Woken => tidying = true,
            Work::None if tidying => tidying = shared.tidy(),
            Work::None => {}
            Work::Closed => return,
        }
        let now = Now::read();
        if now.mono.saturating_duration_since(swept.mono) >= SWEEP {
            swept = now;
            let writer = shared.table.writer();
            let kept = shared.kept();
            let dead = shared.table.remove_if(&writer, |entry| !entry.is_usable(now, kept));
            drop(writer);
            shared.table.forget_latecomers();
            tidying |= !dead.is_empty();
        }
    }
}
