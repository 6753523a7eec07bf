//! The exact level: key to entry, bounded by bytes. It neither decides what may be stored nor
//! whether an entry is still fresh; an expired one stays to be found as such until it is replaced,
//! swept or pushed out.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moka::notification::RemovalCause;
use moka::ops::compute::{CompResult, Op};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::learn::number;
use super::{CacheKey, Entry};

/// What a table and the allocator add to an entry: moka's nodes and slots, five allocations.
const ENTRY_OVERHEAD: usize = 320;

/// A node of a map of tags, for up to eleven of them, six on average where there are many.
const TAGS: usize = 544;

/// Which keys the entry of an id is stored under, so that finding it looks at one entry and not at
/// all of them. A name may outlive its entry where two writers meet; whoever looks asks the entry.
#[derive(Default)]
struct Names(Mutex<BTreeSet<(u64, [u8; 32])>>);

impl Names {
    fn keys(&self, number: u64) -> Vec<CacheKey> {
        let names = self.lock();
        let ours = names.range((number, [0; 32])..=(number, [u8::MAX; 32]));
        ours.map(|(_, key)| CacheKey(*key)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(u64, [u8; 32])>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entries by exact key.
pub struct Exact {
    entries: Cache<CacheKey, Arc<Entry>>,
    names: Arc<Names>,
    inserts: AtomicU64,
    evictions: Arc<AtomicU64>,
}

impl Exact {
    /// A table of at most `max_bytes`, by [`Entry::bytes`].
    pub fn new(max_bytes: u64) -> Self {
        let evictions = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&evictions);
        let names = Arc::new(Names::default());
        let named = Arc::clone(&names);
        let entries = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, entry: &Arc<Entry>| u32::try_from(entry.bytes()).unwrap_or(u32::MAX))
            // Least recently used, and not moka's default, which may refuse a new entry in favour
            // of popular ones: what was just admitted must be found by the next request.
            .eviction_policy(EvictionPolicy::lru())
            .eviction_listener(move |key: Arc<CacheKey>, entry: Arc<Entry>, cause| {
                named.lock().remove(&(number(&entry.id), key.0));
                if cause == RemovalCause::Size {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build();
        Self { entries, names, inserts: AtomicU64::new(0), evictions }
    }

    /// The entry of that key, fresh or not.
    pub fn get(&self, key: &CacheKey) -> Option<Arc<Entry>> {
        self.entries.get(key)
    }

    /// Stores an entry in place of the one of the same key; it is found from now on. The budget
    /// holds again when this returns.
    pub fn insert(&self, entry: Arc<Entry>) {
        let name = (number(&entry.id), entry.key.0);
        self.entries.insert(entry.key, entry);
        self.names.lock().insert(name);
        self.entries.run_pending_tasks();
        self.inserts.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes an entry of an earlier run back, unless a newer one of the same key is here already.
    pub fn restore(&self, entry: Arc<Entry>) {
        let is_older = |known: &Arc<Entry>| known.stored.wall < entry.stored.wall;
        let place = self.entries.entry(entry.key);
        if place.or_insert_with_if(|| Arc::clone(&entry), is_older).is_fresh() {
            self.names.lock().insert((number(&entry.id), entry.key.0));
        }
    }

    /// The entries of that number ([`number`] of their id): one, or none.
    pub fn numbered(&self, wanted: u64) -> Vec<Arc<Entry>> {
        let found = self.names.keys(wanted).into_iter().filter_map(|key| self.get(&key));
        found.filter(|entry| number(&entry.id) == wanted).collect()
    }

    /// Removes the entries of these numbers, and returns them.
    pub fn remove_numbered(&self, numbers: &[u64]) -> Vec<Arc<Entry>> {
        let mut removed = Vec::new();
        for wanted in numbers {
            for key in self.names.keys(*wanted) {
                let done = self.entries.entry(key).and_compute_with(|known| match known {
                    Some(known) if number(&known.value().id) == *wanted => Op::Remove,
                    _ => Op::Nop,
                });
                if let CompResult::Removed(entry) = done {
                    removed.push(entry.into_value());
                }
            }
        }
        self.entries.run_pending_tasks();
        removed
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
        let texts: usize =
            self.tags.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
        let tags = texts + self.tags.len().div_ceil(6) * TAGS;
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
