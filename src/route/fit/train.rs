//! The whole training: fits what ships on the training part, measures it on what it has not seen,
//! and puts both into the file and its card.

use std::collections::HashSet;

use serde_json::json;

use super::basis::{self, Scored};
use super::card::{self, Card};
use super::figures::{Everyday, Figures, Judged, doubt};
use super::mixture::{Mixture, RIDGE, WRITTEN_SHARE, is_usable, training};
use super::written::{Level, Written};
use super::{Row, cold};
use crate::embed::Vector;
use crate::route::HEADS;
use crate::route::evidence::inputs::Basis;
use crate::route::features::FEATURES;
use crate::route::heads::{Cold, HeadsFile, VERSION};
use crate::route::recorded::{Corpus, FILES};

/// Parts of the cross-validation on the written prompts.
const FOLDS: u64 = 5;
/// The set of which every model's score is known: factors are learnt from it.
const SCORED: &str = "mmlu_pro";

/// What training gives.
#[derive(Debug)]
pub struct Trained {
    pub file: HeadsFile,
    /// The model card, in Markdown.
    pub card: String,
}

/// Why nothing can be trained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitFault {
    #[error("the recorded outcomes hold too few prompts or models: no basis can be fitted")]
    Basis,
    #[error("there are no written prompts")]
    Written,
}

/// Trains and measures. `vectors` are those of `written`, in order; `thresholds` are the
/// `min_adequacy` of the small and the mid tier at which the card counts; `remark` is added to the
/// card as it is.
///
/// # Errors
/// See [`FitFault`].
pub fn train(
    corpus: &Corpus,
    written: &[Written],
    vectors: &[Vector],
    embedder: &str,
    thresholds: [f64; 2],
    remark: &str,
) -> Result<Trained, FitFault> {
    if written.is_empty() {
        return Err(FitFault::Written);
    }
    let mixture = Mixture::new(corpus, written, vectors);
    let dev: Vec<usize> = (0..corpus.rows.len())
        .filter(|row| corpus.rows[*row].is_dev && is_usable(&corpus.rows[*row]))
        .collect();
    let held: HashSet<u64> = dev.iter().map(|row| corpus.rows[*row].stem).collect();
    let used = training(corpus, &held, None);
    let prompts: Vec<usize> = (0..written.len()).collect();
    let fitted = mixture.fit(&used, &prompts);
    let cold = cold_of(corpus, &used);
    let basis = basis_of(corpus, &used).ok_or(FitFault::Basis)?;
    let seen: Vec<Judged<'_>> =
        dev.iter().map(|row| judged(corpus, *row, mixture.on_row(&fitted, *row), &cold)).collect();
    let unseen = left_out_by_source(&mixture, &prompts);
    let kinds: HashSet<&str> = written.iter().map(|prompt| &*prompt.kind).collect();
    let card = Card {
        train_rows: used.len(),
        written: written.len(),
        kinds: kinds.len(),
        dev: Figures::of(&seen),
        unseen: Figures::of(&unseen),
        doubt: doubt(&unseen),
        folds: Everyday::of(&crossed(&mixture, &used, Written::unit), thresholds),
        kinds_left_out: Everyday::of(&crossed(&mixture, &used, |w| &w.kind), thresholds),
    };
    let (feature_mean, feature_scale) = mixture.standard();
    let mut file = HeadsFile {
        version: VERSION,
        embedder: embedder.to_owned(),
        features: FEATURES.iter().map(|feature| feature.name.to_owned()).collect(),
        feature_mean,
        feature_scale,
        heads: fitted.heads(),
        doubt: card.doubt,
        cold,
        basis,
        training: json!({"rows": used.len(), "written": written.len(), "sets": FILES,
            "ridge": RIDGE, "written_share": WRITTEN_SHARE}),
        metrics: card.metrics(),
        hash: String::new(),
    };
    file.hash = file.digest();
    let card = card::render(&card, &file, remark);
    Ok(Trained { file, card })
}

