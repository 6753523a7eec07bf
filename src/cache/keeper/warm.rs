//! From the file to memory: everything once, at the start, and before that what somebody waits for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use super::{Gate, Message, Shared, names};
use crate::cache::store::{Fault, Reader};
use crate::cache::{Entry, learn};
use crate::now::Now;

/// Rows read between two looks at who asks for a key: a millisecond's work.
const SLICE: usize = 64;

impl Shared {
    /// Reads the whole file into memory, and first what somebody waits for. Whether to stop.
    pub(super) fn warm(&self, messages: &Receiver<Message>) -> bool {
        let begun = Now::read().mono;
        if !self.has_learnt.load(Ordering::Acquire) {
            self.recall();
        }
        let mut restored = 0;
        match self.read_all(messages, &mut restored) {
            Ok(true) => return true,
            Ok(false) => {}
            Err(fault) => {
                tracing::warn!(%fault, restored, "the cache's file could not be read to its end");
                self.store.report(fault);
            }
        }
        // What could not be read by now will not be.
        self.has_learnt.store(true, Ordering::Release);
        let mut gate = self.write();
        self.is_warm.store(true, Ordering::Release);
        *gate = Gate::default();
        drop(gate);
        if let Some(semantic) = &self.levels.semantic {
            // Entries that expired or were dropped meanwhile leave their groups.
            let here = semantic.all().iter().map(|entry| learn::number(&entry.id)).collect();
            self.minds.keep_only(&here);
        }
        self.warmed.1.notify_all();
        let took_ms = Now::read().mono.duration_since(begun).as_millis() as u64;
        tracing::info!(entries = restored, took_ms, "answers of an earlier run are back");
        false
    }

    fn read_all(&self, messages: &Receiver<Message>, restored: &mut usize) -> Result<bool, Fault> {
        let reader = self.store.reader()?;
        let mut from = None;
        loop {
            if self.answer(&reader, messages) {
                return Ok(true);
            }
            let (entries, next) = self.slice(&reader, from)?;
            *restored += entries;
            if next.is_none() {
                return Ok(false);
            }
            from = next;
        }
    }

    /// One batch of rows into memory: how many entries, and where the next one begins.
    fn slice(&self, reader: &Reader, from: Option<i64>) -> Result<(usize, Option<i64>), Fault> {
        let batch = reader.batch(from, SLICE, Now::read())?;
        let next = batch.next;
        let entries = batch.entries.len();
        self.restore(batch.entries);
        self.store.discard(batch.rejected, batch.vectors);
        Ok((entries, next))
    }

    /// Serves those who wait for a key. Whether to stop.
    fn answer(&self, reader: &Reader, messages: &Receiver<Message>) -> bool {
        while let Ok(message) = messages.try_recv() {
            match message {
                Message::Close => return true,
                Message::Find(key, done) => {
                    // A fault shows again in the pass over all rows.
                    if let Ok(Some(entry)) = reader.find(&key, Now::read()) {
                        self.restore(vec![entry]);
                        _ = done.send(());
                    }
                }
            }
        }
        false
    }

    /// Puts entries of the file into memory, except where memory knows better: a newer entry of the
    /// same key, or one that was taken out. Those leave the file too. What is no neighbour any more
    /// comes back to the exact level only.
    fn restore(&self, entries: Vec<Entry>) {
        let gate = self.read();
        let (mut barred, mut superseded) = (Vec::new(), Vec::new());
        for mut entry in entries {
            let is_superseded = gate.is_superseded(&entry);
            if is_superseded {
                entry.vector = None;
            }
            let entry = Arc::new(entry);
            if gate.bars(&entry) {
                barred.push(entry);
            } else {
                if is_superseded {
                    superseded.push(Arc::clone(&entry));
                }
                self.levels.restore(&entry);
            }
        }
        if !barred.is_empty() {
            self.store.withdraw(names(&barred));
        }
        self.store.strip(names(&superseded));
    }
}
