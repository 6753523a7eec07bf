//! Which would-be hits are asked upstream all the same, to keep learning. Pure: the draw is an
//! argument.

use super::line::FLOOR;
use super::weights::sigmoid;

/// The first lookups above the line are audited.
const AUDITED: u32 = 30;
const AUDIT: f32 = 0.5;

/// Most of what is explored outside audits and alarms.
const MOST: f32 = 0.3;

/// What the propensity depends on besides the score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// Lookups above the line so far.
    pub above: u32,
    /// The drift statistic.
    pub drift: f32,
}

/// Probability with which a would-be hit of score `z` is asked upstream, given a share `rate` of
/// them on the whole: more near the line and less far above it, in proportion to the standard
/// deviation of the outcome (Neyman 1934). Nothing is explored at a rate of 0.
pub fn propensity(z: f32, rate: f32, state: State) -> f32 {
    if rate <= 0.0 {
        return 0.0;
    }
    let spread = ((FLOOR + sigmoid(-z)) / 0.01).sqrt();
    let mut propensity = (rate * spread).clamp(rate / 4.0, MOST.max(rate));
    if state.above < AUDITED {
        propensity = propensity.max(AUDIT);
    }
    if state.drift > 1.0 {
        propensity = propensity.max((0.1 * state.drift).min(0.5));
    }
    propensity.min(1.0)
}
