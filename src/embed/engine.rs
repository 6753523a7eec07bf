//! What a worker thread runs: the model, or a function that stands in for it. Turns the failures of
//! either, panics included, into [`EmbedError::Fault`], and groups texts so that padding is cheap.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::minilm::MiniLm;
use super::tokenise::{Tokeniser, Tokens};
use super::{DIMENSIONS, EmbedError, Embedding};

/// Tokens of one forward pass, padding included. Beyond a few hundred a larger batch gains nothing
/// on a CPU, while everyone in it waits for its end.
const GROUP_TOKENS: usize = 512;

/// Share of a pass that may be padding: one part in this many.
const PADDING_SHARE: usize = 5;

pub(super) enum Engine {
    Model { tokeniser: Arc<Tokeniser>, model: Arc<MiniLm> },
    Function(Function),
}

/// Texts to one vector each, in their order.
pub(super) type Function = Box<dyn FnMut(&[&str]) -> Vec<Vec<f32>> + Send>;

/// A text ready for the engine.
#[derive(Debug)]
pub(super) struct Prepared {
    text: String,
    tokens: Tokens,
}

impl Prepared {
    /// Length in tokens.
    pub fn len(&self) -> usize {
        self.tokens.ids.len()
    }
}

impl Engine {
    /// Tokenises `text`; `cut` says that it is already only the head of something longer.
    pub fn prepare(&self, text: String, cut: bool, window: usize) -> Result<Prepared, EmbedError> {
        let mut tokens = match self {
            Self::Model { tokeniser, .. } => guarded(|| tokeniser.tokens(&text, window))?,
            Self::Function(_) => words(&text, window),
        };
        tokens.truncated |= cut;
        Ok(Prepared { text, tokens })
    }

    /// The vectors of a batch, or one fault for all of it when the engine failed as a whole.
    pub fn embed(&mut self, batch: &[&Prepared]) -> Vec<Result<Embedding, EmbedError>> {
        let vectors = match self {
            Self::Model { model, .. } => guarded(|| {
                model.embed(&batch.iter().map(|prepared| &prepared.tokens).collect::<Vec<_>>())
            }),
            Self::Function(function) => guarded(|| {
                let texts: Vec<&str> = batch.iter().map(|prepared| &*prepared.text).collect();
                Ok::<_, std::convert::Infallible>(function(&texts))
            }),
        };
        match vectors {
            Ok(vectors) if vectors.len() == batch.len() => batch
                .iter()
                .zip(vectors)
                .map(|(prepared, vector)| checked(prepared, vector))
                .collect(),
            Ok(vectors) => {
                tracing::error!(
                    texts = batch.len(),
                    vectors = vectors.len(),
                    "embedder miscounted"
                );
                vec![Err(EmbedError::Fault); batch.len()]
            }
            Err(fault) => vec![Err(fault); batch.len()],
        }
    }
}

/// Words stand for tokens where there is no tokeniser; two more for the special ones.
fn words(text: &str, window: usize) -> Tokens {
    let count = text.split_whitespace().count() + 2;
    Tokens { ids: vec![0; count.min(window)], truncated: count > window }
}

/// Runs a step of the engine; an error or a panic of it is logged and becomes a fault. The engine
/// is used again afterwards: weights are never written to, and a function is its owner's business.
fn guarded<T, E: std::fmt::Display>(step: impl FnOnce() -> Result<T, E>) -> Result<T, EmbedError> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            tracing::error!(%error, "embedder failed");
            Err(EmbedError::Fault)
        }
        Err(_) => {
            tracing::error!("embedder panicked");
            Err(EmbedError::Fault)
        }
    }
}

