//! Where the words of a text begin and end. Pure.

use super::tongue;

/// A token and where it begins.
pub(super) struct Token<'a> {
    pub start: usize,
    pub text: &'a str,
}

/// Words (letters, with apostrophes inside) and numbers (digits, with separators inside and letters
/// or digits stuck to them).
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(skip) = text[start..].find(is_word_part) {
        start += skip;
        let rest = &text[start..];
        let length = match rest.chars().next() {
            Some(c) if tongue::is_unspaced(c) => c.len_utf8(),
            first => token_end(rest, first.is_some_and(char::is_numeric)),
        };
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
            (is_word_part(c) && !tongue::is_unspaced(c))
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
pub(super) fn is_letter(c: char) -> bool {
    (c.is_alphanumeric() && !c.is_numeric() && !tongue::is_unspaced(c)) || is_mark(c)
}

fn is_word_part(c: char) -> bool {
    c.is_alphanumeric() || is_mark(c)
}

/// Combining marks (accents, vowel signs), which `char` does not call alphabetic throughout.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{903}' | '\u{93a}'..='\u{94f}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}')
}
