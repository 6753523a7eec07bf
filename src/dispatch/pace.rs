//! How fast a target has been, for the strategy that asks for it. Pure: the clock is passed in.
//!
//! `latency` orders targets of like price within a tier: it wants many recent samples, and forgets.
//! A pace speaks from the first sample on and keeps what it knows, since an old figure is a better
//! guess than none; how long ago the target was tried tells how old it may be.

use std::time::{Duration, Instant};

use super::health::Took;
use crate::route::Seen;

/// Least weight of a new sample: the mean forgets within some ten.
const WEIGHT: f64 = 0.2;
/// Weight of a sample that comes after a long silence.
const WEIGHT_AFTER_SILENCE: f64 = 0.5;
const SILENCE: Duration = Duration::from_mins(5);

/// Both paces of a target: streams and whole answers are not comparable.
#[derive(Debug, Clone, Copy, Default)]
pub struct Paces {
    first_content: Pace,
    answer: Pace,
}

/// An exponentially weighted mean, and when the target was last tried.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    mean_ms: f64,
    samples: u32,
    last: Option<Instant>,
    tried: Option<Instant>,
}

impl Paces {
    /// A request of this kind is sent.
    pub fn tried(&mut self, stream: bool, now: Instant) {
        let pace = if stream { &mut self.first_content } else { &mut self.answer };
        pace.tried = Some(now);
    }

    pub fn add(&mut self, took: Took, now: Instant) {
        match took {
            Took::FirstContent(took) => self.first_content.add(took, now),
            Took::Answer(took) => self.answer.add(took, now),
        }
    }

    /// What a strategy sees for this kind of request.
    pub fn seen(&self, ready: bool, stream: bool, now: Instant) -> Seen {
        let pace = if stream { &self.first_content } else { &self.answer };
        Seen {
            ready,
            ms: (pace.samples > 0).then_some(pace.mean_ms),
            tried: pace.tried.map(|tried| now.saturating_duration_since(tried)),
        }
    }
}

impl Pace {
    fn add(&mut self, took: Duration, now: Instant) {
        self.samples = self.samples.saturating_add(1);
        let silent = self.last.is_some_and(|last| now.saturating_duration_since(last) > SILENCE);
        let least = if silent { WEIGHT_AFTER_SILENCE } else { WEIGHT };
        // The first samples count alike, as in a plain mean.
        let weight = least.max(1.0 / f64::from(self.samples));
        self.mean_ms += weight * (took.as_secs_f64() * 1e3 - self.mean_ms);
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::now::Now;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn it_speaks_from_the_first_sample_and_keeps_the_kinds_apart() {
        let start = Now::read().mono;
        let mut paces = Paces::default();
        assert_eq!(paces.seen(true, true, start), Seen::UNKNOWN);
        paces.tried(true, start);
        assert_eq!(paces.seen(false, true, start + ms(9)).tried, Some(ms(9)));
        assert!(!paces.seen(false, true, start).ready);
        paces.add(Took::FirstContent(ms(100)), start);
        paces.add(Took::FirstContent(ms(300)), start);
        assert_eq!(paces.seen(true, true, start).ms, Some(200.0), "the first count alike");
        assert_eq!(paces.seen(true, false, start), Seen::UNKNOWN);
        paces.add(Took::Answer(ms(900)), start);
        assert_eq!(paces.seen(true, false, start).ms, Some(900.0));
    }

    #[test]
    fn it_follows_a_change_and_sooner_after_a_silence() {
        let start = Now::read().mono;
        let mut paces = Paces::default();
        for _ in 0..50 {
            paces.add(Took::Answer(ms(100)), start);
        }
        let mut changed = paces;
        changed.add(Took::Answer(ms(1_100)), start + SILENCE);
        let seen = changed.seen(true, false, start).ms.unwrap();
        assert!((seen - 300.0).abs() < 1e-6, "a fifth of the way: {seen}");
        paces.add(Took::Answer(ms(1_100)), start + SILENCE + ms(1));
        let seen = paces.seen(true, false, start).ms.unwrap();
        assert!((seen - 600.0).abs() < 1e-6, "half of the way: {seen}");
    }
}
