//! What callers have said of answers to like prompts: local experts, each with a word near its own
//! prompt and none elsewhere. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use super::label::Opinion;
use crate::route::evidence::inputs::dot;

/// Opinions kept of a tenant and route, the newest; each costs a decision one dot product.
pub const MOST: usize = 256;

/// Similarity from which on an opinion has a word, rising to a full one at 1. Paraphrases lie at 0.8
/// to 0.95, other questions on the same subject below 0.7.
const NEAR: f32 = 0.7;

/// Opinions that the predicted probability weighs: one complaint about the very same question is
/// not yet a reason to pay for the dearest tier for ever, three are.
const PRIOR: f64 = 2.0;

/// The newest opinions.
#[derive(Debug, Clone, Default)]
pub struct Opinions(VecDeque<Opinion>);

/// What is said of one tier near a prompt, in opinions.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Said {
    pub good: f64,
    pub bad: f64,
}

impl Said {
    /// P(adequate), given what was predicted and what was said.
    pub fn adequacy(self, predicted: f64) -> f64 {
        (PRIOR * predicted + self.good) / (PRIOR + self.good + self.bad)
    }

    /// More complaints than praise, and more than one faint one: no promise about the mean of the
    /// traffic answers these callers.
    pub fn forbids(self) -> bool {
        self.bad > self.good && self.bad >= 0.5
    }
}

impl Opinions {
    pub fn add(&mut self, opinion: Opinion) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(opinion);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What is said near a prompt, by tier; tiers of which nothing is said are absent.
    pub fn near(&self, vector: &[f32]) -> Vec<(Arc<str>, Said)> {
        let mut said: Vec<(Arc<str>, Said)> = Vec::new();
        for opinion in &self.0 {
            let closeness = (dot(&opinion.vector, vector) - NEAR) / (1.0 - NEAR);
            if closeness <= 0.0 {
                continue;
            }
            let word = f64::from(opinion.weight * closeness.min(1.0).powi(2));
            let known = said.iter().position(|(tier, _)| *tier == opinion.tier);
            let place = known.unwrap_or_else(|| {
                said.push((opinion.tier.clone(), Said::default()));
                said.len() - 1
            });
            let sums = &mut said[place].1;
            *(if opinion.good { &mut sums.good } else { &mut sums.bad }) += word;
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn opinion(vector: [f32; 2], good: bool) -> Opinion {
        let (tier, at) = ("small".into(), Timestamp::UNIX_EPOCH);
        Opinion { vector: vector.into(), tier, good, weight: 1.0, at }
    }

    #[test]
    fn an_opinion_counts_near_its_prompt_and_not_elsewhere() {
        let mut opinions = Opinions::default();
        opinions.add(opinion([1.0, 0.0], false));
        assert!(opinions.near(&[0.0, 1.0]).is_empty());
        let same = opinions.near(&[1.0, 0.0]);
        assert_eq!(same, [("small".into(), Said { good: 0.0, bad: 1.0 })]);
        // Half way between 0.7 and 1 counts a quarter.
        let near = opinions.near(&[0.85, (1.0f32 - 0.85 * 0.85).sqrt()])[0].1;
        assert!((near.bad - 0.25).abs() < 1e-5, "{near:?}");
        assert!(same[0].1.forbids() && !near.forbids());
    }

    #[test]
    fn complaints_lower_and_praise_raises_what_was_predicted() {
        let adequacy = |good, bad| Said { good, bad }.adequacy(0.9);
        assert_eq!(adequacy(0.0, 0.0), 0.9);
        assert!((adequacy(0.0, 1.0) - 0.6).abs() < 1e-12);
        assert!(adequacy(1.0, 0.0) > 0.9 && adequacy(0.0, 3.0) < 0.4);
        assert!(!Said { good: 2.0, bad: 1.0 }.forbids());
    }

    #[test]
    fn the_oldest_make_room() {
        let mut opinions = Opinions::default();
        opinions.add(opinion([1.0, 0.0], false));
        for _ in 0..MOST {
            opinions.add(opinion([0.0, 1.0], true));
        }
        assert_eq!(opinions.len(), MOST);
        assert!(opinions.near(&[1.0, 0.0]).is_empty());
    }
}
