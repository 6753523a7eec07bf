//! What the verifier knows of a text, computed once and kept with the entry. Pure.
//!
//! Comparing two profiles is the guards' work (`guards`) and the score's (`mod`).

use std::collections::BTreeSet;

use super::fold::fold;
use super::restate;
use super::tokens::{is_letter, tokens};
use super::tongue::{self, Tongue};
use super::wording::Wording;
use super::words::{self, abroad, unspaced};

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
    /// Those of them that stand behind a number.
    measured: BTreeSet<&'static str>,
    /// Ordinals and fractions that are other words as well: they tell two texts apart only if each
    /// has another.
    ranks: BTreeSet<&'static str>,
    /// Week days, parts of the day, relative days, months, seasons.
    days: BTreeSet<String>,
    negations: usize,
    /// Words in lower case that begin with a capital, but for the first.
    names: Vec<String>,
    /// What the first telling question word asks for.
    asks_for: Option<&'static str>,
    wording: Wording,
    /// See `restate`.
    essence: u128,
    tongue: Tongue,
    /// Of a text in a listed language: its words without courtesy, numbers as digits. Else empty.
    core: Vec<String>,
}

impl Profile {
    pub fn of(text: &str) -> Self {
        let text = fold(text);
        let text = text.as_ref();
        let tokens = tokens(text);
        let lower: Vec<String> =
            tokens.iter().map(|token| token.text.to_lowercase().replace('’', "'")).collect();
        let known = &lower[..lower.len().min(MAX_TOKENS)];
        // What stands behind the last token looked at is compared by the literal hash alone.
        let tongue = match known.len() == lower.len() {
            true => tongue::tongue(known.iter().map(String::as_str)),
            false => Tongue::Unread,
        };
        let mut profile = Self { tongue, ..Self::default() };
        let mut hasher = blake3::Hasher::new();
        let mut end = 0;
        let mut before: Option<&str> = None;
        for (token, word) in tokens.iter().zip(&lower) {
            let between = &text[end..token.start];
            let sign = sign(between, token.text);
            profile.add_symbols(between, sign.is_some(), &mut hasher);
            hasher.update(sign.unwrap_or_default().as_bytes()).update(word.as_bytes()).update(&[0]);
            if profile.sequence.len() < MAX_TOKENS {
                profile.read(word, sign, before);
                profile.read_name(word, token.text, before);
                profile.sequence.push(word.clone());
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

    pub fn tongue(&self) -> Tongue {
        self.tongue
    }

    pub(super) fn core(&self) -> &[String] {
        &self.core
    }

    pub fn numbers(&self) -> &[String] {
        &self.numbers
    }

    pub fn units(&self) -> &BTreeSet<&'static str> {
        &self.units
    }

    pub(super) fn measured(&self) -> &BTreeSet<&'static str> {
        &self.measured
    }

    pub(super) fn ranks(&self) -> &BTreeSet<&'static str> {
        &self.ranks
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

    /// Equal for texts of which one restates the other; `None` for a text without words.
    pub fn form(&self) -> Option<[u8; 16]> {
        (self.essence != 0).then(|| self.essence.to_le_bytes())
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

    /// Like [`Self::is_repeat_of`], and true of two texts without any words.
    pub(super) fn has_the_words_of(&self, other: &Self) -> bool {
        self.literal == other.literal
    }

    /// Bytes held, for the cache's budget.
    pub fn bytes(&self) -> usize {
        let strings = [&self.sequence, &self.content, &self.numbers, &self.names, &self.core]
            .into_iter()
            .flatten();
        let strings = strings.chain(&self.days);
        size_of::<Self>()
            + strings.map(|word| word.capacity() + size_of::<String>()).sum::<usize>()
            + (self.units.len() + self.measured.len() + self.ranks.len()) * size_of::<&str>()
            + self.wording.bytes()
    }

    fn read(&mut self, word: &str, sign: Option<&str>, before: Option<&str>) {
        if !words::is_stop_word(word) && !self.content.iter().any(|known| known == stem(word)) {
            self.content.push(stem(word).to_owned());
        }
        self.read_quantity(word, sign, before);
        if let Some(day) = self.day(word) {
            self.days.insert(day.to_owned());
        }
        if self.is_negation(word) {
            self.negations += 1;
        }
    }

    fn read_quantity(&mut self, word: &str, sign: Option<&str>, before: Option<&str>) {
        let before = before.map(str::to_lowercase);
        let before = before.as_deref();
        if word.starts_with(|c: char| c.is_numeric()) {
            let (number, unit) = split_number(word);
            self.numbers.push(format!("{}{number}", sign.unwrap_or_default()));
            self.measure(words::unit(unit));
        } else if let Some(sum) = before.and_then(|before| words::compound(before, word)) {
            self.numbers.pop();
            self.numbers.push(sum.to_string());
        } else if let Some(number) = self.number(word) {
            self.numbers.push(number.to_owned());
        } else if before.is_some_and(|before| self.is_quantity(before)) && word != "in" {
            // Short units are common words ("a", "m"): they count behind a number only. An inch is
            // written `5in` or `inch`; `in 2019 in Rome` has none.
            self.measure(self.unit(word));
        } else if self.is_long_unit(word) {
            self.units.extend(self.unit(word));
        } else if self.tongue == Tongue::English {
            self.ranks.extend(words::rank(word));
        }
    }

    fn measure(&mut self, unit: Option<&'static str>) {
        self.units.extend(unit);
        self.measured.extend(unit);
    }

    /// Whether the lists of the other languages are asked as well. Not in English: *once* is eleven
    /// in Spanish.
    fn is_abroad(&self) -> bool {
        self.tongue != Tongue::English
    }

    fn number(&self, word: &str) -> Option<&'static str> {
        words::number(word).or_else(|| abroad::number(word).filter(|_| self.is_abroad()))
    }

    fn unit(&self, word: &str) -> Option<&'static str> {
        words::unit(word).or_else(|| abroad::unit(word).filter(|_| self.is_abroad()))
    }

