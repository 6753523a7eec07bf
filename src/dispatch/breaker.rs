//! The circuit breaker of one target: seven failures in a row open it. Pure: clock and chance are
//! passed in.
//!
//! While it is open nobody is sent there; when its penalty has passed, one request is let through
//! as a probe. The penalty starts at a second and doubles to a minute while probes fail.

use std::time::{Duration, Instant};

/// Failures in a row that open the circuit.
pub const THRESHOLD: u32 = 7;
const FIRST_PENALTY: Duration = Duration::from_secs(1);
const LONGEST_PENALTY: Duration = Duration::from_secs(60);
/// Share of the penalty that chance may add, so that a fleet does not probe in step.
const JITTER: f64 = 0.5;

/// What the breaker says about a request that would come now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    Closed,
    /// Nobody is let through; time until a probe may be.
    Open(Duration),
    /// The penalty has passed: the next request is the probe.
    HalfOpen,
    /// The probe is on its way and nobody else is let through.
    Probing,
}

/// Failures in a row, and what follows from them.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    failures: u32,
    /// Openings since the last success: the exponent of the penalty.
    openings: u32,
    open_until: Option<Instant>,
    probing: bool,
}

impl Breaker {
    pub fn circuit(&self, now: Instant) -> Circuit {
        match self.open_until {
            None => Circuit::Closed,
            Some(_) if self.probing => Circuit::Probing,
            Some(until) if until > now => Circuit::Open(until - now),
            Some(_) => Circuit::HalfOpen,
        }
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Lets a request through, or not. `Some(true)`: it is the probe, and must be followed by one
    /// of [`Self::succeeded`], [`Self::failed`], [`Self::revived`] or [`Self::abandoned`].
    pub fn admit(&mut self, now: Instant) -> Option<bool> {
        match self.circuit(now) {
            Circuit::Closed => Some(false),
            Circuit::HalfOpen => {
                self.probing = true;
                Some(true)
            }
            Circuit::Open(_) | Circuit::Probing => None,
        }
    }

    /// The target did what it should.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The target shows life, but its answer is not complete yet: an open circuit closes on
    /// probation, so that one further failure opens it again for longer.
    pub fn revived(&mut self) {
        if self.open_until.is_some() {
            self.failures = THRESHOLD - 1;
            self.open_until = None;
            self.probing = false;
        }
    }

    /// The target failed. Failures of requests that were let through before the circuit opened
    /// change nothing. `chance` in [0, 1).
    pub fn failed(&mut self, was_probe: bool, now: Instant, chance: f64) {
        if self.open_until.is_some() && !was_probe {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= THRESHOLD {
            self.open_until = Some(now + penalty(self.openings, chance));
            self.openings = self.openings.saturating_add(1);
        }
        self.probing = false;
    }

    /// The request ended without telling anything about the target: its caller left.
    pub fn abandoned(&mut self, was_probe: bool) {
        if was_probe {
            self.probing = false;
        }
    }
}

/// One second, doubled with each opening, and up to half as much again by chance; a minute at most.
fn penalty(openings: u32, chance: f64) -> Duration {
    let base = FIRST_PENALTY.saturating_mul(1 << openings.min(6));
    base.mul_f64(1.0 + JITTER * chance.clamp(0.0, 1.0)).min(LONGEST_PENALTY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::now::Now;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..THRESHOLD {
            breaker.failed(false, now, 0.0);
        }
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn seven_in_a_row_open_it_for_a_second() {
        let mut breaker = Breaker::default();
        for _ in 0..THRESHOLD - 1 {
            breaker.failed(false, Now::read().mono, 0.0);
            assert_eq!(breaker.admit(Now::read().mono), Some(false));
        }
        breaker.failed(false, Now::read().mono, 0.0);
        assert_eq!(breaker.admit(Now::read().mono), None);
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!(breaker.admit(Now::read().mono), None);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(breaker.admit(Now::read().mono), Some(true), "the probe");
        assert_eq!(breaker.admit(Now::read().mono), None, "one probe at a time");
    }

    #[test]
    fn a_success_between_resets_the_count() {
        let now = Now::read().mono;
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            for _ in 0..THRESHOLD - 1 {
                breaker.failed(false, now, 0.0);
            }
            breaker.succeeded();
        }
        assert_eq!(breaker.circuit(now), Circuit::Closed);
    }

    #[test]
    fn the_penalty_doubles_to_a_minute_while_probes_fail() {
        let mut now = Now::read().mono;
        let mut breaker = opened(now);
        let mut penalties = Vec::new();
        for _ in 0..9 {
            let Circuit::Open(wait) = breaker.circuit(now) else { panic!("open") };
            penalties.push(wait.as_secs());
            now += wait;
            assert_eq!(breaker.admit(now), Some(true));
            breaker.failed(true, now, 0.0);
        }
        assert_eq!(penalties, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let Circuit::Open(wait) = breaker.circuit(now) else { panic!("open") };
        assert_eq!(breaker.admit(now + wait), Some(true));
        breaker.succeeded();
        assert_eq!(breaker.circuit(now + wait), Circuit::Closed);
        assert_eq!(breaker.failures(), 0);
    }

    #[test]
    fn jitter_adds_at_most_half_and_never_exceeds_the_minute() {
        assert_eq!(penalty(0, 0.999), Duration::from_secs(1).mul_f64(1.4995));
        assert_eq!(penalty(1, 0.5), Duration::from_millis(2_500));
        assert_eq!(penalty(31, 1.0), LONGEST_PENALTY);
        assert_eq!(penalty(u32::MAX, f64::NAN.max(0.0)), LONGEST_PENALTY);
    }

    #[test]
    fn late_failures_do_not_prolong_an_open_circuit() {
        let now = Now::read().mono;
        let mut breaker = opened(now);
        breaker.failed(false, now + Duration::from_millis(900), 0.0);
        assert_eq!(breaker.admit(now + Duration::from_secs(1)), Some(true));
        breaker.failed(false, now + Duration::from_secs(1), 0.0);
        assert_eq!(breaker.circuit(now + Duration::from_secs(1)), Circuit::Probing);
    }

    #[test]
    fn an_abandoned_probe_frees_its_place() {
        let now = Now::read().mono;
        let mut breaker = opened(now);
        let later = now + Duration::from_secs(1);
        assert_eq!(breaker.admit(later), Some(true));
        breaker.abandoned(true);
        assert_eq!(breaker.admit(later), Some(true));
    }

    #[test]
    fn a_stream_that_starts_and_is_cut_counts_as_a_failure() {
        let now = Now::read().mono;
        let mut breaker = Breaker::default();
        for _ in 0..THRESHOLD {
            breaker.revived();
            breaker.failed(false, now, 0.0);
        }
        assert_eq!(breaker.circuit(now), Circuit::Open(Duration::from_secs(1)));
        let later = now + Duration::from_secs(1);
        assert_eq!(breaker.admit(later), Some(true));
        breaker.revived();
        assert_eq!(breaker.circuit(later), Circuit::Closed, "others may follow at first content");
        breaker.failed(true, later, 0.0);
        assert_eq!(breaker.circuit(later), Circuit::Open(Duration::from_secs(2)));
    }
}
