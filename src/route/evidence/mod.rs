//! What the router knows about a pair of models, and how sure it is: the mathematics of learning
//! from labelled requests, of stating a loss and keeping it, and of noticing that the traffic is
//! another. Pure; the files, the labels and the plan are others'.
//!
//! - [`inputs`], [`fold`]: what the heads read of a prompt, and the short way from it to a decision
//! - [`ridge`]: regression from sums that merge, its penalty averaged by evidence
//! - [`gain`], [`blend`]: the three heads of a pair, and the ranking while labels are few
//! - [`crossfit`], [`bound`], [`promise`]: scores that have not seen their label, exact bounds, and
//!   the threshold that keeps a stated loss
//! - [`shift`], [`clusters`]: whether the traffic still is that of the calibration
//! - [`measure`]: how good a router was

pub mod blend;
pub mod bound;
pub(in crate::route) mod cholesky;
pub mod clusters;
pub mod crossfit;
pub mod fold;
pub mod gain;
pub mod inputs;
pub mod measure;
pub mod promise;
pub mod ridge;
pub mod shift;
