//! Answers as words: short ones that say one thing, and long ones that differ in a word or none.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::asked::Asked;
use super::finals::{folded, head};
use super::lexicon::{FILLERS, MONTHS, NO, YES};
use super::{Verdict, number};

/// Words of an answer that says one thing.
const SHORT: usize = 8;

/// Words of an answer that are kept to be held against another's.
const KEPT: usize = 2048;

/// The words of a text in lower case without punctuation; characters of scripts without spaces are
/// words each. Numbers keep their point.
pub fn tokens(text: &str) -> Vec<String> {
    spans(text).into_iter().map(|word| folded(word).replace('’', "'")).collect()
}

fn spans(text: &str) -> Vec<&str> {
    let mut spans = Vec::new();
    let mut start = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let within = start.is_some() && next.is_some_and(char::is_alphanumeric);
        let joins = match c {
            '\'' | '’' | '_' | '/' => within,
            '.' | ',' => {
                within
                    && text[..at].ends_with(|c: char| c.is_ascii_digit())
                    && next.is_some_and(|next| next.is_ascii_digit())
            }
            '-' | '−' if start.is_none() => next.is_some_and(|next| next.is_ascii_digit()),
            '%' | '+' | '=' | '<' | '>' | '≤' | '≥' | '∩' | '∪' | '∈' | '⊆' => false,
            c => c.is_alphanumeric(),
        };
        let alone = c > '\u{2e80}' && c.is_alphanumeric() || "%+=<>≤≥∩∪∈⊆".contains(c);
        if alone || !joins {
            spans.extend(start.take().map(|from| &text[from..at]));
        }
        if alone {
            spans.push(&text[at..at + c.len_utf8()]);
        } else if joins && start.is_none() {
            start = Some(at);
        }
    }
    spans.extend(start.map(|from| &text[from..]));
    spans
}

/// Two short statements; open where neither equality nor contradiction is certain.
pub fn compare(a: &str, b: &str, asked: &Asked<'_>) -> Verdict {
    let (left, right) = (content(a), content(b));
    if left.is_empty() || right.is_empty() {
        return Verdict::CannotTell;
    }
    if left == right {
        return Verdict::Same;
    }
    let polarity = (polarity(a), polarity(b));
    if let (Some(x), Some(y)) = polarity {
        return match (x == y, left.len().max(right.len())) {
            (false, _) if asked.polar || left.len().max(right.len()) <= 2 => Verdict::Different,
            (true, ..=1) => Verdict::Same,
            _ => Verdict::CannotTell,
        };
    }
    if left.len() > SHORT || right.len() > SHORT {
        return Verdict::CannotTell;
    }
    if let (Some(x), Some(y)) = (date(a), date(b)) {
        return dates(x, y);
    }
    let fresh = |words: &[String]| {
        let words = words.iter().filter(|word| !asked.mentions(std::slice::from_ref(word)));
        words.cloned().collect::<Vec<_>>()
    };
    // What the question said already is said again for the sake of a sentence.
    let (new_left, new_right) = (fresh(&left), fresh(&right));
    if !new_left.is_empty() && new_left == new_right {
        return Verdict::Same;
    }
    if asked.mentions(&left) && asked.mentions(&right) && !contained(&left, &right) {
        return Verdict::Different;
    }
    if related(&left, &right) || related(&new_left, &new_right) {
        return Verdict::CannotTell;
    }
    let names = asked.name && name(a) && name(b) || identifier(a) && identifier(b);
    if names { Verdict::Different } else { Verdict::CannotTell }
}

/// The words that say something, numbers in one spelling.
fn content(text: &str) -> Vec<String> {
    let text = number::cleaned(text);
    let words = tokens(&text).into_iter().filter(|word| !FILLERS.contains(&word.as_str()));
    words
        .map(|word| match word.as_str() {
            plain if plain.starts_with(|c: char| c.is_ascii_digit()) => {
                match number::find(plain).as_slice() {
                    [one] => one.quantity.value.to_string(),
                    _ => word,
                }
            }
            plain => match number::in_words(plain) {
                Some(quantity) => quantity.value.to_string(),
                None => word,
            },
        })
        .collect()
}

