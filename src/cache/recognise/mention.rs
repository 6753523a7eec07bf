//! Words of the present that ask for nothing of today: the asker's own story, history, a work's title,
//! a word that is asked about, the first half of a thing's name.

use super::super::words::{HISTORY, NARRATORS, OF_ANY_ONE, THINGS, WORKS};
use super::Words;

impl Words<'_> {
    /// "Last year I planted roses", "I recently moved": the asker's own story.
    pub(super) fn is_narrated(&self, at: usize, phrase: &str) -> bool {
        const WHAT_NOW: [&str; 5] =
            ["how do i", "how can i", "what should i", "what can i", "should i"];
        let begins = self.list.first().is_some_and(|word| NARRATORS.contains(word));
        if begins && WHAT_NOW.iter().any(|question| self.has(question)) {
            return true;
        }
        let narrates = |at: usize| self.list.get(at).is_some_and(|word| NARRATORS.contains(word));
        narrates(at + phrase.split(' ').count()) || at > 0 && narrates(at - 1)
    }

    /// "A song about yesterday".
    pub(super) fn is_of_a_work(&self, at: usize) -> bool {
        at > 1
            && matches!(self.list[at - 1], "about" | "called" | "titled" | "named")
            && self.list[..at].iter().any(|word| WORKS.contains(word))
    }

    /// A topic that is only the first half of a thing's name, or of which any one is meant: "a
    /// weather station", "in a forecast".
    pub(super) fn is_of_no_day(&self, at: usize, phrase: &str) -> bool {
        let next = self.list.get(at + phrase.split(' ').count());
        if next.is_some_and(|word| THINGS.contains(word)) {
            return true;
        }
        let before = |back: usize| at.checked_sub(back).map(|at| self.list[at]);
        // "What are interest rates?": the thing itself; but "what is trending?" is of today.
        if next.is_none()
            && phrase != "trending"
            && at <= 2
            && (self.list[..at] == ["what", "is"] || self.list[..at] == ["what", "are"])
        {
            return true;
        }
        let habit = |word| matches!(word, Some("reading" | "watching" | "following"));
        if matches!(phrase, "the news") && habit(before(1)) || phrase == "news" && habit(before(2))
        {
            return true;
        }
        matches!(before(1), Some("a" | "an"))
            && before(2).is_some_and(|word| OF_ANY_ONE.contains(&word))
    }

    /// "What was the exchange rate when the euro came?"
    pub(super) fn asks_for_history(&self) -> bool {
        HISTORY.iter().any(|opening| self.opens_with(opening))
    }

    /// What does the word "nowadays" mean?
    pub(super) fn asks_for_a_word(&self) -> bool {
        const KINDS: [&str; 5] = ["word", "term", "phrase", "expression", "idiom"];
        // The word itself follows; "the word of the day" is to be named yet.
        const NO_WORD: [&str; 10] =
            ["of", "for", "on", "in", "from", "that", "which", "used", "people", "everyone"];
        let follows = |two: &[&str]| KINDS.contains(&two[0]) && !NO_WORD.contains(&two[1]);
        self.list.windows(2).any(follows)
            && ["what does", "what is", "define"].iter().any(|opening| self.opens_with(opening))
    }
}
