//! A sequence that is produced once and heard by many, each at its own pace. There is no task behind
//! it: whoever wants more than has been recorded polls the source, so it moves as long as anybody
//! listens and is dropped with the last one who does. What the items mean is the flight's business.
//!
//! Nobody holds the source between two polls. A listener that stops asking (its client does not read)
//! can therefore not hold up the others: the source's wake-up goes to all who wait.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

/// What can be recorded.
pub trait Recorded {
    /// Bytes of memory that it takes.
    fn weight(&self) -> usize;

    /// Nothing follows it, though the source may have something to tidy up.
    fn is_last(&self) -> bool;
}

/// What a tape may hold, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Kept for those who come later. Beyond it new listeners begin with what comes next.
    pub replay: usize,
    /// Kept for listeners who are behind. Beyond it they lose their place.
    pub lag: usize,
}

/// What a listener is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard<T> {
    Item(T),
    /// The listener was slower than the tape's memory is long.
    Lost,
    /// Nothing more will come.
    End,
}

/// The recording.
pub struct Tape<T> {
    state: Mutex<State<T>>,
    bell: Arc<Bell>,
    /// Rings the bell; made once.
    waker: Waker,
}

struct State<T> {
    source: Source<T>,
    /// What somebody may still want; the first one has the number `start`.
    items: VecDeque<T>,
    start: usize,
    bytes: usize,
    limits: Limits,
    /// Everything since the beginning is still here.
    complete: bool,
    /// The last item is recorded, or there will be none.
    over: bool,
    /// The number of the item that each listener wants next.
    listeners: HashMap<u64, usize>,
    last_id: u64,
}

enum Source<T> {
    /// It will be given, or given up.
    Awaited,
    Running(BoxStream<'static, T>),
    Ended,
}

/// Wakes everybody who waits.
#[derive(Default)]
struct Bell(Mutex<HashMap<u64, Waker>>);

/// One place in a tape.
pub struct Listener<T> {
    tape: Arc<Tape<T>>,
    id: u64,
    place: usize,
    /// It hears the tape from its beginning.
    pub from_start: bool,
}

impl<T> Tape<T> {
    pub fn new(limits: Limits) -> Arc<Self> {
        let bell = Arc::new(Bell::default());
        let state = State {
            source: Source::Awaited,
            items: VecDeque::new(),
            start: 0,
            bytes: 0,
            limits,
            complete: limits.replay > 0,
            over: false,
            listeners: HashMap::new(),
            last_id: 0,
        };
        Arc::new(Self { state: Mutex::new(state), waker: bell.clone().into(), bell })
    }

    /// Gives the tape its source. Only the first one counts.
    pub fn start(&self, source: BoxStream<'static, T>) {
        let mut state = self.lock();
        if matches!(state.source, Source::Awaited) {
            state.source = Source::Running(source);
        }
        drop(state);
        self.bell.ring();
    }

    /// Ends a tape that has got no source.
    pub fn give_up(&self) {
        let mut state = self.lock();
        if matches!(state.source, Source::Awaited) {
            state.end();
        }
        drop(state);
        self.bell.ring();
    }

    /// Nothing more will be recorded.
    pub fn is_over(&self) -> bool {
        self.lock().over
    }

    /// The newest item, as long as it is kept.
    pub fn last(&self) -> Option<T>
    where
        T: Clone,
    {
        self.lock().items.back().cloned()
    }

    /// A new listener: from the beginning if all of it is still here, else from now on. `None` if
    /// there are `most` already.
    pub fn listen(self: &Arc<Self>, most: usize) -> Option<Listener<T>> {
        let mut state = self.lock();
        if state.listeners.len() >= most {
            return None;
        }
        state.last_id += 1;
        let id = state.last_id;
        let from_start = state.start == 0 && (state.complete || state.items.is_empty());
        let place = if from_start { 0 } else { state.start + state.items.len() };
        state.listeners.insert(id, place);
        drop(state);
        Some(Listener { tape: self.clone(), id, place, from_start })
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone + Recorded> Listener<T> {
    /// What comes next for this listener. Cancelling loses nothing.
    pub async fn next(&mut self) -> Heard<T> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Heard<T>> {
        let tape = &self.tape;
        let mut state = tape.lock();
        loop {
            let Some(at) = self.place.checked_sub(state.start) else {
                return Poll::Ready(Heard::Lost);
            };
            if let Some(item) = state.items.get(at).cloned() {
                self.place += 1;
                state.listeners.insert(self.id, self.place);
                return Poll::Ready(Heard::Item(item));
            }
            if matches!(state.source, Source::Ended) {
                return Poll::Ready(Heard::End);
            }
            // Before the source is asked, so that no ring in between is missed.
            tape.bell.wait(self.id, cx.waker());
            if state.advance(&tape.waker).is_pending() {
                return Poll::Pending;
            }
            // Others may wait for what this poll brought; the source's own wake-up was for us.
            tape.bell.ring();
        }
    }
}

impl<T> State<T> {
    fn end(&mut self) {
        self.source = Source::Ended;
        self.over = true;
    }
}

impl<T: Recorded> State<T> {
    /// Records one item, or the end. A source that panics has ended.
    fn advance(&mut self, waker: &Waker) -> Poll<()> {
        let Source::Running(source) = &mut self.source else { return Poll::Pending };
        let poll = || source.poll_next_unpin(&mut Context::from_waker(waker));
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Some(item))) => self.push(item),
            Ok(Poll::Ready(None)) => self.end(),
            Err(_) => {
                tracing::error!("a request's errand panicked");
                self.end();
            }
        }
        Poll::Ready(())
    }

    fn push(&mut self, item: T) {
        self.over |= item.is_last();
        self.bytes += item.weight();
        self.items.push_back(item);
        self.complete &= self.bytes <= self.limits.replay;
        if !self.complete {
            self.trim();
        }
    }

    /// Forgets what all listeners have heard, and what the slowest may not keep alive any longer.
    fn trim(&mut self) {
        let head = self.start + self.items.len();
        let slowest = self.listeners.values().copied().min().unwrap_or(head);
        while self.start < slowest || (self.bytes > self.limits.lag && self.items.len() > 1) {
            let Some(item) = self.items.pop_front() else { return };
            self.bytes -= item.weight();
            self.start += 1;
        }
    }
}

impl<T> Drop for Listener<T> {
    fn drop(&mut self) {
        self.tape.lock().listeners.remove(&self.id);
        self.tape.bell.leave(self.id);
    }
}

impl Bell {
    fn wait(&self, id: u64, waker: &Waker) {
        let mut waiting = self.waiting();
        match waiting.get_mut(&id) {
            Some(known) => known.clone_from(waker),
            None => drop(waiting.insert(id, waker.clone())),
        }
    }

    fn ring(&self) {
        let waiting = std::mem::take(&mut *self.waiting());
        waiting.into_values().for_each(Waker::wake);
    }

    fn leave(&self, id: u64) {
        self.waiting().remove(&id);
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

impl<T> fmt::Debug for Tape<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let recorded = state.start + state.items.len();
        f.debug_struct("Tape")
            .field("recorded", &recorded)
            .field("listeners", &state.listeners.len())
            .finish()
    }
}

impl<T> fmt::Debug for Listener<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("place", &self.place).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
