//! Recorded traffic through any configuration, offline: `input` reads it, `run` sends it down the
//! line's own decisions at its own times, `report` says what would have come of it. Contacts no
//! provider.

pub mod input;
pub mod report;
pub mod run;
