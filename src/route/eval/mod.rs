//! How good the router is, measured on recorded outcomes with the code that routes requests. One
//! file for each protocol, all seeded: the same rows give the same figures. Reading the rows is
//! `recorded`'s, the command `cli::router::eval`'s.
//!
//! - [`sets`]: the sets themselves, and what length alone does on them

pub mod sets;

/// The seed of every draw that is not one of several repeats.
const SEED: u64 = 1;