/// A row for the linear fits.
fn row(corpus: &Corpus, place: usize) -> Row<'_> {
    let row = &corpus.rows[place];
    let vector = &corpus.vectors[place];
    Row { set: row.set, vector, chars: row.chars, quality: row.quality }
}

fn cold_of(corpus: &Corpus, rows: &[usize]) -> Cold {
    cold::fit(&rows.iter().map(|place| row(corpus, *place)).collect::<Vec<_>>())
}

fn basis_of(corpus: &Corpus, rows: &[usize]) -> Option<Basis> {
    let prompts: Vec<&[f32]> = rows.iter().map(|row| &*corpus.vectors[*row]).collect();
    let of_set = rows.iter().filter(|row| corpus.rows[**row].set == SCORED);
    let scored: Vec<Scored<'_>> = of_set
        .map(|row| Scored { vector: &corpus.vectors[*row], scores: &corpus.rows[*row].scores })
        .collect();
    basis::fit(&prompts, &scored)
}

fn judged<'a>(corpus: &'a Corpus, place: usize, adequacy: [f64; HEADS], cold: &Cold) -> Judged<'a> {
    let row = &corpus.rows[place];
    Judged { row, adequacy, cold: cold.of(&corpus.vectors[place], row.chars) }
}

/// Every source predicted by heads and a cold score that never saw it, nor any of its questions
/// elsewhere.
fn left_out_by_source<'a>(mixture: &Mixture<'a>, prompts: &[usize]) -> Vec<Judged<'a>> {
    let corpus = mixture.corpus;
    let mut sources: Vec<&str> = Vec::new();
    for row in &corpus.rows {
        if !sources.contains(&row.source.as_str()) {
            sources.push(&row.source);
        }
    }
    let mut judged_rows = Vec::new();
    for source in sources {
        let tested: Vec<usize> = (0..corpus.rows.len())
            .filter(|row| corpus.rows[*row].source == source && is_usable(&corpus.rows[*row]))
            .collect();
        let held: HashSet<u64> = tested.iter().map(|row| corpus.rows[*row].stem).collect();
        let used = training(corpus, &held, Some(source));
        let (fitted, cold) = (mixture.fit(&used, prompts), cold_of(corpus, &used));
        judged_rows.extend(
            tested.iter().map(|row| judged(corpus, *row, mixture.on_row(&fitted, *row), &cold)),
        );
    }
    judged_rows
}

