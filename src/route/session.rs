//! A conversation keeps its tier. Its provider holds the beginning of it in a prompt cache, at a
//! quarter of the price or less, and answers of one model in one tone; so the tier that a question
//! needs rises at once and falls slowly, and only where that pays. Pure: whose turn it is, and what was
//! said before, is `gateway::conversation`'s.

use std::sync::Arc;
use std::time::Duration;

use crate::dialect::Usage;
use crate::now::Now;
use crate::price::{Money, Price};

/// Turns in a row for which a cheaper tier was good enough, the last included, before it is taken.
const PATIENCE: u32 = 3;

/// For so long a provider keeps the beginning of a prompt: OpenAI and Anthropic say five to ten
/// minutes since it was last read.
const KEPT: Duration = Duration::from_mins(5);

/// Prompts below it are not kept by the providers that say so (1,024 tokens at OpenAI, Anthropic and
/// Google).
const LEAST_TOKENS: u64 = 1024;

/// Where a conversation stands after its last turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The tier that answered.
    pub tier: Arc<str>,
    /// Turns in a row for which a cheaper one would have been good enough.
    pub lower: u32,
    /// Estimated tokens of the last turn's prompt, which the next one begins with.
    pub prompt_tokens: u64,
    /// When it was sent.
    pub asked: Now,
}

/// What a conversation's next turn finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub tier: Arc<str>,
    /// As in [`Session`].
    pub lower: u32,
    /// Tokens of the prompt that the tier's provider should still have.
    pub kept: u64,
}

/// A turn, as a model would bill it.
#[derive(Debug, Clone, Copy)]
pub struct Bill {
    pub price: Option<Price>,
    /// Estimated, of the whole request.
    pub prompt_tokens: u64,
    pub output_tokens: u64,
}

/// Why a turn stays with the conversation's tier though a cheaper one is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// It has not been for long enough: this is so many turns in a row.
    Patience { turns: u32 },
    /// It is no cheaper for this turn, since the provider has kept what came before.
    PromptCache,
}

impl Session {
    /// After a turn on that tier, for which a cheaper one would have been good enough or not.
    pub fn after(
        before: Option<&Held>,
        tier: Arc<str>,
        lower: bool,
        prompt_tokens: u64,
        asked: Now,
    ) -> Self {
        let turns = before.filter(|before| before.tier == tier).map_or(0, |before| before.lower);
        let lower = if lower { turns + 1 } else { 0 };
        Self { tier, lower, prompt_tokens, asked }
    }

    /// What the next turn finds.
    pub fn held(self, now: Now) -> Held {
        let is_kept = now.mono.saturating_duration_since(self.asked.mono) <= KEPT
            && self.prompt_tokens >= LEAST_TOKENS;
        let kept = if is_kept { self.prompt_tokens } else { 0 };
        Held { tier: self.tier, lower: self.lower, kept }
    }
}

impl Held {
    /// Why a turn stays with the conversation's tier, where `here` is its bill, though a cheaper one
    /// is good enough, where `there` is; `None`: it leaves.
    pub fn stay(&self, here: &Bill, there: &Bill) -> Option<Stay> {
        let turns = self.lower + 1;
        if turns < PATIENCE {
            return Some(Stay::Patience { turns });
        }
        // Where a price is unknown the order of the file says which is cheaper.
        let costs = here.cost(self.kept).zip(there.cost(0));
        costs.is_some_and(|(here, there)| here <= there).then_some(Stay::PromptCache)
    }
}

impl Bill {
    fn cost(&self, kept: u64) -> Option<Money> {
        let usage = Usage {
            prompt_tokens: self.prompt_tokens,
            cached_tokens: kept,
            completion_tokens: self.output_tokens,
            ..Usage::default()
        };
        self.price.map(|price| price.cost(&usage))
    }
}

impl std::fmt::Display for Stay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Patience { turns } => {
                write!(
                    f,
                    "good enough, but the conversation keeps its tier (turn {turns} of {PATIENCE})"
                )
            }
            Self::PromptCache => f.write_str(
                "good enough, but the provider's copy of the conversation is worth more",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEAR: Price = Price { input: 400_000, output: 1_600_000, cached_input: Some(100_000) };
    const CHEAP: Price = Price { input: 200_000, output: 800_000, cached_input: None };

    fn bill(price: Price) -> Bill {
        Bill { price: Some(price), prompt_tokens: 10_000, output_tokens: 100 }
    }

    /// A conversation of 9,000 tokens, and so many turns for which a cheaper tier would have done.
    fn session(lower: u32, now: Now) -> Session {
        Session { tier: "frontier".into(), lower, prompt_tokens: 9000, asked: now }
    }

    #[test]
    fn it_takes_some_turns_to_fall() {
        let now = Now::read();
        let cheap = bill(Price { input: 20_000, ..CHEAP });
        let stay = |lower| session(lower, now).held(now).stay(&bill(DEAR), &cheap);
        assert_eq!(stay(0), Some(Stay::Patience { turns: 1 }));
        assert_eq!(stay(1), Some(Stay::Patience { turns: 2 }));
        assert_eq!(stay(2), None);
    }

    #[test]
    fn turns_are_counted_in_a_row_and_on_one_tier() {
        let now = Now::read();
        let held = session(1, now).held(now);
        let after =
            |tier: &str, lower| Session::after(Some(&held), tier.into(), lower, 1, now).lower;
        assert_eq!(after("frontier", true), 2);
        assert_eq!(after("frontier", false), 0);
        assert_eq!(after("mid", true), 1);
        assert_eq!(Session::after(None, "mid".into(), false, 1, now).lower, 0);
    }

    #[test]
    fn a_kept_prompt_is_worth_its_difference() {
        let now = Now::read();
        // 1,000 × 0.4 + 9,000 × 0.1 + 100 × 1.6 = 1,460 against 10,000 × 0.2 + 100 × 0.8 = 2,080.
        let stay = |session: Session, later| {
            session.held(now.after(later)).stay(&bill(DEAR), &bill(CHEAP))
        };
        assert_eq!(stay(session(9, now), Duration::from_mins(4)), Some(Stay::PromptCache));
        assert_eq!(stay(session(9, now), Duration::from_mins(6)), None, "its provider forgot it");
        let short = Session { prompt_tokens: 1000, ..session(9, now) };
        assert_eq!(stay(short, Duration::ZERO), None, "too short to be kept");
        let unknown = Bill { price: None, ..bill(DEAR) };
        assert_eq!(session(9, now).held(now).stay(&unknown, &bill(CHEAP)), None);
    }
}
