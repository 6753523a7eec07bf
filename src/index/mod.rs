//! Nearest neighbours by cosine among unit vectors, one [`ScopeIndex`] for each cache scope.
//!
//! A scope is the filter: a search sees one scope and nothing else. There are many small scopes and
//! few large ones, so a scope begins as a flat, exact scan (`flat`) and gets a graph (`hnsw`) once
//! it is large. Where all vectors are known beforehand, `foresight` spares both. What the entries mean, which may be served and which must go is the cache's
//! business; ids are opaque here.

pub mod flat;
mod foresight;
pub mod hnsw;
mod scope;

use crate::embed::Vector;

pub use foresight::Foresight;
pub use scope::{Limits, ScopeIndex, Sizes};

/// A stored vector near the query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    pub id: u64,
    /// Cosine in [−1, 1].
    pub similarity: f32,
}

/// Why a vector cannot be stored or searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadVector {
    /// Another number of components than those already stored.
    Dimensions,
    /// A component is not finite, or the length is not within 1 % of one.
    NotUnit,
}

/// Refuses what would poison the index: cosines are dot products here, which holds for unit
/// vectors only, and one NaN would break the order of every search.
pub fn check(vector: &[f32]) -> Result<(), BadVector> {
    let length = flat::dot(vector, vector).sqrt();
    // A NaN or an infinity anywhere makes the length fail this comparison too.
    if (0.99..=1.01).contains(&length) { Ok(()) } else { Err(BadVector::NotUnit) }
}

/// The best `k` of `found` in falling similarity; among equals the older id first, so that a
/// search gives one answer however its candidates were gathered. An id found twice counts once.
fn best(mut found: Vec<Neighbour>, k: usize) -> Vec<Neighbour> {
    found.sort_unstable_by(|a, b| {
        b.similarity.total_cmp(&a.similarity).then_with(|| a.id.cmp(&b.id))
    });
    found.dedup_by_key(|neighbour| neighbour.id);
    found.truncate(k);
    found
}

/// A stored vector and the id it goes by.
type Row = (u64, Vector);
