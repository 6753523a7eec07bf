//! How rare a word is in this traffic: document frequencies of content stems over the lookups seen.
//! Pure. No table is shipped; the first lookups start from nothing.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::wording::Wording;

/// Stems that are counted. When there are more, those seen once go: they are the rarest anyway, and
/// an unknown stem counts as seen never.
const MAX_STEMS: usize = 50_000;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rarity {
    lookups: u32,
    frequencies: HashMap<u32, u32>,
}

impl Rarity {
    /// Counts a lookup's content stems.
    pub fn count(&mut self, query: &Wording) {
        self.lookups = self.lookups.saturating_add(1);
        for stem in query.content() {
            let count = self.frequencies.entry(*stem).or_default();
            *count = count.saturating_add(1);
        }
        let mut floor = 1;
        while self.frequencies.len() > MAX_STEMS {
            self.frequencies.retain(|_, count| *count > floor);
            floor += 1;
        }
    }

    /// Inverse document frequency, ln((N + 1) / (df + 0.5)), over the lookups counted so far.
    pub fn idf(&self, stem: u32) -> f32 {
        let df = self.frequencies.get(&stem).copied().unwrap_or(0);
        ((self.lookups as f32 + 1.0) / (df as f32 + 0.5)).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Profile;
    use super::*;

    #[test]
    fn what_is_seen_often_is_less_rare() {
        let mut rarity = Rarity::default();
        let stems = |text: &str| Profile::of(text).wording().clone();
        for _ in 0..9 {
            rarity.count(&stems("reset my card"));
        }
        rarity.count(&stems("reset my router"));
        let idf = |word: &str| rarity.idf(stems(word).content()[0]);
        assert!(idf("reset") < idf("card") && idf("card") < idf("router"));
        assert!(idf("router") < idf("unheard"));
        assert!((idf("unheard") - (11.0_f32 / 0.5).ln()).abs() < 1e-6);
    }

    #[test]
    fn the_table_stays_bounded() {
        let mut rarity = Rarity::default();
        for n in 0..MAX_STEMS as u32 + 10 {
            rarity.frequencies.insert(n, 1 + n % 2);
        }
        rarity.count(&Wording::default());
        assert!(rarity.frequencies.len() <= MAX_STEMS);
    }
}
