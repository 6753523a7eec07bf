//! Are two answers the same? Three verdicts, because a wrong label does more harm than none: this
//! first judge speaks where text alone decides and abstains otherwise.

pub mod model;
pub mod rates;

/// What a judge says of two answers to what may be one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Same,
    Different,
    CannotTell,
}

/// Answers of at most so many words are statements that can be held against each other word by
/// word; longer ones may say one thing in two ways.
const SHORT: usize = 6;

/// Compares two answers by their words, whatever case, punctuation and white space.
pub fn compare(a: &str, b: &str) -> Verdict {
    let (a, b) = (words(a), words(b));
    if a.is_empty() || b.is_empty() {
        Verdict::CannotTell
    } else if a == b {
        Verdict::Same
    } else if a.len() <= SHORT && b.len() <= SHORT {
        Verdict::Different
    } else {
        Verdict::CannotTell
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_decide_and_length_abstains() {
        let long = "It depends on the weather, the road and on how fast you mean to drive today.";
        for (a, b, verdict) in [
            ("Paris.", "paris", Verdict::Same),
            ("Paris", "Lyon", Verdict::Different),
            ("42", "43", Verdict::Different),
            (long, long, Verdict::Same),
            (long, "That depends on weather and road.", Verdict::CannotTell),
            ("", "Paris", Verdict::CannotTell),
        ] {
            assert_eq!(compare(a, b), verdict, "{a} / {b}");
            assert_eq!(compare(b, a), verdict, "{b} / {a}");
        }
    }
}
