//! `{fixed: model}`: that model, then its own fallbacks. One that misses a requirement is left out
//! before, so that a fallback that fits answers in its place: unlike a caller who names a model, the
//! operator has said whom to ask instead.

use super::Why;
use crate::config::settings::Model;

/// `fitting` as it is: the model first, if it fits, and its fallbacks as written.
pub(super) fn order(model: &Model, fitting: &[&Model]) -> Vec<(usize, Why)> {
    let why = |other: &Model| if other.name == model.name { Why::Fixed } else { Why::Fallback };
    fitting.iter().enumerate().map(|(place, other)| (place, why(other))).collect()
}
