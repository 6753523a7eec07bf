//! English words that mean something only by what stands around them or by how they are written:
//! ordinals, Roman numerals, May and March, *I don't know*.

use super::{is_negation, number};

/// `twenty` and `one` are 21, which *one* alone would not be.
pub(crate) fn compound(tens: &str, word: &str) -> Option<u32> {
    let tens: u32 = number(tens)?.parse().ok().filter(|n| (20..100).contains(n) && n % 10 == 0)?;
    let unit: u32 = rank(word).or_else(|| number(word))?.parse().ok()?;
    (1..10).contains(&unit).then_some(tens + unit)
}

/// A count or fraction by a word that mostly counts nothing (*the one that*, *a second*, *at first*).
pub(crate) fn rank(word: &str) -> Option<&'static str> {
    Some(match word {
        "one" | "first" | "once" => "1",
        "second" | "twice" | "double" => "2",
        "third" | "thrice" | "triple" => "3",
        "half" => "1/2",
        "quarter" => "1/4",
        _ => return None,
    })
}

/// A Roman numeral of at least two of the letters I, V and X in capitals (`Henry VIII`): with the
/// others it is as often an abbreviation.
pub(crate) fn roman(token: &str) -> Option<u32> {
    let values: Option<Vec<u32>> = token
        .chars()
        .take(9)
        .map(|c| match c {
            'I' => Some(1),
            'V' => Some(5),
            'X' => Some(10),
            _ => None,
        })
        .collect();
    let values = values.filter(|values| (2..=8).contains(&values.len()))?;
    let mut sum = 0;
    for (place, value) in values.iter().enumerate() {
        let is_taken_off = values.get(place + 1).is_some_and(|next| next > value);
        // Added first, so that `IX` never runs below nothing.
        sum = if is_taken_off { sum + 1000 - value } else { sum + value };
    }
    Some(sum % 1000)
}

/// May and March, which are other words as well, where what stands before them says that they are
/// months, or a capital within the text does.
pub(crate) fn month_in_context(
    word: &str,
    has_capital: bool,
    before: Option<&str>,
) -> Option<&'static str> {
    let month = match word {
        "may" => "may",
        "march" => "mar",
        _ => return None,
    };
    let before = before.unwrap_or_default().to_lowercase();
    let is_dated = before.starts_with(|c: char| c.is_ascii_digit())
        || ["in", "since", "until", "till", "by", "during", "last", "next", "early", "late", "mid"]
            .contains(&before.as_str());
    (has_capital || is_dated).then_some(month)
}

/// A time that a question may leave out or spell out without asking for another.
pub(crate) fn goes_without_saying(day: &str) -> bool {
    matches!(
        day,
        "today"
            | "morning"
            | "noon"
            | "afternoon"
            | "evening"
            | "night"
            | "midnight"
            | "spring"
            | "summer"
            | "autumn"
            | "winter"
    )
}

/// A word without the `'s` of a possessive.
pub(crate) fn bare(word: &str) -> &str {
    word.strip_suffix("'s").unwrap_or(word)
}

/// Negations that say how the caller fares and not what is asked: `I don't know how to`, `I cannot
/// find`, `I'm not sure`.
pub(crate) fn idle_negations(words: &[String]) -> usize {
    let starts = words.iter().enumerate().filter(|(_, word)| matches!(word.as_str(), "i" | "i'm"));
    starts.filter(|(place, _)| is_idle(&words[place + 1..])).count()
}

fn is_idle(behind: &[String]) -> bool {
    let mut words = behind.iter().map(String::as_str);
    let mut next = words.next().unwrap_or_default();
    let not = match next {
        "not" => true,
        "do" | "did" | "can" | "could" | "am" => {
            next = words.next().unwrap_or_default();
            next == "not"
        }
        contracted => is_negation(contracted) && contracted != "never",
    };
    let verb = words.next().unwrap_or_default();
    let seem_to = verb == "seem" && words.next() == Some("to");
    let verb = if seem_to { words.next().unwrap_or_default() } else { verb };
    not && ["know", "remember", "recall", "understand", "find", "locate", "figure", "see", "sure"]
        .contains(&verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerals_are_told_from_abbreviations() {
        let values = ["II", "IV", "IX", "XIX", "XIV", "VIII"].map(roman);
        assert_eq!(values, [Some(2), Some(4), Some(9), Some(19), Some(14), Some(8)]);
        for text in ["I", "CV", "MIX", "ii", "XIXIXIXIX", ""] {
            assert_eq!(roman(text), None, "{text}");
        }
    }

    #[test]
    fn tens_and_units_are_one_number() {
        assert_eq!(compound("twenty", "one"), Some(21));
        assert_eq!(compound("ninety", "ninth"), Some(99));
        for (before, word) in
            [("ten", "two"), ("twenty", "ten"), ("one", "two"), ("hundred", "two")]
        {
            assert_eq!(compound(before, word), None, "{before} {word}");
        }
    }

    #[test]
    fn may_and_march_need_a_sign_that_they_are_months() {
        assert_eq!(month_in_context("may", false, Some("in")), Some("may"));
        assert_eq!(month_in_context("march", false, Some("5")), Some("mar"));
        assert_eq!(month_in_context("may", true, Some("of")), Some("may"));
        assert_eq!(month_in_context("may", false, Some("i")), None);
        assert_eq!(month_in_context("march", false, None), None);
    }

    #[test]
    fn idle_negations_are_the_callers_own() {
        let idle = |text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            idle_negations(&words)
        };
        for text in [
            "i don't know how",
            "help i can not find it",
            "i'm not sure",
            "i cannot seem to see it",
        ] {
            assert_eq!(idle(text), 1, "{text}");
        }
        for text in ["i do not eat meat", "you don't know me", "i know", "not i", "i don't", "i"] {
            assert_eq!(idle(text), 0, "{text}");
        }
    }
}
