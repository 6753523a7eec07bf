//! Entries by id, the index of each scope, and the budgets.
//!
//! One writer at a time (its guard is an argument of whatever writes), any number of readers. An
//! entry enters the table before its vector enters the index, and leaves it after: a search never
//! meets an id that it cannot resolve unless the entry is just being removed, and then skips it.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

use super::super::learn::{self, Minds};
use super::super::verify::Profile;
use super::super::{CacheKey, Entry, Scope};
use super::state::{SCOPE_BYTES, State, Stored};
use crate::embed::Vector;
use crate::index::{Foresight, Limits, ScopeIndex, hnsw};
use crate::now::Now;

/// What the index and this table add to an entry, at most: a row or a place in a graph, and the
/// tombstones that a graph may hold for each living point (a third, before it is rebuilt), each
/// with its vector. Charged in full from the start, so that a scope that gets its graph does not
/// break the budget.
fn index_bytes(vector: &Vector) -> usize {
    const TABLE: usize = 240;
    TABLE + hnsw::POINT_BYTES * 4 / 3 + size_of_val(&**vector) / 3
}

#[derive(Debug)]
pub(super) struct Table {
    max_entries: usize,
    max_bytes: u64,
    /// Of a replay.
    pub(super) foresight: Option<Arc<Foresight>>,
    state: RwLock<State>,
    writer: Mutex<()>,
    /// Whom to tell of entries that go.
    minds: OnceLock<Arc<Minds>>,
}

/// Proof that the caller is the one writer.
#[derive(Debug)]
pub(super) struct Writer<'a>(#[expect(dead_code, reason = "held for its drop")] MutexGuard<'a, ()>);

/// A neighbour with all that the verifier needs.
#[derive(Debug, Clone)]
pub struct Found {
    pub(in crate::cache) id: u64,
    /// Number of the entry within its mind.
    pub number: u64,
    pub entry: Arc<Entry>,
    pub profile: Arc<Profile>,
    /// Cosine in [−1, 1].
    pub similarity: f32,
}

/// What the table holds and has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableStats {
    pub entries: usize,
    pub bytes: u64,
    pub scopes: usize,
    pub inserts: u64,
    pub evictions: u64,
    /// Removed vectors that graphs still hold.
    pub tombstones: usize,
}

impl Table {
    pub(super) fn new(max_entries: usize, max_bytes: u64) -> Self {
        Self {
            max_entries,
            max_bytes,
            foresight: None,
            state: RwLock::default(),
            writer: Mutex::default(),
            minds: OnceLock::new(),
        }
    }

    pub(super) fn report_to(&self, minds: Arc<Minds>) {
        // Whoever came first stays: a table belongs to one cache.
        _ = self.minds.set(minds);
    }

    fn index(&self) -> ScopeIndex {
        match &self.foresight {
            Some(foresight) => ScopeIndex::with_foresight(Arc::clone(foresight)),
            None => ScopeIndex::new(Limits::default()),
        }
    }

