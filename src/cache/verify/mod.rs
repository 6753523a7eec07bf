//! Does the stored answer of a neighbour answer this question? Pure: profiles, cosines, groups and
//! a line in; a decision with its evidence out. Without evidence it is a miss, never a hit.
//!
//! 1. A near-literal repeat is served whatever its score.
//! 2. A guard vetoes a candidate (`guards`).
//! 3. The best remaining candidate by [`score`] is served if it passes the line.

pub mod group;
pub mod guards;
pub mod profile;
mod words;

use super::{Evidence, Guard, MissDetail};

pub use guards::guard;
pub use profile::Profile;

/// The shipped line.
pub const LINE: f32 = 0.95;

/// How much of its margin a candidate may add to its score, and at which rate.
const MARGIN_CAP: f32 = 0.15;
const MARGIN_WEIGHT: f32 = 0.2;
/// What the share of content stems in common adds.
const OVERLAP_WEIGHT: f32 = 0.1;
/// Cosine of the rival where there is none: what unrelated texts reach.
const NO_RIVAL: f32 = 0.3;

/// A stored neighbour of the query.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Id of its entry.
    pub id: &'a str,
    pub profile: &'a Profile,
    /// Cosine in [−1, 1].
    pub similarity: f32,
    /// Entries with one answer share a group and are no rivals of each other.
    pub group: u64,
}

/// What to do about a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The stored answer of the candidate at this place.
    Serve(usize),
    Refuse(MissDetail),
}

/// A decision and what it rests on: absent only where there was no candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    pub decision: Decision,
    pub evidence: Option<Evidence>,
}

/// Decides about `query`, given its neighbours in falling similarity.
pub fn verify(query: &Profile, candidates: &[Candidate<'_>], line: f32) -> Verification {
    let weighed: Vec<Weighed> =
        (0..candidates.len()).map(|place| weigh(query, candidates, place)).collect();
    let free = |weighed: &&Weighed| weighed.guard.is_none();
    let repeat = weighed
        .iter()
        .filter(free)
        .find(|weighed| query.is_repeat_of(candidates[weighed.place].profile));
    let best = weighed.iter().filter(free).max_by(|a, b| {
        // Of equals the more similar one, which stands first.
        a.score.total_cmp(&b.score).then_with(|| b.place.cmp(&a.place))
    });
    let Some(nearest) = weighed.first() else {
        let decision = Decision::Refuse(MissDetail::NoCandidate);
        return Verification { decision, evidence: None };
    };
    let (decision, shown) = match (repeat, best) {
        (Some(repeat), _) => (Decision::Serve(repeat.place), repeat),
        (None, Some(best)) if best.score >= line => (Decision::Serve(best.place), best),
        // The veto of the nearest explains a miss better than the score of a farther one.
        (None, best) => match (nearest.guard, best) {
            (Some(guard), _) => (Decision::Refuse(MissDetail::Guard(guard)), nearest),
            (None, best) => (Decision::Refuse(MissDetail::BelowLine), best.unwrap_or(nearest)),
        },
    };
    let candidate = &candidates[shown.place];
    let evidence = Evidence {
        entry: candidate.id.to_owned(),
        similarity: candidate.similarity,
        margin: shown.margin,
        score: shown.score,
        line,
        guard: shown.guard,
    };
    Verification { decision, evidence: Some(evidence) }
}

struct Weighed {
    place: usize,
    margin: f32,
    score: f32,
    guard: Option<Guard>,
}

fn weigh(query: &Profile, candidates: &[Candidate<'_>], place: usize) -> Weighed {
    let candidate = &candidates[place];
    let margin = margin(candidates, place);
    Weighed {
        place,
        margin,
        score: score(candidate.similarity, margin, overlap(query, candidate.profile)),
        guard: guard(query, candidate.profile),
    }
}

/// Cosine ahead of the most similar candidate of another group.
fn margin(candidates: &[Candidate<'_>], place: usize) -> f32 {
    let own = &candidates[place];
    let rival = candidates
        .iter()
        .find(|other| other.group != own.group)
        .map_or(NO_RIVAL, |rival| rival.similarity.max(NO_RIVAL));
    own.similarity - rival
}

/// Similarity, moved by how far ahead of its rival the candidate is and by how many content words
/// it shares with the query.
pub fn score(similarity: f32, margin: f32, overlap: f32) -> f32 {
    similarity
        + MARGIN_WEIGHT * (margin.min(MARGIN_CAP) - MARGIN_CAP)
        + OVERLAP_WEIGHT * (overlap - 1.0)
}

/// Jaccard index of the content stems; zero where the signs between the words differ, since those
/// are the question itself in code and arithmetic.
pub fn overlap(a: &Profile, b: &Profile) -> f32 {
    if a.symbols() != b.symbols() {
        return 0.0;
    }
    let common = a.content().iter().filter(|stem| b.content().binary_search(stem).is_ok()).count();
    let all = a.content().len() + b.content().len() - common;
    if all == 0 { 0.0 } else { common as f32 / all as f32 }
}
