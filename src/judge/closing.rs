//! The result in the last sentence of an answer that announces none: "so there are 14 left".

use super::asked::Asked;
use super::number::{self, Found, Quantity};

/// Before the result of a sentence.
const COPULAS: [&str; 38] = [
    "is",
    "are",
    "was",
    "were",
    "be",
    "been",
    "to",
    "of",
    "equals",
    "equal",
    "costs",
    "cost",
    "has",
    "have",
    "had",
    "makes",
    "make",
    "made",
    "get",
    "gets",
    "got",
    "gives",
    "give",
    "only",
    "approximately",
    "about",
    "exactly",
    "paid",
    "spent",
    "spend",
    "earned",
    "earns",
    "needs",
    "need",
    "left",
    "ist",
    "sind",
    "est",
];

/// Phrases by which a sentence compares two numbers, and whether its subject is the greater.
const COMPARISONS: [(&str, bool); 10] = [
    ("greater than", true),
    ("larger than", true),
    ("bigger than", true),
    ("higher than", true),
    ("more than", true),
    ("less than", false),
    ("smaller than", false),
    ("lower than", false),
    ("lesser than", false),
    ("fewer than", false),
];

/// The last sentence of a text.
pub fn last_sentence(text: &str) -> &str {
    let body = text.trim_end().trim_end_matches(['.', '!', '。', ' ', '\n']);
    let mut start = 0;
    for (at, c) in body.char_indices() {
        let after = &body[at + c.len_utf8()..];
        let ends = match c {
            '\n' | '。' | '！' => true,
            '.' | '!' | '?' => after.starts_with(char::is_whitespace) && !list_mark(&body[..at]),
            _ => false,
        };
        if ends && !after.trim().is_empty() {
            start = at + c.len_utf8();
        }
    }
    body[start..].trim()
}

/// The full stop of "1." at the start of a line ends no sentence.
fn list_mark(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default().trim();
    !line.is_empty() && line.len() <= 3 && line.bytes().all(|b| b.is_ascii_digit())
}

/// The number in which the last sentence ends up, if only one can be meant.
pub fn number(closing: &str, asked: &Asked<'_>) -> Option<Quantity> {
    if !asked.number || closing.is_empty() {
        return None;
    }
    let cleaned = number::cleaned(closing);
    let sentence = last_sentence(&cleaned);
    let found = number::find(sentence);
    let in_question = number::find(&number::cleaned(asked.question));
    let is_new =
        |one: &Found| !in_question.iter().any(|known| known.quantity.value == one.quantity.value);
    if let Some(one) = compared(sentence, &found, asked) {
        return one;
    }
    if let Some(at) = sentence.rfind(['=', '≈']) {
        let mut after = found.iter().filter(|one| one.start > at);
        if let (Some(one), None) = (after.next(), after.next())
            && only_sign(&sentence[at..one.start])
        {
            return Some(one.quantity);
        }
        return None;
    }
    let last = found.last()?;
    if found.len() == 1 || is_said(sentence, last) {
        return Some(last.quantity);
    }
    let mut new = found.iter().filter(|one| is_new(one));
    match (new.next(), new.next()) {
        (Some(one), None) => Some(one.quantity),
        _ => None,
    }
}

/// Between an equals sign and its number nothing else stands.
fn only_sign(between: &str) -> bool {
    between.chars().all(|c| !c.is_alphanumeric())
}

/// Whether a copula or its like stands right before the number, and nothing but a unit after it.
fn is_said(sentence: &str, one: &Found) -> bool {
    let before = sentence[..one.start].trim_end_matches(['$', ' ', '\\', '(', '*']);
    let word = before.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    let after = &sentence[one.end..];
    COPULAS.contains(&&*word.to_lowercase()) && after.split_whitespace().count() <= 3
}

