//! What the router would ship if a source had never been recorded: cold score and basis, trained
//! without the source's rows and without any row elsewhere that asks one of its questions. The
//! shipped ones have seen every set, so that measuring with them would flatter the router.

use std::collections::{BTreeSet, HashSet};

use crate::route::evidence::inputs::Basis;
use crate::route::fit::{self, Row as Trained};
use crate::route::heads::Cold;
use crate::route::recorded::{Corpus, Row, left_out};

/// Recorded by some thirty models on every row: what the factors are learnt from.
const FACTORED: &str = "mmlu-pro";
/// And where the source itself is that one.
const ELSEWHERE: &str = "zeroeval";

/// Trained without a source.
#[derive(Debug)]
pub struct Unknown {
    pub cold: Cold,
    pub basis: Option<Basis>,
}

/// The places of the rows that may train a router that knows nothing of the source.
pub fn others(corpus: &Corpus, source: &str) -> Vec<usize> {
    let asked: HashSet<u64> =
        corpus.rows.iter().filter(|row| row.source == source).map(|row| row.stem).collect();
    let may =
        |row: &Row| row.source != source && !asked.contains(&row.stem) && left_out(row).is_none();
    (0..corpus.rows.len()).filter(|place| may(&corpus.rows[*place])).collect()
}

/// The cold score alone.
pub fn cold(corpus: &Corpus, source: &str) -> Cold {
    let rows: Vec<Trained<'_>> = others(corpus, source)
        .into_iter()
        .map(|place| {
            let row = &corpus.rows[place];
            let vector = &corpus.vectors[place];
            Trained { set: row.set, vector, chars: row.chars, quality: row.quality }
        })
        .collect();
    fit::cold::fit(&rows)
}

/// Cold score and basis. `every` thins the prompts of the components out: 1 takes all.
pub fn train(corpus: &Corpus, source: &str, every: usize) -> Unknown {
    let others = others(corpus, source);
    let prompts: Vec<&[f32]> =
        others.iter().step_by(every.max(1)).map(|place| &*corpus.vectors[*place]).collect();
    let from = if source == FACTORED { ELSEWHERE } else { FACTORED };
    let scored: Vec<fit::basis::Scored<'_>> = others
        .iter()
        .filter(|place| corpus.rows[**place].source == from)
        .map(|place| fit::basis::Scored {
            vector: &corpus.vectors[*place],
            scores: &corpus.rows[*place].scores,
        })
        .collect();
    Unknown { cold: cold(corpus, source), basis: fit::basis::fit(&prompts, &scored) }
}

/// The sources of the sets, each once.
pub fn sources<'a>(corpus: &'a Corpus, sets: &[&str]) -> BTreeSet<&'a str> {
    let of = corpus.rows.iter().filter(|row| sets.contains(&row.set));
    of.map(|row| row.source.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::recorded::rows::tests::row;

    #[test]
    fn nothing_of_the_source_or_its_questions_trains() {
        let mut contaminated = row("mmlu_pro", "mmlu-pro", "Fresh?");
        contaminated.contaminated = true;
        let rows = vec![
            row("routellm_mmlu", "routellm", "Which one?\nA. x"),
            row("routellm_gsm8k", "routellm", "How many?"),
            row("mmlu_pro", "mmlu-pro", "Which one?\nA. x\nB. y"),
            row("mmlu_pro", "mmlu-pro", "Another?"),
            row("zeroeval_gsm", "zeroeval", "How many?"),
            contaminated,
        ];
        let vectors = rows.iter().map(|_| vec![0.0; 384].into()).collect();
        let corpus = Corpus::new(rows, vectors);
        assert_eq!(others(&corpus, "routellm"), [3]);
        assert_eq!(others(&corpus, "zeroeval"), [0, 2, 3]);
        let sources: Vec<&str> =
            sources(&corpus, &["mmlu_pro", "zeroeval_gsm"]).into_iter().collect();
        assert_eq!(sources, ["mmlu-pro", "zeroeval"]);
    }
}
