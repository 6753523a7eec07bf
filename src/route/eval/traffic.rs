//! A recorded set as traffic of one pair of models: what each row's two answers were worth, what
//! the router reads of it, and the router that some labelled rows make.

use std::collections::HashSet;

use crate::route::evidence::blend::Blend;
use crate::route::evidence::gain::{Heads, Labelled};
use crate::route::evidence::inputs::{Basis, Inputs, Prompt, Standard};
use crate::route::evidence::measure::{Outcome, trade};
use crate::route::recorded::Corpus;

use super::SEED;
use super::unknown::Unknown;

/// Published prices of a call to the two models of RouteLLM, in dollars per million tokens.
pub const WEAK_COST: f64 = 0.24;
pub const STRONG_COST: f64 = 24.7;

/// Prompts after which the router takes the traffic's mean and spread for settled.
pub const FIRST: usize = 200;

/// The rows of a set that have two tiers, aligned.
#[derive(Debug)]
pub struct Traffic<'a> {
    corpus: &'a Corpus,
    basis: &'a Basis,
    places: Vec<usize>,
    pub weak: Vec<f64>,
    pub strong: Vec<f64>,
    pub stems: Vec<u64>,
    /// Cold-start score by a router that does not know the source.
    pub cold: Vec<f64>,
    /// Characters of the prompt: what a router has to beat.
    pub length: Vec<f64>,
}

impl<'a> Traffic<'a> {
    /// Of a set, for a router that does not know its source; `None` if that has no basis, or the
    /// set no rows.
    pub fn of(corpus: &'a Corpus, set: &str, unknown: &'a Unknown) -> Option<Self> {
        let basis = unknown.basis.as_ref()?;
        let rows = corpus.of_set(set).into_iter();
        let (places, pairs): (Vec<usize>, Vec<(f64, f64)>) =
            rows.filter_map(|place| Some((place, corpus.rows[place].pair()?))).unzip();
        let (weak, strong) = pairs.into_iter().unzip();
        let row = |place: &usize| &corpus.rows[*place];
        let traffic = Self {
            stems: places.iter().map(|place| row(place).stem).collect(),
            length: places.iter().map(|place| row(place).chars as f64).collect(),
            cold: places
                .iter()
                .map(|place| unknown.cold.of(&corpus.vectors[*place], row(place).chars))
                .collect(),
            corpus,
            basis,
            places,
            weak,
            strong,
        };
        (!traffic.places.is_empty()).then_some(traffic)
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.places.len()
    }

    /// Quality of the strong answer less that of the weak one.
    pub fn gain(&self, row: usize) -> f64 {
        self.strong[row] - self.weak[row]
    }

    /// What the heads read of a row.
    pub fn prompt(&self, row: usize) -> Prompt<'_> {
        self.corpus.prompt(self.places[row])
    }

    /// Where the traffic stands, from some of its prompts.
    pub fn standard(&self, rows: &[usize]) -> Standard {
        let prompts: Vec<Prompt<'_>> = rows.iter().map(|row| self.prompt(*row)).collect();
        Standard::of(self.basis, &prompts)
    }

    /// The inputs of rows.
    pub fn inputs<'b>(&'b self, standard: &'b Standard) -> Inputs<'b> {
        Inputs { basis: self.basis, standard }
    }

    /// What the heads read of rows, one vector each.
    pub fn read(&self, standard: &Standard, rows: &[usize]) -> Vec<Vec<f32>> {
        let inputs = self.inputs(standard);
        rows.iter()
            .map(|row| {
                let mut x = Vec::new();
                inputs.write(&self.prompt(*row), &mut x);
                x
            })
            .collect()
    }

    /// Rows as labels; `read` is theirs.
    pub fn labelled<'b>(&self, rows: &[usize], read: &'b [Vec<f32>]) -> Vec<Labelled<'b>> {
        rows.iter()
            .zip(read)
            .map(|(row, x)| Labelled { x, gain: self.gain(*row), weight: 1.0 })
            .collect()
    }

    /// Scores of `asked` by a router that was told the outcomes of `told`, as live: learnt gain and
    /// cold score, weighed by how many labels there are.
    pub fn scores(&self, told: &[usize], asked: &[usize]) -> Vec<f64> {
        let standard = self.standard(told);
        let known = self.read(&standard, told);
        let heads = Heads::learn(&self.labelled(told, &known), self.inputs(&standard).width());
        let gains: Vec<f64> = self.read(&standard, asked).iter().map(|x| heads.gain(x)).collect();
        let pairs = gains.iter().zip(asked).map(|(gain, row)| (*gain, self.cold[*row]));
        let pairs: Vec<(f64, f64)> = pairs.collect();
        let blend = Blend::of(&pairs[..pairs.len().min(FIRST)], heads.labels());
        pairs.into_iter().map(|(gain, cold)| blend.score(gain, cold)).collect()
    }

    /// A row as it is seen afterwards.
    pub fn outcome(&self, row: usize, score: f64) -> Outcome {
        Outcome {
            score,
            weak: self.weak[row],
            strong: self.strong[row],
            weak_cost: WEAK_COST,
            strong_cost: STRONG_COST,
        }
    }

    /// APGR of rows under their scores.
    pub fn apgr(&self, scored: impl Iterator<Item = (usize, f64)>) -> Option<f64> {
        let outcomes: Vec<Outcome> = scored.map(|(row, score)| self.outcome(row, score)).collect();
        Some(trade(&outcomes, SEED)?.apgr)
    }

    /// APGR of rows under the length of their prompts.
    pub fn apgr_of_length(&self, rows: &[usize]) -> Option<f64> {
        self.apgr(rows.iter().map(|row| (*row, self.length[*row])))
    }

    /// The rows of `rows` that ask no question of `told`.
    pub fn unasked(&self, rows: &[usize], told: &[usize]) -> Vec<usize> {
        let asked: HashSet<u64> = told.iter().map(|row| self.stems[*row]).collect();
        rows.iter().copied().filter(|row| !asked.contains(&self.stems[*row])).collect()
    }
}
