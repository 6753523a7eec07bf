//! The file: opening it and reading it; `batch` changes it. There is no other SQL. Whoever calls decides
//! when, and what a fault means.
//!
//! One connection writes, in batches; others read beside it. Deleted rows are overwritten, so that
//! what was purged is gone from the disk, and no damaged page can bring it back.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Row, Statement, TransactionBehavior, params};

use super::batch::Batch;
use super::fault::Fault;
use super::record::{Record, VectorRecord, state_sum};
use crate::cache::negatives::Pair;
use crate::cache::{CacheKey, Scope};
use crate::config::paths;

/// Says that a file is ours: "sgca".
const APPLICATION: i32 = 0x7367_6361;
/// Version of the tables and of the records in them. A file of another version is begun anew, but
/// for the first, which lacked one table.
const SCHEMA: i32 = 2;
const FIRST: i32 = 1;
/// What the second version added to the first.
const SECOND: &str =
    "CREATE TABLE apart (row INTEGER PRIMARY KEY, pair BLOB NOT NULL UNIQUE) STRICT;
    PRAGMA user_version = 2";
/// How long a statement waits for a reader that is in its way.
const PATIENCE: Duration = Duration::from_secs(2);

/// Everything that a lookup needs of one entry.
pub(super) const WHOLE: &str = "SELECT e.row, e.hits, e.key, e.scope, e.id, e.head, e.sum, \
     b.prompt, b.answer, v.embedder, v.vector, v.sum FROM entries e \
     LEFT JOIN bodies b ON b.row = e.row LEFT JOIN vectors v ON v.row = e.row";

/// An open file.
#[derive(Debug)]
pub(super) struct File {
    db: Connection,
}

/// One row of [`WHOLE`].
#[derive(Debug)]
pub(super) struct Whole {
    pub row: i64,
    pub hits: u64,
    pub record: Record,
    pub vector: Option<VectorRecord>,
}

/// Key and id of a row, as they stand there.
type Named = (Vec<u8>, Vec<u8>);

