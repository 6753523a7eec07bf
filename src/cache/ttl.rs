//! How long an answer may be repeated: a word-based recogniser of prompts that ask for the present
//! (volatile) and of prompts whose answer does not age (timeless), and the time to live that
//! follows. Words and their exceptions stand in `words`.
//!
//! The two mistakes are not alike. Calling an ageing answer timeless serves it for a month; calling
//! a lasting one volatile only costs hits. So anything volatile wins over anything timeless, and
//! timeless is a short list of narrow forms. Languages: English, with the plainest words of German,
//! French, Spanish, Portuguese, Italian, Chinese and Japanese for the volatile half.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use super::TtlClass;
use super::words::{
    CURRENCIES, CURRENT_IS_PLAIN_AFTER, CURRENT_IS_PLAIN_BEFORE, FACTS, NOW_AFTER, OPERATIONS,
    OUTDATES, SPANS, TIMELESS_OPENINGS, UNITS, UNSPACED, VOLATILE, VOLATILE_WITHOUT_YEAR,
};
use crate::config::settings::{CacheEffect, Ttl};

/// Characters examined at either end of a text. What a long text asks for stands at its start or
/// end; the pasted article between may say "today" without asking for it.
const EXAMINED: usize = 600;
/// Words of the longest prompt that can be timeless.
const SHORT: usize = 60;

/// Time to live of an answer; zero means neither looked up nor stored. A rule of the configuration
/// overrides the class.
pub fn ttl(settings: &Ttl, class: TtlClass, effect: Option<CacheEffect>) -> Duration {
    match effect {
        Some(CacheEffect::Bypass) => Duration::ZERO,
        Some(CacheEffect::Ttl(ttl)) => ttl,
        None => match class {
            TtlClass::Default => settings.default,
            TtlClass::Volatile => settings.volatile,
            TtlClass::Timeless => settings.timeless,
        },
    }
}

/// The class of a prompt, the last user message's text; `model_web_search` when whatever answers
/// reads the live web, so that its answers are of today.
pub fn classify(prompt: &str, model_web_search: bool) -> TtlClass {
    if model_web_search {
        return TtlClass::Volatile;
    }
    let (text, whole) = examined(prompt);
    let text = if text.is_ascii() { text } else { text.replace(['’', '‘'], "'") };
    let words = Words::of(&text);
    let unspaced = !text.is_ascii() && UNSPACED.iter().any(|word| text.contains(word));
    if unspaced || words.ask_for_the_present() {
        TtlClass::Volatile
    } else if whole && words.list.len() <= SHORT && words.cannot_age(prompt) {
        TtlClass::Timeless
    } else {
        TtlClass::Default
    }
}

/// The part of a prompt that is examined, in lower case, and whether it is all of it.
fn examined(prompt: &str) -> (String, bool) {
    let head_end = prompt.char_indices().nth(EXAMINED).map(|(at, _)| at);
    let tail_start = prompt.char_indices().nth_back(EXAMINED - 1).map(|(at, _)| at);
    match (head_end, tail_start) {
        (Some(head), Some(tail)) if head < tail => {
            let ends = format!("{} \n {}", &prompt[..head], &prompt[tail..]);
            (ends.to_lowercase(), false)
        }
        _ => (prompt.to_lowercase(), true),
    }
}

/// A phrase that asks for the present, unless a year in the text makes it history.
struct Phrase {
    text: &'static str,
    yearless: bool,
}

/// By their first word, so that a text is read once however many phrases there are.
static PHRASES: LazyLock<HashMap<&'static str, Vec<Phrase>>> = LazyLock::new(|| {
    let always = VOLATILE.iter().map(|text| Phrase { text, yearless: false });
    let yearless = VOLATILE_WITHOUT_YEAR.iter().map(|text| Phrase { text, yearless: true });
    let mut phrases: HashMap<&'static str, Vec<Phrase>> = HashMap::new();
    for phrase in always.chain(yearless) {
        let first = phrase.text.split(' ').next().unwrap_or(phrase.text);
        phrases.entry(first).or_default().push(phrase);
    }
    phrases
});

/// The words of a text, in order: runs of letters, digits and apostrophes.
struct Words<'t> {
    list: Vec<&'t str>,
}

impl<'t> Words<'t> {
    fn of(lower: &'t str) -> Self {
        let list = lower
            .split(|c: char| !c.is_alphanumeric() && c != '\'')
            .map(|word| word.trim_matches('\''))
            .filter(|word| !word.is_empty())
            .collect();
        Self { list }
    }

    fn has(&self, phrase: &str) -> bool {
        (0..self.list.len()).any(|at| starts_with(&self.list[at..], phrase))
    }

