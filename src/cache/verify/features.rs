//! What speaks for and against a candidate: one table of features with their getters. Pure.
//!
//! Weights, means and deviations are the prior's (`weights`), by name. Products of features let the
//! weight of one depend on another: what a neighbour's vote is worth depends on how near it is.

use super::groups::{Group, Groups};
use super::lacks::Lacks;
use super::profile::Profile;
use super::rarity::Rarity;
use super::sense::{self, Sense};
use super::wording::jaccard;
use super::{Candidate, guards};

/// Cosine of the rival where there is none: what unrelated texts reach.
const NO_RIVAL: f32 = 0.3;

/// Neighbours that `dens` and `agree` look at, and those that `vote` does.
const NEAR: usize = 8;
const VOTERS: usize = 16;

/// How fast a neighbour's vote fades with its distance from the nearest.
const FADE: f32 = 20.0;

/// Sums of rarity end here.
const MOST_RARITY: f32 = 30.0;

/// The value of each feature, in the order of [`TABLE`].
pub type Values = [f32; COUNT];

/// A feature: its name in the prior, in records and in `explain`, and how it is read.
#[derive(Debug)]
pub struct Feature {
    pub name: &'static str,
    pub meaning: &'static str,
    get: Get,
}

#[derive(Debug)]
enum Get {
    Read(fn(&Pair<'_>) -> f32),
    /// The product of two features that are read, each less its usual value.
    Product((usize, f32), (usize, f32)),
}

/// What a lookup's candidates share: computed once for all of them.
#[derive(Debug)]
pub struct Neighbourhood<'a> {
    pub query: &'a Profile,
    pub candidates: &'a [Candidate<'a>],
    /// Group of each candidate; one that is not known is a group of its own.
    pub groups: Vec<Option<Group>>,
    pub records: &'a Groups,
    pub rarity: &'a Rarity,
    /// What each candidate's words and the query's have meant so far.
    senses: Vec<f32>,
    /// Rarity of each content stem of the query.
    pub(super) idf: Vec<f32>,
    density: f32,
    votes: Vec<f32>,
}

/// A query and one of its candidates, with everything that several features need.
#[derive(Debug)]
struct Pair<'a> {
    near: &'a Neighbourhood<'a>,
    candidate: &'a Candidate<'a>,
    group: Option<Group>,
    place: usize,
    similarity: f32,
    rival: f32,
    words: f32,
    lacks: Lacks,
}

