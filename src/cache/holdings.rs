//! Everything that is kept: both levels, and the file behind them. An entry is put and taken out here,
//! so that file and memory learn of it in the same order. What is looked for is `memory`'s business.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use super::keeper::Keeper;
use super::levels::Levels;
use super::purge::{Purge, Undone};
use super::store::Store;
use super::{CacheKey, Entry};
use crate::now::Now;

/// The levels and their file.
#[derive(Debug)]
pub(super) struct Holdings {
    pub levels: Arc<Levels>,
    /// Unset: answers are kept in memory only.
    pub keeper: OnceLock<Keeper>,
}

impl Holdings {
    pub fn new(levels: Levels) -> Self {
        Self { levels: Arc::new(levels), keeper: OnceLock::new() }
    }

    /// The file, if answers are kept in one.
    pub fn store(&self) -> Option<&Store> {
        self.keeper.get().map(Keeper::store)
    }

    /// Brings the entry of that key into memory, if the file of an earlier run has it and is quick.
    /// Whether to look again.
    pub async fn fetch(&self, key: &CacheKey) -> bool {
        match self.keeper.get() {
            Some(keeper) if self.levels.exact.is_some() => keeper.fetch(key).await,
            _ => false,
        }
    }

    pub fn admit(&self, entry: Arc<Entry>) {
        let storing = self.keeper.get().map(Keeper::storing);
        self.levels.insert(&entry);
        if let Some(storing) = storing {
            storing.put(entry);
        }
    }

    /// Removes what `what` selects for good, and returns how many entries that were. Waits for the
    /// file.
    ///
    /// # Errors
    /// They are gone from memory, but the file may still hold them; why.
    pub fn purge(&self, what: &Purge, now: Now) -> Result<usize, Undone> {
        let remove = || self.levels.remove(what, now);
        let Some(keeper) = self.keeper.get() else {
            return Ok(distinct(remove().iter().map(|entry| entry.id.as_str())));
        };
        let count = |ids: Vec<String>| distinct(ids.iter().map(String::as_str));
        match keeper.purge(what, now, remove) {
            Ok(ids) => Ok(count(ids)),
            Err((ids, why)) => {
                let path = keeper.store().path().to_owned();
                Err(Undone { purged: count(ids), path, why })
            }
        }
    }

    /// As [`Self::purge`] for whoever will not wait for a file that is slow: gone from memory when
    /// this returns, from the file then or moments later.
    pub fn withdraw(&self, what: &Purge, now: Now) -> usize {
        let remove = || self.levels.remove(what, now);
        let ids = match self.keeper.get() {
            Some(keeper) => keeper.withdraw(what, now, remove),
            None => remove().iter().map(|entry| entry.id.clone()).collect(),
        };
        distinct(ids.iter().map(String::as_str))
    }

    /// Takes out entries, by number, whose stored answer is no longer the answer: from memory when
    /// this returns, from the file moments later.
    pub fn retire(&self, numbers: &[u64]) {
        let remove = || self.levels.retire(numbers);
        match self.keeper.get() {
            Some(keeper) => keeper.retire(numbers, remove),
            None => _ = remove(),
        }
    }

    /// Takes one entry out of the semantic level: a newer answer to the same question is there. The
    /// exact level keeps it for its own prompt.
    pub fn supersede(&self, number: u64) {
        let Some(semantic) = &self.levels.semantic else { return };
        let remove = || semantic.remove_numbered(&[number]);
        match self.keeper.get() {
            Some(keeper) => keeper.supersede(number, remove),
            None => _ = remove(),
        }
    }
}

fn distinct<'i>(ids: impl Iterator<Item = &'i str>) -> usize {
    ids.collect::<HashSet<_>>().len()
}
