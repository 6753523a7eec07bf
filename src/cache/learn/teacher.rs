//! The thread that teaches: lessons wait in a bounded queue, so that neither comparing answers nor a
//! refit holds a request up. One that a model is asked about waits for its word outside the queue.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

use super::arbiter::{Arbiter, refer};
use super::judges::Said;
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

pub(super) struct Shared {
    minds: Arc<Minds>,
    retire: Retire,
    arbiter: OnceLock<Arbiter>,
    /// There is a thread; else lessons are taken in where they are given.
    in_background: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    busy: bool,
    closed: bool,
}

/// A lesson, and what was said of its answers where a model has been asked.
pub(super) struct Work {
    pub lesson: Lesson,
    pub said: Option<Vec<Said>>,
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
            while let Some(work) = shared.next() {
                shared.teach(work);
                shared.done();
            }
        })?;
        self.shared.in_background.store(true, Ordering::Relaxed);
        self.thread = Some(thread);
        Ok(())
    }

    /// Without a thread: for replay and tests, whose results must not depend on the scheduler.
    pub fn synchronous(minds: Arc<Minds>, retire: Retire) -> Self {
        let shared = Shared {
            minds,
            retire,
            arbiter: OnceLock::new(),
            in_background: AtomicBool::new(false),
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

    /// From now on asks `arbiter` about what comparing leaves open. The first one stays.
    pub fn refer_to(&self, arbiter: Arbiter) {
        _ = self.shared.arbiter.set(arbiter);
    }

    /// Takes in a lesson, soon or (without a thread) now; one that a model is asked about, when it
    /// has answered.
    pub fn teach(&self, lesson: Lesson) {
        self.shared.take(Work { lesson, said: None });
    }

    /// Waits until every lesson so far was taken in, but for those that wait for a model.
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
    /// Queues a lesson, or (without a thread) takes it in.
    pub fn take(self: &Arc<Self>, work: Work) {
        if !self.in_background.load(Ordering::Relaxed) {
            return self.teach(work);
        }
        let mut state = self.lock();
        if state.closed || state.waiting.len() >= QUEUE {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.push_back(work);
        drop(state);
        self.changed.notify_all();
    }

    fn next(&self) -> Option<Work> {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let waited = self.changed.wait_while(self.lock(), idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let work = state.waiting.pop_front()?;
        state.busy = true;
        Some(work)
    }

    fn done(&self) {
        self.lock().busy = false;
        self.changed.notify_all();
    }

    /// A lesson that panics is lost, and told; the cache goes on with what it knows.
    fn teach(self: &Arc<Self>, work: Work) {
        if catch_unwind(AssertUnwindSafe(|| self.try_teach(work))).is_err() {
            tracing::error!("the cache could not learn from an answer");
        }
    }

    fn try_teach(self: &Arc<Self>, Work { lesson, said }: Work) {
        let said = match (said, self.arbiter.get()) {
            (Some(said), _) => said,
            (None, None) => self.minds.hear(&lesson),
            (None, Some(arbiter)) => {
                let said = self.minds.hear(&lesson);
                let open = self.minds.open(&lesson, &said);
                if !open.is_empty() {
                    return refer(self, arbiter, lesson, said, open);
                }
                said
            }
        };
        let retired = self.minds.take_in(&lesson, &said);
        if !retired.is_empty() {
            (self.retire)(&retired);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