impl File {
    /// Opens the file for writing, and makes it (mode 0600) if there is none. It holds at most
    /// `max_bytes`.
    pub fn open(path: &Path, max_bytes: u64) -> Result<Self, Fault> {
        // SQLite gives its other files the mode of this one.
        paths::append_private(path)?;
        paths::make_private(path)?;
        let mut db = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        db.busy_timeout(PATIENCE)?;
        // Before the first page is written, or not at all.
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        let mode: String =
            db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(Fault::Io(format!("it cannot have a write-ahead log (`{mode}`)")));
        }
        careful(&db)?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.pragma_update(None, "secure_delete", "ON")?;
        // The writer says when: once a second, and not in the middle of a batch.
        db.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
        db.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |_| Ok(()))?;
        if tables(&db)? == 0 {
            let batch = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            batch.execute_batch(include_str!("schema.sql"))?;
            batch.pragma_update(None, "application_id", APPLICATION)?;
            batch.pragma_update(None, "user_version", SCHEMA)?;
            batch.commit()?;
        }
        if (pragma(&db, "application_id")?, pragma(&db, "user_version")?) == (APPLICATION, FIRST) {
            let batch = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            batch.execute_batch(SECOND)?;
            batch.commit()?;
        }
        check(&db)?;
        let page: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = (max_bytes / u64::try_from(page).unwrap_or(4096).max(512)).max(64);
        let pages = i64::try_from(pages).unwrap_or(i64::MAX).min(4_294_967_294);
        db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        Ok(Self { db })
    }

    /// Opens the file for reading, beside its writer if there is one.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        // Without a log nobody has the file open, and reading it need not leave one behind.
        let unused = !super::files(path)[1].exists();
        let db = Connection::open_with_flags(uri(path, unused), flags)?;
        db.busy_timeout(PATIENCE)?;
        careful(&db)?;
        check(&db)?;
        Ok(Self { db })
    }

    /// Begins a batch: all of it comes to be, or nothing.
    pub fn batch(&mut self) -> Result<Batch<'_>, Fault> {
        Batch::begin(&mut self.db)
    }

    /// As [`Self::batch`]; what it commits is on the disk when the commit returns.
    pub fn durable_batch(&mut self) -> Result<Batch<'_>, Fault> {
        self.db.pragma_update(None, "synchronous", "FULL")?;
        self.batch()
    }

    /// After a durable batch: back to commits that wait for the next checkpoint. What it freed is
    /// given back to the disk.
    pub fn settle(&mut self) -> Result<(), Fault> {
        self.db.pragma_update(None, "synchronous", "NORMAL")?;
        self.db.pragma_query(None, "incremental_vacuum", |_| Ok(()))?;
        self.checkpoint("TRUNCATE")
    }

    /// Brings what was committed to the disk for good. `PASSIVE` waits for nobody.
    pub fn checkpoint(&self, how: &str) -> Result<(), Fault> {
        Ok(self.db.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(()))?)
    }

    /// Whether the name leads to another file by now, or to none.
    pub fn has_moved(&self) -> bool {
        let mut moved = 0;
        let asked = self.db.file_control::<&str>(None, rusqlite::FileControl::HasMoved(&mut moved));
        asked.is_err() || moved != 0
    }

    /// Up to `limit` entries after `row`, in the order in which they were stored.
    pub fn whole_after(&self, row: i64, limit: usize) -> Result<Vec<Whole>, Fault> {
        let sql = format!("{WHOLE} WHERE e.row > ?1 ORDER BY e.row LIMIT ?2");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        collect(&mut self.db.prepare(&sql)?, params![row, limit], whole)
    }

    /// Entries of that key: one, or none.
    pub fn whole_of(&self, key: &CacheKey) -> Result<Vec<Whole>, Fault> {
        let sql = format!("{WHOLE} WHERE e.key = ?1");
        collect(&mut self.db.prepare(&sql)?, params![key.0], whole)
    }

    /// The entries of that key or of that scope.
    pub fn whole_among(&self, key: &CacheKey, scope: &Scope) -> Result<Vec<Whole>, Fault> {
        let sql = format!("{WHOLE} WHERE e.key = ?1 OR e.scope = ?2 ORDER BY e.row");
        collect(&mut self.db.prepare(&sql)?, params![key.0, scope.0], whole)
    }

    /// Key and id of every entry.
    pub fn names(&self) -> Result<Vec<Named>, Fault> {
        let mut statement = self.db.prepare("SELECT key, id FROM entries")?;
        collect(&mut statement, [], |row| (blob(row, 0), blob(row, 1)))
    }

    /// The learnt states that are whole, by name.
    pub fn states(&self) -> Result<Vec<(String, Vec<u8>)>, Fault> {
        let mut statement = self.db.prepare("SELECT name, bytes, sum FROM states ORDER BY name")?;
        let read = |row: &Row<'_>| (text(row, 0), blob(row, 1), blob(row, 2));
        let states = collect(&mut statement, [], read)?;
        let whole = states.into_iter().filter(|(name, bytes, sum)| *sum == state_sum(name, bytes));
        Ok(whole.map(|(name, bytes, _)| (name, bytes)).collect())
    }

    /// The pairs of questions that are kept apart, oldest first.
    pub fn pairs(&self) -> Result<Vec<Pair>, Fault> {
        let mut statement = self.db.prepare("SELECT pair FROM apart ORDER BY row")?;
        let pairs = collect(&mut statement, [], |row| Pair::read(&blob(row, 0)))?;
        Ok(pairs.into_iter().flatten().collect())
    }

    /// The latest moment that the file has seen.
    pub fn seen(&self) -> Result<Option<Timestamp>, Fault> {
        let mut statement = self.db.prepare("SELECT seen FROM clock")?;
        let seen = collect(&mut statement, [], |row| row.get::<_, i64>(0).ok())?;
        let seen = seen.into_iter().flatten().next();
        Ok(seen.and_then(|nanos| Timestamp::from_nanosecond(nanos.into()).ok()))
    }

    /// Entries, vectors, and bytes of learnt states.
    pub fn counts(&self) -> Result<[u64; 3], Fault> {
        let sql = "SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM vectors), \
                   (SELECT coalesce(sum(length(bytes)), 0) FROM states)";
        let counted = self.db.query_row(sql, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]));
        let counts: [i64; 3] = counted?;
        Ok(counts.map(|count| u64::try_from(count).unwrap_or(0)))
    }
}

