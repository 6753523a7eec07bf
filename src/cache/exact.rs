//! The exact level: key to entry, bounded by bytes. It neither decides what may be stored nor
//! whether an entry is still fresh; an expired one stays to be found as such until it is replaced,
//! swept or pushed out.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::{CacheKey, Entry};

/// What a table and the allocator add to an entry: moka's nodes and slots, five allocations.
const ENTRY_OVERHEAD: usize = 320;

/// Entries by exact key.
pub struct Exact {
    entries: Cache<CacheKey, Arc<Entry>>,
    inserts: AtomicU64,
    evictions: Arc<AtomicU64>,
}

impl Exact {
    /// A table of at most `max_bytes`, by [`Entry::bytes`].
    pub fn new(max_bytes: u64) -> Self {
        let evictions = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&evictions);
        let entries = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, entry: &Arc<Entry>| u32::try_from(entry.bytes()).unwrap_or(u32::MAX))
            // Least recently used, and not moka's default, which may refuse a new entry in favour
            // of popular ones: what was just admitted must be found by the next request.
            .eviction_policy(EvictionPolicy::lru())
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build();
        Self { entries, inserts: AtomicU64::new(0), evictions }
    }

    /// The entry of that key, fresh or not.
    pub fn get(&self, key: &CacheKey) -> Option<Arc<Entry>> {
        self.entries.get(key)
    }

    /// Stores an entry in place of the one of the same key; it is found from now on. The budget
    /// holds again when this returns.
    pub fn insert(&self, entry: Arc<Entry>) {
        self.entries.insert(entry.key, entry);
        self.entries.run_pending_tasks();
        self.inserts.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes an entry of an earlier run back, unless a newer one of the same key is here already.
    pub fn restore(&self, entry: Arc<Entry>) {
        let is_older = |known: &Arc<Entry>| known.stored.wall < entry.stored.wall;
        self.entries.entry(entry.key).or_insert_with_if(|| Arc::clone(&entry), is_older);
    }

    /// Every entry, fresh or not.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.entries.iter().map(|(_, entry)| entry).collect()
    }

    /// Removes every entry that `selects` names, and returns them. An entry stored meanwhile may
    /// escape: it was admitted after the removal began.
    pub fn remove_if(&self, selects: impl Fn(&Entry) -> bool) -> Vec<Arc<Entry>> {
        let selected: Vec<CacheKey> =
            self.entries.iter().filter(|(_, entry)| selects(entry)).map(|(key, _)| *key).collect();
        let removed = selected.iter().filter_map(|key| self.entries.remove(key)).collect();
        self.entries.run_pending_tasks();
        removed
    }

    /// The entries that `selects` names.
    pub fn select(&self, selects: impl Fn(&Entry) -> bool) -> Vec<Arc<Entry>> {
        let entries = self.entries.iter().map(|(_, entry)| entry);
        entries.filter(|entry| selects(entry)).collect()
    }

    pub fn len(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.entry_count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn bytes(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.weighted_size()
    }

    pub fn inserts(&self) -> u64 {
        self.inserts.load(Ordering::Relaxed)
    }

    /// Entries pushed out by the budget.
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }
}

impl Entry {
    /// Bytes that the entry takes in memory, allocations and bookkeeping included: what budgets
    /// count. The two levels share an entry; each counts it whole.
    pub fn bytes(&self) -> usize {
        let tags: usize = self.tags.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
        ENTRY_OVERHEAD
            + size_of::<Self>()
            + self.id.len()
            + self.prompt.len()
            + self.answer.len()
            + self.vector.as_ref().map_or(0, |vector| size_of_val(&**vector) + 16)
            + tags
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exact").field("entries", &self.entries.entry_count()).finish()
    }
}
