//! The candidates' case for a lookup, and what is decided on it: values between `mind` and its
//! callers.

use super::features::{Neighbourhood, Values};
use super::groups::{Compared, Group};
use super::judged::{Errors, PANEL, Verdict, together};
use super::sense::Pair;
use crate::cache::Guard;

/// Answer groups of a lookup whose answers are compared with a new one.
pub(super) const COMPARED: usize = 3;

/// A candidate that was weighed: the most similar of its group that no guard vetoes, else the most
/// similar.
#[derive(Debug, Clone, PartialEq)]
pub struct Contender {
    pub entry: u64,
    /// Its place among the candidates.
    pub place: usize,
    pub similarity: f32,
    /// Cosine ahead of the best candidate with another answer.
    pub margin: f32,
    /// Log-odds that its answer is the query's.
    pub z: f32,
    pub values: Values,
    pub guard: Option<Guard>,
    /// Its signs differ, or its words are turned around: too little is known of how much that
    /// matters to serve it on the prior's word.
    pub other_signs: bool,
    pub turned: bool,
    pub group: Option<Group>,
}

/// The candidates' case, best first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weighed {
    pub contenders: Vec<Contender>,
    /// The first is a near-literal repeat of the query.
    pub repeat: bool,
    /// The most similar of the further entries that should have the answer of the first.
    pub company: Vec<Companion>,
}

/// A candidate that has the answer of the best contender, as far as is known. A judge that errs is
/// asked about it too: its answer and the contender's are then judged together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Companion {
    pub entry: u64,
    pub place: usize,
    pub similarity: f32,
    pub group: Option<Group>,
}

/// What to do about a lookup, and why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// The stored answer of the best contender.
    Serve {
        propensity: f32,
    },
    /// It would be served, but is asked upstream to learn from.
    Explore {
        propensity: f32,
        why: Exploring,
    },
    BelowLine,
    Guard(Guard),
    NoCandidate,
}

/// Why a would-be hit is asked upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exploring {
    Drawn,
    Suspect,
    Unverified,
}

impl Contender {
    /// Whether it is not served however well it scores. `learnt`: labels have drawn the line.
    pub(super) fn is_unsure(&self, learnt: bool) -> bool {
        self.other_signs || (self.turned && !learnt)
    }
}

impl Weighed {
    /// Places among the candidates of the entries that a new answer is compared with, in the order
    /// of [`Lookup::compared`].
    pub fn compared(&self) -> impl Iterator<Item = usize> {
        let contenders = self.contenders.iter().take(COMPARED).map(|contender| contender.place);
        contenders.chain(self.company.iter().map(|companion| companion.place))
    }

    /// Those entries.
    pub(super) fn opponents(&self) -> Vec<Opponent> {
        let contender = |&Contender { entry, group, z, similarity, .. }: &Contender| Opponent {
            entry,
            group,
            z,
            similarity,
        };
        let companion = |&Companion { entry, group, similarity, .. }: &Companion| Opponent {
            entry,
            group,
            z: 0.0,
            similarity,
        };
        let contenders = self.contenders.iter().take(COMPARED).map(contender);
        contenders.chain(self.company.iter().map(companion)).collect()
    }
}

pub(super) fn company(near: &Neighbourhood<'_>, best: &Contender) -> Vec<Companion> {
    let alike = |place: &usize| *place != best.place && near.agree(best.place, *place);
    let places = (0..near.candidates.len()).filter(alike).take(PANEL - 1);
    let companion = |place: usize| {
        let candidate = &near.candidates[place];
        let (entry, similarity) = (candidate.entry, candidate.similarity);
        Companion { entry, place, similarity, group: near.groups[place] }
    };
    places.map(companion).collect()
}

/// An entry whose answer a new one will be compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Opponent {
    pub entry: u64,
    pub group: Option<Group>,
    /// Log-odds that its answer is the query's.
    pub z: f32,
    pub similarity: f32,
}

/// A lookup on its way: what learning from its answer needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    pub(super) number: u64,
    /// The entries whose answers are worth comparing with the new one.
    pub compared: Vec<Opponent>,
    /// Of a lookup that is asked upstream: every candidate, to learn about words.
    pub(super) pairs: Vec<Pair>,
    /// How many of them are contenders; the others are the best one's company.
    pub(super) contenders: usize,
    pub(super) above: bool,
    pub(super) forced: bool,
    /// The error that was expected at its score, where that was known.
    pub(super) expected: Option<f32>,
}

impl Lookup {
    /// Its number in the window.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Of the compared, those that might have been served; the others are the best one's company.
    pub fn contenders(&self) -> impl Iterator<Item = &Opponent> {
        self.compared.iter().take(self.contenders)
    }

    /// The verdicts on the contenders. With a judge that errs, those on the best one's company are
    /// heard too; they are no evidence about the contender's own answer where the judge knows.
    pub(super) fn judged(&self, verdicts: &[Verdict], judge: &Errors) -> Vec<Compared> {
        let of_contenders = self.contenders().zip(verdicts);
        let mut judged: Vec<Compared> = of_contenders
            .map(|(&Opponent { entry, group, z, similarity }, &verdict)| Compared {
                entry,
                group,
                z,
                similarity,
                verdict,
                panel: 1,
            })
            .collect();
        let company = verdicts.iter().skip(self.contenders).copied();
        if let Some(best) = judged.first_mut()
            && best.verdict != Verdict::CannotTell
            && judge.need() > 1
        {
            (best.verdict, best.panel) = together(std::iter::once(best.verdict).chain(company));
        }
        judged
    }
}
