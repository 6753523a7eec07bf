//! What the table holds, and whom it would rather do without. No locks here.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::super::value::value;
use super::super::verify::Profile;
use super::super::{CacheKey, Entry, Scope};
use crate::index::ScopeIndex;
use crate::now::Now;

/// Entries that eviction chooses from. Of sixteen drawn the worst is among the worst tenth of all
/// with a probability of 81 %, and among the worst quarter with 99 %; looking at all of them would
/// hold the lock for milliseconds.
const SAMPLE: usize = 16;

/// What a scope costs beside its entries.
pub(super) const SCOPE_BYTES: usize = size_of::<ScopeIndex>() + 160;

#[derive(Debug, Default)]
pub(super) struct State {
    pub entries: HashMap<u64, Stored>,
    pub keys: HashMap<CacheKey, u64>,
    /// Number of an entry within its mind, and its id here. Usually one of each.
    pub numbers: BTreeSet<(u64, u64)>,
    pub scopes: HashMap<Scope, Arc<ScopeIndex>>,
    /// Every id, in no order: what samples are drawn from.
    pub ids: Vec<u64>,
    /// Where the draw stands. The same inserts evict the same entries in every run.
    pub draw: u64,
    /// Scopes whose index has work to do.
    pub due: HashSet<Scope>,
    pub bytes: u64,
    pub next: u64,
    pub inserts: u64,
    pub evictions: u64,
}

#[derive(Debug)]
pub(super) struct Stored {
    pub entry: Arc<Entry>,
    pub profile: Arc<Profile>,
    pub number: u64,
    pub bytes: u64,
    /// Its place in `ids`.
    pub place: usize,
}

impl State {
    pub fn total_bytes(&self) -> u64 {
        self.bytes + (self.scopes.len() * SCOPE_BYTES) as u64
    }

    pub fn ids_of(&self, number: u64) -> impl Iterator<Item = u64> {
        self.numbers.range((number, 0)..=(number, u64::MAX)).map(|(_, id)| *id)
    }

    /// Whom to evict: the entry of least value among some that are drawn, the oldest among equals.
    pub fn victim(&mut self, now: Now) -> Option<u64> {
        let drawn: Vec<u64> = if self.ids.len() <= 2 * SAMPLE {
            self.ids.clone()
        } else {
            (0..SAMPLE).map(|_| self.drawn()).collect()
        };
        let worth = |id: &u64| {
            let stored = self.entries.get(id);
            stored.map_or(0.0, |stored| value(&stored.entry, stored.bytes, now))
        };
        let least = drawn.into_iter().map(|id| (worth(&id), id));
        least.min_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1))).map(|(_, id)| id)
    }

    /// One id by chance; there is one. (SplitMix64.)
    fn drawn(&mut self) -> u64 {
        self.draw = self.draw.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.draw;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let places = self.ids.len() as u64;
        self.ids[((mixed ^ (mixed >> 31)) % places) as usize]
    }
}
