//! Linear heads on the prompt's vector and its surface features: P(adequate) for a small, a mid and
//! a frontier model. Reads and checks the shipped weights; fitting them is
//! `examples/fit_heads`, what follows from them is `choose`'s.
//!
//! The weights are compiled in, so that one binary works. Their file says what they were trained
//! on, how well they do, and for which embedder and features they hold; anything else is refused,
//! because a head on other inputs gives numbers that look right and mean nothing.

use serde::{Deserialize, Serialize};

use super::choose::{HEADS, Signals, sigmoid};
use super::features::{FEATURES, Features};
use crate::embed::DIMENSIONS;

/// The format that this build reads.
pub const VERSION: u32 = 1;

/// Names of the heads, cheapest first.
pub const TIER_CLASSES: [&str; HEADS] = ["small", "mid", "frontier"];

/// Standard deviations beyond which a surface feature counts no further: a text of a kind never
/// seen in training must not drive a head to certainty.
const CLAMP: f32 = 4.0;

static SHIPPED: &str = include_str!("../../models/router-heads.json");

/// The file of weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadsFile {
    pub version: u32,
    /// Identity of the embedder whose vectors the heads read.
    pub embedder: String,
    /// Names of the surface features, in order.
    pub features: Vec<String>,
    /// A feature enters as (value − mean) × scale; a scale of 0 takes it out.
    pub feature_mean: Vec<f32>,
    pub feature_scale: Vec<f32>,
    /// In the order of [`TIER_CLASSES`].
    pub heads: Vec<Head>,
    /// Standard error, on sets left out of training, of each head's gap to the frontier head.
    pub doubt: [f64; HEADS],
    /// Sets, rows and penalties of the fit.
    pub training: serde_json::Value,
    /// Figures by set, as in the model card.
    pub metrics: serde_json::Value,
    /// BLAKE3 of what predicts: embedder, features and numbers.
    pub hash: String,
}

/// One logistic head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    pub tier: String,
    pub bias: f32,
    /// Weights of the vector's components.
    pub vector: Vec<f32>,
    /// Weights of the standardised surface features.
    pub surface: Vec<f32>,
}

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
        Signals { adequacy: self.predict(vector, &features), doubt: self.file.doubt, features }
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

