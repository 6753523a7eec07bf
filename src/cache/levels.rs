//! Both levels in memory, which an entry enters and leaves together. Whether an entry may be served is
//! `memory`'s business, and what is on disk the keeper's.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::exact::Exact;
use super::learn::number;
use super::semantic::Semantic;
use super::{CacheKey, Entry, Level, Purge};
use crate::now::Now;

/// The levels that are switched on.
#[derive(Debug)]
pub(super) struct Levels {
    pub exact: Option<Exact>,
    pub semantic: Option<Semantic>,
    /// Milliseconds for which an expired entry may still be of use.
    pub grace_ms: AtomicU64,
}

/// A stored entry and the levels that hold it.
#[derive(Debug, Clone)]
pub struct Kept {
    pub entry: Arc<Entry>,
    pub levels: Vec<Level>,
}

impl Levels {
    /// From now on expired entries are kept for so long: they may be served late.
    pub fn keep_expired(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.grace_ms.store(millis, Ordering::Relaxed);
        if let Some(semantic) = &self.semantic {
            semantic.keep_expired(time);
        }
    }

    /// How long expired entries are kept.
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms.load(Ordering::Relaxed))
    }

    /// Stores an entry in place of the one of its key. The exact level finds it when this returns,
    /// the semantic level moments later.
    pub fn insert(&self, entry: &Arc<Entry>) {
        if let Some(exact) = &self.exact {
            exact.insert(Arc::clone(entry));
        }
        if let Some(semantic) = self.semantic.as_ref().filter(|_| entry.vector.is_some()) {
            semantic.insert(Arc::clone(entry));
        }
    }

    /// Takes an entry of an earlier run back, unless a newer one of its key is here.
    pub fn restore(&self, entry: &Arc<Entry>) {
        if let Some(exact) = &self.exact {
            exact.restore(Arc::clone(entry));
        }
        if let Some(semantic) = self.semantic.as_ref().filter(|_| entry.vector.is_some()) {
            semantic.restore(Arc::clone(entry));
        }
    }

    /// Removes what `what` selects; an entry that both held is returned twice.
    pub fn remove(&self, what: &Purge, now: Now) -> Vec<Arc<Entry>> {
        if let Purge::Entry(id) = what {
            return self.retire(&[number(id)]);
        }
        let selects = |entry: &Entry| what.selects(entry, now);
        let mut removed = Vec::new();
        removed.extend(self.exact.iter().flat_map(|exact| exact.remove_if(selects)));
        removed.extend(self.semantic.iter().flat_map(|semantic| semantic.remove_if(selects)));
        removed
    }

    /// Removes the entries of these numbers; an entry that both held is returned twice.
    pub fn retire(&self, numbers: &[u64]) -> Vec<Arc<Entry>> {
        let mut removed = Vec::new();
        removed.extend(self.exact.iter().flat_map(|exact| exact.remove_numbered(numbers)));
        removed.extend(self.semantic.iter().flat_map(|it| it.remove_numbered(numbers)));
        removed
    }

    /// Every entry of either level that may still be served; of two with the same key, the newer.
    pub fn resident(&self, now: Now) -> HashMap<CacheKey, Arc<Entry>> {
        let grace = self.grace();
        let exact = self.exact.iter().flat_map(Exact::all);
        let semantic = self.semantic.iter().flat_map(Semantic::all);
        let mut resident = HashMap::<CacheKey, Arc<Entry>>::new();
        for entry in exact.chain(semantic).filter(|entry| entry.is_usable(now, grace)) {
            let known = resident.entry(entry.key).or_insert_with(|| Arc::clone(&entry));
            if known.stored.wall < entry.stored.wall {
                *known = entry;
            }
        }
        resident
    }

    /// Whether memory holds that very entry.
    pub fn holds(&self, entry: &Entry) -> bool {
        let is_it = |found: Arc<Entry>| found.id == entry.id;
        self.exact.as_ref().and_then(|exact| exact.get(&entry.key)).is_some_and(is_it)
            || self.semantic.as_ref().and_then(|it| it.get(&entry.key)).is_some_and(is_it)
    }

    /// The entry of that id and where it is, while it is stored.
    pub fn kept(&self, id: &str) -> Option<Kept> {
        let number = number(id);
        let at_exact = self.exact.as_ref().and_then(|exact| exact.numbered(number).pop());
        let at_semantic = self.semantic.as_ref().and_then(|it| it.numbered(&[number]).pop());
        let levels = [(Level::Exact, &at_exact), (Level::Semantic, &at_semantic)];
        let levels = levels.into_iter().filter(|(_, found)| found.is_some());
        let levels = levels.map(|(level, _)| level).collect();
        Some(Kept { entry: at_exact.or(at_semantic)?, levels })
    }
}
