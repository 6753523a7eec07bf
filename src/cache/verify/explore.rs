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
    /// Mean [`need`] of what would be served lately; 0: not known yet.
    pub need: f32,
}

/// The drift statistic from which on more is explored, to know soon: two verdicts *different* in
/// short order. From the first one on it cost too much exploration, by a rough
/// reading of a few runs.
const DOUBT: f32 = 3.0;

/// Probability with which a would-be hit of score `z` is asked upstream, given a share `rate` of
/// them on the whole: more near the line and less far above it, in proportion to [`need`]
/// (Neyman 1934). Nothing is explored at a rate of 0.
pub fn propensity(z: f32, rate: f32, state: State) -> f32 {
    if rate <= 0.0 {
        return 0.0;
    }
    // Before anything is known: as if one in a hundred were wrong.
    let spread = if state.need > 0.0 { need(z) / state.need } else { need(z) / 0.1 };
    let mut propensity = (rate * spread).clamp(rate / 4.0, MOST.max(rate));
    if state.above < AUDITED {
        propensity = propensity.max(AUDIT);
    }
    if state.drift > DOUBT {
        propensity = propensity.max((0.1 * state.drift).min(0.5));
    }
    propensity.min(1.0)
}

/// How much there is to learn at a score: the standard deviation of the outcome.
pub fn need(z: f32) -> f32 {
    let wrong = FLOOR + (1.0 - FLOOR) * sigmoid(-z);
    (wrong * (1.0 - wrong)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEADY: State = State { above: 1000, drift: 0.0, need: 0.2 };

    #[test]
    fn what_is_doubtful_is_explored_more_often() {
        let (near, far) = (propensity(1.0, 0.02, STEADY), propensity(6.0, 0.02, STEADY));
        assert!(near > far && near <= MOST && far >= 0.005);
    }

    #[test]
    fn the_rate_is_kept_on_the_whole() {
        let scores: Vec<f32> = (0..100).map(|n| 1.0 + n as f32 * 0.03).collect();
        let mean = |f: &dyn Fn(f32) -> f32| scores.iter().map(|z| f(*z)).sum::<f32>() / 100.0;
        let state = State { need: mean(&need), ..STEADY };
        assert!((mean(&|z| propensity(z, 0.02, state)) - 0.02).abs() < 0.001);
    }

    #[test]
    fn the_first_are_audited_and_doubt_asks_more() {
        assert_eq!(propensity(9.0, 0.02, State { above: 0, ..STEADY }), AUDIT);
        assert!(propensity(9.0, 0.02, State { drift: 4.0, ..STEADY }) >= 0.4);
        assert!(propensity(9.0, 0.02, State { drift: 2.0, ..STEADY }) < 0.02);
    }

    #[test]
    fn a_rate_of_nothing_explores_nothing() {
        assert_eq!(propensity(0.5, 0.0, State { above: 0, drift: 9.0, need: 0.1 }), 0.0);
    }

    #[test]
    fn a_rate_above_the_usual_most_is_kept() {
        assert!(propensity(0.0, 1.0, STEADY) >= 0.99);
    }
}
