//! The thread that writes. It owns the lock and the connection, commits what waits in batches, and
//! brings it to the disk for good once a second. Trouble with the file is counted, told at most once
//! a minute, and tried again later; nobody but a purge waits for it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::fault::Fault;
use super::file::File;
use super::pending::{Change, PurgeOrder, Work};
use super::record::{Clock, Record, VectorRecord};
use super::{Kept, Shared};
use crate::cache::{CacheKey, Purge};
use crate::config::paths;
use crate::now::Now;

/// How long a commit may wait to be safe from a power cut.
const TICK: Duration = Duration::from_secs(1);
/// Between two attempts at a file that could not be used.
const RETRY: Duration = Duration::from_secs(5);
/// Withdrawn and superseded entries that are remembered while the file cannot be used.
const MAX_OWED: usize = 65_536;
/// Between two words about the same trouble.
const SILENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// Held from the first success to the end of the process.
    lock: Option<fs::File>,
    file: Option<File>,
    /// Entries that are not to come back, and could not be removed yet.
    owed: Vec<(CacheKey, String)>,
    /// Entries whose vectors are not to come back, likewise.
    owed_vectors: Vec<(CacheKey, String)>,
    /// Something was committed since the last checkpoint.
    dirty: bool,
    checked: Instant,
    tried: Instant,
    told: Option<Instant>,
}

impl Writer {
    /// Tries the file at once, so that it is known how things stand.
    pub fn new(shared: Arc<Shared>) -> Self {
        let now = Now::read().mono;
        let mut writer = Self {
            shared,
            lock: None,
            file: None,
            owed: Vec::new(),
            owed_vectors: Vec::new(),
            dirty: false,
            checked: now,
            tried: now,
            told: None,
        };
        writer.open();
        writer
    }

    /// Works until the store is closed; then everything that waits is written.
    pub fn run(mut self) {
        loop {
            let work = self.shared.pending.take(TICK);
            let now = Now::read().mono;
            if self
                .file
                .as_ref()
                .is_some_and(|_| self.shared.is_forgotten.swap(false, Ordering::AcqRel))
            {
                self.file = None;
                self.open();
            } else if self.file.is_none() && now.duration_since(self.tried) >= RETRY {
                self.open();
            }
            let closing = work.closing;
            self.apply(work);
            if now.duration_since(self.checked) >= TICK || closing {
                self.checked = now;
                self.check();
            }
            if closing {
                // Closing the last connection folds the log into the file.
                self.file = None;
                return;
            }
        }
    }

    /// Takes the lock, opens the file, and begins a damaged one anew.
    pub fn open(&mut self) {
        self.tried = Now::read().mono;
        match self.attempt() {
            Ok(file) => {
                self.file = Some(file);
                self.told = None;
                self.shared.set(Kept::InFile);
                self.shared.opened.fetch_add(1, Ordering::AcqRel);
            }
            Err(Fault::Held) if self.lock.is_none() => self.shared.set(Kept::HeldByAnother),
            Err(fault) => self.trouble(&fault),
        }
    }

    fn attempt(&mut self) -> Result<File, Fault> {
        if self.lock.is_none() {
            paths::create_private_dir(&self.shared.folder)?;
            self.lock = Some(lock(&self.shared.lock_path())?);
        }
        match File::open(&self.shared.path, self.shared.max_bytes) {
            Err(Fault::Damaged(why)) => {
                tracing::warn!(path = %self.shared.path.display(), why, "the cache's file is begun anew");
                self.shared.renewed.fetch_add(1, Ordering::Relaxed);
                self.shared.forget_file()?;
                File::open(&self.shared.path, self.shared.max_bytes)
            }
            opened => opened,
        }
    }

    /// Applies changes in order; those between two purges in one commit.
    fn apply(&mut self, work: Work) {
        let mut batch = Vec::new();
        let mut waiting = Vec::new();
        for change in work.changes {
            match change {
                Change::Purge(order) => {
                    self.commit(std::mem::take(&mut batch), &[], &mut waiting);
                    self.purge(&order);
                }
                Change::Report(fault) => {
                    self.commit(std::mem::take(&mut batch), &[], &mut waiting);
                    self.broken(fault);
                }
                Change::Flush(done) => waiting.push(done),
                change => batch.push(change),
            }
        }
        let states: Vec<(String, Vec<u8>)> = work.states.into_iter().collect();
        self.commit(batch, &states, &mut waiting);
    }

