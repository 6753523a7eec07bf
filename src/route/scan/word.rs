//! The word that the scan is reading: its form in the lexicon, and its shape.

/// Longest word that is looked up in the lexicon, in bytes.
const MAX_WORD: usize = 16;

/// The word being read: lower-case letters without accents, and its shape.
#[derive(Default)]
pub struct Word {
    bytes: [u8; MAX_WORD],
    /// Letters.
    pub length: usize,
    pub hash: u64,
    /// A capital follows a small letter.
    pub camel: bool,
    last_was_lower: bool,
    plain: bool,
}

impl Word {
    /// Takes a letter or an apostrophe.
    pub fn push(&mut self, character: char) {
        if self.length == 0 {
            self.plain = true;
        }
        let lower = character.to_ascii_lowercase();
        if character.is_ascii_uppercase() && self.last_was_lower {
            self.camel = true;
        }
        self.last_was_lower = character.is_ascii_lowercase();
        self.hash = (self.hash ^ u64::from(u32::from(lower))).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        match base(lower) {
            None => self.plain = false,
            Some(byte) if self.length < MAX_WORD => self.bytes[self.length] = byte,
            Some(_) => {}
        }
        self.length += 1;
    }

    /// The word in lower case and without accents, if it is short and Latin.
    pub fn ascii(&self) -> Option<&str> {
        let fits = self.plain && self.length <= MAX_WORD;
        fits.then(|| std::str::from_utf8(&self.bytes[..self.length]).ok()).flatten()
    }
}

/// The ASCII letter under the accent, as the lexicon spells it.
fn base(character: char) -> Option<u8> {
    if let Ok(byte) = u8::try_from(character)
        && byte.is_ascii()
    {
        return Some(byte);
    }
    Some(match character {
        'à'..='å' | 'À'..='Å' => b'a',
        'ç' | 'Ç' => b'c',
        'è'..='ë' | 'È'..='Ë' => b'e',
        'ì'..='ï' | 'Ì'..='Ï' => b'i',
        'ñ' | 'Ñ' => b'n',
        'ò'..='ö' | 'Ò'..='Ö' => b'o',
        'ù'..='ü' | 'Ù'..='Ü' => b'u',
        'ß' => b's',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Word {
        let mut word = Word::default();
        text.chars().for_each(|letter| word.push(letter));
        word
    }

    #[test]
    fn accents_come_off_and_other_scripts_are_not_looked_up() {
        assert_eq!(read("Übersetze").ascii(), Some("ubersetze"));
        assert_eq!(read("Démontrez").ascii(), Some("demontrez"));
        assert_eq!(read("diseñar").ascii(), Some("disenar"));
        assert_eq!(read("don't").ascii(), Some("don't"));
        assert_eq!(read("слово").ascii(), None);
        assert_eq!(read("incomprehensibilities").ascii(), None);
        assert!(read("readLine").camel && !read("Line").camel);
        assert_eq!(read("día").length, 3);
    }
}