/// Of "9.9 is larger than 9.11" the number that the question asks for. `Some(None)` for a
/// comparison that we cannot read.
fn compared(sentence: &str, found: &[Found], asked: &Asked<'_>) -> Option<Option<Quantity>> {
    let question = super::finals::folded(asked.question);
    let asks = |words: &[&str]| words.iter().any(|word| question.contains(word));
    let greater = asks(&["bigger", "larger", "greater", "higher", "largest", "biggest", "maximum"]);
    let smaller = asks(&["smaller", "lesser", "lower", "less", "smallest", "minimum"]);
    let [first, second] = offered(asked)?;
    let of_two = |one: &Found| one.quantity.value == first || one.quantity.value == second;
    let lower = super::finals::folded(sentence);
    // "13.9 is the smaller number", "making 9.110 the smaller number", "13.9 is smaller".
    let claims = ["smaller", "larger", "bigger", "greater", "lesser", "higher", "lower", "less"];
    let claim = claims.iter().filter_map(|word| Some((lower.rfind(word)?, *word))).max()?;
    let than = lower[claim.0 + claim.1.len()..].starts_with(" than");
    let subject = found.iter().rfind(|one| one.end <= claim.0 && of_two(one))?;
    if !than {
        return Some(Some(subject.quantity));
    }
    let (_, is_greater) =
        COMPARISONS.iter().find(|(words, _)| lower[claim.0..].starts_with(words))?;
    let object = found.iter().find(|one| one.start > claim.0)?;
    // Digits and places are compared as well as the numbers themselves.
    let object =
        number::close(object.quantity.value, first) || number::close(object.quantity.value, second);
    if !object || greater == smaller {
        return Some(None);
    }
    let other = if subject.quantity.value == first { second } else { first };
    let meant = if *is_greater == greater { subject.quantity.value } else { other };
    Some(found.iter().find(|one| one.quantity.value == meant).map(|one| one.quantity))
}

/// The two numbers of a question that offers two.
fn offered(asked: &Asked<'_>) -> Option<[f64; 2]> {
    let question = number::cleaned(asked.question);
    let mut values: Vec<f64> =
        number::find(&question).iter().map(|one| one.quantity.value).collect();
    values.dedup();
    match values.as_slice() {
        [a, b] => Some([*a, *b]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(question: &str, closing: &str) -> Option<f64> {
        number(closing, &Asked::of(question)).map(|quantity| quantity.value)
    }

    #[test]
    fn one_number_can_be_meant() {
        let q = "How many of the 30 apples are left after he eats 16?";
        for (closing, expected) in [
            ("He eats 16. So there are 14 apples left.", Some(14.0)),
            ("That leaves 30 - 16 = 14 apples.", Some(14.0)),
            ("Of 30 apples he has 14.", Some(14.0)),
            ("He ate 16 of 30 apples and then 2 of the 3 others.", None),
            ("We cannot know.", None),
            ("2. So 3. 14 are left.", Some(14.0)),
        ] {
            assert_eq!(value(q, closing), expected, "{closing}");
        }
        assert_eq!(value("Tell me a story.", "There were 3 pigs."), None);
    }

    #[test]
    fn comparisons_name_what_was_asked() {
        let q = "Which number is smaller, 9.9 or 9.11?";
        for (closing, expected) in [
            ("Therefore, 9.11 is smaller than 9.9.", Some(9.11)),
            ("9.9 is greater than 9.11.", Some(9.11)),
            ("So 9.9 is the smaller number.", Some(9.9)),
            ("This makes 9.11 the smaller number.", Some(9.11)),
        ] {
            assert_eq!(value(q, closing), expected, "{closing}");
        }
        assert_eq!(value("Which is bigger, 9.9 or 9.11?", "9.11 is less than 9.9."), Some(9.9));
    }

    #[test]
    fn sentences_end_where_they_end() {
        assert_eq!(last_sentence("One. Two is 2.5."), "Two is 2.5");
        assert_eq!(last_sentence("答案如下。选D。"), "选D");
        assert_eq!(last_sentence("a:\n1. first"), "1. first");
        assert_eq!(last_sentence(""), "");
    }
}
