//! The semantic level: entries by id, an index for each scope, a budget in entries and in bytes.
//!
//! Storing happens on a thread of its own, fed by a bounded queue: a full queue drops the entry and
//! counts it, for a cache that cannot keep up must not slow the line down. Lookups run on the
//! caller's thread under read locks that writers hold for moments only. Whether a neighbour answers
//! the question is `verify`'s business.

mod queue;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::learn::Minds;
use super::{Entry, Scope};
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
        let shared = Shared {
            table: Table::new(settings.max_entries, settings.max_bytes),
            queue: Queue::new(QUEUE),
            dropped: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), worker: None }
    }

    /// As [`Self::synchronous`], for vectors of which it is known what is near what.
    pub fn foreseen(settings: &SemanticCache, foresight: Arc<Foresight>) -> Self {
        let mut table = Table::new(settings.max_entries, settings.max_bytes);
        table.foresight = Some(foresight);
        let shared = Shared { table, queue: Queue::new(QUEUE), dropped: AtomicU64::new(0) };
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

    /// Fresh neighbours of `vector` in `scope` with a cosine of at least `floor`, most similar
    /// first, at most `k`. Expired ones that were met are removed.
    pub fn search(
        &self,
        scope: &Scope,
        vector: &Vector,
        k: usize,
        floor: f32,
        now: Now,
    ) -> Vec<Found> {
        let mut found = self.shared.table.search(scope, vector, k, floor);
        if found.iter().any(|found| !found.entry.is_fresh(now)) {
            // What had expired took the place of what is fresh: look again without it.
            let expired = |entry: &Entry| !entry.is_fresh(now);
            self.shared.table.remove_found(&found, expired);
            found = self.shared.table.search(scope, vector, k, floor);
            found.retain(|found| found.entry.is_fresh(now));
        }
        found
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
            tidying |= !shared.table.remove_if(&writer, |entry| !entry.is_fresh(now)).is_empty();
        }
    }
}
