//! The cold score: which of two prompts is longer and harder, when no label of the traffic is
//! known. Ranks only; levels are the heads'.

use serde::{Deserialize, Serialize};

use super::dot;

/// Weights of the score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cold {
    /// Weight of ln(characters): 1 / its usual deviation within one kind of traffic.
    pub length: f32,
    /// Weights of the vector: the direction in which all recorded models do worse.
    pub direction: Vec<f32>,
}

impl Cold {
    /// The score: higher asks for the stronger model first. It has no unit and no origin.
    pub fn of(&self, vector: &[f32], chars: usize) -> f64 {
        let length = (chars.max(1) as f64).ln() * f64::from(self.length);
        length + f64::from(dot(&self.direction, vector))
    }
}
