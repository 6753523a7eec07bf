//! Which prompts ask for the present (volatile) and whose answers do not age (timeless), told by
//! their words. Words and their exceptions stand in `words`; how long each class lives, in `ttl`.
//!
//! The two mistakes are not alike. Calling an ageing answer timeless serves it for a month; calling
//! a lasting one volatile only costs hits. So anything volatile wins over anything timeless, and
//! timeless is a short list of narrow forms.
//!
//! A word that names the present is not yet a question about it: what is to be explained or written
//! is volatile only where the text says that today's is meant ("write a poem about tomorrow"; "write
//! a summary of today's news"). Languages: English, with the plainest words of German, French,
//! Spanish, Portuguese, Italian, Chinese and Japanese for the volatile half.

mod lasting;
mod mention;
mod moment;
mod years;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::TtlClass;
use super::words::{
    CURRENCIES, EXPLAINS, GONE_BY, MAKES, NOW, PROGRAMS, TOPICS, UNSPACED, VOLATILE_WITHOUT_YEAR,
};

/// Characters examined at either end of a text. What a long text asks for stands at its start or
/// end; the pasted article between may say "today" without asking for it.
const EXAMINED: usize = 600;
/// Words of the longest prompt that can be timeless.
const SHORT: usize = 60;

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
    let signs = words.signs();
    if unspaced || words.ask_for_the_present(signs) {
        TtlClass::Volatile
    } else if !signs.now
        && !signs.topic
        && whole
        && words.list.len() <= SHORT
        && words.cannot_age(prompt)
    {
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

/// A phrase that bears on the present.
#[derive(Clone, Copy)]
struct Phrase {
    text: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Now,
    Topic,
    /// A topic, unless a year in the text makes it history.
    Yearless,
}

/// By their first word, so that a text is read once however many phrases there are.
static PHRASES: LazyLock<HashMap<&'static str, Vec<Phrase>>> = LazyLock::new(|| {
    let of = |kind| move |text: &&'static str| Phrase { text, kind };
    let now = NOW.iter().map(of(Kind::Now));
    let topics = TOPICS.iter().map(of(Kind::Topic));
    let yearless = VOLATILE_WITHOUT_YEAR.iter().map(of(Kind::Yearless));
    let mut phrases: HashMap<&'static str, Vec<Phrase>> = HashMap::new();
    for phrase in now.chain(topics).chain(yearless) {
        let first = phrase.text.split(' ').next().unwrap_or(phrase.text);
        phrases.entry(first).or_default().push(phrase);
    }
    phrases
});

/// What a request wants done, by how it opens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// An answer.
    Asks,
    /// An explanation, or a way to do it.
    Explains,
    /// A text or a program.
    Makes,
}

/// What in a text bears on the present.
#[derive(Clone, Copy)]
struct Signs {
    /// It says that now is meant.
    now: bool,
    /// It names what changes from day to day.
    topic: bool,
}

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

    /// The phrases of the text that bear on the present.
    fn phrases(&self) -> impl Iterator<Item = Phrase> + '_ {
        self.list.iter().enumerate().flat_map(move |(at, word)| {
            let known = PHRASES.get(word).into_iter().flatten().copied();
            known.filter(move |phrase| {
                starts_with(&self.list[at..], phrase.text)
                    && !(phrase.kind == Kind::Yearless && self.names_a_year())
                    && !(phrase.kind != Kind::Now && self.is_of_no_day(at, phrase.text))
                    && !(GONE_BY.contains(&phrase.text) && self.is_narrated(at, phrase.text))
                    && !self.is_of_a_work(at)
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

    /// A topic alone asks for the present; but what is to be explained or made is asked for anew only
    /// if the text says that today's is meant.
    fn ask_for_the_present(&self, signs: Signs) -> bool {
        match self.manner() {
            Manner::Asks => signs.now || signs.topic,
            Manner::Explains => signs.now && self.distinct(&PROGRAMS) == 0,
            Manner::Makes => signs.now && signs.topic && self.distinct(&PROGRAMS) == 0,
        }
    }

    fn signs(&self) -> Signs {
        let said = |wanted: &[Kind]| self.phrases().any(|phrase| wanted.contains(&phrase.kind));
        Signs {
            now: !self.asks_for_a_word()
                && (said(&[Kind::Now])
                    || self.names_a_span()
                    || self.means_now()
                    || self.means_current()
                    || self.asks_for_the_time()
                    || self.asks_for_a_price()),
            topic: said(&[Kind::Topic, Kind::Yearless])
                && !self.asks_for_history()
                && !self.has_year_gone_by()
                || self.distinct(&CURRENCIES) >= 2
                || self.asks_for_a_state()
                || self.asks_for_own_affairs()
                || self.names_a_day()
                || self.asks_for_a_worth()
                || self.asks_for_a_holder(),
        }
    }

    fn manner(&self) -> Manner {
        let opens = |openings: &[&str]| openings.iter().any(|opening| self.opens_with(opening));
        let what_does = self.opens_with("what does");
        if opens(&MAKES) {
            Manner::Makes
        } else if opens(&EXPLAINS)
            || what_does && (self.has("mean") || self.distinct(&PROGRAMS) > 0)
        {
            Manner::Explains
        } else {
            Manner::Asks
        }
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
}

fn starts_with(words: &[&str], phrase: &str) -> bool {
    let mut words = words.iter();
    phrase.split(' ').all(|expected| words.next().is_some_and(|word| *word == expected))
}