    fn is_long_unit(&self, word: &str) -> bool {
        words::is_long_unit(word) || (self.is_abroad() && abroad::unit(word).is_some())
    }

    fn day<'w>(&self, word: &'w str) -> Option<&'w str> {
        words::day(word).or_else(|| abroad::day(word).filter(|_| self.is_abroad()))
    }

    fn is_negation(&self, word: &str) -> bool {
        words::is_negation(word) || (self.is_abroad() && abroad::is_negation(word))
    }

    /// Whether a token says how many: then a unit may follow it.
    fn is_quantity(&self, token: &str) -> bool {
        token.starts_with(|c: char| c.is_numeric()) || self.number(token).is_some()
    }

    fn read_name(&mut self, word: &str, token: &str, before: Option<&str>) {
        self.asks_for = self.asks_for.or_else(|| words::asks_for(word));
        if self.tongue != Tongue::English {
            // German writes every noun with a capital; there every word is compared anyway.
            return;
        }
        let is_first = !self.sequence.iter().any(|word| word.starts_with(is_letter));
        let is_capital = token.starts_with(char::is_uppercase);
        if let Some(month) = words::month_in_context(word, is_capital && !is_first, before) {
            self.days.insert(month.to_owned());
        }
        self.numbers.extend(words::roman(token).map(|value| value.to_string()));
        let name = words::bare(word);
        if is_capital
            && !is_first
            && !words::is_pronoun_i(word)
            && !words::is_stop_word(name)
            && !self.names.iter().any(|known| known == name)
        {
            self.names.push(name.to_owned());
        }
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
                Some(unit) => self.measure(Some(unit)),
                None => self.symbols.push(symbol),
            }
            hasher.update(symbol.encode_utf8(&mut [0; 4]).as_bytes()).update(&[0]);
        }
    }

    fn finish(&mut self) {
        if self.tongue == Tongue::Listed {
            self.core = tongue::core(&self.sequence);
            self.read_unspaced();
        }
        self.negations -= words::idle_negations(&self.sequence).min(self.negations);
        self.drop_titles();
        self.numbers.sort_unstable();
        self.symbols.sort_unstable();
        self.essence = restate::essence(&self.sequence, &self.symbols);
        self.wording = Wording::of(&self.sequence, &self.content);
    }
}

impl Profile {
    /// Where nearly every word has a capital, as in titles, a capital makes no name of a common word.
    fn drop_titles(&mut self) {
        let is_telling = |word: &&String| word.starts_with(is_letter) && !words::is_stop_word(word);
        let telling = self.sequence.iter().filter(is_telling).count();
        if telling >= 3 && (self.names.len() + 1) * 5 >= telling * 4 {
            let is_common =
                |name: &String| words::english::is_english(name) || words::english::is_shared(name);
            self.names.retain(|name| !is_common(name));
        }
    }

    /// Words have no borders in Chinese and Japanese: what guards look for is part of the text.
    fn read_unspaced(&mut self) {
        if !self.sequence.iter().any(|word| word.starts_with(tongue::is_unspaced)) {
            return;
        }
        let text = self.core.concat();
        // Digits are tokens and have been read, with their signs and fractions.
        self.numbers.extend(unspaced::numbers(&self.sequence.concat()));
        self.measured.extend(unspaced::units(&text));
        self.units.extend(unspaced::units(&text));
        self.days.extend(unspaced::days(&text).into_iter().map(str::to_owned));
        self.negations += unspaced::negations(&text);
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