impl<'a> Neighbourhood<'a> {
    /// `candidates` in falling similarity.
    pub fn new(
        query: &'a Profile,
        candidates: &'a [Candidate<'a>],
        records: &'a Groups,
        rarity: &'a Rarity,
        sense: &Sense,
    ) -> Self {
        let groups: Vec<_> = candidates
            .iter()
            .map(|candidate| records.member(candidate.entry).map(|member| member.group))
            .collect();
        let nearest = candidates.first().map_or(0.0, |candidate| candidate.similarity);
        let near = &candidates[..candidates.len().min(NEAR)];
        let density = near.iter().map(|candidate| candidate.similarity).sum::<f32>();
        let voters = candidates.iter().take(VOTERS);
        let votes = voters.map(|c| (FADE * (c.similarity - nearest)).exp()).collect();
        let idf = query.wording().content().iter().map(|stem| rarity.idf(*stem)).collect();
        let density = density / near.len().max(1) as f32;
        let wordings = candidates.iter().map(|candidate| candidate.profile.wording());
        let senses = wordings.map(|stored| sense.score(query.wording(), stored)).collect();
        Self { query, candidates, groups, records, rarity, senses, idf, density, votes }
    }

    /// Whether two candidates have one answer, as far as is known.
    pub fn agree(&self, a: usize, b: usize) -> bool {
        a == b || (self.groups[a].is_some() && self.groups[a] == self.groups[b])
    }

    /// The features of the candidate at `place`.
    pub fn values(&self, place: usize) -> Values {
        let pair = self.pair(place);
        let mut values = [0.0; COUNT];
        for (place, feature) in TABLE.iter().enumerate() {
            values[place] = match &feature.get {
                Get::Read(read) => read(&pair),
                Get::Product((a, usual_a), (b, usual_b)) => {
                    (values[*a] - usual_a) * (values[*b] - usual_b)
                }
            };
        }
        values
    }

    /// Cosine of the most similar candidate with another answer than that of `place`.
    pub fn rival(&self, place: usize) -> f32 {
        let other = (0..self.candidates.len()).find(|other| !self.agree(place, *other));
        other.map_or(NO_RIVAL, |other| self.candidates[other].similarity.max(NO_RIVAL))
    }

    fn pair(&self, place: usize) -> Pair<'_> {
        let candidate = &self.candidates[place];
        let (query, stored) = (self.query.wording(), candidate.profile.wording());
        Pair {
            near: self,
            candidate,
            group: self.groups[place],
            place,
            similarity: candidate.similarity,
            rival: self.rival(place),
            words: jaccard(query.content(), stored.content()),
            lacks: self.lacks(place),
        }
    }

    /// Share of the near neighbours that have the answer of `place`.
    fn agreement(&self, place: usize) -> f32 {
        let near = self.candidates.len().min(NEAR);
        (0..near).filter(|other| self.agree(place, *other)).count() as f32 / NEAR as f32
    }

    /// Mean sense of the candidates that have the answer of `place`.
    fn sense_of_group(&self, place: usize) -> f32 {
        let own = |other: &usize| self.agree(place, *other);
        let senses = (0..self.senses.len()).filter(own).map(|other| self.senses[other]);
        let (sum, count) = senses.fold((0.0, 0), |(sum, count), sense| (sum + sense, count + 1));
        sum / count.max(1) as f32
    }

    /// Sense of `place` ahead of the best candidate with another answer.
    fn sense_ahead(&self, place: usize) -> f32 {
        let other = |other: &usize| !self.agree(place, *other);
        let others = (0..self.senses.len()).filter(other).map(|other| self.senses[other]);
        self.senses[place] - others.fold(-sense::MOST, f32::max)
    }

    fn vote(&self, place: usize) -> f32 {
        let votes = self.votes.iter().enumerate();
        let own: f32 = votes.filter(|(other, _)| self.agree(place, *other)).map(|(_, v)| v).sum();
        own / self.votes.iter().sum::<f32>().max(f32::MIN_POSITIVE)
    }
}

impl Pair<'_> {
    fn both(&self) -> (&Profile, &Profile) {
        (self.near.query, self.candidate.profile)
    }

    fn lengths(&self) -> (f32, f32) {
        let (query, stored) = self.both();
        let (a, b) = (query.wording().len() as f32, stored.wording().len() as f32);
        (a.min(b), a.max(b))
    }

    fn names_lacking(&self) -> (bool, bool) {
        let (query, stored) = self.both();
        (guards::lacks_a_name_of(query, stored), guards::lacks_a_name_of(stored, query))
    }

    fn is_negated(&self) -> bool {
        let (query, stored) = self.both();
        query.is_negated() != stored.is_negated()
    }

    fn numbers_differ(&self) -> bool {
        let (query, stored) = self.both();
        query.numbers() != stored.numbers()
    }
}

fn flag(is_so: bool) -> f32 {
    f32::from(u8::from(is_so))
}

fn record(right: u32, wrong: u32) -> f32 {
    ((right as f32 + 1.0) / (wrong as f32 + 1.0)).ln().clamp(-3.0, 3.0)
}

/// Tenths of a sum of rarity.
fn rarity(sum: f32) -> f32 {
    sum.min(MOST_RARITY) / 10.0
}

