//! Entries out of the file: at the start, and for `explain`. Whatever does not prove to be what was
//! written is named, to be dropped, and not returned.

use std::path::Path;
use std::time::Duration;

use super::fault::Fault;
use super::file::{File, Whole};
use super::record::{Clock, Rejected};
use crate::cache::negatives::Pair;
use crate::cache::{CacheKey, Entry, Keyed};
use crate::now::Now;

/// A second connection to the file, beside its writer.
#[derive(Debug)]
pub struct Reader {
    file: File,
    embedder: Option<String>,
    clock: Option<jiff::Timestamp>,
    grace: Duration,
}

/// Some entries of the file, in the order in which they were stored.
#[derive(Debug, Default)]
pub struct Batch {
    pub entries: Vec<Entry>,
    /// Where the next batch begins; `None` at the end.
    pub next: Option<i64>,
    /// Rows that are no entries (any more).
    pub rejected: Vec<i64>,
    /// Rows whose vector is of another embedder, or is none.
    pub vectors: Vec<i64>,
}

impl Reader {
    /// Opens the file for reading. Without `embedder` vectors are passed over.
    ///
    /// # Errors
    /// The file is not one of ours, or cannot be read.
    pub fn open(path: &Path, embedder: Option<&str>) -> Result<Self, Fault> {
        let file = File::read(path)?;
        let clock = file.seen()?;
        Ok(Self { file, embedder: embedder.map(str::to_owned), clock, grace: Duration::ZERO })
    }

    /// Returns entries that expired less than `grace` ago too: they may still be served late.
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Up to `limit` rows, from the beginning or from where the last batch ended.
    pub fn batch(&self, from: Option<i64>, limit: usize, now: Now) -> Result<Batch, Fault> {
        let rows = self.file.whole_after(from.unwrap_or(i64::MIN), limit)?;
        let next = if rows.len() < limit { None } else { rows.last().map(|row| row.row) };
        let mut batch = Batch { next, ..Batch::default() };
        for row in rows {
            self.read(row, now, &mut batch);
        }
        Ok(batch)
    }

    /// The entry of that key.
    pub fn find(&self, key: &CacheKey, now: Now) -> Result<Option<Entry>, Fault> {
        let mut batch = Batch::default();
        for row in self.file.whole_of(key)? {
            self.read(row, now, &mut batch);
        }
        // An index that lies about its rows finds another key's.
        Ok(batch.entries.into_iter().rfind(|entry| entry.key == *key))
    }

    /// The entry of that key and all of that scope.
    pub fn relatives(&self, keyed: &Keyed, now: Now) -> Result<Vec<Entry>, Fault> {
        let mut batch = Batch::default();
        for row in self.file.whole_among(&keyed.exact, &keyed.scope)? {
            self.read(row, now, &mut batch);
        }
        let is_meant = |entry: &Entry| entry.key == keyed.exact || entry.scope == keyed.scope;
        Ok(batch.entries.into_iter().filter(is_meant).collect())
    }

    /// Key and id of every entry.
    pub fn names(&self) -> Result<Vec<(CacheKey, String)>, Fault> {
        let named = |(key, id): (Vec<u8>, Vec<u8>)| {
            Some((CacheKey(key.try_into().ok()?), String::from_utf8(id).ok()?))
        };
        Ok(self.file.names()?.into_iter().filter_map(named).collect())
    }

    /// The learnt states that are whole.
    pub fn states(&self) -> Result<Vec<(String, Vec<u8>)>, Fault> {
        self.file.states()
    }

    /// The pairs of questions that are kept apart, oldest first.
    pub fn pairs(&self) -> Result<Vec<Pair>, Fault> {
        self.file.pairs()
    }

    pub(super) fn counts(&self) -> Result<[u64; 3], Fault> {
        self.file.counts()
    }

    fn read(&self, row: Whole, now: Now, batch: &mut Batch) {
        let Whole { row, hits, record, vector } = row;
        let clock = Clock { now, seen: self.clock, grace: self.grace };
        let mut entry = match record.entry(hits, clock) {
            Ok(entry) => entry,
            Err(Rejected::Checksum | Rejected::Malformed | Rejected::Expired) => {
                return batch.rejected.push(row);
            }
        };
        if let (Some(vector), Some(embedder)) = (vector, &self.embedder) {
            entry.vector = vector.vector(&entry, embedder);
            if entry.vector.is_none() {
                batch.vectors.push(row);
            }
        }
        batch.entries.push(entry);
    }
}
