//! An estimate of tokens from text alone, in one pass, for every model alike. It decides whether a
//! request fits a context window and prices what a provider did not count; it bills nobody.
//!
//! Byte-pair encodings cut text at word borders first, so the estimate counts words: a run of
//! letters costs one token for every seven letters begun (a capital after a small letter begins a
//! run; one beyond fourteen letters is hardly a word and costs one for every three), a run of digits
//! one for every three, a run of punctuation one for every two, white space beyond a blank one. Accented Latin costs one
//! for every four letters, other alphabets one for every two, and CJK characters one each, emoji two:
//! the upper side of what current encodings do with them.

/// What a character adds to the run it stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Punctuation,
    Space,
    Accented,
    Alphabet,
    Ideograph,
    Symbol,
}

impl Class {
    fn of(c: char) -> Self {
        match c {
            'a'..='z' | 'A'..='Z' => Self::Letter,
            '0'..='9' => Self::Digit,
            ' ' | '\t' | '\n' | '\r' => Self::Space,
            c if c.is_ascii() => Self::Punctuation,
            '\u{c0}'..='\u{24f}' => Self::Accented,
            '\u{80}'..='\u{bf}' | '\u{2000}'..='\u{206f}' => Self::Punctuation,
            '\u{2e80}'..='\u{a4cf}'
            | '\u{ac00}'..='\u{d7af}'
            | '\u{f900}'..='\u{faff}'
            | '\u{ff00}'..='\u{ffef}'
            | '\u{20000}'..='\u{3ffff}' => Self::Ideograph,
            c if c.is_alphanumeric() => Self::Alphabet,
            // Combining marks of other scripts are neither letters nor symbols.
            '\u{300}'..='\u{1fff}' => Self::Alphabet,
            _ => Self::Symbol,
        }
    }

    /// Tokens of a run of `length` such characters.
    fn tokens(self, length: u64) -> u64 {
        match self {
            Self::Letter if length <= 14 => length.div_ceil(7),
            Self::Letter | Self::Digit => length.div_ceil(3),
            Self::Punctuation | Self::Alphabet => length.div_ceil(2),
            Self::Accented => length.div_ceil(4),
            Self::Space => u64::from(length > 1),
            Self::Ideograph => length,
            Self::Symbol => 2 * length,
        }
    }
}

/// Tokens of a text, estimated.
pub fn estimate_tokens(text: &str) -> u64 {
    let (mut total, mut run, mut length) = (0, Class::Space, 0);
    let mut small = false;
    for c in text.chars() {
        let class = match Class::of(c) {
            // An accent anywhere in a word makes the whole word dearer.
            Class::Letter if run == Class::Accented => Class::Accented,
            class => class,
        };
        if class == Class::Accented && run == Class::Letter {
            run = Class::Accented;
        }
        let hump = class == Class::Letter && small && c.is_ascii_uppercase();
        small = c.is_ascii_lowercase();
        if class != run || hump {
            total += run.tokens(length);
            (run, length) = (class, 0);
        }
        length += 1;
    }
    total + run.tokens(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_texts_are_near_their_tokens() {
        // Counted with the o200k encoding.
        for (text, tokens) in [
            ("The quick brown fox jumps over the lazy dog.", 10),
            ("What is the capital of France?", 7),
            ("hello world", 2),
        ] {
            let estimate = estimate_tokens(text);
            assert!(estimate.abs_diff(tokens) <= 2, "{text}: {estimate} for {tokens}");
        }
        assert_eq!(estimate_tokens(""), 0);
        assert_eq!(estimate_tokens("1234567"), 3);
        assert_eq!(estimate_tokens("日本語"), 3);
        assert_eq!(estimate_tokens("🙂"), 2);
    }

    #[test]
    fn more_text_is_never_fewer_tokens() {
        let text = "Ein größeres Beispiel: naïve café, 12345 Wörter — и ещё 日本 🙂.\n\n\tEnde";
        let mut last = 0;
        for (at, _) in text.char_indices() {
            let estimate = estimate_tokens(&text[..at]);
            assert!(estimate >= last, "{:?}", &text[..at]);
            last = estimate;
        }
    }
}
