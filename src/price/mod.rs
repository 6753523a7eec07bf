//! Money, prices and the shipped catalog. Integer pico-dollars inside, decimal dollars at the edge.

pub mod catalog;
pub mod money;

pub use money::Money;

use crate::dialect::Usage;

/// What a model costs: pico-dollars per token, which is the same number as micro-dollars per
/// million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    pub input: i64,
    pub output: i64,
    /// Rate of input tokens that the provider read from its own prompt cache; `None`: as `input`.
    pub cached_input: Option<i64>,
}

impl Price {
    /// Cost of one call.
    pub fn cost(&self, usage: &Usage) -> Money {
        let cached = usage.cached_tokens.min(usage.prompt_tokens);
        let fresh = usage.prompt_tokens - cached;
        let cached_rate = self.cached_input.unwrap_or(self.input);
        Money::from_pico(
            i128::from(fresh) * i128::from(self.input)
                + i128::from(cached) * i128::from(cached_rate)
                + i128::from(usage.completion_tokens) * i128::from(self.output),
        )
    }

    /// Cost of `input` prompt tokens and `output` completion tokens, nothing cached.
    pub fn of_tokens(&self, input: u64, output: u64) -> Money {
        self.cost(&Usage { prompt_tokens: input, completion_tokens: output, ..Usage::default() })
    }
}
