//! Does the stored answer of a neighbour answer this question? Pure: profiles, cosines and what was
//! learnt in; a decision with its evidence out. Without evidence it is a miss, never a hit.
//!
//! 1. A guard vetoes a candidate (`guards`).
//! 2. A near-literal repeat, or a question that differs in form only (`restate`), is served whatever
//!    its score.
//! 3. Else the best candidate by score (`features`, `weights`) is served if it passes the line
//!    (`line`), which is drawn so that the operator's error budget holds.
//!
//! `mind` puts the parts together: one mind for each tenant and route.

pub mod belief;
pub mod case;
pub mod drift;
pub mod explore;
pub mod features;
mod fold;
pub mod groups;
pub mod guards;
pub mod judged;
pub mod lacks;
pub mod line;
pub mod mind;
pub mod pace;
pub mod profile;
pub mod rarity;
pub mod refit;
mod restate;
pub mod sense;
mod tokens;
pub mod tongue;
pub mod weights;
pub mod window;
pub mod wording;
mod words;

pub use guards::guard;
pub use judged::{Errors, Verdict};
pub use line::Budget;
pub use mind::{Decision, Goals, Mind};
pub use profile::Profile;
pub use tongue::{Tongue, speaks};

/// A stored neighbour of the query.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Number of its entry, the same after a restart.
    pub entry: u64,
    pub profile: &'a Profile,
    /// Cosine in [−1, 1].
    pub similarity: f32,
}

#[cfg(test)]
mod languages_tests;
#[cfg(test)]
mod mind_tests;
#[cfg(test)]
mod streams_tests;
#[cfg(test)]
mod tests;
