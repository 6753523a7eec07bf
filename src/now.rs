//! A reading of both clocks, taken at the edge and passed to whatever decides.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Wall clock and monotonic clock at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub wall: Timestamp,
    pub mono: Instant,
}

impl Now {
    /// Reads both clocks. The monotonic one is tokio's, so that tests can pause it.
    #[expect(clippy::disallowed_methods, reason = "this is the edge where clocks are read")]
    pub fn read() -> Self {
        Self { wall: Timestamp::now(), mono: tokio::time::Instant::now().into_std() }
    }

    /// Hour of the day in UTC, 0 to 23.
    pub fn hour_utc(self) -> u8 {
        (self.wall.as_second().div_euclid(3600).rem_euclid(24)) as u8
    }

    /// The moment `later` from here, on both clocks.
    pub fn after(self, later: Duration) -> Self {
        Self { wall: self.wall + later, mono: self.mono + later }
    }
}

/// Measures a step of ours, for `Server-Timing` and the record.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "durations are measured, not decided upon")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the start.
    pub fn ms(self) -> f64 {
        self.0.elapsed().as_secs_f64() * 1e3
    }
}