macro_rules! table {
    (
        $($name:literal: $meaning:literal, $get:expr;)*
        products $($product:literal: $a:literal, $b:literal;)*
    ) => {
        const READ: [&str; [$($name),*].len()] = [$($name),*];
        /// Number of features.
        pub const COUNT: usize = READ.len() + [$($product),*].len();
        /// Every feature.
        pub static TABLE: [Feature; COUNT] = [
            $(Feature { name: $name, meaning: $meaning, get: Get::Read($get) },)*
            $(Feature {
                name: $product,
                meaning: concat!($a, " times ", $b, ", each less its usual value"),
                get: Get::Product((place($a), usual($a)), (place($b), usual($b))),
            },)*
        ];
    };
}

/// Where a feature stands in the table.
const fn place(name: &str) -> usize {
    let mut place = 0;
    while !is_equal(READ[place], name) {
        place += 1;
    }
    place
}

/// Roughly the mean of a feature over the streams that the prior is fitted on, so that a product
/// says something other than its factors.
const fn usual(name: &str) -> f32 {
    const USUAL: [(&str, f32); 12] = [
        ("cos", 0.8),
        ("agree", 0.4),
        ("vote", 0.7),
        ("udr", 0.58),
        ("lsize", 1.6),
        ("margin", 0.13),
        ("grec", 0.0),
        ("uq", 1.0),
        ("len", 2.1),
        ("lcs", 0.4),
        ("gqs", 0.9),
        ("dens", 0.67),
    ];
    let mut place = 0;
    while !is_equal(USUAL[place].0, name) {
        place += 1;
    }
    USUAL[place].1
}

const fn is_equal(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut place = 0;
    while place < a.len() && place < b.len() && a[place] == b[place] {
        place += 1;
    }
    place == a.len() && place == b.len()
}