    pub(super) fn writer(&self) -> Writer<'_> {
        Writer(self.writer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stores an entry in place of the one of the same key. What must go for it goes before it
    /// comes. False: nothing was stored, because the entry cannot be.
    pub(super) fn insert(&self, writer: &Writer<'_>, entry: Arc<Entry>) -> bool {
        let Some(vector) = entry.vector.clone() else { return false };
        let profile = Arc::new(Profile::of(&entry.prompt));
        let bytes = (entry.bytes() + profile.bytes() + index_bytes(&vector)) as u64;
        if crate::index::check(&vector).is_err()
            || bytes + SCOPE_BYTES as u64 > self.max_bytes
            || self.max_entries == 0
        {
            return false;
        }
        let replaced = self.read().keys.get(&entry.key).copied();
        if let Some(old) = replaced.and_then(|id| self.take_out(writer, id))
            && let Some(minds) = self.minds.get()
        {
            minds.succeed(&old, &entry);
        }
        self.make_room(writer, bytes + SCOPE_BYTES as u64, entry.stored);

        let (id, index) = {
            let mut state = self.write();
            let id = state.next;
            state.next += 1;
            let index = Arc::clone(
                state.scopes.entry(entry.scope).or_insert_with(|| Arc::new(self.index())),
            );
            state.keys.insert(entry.key, id);
            let place = state.ids.len();
            state.ids.push(id);
            state.bytes += bytes;
            let number = learn::number(&entry.id);
            state.numbers.insert((number, id));
            let stored = Stored { entry: Arc::clone(&entry), profile, number, bytes, place };
            state.entries.insert(id, stored);
            (id, index)
        };
        if index.insert(id, vector).is_err() {
            self.remove(writer, id);
            return false;
        }
        let is_due = index.is_due();
        let mut state = self.write();
        state.inserts += 1;
        if is_due {
            state.due.insert(entry.scope);
        }
        true
    }

    /// The stored neighbours of `vector`, fresh or not, most similar first.
    pub(super) fn search(
        &self,
        scope: &Scope,
        vector: &Vector,
        k: usize,
        floor: f32,
    ) -> Vec<Found> {
        let Some(index) = self.read().scopes.get(scope).cloned() else { return Vec::new() };
        let Ok(near) = index.search(vector, k) else { return Vec::new() };
        let state = self.read();
        near.into_iter()
            .take_while(|near| near.similarity >= floor)
            .filter_map(|near| {
                let stored = state.entries.get(&near.id)?;
                Some(Found {
                    id: near.id,
                    number: stored.number,
                    entry: Arc::clone(&stored.entry),
                    profile: Arc::clone(&stored.profile),
                    similarity: near.similarity,
                })
            })
            .collect()
    }

    pub(super) fn get(&self, key: &CacheKey) -> Option<Arc<Entry>> {
        let state = self.read();
        let stored = state.entries.get(state.keys.get(key)?)?;
        Some(Arc::clone(&stored.entry))
    }

    pub(super) fn all(&self) -> Vec<Arc<Entry>> {
        self.read().entries.values().map(|stored| Arc::clone(&stored.entry)).collect()
    }

    /// Removes those of `found` that `selects` names.
    pub(super) fn remove_found(&self, found: &[Found], selects: impl Fn(&Entry) -> bool) {
        let writer = self.writer();
        for found in found.iter().filter(|found| selects(&found.entry)) {
            self.remove(&writer, found.id);
        }
    }

    /// Removes every entry that `selects` names, and returns them.
    pub(super) fn remove_if(
        &self,
        writer: &Writer<'_>,
        selects: impl Fn(&Entry) -> bool,
    ) -> Vec<Arc<Entry>> {
        let selected: Vec<u64> = {
            let state = self.read();
            let chosen = state.entries.iter().filter(|(_, stored)| selects(&stored.entry));
            chosen.map(|(id, _)| *id).collect()
        };
        selected.into_iter().filter_map(|id| self.remove(writer, id)).collect()
    }

    /// The entries of these numbers.
    pub(super) fn numbered(&self, numbers: &[u64]) -> Vec<Arc<Entry>> {
        let state = self.read();
        let entry = |id: u64| Some(Arc::clone(&state.entries.get(&id)?.entry));
        numbers.iter().flat_map(|number| state.ids_of(*number)).filter_map(entry).collect()
    }

    /// Removes the entries of these numbers, and returns them.
    pub(super) fn remove_numbered(&self, writer: &Writer<'_>, numbers: &[u64]) -> Vec<Arc<Entry>> {
        let selected: Vec<u64> = {
            let state = self.read();
            numbers.iter().flat_map(|number| state.ids_of(*number)).collect()
        };
        selected.into_iter().filter_map(|id| self.remove(writer, id)).collect()
    }

    /// Has the minds forget what they were taught of entries that never came here, or were gone by
    /// then. Calls must lie further apart than an entry takes to be stored.
    pub(super) fn forget_latecomers(&self) {
        if let Some(minds) = self.minds.get() {
            minds.forget_latecomers(|number| self.read().ids_of(number).next().is_some());
        }
    }

    /// Gives up to `steps` graph insertions to one scope that needs them. Whether more is to do.
    pub(super) fn tidy(&self, steps: usize) -> bool {
        let next = {
            let state = self.read();
            let scope = state.due.iter().next().copied();
            scope.map(|scope| (scope, state.scopes.get(&scope).cloned()))
        };
        let Some((scope, index)) = next else { return false };
        let wants_more = index.as_ref().is_some_and(|index| index.tidy(steps));
        let mut state = self.write();
        // Asked again under the lock: an entry may have come since.
        if !wants_more && !index.is_some_and(|index| index.is_due()) {
            state.due.remove(&scope);
        }
        !state.due.is_empty()
    }

    /// Forgets what was to be tidied, after a failure to do so.
    pub(super) fn give_up_tidying(&self) {
        self.write().due.clear();
    }

    pub(super) fn stats(&self) -> TableStats {
        let state = self.read();
        let tombstones = state.scopes.values().map(|index| index.sizes().tombstones).sum();
        TableStats {
            entries: state.entries.len(),
            bytes: state.total_bytes(),
            scopes: state.scopes.len(),
            inserts: state.inserts,
            evictions: state.evictions,
            tombstones,
        }
    }

    /// Evicts until an entry of `bytes` fits into both budgets.
    fn make_room(&self, writer: &Writer<'_>, bytes: u64, now: Now) {
        loop {
            let mut state = self.write();
            let fits = state.entries.len() < self.max_entries
                && state.total_bytes() + bytes <= self.max_bytes;
            if fits {
                return;
            }
            let Some(victim) = state.victim(now) else { return };
            state.evictions += 1;
            drop(state);
            self.remove(writer, victim);
        }
    }

    fn remove(&self, writer: &Writer<'_>, id: u64) -> Option<Arc<Entry>> {
        let entry = self.take_out(writer, id)?;
        if let Some(minds) = self.minds.get() {
            minds.forget(&entry);
        }
        Some(entry)
    }

    fn take_out(&self, _writer: &Writer<'_>, id: u64) -> Option<Arc<Entry>> {
        let (scope, index) = {
            let state = self.read();
            let scope = state.entries.get(&id)?.entry.scope;
            (scope, state.scopes.get(&scope).cloned())
        };
        let (is_empty, is_due) = index.map_or((false, false), |index| {
            index.remove(id);
            (index.is_empty(), index.is_due())
        });
        let mut state = self.write();
        let stored = state.entries.remove(&id)?;
        state.keys.remove(&stored.entry.key);
        state.numbers.remove(&(stored.number, id));
        state.bytes -= stored.bytes;
        let emptied = if is_empty { state.scopes.remove(&scope) } else { None };
        if is_empty {
            state.due.remove(&scope);
        } else if is_due {
            state.due.insert(scope);
        }
        state.ids.swap_remove(stored.place);
        if let Some(moved) = state.ids.get(stored.place).copied()
            && let Some(moved) = state.entries.get_mut(&moved)
        {
            moved.place = stored.place;
        }
        drop(state);
        // A graph takes long to free: not under the lock.
        drop(emptied);
        Some(stored.entry)
    }

    // Writers leave the table whole at every point where they can panic.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}
