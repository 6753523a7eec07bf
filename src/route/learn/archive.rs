//! `state.db`: what the router has learnt, on disk. Labels, opinions, versions and probes; the
//! labels hold vectors and features of prompts, no text. Whoever calls decides when, and what a
//! fault means. No SQL elsewhere in the router.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Row, params};

use super::label::{By, Label, Opinion, Sample};
use super::probe::Capability;
use super::version::{Number, Version};
use crate::cache::learn::Lane;
use crate::config::paths;

/// Name of the file in the state folder.
pub const FILE: &str = "state.db";

/// Says that a file is ours: "sgst".
const APPLICATION: i32 = 0x7367_7374;
const SCHEMA: i32 = 1;
/// How long a statement waits for a reader that is in its way.
const PATIENCE: Duration = Duration::from_secs(2);

const TABLES: &str = "
    CREATE TABLE label (
        number INTEGER PRIMARY KEY, inputs TEXT NOT NULL, tenant TEXT NOT NULL,
        route TEXT NOT NULL, pair TEXT NOT NULL, at INTEGER NOT NULL, gain REAL NOT NULL,
        weight REAL NOT NULL, source TEXT NOT NULL, chars INTEGER NOT NULL, vector BLOB NOT NULL,
        surface BLOB NOT NULL) STRICT;
    CREATE INDEX label_pair ON label (tenant, route, pair, number);
    CREATE TABLE opinion (
        number INTEGER PRIMARY KEY, inputs TEXT NOT NULL, tenant TEXT NOT NULL,
        route TEXT NOT NULL, tier TEXT NOT NULL, at INTEGER NOT NULL, good INTEGER NOT NULL,
        weight REAL NOT NULL, vector BLOB NOT NULL) STRICT;
    CREATE TABLE version (
        tenant TEXT NOT NULL, route TEXT NOT NULL, number INTEGER NOT NULL, inputs TEXT NOT NULL,
        body TEXT NOT NULL, PRIMARY KEY (tenant, route, number)) STRICT;
    CREATE TABLE probe (model TEXT PRIMARY KEY, inputs TEXT NOT NULL, body TEXT NOT NULL) STRICT;";