    /// Commits a batch, or counts it as lost: what memory still holds is offered again later.
    pub fn commit(
        &mut self,
        batch: Vec<Change>,
        states: &[(String, Vec<u8>)],
        waiting: &mut Vec<SyncSender<bool>>,
    ) {
        let mut committed = true;
        let owes = self.file.is_some() && !(self.owed.is_empty() && self.owed_vectors.is_empty());
        if !batch.is_empty() || !states.is_empty() || owes {
            let puts = batch.iter().filter(|change| matches!(change, Change::Put(_))).count();
            let counter = match self.try_commit(&batch, states) {
                Ok(()) => {
                    self.owed.clear();
                    self.owed_vectors.clear();
                    &self.shared.written
                }
                Err(fault) => {
                    committed = false;
                    self.owe(batch);
                    self.broken(fault);
                    &self.shared.lost
                }
            };
            counter.fetch_add(puts as u64, Ordering::Relaxed);
        }
        for done in waiting.drain(..) {
            // Whoever asked may have left.
            _ = done.send(committed && self.file.is_some());
        }
    }

    fn try_commit(
        &mut self,
        changes: &[Change],
        states: &[(String, Vec<u8>)],
    ) -> Result<(), Fault> {
        let Some(file) = &mut self.file else { return Err(Fault::Held) };
        let batch = file.batch()?;
        remove(&batch, &self.owed)?;
        strip(&batch, &self.owed_vectors)?;
        for change in changes {
            write(&batch, change, self.shared.embedder.as_deref())?;
        }
        for (name, bytes) in states {
            batch.save_state(name, bytes)?;
        }
        batch.commit(Now::read().wall)?;
        self.dirty = true;
        Ok(())
    }

    /// What was to be removed for good, and was not, is removed before anything else is written. A
    /// file of another process is its own business.
    fn owe(&mut self, batch: Vec<Change>) {
        if self.lock.is_none() {
            return;
        }
        for change in batch {
            match change {
                Change::Withdraw(entries) => self.owed.extend(entries),
                Change::Strip(entries) => self.owed_vectors.extend(entries),
                _ => {}
            }
        }
        if self.owed.len() + self.owed_vectors.len() > MAX_OWED {
            // Better no file than one with so many answers that were found wrong.
            self.owed.clear();
            self.owed_vectors.clear();
            if let Err(fault) = self.shared.forget_file() {
                self.trouble(&fault);
            }
        }
    }

    /// Removes what a purge selects, for good; where that cannot be done the whole file goes, so
    /// that nothing of it can come back.
    fn purge(&mut self, order: &PurgeOrder) {
        match self.try_purge(order) {
            Ok(ids) => {
                _ = order.done.send(Ok(ids));
                // What follows frees space; the purge stands without it.
                if let Some(Err(fault)) = self.file.as_mut().map(File::settle) {
                    tracing::debug!(%fault, "after a purge");
                }
            }
            // Not our file: its owner's entries are its owner's business.
            Err(_) if self.lock.is_none() => _ = order.done.send(Ok(Vec::new())),
            Err(fault) => {
                let forgotten = self.shared.forget_file();
                self.broken(fault);
                let done = forgotten.map(|()| Vec::new()).map_err(|fault| fault.to_string());
                _ = order.done.send(done);
            }
        }
    }

    fn try_purge(&mut self, order: &PurgeOrder) -> Result<Vec<String>, Fault> {
        let Some(file) = &mut self.file else { return Err(Fault::Io("it is not open".into())) };
        if order.what != Purge::All {
            return purge(file, &order.what, order.now, self.shared.grace());
        }
        // A new file is quicker than emptying the old one, and leaves nothing behind. What was
        // learnt is no answer and stays.
        let (names, states, pairs) = (file.names()?, file.states()?, file.pairs()?);
        self.file = None;
        self.shared.forget_file()?;
        self.open();
        self.commit(vec![Change::Apart(pairs)], &states, &mut Vec::new());
        let text = |(_, id): (Vec<u8>, Vec<u8>)| String::from_utf8_lossy(&id).into_owned();
        Ok(names.into_iter().map(text).collect())
    }

