//! What the pictures of a report need to know of each row: little enough to be kept for all.

use std::sync::Arc;

use jiff::Timestamp;

use crate::cache::{Evidence, Level, TtlClass};
use crate::price::Money;

use super::truth::Truth;

/// One row as it was replayed.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Its place among the rows.
    pub row: usize,
    pub wall: Timestamp,
    /// `None`: it was no hit.
    pub level: Option<Level>,
    /// `miss`, `bypass`, …, or `refused`.
    pub verdict: &'static str,
    /// Why, as in `Cache-Status`; of a refusal, the error's name.
    pub detail: Option<&'static str>,
    /// The semantic level searched.
    pub searched: bool,
    pub seen: Option<Seen>,
    /// The row that made the entry which was served, or came nearest.
    pub maker: Option<usize>,
    /// Whether that entry's answer is the right one here, served or not.
    pub truth: Option<Truth>,
    pub ttl_class: Option<TtlClass>,
    /// Of what answered, or on a hit of what made the entry.
    pub tier: Option<Arc<str>>,
    /// What it cost, and would have cost without semgate.
    pub cost: Option<Money>,
    pub baseline: Option<Money>,
}

/// What the verifier saw in the best candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Cosine in [−1, 1].
    pub similarity: f32,
    /// Log-odds that its answer is right.
    pub score: f32,
    /// Served from this score on.
    pub line: f32,
    /// A guard forbade it, whatever the score.
    pub vetoed: bool,
}

impl Seen {
    pub fn of(evidence: &Evidence) -> Self {
        Self {
            similarity: evidence.similarity,
            score: evidence.score,
            line: evidence.line,
            vetoed: evidence.guard.is_some(),
        }
    }
}

impl Trace {
    /// A row of which nothing is known yet.
    pub fn blank(row: usize, wall: Timestamp) -> Self {
        Self {
            row,
            wall,
            level: None,
            verdict: "",
            detail: None,
            searched: false,
            seen: None,
            maker: None,
            truth: None,
            ttl_class: None,
            tier: None,
            cost: None,
            baseline: None,
        }
    }

    /// Whether it is a hit that is known to be wrong.
    pub fn is_wrong_hit(&self) -> bool {
        self.level.is_some() && self.truth.is_some_and(|truth| truth.wrong)
    }
}
