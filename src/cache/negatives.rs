//! Hard negatives: pairs of questions of which a caller said that the one's answer is wrong for the
//! other. Such a pair is never served again, whatever its score. The cache's file keeps them too.

use std::collections::{HashSet, VecDeque};
use std::sync::{PoisonError, RwLock};

use super::CacheKey;

/// Pairs that are kept; beyond it the oldest are forgotten, and left to the verifier again.
pub const MAX_PAIRS: usize = 10_000;

/// Two questions, in either order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair([u8; 16]);

impl Pair {
    /// The pair as the file has it; `None` if these bytes are none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn of(a: &CacheKey, b: &CacheKey) -> Self {
        let (first, second) = if a.0 <= b.0 { (a, b) } else { (b, a) };
        let hash = blake3::Hasher::new().update(&first.0).update(&second.0).finalize();
        Self(*hash.as_bytes().first_chunk().expect("invariant: a hash has 32 bytes"))
    }
}

/// The pairs kept.
#[derive(Debug)]
pub struct Negatives {
    capacity: usize,
    held: RwLock<Held>,
}

#[derive(Debug, Default)]
struct Held {
    pairs: HashSet<Pair>,
    /// Oldest first.
    order: VecDeque<Pair>,
}

impl Held {
    fn keep(&mut self, pair: Pair, capacity: usize) {
        if self.pairs.insert(pair) {
            self.order.push_back(pair);
        }
        while self.order.len() > capacity {
            let Some(oldest) = self.order.pop_front() else { break };
            self.pairs.remove(&oldest);
        }
    }
}

impl Default for Negatives {
    fn default() -> Self {
        Self::new(MAX_PAIRS)
    }
}

impl Negatives {
    fn new(capacity: usize) -> Self {
        Self { capacity, held: RwLock::default() }
    }

    pub fn keep(&self, pair: Pair) {
        self.held.write().unwrap_or_else(PoisonError::into_inner).keep(pair, self.capacity);
    }

    /// Takes pairs of an earlier run back, oldest first: they are older than what is here.
    pub fn restore(&self, pairs: Vec<Pair>) {
        // Under one lock: no lookup may find a pair missing, and none may be kept in between.
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let newer = std::mem::take(&mut *held).order;
        pairs.into_iter().chain(newer).for_each(|pair| held.keep(pair, self.capacity));
    }

    /// Every pair, oldest first.
    pub fn all(&self) -> Vec<Pair> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.order.iter().copied().collect()
    }

    /// Keeps of `found` what may answer `query`; `key` is the key under which each was stored.
    pub fn strike<T>(&self, query: &CacheKey, found: &mut Vec<T>, key: impl Fn(&T) -> CacheKey) {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        if !held.pairs.is_empty() {
            found.retain(|found| !held.pairs.contains(&Pair::of(query, &key(found))));
        }
    }

    pub fn holds(&self, pair: &Pair) -> bool {
        self.held.read().unwrap_or_else(PoisonError::into_inner).pairs.contains(pair)
    }

    pub fn len(&self) -> usize {
        self.held.read().unwrap_or_else(PoisonError::into_inner).order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(negatives: &Negatives, query: u8, stored: &[u8]) -> Vec<u8> {
        let mut found = stored.to_vec();
        negatives.strike(&CacheKey([query; 32]), &mut found, |key| CacheKey([*key; 32]));
        found
    }

    #[test]
    fn a_pair_is_struck_in_both_directions_and_nothing_else() {
        let negatives = Negatives::default();
        negatives.keep(Pair::of(&CacheKey([1; 32]), &CacheKey([2; 32])));
        assert_eq!(left(&negatives, 1, &[1, 2, 3]), [1, 3]);
        assert_eq!(left(&negatives, 2, &[1, 2, 3]), [2, 3]);
        assert_eq!(left(&negatives, 3, &[1, 2, 3]), [1, 2, 3]);
    }

    #[test]
    fn beyond_the_capacity_the_oldest_are_forgotten() {
        let negatives = Negatives::new(2);
        for stored in [1, 2, 2, 3] {
            negatives.keep(Pair::of(&CacheKey([0; 32]), &CacheKey([stored; 32])));
        }
        assert_eq!(negatives.len(), 2);
        assert_eq!(left(&negatives, 0, &[1, 2, 3]), [1]);
    }
}
