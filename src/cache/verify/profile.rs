//! What the verifier knows of a text, computed once and kept with the entry. Pure.
//!
//! Comparing two profiles is the guards' work (`guards`) and the score's (`mod`).

use std::collections::BTreeSet;

use super::restate;
use super::wording::Wording;
use super::words;

/// Tokens of a text that are looked at. The embedder's window ends before: what is longer has no
/// vector and never comes here but as a candidate of its own repeat.
const MAX_TOKENS: usize = 512;

/// The surface of a text that must agree before one answer may serve two of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// Words in lower case, in order, at most [`MAX_TOKENS`].
    sequence: Vec<String>,
    /// Stems of the words that are no stop words, in order, each where it first stands.
    content: Vec<String>,
    /// BLAKE3 of everything that remains of the text without case, white space and punctuation
    /// between words: equal for a near-literal repeat, however long the text.
    literal: [u8; 32],
    /// Operators, brackets and other signs between the words, sorted: `C++` is not `C`.
    symbols: Vec<char>,
    /// Numbers as digits, number words included, sorted; a number said twice stands twice.
    numbers: Vec<String>,
    units: BTreeSet<&'static str>,
    /// Week days, parts of the day, relative days, months.
    days: BTreeSet<String>,
    negations: usize,
    /// Words in lower case that begin with a capital, but for the first.
    names: Vec<String>,
    /// What the first telling question word asks for.
    asks_for: Option<&'static str>,
    wording: Wording,
    /// See `restate`.
    essence: u128,
}

impl Profile {
    pub fn of(text: &str) -> Self {
        let tokens = tokens(text);
        let mut profile = Self::default();
        let mut hasher = blake3::Hasher::new();
        let mut end = 0;
        let mut before: Option<&str> = None;
        for token in &tokens {
            let between = &text[end..token.start];
            let sign = sign(between, token.text);
            profile.add_symbols(between, sign.is_some(), &mut hasher);
            let word = token.text.to_lowercase().replace('’', "'");
            hasher.update(sign.unwrap_or_default().as_bytes()).update(word.as_bytes()).update(&[0]);
            if profile.sequence.len() < MAX_TOKENS {
                profile.read(&word, sign, before);
                profile.read_name(&word, token.text);
                profile.sequence.push(word);
            }
            before = Some(token.text);
            end = token.start + token.text.len();
        }
        profile.add_symbols(&text[end..], false, &mut hasher);
        profile.literal = *hasher.finalize().as_bytes();
        profile.finish();
        profile
    }

    pub fn words(&self) -> &[String] {
        &self.sequence
    }

    pub fn content(&self) -> &[String] {
        &self.content
    }

    pub fn symbols(&self) -> &[char] {
        &self.symbols
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn asks_for(&self) -> Option<&'static str> {
        self.asks_for
    }

    /// What the overlap features compare.
    pub fn wording(&self) -> &Wording {
        &self.wording
    }

    pub fn numbers(&self) -> &[String] {
        &self.numbers
    }

    pub fn units(&self) -> &BTreeSet<&'static str> {
        &self.units
    }

    pub fn days(&self) -> &BTreeSet<String> {
        &self.days
    }

    /// Whether an odd number of negations turns the text around.
    pub fn is_negated(&self) -> bool {
        self.negations % 2 == 1
    }

    /// The same words in the same order, whatever case, punctuation and white space.
    pub fn is_repeat_of(&self, other: &Self) -> bool {
        !self.sequence.is_empty() && self.literal == other.literal
    }

    /// The same question in words that differ in form only.
    pub fn restates(&self, other: &Self) -> bool {
        self.essence != 0 && self.essence == other.essence
    }

    /// The same question with other numbers: the answers can hardly be the same.
    pub fn differs_in_numbers_only(&self, other: &Self) -> bool {
        let words = |profile: &Self| -> Vec<String> {
            let is_number = |word: &&String| {
                word.starts_with(|c: char| c.is_numeric()) || words::number(word).is_some()
            };
            profile.sequence.iter().filter(|word| !is_number(word)).cloned().collect()
        };
        self.numbers != other.numbers
            && self.numbers.len() == other.numbers.len()
            && words(self) == words(other)
    }

    #[cfg(test)]
    pub(super) fn literal(&self) -> [u8; 32] {
        self.literal
    }

    /// Bytes held, for the cache's budget.
    pub fn bytes(&self) -> usize {
        let strings =
            [&self.sequence, &self.content, &self.numbers, &self.names].into_iter().flatten();
        let strings = strings.chain(&self.days);
        size_of::<Self>()
            + strings.map(|word| word.capacity() + size_of::<String>()).sum::<usize>()
            + self.units.len() * size_of::<&str>()
            + self.wording.bytes()
    }

    fn read(&mut self, word: &str, sign: Option<&str>, before: Option<&str>) {
        if !words::is_stop_word(word) && !self.content.iter().any(|known| known == stem(word)) {
            self.content.push(stem(word).to_owned());
        }
        if word.starts_with(|c: char| c.is_numeric()) {
            let (number, unit) = split_number(word);
            self.numbers.push(format!("{}{number}", sign.unwrap_or_default()));
            self.units.extend(words::unit(unit));
        } else if let Some(number) = words::number(word) {
            self.numbers.push(number.to_owned());
        } else if before.is_some_and(is_quantity) || words::is_long_unit(word) {
            // Short units are common words ("in", "a", "m"): they count after a number only.
            self.units.extend(words::unit(word));
        }
        if let Some(day) = words::day(word) {
            self.days.insert(day.to_owned());
        }
        if words::is_negation(word) {
            self.negations += 1;
        }
    }

    fn read_name(&mut self, word: &str, token: &str) {
        let is_first = !self.sequence.iter().any(|word| word.starts_with(is_letter));
        if token.starts_with(char::is_uppercase)
            && !is_first
            && !words::is_pronoun_i(word)
            && !self.names.iter().any(|name| name == word)
        {
            self.names.push(word.to_owned());
        }
        self.asks_for = self.asks_for.or_else(|| words::asks_for(word));
    }

    /// Takes in what stands between two tokens. Currency and percent signs are units; the other
    /// signs are kept as they are; commas, full stops and the like say nothing here, and a sign
    /// that belongs to the number behind it is no sign between.
    fn add_symbols(&mut self, between: &str, has_sign: bool, hasher: &mut blake3::Hasher) {
        let end = between.len() - usize::from(has_sign);
        for symbol in between[..end].chars() {
            if symbol.is_whitespace() || words::is_punctuation(symbol) {
                continue;
            }
            match words::symbol_unit(symbol) {
                Some(unit) => _ = self.units.insert(unit),
                None => self.symbols.push(symbol),
            }
            hasher.update(symbol.encode_utf8(&mut [0; 4]).as_bytes()).update(&[0]);
        }
    }

    fn finish(&mut self) {
        self.numbers.sort_unstable();
        self.symbols.sort_unstable();
        self.essence = restate::essence(&self.sequence, &self.symbols);
        self.wording = Wording::of(&self.sequence, &self.content);
    }
}

