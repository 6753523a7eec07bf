//! Unicode forms of one text brought to one: what looks the same to a reader is the same to the
//! verifier. Pure; not a full NFKC, which would need tables that the rest of the gateway does not:
//! width, decimal digits of any script, and accents written apart, as some keyboards do.

use std::borrow::Cow;

/// Zero of each script whose decimal digits stand in order behind it.
#[rustfmt::skip]
const ZEROS: [u32; 21] = [
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66,
    0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x17e0, 0x1810, 0x1d7ce, 0x1d7d8, 0x1d7f6,
];

/// Each base letter with what it becomes under grave, acute, circumflex, tilde, diaeresis, ring,
/// cedilla; a hyphen where there is no such letter.
#[rustfmt::skip]
const COMPOSED: [(char, &str); 14] = [
    ('a', "àáâãäå-"), ('e', "èéêẽë--"), ('i', "ìíîĩï--"), ('o', "òóôõö--"), ('u', "ùúûũüů-"),
    ('c', "-ćĉ---ç"), ('n', "ǹń-ñ---"), ('A', "ÀÁÂÃÄÅ-"), ('E', "ÈÉÊẼË--"), ('I', "ÌÍÎĨÏ--"),
    ('O', "ÒÓÔÕÖ--"), ('U', "ÙÚÛŨÜŮ-"), ('C', "-ĆĈ---Ç"), ('N', "ǸŃ-Ñ---"),
];
const MARKS: [char; 7] =
    ['\u{300}', '\u{301}', '\u{302}', '\u{303}', '\u{308}', '\u{30a}', '\u{327}'];

/// The text with full-width forms and digits of any script in ASCII, accents joined to their
/// letters, and without characters that no reader sees.
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Soft hyphen, zero-width space, byte order mark.
            '\u{ad}' | '\u{200b}' | '\u{feff}' => {}
            '\u{3000}' => folded.push(' '),
            _ => {
                let plain = plain(c);
                match folded.pop() {
                    Some(base) => match compose(base, plain) {
                        Some(joined) => folded.push(joined),
                        None => folded.extend([base, plain]),
                    },
                    None => folded.push(plain),
                }
            }
        }
    }
    Cow::Owned(folded)
}

fn plain(c: char) -> char {
    let code = u32::from(c);
    let ascii = match code {
        0xff01..=0xff5e => Some(code - 0xfee0),
        _ => ZEROS
            .iter()
            .find(|zero| (**zero..**zero + 10).contains(&code))
            .map(|zero| u32::from('0') + code - zero),
    };
    ascii.and_then(char::from_u32).unwrap_or(c)
}

fn compose(base: char, mark: char) -> Option<char> {
    let place = MARKS.iter().position(|known| *known == mark)?;
    let (_, letters) = COMPOSED.iter().find(|(letter, _)| *letter == base)?;
    letters.chars().nth(place).filter(|joined| *joined != '-')
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn one_form_for_what_looks_the_same() {
        for (text, folded) in [
            ("５ｋｍ？", "5km?"),
            ("٢٠٢٤", "2024"),
            ("१२ किलो", "12 किलो"),
            ("cafe\u{301} a\u{300} la garc\u{327}on", "café à la garçon"),
            ("Mu\u{308}nchen\u{ad}er", "Münchener"),
            ("全角\u{3000}空白", "全角 空白"),
            ("q\u{308}", "q\u{308}"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn what_means_something_else_stays() {
        for text in ["10²", "½", "①", "naïve", "Ⅻ", "x\u{302}", "日本"] {
            assert_eq!(fold(text), text);
        }
    }
}
