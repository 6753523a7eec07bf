//! Recorded traffic through any configuration, offline: `input` reads it, `embed` finds its vectors
//! (kept by `vectors`), `run` sends it down the line's own decisions at its own times, `truth` tells
//! right hits from wrong ones, `bill` prices the rows, `report` says what would have come of it, and
//! `html` shows it.
//! Contacts no provider.

pub mod bill;
pub mod embed;
pub mod html;
pub mod input;
pub mod report;
pub mod run;
pub mod trace;
pub mod truth;
pub mod vectors;
