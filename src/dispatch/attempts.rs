//! The list of upstream attempts of one request. Each attempt is entered when it starts and closed
//! when it ends, so that a caller who leaves in between is still on the record.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::now::Now;
use crate::price::Money;
use crate::record::decision::Attempt;

/// The attempts of one request, in order. Clones share the list.
#[derive(Debug, Clone, Default)]
pub struct AttemptLog(Arc<Mutex<Vec<Attempt>>>);

impl AttemptLog {
    pub fn new() -> Self {
        Self::default()
    }

    /// Upstream attempts made so far, running ones included.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// The list as it stands. A running attempt shows no error and no time yet.
    pub fn snapshot(&self) -> Vec<Attempt> {
        self.lock().clone()
    }

    /// What the attempts cost, as far as it is known.
    pub fn spent(&self) -> Money {
        self.lock().iter().filter_map(|attempt| attempt.cost_usd).sum()
    }

    /// Sets the cost of an attempt, from real usage or the caller's own estimate of it. It
    /// replaces the estimate made here for an answer that was cut.
    pub fn settle(&self, index: usize, cost: Option<Money>) {
        self.edit(index, |attempt| attempt.cost_usd = cost);
    }

    /// Enters an attempt at `target`. `prompt_cost` is what its prompt alone costs: charged to a
    /// failed attempt whose upstream had already answered 2xx.
    pub(super) fn open(&self, target: String, prompt_cost: Option<Money>) -> Entry {
        let mut attempts = self.lock();
        attempts.push(Attempt { target, status: None, error: None, ms: 0.0, cost_usd: None });
        Entry {
            log: self.clone(),
            index: attempts.len() - 1,
            started: Now::read().mono,
            prompt_cost,
            accepted: false,
            open: true,
        }
    }

    fn edit(&self, index: usize, change: impl FnOnce(&mut Attempt)) {
        if let Some(attempt) = self.lock().get_mut(index) {
            change(attempt);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Attempt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One running attempt. Dropped without an end, it was cancelled.
#[derive(Debug)]
pub(super) struct Entry {
    log: AttemptLog,
    index: usize,
    started: Instant,
    prompt_cost: Option<Money>,
    /// A 2xx head came: the upstream may bill.
    accepted: bool,
    open: bool,
}

impl Entry {
    pub fn index(&self) -> usize {
        self.index
    }

    /// A head came.
    pub fn head(&mut self, status: u16) {
        self.accepted = (200..300).contains(&status);
        self.log.edit(self.index, |attempt| attempt.status = Some(status));
    }

    /// The answer is complete; whoever counts its tokens settles its cost.
    pub fn answered(&mut self) {
        self.close(None);
    }

    pub fn failed(&mut self, error: &'static str) {
        self.close(Some(error));
    }

    fn close(&mut self, error: Option<&'static str>) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let ms = Now::read().mono.duration_since(self.started).as_secs_f64() * 1e3;
        let estimate = if error.is_some() && self.accepted { self.prompt_cost } else { None };
        self.log.edit(self.index, |attempt| {
            attempt.error = error;
            attempt.ms = ms;
            attempt.cost_usd = attempt.cost_usd.or(estimate);
        });
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.close(Some("cancelled"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: Option<Money> = Some(Money::from_pico(7));

    #[test]
    fn an_attempt_left_alone_is_cancelled() {
        let log = AttemptLog::new();
        let entry = log.open("p/m".into(), PROMPT);
        assert_eq!(log.len(), 1, "entered when it starts");
        drop(entry);
        let attempt = &log.snapshot()[0];
        assert_eq!(attempt.error, Some("cancelled"));
        assert_eq!(attempt.cost_usd, None, "no 2xx head, no bill");
    }

    #[test]
    fn a_failure_after_a_2xx_head_may_have_been_billed() {
        let log = AttemptLog::new();
        for (status, cost) in [(200, PROMPT), (503, None)] {
            let mut entry = log.open("p/m".into(), PROMPT);
            entry.head(status);
            entry.failed("cut");
            let attempt = log.snapshot().pop().unwrap();
            assert_eq!((attempt.status, attempt.cost_usd), (Some(status), cost));
        }
    }

    #[test]
    fn settling_wins_over_the_estimate_in_either_order() {
        let paid = Some(Money::from_pico(99));
        let log = AttemptLog::new();
        let mut entry = log.open("p/m".into(), PROMPT);
        entry.head(200);
        log.settle(entry.index(), paid);
        drop(entry);
        assert_eq!(log.snapshot()[0].cost_usd, paid);
        let mut entry = log.open("p/m".into(), PROMPT);
        entry.head(200);
        entry.failed("cut");
        log.settle(1, paid);
        drop(entry);
        let attempt = &log.snapshot()[1];
        assert_eq!((attempt.cost_usd, attempt.error), (paid, Some("cut")), "the first end stands");
    }

    #[tokio::test(start_paused = true)]
    async fn time_is_measured_to_the_end() {
        let log = AttemptLog::new();
        let mut entry = log.open("p/m".into(), None);
        tokio::time::advance(std::time::Duration::from_millis(250)).await;
        entry.answered();
        tokio::time::advance(std::time::Duration::from_millis(250)).await;
        drop(entry);
        assert_eq!(log.snapshot()[0].ms, 250.0);
        assert_eq!(log.snapshot()[0].error, None);
    }
}
