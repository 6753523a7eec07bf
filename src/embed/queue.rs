//! The texts that wait for a worker: bounded for requests, first come first served, and forgetful
//! of callers that left. Leaves the work itself to `worker`.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};

use tokio::sync::oneshot;

use super::{EmbedError, Embedding};

/// Texts that a worker takes at once.
pub(super) const BATCH: usize = 16;

pub(super) type Outcome = Result<Embedding, EmbedError>;

/// A text and whoever wants its vector.
#[derive(Debug)]
pub(super) struct Job {
    pub text: String,
    /// The text is only the head of the caller's.
    pub cut: bool,
    pub reply: Reply,
}

/// Where an outcome goes.
#[derive(Debug)]
pub(super) enum Reply {
    /// To a request, which may have given up in the meantime.
    Request(oneshot::Sender<Outcome>),
    /// To a thread that waits for all of its rows.
    Row(usize, mpsc::Sender<(usize, Outcome)>),
}

impl Reply {
    /// Whether somebody still waits.
    pub fn is_wanted(&self) -> bool {
        match self {
            Self::Request(sender) => !sender.is_closed(),
            Self::Row(..) => true,
        }
    }

    pub fn send(self, outcome: Outcome) {
        // A receiver that is gone has stopped waiting: nobody is left to be told.
        match self {
            Self::Request(sender) => drop(sender.send(outcome)),
            Self::Row(row, sender) => drop(sender.send((row, outcome))),
        }
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    arrived: Condvar,
    /// Requests that may wait.
    limit: usize,
    /// Workers that share what waits; at least one.
    workers: usize,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    pub fn new(limit: usize, workers: usize) -> Self {
        Self { inner: Mutex::default(), arrived: Condvar::new(), limit, workers: workers.max(1) }
    }

    /// Adds a request's text. When the queue is full, places of callers that left are freed first;
    /// if none did, the text is refused.
    pub fn offer(&self, job: Job) -> Result<(), EmbedError> {
        let mut inner = self.lock();
        if inner.waiting.len() >= self.limit {
            inner.waiting.retain(|job| job.reply.is_wanted());
        }
        if inner.waiting.len() >= self.limit {
            return Err(EmbedError::Queue);
        }
        inner.waiting.push_back(job);
        drop(inner);
        self.arrived.notify_one();
        Ok(())
    }

    /// Adds a text whatever waits: its caller limits itself to a few batches at a time.
    pub fn push(&self, job: Job) {
        self.lock().waiting.push_back(job);
        self.arrived.notify_one();
    }

    /// Texts that wait, those of callers that left included.
    pub fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Waits for work and takes a worker's share of it; `None` when the queue was closed.
    pub fn take(&self) -> Option<Vec<Job>> {
        let mut inner = self.lock();
        loop {
            if inner.closed {
                return None;
            }
            if !inner.waiting.is_empty() {
                return Some(self.share(&mut inner));
            }
            inner = self.arrived.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What [`Queue::take`] gives, without waiting: possibly nothing.
    pub fn take_now(&self) -> Vec<Job> {
        self.share(&mut self.lock())
    }

    /// Lets every worker stop; what still waits is dropped.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.waiting.clear();
        drop(inner);
        self.arrived.notify_all();
    }

    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// An equal part of what waits, so that no worker idles while another holds a long batch.
    fn share(&self, inner: &mut Inner) -> Vec<Job> {
        let count = inner.waiting.len().div_ceil(self.workers).min(BATCH);
        inner.waiting.drain(..count).collect()
    }

    /// The state is whole between any two statements, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> (Job, oneshot::Receiver<Outcome>) {
        let (sender, receiver) = oneshot::channel();
        (Job { text: text.into(), cut: false, reply: Reply::Request(sender) }, receiver)
    }

    fn texts(jobs: &[Job]) -> Vec<&str> {
        jobs.iter().map(|job| &*job.text).collect()
    }

    #[test]
    fn a_full_queue_refuses() {
        let queue = Queue::new(1, 1);
        let (first, _wait) = request("first");
        queue.offer(first).unwrap();
        assert_eq!(queue.offer(request("second").0), Err(EmbedError::Queue));
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn a_caller_that_left_makes_room() {
        let queue = Queue::new(2, 1);
        let (gone, wait) = request("gone");
        let (patient, _wait) = request("patient");
        queue.offer(gone).unwrap();
        queue.offer(patient).unwrap();
        drop(wait);
        let (late, _wait) = request("late");
        queue.offer(late).unwrap();
        assert_eq!(texts(&queue.take_now()), ["patient", "late"]);
    }

    #[test]
    fn workers_share_what_waits_in_order() {
        let queue = Queue::new(100, 2);
        let (sender, _receiver) = mpsc::channel();
        for row in 0..50 {
            let reply = Reply::Row(row, sender.clone());
            queue.push(Job { text: row.to_string(), cut: false, reply });
        }
        assert_eq!(queue.take().unwrap().len(), BATCH);
        assert_eq!(texts(&queue.take().unwrap())[0], "16");
        assert_eq!(queue.take().unwrap().len(), 9);
        assert_eq!(queue.len(), 9);
    }

    #[test]
    fn a_closed_queue_gives_nothing_and_drops_what_waited() {
        let queue = Queue::new(4, 1);
        let (job, mut wait) = request("late");
        queue.offer(job).unwrap();
        queue.close();
        assert!(queue.take().is_none());
        assert_eq!(wait.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