impl HeadsFile {
    /// BLAKE3 in hex over everything that a prediction depends on.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        text(&self.version.to_string());
        text(&self.embedder);
        self.features.iter().for_each(|name| text(name));
        self.heads.iter().for_each(|head| text(&head.tier));
        let heads = self
            .heads
            .iter()
            .flat_map(|head| std::iter::once(&head.bias).chain(&head.vector).chain(&head.surface));
        for number in self.feature_mean.iter().chain(&self.feature_scale).chain(heads) {
            hasher.update(&number.to_le_bytes());
        }
        for number in self.doubt {
            hasher.update(&number.to_le_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    fn check_shape(&self) -> Result<(), HeadsFault> {
        let known = FEATURES.iter().map(|feature| feature.name);
        if !known.clone().eq(self.features.iter().map(String::as_str)) {
            let differing = known
                .zip(self.features.iter())
                .find(|(known, found)| known != found)
                .map(|(known, found)| format!("{found} where {known} is expected"));
            let counts = || format!("{} instead of {}", self.features.len(), FEATURES.len());
            return Err(HeadsFault::Features(differing.unwrap_or_else(counts)));
        }
        let malformed = |what: &str| Err(HeadsFault::Malformed(what.to_owned()));
        let count = FEATURES.len();
        if self.feature_mean.len() != count || self.feature_scale.len() != count {
            return malformed("the features' scales are incomplete");
        }
        if !self.heads.iter().map(|head| head.tier.as_str()).eq(TIER_CLASSES) {
            return malformed("the heads are not small, mid, frontier");
        }
        let complete = |head: &Head| head.vector.len() == DIMENSIONS && head.surface.len() == count;
        if !self.heads.iter().all(complete) {
            return malformed("a head is incomplete");
        }
        if self.doubt.iter().any(|doubt| !doubt.is_finite() || *doubt < 0.0) {
            return malformed("a doubt is not a standard error");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::embed::files;

    fn file() -> HeadsFile {
        serde_json::from_str(SHIPPED).expect("the shipped weights are JSON")
    }

    fn shipped() -> Heads {
        let embedder = files::model(files::DEFAULT).expect("the default model is known");
        Heads::shipped(&embedder.identity()).expect("the shipped weights fit it")
    }

    #[test]
    fn shipped_weights_fit_the_shipped_embedder_and_stay_small() {
        let heads = shipped();
        assert!(SHIPPED.len() <= 60_000, "{} bytes", SHIPPED.len());
        assert_eq!(heads.file().doubt[HEADS - 1], 0.0);
        assert!(heads.file().training["rows"].as_u64().expect("rows") > 10_000);
    }

    #[test]
    fn weights_for_other_inputs_are_refused() {
        let identity = file().embedder;
        let fault = Heads::shipped("other-model@0").unwrap_err();
        assert!(matches!(fault, HeadsFault::Embedder { .. }));
        let refuse = |change: fn(&mut HeadsFile)| {
            let mut changed = file();
            change(&mut changed);
            Heads::of_file(changed, &identity).unwrap_err()
        };
        assert_eq!(refuse(|file| file.version = 9), HeadsFault::Version { found: 9 });
        let renamed = refuse(|file| file.features[0] = "length".into());
        assert_eq!(renamed, HeadsFault::Features("length where chars is expected".into()));
        assert!(matches!(refuse(|file| drop(file.features.pop())), HeadsFault::Features(_)));
        assert_eq!(refuse(|file| file.heads[1].vector[7] += 0.25), HeadsFault::Hash);
        assert_eq!(refuse(|file| file.doubt[0] = 0.5), HeadsFault::Hash);
        let short = refuse(|file| file.heads[2].surface.truncate(5));
        assert_eq!(short, HeadsFault::Malformed("a head is incomplete".into()));
        assert!(matches!(refuse(|file| file.heads.swap(0, 1)), HeadsFault::Malformed(_)));
        assert!(matches!(Heads::parse("{", &identity), Err(HeadsFault::Malformed(_))));
    }

    #[test]
    fn a_prediction_is_the_sum_that_the_file_states() {
        let mut file = file();
        let identity = file.embedder.clone();
        for (index, head) in file.heads.iter_mut().enumerate() {
            head.vector.fill(0.0);
            head.surface.fill(0.0);
            head.bias = index as f32;
        }
        file.heads[0].vector[3] = 2.0;
        file.heads[2].surface[0] = 0.5;
        file.feature_mean[0] = 1.0;
        file.feature_scale[0] = 2.0;
        file.hash = file.digest();
        let heads = Heads::of_file(file, &identity).expect("a valid file");
        let mut vector = [0.0; DIMENSIONS];
        vector[3] = 0.25;
        let text = "five!";
        let surface = f64::from((6f32.ln() - 1.0) * 2.0);
        let wanted = [0.5, 1.0, 2.0 + 0.5 * surface].map(sigmoid);
        let given = heads.predict(&vector, &Features::of_text(text));
        for (given, wanted) in given.into_iter().zip(wanted) {
            assert!((given - wanted).abs() < 1e-6, "{given} is not {wanted}");
        }
    }

    #[test]
    fn crossing_heads_are_pooled() {
        assert_eq!(isotonic([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
        assert_eq!(isotonic([3.0, 1.0, 4.0]), [2.0, 2.0, 4.0]);
        assert_eq!(isotonic([1.0, 4.0, 2.0]), [1.0, 3.0, 3.0]);
        assert_eq!(isotonic([3.0, 2.0, 1.0]), [2.0, 2.0, 2.0]);
        assert_eq!(isotonic([2.0, 2.0, -1.0]), [1.0, 1.0, 1.0]);
    }

    proptest! {
        #[test]
        fn pooled_values_rise_and_keep_their_sum(values in [-9.0..9.0f64, -9.0..9.0, -9.0..9.0]) {
            let pooled = isotonic(values);
            prop_assert!(pooled.is_sorted());
            prop_assert!((pooled.iter().sum::<f64>() - values.iter().sum::<f64>()).abs() < 1e-9);
            prop_assert_eq!(isotonic(pooled), pooled);
        }

        #[test]
        fn probabilities_are_proper_and_rise(
            raw in proptest::collection::vec(-1.0..1.0f32, DIMENSIONS),
            text in "\\PC{0,300}",
        ) {
            let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-3);
            let vector: Vec<f32> = raw.iter().map(|x| x / norm).collect();
            let given = shipped().predict(&vector, &Features::of_text(&text));
            prop_assert!(given.is_sorted());
            prop_assert!(given.iter().all(|p| *p > 0.0 && *p < 1.0), "{given:?}");
        }
    }
}
