//! Changes of the file that are committed together: all of them come to be, or none.

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::fault::Fault;
use super::file::{blob, collect, hits};
use super::record::{Record, VectorRecord, state_sum};
use crate::cache::CacheKey;
use crate::cache::negatives::{MAX_PAIRS, Pair};

/// Changes that are committed together.
#[derive(Debug)]
pub(super) struct Batch<'f> {
    tx: Transaction<'f>,
}

impl<'f> Batch<'f> {
    pub fn begin(db: &'f mut Connection) -> Result<Self, Fault> {
        Ok(Self { tx: db.transaction_with_behavior(TransactionBehavior::Immediate)? })
    }

    /// Stores an entry in place of those of its key.
    pub fn put(
        &self,
        record: &Record,
        vector: Option<&VectorRecord>,
        hits: u64,
    ) -> Result<(), Fault> {
        let tx = &self.tx;
        tx.execute("DELETE FROM entries WHERE key = ?1", params![record.key])?;
        let insert = "INSERT INTO entries (key, id, scope, head, hits, sum) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let Record { key, scope, id, head, prompt, answer, sum } = record;
        tx.execute(insert, params![key, id, scope, head, number(hits), sum])?;
        let row = tx.last_insert_rowid();
        tx.execute(
            "INSERT INTO bodies (row, prompt, answer) VALUES (?1, ?2, ?3)",
            params![row, prompt, &answer[..]],
        )?;
        if let Some(VectorRecord { embedder, bytes, sum }) = vector {
            tx.execute(
                "INSERT INTO vectors (row, embedder, vector, sum) VALUES (?1, ?2, ?3, ?4)",
                params![row, embedder, bytes, sum],
            )?;
        }
        Ok(())
    }

    /// Removes the entry of that key, if it is still the one of that id.
    pub fn remove(&self, key: &[u8], id: &[u8]) -> Result<(), Fault> {
        self.tx.execute("DELETE FROM entries WHERE key = ?1 AND id = ?2", params![key, id])?;
        Ok(())
    }

    /// Removes the vector of the entry of that key, if it is still the one of that id.
    pub fn strip(&self, key: &[u8], id: &[u8]) -> Result<(), Fault> {
        let sql = "DELETE FROM vectors WHERE row IN \
                   (SELECT row FROM entries WHERE key = ?1 AND id = ?2)";
        self.tx.execute(sql, params![key, id])?;
        Ok(())
    }

    /// Removes every entry of that id, and returns how many there were.
    pub fn remove_named(&self, id: &[u8]) -> Result<usize, Fault> {
        // All that is read for it is the index by key and id, some 100 bytes an entry.
        let sql = "DELETE FROM entries WHERE row IN \
                   (SELECT row FROM entries INDEXED BY entries_by_key WHERE id = ?1)";
        Ok(self.tx.execute(sql, params![id])?)
    }

    pub fn remove_row(&self, row: i64) -> Result<(), Fault> {
        self.tx.execute("DELETE FROM entries WHERE row = ?1", params![row])?;
        Ok(())
    }

    pub fn remove_vector(&self, row: i64) -> Result<(), Fault> {
        self.tx.execute("DELETE FROM vectors WHERE row = ?1", params![row])?;
        Ok(())
    }

    pub fn touch(&self, key: &CacheKey, hits: u64) -> Result<(), Fault> {
        let sql = "UPDATE entries SET hits = ?2 WHERE key = ?1";
        self.tx.execute(sql, params![key.0, number(hits)])?;
        Ok(())
    }

    /// Removes the entries that `selects` names by all but their texts, and returns their ids. One
    /// for which it cannot say is removed too.
    pub fn remove_if(
        &self,
        selects: impl Fn(Record, u64) -> Option<bool>,
    ) -> Result<Vec<String>, Fault> {
        let mut statement =
            self.tx.prepare("SELECT row, hits, key, scope, id, head FROM entries")?;
        let chosen = collect(&mut statement, [], |row| {
            let place = row.get(0).unwrap_or(-1);
            let record = Record {
                key: blob(row, 2),
                scope: blob(row, 3),
                id: blob(row, 4),
                head: blob(row, 5),
                prompt: Vec::new(),
                answer: Bytes::new(),
                sum: Vec::new(),
            };
            let id = String::from_utf8_lossy(&record.id).into_owned();
            (place, id, selects(record, hits(row)))
        })?;
        let mut removed = Vec::new();
        for (row, id, selected) in chosen {
            if selected != Some(false) {
                self.remove_row(row)?;
            }
            if selected == Some(true) {
                removed.push(id);
            }
        }
        Ok(removed)
    }

    pub fn save_state(&self, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        let sql = "INSERT OR REPLACE INTO states (name, bytes, sum) VALUES (?1, ?2, ?3)";
        self.tx.execute(sql, params![name, bytes, state_sum(name, bytes)])?;
        Ok(())
    }

    /// Removes every learnt state but those of these names.
    pub fn keep_states(&self, names: &[String]) -> Result<(), Fault> {
        let names = serde_json::Value::from(names).to_string();
        let sql = "DELETE FROM states WHERE name NOT IN (SELECT value FROM json_each(?1))";
        self.tx.execute(sql, params![names])?;
        Ok(())
    }

    /// Keeps pairs of questions apart, as the newest of them; the oldest give way.
    pub fn keep_apart(&self, pairs: &[Pair]) -> Result<(), Fault> {
        for pair in pairs {
            let sql = "INSERT OR REPLACE INTO apart (pair) VALUES (?1)";
            self.tx.execute(sql, params![pair.bytes()])?;
        }
        let oldest = "DELETE FROM apart WHERE row <= (SELECT max(row) FROM apart) - ?1";
        self.tx.execute(oldest, params![i64::try_from(MAX_PAIRS).unwrap_or(i64::MAX)])?;
        Ok(())
    }

    /// Commits, and notes what time it is: the file's clock never goes back.
    pub fn commit(self, now: Timestamp) -> Result<(), Fault> {
        let nanos = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
        let sql = "INSERT INTO clock (one, seen) VALUES (1, ?1) \
                   ON CONFLICT (one) DO UPDATE SET seen = max(seen, excluded.seen)";
        self.tx.execute(sql, params![nanos])?;
        Ok(self.tx.commit()?)
    }
}

fn number(hits: u64) -> i64 {
    i64::try_from(hits).unwrap_or(i64::MAX)
}
