//! The few forms of a question whose answer does not change: arithmetic, conversions, translations,
//! definitions, facts of nature.

use super::super::words::{FACTS, OPERATIONS, OUTDATES, SPANS, TIMELESS_OPENINGS, UNITS};
use super::Words;

impl Words<'_> {
    /// One of the few forms whose answer does not change.
    pub(super) fn cannot_age(&self, prompt: &str) -> bool {
        if self.is_arithmetic() || self.converts_units() || self.translates() {
            return true;
        }
        if self.explains_code(prompt) {
            return true;
        }
        !self.asks_with(&OUTDATES) && !self.may_name_a_year() && self.asks_for_a_fact()
    }

    pub(super) fn is_arithmetic(&self) -> bool {
        let mut numbers = 0;
        let mut operations = 0;
        for word in self.request() {
            if word.chars().all(|c| c.is_ascii_digit()) {
                numbers += 1;
            } else if OPERATIONS.contains(word) {
                operations += 1;
            } else if !matches!(
                *word,
                "what"
                    | "what's"
                    | "is"
                    | "calculate"
                    | "compute"
                    | "how"
                    | "much"
                    | "the"
                    | "of"
                    | "by"
                    | "and"
                    | "to"
                    | "x"
            ) {
                return false;
            }
        }
        numbers >= 2 || numbers == 1 && operations >= 1
    }

    pub(super) fn converts_units(&self) -> bool {
        let asks = self.opens_with("convert") || self.opens_with("how many");
        asks && self.distinct(&UNITS) >= 2 && !self.asks_with(&SPANS) && !self.asks_with(&OUTDATES)
    }

    pub(super) fn translates(&self) -> bool {
        ["translate", "how do you say", "how do i say", "how to say"]
            .iter()
            .any(|opening| self.opens_with(opening))
    }

    pub(super) fn explains_code(&self, prompt: &str) -> bool {
        let has_code = prompt.contains("```") || prompt.contains('{') && prompt.contains(';');
        let asks = ["explain this", "explain the following", "explain what this", "what does this"];
        let things = ["code", "function", "snippet", "script", "regex", "query", "method"];
        has_code && asks.iter().any(|opening| self.opens_with(opening)) && self.asks_with(&things)
    }

    pub(super) fn asks_for_a_fact(&self) -> bool {
        let request = self.request();
        let ends = |word: &str| request.last().is_some_and(|last| *last == word);
        let defines = self.opens_with("what does") && ends("mean")
            || (self.opens_with("what is a") || self.opens_with("what is an"))
                && request.len() <= 6;
        defines
            || request.len() <= 20
                && (TIMELESS_OPENINGS.iter().any(|opening| self.opens_with(opening))
                    || FACTS.iter().any(|fact| self.has(fact)))
    }
}
