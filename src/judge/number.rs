//! Numbers as answers write them: digits with thousands or decimals, fractions, words, powers of
//! ten, LaTeX, with a unit or a currency; and whether two of them are the same.

use super::Verdict;
pub use super::latex::cleaned;
use super::lexicon::{MULTIPLIERS, NUMBER_WORDS, UNITS};

/// A number and how exactly it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantity {
    pub value: f64,
    /// The place of the last digit written: 0.01 of "3.14"; 0 of fractions, words and integers.
    step: f64,
    unit: Option<Unit>,
}

/// A unit that can be held against others.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Unit {
    dimension: &'static str,
    /// How many base units.
    size: f64,
}

/// A number and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    pub quantity: Quantity,
    pub start: usize,
    pub end: usize,
}

const PERCENT: Unit = Unit { dimension: "percent", size: 1.0 };

impl Quantity {
    fn plain(value: f64) -> Quantity {
        Quantity { value, step: 0.0, unit: None }
    }

    fn is_integer(&self) -> bool {
        self.value.fract() == 0.0
    }
}

/// Whether two numbers answer alike. Values that are one another's rounding leave it open: which
/// precision was asked for is not known here.
pub fn compare(a: &Quantity, b: &Quantity) -> Verdict {
    let (mut left, mut right) = (*a, *b);
    if let (Some(x), Some(y)) = (a.unit, b.unit)
        && x != y
    {
        if x.dimension != y.dimension {
            return if close(a.value, b.value) { Verdict::CannotTell } else { Verdict::Different };
        }
        (left.value, right.value) = (a.value * x.size, b.value * y.size);
        (left.step, right.step) = (a.step * x.size, b.step * y.size);
    }
    if close(left.value, right.value) {
        Verdict::Same
    } else if rounded(&left, &right) || rounded(&right, &left) || scaled(a, b) {
        Verdict::CannotTell
    } else {
        Verdict::Different
    }
}

/// Equal but for the noise of arithmetic.
pub fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-6 * a.abs().max(b.abs())
}

/// Whether `coarse` may be `fine`, written with fewer digits or an approximate constant.
fn rounded(coarse: &Quantity, fine: &Quantity) -> bool {
    if coarse.is_integer() && fine.is_integer() {
        return false;
    }
    let gap = (coarse.value - fine.value).abs();
    let place = if coarse.is_integer() { 1.0 } else { coarse.step };
    let digits = coarse.value.abs() / place.max(f64::MIN_POSITIVE);
    gap <= place * 0.5000001 && digits >= 10.0 || gap < 0.003 * fine.value.abs()
}

/// Whether the two differ by a factor that lies between units, where only one of them, or none,
/// says its unit: 0.25 and 25 %, 2 hours and 120.
fn scaled(a: &Quantity, b: &Quantity) -> bool {
    if a.unit.is_some() == b.unit.is_some() || a.value == 0.0 || b.value == 0.0 {
        return false;
    }
    let ratio = (a.value / b.value).abs();
    let ratio = if ratio < 1.0 { 1.0 / ratio } else { ratio };
    [12.0, 24.0, 60.0, 100.0, 1000.0, 3600.0, 1e6].iter().any(|factor| close(ratio, *factor))
}

/// The numbers of a text in order. Digits that belong to a word (`H2O`, `x_1`) are none.
pub fn find(text: &str) -> Vec<Found> {
    const MOST: usize = 64;
    let mut found: Vec<Found> = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find(|c: char| c.is_ascii_digit() || "½¼¾".contains(c)) {
        let start = at + next;
        let Some(number) = digits_at(text, start) else {
            // A version, an address: none of its parts is a number either.
            let rest = &text[start..];
            let run = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','));
            at = start + run.unwrap_or(rest.len()).max(1);
            continue;
        };
        at = number.end;
        if !within_word(text, number.start, number.end) {
            found.push(number);
        }
        if found.len() == MOST {
            break;
        }
    }
    found
}

