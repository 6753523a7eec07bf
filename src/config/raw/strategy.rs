//! How a strategy is written: a word (`cheapest`), or a block that names models (`{fixed: mini}`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{Key, Skip};
use crate::config::at::{At, WordOr};

/// `strategy:` of a rule or a route.
pub type RawStrategy = WordOr<RawStrategyWord, RawStrategyOf>;

/// The strategies that need no more than their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RawStrategyWord {
    Classifier,
    Cheapest,
    Fastest,
}

block! {
    /// A strategy that names models.
    RawStrategyOf {
        /// This model, then its own fallbacks.
        fixed: Key<String>,
        /// A draw by these weights, the same for all requests of a conversation. They need not sum
        /// to 100.
        weighted: Key<BTreeMap<At<String>, At<f64>>>,
    }
}

const WORDS: [(&str, RawStrategyWord); 3] = [
    ("classifier", RawStrategyWord::Classifier),
    ("cheapest", RawStrategyWord::Cheapest),
    ("fastest", RawStrategyWord::Fastest),
];

/// What may stand after `strategy:`, for faults.
pub const STRATEGIES: &str =
    "classifier, cheapest, fastest, `{fixed: name}`, `{weighted: {name: 80, other: 20}}`";

impl<'de> Deserialize<'de> for RawStrategyWord {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;

        impl serde::de::Visitor<'_> for Word {
            type Value = RawStrategyWord;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a strategy")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawStrategyWord, E> {
                if let Some((_, word)) = WORDS.iter().find(|(name, _)| *name == text) {
                    return Ok(*word);
                }
                Err(E::custom(match text {
                    "fixed" => "`fixed` names no model; write `{fixed: name}`".to_owned(),
                    "weighted" => {
                        "`weighted` names no models; write `{weighted: {name: 80, other: 20}}`"
                            .to_owned()
                    }
                    _ => {
                        let short: String = text.chars().take(60).collect();
                        format!("there is no strategy `{short}`; write one of {STRATEGIES}")
                    }
                }))
            }
        }

        deserializer.deserialize_str(Word)
    }
}

impl JsonSchema for RawStrategyWord {
    fn schema_name() -> Cow<'static, str> {
        "strategy".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": WORDS.map(|(name, _)| name) })
    }

    fn inline_schema() -> bool {
        true
    }
}