/// A minus or a leading decimal point of a number: it stands right before the digits and right
/// behind nothing, white space or a bracket (`-5`, `(.5)`, but not `page-5`).
fn sign<'a>(between: &'a str, token: &str) -> Option<&'a str> {
    if !token.starts_with(|c: char| c.is_numeric()) {
        return None;
    }
    let (before, sign) = between.split_at(last_start(between));
    let is_free =
        before.chars().next_back().is_none_or(|c| c.is_whitespace() || "([{=<>".contains(c));
    (matches!(sign, "-" | ".") && is_free).then_some(sign)
}

/// Where the last character of a text begins.
fn last_start(text: &str) -> usize {
    text.char_indices().next_back().map_or(0, |(place, _)| place)
}

/// Whether a token says how many: then a unit may follow it.
fn is_quantity(token: &str) -> bool {
    token.starts_with(|c: char| c.is_numeric()) || words::number(&token.to_lowercase()).is_some()
}

/// Strips the first common ending that leaves at least three letters.
fn stem(word: &str) -> &str {
    ["ing", "ers", "er", "ed", "es", "s", "ly"]
        .iter()
        .find_map(|ending| word.strip_suffix(ending).filter(|rest| rest.chars().count() >= 3))
        .unwrap_or(word)
}

/// A number token as digits and what is stuck to it: `1,000kg` is `1000` and `kg`, `4th` is `4` and
/// nothing. A date, time or version (`3/4`, `10:30`, `1.2.3`) stays as it is written.
fn split_number(word: &str) -> (String, &str) {
    let end = word.find(|c: char| c.is_alphabetic()).unwrap_or(word.len());
    let (digits, rest) = word.split_at(end);
    let number = strip_thousands(digits);
    match rest {
        "" | "st" | "nd" | "rd" | "th" => (number, ""),
        _ if words::unit(rest).is_some() => (number, rest),
        // `4k`, `b12`-like codes: what is stuck to the digits is part of the number.
        _ => (format!("{number}{rest}"), ""),
    }
}

/// Removes commas that group thousands, and no others; and zeros that end a decimal fraction.
fn strip_thousands(digits: &str) -> String {
    let mut groups = digits.split(',');
    let first = groups.next().unwrap_or_default();
    let is_grouped = (1..=3).contains(&first.len())
        && groups.clone().next().is_some()
        && groups.all(|group| group.split('.').next().is_some_and(|whole| whole.len() == 3));
    let plain = if is_grouped { digits.replace(',', "") } else { digits.to_owned() };
    match plain.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole.to_owned(),
        Some((_, fraction)) if fraction.bytes().all(|b| b.is_ascii_digit()) => {
            plain.trim_end_matches('0').to_owned()
        }
        _ => plain,
    }
}

/// A token and where it begins.
struct Token<'a> {
    start: usize,
    text: &'a str,
}

/// Words (letters, with apostrophes inside) and numbers (digits, with separators inside and letters
/// or digits stuck to them).
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(skip) = text[start..].find(is_word_part) {
        start += skip;
        let rest = &text[start..];
        let length = token_end(rest, rest.starts_with(|c: char| c.is_numeric()));
        tokens.push(Token { start, text: &rest[..length] });
        start += length;
    }
    tokens
}

fn token_end(text: &str, is_number: bool) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((place, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let inside = if is_number {
            is_word_part(c)
                || (matches!(c, '.' | ',' | ':' | '/' | '-') && next.is_some_and(char::is_numeric))
        } else {
            is_letter(c) || (matches!(c, '\'' | '’') && next.is_some_and(is_letter))
        };
        if !inside {
            return place;
        }
    }
    text.len()
}

/// Letters in the wide sense: everything alphabetic, and the marks that belong to letters.
fn is_letter(c: char) -> bool {
    c.is_alphanumeric() && !c.is_numeric() || is_mark(c)
}

fn is_word_part(c: char) -> bool {
    c.is_alphanumeric() || is_mark(c)
}

/// Combining marks (accents, vowel signs), which `char` does not call alphabetic throughout.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{903}' | '\u{93a}'..='\u{94f}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}')
}
