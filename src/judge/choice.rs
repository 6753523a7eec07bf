//! Which of a question's options an answer chose, by letter or by the option's text.

use super::Verdict;
use super::finals::folded;
use super::words;

/// Options chosen, as bits: A is the lowest.
pub type Choice = u32;

/// Before the letter in what an answer says.
const LEADS: [&str; 14] = [
    "option",
    "choice",
    "letter",
    "answer",
    "选项",
    "应选",
    "故选",
    "选",
    "opción",
    "opcion",
    "opzione",
    "antwort",
    "réponse",
    "ответ",
];

/// The choice that the phrases state; the first that names one counts. `None` where none does.
pub fn read(phrases: &[String], closing: &str, options: &[String]) -> Option<Choice> {
    let stated = phrases.iter().find_map(|phrase| of_phrase(phrase, options));
    stated.or_else(|| if phrases.is_empty() { mentioned(closing, options) } else { None })
}

/// Equal choices; one that is part of the other may be the same, told in part.
pub fn compare(a: Choice, b: Choice) -> Verdict {
    match a & b {
        _ if a == b => Verdict::Same,
        both if both == a || both == b => Verdict::CannotTell,
        _ => Verdict::Different,
    }
}

fn of_phrase(phrase: &str, options: &[String]) -> Option<Choice> {
    let clean = super::number::cleaned(phrase);
    let text = clean.trim_matches(|c: char| c.is_whitespace() || "*_`\"'$“”".contains(c));
    letters(text, options).or_else(|| by_text(text, options))
}

/// Letters at the start of a phrase: `B`, `(B)`, `option B) …`, `A、C`, `AC`, `A and C`.
fn letters(phrase: &str, options: &[String]) -> Option<Choice> {
    let mut text = phrase;
    let mut led = false;
    loop {
        let before = text;
        text = text.trim_start_matches([
            ' ', '(', '（', '[', '{', ':', '：', '*', '【', '】', '"', '\'', '“',
        ]);
        let lower = folded(text);
        if let Some(lead) = LEADS.iter().find(|lead| lower.starts_with(**lead)) {
            text = &text[lead.len()..];
            led = true;
        }
        if text == before {
            break;
        }
    }
    let (mut chosen, mut last, mut count) = (0, None, 0);
    let mut rest = text;
    while let Some(letter) = rest.chars().next().filter(char::is_ascii_uppercase) {
        let index = letter as usize - 'A' as usize;
        // Rising letters only: B after C is a word, as in "CABLE".
        if index >= options.len() || last.is_some_and(|last| index <= last) {
            return None;
        }
        (chosen, last, count) = (chosen | 1 << index, Some(index), count + 1);
        rest = &rest[1..];
        let joined = [")", "）"].iter().find_map(|mark| rest.strip_prefix(mark)).unwrap_or(rest);
        let joined = joined.trim_start();
        let next = [",", "、", "，", "和", "与", "and ", "und ", "et ", "y ", "&"]
            .iter()
            .find_map(|mark| joined.strip_prefix(mark))
            .map(|more| more.trim_start_matches([' ', '(', '（']).trim_start_matches("and "));
        let is_letter = |more: &str| {
            more.starts_with(|c: char| c.is_ascii_uppercase())
                && !more[1..].starts_with(|c: char| c.is_alphanumeric() || c == '\'')
        };
        match next {
            Some(more) if is_letter(more) => rest = more,
            _ => {}
        }
    }
    let ended = !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '\'' | '_'));
    if count == 0 || !ended {
        return None;
    }
    let index = last.filter(|_| count == 1);
    let confirmed = index.is_none_or(|index| agrees(rest, index, options, led));
    confirmed.then_some(chosen)
}

/// Whether what follows a letter is no sentence that begins with it (`A car …`, `I think …`) and no
/// other option's text.
fn agrees(rest: &str, index: usize, options: &[String], led: bool) -> bool {
    let text = rest
        .trim_start_matches([')', '）', '.', '．', ':', '：', '、', ']', '}', '"', '*', ' ', '-']);
    let said = words::tokens(text.lines().next().unwrap_or_default());
    let spaced = rest.starts_with(' ') && text.starts_with(|c: char| c.is_lowercase());
    let own = words::tokens(&options[index]);
    let starts = |option: &[String]| {
        let length = option.len().min(said.len());
        length > 0 && said[..length] == option[..length]
    };
    if spaced && !led && !starts(&own) && matches!(index, 0 | 8) {
        return false;
    }
    let other = options.iter().enumerate().any(|(at, option)| {
        let option = words::tokens(option);
        at != index && option.len() >= 2 && said.starts_with(&option)
    });
    !other || starts(&own)
}

/// The one option whose text the phrase is.
fn by_text(phrase: &str, options: &[String]) -> Option<Choice> {
    let said = words::tokens(phrase);
    let mut found = None;
    for (index, option) in options.iter().enumerate() {
        let option = words::tokens(&super::number::cleaned(option));
        if option.is_empty() || said != option {
            continue;
        }
        // Two options of one text, or one that only differs in signs.
        if found.is_some() {
            return None;
        }
        found = Some(1 << index);
    }
    found
}

/// The only option that the last sentence names by letter: "so C is right", "所以选D".
fn mentioned(closing: &str, options: &[String]) -> Option<Choice> {
    let cleaned = super::number::cleaned(closing);
    let sentence = super::closing::last_sentence(&cleaned);
    let mut found = None;
    for (at, c) in sentence.char_indices().filter(|(_, c)| c.is_ascii_uppercase()) {
        let index = c as usize - 'A' as usize;
        let before = sentence[..at].trim_end_matches([' ', '(', '（', '"', '*']);
        let after = sentence[at + 1..].chars().next();
        let ends = after.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '\'');
        let lower = folded(before);
        let led = ["option", "choice", "选", "选项", "answer is"]
            .iter()
            .any(|lead| lower.ends_with(lead));
        if index >= options.len() || !ends || !led {
            continue;
        }
        if found.is_some_and(|earlier| earlier != 1 << index) {
            return None;
        }
        found = Some(1 << index);
    }
    found
}

#[cfg(test)]
#[path = "choice_tests.rs"]
mod tests;
