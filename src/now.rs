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

    /// The moment `later` from here, on both clocks.
    pub fn after(self, later: Duration) -> Self {
        Self { wall: self.wall + later, mono: self.mono + later }
    }
}
