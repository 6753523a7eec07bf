//! Entries on their way into the semantic level: bounded, and open to inspection, because a purge
//! must reach what is still waiting. That is why it is not a channel.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cache::Entry;

#[derive(Debug)]
pub(super) struct Queue {
    limit: usize,
    state: Mutex<State>,
    /// Something for the worker to look at.
    changed: Condvar,
    /// Everything was stored.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Arc<Entry>>,
    /// An entry was taken and is not stored yet.
    busy: bool,
    woken: bool,
    closed: bool,
}

/// Why the worker may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Entry,
    /// Somebody else changed the table.
    Woken,
    /// Nothing came in time.
    None,
    Closed,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default(), changed: Condvar::new(), emptied: Condvar::new() }
    }

    /// Whether there was room.
    pub(super) fn push(&self, entry: Arc<Entry>) -> bool {
        let mut state = self.lock();
        if state.waiting.len() >= self.limit || state.closed {
            return false;
        }
        state.waiting.push_back(entry);
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Takes the oldest entry; [`Self::done`] must follow when it is stored.
    pub(super) fn pop(&self) -> Option<Arc<Entry>> {
        let mut state = self.lock();
        let entry = state.waiting.pop_front();
        state.busy = entry.is_some();
        if entry.is_none() {
            self.emptied.notify_all();
        }
        entry
    }

    pub(super) fn done(&self) {
        let mut state = self.lock();
        state.busy = false;
        if state.waiting.is_empty() {
            self.emptied.notify_all();
        }
    }

    pub(super) fn remove_if(&self, selects: impl Fn(&Entry) -> bool) -> Vec<Arc<Entry>> {
        let mut state = self.lock();
        let all = std::mem::take(&mut state.waiting);
        let (removed, kept): (VecDeque<_>, VecDeque<_>) =
            all.into_iter().partition(|entry| selects(entry));
        state.waiting = kept;
        if state.waiting.is_empty() && !state.busy {
            self.emptied.notify_all();
        }
        removed.into()
    }

    /// Waits up to `patience` for something to do.
    pub(super) fn wait(&self, patience: Duration) -> Work {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed && !state.woken;
        let waited = self.changed.wait_timeout_while(self.lock(), patience, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            Work::Closed
        } else if !state.waiting.is_empty() {
            Work::Entry
        } else if std::mem::take(&mut state.woken) {
            Work::Woken
        } else {
            Work::None
        }
    }

    pub(super) fn wait_until_empty(&self) {
        let unsettled =
            |state: &mut State| !state.closed && (state.busy || !state.waiting.is_empty());
        drop(self.emptied.wait_while(self.lock(), unsettled));
    }

    pub(super) fn wake(&self) {
        self.lock().woken = true;
        self.changed.notify_one();
    }

    /// The worker ends after what it is at; what waits is dropped with the cache.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
        self.emptied.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
