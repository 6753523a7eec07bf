//! The file of everything that ships for the router: its members, its hash, and whether it is
//! whole. What the numbers do is `heads`'.

use serde::{Deserialize, Serialize};

use super::{Cold, HeadsFault, TIER_CLASSES};
use crate::embed::DIMENSIONS;
use crate::route::HEADS;
use crate::route::evidence::inputs::Basis;
use crate::route::features::FEATURES;

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
    pub cold: Cold,
    pub basis: Basis,
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
        let cold = std::iter::once(&self.cold.length).chain(&self.cold.direction);
        let basis = [
            &self.basis.factors,
            &self.basis.factor_mean,
            &self.basis.factor_scale,
            &self.basis.components,
        ];
        let numbers = self.feature_mean.iter().chain(&self.feature_scale).chain(heads);
        for number in numbers.chain(cold).chain(basis.into_iter().flatten()) {
            hasher.update(&number.to_le_bytes());
        }
        for number in self.doubt {
            hasher.update(&number.to_le_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Whether every part is there and of the right size.
    pub(super) fn check_shape(&self) -> Result<(), HeadsFault> {
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
        if self.cold.direction.len() != DIMENSIONS {
            return malformed("the cold score is incomplete");
        }
        if self.basis.dimensions != DIMENSIONS {
            return malformed("the basis is for other vectors");
        }
        self.basis.check().map_err(|fault| HeadsFault::Malformed(format!("the basis: {fault}")))
    }
}