/// A letter or an underscore touches the number, and is no unit, exponent or currency.
fn within_word(text: &str, start: usize, end: usize) -> bool {
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    let joins = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '^';
    let ordinal = ["st", "nd", "rd", "th"].iter().any(|ending| text[end..].starts_with(ending));
    before.is_some_and(joins) && !text[..start].ends_with("USD")
        || after.is_some_and(|c| c == '_' || c == '^')
        || ordinal && !text[end + 2..].starts_with(char::is_alphabetic)
}

/// The number whose first digit stands at `first`, with sign, currency, multiplier and unit.
fn digits_at(text: &str, first: usize) -> Option<Found> {
    let (mut value, mut step, mut end) = decimal(text, first)?;
    if let Some((factor, after)) = power(text, end) {
        (value, step, end) = (value * factor, step * factor, after);
    } else if let Some((below, after)) = fraction(text, end) {
        (value, step, end) = (value / below, 0.0, after);
    } else if let Some((more, after)) = mixed(text, end) {
        (value, end) = (value + more, after);
    }
    let mut start = first;
    let mut money = false;
    // Before it: `$`, `-$`, `-`, in any order that is written.
    for _ in 0..3 {
        let before = text[..start].trim_end_matches('\\');
        match before.chars().next_back() {
            Some(sign @ ('$' | '€' | '£' | '¥')) => {
                money |= sign == '$';
                start = before.len() - sign.len_utf8();
            }
            Some(sign @ ('-' | '−')) if is_sign(&before[..before.len() - sign.len_utf8()]) => {
                value = -value;
                start = before.len() - sign.len_utf8();
                break;
            }
            _ => break,
        }
    }
    let rest = text[end..].trim_start_matches(['\\', ' ', '\u{a0}']);
    let mut unit = money.then_some(Unit { dimension: "money", size: 1.0 });
    let word = first_word(rest);
    if let Some((_, factor)) = MULTIPLIERS.iter().find(|(name, _)| same_word(name, word)) {
        (value, step) = (value * factor, step * factor);
        end = text.len() - rest.len() + word.len();
    }
    if text[end..].trim_start_matches(['\\', ' ']).starts_with(['%', '％']) || word == "percent" {
        unit = Some(PERCENT);
    } else if unit.is_none() {
        unit = unit_at(&text[end..]);
    }
    Some(Found { quantity: Quantity { value, step, unit }, start, end })
}

/// A minus after a value subtracts; after anything else it is a sign.
fn is_sign(before: &str) -> bool {
    let last = before.chars().next_back();
    match last {
        Some(' ') => {
            before.trim_end().ends_with(['=', ':', '(', ',', '≈', '['])
                || before.trim_end().ends_with(char::is_alphabetic)
        }
        Some(c) => !c.is_alphanumeric() && c != ')' && c != '}',
        None => true,
    }
}

/// Digits with thousands and decimals: value, place of the last digit, end.
fn decimal(text: &str, start: usize) -> Option<(f64, f64, usize)> {
    if let Some(part) = text[start..].chars().next().and_then(vulgar) {
        return Some((part, 0.0, start + 2));
    }
    let bytes = text.as_bytes();
    let mut end = start;
    let mut groups: Vec<(u8, usize)> = Vec::new();
    while end < bytes.len() {
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        if digit(end) {
            end += 1;
        } else if matches!(bytes[end], b',' | b'.') && end > start && digit(end + 1) {
            groups.push((bytes[end], end));
            end += 1;
        } else if text[end..].starts_with("{,}") && digit(end + 3) {
            groups.push((b',', end));
            end += 3;
        } else {
            break;
        }
        if end - start > 60 {
            return None;
        }
    }
    let written = &text[start..end];
    let mark = decimal_mark(written, &groups, end)?;
    let mut plain = String::with_capacity(written.len());
    for (at, c) in text[start..end].char_indices() {
        match c {
            '0'..='9' => plain.push(c),
            _ if Some(start + at) == mark => plain.push('.'),
            _ => {}
        }
    }
    let places = plain.split_once('.').map_or(0, |(_, places)| places.len());
    let step = if places == 0 { 0.0 } else { 10f64.powi(-(places as i32)) };
    Some((plain.parse().ok()?, step, end))
}

