//! Which words matter here: what it has meant for the answers of two questions that both have a
//! word, or that only one has it. In one traffic *please* means nothing and *left* against *right*
//! everything; in the next *card* against *account*. Pure.
//!
//! Each answer from upstream gets a place among the groups, and so says of many neighbours whether
//! theirs is the same answer. From these pairs a sparse logistic regression is learnt online: words
//! and pairs of neighbouring words, hashed into one table (Weinberger et al., arXiv 0902.2206), each
//! with a step of its own (Duchi et al. 2011, AdaGrad). A score is always made before its lookup's
//! answer is known, so that the rows of the window are honest about what it is worth.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Candidate;
use super::profile::Profile;
use super::weights::sigmoid;
use super::wording::Wording;

/// Slots of the table: one for each value of a mark.
const SLOTS: usize = 1 << 16;

/// Length of a step, and what the sum of squares starts from.
const RATE: f32 = 0.1;
const START: f32 = 0.1;

/// How strongly weights are drawn to zero.
const DECAY: f32 = 0.05;

/// A pair with different answers counts for so many with the same: what is served wrongly looks the
/// same, and is the rarer kind.
const DIFFERENT: f32 = 2.0;

/// No score is beyond this: words alone make nothing certain.
pub(super) const MOST: f32 = 5.0;

/// A word of one text faces each word of the other where they are few: *left* and *right*.
const FACING: usize = 9;

/// Usual cosine of neighbours, and the scale on which it counts.
const USUAL: f32 = 0.8;
const STRETCH: f32 = 5.0;

/// What two texts have in common and what not, as slots of the table.
pub type Marks = Box<[u16]>;

