//! The wording of a text as sets of hashes: what the overlap features compare, computed once and
//! kept with the entry. Pure. What the words mean to the guards is `profile`'s business.

use super::words;

/// Words that are looked at, as in the measured design.
const MAX_WORDS: usize = 96;

/// Words of a sequence that the longest common subsequence looks at.
const MAX_ORDERED: usize = 40;

/// Sets are sorted, each hash once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wording {
    /// Words in order.
    sequence: Box<[u32]>,
    words: Box<[u32]>,
    /// Stems of the words that are no stop words.
    content: Box<[u32]>,
    /// Ordered pairs of neighbouring words.
    bigrams: Box<[u32]>,
    /// Character trigrams of the words joined by blanks, a blank at either end.
    trigrams: Box<[u32]>,
    /// What the first telling question word is; 0: none.
    question: u32,
    /// Places of the words that have an opposite.
    opposed: Box<[u16]>,
}

impl Wording {
    /// Of the words in lower case, in order, and of their content stems.
    pub fn of(sequence: &[String], content: &[String]) -> Self {
        let places = (0_u16..).zip(sequence).filter(|(_, word)| words::has_opposite(word));
        let opposed = places.map(|(place, _)| place).collect();
        let sequence = &sequence[..sequence.len().min(MAX_WORDS)];
        let hashes: Vec<u32> = sequence.iter().map(|word| hash(word.as_bytes())).collect();
        let bigrams = hashes.windows(2).map(|pair| mix(pair[0], pair[1])).collect();
        Self {
            words: set(hashes.clone()),
            content: set(content.iter().map(|stem| hash(stem.as_bytes())).collect()),
            bigrams: set(bigrams),
            trigrams: trigrams(sequence),
            question: question(sequence),
            opposed,
            sequence: hashes.into(),
        }
    }

    pub fn words(&self) -> &[u32] {
        &self.words
    }

    pub fn content(&self) -> &[u32] {
        &self.content
    }

    pub fn bigrams(&self) -> &[u32] {
        &self.bigrams
    }

    pub fn trigrams(&self) -> &[u32] {
        &self.trigrams
    }

    /// Places, in the text, of the words that have an English opposite.
    pub fn opposed(&self) -> &[u16] {
        &self.opposed
    }

    /// Words of the text, each as often as it stands.
    pub fn len(&self) -> usize {
        self.sequence.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sequence.is_empty()
    }

    /// Whether the two ask by the same question word.
    pub fn asks_like(&self, other: &Self) -> bool {
        self.question == other.question
    }

    /// The same words as often, in another order.
    pub fn is_reordering_of(&self, other: &Self) -> bool {
        if self.words != other.words || self.sequence.len() != other.sequence.len() {
            return false;
        }
        let sorted = |wording: &Self| {
            let mut words = wording.sequence.to_vec();
            words.sort_unstable();
            words
        };
        self.sequence != other.sequence && sorted(self) == sorted(other)
    }

    /// Length of the longest common subsequence of the first 40 words of each, as a share of the
    /// longer one.
    pub fn common_order(&self, other: &Self) -> f32 {
        let a = &self.sequence[..self.sequence.len().min(MAX_ORDERED)];
        let b = &other.sequence[..other.sequence.len().min(MAX_ORDERED)];
        let mut row = [0_u8; MAX_ORDERED + 1];
        for x in a {
            let mut diagonal = 0;
            for (place, y) in b.iter().enumerate() {
                let above = row[place + 1];
                row[place + 1] = if x == y { diagonal + 1 } else { above.max(row[place]) };
                diagonal = above;
            }
        }
        let longer = a.len().max(b.len());
        if longer == 0 { 0.0 } else { f32::from(row[b.len()]) / longer as f32 }
    }

    /// Bytes held beyond the struct itself.
    pub fn bytes(&self) -> usize {
        let sets = [&self.sequence, &self.words, &self.content, &self.bigrams, &self.trigrams];
        size_of_val(&*self.opposed) + sets.iter().map(|set| size_of_val(&***set)).sum::<usize>()
    }
}

/// Members that two sorted sets share.
pub fn shared(a: &[u32], b: &[u32]) -> usize {
    let (mut i, mut j, mut count) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                count += 1;
                i += 1;
                j += 1;
            }
        }
    }
    count
}

/// Jaccard index of two sorted sets; 0 when both are empty.
pub fn jaccard(a: &[u32], b: &[u32]) -> f32 {
    let both = shared(a, b);
    let all = a.len() + b.len() - both;
    if all == 0 { 0.0 } else { both as f32 / all as f32 }
}

/// Whether a sorted set has a member.
pub fn has(set: &[u32], member: u32) -> bool {
    set.binary_search(&member).is_ok()
}

/// FNV-1a: equal on every machine and in every version, as what is kept on disk must be.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

fn mix(a: u32, b: u32) -> u32 {
    (a.rotate_left(5) ^ b).wrapping_mul(0x9e37_79b9)
}

fn set(mut members: Vec<u32>) -> Box<[u32]> {
    members.sort_unstable();
    members.dedup();
    members.into()
}

fn trigrams(sequence: &[String]) -> Box<[u32]> {
    let joined: Vec<char> = std::iter::once(' ')
        .chain(sequence.iter().flat_map(|word| word.chars().chain(std::iter::once(' '))))
        .collect();
    let code = |window: &[char]| mix(mix(window[0] as u32, window[1] as u32), window[2] as u32);
    set(joined.windows(3).map(code).collect())
}

/// The first question word; else the first word, if it is an auxiliary.
fn question(sequence: &[String]) -> u32 {
    const QUESTIONS: [&str; 9] =
        ["who", "what", "whom", "whose", "when", "where", "why", "how", "which"];
    const AUXILIARIES: [&str; 15] = [
        "is", "are", "do", "does", "did", "can", "could", "should", "will", "would", "was", "were",
        "has", "have", "am",
    ];
    let asked = sequence.iter().find(|word| QUESTIONS.contains(&word.as_str()));
    let first = sequence.first().filter(|word| AUXILIARIES.contains(&word.as_str()));
    asked.or(first).map_or(0, |word| hash(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::Profile;
    use super::*;

    fn of(text: &str) -> Wording {
        Profile::of(text).wording().clone()
    }

    #[test]
    fn overlaps_are_those_of_the_sets() {
        let (a, b) = (of("Where is my new card?"), of("where is the card"));
        assert_eq!(shared(a.words(), b.words()), 3);
        assert!((jaccard(a.words(), b.words()) - 0.5).abs() < 1e-6);
        assert!((a.common_order(&b) - 0.6).abs() < 1e-6);
        assert!(a.asks_like(&b) && !a.asks_like(&of("when is the card")));
        assert_eq!(jaccard(&[], &[]), 0.0);
    }

    #[test]
    fn order_tells_a_reordering_from_a_repeat() {
        let a = of("flights from Rome to Oslo");
        assert!(a.is_reordering_of(&of("flights from Oslo to Rome")));
        assert!(!a.is_reordering_of(&a));
        assert!(!a.is_reordering_of(&of("flights from Rome to Bern")));
    }
}