/// Why the file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("another gateway holds it")]
    Held,
    #[error("it is no file of this gateway's, or of another version")]
    Foreign,
    #[error("{0}")]
    Sql(#[from] rusqlite::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("what it holds cannot be read: {0}")]
    Damaged(#[from] serde_json::Error),
}

/// The open file.
#[derive(Debug)]
pub struct Archive {
    db: Connection,
    path: PathBuf,
    /// Identity of the embedder and the features: rows of others are left alone.
    inputs: String,
    /// Held as long as the file is open for writing.
    _lock: Option<File>,
}

/// Everything that the file has of the labels' kind.
#[derive(Debug, Default)]
pub struct Contents {
    pub labels: Vec<(Number, Lane, String, Label)>,
    pub opinions: Vec<(Lane, Opinion)>,
    /// Oldest first.
    pub versions: Vec<(Lane, Version)>,
    pub probes: Vec<Capability>,
}

impl Archive {
    /// Opens the file in this folder for writing, and makes it (0600) if there is none.
    pub fn open(folder: &Path, inputs: &str) -> Result<Self, Fault> {
        paths::create_private_dir(folder)?;
        let path = folder.join(FILE);
        let lock = paths::append_private(&path.with_extension("lock"))?;
        if lock.try_lock().is_err() {
            return Err(Fault::Held);
        }
        // SQLite gives its other files the mode of this one.
        paths::append_private(&path)?;
        paths::make_private(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&path, flags)?;
        db.busy_timeout(PATIENCE)?;
        db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        let tables: i64 =
            db.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
        if tables == 0 {
            db.execute_batch(&format!(
                "BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION}; \
                 PRAGMA user_version = {SCHEMA}; COMMIT;"
            ))?;
        }
        Self::checked(db, path, inputs, Some(lock))
    }

    /// Opens the file for reading, beside its writer if there is one; `None` if there is no file.
    pub fn read(folder: &Path, inputs: &str) -> Result<Option<Self>, Fault> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&path, flags)?;
        db.busy_timeout(PATIENCE)?;
        Self::checked(db, path, inputs, None).map(Some)
    }

    fn checked(
        db: Connection,
        path: PathBuf,
        inputs: &str,
        lock: Option<File>,
    ) -> Result<Self, Fault> {
        let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        if (pragma("application_id")?, pragma("user_version")?) != (APPLICATION, SCHEMA) {
            return Err(Fault::Foreign);
        }
        Ok(Self { db, path, inputs: inputs.to_owned(), _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All that fits the inputs. A row that cannot be read is left out: it says nothing, and the
    /// others do.
    pub fn contents(&self) -> Result<Contents, Fault> {
        let mut contents = Contents::default();
        let mut labels = self.db.prepare(
            "SELECT number, tenant, route, pair, at, gain, weight, source, chars, vector, surface \
             FROM label WHERE inputs = ?1 ORDER BY number",
        )?;
        let rows = labels.query_map([&self.inputs], label)?;
        contents.labels = rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let mut opinions = self.db.prepare(
            "SELECT tenant, route, tier, at, good, weight, vector FROM opinion \
             WHERE inputs = ?1 ORDER BY number",
        )?;
        let rows = opinions.query_map([&self.inputs], opinion)?;
        contents.opinions = rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let mut versions = self.db.prepare(
            "SELECT tenant, route, body FROM version WHERE inputs = ?1 ORDER BY tenant, route, number",
        )?;
        let rows = versions
            .query_map([&self.inputs], |row| Ok((lane(row, 0)?, row.get::<_, String>(2)?)))?;
        for row in rows {
            let (lane, body) = row?;
            contents.versions.push((lane, serde_json::from_str(&body)?));
        }
        let mut probes = self.db.prepare("SELECT body FROM probe WHERE inputs = ?1")?;
        for body in probes.query_map([&self.inputs], |row| row.get::<_, String>(0))? {
            contents.probes.push(serde_json::from_str(&body?)?);
        }
        Ok(contents)
    }

    pub fn add_label(
        &self,
        number: Number,
        lane: &Lane,
        pair: &str,
        label: &Label,
    ) -> Result<(), Fault> {
        let Label { sample, gain, weight, by, at } = label;
        let mut insert = self.db.prepare(
            "INSERT INTO label VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?;
        insert.execute(params![
            number,
            self.inputs,
            &*lane.tenant,
            &*lane.route,
            pair,
            at.as_millisecond(),
            gain,
            weight,
            by.name(),
            sample.chars,
            bytes(&sample.vector),
            bytes(&sample.surface),
        ])?;
        Ok(())
    }

    pub fn add_opinion(&self, lane: &Lane, opinion: &Opinion) -> Result<(), Fault> {
        let Opinion { vector, tier, good, weight, at } = opinion;
        let mut insert =
            self.db.prepare("INSERT INTO opinion VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        insert.execute(params![
            self.inputs,
            &*lane.tenant,
            &*lane.route,
            &**tier,
            at.as_millisecond(),
            good,
            weight,
            bytes(vector),
        ])?;
        Ok(())
    }

    /// Writes a version down, and drops all but the newest `keep` of its tenant and route.
    pub fn add_version(&self, lane: &Lane, version: &Version, keep: u32) -> Result<(), Fault> {
        self.db.execute(
            "INSERT OR REPLACE INTO version VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                &*lane.tenant,
                &*lane.route,
                version.number,
                self.inputs,
                serde_json::to_string(version)?
            ],
        )?;
        self.db.execute(
            "DELETE FROM version WHERE tenant = ?1 AND route = ?2 AND number <= ?3",
            params![&*lane.tenant, &*lane.route, i64::from(version.number) - i64::from(keep)],
        )?;
        Ok(())
    }

    pub fn add_probe(&self, capability: &Capability) -> Result<(), Fault> {
        self.db.execute(
            "INSERT OR REPLACE INTO probe VALUES (?1, ?2, ?3)",
            params![&*capability.model, self.inputs, serde_json::to_string(capability)?],
        )?;
        Ok(())
    }

    /// Drops the labels of a pair below this number, and all but the newest `opinions` of a tenant
    /// and route.
    pub fn prune(&self, lane: &Lane, pair: &str, below: Number) -> Result<(), Fault> {
        self.db.execute(
            "DELETE FROM label WHERE tenant = ?1 AND route = ?2 AND pair = ?3 AND number < ?4",
            params![&*lane.tenant, &*lane.route, pair, below],
        )?;
        Ok(())
    }

    /// Drops all but the newest opinions of a tenant and route.
    pub fn prune_opinions(&self, lane: &Lane, keep: usize) -> Result<(), Fault> {
        self.db.execute(
            "DELETE FROM opinion WHERE tenant = ?1 AND route = ?2 AND number NOT IN \
             (SELECT number FROM opinion WHERE tenant = ?1 AND route = ?2 \
              ORDER BY number DESC LIMIT ?3)",
            params![&*lane.tenant, &*lane.route, i64::try_from(keep).unwrap_or(i64::MAX)],
        )?;
        Ok(())
    }
}

fn lane(row: &Row<'_>, at: usize) -> rusqlite::Result<Lane> {
    let text = |place| row.get::<_, String>(place).map(Into::into);
    Ok(Lane { tenant: text(at)?, route: text(at + 1)? })
}

fn label(row: &Row<'_>) -> rusqlite::Result<Option<(Number, Lane, String, Label)>> {
    let read = || -> rusqlite::Result<Option<Label>> {
        let (Some(vector), Some(surface)) =
            (floats(&row.get::<_, Vec<u8>>(9)?), floats(&row.get::<_, Vec<u8>>(10)?))
        else {
            return Ok(None);
        };
        let chars = row.get(8)?;
        let sample = Sample { vector: vector.into(), surface: surface.into(), chars };
        let by = By::named(&row.get::<_, String>(7)?);
        let at = Timestamp::from_millisecond(row.get(4)?).ok();
        let (gain, weight) = (row.get(5)?, row.get(6)?);
        Ok(by.zip(at).map(|(by, at)| Label { sample, gain, weight, by, at }))
    };
    let (number, lane, pair) = (row.get(0)?, lane(row, 1)?, row.get(3)?);
    Ok(read()?.map(|label| (number, lane, pair, label)))
}

fn opinion(row: &Row<'_>) -> rusqlite::Result<Option<(Lane, Opinion)>> {
    let (lane, tier) = (lane(row, 0)?, row.get::<_, String>(2)?);
    let at = Timestamp::from_millisecond(row.get(3)?).ok();
    let (good, weight) = (row.get(4)?, row.get(5)?);
    let vector = floats(&row.get::<_, Vec<u8>>(6)?);
    Ok(vector.zip(at).map(|(vector, at)| {
        (lane, Opinion { vector: vector.into(), tier: tier.into(), good, weight, at })
    }))
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// `None` where a number is cut off or not finite.
fn floats(bytes: &[u8]) -> Option<Vec<f32>> {
    let (whole, rest) = bytes.as_chunks::<4>();
    let values: Vec<f32> = whole.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    (rest.is_empty() && values.iter().all(|value| value.is_finite())).then_some(values)
}
