//! The most recent decision records, in memory, bounded in number and in bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::answers::FeedbackNote;
use super::decision::DecisionRecord;

/// Content kept in the ring at most; beyond it the oldest records leave early.
const MAX_BYTES: usize = 64 << 20;

/// A ring of records, newest last.
#[derive(Debug)]
pub struct Ring {
    capacity: usize,
    records: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    records: VecDeque<Arc<DecisionRecord>>,
    bytes: usize,
}

impl Ring {
    pub fn new(capacity: usize) -> Self {
        Self { capacity, records: Mutex::default() }
    }

    /// Adds a record; the oldest leave when the ring is full.
    pub fn push(&self, record: Arc<DecisionRecord>) {
        if self.capacity == 0 {
            return;
        }
        let mut held = self.lock();
        held.bytes += record.content_bytes();
        held.records.push_back(record);
        while held.records.len() > self.capacity || held.bytes > MAX_BYTES {
            let Some(oldest) = held.records.pop_front() else { break };
            held.bytes -= oldest.content_bytes();
        }
    }

    /// Adds what a caller said of the answer to its record, while it is here.
    pub fn amend(&self, id: &str, note: FeedbackNote) {
        let mut held = self.lock();
        if let Some(record) = held.records.iter_mut().rev().find(|record| record.id == id) {
            Arc::make_mut(record).feedback = Some(note);
        }
    }

    /// Up to `limit` records, newest first.
    pub fn recent(&self, limit: usize) -> Vec<Arc<DecisionRecord>> {
        self.lock().records.iter().rev().take(limit).cloned().collect()
    }

    /// The record of that id, while it is here.
    pub fn find(&self, id: &str) -> Option<Arc<DecisionRecord>> {
        self.lock().records.iter().rev().find(|record| record.id == id).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
