//! What the router knows before it has seen any traffic: three linear heads on the prompt's vector
//! and its surface features, which give P(adequate) for a small, a mid and a frontier model; a score
//! that ranks by length and difficulty ([`Cold`]); and the directions that the heads of a pair read
//! ([`Basis`]). Fitting them is `fit`'s, what follows from them `choose`'s.
//!
//! The weights are compiled in, so that one binary works. Their file says what they were trained
//! on, how well they do, and for which embedder and features they hold; anything else is refused,
//! because a head on other inputs gives numbers that look right and mean nothing.

mod cold;
mod file;

use super::choose::{HEADS, Signals, sigmoid};
use super::evidence::inputs::Basis;
use super::features::{FEATURES, Features};
use super::learn::Learnt;
use crate::embed::DIMENSIONS;

pub use cold::Cold;
pub use file::{Head, HeadsFile};

/// The format that this build reads.
pub const VERSION: u32 = 2;

/// Names of the heads, cheapest first.
pub const TIER_CLASSES: [&str; HEADS] = ["small", "mid", "frontier"];

/// Standard deviations beyond which a surface feature counts no further: a text of a kind never
/// seen in training must not drive a head to certainty.
const CLAMP: f32 = 4.0;

static SHIPPED: &str = include_str!("../../models/router-heads.json");

/// Why weights cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadsFault {
    #[error("the router's weights cannot be read: {0}")]
    Malformed(String),
    #[error("the router's weights have format {found}, this build reads {VERSION}")]
    Version { found: u32 },
    #[error("the router's weights were fitted on embedder {fitted}, but {present} is in use")]
    Embedder { fitted: String, present: String },
    #[error("the router's weights know other surface features than this build: {0}")]
    Features(String),
    #[error("the router's weights do not match their hash")]
    Hash,
}

/// Heads that fit the running embedder and this build's features.
#[derive(Debug, Clone)]
pub struct Heads {
    file: HeadsFile,
}

impl Heads {
    /// The weights built into the binary.
    ///
    /// # Errors
    /// [`HeadsFault::Embedder`] if they were fitted on another embedder; the other faults mean a
    /// broken build.
    pub fn shipped(embedder_identity: &str) -> Result<Self, HeadsFault> {
        Self::parse(SHIPPED, embedder_identity)
    }

    /// Reads and checks a file of weights.
    ///
    /// # Errors
    /// See [`HeadsFault`].
    pub fn parse(text: &str, embedder_identity: &str) -> Result<Self, HeadsFault> {
        let file: HeadsFile =
            serde_json::from_str(text).map_err(|fault| HeadsFault::Malformed(fault.to_string()))?;
        Self::of_file(file, embedder_identity)
    }

    /// Checks weights that were just fitted or read.
    ///
    /// # Errors
    /// See [`HeadsFault`].
    pub fn of_file(file: HeadsFile, embedder_identity: &str) -> Result<Self, HeadsFault> {
        if file.version != VERSION {
            return Err(HeadsFault::Version { found: file.version });
        }
        if file.embedder != embedder_identity {
            let present = embedder_identity.to_owned();
            return Err(HeadsFault::Embedder { fitted: file.embedder, present });
        }
        file.check_shape()?;
        if file.hash != file.digest() {
            return Err(HeadsFault::Hash);
        }
        Ok(Self { file })
    }

    /// P(adequate) of a small, a mid and a frontier model, never falling from one to the next.
    ///
    /// `vector` is the prompt's unit vector by the embedder that the heads were fitted on.
    ///
    /// The heads are fitted apart, so they may cross; a stronger class that seems less adequate is
    /// noise, and crossing heads are pooled to their mean logit (isotonic regression).
    pub fn predict(&self, vector: &[f32], features: &Features) -> [f64; HEADS] {
        debug_assert_eq!(vector.len(), DIMENSIONS);
        let surface = self.standardised(features);
        let mut logits = [0.0; HEADS];
        for (logit, head) in logits.iter_mut().zip(&self.file.heads) {
            let sum = dot(&head.vector, vector) + dot(&head.surface, &surface) + head.bias;
            *logit = f64::from(sum);
        }
        isotonic(logits).map(sigmoid)
    }

    /// What the planner wants to know.
    pub fn signals(&self, vector: &[f32], features: Features) -> Signals {
        let (adequacy, doubt) = (self.predict(vector, &features), self.file.doubt);
        Signals { adequacy, doubt, features, learnt: Learnt::default() }
    }

    /// What the heads and everything learnt read: the embedder, and this build's features.
    pub fn inputs(&self) -> String {
        let names: Vec<&str> = FEATURES.iter().map(|feature| feature.name).collect();
        let features = blake3::hash(names.join(",").as_bytes()).to_hex();
        format!("{}/{}", self.file.embedder, &features[..12])
    }

    /// Which of two prompts is longer and harder: higher asks for the stronger model first. For
    /// ranking where no label is known; it has no unit. `chars` are those of the whole last user
    /// text.
    pub fn cold(&self, vector: &[f32], chars: usize) -> f64 {
        self.file.cold.of(vector, chars)
    }

    /// The directions that the heads of a pair read.
    pub fn basis(&self) -> &Basis {
        &self.file.basis
    }

    /// The weights and what they say of themselves.
    pub fn file(&self) -> &HeadsFile {
        &self.file
    }

    fn standardised(&self, features: &Features) -> [f32; FEATURES.len()] {
        let mut surface = [0.0; FEATURES.len()];
        let numbers = self.file.feature_mean.iter().zip(&self.file.feature_scale);
        for ((out, value), (mean, scale)) in surface.iter_mut().zip(features.values()).zip(numbers)
        {
            *out = standardise(*value, *mean, *scale);
        }
        surface
    }
}

/// A surface feature as the heads read it; training uses the same.
pub fn standardise(value: f32, mean: f32, scale: f32) -> f32 {
    ((value - mean) * scale).clamp(-CLAMP, CLAMP)
}

/// The nearest rising sequence: neighbours that fall are pooled to their mean.
pub fn isotonic(mut values: [f64; HEADS]) -> [f64; HEADS] {
    for end in 1..HEADS {
        let mut start = end;
        // Pool backwards as long as the pooled mean lies below the value before it.
        while start > 0 && mean(&values[start..=end]) < values[start - 1] {
            start -= 1;
        }
        let pooled = mean(&values[start..=end]);
        values[start..=end].fill(pooled);
    }
    values
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Eight partial sums, so that the additions need not wait for each other.
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (left_chunks, right_chunks) = (left.chunks_exact(8), right.chunks_exact(8));
    let rest: f32 =
        left_chunks.remainder().iter().zip(right_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in left_chunks.zip(right_chunks) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests;