    fn has_volatile_phrase(&self) -> bool {
        self.list.iter().enumerate().any(|(at, word)| {
            PHRASES.get(word).into_iter().flatten().any(|phrase| {
                starts_with(&self.list[at..], phrase.text) && !(phrase.yearless && self.has_year())
            })
        })
    }

    /// Whether a word of the request proper is among `known`.
    fn asks_with(&self, known: &[&str]) -> bool {
        self.request().iter().any(|word| known.contains(word))
    }

    /// How many different words of `known` there are.
    fn distinct(&self, known: &[&str]) -> usize {
        known.iter().filter(|known| self.list.contains(known)).count()
    }

    fn has_year(&self) -> bool {
        self.list
            .iter()
            .any(|word| matches!(word.parse::<u32>(), Ok(1000..=2100)) && word.len() == 4)
    }

    fn ask_for_the_present(&self) -> bool {
        self.has_volatile_phrase()
            || self.means_now()
            || self.means_current()
            || self.asks_for_the_time()
            || self.asks_for_a_price()
            || self.distinct(&CURRENCIES) >= 2
    }

    /// `now` as a time ("open now?"), not as an opening ("Now explain …").
    fn means_now(&self) -> bool {
        self.list.iter().enumerate().skip(1).any(|(at, word)| {
            *word == "now" && (at + 1 == self.list.len() || NOW_AFTER.contains(&self.list[at - 1]))
        })
    }

    /// `current` as a time, not as electricity or a programmer's "current directory".
    fn means_current(&self) -> bool {
        self.list.iter().enumerate().any(|(at, word)| {
            let near = |at: Option<usize>, known: &[&str]| {
                at.and_then(|at| self.list.get(at)).is_some_and(|word| known.contains(word))
            };
            *word == "current"
                && !near(Some(at + 1), &CURRENT_IS_PLAIN_BEFORE)
                && !near(at.checked_sub(1), &CURRENT_IS_PLAIN_AFTER)
        })
    }

    fn asks_for_the_time(&self) -> bool {
        ["what is the time", "what's the time", "whats the time"].iter().any(|phrase| {
            self.has(phrase) && !self.has("time complexity") && !self.has("time value")
        })
    }

    /// "How much is …" of a thing, not of numbers.
    fn asks_for_a_price(&self) -> bool {
        let costs = self.list.iter().any(|word| matches!(*word, "cost" | "costs"));
        if costs
            && ["how much does", "how much do", "how much will"].iter().any(|asks| self.has(asks))
        {
            return true;
        }
        self.list.windows(4).any(|four| {
            four[0] == "how"
                && four[1] == "much"
                && matches!(four[2], "is" | "are" | "for")
                && !four[3].starts_with(|c: char| c.is_ascii_digit())
        })
    }

    /// One of the few forms whose answer does not change.
    fn cannot_age(&self, prompt: &str) -> bool {
        if self.is_arithmetic() || self.converts_units() || self.translates() {
            return true;
        }
        if self.explains_code(prompt) {
            return true;
        }
        !self.asks_with(&OUTDATES) && !self.has_year() && self.asks_for_a_fact()
    }

    /// Without courtesies at the start.
    fn request(&self) -> &[&'t str] {
        const COURTESIES: [&str; 9] =
            ["please", "can", "could", "would", "you", "tell", "me", "hi", "hello"];
        let start =
            self.list.iter().position(|word| !COURTESIES.contains(word)).unwrap_or(self.list.len());
        &self.list[start..]
    }

    fn opens_with(&self, phrase: &str) -> bool {
        starts_with(self.request(), phrase)
    }

    fn is_arithmetic(&self) -> bool {
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

    fn converts_units(&self) -> bool {
        let asks = self.opens_with("convert") || self.opens_with("how many");
        asks && self.distinct(&UNITS) >= 2 && !self.asks_with(&SPANS) && !self.asks_with(&OUTDATES)
    }

    fn translates(&self) -> bool {
        ["translate", "how do you say", "how do i say", "how to say"]
            .iter()
            .any(|opening| self.opens_with(opening))
    }

    fn explains_code(&self, prompt: &str) -> bool {
        let has_code = prompt.contains("```") || prompt.contains('{') && prompt.contains(';');
        let asks = ["explain this", "explain the following", "explain what this", "what does this"];
        let things = ["code", "function", "snippet", "script", "regex", "query", "method"];
        has_code && asks.iter().any(|opening| self.opens_with(opening)) && self.asks_with(&things)
    }

    fn asks_for_a_fact(&self) -> bool {
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

fn starts_with(words: &[&str], phrase: &str) -> bool {
    let mut words = words.iter();
    phrase.split(' ').all(|expected| words.next().is_some_and(|word| *word == expected))
}

#[cfg(test)]
#[path = "ttl_tests.rs"]
mod tests;
