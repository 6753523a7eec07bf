//! Years: a text that names one asks for history. Most numbers of four digits are none (an order, a
//! flight, a postal code), so a year is one by the word before it.

use super::Words;

/// What stands before a year.
#[rustfmt::skip]
const BEFORE_A_YEAR: [&str; 33] = [
    "in", "of", "since", "during", "year", "from", "until", "till", "by", "before", "after",
    "between", "spring", "summer", "autumn", "fall", "winter", "january", "february", "march",
    "april", "may", "june", "july", "august", "september", "october", "november", "december",
    // German, French, Spanish.
    "seit", "jahr", "année", "año",
];

/// Behind a year that stands first: "the 1966 final".
#[rustfmt::skip]
const AFTER_A_YEAR: [&str; 17] = [
    "world", "cup", "final", "finals", "election", "elections", "season", "olympics", "olympic",
    "super", "championship", "championships", "race", "debate", "referendum", "census", "edition",
];

/// Verbs of what is over: "Who was king 1715?"
#[rustfmt::skip]
const PAST: [&str; 12] = [
    "was", "were", "did", "had", "won", "became", "came", "began", "happened", "died", "took",
    "ruled",
];

impl Words<'_> {
    pub(super) fn names_a_year(&self) -> bool {
        self.years().next().is_some()
    }

    /// A year that is history by now, whenever now is.
    pub(super) fn has_year_gone_by(&self) -> bool {
        self.years().any(|year| year <= 2019)
    }

    /// A number that may be a year: enough to keep an answer from being called timeless.
    pub(super) fn may_name_a_year(&self) -> bool {
        let numbers = self.list.iter().filter(|word| word.len() == 4);
        numbers.filter_map(|word| word.parse().ok()).any(|year| (1000..=2100).contains(&year))
    }

    fn years(&self) -> impl Iterator<Item = u32> + '_ {
        self.list.iter().enumerate().filter_map(|(at, word)| {
            let year = word.parse().ok().filter(|year| word.len() == 4 && is_year(*year))?;
            self.is_dated(at).then_some(year)
        })
    }

    /// Whether the number there stands where years do.
    fn is_dated(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1).map(|at| self.list[at]) else { return false };
        let is_last = at + 1 == self.list.len();
        BEFORE_A_YEAR.contains(&before)
            || is_last && self.list[..at].iter().any(|word| PAST.contains(word))
            || before == "the"
                && self.list.get(at + 1).is_some_and(|next| AFTER_A_YEAR.contains(next))
    }
}

/// A year that people ask about as one.
fn is_year(number: u32) -> bool {
    (1500..=2099).contains(&number)
}
