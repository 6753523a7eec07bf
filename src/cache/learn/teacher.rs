//! The thread that teaches: lessons wait in a bounded queue, so that neither comparing answers nor a
//! refit holds a request up.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{Lesson, Minds};

/// Lessons that may wait. One more is dropped and counted: the same would have been learnt if the
/// judge could not tell.
const QUEUE: usize = 1024;

/// Removes entries, by number, whose stored answer is no longer the answer.
type Retire = Box<dyn Fn(&[u64]) + Send + Sync>;

/// Teaches minds, in the background or at once.
pub struct Teacher {
    shared: Arc<Shared>,
    /// `None`: lessons are taken in on the caller's thread.
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    minds: Arc<Minds>,
    retire: Retire,
    state: Mutex<State>,
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Lesson>,
    busy: bool,
    closed: bool,
}

impl std::fmt::Debug for Teacher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Teacher").field("minds", &self.shared.minds).finish_non_exhaustive()
    }
}

impl Teacher {
    /// Teaches on a thread of its own from now on. Fails when the system refuses one.
    pub fn start(&mut self) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("teacher".into()).spawn(move || {
            while let Some(lesson) = shared.next() {
                shared.teach(&lesson);
                shared.done();
            }
        })?;
        self.thread = Some(thread);
        Ok(())
    }

    /// Without a thread: for replay and tests, whose results must not depend on the scheduler.
    pub fn synchronous(minds: Arc<Minds>, retire: Retire) -> Self {
        let shared = Shared {
            minds,
            retire,
            state: Mutex::default(),
            changed: Condvar::new(),
            dropped: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), thread: None }
    }

    pub fn minds(&self) -> &Minds {
        &self.shared.minds
    }

    pub fn share(&self) -> Arc<Minds> {
        Arc::clone(&self.shared.minds)
    }

    /// Takes in a lesson, soon or (without a thread) now.
    pub fn teach(&self, lesson: Lesson) {
        if self.thread.is_none() {
            return self.shared.teach(&lesson);
        }
        let mut state = self.shared.lock();
        if state.closed || state.waiting.len() >= QUEUE {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.push_back(lesson);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until every lesson so far was taken in.
    pub fn flush(&self) {
        let state = self.shared.lock();
        let idle = |state: &mut State| state.busy || !state.waiting.is_empty();
        let waited = self.shared.changed.wait_while(state, idle);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Lessons that found the queue full.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Teacher {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has told so itself.
            _ = thread.join();
        }
    }
}

impl Shared {
    fn next(&self) -> Option<Lesson> {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let waited = self.changed.wait_while(self.lock(), idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let lesson = state.waiting.pop_front()?;
        state.busy = true;
        Some(lesson)
    }

    fn done(&self) {
        self.lock().busy = false;
        self.changed.notify_all();
    }

    /// A lesson that panics is lost, and told; the cache goes on with what it knows.
    fn teach(&self, lesson: &Lesson) {
        let taught = catch_unwind(AssertUnwindSafe(|| {
            let retired = self.minds.learn(lesson);
            if !retired.is_empty() {
                (self.retire)(&retired);
            }
        }));
        if taught.is_err() {
            tracing::error!("the cache could not learn from an answer");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
