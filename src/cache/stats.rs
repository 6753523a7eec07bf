//! What the cache holds and has done, in numbers.

use serde::Serialize;

use super::Cache;
use super::store::{Store, StoreStats};

/// What the cache holds and has done since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Stats {
    pub exact: ExactStats,
    pub semantic: SemanticStats,
    /// Absent without `cache.persistence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<StoreStats>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ExactStats {
    pub entries: u64,
    pub bytes: u64,
    pub inserts: u64,
    /// Pushed out by the budget.
    pub evictions: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SemanticStats {
    pub entries: u64,
    pub bytes: u64,
    pub inserts: u64,
    /// Pushed out by either budget.
    pub evictions: u64,
    pub scopes: u64,
    /// Removed vectors that graphs still hold.
    pub tombstones: u64,
    /// Not stored: the queue was full, or the entry could not be.
    pub dropped: u64,
}

impl Cache {
    pub fn stats(&self) -> Stats {
        let mut stats = Stats { file: self.store().map(Store::stats), ..Stats::default() };
        if let Some(exact) = &self.holdings.levels.exact {
            stats.exact = ExactStats {
                entries: exact.len(),
                bytes: exact.bytes(),
                inserts: exact.inserts(),
                evictions: exact.evictions(),
            };
        }
        if let Some(semantic) = &self.holdings.levels.semantic {
            let table = semantic.stats();
            stats.semantic = SemanticStats {
                entries: table.entries as u64,
                bytes: table.bytes,
                inserts: table.inserts,
                evictions: table.evictions,
                scopes: table.scopes as u64,
                tombstones: table.tombstones as u64,
                dropped: semantic.dropped(),
            };
        }
        stats
    }
}