/// A neighbour of a lookup, to be learnt from when its answer is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    pub entry: u64,
    pub similarity: f32,
    pub marks: Marks,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sense {
    bias: Slot,
    slope: Slot,
    /// Shared with the mind that it came from, until one of the two learns.
    #[serde(with = "sparse")]
    slots: Arc<Vec<Slot>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Slot(f32, f32);

/// What a mark says of a word or a pair of words.
#[derive(Clone, Copy)]
enum Kind {
    Word = 1,
    LoneWord = 2,
    Neighbours = 3,
    LoneNeighbours = 4,
    Facing = 5,
}

/// What is learnt from once the query's answer is known.
pub fn pairs(query: &Profile, candidates: &[Candidate<'_>]) -> Vec<Pair> {
    let pair = |candidate: &Candidate<'_>| Pair {
        entry: candidate.entry,
        similarity: candidate.similarity,
        marks: marks(query.wording(), candidate.profile.wording()),
    };
    candidates.iter().map(pair).collect()
}

/// Of two texts. Symmetric.
fn marks(a: &Wording, b: &Wording) -> Marks {
    let most = a.words().len() + b.words().len() + a.bigrams().len() + b.bigrams().len();
    let mut marks = Vec::with_capacity(most);
    each_mark(a, b, |mark| marks.push(mark));
    marks.into()
}

fn each_mark(a: &Wording, b: &Wording, mut tell: impl FnMut(u16)) {
    let lone = compare(a.words(), b.words(), [Kind::Word, Kind::LoneWord], &mut tell);
    compare(a.bigrams(), b.bigrams(), [Kind::Neighbours, Kind::LoneNeighbours], &mut tell);
    if lone[0].len() * lone[1].len() <= FACING {
        for x in lone[0].members() {
            for y in lone[1].members() {
                tell(slot(x.min(y).rotate_left(7) ^ x.max(y), Kind::Facing));
            }
        }
    }
}

/// Marks what two sorted sets share and what only one of them has, and returns the latter.
fn compare(a: &[u32], b: &[u32], [shared, lone]: [Kind; 2], mut tell: impl FnMut(u16)) -> [Few; 2] {
    let [mut only_a, mut only_b] = [Few::default(), Few::default()];
    let (mut i, mut j) = (0, 0);
    loop {
        match (a.get(i), b.get(j)) {
            (None, None) => return [only_a, only_b],
            (Some(x), Some(y)) if x == y => {
                tell(slot(*x, shared));
                (i, j) = (i + 1, j + 1);
            }
            (Some(x), y) if y.is_none_or(|y| x < y) => {
                tell(slot(*x, lone));
                only_a.push(*x);
                i += 1;
            }
            (_, y) => {
                let y = y.expect("invariant: one side is left");
                tell(slot(*y, lone));
                only_b.push(*y);
                j += 1;
            }
        }
    }
}

/// The first few words of a set, and how many it has.
#[derive(Default)]
struct Few {
    words: [u32; FACING],
    count: usize,
}

impl Few {
    fn push(&mut self, word: u32) {
        if let Some(place) = self.words.get_mut(self.count) {
            *place = word;
        }
        self.count += 1;
    }

    fn len(&self) -> usize {
        self.count
    }

    fn members(&self) -> impl Iterator<Item = &u32> {
        self.words.iter().take(self.count)
    }
}

/// Of a hash. Equal on every machine: the table is kept on disk.
fn slot(hash: u32, kind: Kind) -> u16 {
    let mixed = (hash ^ (kind as u32).wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
    ((mixed ^ (mixed >> 13)).wrapping_mul(0xc2b2_ae35) >> 16) as u16
}

impl Slot {
    fn step(&mut self, gradient: f32) {
        self.1 += gradient * gradient;
        self.0 += RATE * gradient / (self.1 + START).sqrt();
    }
}

impl Sense {
    /// Log-odds that two texts have one answer by their words, in −5 … 5; 0: nothing is known.
    pub fn score(&self, a: &Wording, b: &Wording) -> f32 {
        if self.slots.is_empty() {
            return 0.0;
        }
        let mut sum = 0.0;
        each_mark(a, b, |mark| sum += self.slots[usize::from(mark)].0);
        sum.clamp(-MOST, MOST)
    }

    /// Takes in a pair whose answers are the same, or different. Two texts without words say nothing.
    pub fn learn(&mut self, pair: &Pair, same: bool) {
        if pair.marks.is_empty() {
            return;
        }
        if self.slots.is_empty() {
            self.slots = Arc::new(vec![Slot::default(); SLOTS]);
        }
        let closeness = (pair.similarity - USUAL) * STRETCH;
        let odds = self.bias.0 + self.slope.0 * closeness + self.sum(&pair.marks);
        let truth = if same { 1.0 } else { 0.0 };
        let error = truth - sigmoid(odds);
        let weight = if same { 1.0 } else { DIFFERENT };
        self.bias.step(error);
        self.slope.step(error * closeness);
        let slots = Arc::make_mut(&mut self.slots);
        for mark in &pair.marks {
            let slot = &mut slots[usize::from(*mark)];
            slot.step(error * weight - DECAY * slot.0);
        }
    }

    /// Its numbers are such as learning leads to.
    pub fn is_sound(&self) -> bool {
        let all = self.slots.iter().chain([&self.bias, &self.slope]);
        all.into_iter().all(|Slot(weight, squares)| weight.is_finite() && *squares >= 0.0)
            && (self.slots.is_empty() || self.slots.len() == SLOTS)
    }

    fn sum(&self, marks: &[u16]) -> f32 {
        if self.slots.is_empty() {
            return 0.0;
        }
        marks.iter().map(|mark| self.slots[usize::from(*mark)].0).sum()
    }
}

/// Most slots are never touched: only the others are written.
mod sparse {
    use std::sync::Arc;

    use super::{Deserialize, Deserializer, SLOTS, Serialize, Serializer, Slot};

    pub fn serialize<S: Serializer>(slots: &[Slot], to: S) -> Result<S::Ok, S::Error> {
        let touched = slots.iter().enumerate().filter(|(_, slot)| slot.1 > 0.0);
        touched.collect::<Vec<_>>().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Vec<Slot>>, D::Error> {
        let touched = Vec::<(u16, Slot)>::deserialize(from)?;
        if touched.is_empty() {
            return Ok(Arc::default());
        }
        let mut slots = vec![Slot::default(); SLOTS];
        for (place, slot) in touched {
            slots[usize::from(place)] = slot;
        }
        Ok(slots.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(a: &str, b: &str) -> Pair {
        let (a, b) = (Profile::of(a), Profile::of(b));
        Pair { entry: 1, similarity: 0.9, marks: marks(a.wording(), b.wording()) }
    }

    fn score(sense: &Sense, a: &str, b: &str) -> f32 {
        sense.score(Profile::of(a).wording(), Profile::of(b).wording())
    }

    #[test]
    fn it_learns_which_words_matter() {
        let mut sense = Sense::default();
        let courteous = pair("turn left at the gate", "please turn left at the gate");
        let other = pair("turn left at the gate", "turn right at the gate");
        assert_eq!(score(&sense, "turn left at the gate", "turn right at the gate"), 0.0);
        for _ in 0..50 {
            sense.learn(&courteous, true);
            sense.learn(&other, false);
        }
        // Of questions that it has not seen.
        let polite = score(&sense, "where is the shop", "please where is the shop");
        let turned = score(&sense, "is it to the left of it", "is it to the right of it");
        assert!(polite > turned + 1.0 && turned < -0.5, "{polite} {turned}");
    }

    #[test]
    fn what_was_learnt_survives_being_written() {
        let mut sense = Sense::default();
        sense.learn(&pair("one two", "one three"), false);
        let text = serde_json::to_string(&sense).unwrap();
        assert!(text.len() < 1000, "only what was touched is written: {}", text.len());
        let read: Sense = serde_json::from_str(&text).unwrap();
        assert!(read == sense && read.is_sound());
        let blank: Sense =
            serde_json::from_str(&serde_json::to_string(&Sense::default()).unwrap()).unwrap();
        assert_eq!(blank, Sense::default());
    }

    #[test]
    fn texts_without_words_teach_nothing() {
        let mut sense = Sense::default();
        sense.learn(&pair("", ""), true);
        assert_eq!(sense, Sense::default());
    }

    proptest! {
        #[test]
        fn marks_do_not_depend_on_who_asked_first(a in "[a-f ]{0,40}", b in "[a-f ]{0,40}") {
            let sorted = |one: &str, other: &str| {
                let mut marks = pair(one, other).marks.to_vec();
                marks.sort_unstable();
                marks
            };
            prop_assert_eq!(sorted(&a, &b), sorted(&b, &a));
        }

        #[test]
        fn scores_stay_bounded(texts in prop::collection::vec(("[a-c ]{0,20}", "[a-c ]{0,20}", any::<bool>()), 0..200)) {
            let mut sense = Sense::default();
            for (a, b, same) in &texts {
                sense.learn(&pair(a, b), *same);
                prop_assert!(score(&sense, a, b).abs() <= MOST);
            }
            prop_assert!(sense.is_sound());
        }
    }
}
