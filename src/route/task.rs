//! What is asked, as far as the place of the words tells: an order or a question opens a prompt or
//! closes it, and what stands between is material. A page to be translated is long and easy.
//!
//! O(1): at most [`REACH`] characters are read at either end.

use super::lexicon::Group;
use super::scan::Scan;

/// Characters of a sentence that are read.
const REACH: usize = 240;
/// A sentence shorter than this is a greeting or an abbreviation; what follows belongs to it.
const LEAST: usize = 24;

/// The opening and the closing sentence of a prompt.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Task {
    opening: Scan,
    /// Empty where the prompt is one sentence.
    closing: Scan,
}

impl Task {
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        let opening = opening(text);
        let closing = closing(&text[opening.len()..]);
        Self { opening: Scan::of(opening), closing: Scan::of(closing) }
    }

    /// Characters of both sentences.
    pub fn chars(&self) -> usize {
        self.opening.chars + self.closing.chars
    }

    /// Words of the group in both.
    pub fn group(&self, group: Group) -> usize {
        self.opening.group(group) + self.closing.group(group)
    }

    /// The closing sentence asks.
    pub fn closes_with_question(&self) -> bool {
        self.closing.ends_with_question
    }
}

/// Up to the first end of a line or sentence behind [`LEAST`] characters.
fn opening(text: &str) -> &str {
    let mut previous = ' ';
    for (count, (at, character)) in text.char_indices().enumerate() {
        let ends = character.is_whitespace() && ends_sentence(previous);
        if count >= REACH || (count >= LEAST && (character == '\n' || ends)) {
            return &text[..at];
        }
        previous = character;
    }
    text
}

/// From behind the last end of a line or sentence that leaves [`LEAST`] characters.
fn closing(text: &str) -> &str {
    let text = text.trim();
    let mut next = ' ';
    for (count, (at, character)) in text.char_indices().rev().enumerate() {
        let ends = ends_sentence(character) && next.is_whitespace();
        if count >= REACH || (count >= LEAST && (character == '\n' || ends)) {
            return &text[at + character.len_utf8()..];
        }
        next = character;
    }
    text
}

fn ends_sentence(character: char) -> bool {
    matches!(character, '.' | '?' | '!' | ':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LETTER: &str = "Dear Sir, the boat was late. We design and prove nothing here. Regards";

    #[test]
    fn the_order_is_found_at_either_end_and_the_material_is_not_read() {
        let before = Task::of(&format!(
            "Translate the letter into German:\n\n{LETTER}\n\nYours sincerely, Ada Brunn"
        ));
        let after = Task::of(&format!("{LETTER}\n\nPlease translate this into German"));
        for task in [before, after] {
            assert_eq!(task.group(Group::Transforms), 1);
            assert_eq!(task.group(Group::Proves), 0);
        }
        assert!(
            Task::of("It rains. We stay at home and read. Why is that so, my dear?")
                .closes_with_question()
        );
    }

    #[test]
    fn one_sentence_is_the_opening() {
        let task = Task::of("Prove it. Now.");
        assert_eq!((task.chars(), task.closing.chars), (14, 0));
        assert_eq!(Task::of(" \n "), Task::default());
    }

    proptest! {
        #[test]
        fn ends_are_parts_of_any_text(text in "\\PC{0,80}|[a-zé.\n ?]{0,900}") {
            let trimmed = text.trim();
            let opening = opening(trimmed);
            let closing = closing(&trimmed[opening.len()..]);
            prop_assert!(opening.chars().count() <= REACH && closing.chars().count() <= REACH);
            prop_assert!(trimmed.starts_with(opening) && trimmed.ends_with(closing));
        }
    }
}
