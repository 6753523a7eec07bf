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

use std::collections::HashMap;
use std::sync::LazyLock;

use super::TtlClass;
use super::words::{
    CURRENCIES, CURRENT_IS_PLAIN_AFTER, CURRENT_IS_PLAIN_BEFORE, EXPLAINS, FACTS, GONE_BY, MAKES,
    NARRATORS, NOW, NOW_AFTER, OFFICES, OPERATIONS, OUTDATES, PROGRAMS, SPANS, TIMELESS_OPENINGS,
    TOPICS, UNITS, UNSPACED, VOLATILE_WITHOUT_YEAR,
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
                    && !(phrase.kind == Kind::Yearless && self.has_year())
                    && !(GONE_BY.contains(&phrase.text) && self.is_narrated(at, phrase.text))
            })
        })
    }

    /// "Last year I planted roses", "I recently moved": the asker's own story.
    fn is_narrated(&self, at: usize, phrase: &str) -> bool {
        let narrates = |at: usize| self.list.get(at).is_some_and(|word| NARRATORS.contains(word));
        narrates(at + phrase.split(' ').count()) || at > 0 && narrates(at - 1)
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
            now: said(&[Kind::Now])
                || self.means_now()
                || self.means_current()
                || self.asks_for_the_time()
                || self.asks_for_a_price(),
            topic: said(&[Kind::Topic, Kind::Yearless])
                || self.distinct(&CURRENCIES) >= 2
                || self.asks_for_a_state()
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

    /// "Is it down?", "Has it passed yet?"
    fn asks_for_a_state(&self) -> bool {
        const STATES: [&str; 7] = ["down", "delayed", "open", "closed", "congested", "up", "yet"];
        let request = self.request();
        let asks = matches!(request.first(), Some(&("is" | "are" | "has" | "have" | "did")));
        asks && (request.last().is_some_and(|last| STATES.contains(last)) || self.has("on time"))
    }

    /// "Who is the president of …": whoever it is now.
    fn asks_for_a_holder(&self) -> bool {
        let openings = ["who is the", "who's the", "who is", "who's"];
        if self.has_year() {
            return false;
        }
        let request = self.request();
        openings.iter().filter(|opening| self.opens_with(opening)).any(|opening| {
            let rest = &request[opening.split(' ').count()..];
            let rest = match rest.first() {
                Some(&("current" | "present" | "new" | "acting")) => &rest[1..],
                _ => rest,
            };
            OFFICES.iter().any(|office| starts_with(rest, office))
        })
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
        let asks = ["how much does", "how much do", "how much will", "what does", "what do"];
        if costs && asks.iter().any(|asks| self.has(asks)) {
            return true;
        }
        self.list.windows(4).any(|four| {
            four[0] == "how"
                && four[1] == "much"
                && matches!(four[2], "is" | "are" | "for")
                && !matches!(four[3], "too" | "enough")
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
