//! What the router learns from: requests of which it is known, or was found out, what another tier
//! would have given. Values alone; where they come from is `gateway::trial`'s and the caller's.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::settings::Tier;
use crate::embed::Vector;
use crate::route::evidence::inputs::Prompt;
use crate::route::features::Features;

/// A prompt, as far as the router looks: no text.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Unit vector.
    pub vector: Vector,
    /// In the order of `FEATURES`.
    pub surface: Arc<[f32]>,
    /// Characters of the last user text.
    pub chars: u32,
}

impl Sample {
    pub fn of(vector: &Vector, features: &Features, prompt: &str) -> Self {
        Self {
            vector: Arc::clone(vector),
            surface: features.values().into(),
            chars: u32::try_from(prompt.chars().count()).unwrap_or(u32::MAX),
        }
    }

    pub fn prompt(&self) -> Prompt<'_> {
        Prompt { vector: &self.vector, surface: &self.surface, chars: self.chars as usize }
    }
}

/// Two tiers of which the weaker may answer in the stronger one's place.
///
/// A pair is named by its tiers and their models: what was learnt of other models says nothing of
/// these, and whoever changes one tier keeps what is known of the others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pair {
    pub weak: Arc<str>,
    pub strong: Arc<str>,
    /// `small:mini < frontier:big,big-eu`.
    pub name: Arc<str>,
}

impl Pair {
    pub fn of(weak: &Tier, strong: &Tier) -> Self {
        let named = |tier: &Tier| {
            let models: Vec<&str> = tier.models.iter().map(|model| &*model.name).collect();
            format!("{}:{}", tier.name, models.join(","))
        };
        Self {
            weak: weak.name.clone(),
            strong: strong.name.clone(),
            name: format!("{} < {}", named(weak), named(strong)).into(),
        }
    }
}

/// How a label came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Both tiers were asked and their answers compared.
    Shadow,
    /// Both were asked, and nobody could tell whether the answers are the same: counted as lost.
    Undecided,
    /// The operator's own figures.
    Given,
}

impl By {
    /// Stable name: metric label and column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Undecided => "undecided",
            Self::Given => "given",
        }
    }

    /// The reverse of [`Self::name`].
    pub fn named(name: &str) -> Option<Self> {
        [Self::Shadow, Self::Undecided, Self::Given].into_iter().find(|by| by.name() == name)
    }
}

/// A request of which both tiers' answers are known. Requests are labelled by chance, so that the
/// labels look like the traffic.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    pub sample: Sample,
    /// Quality of the stronger tier's answer less that of the weaker one's, −1 to 1.
    pub gain: f32,
    /// 1 / the chance with which the request was labelled.
    pub weight: f32,
    pub by: By,
    pub at: Timestamp,
}

/// What somebody said of one tier's answer. Who complains is no sample of the traffic, so that an
/// opinion counts near its own prompt only.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
    pub vector: Vector,
    pub tier: Arc<str>,
    pub good: bool,
    /// 1 for a caller's own word, less for what is guessed from its behaviour.
    pub weight: f32,
    pub at: Timestamp,
}
