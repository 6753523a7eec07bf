//! A caller who asks almost the same again, right after an answer, was not content with it. The
//! very same text is no complaint: it is a retry, and a cache hit. Pure.

use std::collections::HashSet;

use serde_json::Value;

/// Share of the words of both texts that must be common.
const ALIKE: f64 = 0.6;

/// A text of fewer words says too little to be recognised in another: "and in Rome?".
const LEAST_WORDS: usize = 4;

/// Longer texts are not compared: a question put anew is short, and what is pasted again is a file.
const MOST_CHARS: usize = 2000;

/// What a complaint by rewording weighs against a caller's own word.
pub const WEIGHT: f32 = 0.5;

/// Whether the last message of a request puts the question before it anew, after an answer.
pub fn complains(messages: &[Value]) -> bool {
    let [.., before, answer, last] = messages else { return false };
    let is =
        |message: &Value, role: &str| message.get("role").and_then(Value::as_str) == Some(role);
    if !(is(before, "user") && is(answer, "assistant") && is(last, "user")) {
        return false;
    }
    // A call of a tool is no answer yet.
    let text = |message: &Value| message.get("content").and_then(Value::as_str).map(str::to_owned);
    match (text(before), text(answer), text(last)) {
        (Some(before), Some(_), Some(last)) => is_reworded(&before, &last),
        _ => false,
    }
}

/// Whether two texts are almost the same, and not equal.
fn is_reworded(before: &str, after: &str) -> bool {
    if before.len().max(after.len()) > MOST_CHARS || before.trim() == after.trim() {
        return false;
    }
    let (a, b) = (words(before), words(after));
    if a.len().min(b.len()) < LEAST_WORDS || numbers(&a) != numbers(&b) {
        return false;
    }
    let common = a.intersection(&b).count() as f64;
    common / (a.len() + b.len() - a.intersection(&b).count()) as f64 >= ALIKE
}

fn words(text: &str) -> HashSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// The same words with another number are another question.
fn numbers(words: &HashSet<String>) -> HashSet<&str> {
    let numbers = words.iter().filter(|word| word.chars().any(|c| c.is_ascii_digit()));
    numbers.map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(texts: [&str; 3]) -> Vec<Value> {
        ["user", "assistant", "user"]
            .into_iter()
            .zip(texts)
            .map(|(role, content)| json!({"role": role, "content": content}))
            .collect()
    }

    #[test]
    fn the_same_question_reworded_is_a_complaint() {
        let question = "How do I reset my router to the factory settings?";
        let complains = |again| complains(&said([question, "Buy a new one.", again]));
        assert!(complains("How do I reset my router to factory settings, please?"));
        assert!(complains("No. How do I reset my router to the factory settings?"));
        assert!(!complains(question), "a retry");
        assert!(!complains("Thank you, that helped me a lot!"));
        assert!(!complains("And how do I change its password afterwards?"));
    }

    #[test]
    fn another_number_is_another_question() {
        let (a, b) = ("What is 17 percent of 3400 dollars?", "What is 18 percent of 3400 dollars?");
        assert!(!complains(&said([a, "578", b])));
    }

    #[test]
    fn only_right_after_an_answer() {
        let question = "How do I reset my router to the factory settings?";
        let again = "How do I reset my router to factory settings?";
        let mut messages = said([question, "Hm.", again]);
        messages[1]["role"] = "user".into();
        assert!(!complains(&messages));
        assert!(!complains(&messages[..2]) && !complains(&[]));
        let mut called = said([question, "Hm.", again]);
        called[1]["content"] = Value::Null;
        assert!(!complains(&called), "a call of a tool");
    }
}