table! {
    "cos": "cosine of query and candidate",
        |p| p.similarity;
    "margin": "cosine ahead of the nearest entry with another answer",
        |p| (p.similarity - p.rival).clamp(-0.3, 0.5);
    "mcap": "the margin, capped",
        |p| (p.similarity - p.rival).clamp(0.0, 0.15);
    "other": "cosine of the nearest entry with another answer",
        |p| p.rival;
    "coshi": "cosine above 0.9",
        |p| (p.similarity - 0.9).max(0.0);
    "dens": "mean cosine of the nearest eight",
        |p| p.near.density;
    "agree": "share of the nearest eight with this answer",
        |p| p.near.agreement(p.place);
    "vote": "share of the votes of the nearest sixteen, fading with distance",
        |p| p.near.vote(p.place);
    "lsize": "entries with this answer, logarithm",
        |p| (p.group.map_or(1, |g| p.near.records.standing(g).entries).clamp(1, 32) as f32).ln_1p();
    "grec": "record of this answer: log of right to wrong verdicts",
        |p| p.group.map_or(0.0, |g| { let s = p.near.records.standing(g); record(s.right, s.wrong) });
    "erec": "record of this entry",
        |p| p.near.records.member(p.candidate.entry)
            .map_or(0.0, |m| record(m.right.into(), m.wrong.into()));
    "wgap": "cosine above the largest at which this entry was judged different",
        |p| match p.near.records.member(p.candidate.entry) {
            Some(member) if member.wrong > 0 => (p.similarity - member.wrong_at).clamp(-0.3, 0.3),
            _ => 0.3,
        };
    "num_conf": "each has numbers that the other lacks",
        |p| { let (a, b) = p.both(); flag(lacks_one(a.numbers(), b.numbers()) && lacks_one(b.numbers(), a.numbers())) };
    "num_ne": "the numbers differ",
        |p| flag(p.numbers_differ());
    "ant": "a word only in one is the opposite of a word only in the other",
        |p| { let (a, b) = p.both(); flag(guards::have_antonyms(a, b)) };
    "neg": "one is negated",
        |p| flag(p.is_negated());
    "day": "days or months differ",
        |p| { let (a, b) = p.both(); flag(a.days() != b.days()) };
    "capconf": "each has a name that the other lacks",
        |p| { let (a, b) = p.names_lacking(); flag(a && b) };
    "capone": "one has a name that the other lacks",
        |p| { let (a, b) = p.names_lacking(); flag(a != b) };
    "bag": "the same words in another order",
        |p| { let (a, b) = p.both(); flag(a.wording().is_reordering_of(b.wording())) };
    "same": "the same content words, numbers and negation",
        |p| { let (a, b) = p.both(); flag(!a.wording().content().is_empty()
            && a.wording().content() == b.wording().content() && !p.numbers_differ() && !p.is_negated()) };
    "jac": "overlap of words",
        |p| { let (a, b) = p.both(); jaccard(a.wording().words(), b.wording().words()) };
    "cjac": "overlap of content words",
        |p| p.words;
    "tri": "overlap of character trigrams",
        |p| { let (a, b) = p.both(); jaccard(a.wording().trigrams(), b.wording().trigrams()) };
    "big": "overlap of word pairs",
        |p| { let (a, b) = p.both(); jaccard(a.wording().bigrams(), b.wording().bigrams()) };
    "lcs": "longest common run of words in order",
        |p| { let (a, b) = p.both(); a.wording().common_order(b.wording()) };
    "uq": "rarity of the query's words that the candidate lacks",
        |p| rarity(p.lacks.of_query);
    "uc": "rarity of the candidate's words that the query lacks",
        |p| rarity(p.lacks.of_candidate);
    "udr": "share of the rarity that only one of them has",
        |p| p.lacks.share;
    "umin": "the smaller of the two rarities",
        |p| rarity(p.lacks.of_query.min(p.lacks.of_candidate));
    "mq": "the rarest word of the query that the candidate lacks",
        |p| (p.lacks.rarest / 10.0).min(1.0);
    "gqs": "rarity of the query's words that no entry with this answer has",
        |p| rarity(p.lacks.in_group);
    "gq": "the rarest of those",
        |p| (p.lacks.rarest_in_group / 10.0).min(1.0);
    "oq": "rarity of those that an entry with another answer has",
        |p| rarity(p.lacks.elsewhere);
    "len": "words of the shorter, logarithm",
        |p| p.lengths().0.ln_1p();
    "lr": "words of the shorter to the longer",
        |p| { let (short, long) = p.lengths(); if long > 0.0 { short / long } else { 0.0 } };
    "wh": "the question words differ",
        |p| { let (a, b) = p.both(); flag(!a.wording().asks_like(b.wording())) };
    "sense": "what their words have meant for answers so far",
        |p| p.near.senses[p.place];
    "sgroup": "the same, mean of the candidates with this answer",
        |p| p.near.sense_of_group(p.place);
    "sahead": "the same, ahead of the best candidate with another answer",
        |p| p.near.sense_ahead(p.place);
products
    "cos*cos": "cos", "cos";
    "cos*agree": "cos", "agree";
    "cos*vote": "cos", "vote";
    "cos*udr": "cos", "udr";
    "agree*udr": "agree", "udr";
    "vote*lsize": "vote", "lsize";
    "margin*lsize": "margin", "lsize";
    "lsize*udr": "lsize", "udr";
    "cos*lsize": "cos", "lsize";
    "grec*cos": "grec", "cos";
    "agree*uq": "agree", "uq";
    "len*udr": "len", "udr";
    "lcs*agree": "lcs", "agree";
    "cos*gqs": "cos", "gqs";
    "vote*agree": "vote", "agree";
    "margin*udr": "margin", "udr";
    "dens*cos": "dens", "cos";
    "grec*agree": "grec", "agree";
}

/// Whether `b` has a member that `a` lacks.
fn lacks_one(a: &[String], b: &[String]) -> bool {
    b.iter().any(|number| !a.contains(number))
}

#[cfg(test)]
#[path = "features_tests.rs"]
mod tests;