/// Lets a vector out only if it is one: a NaN would make every comparison silently false.
fn checked(prepared: &Prepared, vector: Vec<f32>) -> Result<Embedding, EmbedError> {
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    // A NaN is within no range.
    if vector.len() != DIMENSIONS || !(0.99..=1.01).contains(&norm) {
        tracing::error!(components = vector.len(), norm, "embedder gave no unit vector");
        return Err(EmbedError::Fault);
    }
    Ok(Embedding {
        vector: vector.into(),
        tokens: prepared.len(),
        truncated: prepared.tokens.truncated,
    })
}

/// How many of the texts, whose lengths stand in `ascending` order, make the next pass: as many as
/// fit without much padding, and at least one.
pub(super) fn group(ascending: &[usize]) -> usize {
    let mut real = 0;
    for (count, length) in ascending.iter().enumerate() {
        real += length;
        let padded = (count + 1) * length;
        if count > 0 && (padded > GROUP_TOKENS || (padded - real) * PADDING_SHARE > padded) {
            return count;
        }
    }
    ascending.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn function(f: impl FnMut(&[&str]) -> Vec<Vec<f32>> + Send + 'static) -> Engine {
        Engine::Function(Box::new(f))
    }

    fn axis(at: usize, length: f32) -> Vec<f32> {
        let mut vector = vec![0.0; DIMENSIONS];
        vector[at] = length;
        vector
    }

    fn run(engine: &mut Engine, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
        let prepared: Vec<Prepared> =
            texts.iter().map(|text| engine.prepare((*text).into(), false, 8).unwrap()).collect();
        engine.embed(&prepared.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_vector_that_is_none_is_a_fault_of_its_own_text() {
        let mut engine = function(|texts| {
            let bad = |text: &&str| match *text {
                "nan" => axis(0, f32::NAN),
                "inf" => axis(0, f32::INFINITY),
                "zero" => axis(0, 0.0),
                "long" => axis(0, 1.02),
                "narrow" => vec![1.0],
                _ => axis(3, 1.0),
            };
            texts.iter().map(bad).collect()
        });
        let given = run(&mut engine, &["nan", "inf", "good", "zero", "long", "narrow"]);
        let good: Vec<bool> = given.iter().map(Result::is_ok).collect();
        assert_eq!(good, [false, false, true, false, false, false]);
        assert_eq!(given[2].as_ref().unwrap().vector[3], 1.0);
    }

    #[test]
    fn a_panic_is_a_fault_and_the_engine_lives_on() {
        let mut engine = function(|texts| {
            assert!(texts[0] != "boom", "a bug in the model");
            vec![axis(0, 1.0); texts.len()]
        });
        assert_eq!(run(&mut engine, &["boom", "innocent"]), vec![Err(EmbedError::Fault); 2]);
        assert!(run(&mut engine, &["innocent"])[0].is_ok());
    }

    #[test]
    fn a_miscount_is_a_fault_for_all() {
        let mut engine = function(|_| vec![axis(0, 1.0)]);
        assert_eq!(run(&mut engine, &["a", "b"]), vec![Err(EmbedError::Fault); 2]);
    }

    #[test]
    fn likes_go_together() {
        assert_eq!(group(&[8, 8, 8, 8]), 4);
        assert_eq!(group(&[8, 100]), 1);
        assert_eq!(group(&[300, 300]), 1);
        assert_eq!(group(&[1000]), 1);
        assert_eq!(group(&[8, 9, 10, 60, 61]), 3);
    }

    proptest! {
        #[test]
        fn groups_cover_all_within_their_bounds(mut lengths in prop::collection::vec(2_usize..300, 1..40)) {
            lengths.sort_unstable();
            let mut rest = &lengths[..];
            while !rest.is_empty() {
                let (pass, later) = rest.split_at(group(rest));
                prop_assert!(!pass.is_empty());
                let padded = pass.len() * pass[pass.len() - 1];
                prop_assert!(pass.len() == 1 || padded <= GROUP_TOKENS);
                prop_assert!((padded - pass.iter().sum::<usize>()) * PADDING_SHARE <= padded);
                rest = later;
            }
        }
    }
}
