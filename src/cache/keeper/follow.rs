//! From memory to the file, beside what is written when it happens: what memory gave up leaves, what
//! the file missed is offered again, and what changes all the time is noted now and then.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use crate::cache::store::{Fault, Kept};
use crate::cache::{CacheKey, Entry};
use crate::now::Now;

/// An entry younger than this may still be on its way to the file.
pub(super) const SETTLED: Duration = Duration::from_secs(10);
/// Names in one order to the file.
const CHUNK: usize = 1024;

impl Shared {
    /// Takes over what the file has of what was learnt, where it knows more than this process.
    pub(super) fn recall(&self) {
        let Ok(reader) = self.store.reader() else { return };
        let (Ok(states), Ok(pairs)) = (reader.states(), reader.pairs()) else { return };
        let unusable = self.minds.restore(states);
        if unusable > 0 {
            tracing::warn!(
                unusable,
                "what was learnt of some traffic is another version's; it is learnt anew"
            );
        }
        self.negatives.restore(pairs);
        self.has_learnt.store(true, Ordering::Release);
    }

    /// Writes down all that was learnt: the file may have nothing of it.
    pub(super) fn note_all(&self) {
        self.minds.all_changed();
        self.note_minds();
        let pairs = self.negatives.all();
        if !pairs.is_empty() {
            self.store.keep_apart(pairs);
        }
    }

    /// Writes down what was learnt since the last time; not before what the file knows was read.
    pub(super) fn note_minds(&self) {
        if !self.has_learnt.load(Ordering::Acquire) {
            return;
        }
        for (name, bytes) in self.minds.changed() {
            self.store.save_state(&name, bytes);
        }
        if let Some(names) = self.minds.census() {
            self.store.keep_states(names);
        }
    }

    /// Makes the file hold what memory holds.
    pub(super) fn compare(&self, now: Now) -> Result<(), Fault> {
        if self.store.kept() != Kept::InFile {
            return Ok(());
        }
        // In this order: what came in between is in memory, and at worst written twice.
        let mut in_file: HashMap<CacheKey, String> =
            self.store.reader()?.names()?.into_iter().collect();
        let resident = self.levels.resident(now);
        let missing: Vec<&Arc<Entry>> = resident
            .values()
            .filter(|entry| in_file.get(&entry.key) != Some(&entry.id) && entry.age(now) > SETTLED)
            .collect();
        for entries in missing.chunks(CHUNK) {
            let storing = self.read();
            for entry in entries.iter().filter(|entry| self.levels.holds(entry)) {
                if self.store.put(Arc::clone(entry)) && !self.is_neighbour(entry) {
                    self.store.strip(vec![(entry.key, entry.id.clone())]);
                }
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

    /// Tells the file how often entries were of use, where that changed.
    pub(super) fn note_hits(&self, noted: &mut HashMap<CacheKey, u64>) {
        let resident = self.levels.resident(Now::read()).into_values();
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

    /// Whether the semantic level holds that very entry.
    fn is_neighbour(&self, entry: &Entry) -> bool {
        let found = self.levels.semantic.as_ref().and_then(|it| it.get(&entry.key));
        found.is_some_and(|found| found.id == entry.id)
    }
}
