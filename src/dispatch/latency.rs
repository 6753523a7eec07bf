//! A moving average of how long a target takes. Pure: the clock is passed in.

use std::time::{Duration, Instant};

/// Weight of a new sample.
const WEIGHT: f64 = 0.2;
/// Samples before the average counts.
const ENOUGH: u32 = 8;
/// An average without a newer sample is forgotten, so that a slow target gets another chance.
const FRESH: Duration = Duration::from_secs(30);

/// An exponentially weighted average that only speaks when it has enough recent samples.
#[derive(Debug, Clone, Copy, Default)]
pub struct Latency {
    average_ms: f64,
    samples: u32,
    last: Option<Instant>,
}

impl Latency {
    pub fn add(&mut self, took: Duration, now: Instant) {
        let ms = took.as_secs_f64() * 1e3;
        if self.is_fresh(now) {
            self.average_ms += WEIGHT * (ms - self.average_ms);
            self.samples = self.samples.saturating_add(1);
        } else {
            *self = Self { average_ms: ms, samples: 1, last: None };
        }
        self.last = Some(now);
    }

    /// Milliseconds; `None` without enough fresh samples.
    pub fn at(&self, now: Instant) -> Option<f64> {
        (self.is_fresh(now) && self.samples >= ENOUGH).then_some(self.average_ms)
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.last.is_some_and(|last| now.saturating_duration_since(last) <= FRESH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::now::Now;

    #[test]
    fn it_speaks_after_eight_samples_and_forgets_after_half_a_minute() {
        let start = Now::read().mono;
        let mut latency = Latency::default();
        for sample in 0..8 {
            assert_eq!(latency.at(start), None, "{sample} samples");
            latency.add(Duration::from_millis(100), start);
        }
        assert!(latency.at(start).is_some_and(|ms| (ms - 100.0).abs() < 1e-9));
        assert!(latency.at(start + FRESH).is_some());
        let later = start + FRESH + Duration::from_millis(1);
        assert_eq!(latency.at(later), None);
        latency.add(Duration::from_millis(5), later);
        assert_eq!(latency.at(later), None, "old samples do not vouch for new ones");
    }

    #[test]
    fn it_follows_a_change() {
        let now = Now::read().mono;
        let mut latency = Latency::default();
        for _ in 0..20 {
            latency.add(Duration::from_millis(100), now);
        }
        for _ in 0..20 {
            latency.add(Duration::from_millis(1_000), now);
        }
        assert!(latency.at(now).is_some_and(|ms| ms > 980.0 && ms < 1_000.0));
    }
}