/// What every connection wants: a damaged file must not lead it astray.
fn careful(db: &Connection) -> Result<(), Fault> {
    db.pragma_update(None, "trusted_schema", "OFF")?;
    db.pragma_update(None, "cell_size_check", "ON")?;
    db.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(())).or_else(|error| match error {
        // Without memory mapping there is nothing to be said about it.
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        error => Err(error),
    })?;
    Ok(db.pragma_update(None, "foreign_keys", "ON")?)
}

/// The path as SQLite wants it where more is to be said than the path.
fn uri(path: &Path, immutable: bool) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'?' | b'#' | b'%' => uri.push_str(&format!("%{byte:02X}")),
            // Of anything but ASCII the bytes are what counts.
            128.. => uri.push_str(&format!("%{byte:02X}")),
            byte => uri.push(char::from(*byte)),
        }
    }
    if immutable { uri + "?immutable=1" } else { uri }
}

fn tables(db: &Connection) -> Result<i64, Fault> {
    Ok(db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?)
}

/// Whether the file is ours, of this version, and has the tables that it should have.
fn check(db: &Connection) -> Result<(), Fault> {
    if (pragma(db, "application_id")?, pragma(db, "user_version")?) != (APPLICATION, SCHEMA) {
        return Err(Fault::Damaged("it is of another version, or not ours".to_owned()));
    }
    db.prepare(&format!("{WHOLE} WHERE e.key = ?1 AND e.id = ?2"))?;
    db.prepare("SELECT name, bytes, sum FROM states")?;
    db.prepare("SELECT row, pair FROM apart")?;
    db.prepare("SELECT seen FROM clock")?;
    Ok(())
}

fn pragma(db: &Connection, name: &str) -> Result<i32, Fault> {
    Ok(db.pragma_query_value(None, name, |row| row.get(0))?)
}

pub(super) fn collect<T>(
    statement: &mut Statement<'_>,
    params: impl rusqlite::Params,
    read: impl Fn(&Row<'_>) -> T,
) -> Result<Vec<T>, Fault> {
    let rows = statement.query_map(params, |row| Ok(read(row)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn whole(row: &Row<'_>) -> Whole {
    let record = Record {
        key: blob(row, 2),
        scope: blob(row, 3),
        id: blob(row, 4),
        head: blob(row, 5),
        sum: blob(row, 6),
        prompt: blob(row, 7),
        answer: row
            .get_ref(8)
            .ok()
            .and_then(|value| value.as_blob().ok())
            .map_or_else(Bytes::new, Bytes::copy_from_slice),
    };
    let vector = VectorRecord { embedder: blob(row, 9), bytes: blob(row, 10), sum: blob(row, 11) };
    Whole {
        row: row.get(0).unwrap_or(-1),
        hits: hits(row),
        record,
        vector: (!vector.sum.is_empty()).then_some(vector),
    }
}

/// The blob in that column. Of anything else nothing is left, and the checksum will tell.
pub(super) fn blob(row: &Row<'_>, column: usize) -> Vec<u8> {
    let value = row.get_ref(column).ok();
    value.and_then(|value| value.as_blob().ok()).unwrap_or_default().to_vec()
}

fn text(row: &Row<'_>, column: usize) -> String {
    row.get(column).unwrap_or_default()
}

/// Of a row whose second column counts hits.
pub(super) fn hits(row: &Row<'_>) -> u64 {
    row.get::<_, i64>(1).ok().and_then(|hits| u64::try_from(hits).ok()).unwrap_or(0)
}
