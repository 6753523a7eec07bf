//! Which words matter here: what it has meant for the answers of two questions that both have a
//! word, or that only one has it. In one traffic *please* means nothing and *left* against *right*
//! everything; in the next *card* against *account*. Pure.
//!
//! Each answer from upstream gets a place among the groups, and so says of many neighbours whether
//! theirs is the same answer. From these pairs a sparse logistic regression is learnt online: words
//! and pairs of neighbouring words, hashed into one table (Weinberger et al., arXiv 0902.2206), each
//! with a step of its own (Duchi et al. 2011, AdaGrad). A score is always made before its lookup's
//! answer is known, so that the rows of the window are honest about what it is worth.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::weights::sigmoid;
use super::wording::{Wording, has};

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
    #[serde(with = "sparse")]
    slots: Vec<Slot>,
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

/// Of two texts. Symmetric.
pub fn marks(a: &Wording, b: &Wording) -> Marks {
    let most = a.words().len() + b.words().len() + a.bigrams().len() + b.bigrams().len();
    let mut marks = Vec::with_capacity(most);
    compare(a.words(), b.words(), [Kind::Word, Kind::LoneWord], &mut marks);
    let only = |one: &[u32], other: &[u32]| -> Vec<u32> {
        one.iter().filter(|word| !has(other, **word)).take(FACING + 1).copied().collect()
    };
    let (of_a, of_b) = (only(a.words(), b.words()), only(b.words(), a.words()));
    if of_a.len() * of_b.len() <= FACING {
        let facing = of_a.iter().flat_map(|x| of_b.iter().map(move |y| (x, y)));
        marks.extend(facing.map(|(x, y)| slot(x.min(y).rotate_left(7) ^ x.max(y), Kind::Facing)));
    }
    compare(a.bigrams(), b.bigrams(), [Kind::Neighbours, Kind::LoneNeighbours], &mut marks);
    marks.into()
}

/// Marks what two sorted sets share and what only one of them has.
fn compare(a: &[u32], b: &[u32], [shared, lone]: [Kind; 2], marks: &mut Vec<u16>) {
    let (mut i, mut j) = (0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        marks.push(if x == y { slot(*x, shared) } else { slot(*x.min(y), lone) });
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    marks.extend(a[i..].iter().chain(&b[j..]).map(|word| slot(*word, lone)));
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
    /// Log-odds of one answer by what differs, similarity aside, in −5 … 5; 0: nothing is known.
    pub fn score(&self, marks: &[u16]) -> f32 {
        self.sum(marks).clamp(-MOST, MOST)
    }

    /// Takes in a pair whose answers are the same, or different.
    pub fn learn(&mut self, pair: &Pair, same: bool) {
        if self.slots.is_empty() {
            self.slots = vec![Slot::default(); SLOTS];
        }
        let closeness = (pair.similarity - USUAL) * STRETCH;
        let odds = self.bias.0 + self.slope.0 * closeness + self.sum(&pair.marks);
        let truth = if same { 1.0 } else { 0.0 };
        let error = truth - sigmoid(odds);
        let weight = if same { 1.0 } else { DIFFERENT };
        self.bias.step(error);
        self.slope.step(error * closeness);
        for mark in &pair.marks {
            let slot = &mut self.slots[usize::from(*mark)];
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
    use super::{Deserialize, Deserializer, SLOTS, Serialize, Serializer, Slot};

    pub fn serialize<S: Serializer>(slots: &[Slot], to: S) -> Result<S::Ok, S::Error> {
        let touched = slots.iter().enumerate().filter(|(_, slot)| slot.1 > 0.0);
        touched.collect::<Vec<_>>().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Slot>, D::Error> {
        let touched = Vec::<(u16, Slot)>::deserialize(from)?;
        if touched.is_empty() {
            return Ok(Vec::new());
        }
        let mut slots = vec![Slot::default(); SLOTS];
        for (place, slot) in touched {
            slots[usize::from(place)] = slot;
        }
        Ok(slots)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Profile;
    use super::*;
    use proptest::prelude::*;

    fn pair(a: &str, b: &str) -> Pair {
        let (a, b) = (Profile::of(a), Profile::of(b));
        Pair { entry: 1, similarity: 0.9, marks: marks(a.wording(), b.wording()) }
    }

    #[test]
    fn it_learns_which_words_matter() {
        let mut sense = Sense::default();
        let courteous = pair("turn left at the gate", "please turn left at the gate");
        let other = pair("turn left at the gate", "turn right at the gate");
        assert_eq!(sense.score(&courteous.marks), 0.0);
        for _ in 0..50 {
            sense.learn(&courteous, true);
            sense.learn(&other, false);
        }
        // Of questions that it has not seen.
        let polite = pair("where is the shop", "please where is the shop");
        let turned = pair("is it to the left of it", "is it to the right of it");
        assert!(sense.score(&polite.marks) > sense.score(&turned.marks) + 1.0);
        assert!(sense.score(&turned.marks) < -0.5);
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
                prop_assert!(sense.score(&pair(a, b).marks).abs() <= MOST);
            }
            prop_assert!(sense.is_sound());
        }
    }
}