/// Where the decimal mark stands, if there is one; `None` for what is no number, such as a version
/// or a date.
fn decimal_mark(written: &str, groups: &[(u8, usize)], end: usize) -> Option<Option<usize>> {
    let Some((last, at)) = groups.last().copied() else { return Some(None) };
    let tail = end - at - if written.contains("{,}") && last == b',' { 3 } else { 1 };
    let in_threes = groups.windows(2).all(|pair| matches!(pair[1].1 - pair[0].1, 4 | 6));
    let earlier = &groups[..groups.len() - 1];
    let grouped = !written.starts_with('0') && written.len() <= 9;
    match earlier.iter().filter(|(mark, _)| *mark == last).count() {
        // 1,234 groups; 3,5 and 0,234 do not.
        0 if earlier.is_empty() && last == b',' && tail == 3 && grouped => Some(None),
        0 => Some(Some(at)),
        same if same == earlier.len() && tail == 3 && in_threes => Some(None),
        _ => None,
    }
}

fn vulgar(c: char) -> Option<f64> {
    match c {
        '½' => Some(0.5),
        '¼' => Some(0.25),
        '¾' => Some(0.75),
        _ => None,
    }
}

/// `e5`, `× 10^5`, `x 10^{-4}`, `\\times 10^5`, `*10**5`: the factor and where it ends.
fn power(text: &str, end: usize) -> Option<(f64, usize)> {
    let rest = &text[end..];
    if let Some(after) = rest.strip_prefix(['e', 'E']) {
        let (factor, after) = exponent(after)?;
        let word = after.starts_with(|c: char| c.is_alphanumeric());
        return (!word).then_some((factor, text.len() - after.len()));
    }
    let times = rest.trim_start();
    let ten = ["×", "\\times", "\\cdot", "·", "x", "*"]
        .iter()
        .find_map(|sign| times.strip_prefix(sign))?
        .trim_start()
        .strip_prefix("10")?;
    let raised = ten.strip_prefix("**").or_else(|| ten.strip_prefix('^'))?;
    let (factor, after) = exponent(raised.strip_prefix(['{', '(']).unwrap_or(raised))?;
    let after = after.strip_prefix(['}', ')']).unwrap_or(after);
    Some((factor, text.len() - after.len()))
}