/// Yes or no, if the text begins with it.
pub fn polarity(text: &str) -> Option<bool> {
    let words = tokens(head(text, 60));
    let first = words.first()?.as_str();
    let two: String = words.iter().take(2).map(String::as_str).collect();
    let three: String = words.iter().take(3).map(String::as_str).collect();
    let any = |list: &[&str]| {
        list.contains(&first)
            || list.contains(&&*two)
            || list.contains(&&*three) && !three.is_ascii()
    };
    match (any(YES), any(NO)) {
        (_, true) => Some(false),
        (true, false) => Some(true),
        _ => None,
    }
}

fn contained(a: &[String], b: &[String]) -> bool {
    a.iter().all(|word| b.contains(word)) || b.iter().all(|word| a.contains(word))
}

/// Whether two phrases share so much that they may name one thing: a word, an abbreviation, a
/// spelling.
pub fn related(a: &[String], b: &[String]) -> bool {
    let shared = a.iter().any(|word| b.contains(word));
    let (joined_a, joined_b) = (a.concat(), b.concat());
    shared
        || abbreviates(&joined_a, b)
        || abbreviates(&joined_b, a)
        || strsim::jaro_winkler(&joined_a, &joined_b) > 0.82
        || a.iter().any(|x| {
            b.iter().any(|y| x.len() > 3 && y.len() > 3 && strsim::jaro_winkler(x, y) > 0.88)
        })
}

/// `usa` of "United States of America", `tx` of "Texas", `ps` of "PlayStation".
fn abbreviates(short: &str, long: &[String]) -> bool {
    if short.len() > 5 || long.is_empty() {
        return false;
    }
    let initials: String = long.iter().filter_map(|word| word.chars().next()).collect();
    let mut letters = long.iter().flat_map(|word| word.chars());
    let subsequence = short.chars().all(|c| letters.any(|letter| letter == c));
    initials.starts_with(short)
        || short.starts_with(&initials) && initials.len() > 1
        || subsequence && long[0].chars().next() == short.chars().next()
}

/// Whether every word begins with a capital or is a connective, as names do.
fn name(text: &str) -> bool {
    let words = spans(text);
    let small =
        |word: &&str| FILLERS.contains(word) || matches!(*word, "and" | "von" | "de" | "van");
    let cjk = |word: &&str| word.chars().all(|c| c > '\u{2e80}');
    let capital = |word: &&str| word.starts_with(char::is_uppercase) || cjk(word);
    !words.is_empty() && words.iter().all(|word| small(word) || capital(word)) && words.len() <= 6
}

/// One word of code: a label, a name, a path.
fn identifier(text: &str) -> bool {
    let text = text.trim().trim_matches(['`', '"', '\'', '.']);
    let inner = text.trim_matches(['_', '-', ':']);
    !text.contains(char::is_whitespace) && inner.contains(['_', ':']) && inner.is_ascii()
}

/// Year, month and day, as far as written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Date {
    year: u32,
    month: u32,
    day: Option<u32>,
    /// Day and month may be swapped: 03/04/2020.
    swappable: bool,
}

/// A date that fills the text: `2021-01-05`, `5 January 2021`, `Jan. 5, 2021`, `01/18/2021`.
pub fn date(text: &str) -> Option<Date> {
    let lower = folded(text);
    let parts: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let number =
        |part: &str| part.trim_end_matches(|c: char| c.is_alphabetic()).parse::<u32>().ok();
    let month = |part: &str| {
        let named = part.len() >= 3 && part.bytes().all(|b| b.is_ascii_alphabetic());
        let named = named.then(|| MONTHS.iter().position(|month| month.starts_with(part)));
        named.flatten().map(|at| at as u32 + 1)
    };
    let valid = |year: u32, month: u32, day: Option<u32>, swappable| {
        let sound = (1..=12).contains(&month) && day.is_none_or(|day| (1..=31).contains(&day));
        (sound && (1000..3000).contains(&year)).then_some(Date { year, month, day, swappable })
    };
    match parts.as_slice() {
        [m, y] if month(m).is_some() => valid(number(y)?, month(m)?, None, false),
        [m, d, y] if month(m).is_some() => valid(number(y)?, month(m)?, Some(number(d)?), false),
        [d, m, y] if month(m).is_some() => valid(number(y)?, month(m)?, Some(number(d)?), false),
        [y, m, d] if y.len() == 4 => valid(number(y)?, number(m)?, Some(number(d)?), false),
        [a, b, y] if y.len() == 4 => {
            let (a, b) = (number(a)?, number(b)?);
            match (a > 12, b > 12) {
                (true, _) => valid(number(y)?, b, Some(a), false),
                (false, plain) => valid(number(y)?, a, Some(b), !plain && a != b),
            }
        }
        _ => None,
    }
}

