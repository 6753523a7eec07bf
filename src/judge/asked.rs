//! What a question asks for, as far as that tells how its answers compare: options to choose from,
//! a number, the output of code, yes or no, a name.

use super::finals::{folded, head, tail};
use super::lexicon::{ASKS_AMOUNT, ASKS_NAME, ASKS_NUMBER, POLAR};
use super::number;
use super::words;

/// Bytes of a question that are read, from its end: options and the question proper stand there.
const READ: usize = 16_000;

/// The bearing of a question on its answers.
#[derive(Debug, Clone)]
pub struct Asked<'q> {
    pub question: &'q str,
    /// The texts of options A, B, C …; empty where the question offers none.
    pub options: Vec<String>,
    pub number: bool,
    /// Asks for a number in so many words: how many, how much.
    pub amount: bool,
    pub output: bool,
    pub polar: bool,
    pub name: bool,
}

impl<'q> Asked<'q> {
    pub fn of(question: &'q str) -> Asked<'q> {
        let question = tail(question, READ);
        let lower = folded(question);
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let output = lower.contains("assert") && lower.contains("==")
            || has(&["output of", "the output", "will this print", "code print", "printed by"])
            || lower.contains("what does") && has(&["return", "print", "evaluate to"]);
        let mut words = lower.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '\'');
        let first = words.find(|word| !word.is_empty()).unwrap_or_default();
        let name = words.any(|word| ASKS_NAME.contains(&word))
            || ASKS_NAME.contains(&first)
            || ['谁', '哪'].iter().any(|c| lower.contains(*c))
            // Nothing is known of what was asked: two bare names still are two answers.
            || lower.trim().is_empty();
        Asked {
            question,
            options: if output { Vec::new() } else { options(question) },
            number: has(ASKS_NUMBER),
            amount: has(ASKS_AMOUNT),
            output,
            polar: POLAR.contains(&first),
            name,
        }
    }

    /// Whether both numbers stand in the question as things to choose between.
    pub fn offers(&self, a: f64, b: f64) -> bool {
        let found = number::find(&number::cleaned(head(self.question, 2000)));
        let has = |value: f64| found.iter().any(|f| f.quantity.value == value);
        has(a) && has(b)
    }

    /// Whether the question contains these words in this order: an answer that repeats them chose
    /// among what it was offered.
    pub fn mentions(&self, answer: &[String]) -> bool {
        let words = words::tokens(head(self.question, 4000));
        !answer.is_empty() && words.windows(answer.len()).any(|window| window == answer)
    }
}

/// The last row of labels A, B, C … in a text, with what stands behind each.
fn options(question: &str) -> Vec<String> {
    let labels = labels(question);
    // Letters within the options' own texts ("Company A: …") stand within lines.
    let begins = |(_, start, _): &&(u8, usize, usize)| {
        question[..*start].trim_end_matches([' ', '\t', '(']).ends_with('\n')
    };
    let lines: Vec<_> = labels.iter().filter(begins).copied().collect();
    let in_lines = row(&lines, question);
    if in_lines.len() >= 2 { in_lines } else { row(&labels, question) }
}

/// The texts behind the labels from the last A on, each the next letter; further ones are text.
fn row(labels: &[(u8, usize, usize)], question: &str) -> Vec<String> {
    let Some(first) = labels.iter().rposition(|(letter, ..)| *letter == b'A') else {
        return Vec::new();
    };
    let mut row: Vec<(usize, usize)> = Vec::new();
    for (letter, start, end) in &labels[first..] {
        if usize::from(letter - b'A') == row.len() {
            row.push((*start, *end));
        }
    }
    if row.len() < 2 {
        return Vec::new();
    }
    let ends = row[1..].iter().map(|(start, _)| *start).chain([question.len()]);
    let text = |((_, from), to): (&(usize, usize), usize)| {
        let text = question[*from..to].trim();
        // The last option ends with its line.
        let text =
            if to == question.len() { text.lines().next().unwrap_or_default() } else { text };
        text.trim_end_matches('(').trim().to_owned()
    };
    row.iter().zip(ends).map(text).collect()
}

/// Single capitals followed by a dot, a bracket or their like, at the start of a line or behind
/// white space: letter, where it starts, where its text starts.
fn labels(question: &str) -> Vec<(u8, usize, usize)> {
    let bytes = question.as_bytes();
    let mut labels = Vec::new();
    for (at, letter) in bytes.iter().enumerate() {
        if !letter.is_ascii_uppercase() {
            continue;
        }
        let before = question[..at].chars().next_back();
        let after = question[at + 1..].chars().next();
        let opened = before == Some('(') || before == Some('（');
        let fresh = before.is_none_or(char::is_whitespace) || opened;
        let fresh = fresh || before.is_some_and(|c| c > '\u{2e80}' || c == '。');
        let Some(mark) = after.filter(|c| matches!(c, '.' | ')' | ':' | '．' | '、' | '：' | '）'))
        else {
            continue;
        };
        if fresh {
            labels.push((*letter, at - usize::from(before == Some('(')), at + 1 + mark.len_utf8()));
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_in_lines_and_rows() {
        let texts = |question: &str| Asked::of(question).options;
        assert_eq!(texts("Which?\nA. red wine\nB. blue\nC. green"), ["red wine", "blue", "green"]);
        assert_eq!(texts("Which?\n(A) red (B) blue"), ["red", "blue"]);
        assert_eq!(
            texts("选（）\nA．分封 B．礼乐\nC．世袭  D．宗法"),
            ["分封", "礼乐", "世袭", "宗法"]
        );
        let companies = ["Company A: 1, Company B: 2", "Company A: 2, Company B: 1"];
        let question = format!("Pay?\nA. {}\nB. {}", companies[0], companies[1]);
        assert_eq!(texts(&question), companies);
        assert_eq!(texts("选（）\nA．分封 B．礼乐\nC．世袭  D．宗法").len(), 4);
        assert_eq!(texts("Vitamin A. is found in?\nA) eggs\nB) tea"), ["eggs", "tea"]);
        assert_eq!(texts("Who was J. B. Smith?"), [""; 0]);
        assert_eq!(texts("Give me plan A. Then stop."), [""; 0]);
    }

    #[test]
    fn questions_tell_what_they_ask_for() {
        assert!(Asked::of("How many apples are left?").number);
        assert!(Asked::of("一共有多少人？").number);
        assert!(Asked::of("assert f(1) == ??").output);
        assert!(Asked::of("Is water wet?").polar);
        assert!(!Asked::of("Why is water wet?").polar);
        assert!(Asked::of("Who wrote Faust?").name);
        assert!(Asked::of("Which is larger, 9.9 or 9.11?").offers(9.11, 9.9));
        assert!(!Asked::of("What is 9.9 + 1?").offers(10.9, 9.9));
        let words = |text: &str| words::tokens(text);
        assert!(Asked::of("Is it ham or spam?").mentions(&words("spam")));
        assert!(!Asked::of("Is it ham or spam?").mentions(&words("eggs")));
    }
}
