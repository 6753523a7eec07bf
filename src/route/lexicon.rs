//! The words that the surface features count, in groups. Sorted tables, so that a word costs two
//! binary searches; a new word is one line, a new group is one variant.

mod english;
mod foreign;

/// What a word hints at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Group {
    /// who, what, when, where, which: a fact is asked.
    Asks,
    /// why, how: an explanation is asked.
    Explains,
    /// prove, derive, theorem: formal reasoning.
    Proves,
    /// calculate, solve, determine: a result is to be worked out.
    Computes,
    /// write, create, draft: a text is to be made.
    Writes,
    /// design, architecture, optimise: a construction is to be thought out.
    Designs,
    /// compare, analyse, discuss: several things are to be weighed.
    Weighs,
    /// translate, summarise, rewrite: a given text is to be changed.
    Transforms,
    /// function, python, algorithm: the matter is software.
    Codes,
    /// must, exactly, without: the answer is under conditions.
    Constrains,
    /// not, except, never.
    Negates,
    /// if, suppose, therefore: a chain of thought is laid out.
    Reasons,
    /// each, total, twice, percent: quantities are related.
    Counts,
    /// equation, integer, polynomial: the matter is mathematics.
    Maths,
    /// the, of, and: English running text.
    Common,
    /// hello, please, thanks.
    Greets,
}

impl Group {
    pub const COUNT: usize = Self::Greets as usize + 1;
}

/// The group of a lower-case ASCII word.
pub(super) fn group_of(word: &str) -> Option<Group> {
    [english::WORDS, foreign::WORDS].into_iter().find_map(|words| {
        let place = words.binary_search_by(|(entry, _)| (*entry).cmp(word)).ok()?;
        Some(words[place].1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = &'static (&'static str, Group)> {
        english::WORDS.iter().chain(foreign::WORDS)
    }

    #[test]
    fn tables_are_sorted_lower_case_and_without_repeats() {
        for words in [english::WORDS, foreign::WORDS] {
            assert!(words.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
        assert!(all().all(|(word, _)| word.chars().all(|c| c.is_ascii_lowercase() || c == '\'')));
    }

    #[test]
    fn every_group_has_words_and_is_found() {
        // A word in both tables would be found in the first only.
        for (word, group) in all() {
            assert_eq!(group_of(word), Some(*group), "{word}");
        }
        for index in 0..Group::COUNT {
            assert!(all().any(|(_, group)| *group as usize == index), "group {index}");
        }
        assert_eq!(group_of("zebra"), None);
    }
}