/// Every written prompt predicted by heads that saw none of its unit.
fn crossed(
    mixture: &Mixture<'_>,
    rows: &[usize],
    unit: impl Fn(&Written) -> &str,
) -> Vec<(Level, [f64; HEADS])> {
    let fold = |place: usize| {
        let hash = blake3::hash(unit(&mixture.written[place]).as_bytes());
        u64::from(hash.as_bytes()[0]) % FOLDS
    };
    let folds: Vec<u64> = (0..mixture.written.len()).map(fold).collect();
    let mut judged = Vec::new();
    for out in 0..FOLDS {
        let kept: Vec<usize> = (0..folds.len()).filter(|place| folds[*place] != out).collect();
        let fitted = mixture.fit(rows, &kept);
        let tested = (0..folds.len()).filter(|place| folds[*place] == out);
        judged.extend(
            tested.map(|place| (mixture.written[place].level, mixture.on_written(&fitted, place))),
        );
    }
    judged
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::embed::DIMENSIONS;
    use crate::route::heads::Heads;

    fn vector(seed: u64) -> Vector {
        let mut rng = SmallRng::seed_from_u64(seed);
        let raw: Vec<f32> = (0..DIMENSIONS).map(|_| rng.random_range(-1.0..1.0)).collect();
        let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
        raw.iter().map(|x| x / norm).collect()
    }

    /// Hard where the first component is large; ten models that differ in the next ones.
    fn corpus() -> Corpus {
        let vectors: Vec<Vector> = (0..400).map(vector).collect();
        let row = |(n, vector): (usize, &Vector)| {
            let level = |base: f64| (base - 3.0 * f64::from(vector[0])).clamp(0.0, 1.0);
            let score = |model: usize| (format!("m{model}"), f64::from(vector[1 + model]));
            let (set, source) = if n % 4 == 0 { (FILES[0], "a") } else { (SCORED, "b") };
            let prompt = format!("Is it {n}?");
            crate::route::recorded::Row {
                id: format!("{n}"),
                set,
                source: source.into(),
                benchmark: set.into(),
                domain: "d".into(),
                chars: prompt.len(),
                prompt,
                stem: n as u64,
                quality: [Some(level(0.5)), None, Some(level(0.7))],
                scores: (0..10).map(score).collect::<BTreeMap<_, _>>(),
                contaminated: n == 7,
                is_dev: n % 5 == 0,
            }
        };
        let rows = vectors.iter().enumerate().map(row).collect();
        Corpus::new(rows, vectors)
    }

    fn written() -> (Vec<Written>, Vec<Vector>) {
        let line = |n: usize| {
            let (kind, level) = [("hello", Level::Small), ("proof", Level::Frontier)][n % 2];
            Written { kind: kind.into(), level, prompt: format!("{kind} {n}"), text: None }
        };
        ((0..40).map(line).collect(), (1000..1040).map(vector).collect())
    }

    #[test]
    fn what_is_trained_can_be_used_and_says_what_it_is() {
        let (corpus, (written, vectors)) = (corpus(), written());
        let trained = train(&corpus, &written, &vectors, "model@1", [0.78, 0.8], "A remark.")
            .expect("data enough");
        let heads = Heads::of_file(trained.file.clone(), "model@1").expect("a whole file");
        assert!(Heads::of_file(trained.file.clone(), "model@2").is_err());
        for part in [&trained.file.hash, "A remark.", "40, of 2 kinds", "| mmlu_pro | 60 |"] {
            assert!(trained.card.contains(part), "{part} in {}", trained.card);
        }
        assert_eq!(trained.file.training["rows"], 319, "neither dev nor contaminated");
        // The first component is what was hard.
        let mut easy = vec![0.0; DIMENSIONS];
        easy[0] = -1.0;
        let hard: Vec<f32> = easy.iter().map(|x| -x).collect();
        assert!(heads.cold(&hard, 100) > heads.cold(&easy, 100));
        let text = crate::route::Features::of_text("Is it 3?");
        assert!(heads.predict(&hard, &text)[0] < heads.predict(&easy, &text)[0]);
        // The words decide what was written.
        let plain = vec![0.0; DIMENSIONS];
        let says = |text| heads.predict(&plain, &crate::route::Features::of_text(text))[0];
        assert!(says("proof 99") < 0.5 && says("hello 99") > 0.6);
    }

    #[test]
    fn the_same_data_give_the_same_heads() {
        let (corpus, (written, vectors)) = (corpus(), written());
        let rows: Vec<usize> = (0..100).collect();
        let prompts: Vec<usize> = (0..40).collect();
        let heads = || Mixture::new(&corpus, &written, &vectors).fit(&rows, &prompts).heads();
        assert_eq!(heads(), heads());
    }

    #[test]
    fn nothing_is_trained_on_too_little() {
        let (corpus, (written, vectors)) = (corpus(), written());
        let fault = |corpus: &Corpus, written: &[Written]| {
            train(corpus, written, &vectors[..written.len()], "m", [0.5; 2], "").unwrap_err()
        };
        assert_eq!(fault(&corpus, &[]), FitFault::Written);
        let few = Corpus::new(corpus.rows[..50].to_vec(), corpus.vectors[..50].to_vec());
        assert_eq!(fault(&few, &written), FitFault::Basis);
    }
}