/// A power of ten by its exponent, and what follows.
fn exponent(text: &str) -> Option<(f64, &str)> {
    let (negative, digits) = match text.strip_prefix(['-', '−']) {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    let exponent: i32 = digits[..count].parse().ok().filter(|exponent| *exponent <= 300)?;
    Some((10f64.powi(if negative { -exponent } else { exponent }), &digits[count..]))
}

/// `/4` behind a numerator, not of a date such as 1/4/2020.
fn fraction(text: &str, end: usize) -> Option<(f64, usize)> {
    let rest = text[end..].strip_prefix('/')?;
    let count = rest.bytes().take_while(u8::is_ascii_digit).count();
    let after = &rest[count..];
    let dotted = after.strip_prefix(['.', '/', ',']);
    if count == 0
        || count > 12
        || dotted.is_some_and(|more| more.starts_with(|c: char| c.is_ascii_digit()))
    {
        return None;
    }
    let below: f64 = rest[..count].parse().ok()?;
    (below != 0.0).then_some((below, end + 1 + count))
}

/// ` 3/4` or `½` behind a whole number.
fn mixed(text: &str, end: usize) -> Option<(f64, usize)> {
    if let Some(part) = text[end..].chars().next().and_then(vulgar) {
        return Some((part, end + 2));
    }
    let rest = text[end..].strip_prefix(' ')?;
    let count = rest.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 || count > 3 {
        return None;
    }
    let above: f64 = rest[..count].parse().ok()?;
    let (below, after) = fraction(text, end + 1 + count)?;
    (above < below).then_some((above / below, after))
}

fn first_word(rest: &str) -> &str {
    let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let word = &rest[..end];
    // Languages without spaces: one or two characters multiply or measure.
    match word.char_indices().nth(1) {
        Some((at, _)) if !word.is_ascii() && word.chars().all(|c| c > '\u{2e80}') => &word[..at],
        _ => word,
    }
}

fn same_word(name: &str, word: &str) -> bool {
    name.len() == word.len() && word.to_lowercase() == name
}

fn unit_at(rest: &str) -> Option<Unit> {
    let rest = rest.trim_start_matches([' ', '\u{a0}', '\\', '-', '{', '°']);
    let rest = rest.strip_prefix("text{").unwrap_or(rest).trim_start();
    let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    // Of `miles/hour`, `m^2` and `m²` the first word is not the unit.
    if word.is_empty() || after.starts_with(['/', '^', '²', '³']) || after.starts_with(" per ") {
        return None;
    }
    let named = |(name, dimension, size): &(&str, &'static str, f64)| {
        same_word(name, word).then_some(Unit { dimension, size: *size })
    };
    UNITS.iter().find_map(named)
}

/// The number that a phrase states: its only one, the one behind its last equals sign, or the one
/// with which it begins. A list of numbers, a time or a range states none.
pub fn stated(phrase: &str) -> Option<Quantity> {
    let cleaned = cleaned(phrase);
    let line = cleaned.trim().lines().next().unwrap_or_default();
    let line = line.trim_matches(|c: char| c.is_whitespace() || "*_`\"'“”".contains(c));
    let (from, text) = match line.rfind(['=', '≈']) {
        Some(at) if !find(&line[at..]).is_empty() => (at, &line[at..]),
        _ => (0, line),
    };
    let found = find(text);
    let Some(first) = found.first() else { return in_words(text.trim_start_matches(['$', ' '])) };
    let before = text[..first.start].trim_matches(|c: char| !c.is_alphanumeric());
    if found.len() == 1 {
        let clock = text[first.end..].starts_with(':');
        return (!clock && plain_words(before) <= 8).then_some(first.quantity);
    }
    // "5 hours and 30 minutes", "3, 4", "2-3", "10:30" are more than their first number.
    let between = text[first.end..found[1].start].trim().to_lowercase();
    let one_more = |word: &str| between.split_whitespace().any(|other| other == word);
    let joined = between.is_empty() || between.len() <= 2 && !between.starts_with('(');
    let listed = joined || between.contains(',') || ["and", "or", "to"].iter().any(|w| one_more(w));
    (before.is_empty() && !listed && from == 0 || from > 0 && !listed).then_some(first.quantity)
}

fn plain_words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// A number in English words that fills the phrase up to a noun: "twenty-one apples".
pub fn in_words(phrase: &str) -> Option<Quantity> {
    let (mut total, mut part, mut seen) = (0.0, 0.0, false);
    let lower = phrase.to_lowercase();
    for word in lower.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
        if let Some((_, value)) = NUMBER_WORDS.iter().find(|(name, _)| *name == word) {
            part += value;
            seen = true;
        } else if let Some((_, factor)) = MULTIPLIERS.iter().find(|(name, _)| *name == word) {
            let counted = if part == 0.0 { 1.0 } else { part };
            if !seen {
                return None;
            } else if *factor == 100.0 {
                part = counted * factor;
            } else {
                total += counted * factor;
                part = 0.0;
            }
        } else if word != "and" && (word != "a" || seen) {
            break;
        }
    }
    seen.then(|| Quantity { unit: None, ..Quantity::plain(total + part) })
}

#[cfg(test)]
#[path = "number_tests.rs"]
mod tests;