    /// Once a second: what was committed goes to the disk, and a file that somebody removed is made
    /// anew.
    fn check(&mut self) {
        let Some(file) = &self.file else { return };
        if file.has_moved() {
            tracing::warn!(path = %self.shared.path.display(), "the cache's file is gone; it is begun anew");
            self.file = None;
            self.open();
            return;
        }
        if std::mem::take(&mut self.dirty)
            && let Err(fault) = file.checkpoint("PASSIVE")
            && fault != Fault::Held
        {
            self.broken(fault);
        }
    }

    /// The file failed at something: it is closed, and opened again later; a damaged one is begun
    /// anew at once.
    pub fn broken(&mut self, fault: Fault) {
        if self.file.take().is_none() {
            return;
        }
        self.shared.failures.fetch_add(1, Ordering::Relaxed);
        if let Fault::Damaged(why) = &fault {
            tracing::warn!(path = %self.shared.path.display(), why, "the cache's file is begun anew");
            self.shared.renewed.fetch_add(1, Ordering::Relaxed);
            match self.shared.forget_file() {
                Ok(()) => return self.open(),
                Err(fault) => return self.trouble(&fault),
            }
        }
        self.trouble(&fault);
    }

    fn trouble(&mut self, fault: &Fault) {
        let now = Now::read().mono;
        self.tried = now;
        self.shared.set(Kept::Failing(fault.to_string()));
        if self.told.is_none_or(|told| now.duration_since(told) >= SILENCE) {
            self.told = Some(now);
            tracing::warn!(
                path = %self.shared.path.display(), %fault,
                "the cache's file cannot be used; answers are kept in memory only until it can"
            );
        }
    }
}

/// Takes the lock of the file, or says who has it.
pub(super) fn lock(path: &Path) -> Result<fs::File, Fault> {
    let file = paths::append_private(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Fault::Held),
        Err(fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Removes the entries that `what` selects, durably, and returns their ids; those that expired more
/// than `grace` ago go too.
pub(super) fn purge(
    file: &mut File,
    what: &Purge,
    now: Now,
    grace: Duration,
) -> Result<Vec<String>, Fault> {
    let seen = file.seen()?;
    let batch = file.durable_batch()?;
    if let Purge::Entry(id) = what {
        let removed = batch.remove_named(id.as_bytes())?;
        batch.commit(now.wall)?;
        return Ok(vec![id.clone(); removed]);
    }
    let clock = Clock { now, seen, grace };
    let ids = batch.remove_if(|record, hits| {
        let entry = record.unproven(hits, clock).ok()?;
        Some(what.selects(&entry, now))
    })?;
    batch.commit(now.wall)?;
    Ok(ids)
}

fn remove(batch: &Batch<'_>, entries: &[(CacheKey, String)]) -> Result<(), Fault> {
    entries.iter().try_for_each(|(key, id)| batch.remove(&key.0, id.as_bytes()))
}

fn strip(batch: &Batch<'_>, entries: &[(CacheKey, String)]) -> Result<(), Fault> {
    entries.iter().try_for_each(|(key, id)| batch.strip(&key.0, id.as_bytes()))
}

fn write(batch: &Batch<'_>, change: &Change, embedder: Option<&str>) -> Result<(), Fault> {
    match change {
        Change::Put(entry) => {
            let Some(record) = Record::of(entry) else { return Ok(()) };
            let vector = embedder.and_then(|embedder| VectorRecord::of(entry, embedder));
            batch.put(&record, vector.as_ref(), entry.hits.load(Ordering::Relaxed))
        }
        Change::Remove(entries) | Change::Withdraw(entries) => remove(batch, entries),
        Change::Strip(entries) => strip(batch, entries),
        Change::KeepStates(names) => batch.keep_states(names),
        Change::Apart(pairs) => batch.keep_apart(pairs),
        Change::Touch(hits) => hits.iter().try_for_each(|(key, hits)| batch.touch(key, *hits)),
        Change::Discard { rows, vectors } => {
            rows.iter().try_for_each(|row| batch.remove_row(*row))?;
            vectors.iter().try_for_each(|row| batch.remove_vector(*row))
        }
        // None of these is part of a batch.
        Change::Purge(_) | Change::Report(_) | Change::Flush(_) => Ok(()),
    }
}
