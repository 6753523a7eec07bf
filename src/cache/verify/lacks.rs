//! What a candidate says nothing of: the rarity of the content words that only one side has. Pure.

use super::features::Neighbourhood;
use super::wording::has;

/// Rarity of the content words that one side has and the other has not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lacks {
    /// Of the query, in the candidate; of the candidate, in the query.
    pub of_query: f32,
    pub of_candidate: f32,
    /// Share of the rarity of both.
    pub share: f32,
    /// The rarest stem of the query that the candidate lacks.
    pub rarest: f32,
    /// Of the query, in every entry of the candidate's group.
    pub in_group: f32,
    pub rarest_in_group: f32,
    /// Of those, what an entry of another group has.
    pub elsewhere: f32,
}

impl Neighbourhood<'_> {
    /// Of the candidate at `place`.
    pub(super) fn lacks(&self, place: usize) -> Lacks {
        let mut lacks = Lacks::default();
        let query = self.query.wording().content();
        let stored = self.candidates[place].profile.wording().content();
        let mut both = 0.0;
        for (stem, idf) in query.iter().zip(&self.idf) {
            if has(stored, *stem) {
                both += idf;
                continue;
            }
            lacks.of_query += idf;
            lacks.rarest = lacks.rarest.max(*idf);
            let holds =
                |other: usize| has(self.candidates[other].profile.wording().content(), *stem);
            let mut others = 0..self.candidates.len();
            if others.clone().any(|other| self.agree(place, other) && holds(other)) {
                continue;
            }
            lacks.in_group += idf;
            lacks.rarest_in_group = lacks.rarest_in_group.max(*idf);
            if others.any(|other| !self.agree(place, other) && holds(other)) {
                lacks.elsewhere += idf;
            }
        }
        let missing = stored.iter().filter(|stem| !has(query, **stem));
        lacks.of_candidate = missing.map(|stem| self.rarity.idf(*stem)).sum();
        let all = both + lacks.of_query + lacks.of_candidate;
        lacks.share = if all > 0.0 { (lacks.of_query + lacks.of_candidate) / all } else { 0.0 };
        lacks
    }
}