/// Whether two dates are one. A date without its day leaves the day open.
pub fn dates(a: Date, b: Date) -> Verdict {
    let (Some(day_a), Some(day_b)) = (a.day, b.day) else {
        let same = a.year == b.year && a.month == b.month;
        return match (same, a.day == b.day) {
            (true, true) => Verdict::Same,
            (true, false) => Verdict::CannotTell,
            (false, _) => Verdict::Different,
        };
    };
    let straight = (a.year, a.month, day_a) == (b.year, b.month, day_b);
    let swapped = (a.year, a.month, day_a) == (b.year, day_b, b.month);
    match (straight, swapped && (a.swappable || b.swappable)) {
        (true, _) => Verdict::Same,
        (false, true) => Verdict::CannotTell,
        (false, false) => Verdict::Different,
    }
}

/// The words of a long answer as hashes, with what sort of word each is in the lowest two bits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prose(Box<[u32]>);

const PLAIN: u32 = 0;
const NUMBER: u32 = 1;
const NAME: u32 = 2;
const FILLER: u32 = 3;

impl Prose {
    /// `None` in effect for texts beyond what is kept: they are empty and compare as open.
    pub fn of(text: &str) -> Prose {
        let spans = spans(head(text, KEPT * 12));
        if spans.len() > KEPT || text.len() > KEPT * 12 {
            return Prose::default();
        }
        let mut sentence = true;
        let mut words = Vec::with_capacity(spans.len());
        for span in spans {
            let lower = folded(span);
            let capital = span.starts_with(char::is_uppercase);
            let sort = if span.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
                NUMBER
            } else if FILLERS.contains(&&*lower) {
                FILLER
            } else if capital && !sentence {
                NAME
            } else {
                PLAIN
            };
            let end = span.as_ptr() as usize - text.as_ptr() as usize + span.len();
            let after = text[end..].trim_start_matches(['*', '"', ')']);
            sentence = after.starts_with(['.', '!', '?', ':', '\n', '。']);
            let mut hasher = DefaultHasher::new();
            lower.hash(&mut hasher);
            words.push(hasher.finish() as u32 & !3 | sort);
        }
        Prose(words.into())
    }

    /// Bytes that it holds.
    pub fn weight(&self) -> usize {
        self.0.len() * 4
    }

    /// Whether two long texts are one but for a word: the same if it says nothing, different if
    /// numbers or names stand against each other, else open.
    pub fn compare(&self, other: &Prose) -> Verdict {
        const FEWEST: usize = 8;
        let (a, b) = (&self.0, &other.0);
        if a.len() < FEWEST || b.len() < FEWEST {
            return Verdict::CannotTell;
        }
        let word = |x: &u32| x & !3;
        let same = |x: &&u32, y: &u32| word(x) == word(y);
        let prefix = a.iter().zip(b.iter()).take_while(|(x, y)| same(x, y)).count();
        let (a, b) = (&a[prefix..], &b[prefix..]);
        let suffix = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| same(x, y)).count();
        let (a, b) = (&a[..a.len() - suffix], &b[..b.len() - suffix]);
        let quiet = |rest: &[u32]| rest.iter().all(|x| x & 3 == FILLER);
        if quiet(a) && quiet(b) {
            return Verdict::Same;
        }
        if a.len() != b.len() {
            return Verdict::CannotTell;
        }
        let changed: Vec<(u32, u32)> = a
            .iter()
            .zip(b.iter())
            .filter(|(x, y)| !same(x, y))
            .map(|(x, y)| (x & 3, y & 3))
            .collect();
        let facts = |sort| changed.iter().any(|(x, y)| *x == sort && *y == sort);
        let few = changed.len() <= 4 && changed.len() * 6 <= self.0.len();
        if few && (facts(NUMBER) || facts(NAME)) { Verdict::Different } else { Verdict::CannotTell }
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
