//! Which stored answers are the same answer. Here: those whose text is equal byte for byte. Pure.

use serde::Deserialize;
use serde_json::value::RawValue;

/// The answer group of a `chat.completion` object: a hash of what the caller reads of it, its first
/// choice's content and tool calls, whatever its id, time and usage. An object without either, or
/// one that does not parse, is a group by its bytes.
pub fn group(answer: &[u8]) -> u64 {
    let parsed: Option<Completion<'_>> = serde_json::from_slice(answer).ok();
    let message = parsed.and_then(|completion| completion.choices.into_iter().next());
    let mut hasher = blake3::Hasher::new();
    match message.map(|choice| choice.message) {
        Some(Message { content: Some(text), tool_calls }) => {
            hasher.update(text.as_bytes()).update(&[0]);
            hasher.update(tool_calls.map_or("", RawValue::get).as_bytes());
        }
        Some(Message { content: None, tool_calls: Some(calls) }) => {
            hasher.update(&[0]).update(calls.get().as_bytes());
        }
        _ => _ = hasher.update(answer),
    }
    let hash = hasher.finalize();
    let head = hash.as_bytes().first_chunk().expect("invariant: a hash has 32 bytes");
    u64::from_le_bytes(*head)
}

#[derive(Deserialize)]
struct Completion<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    content: Option<String>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use super::group;

    #[test]
    fn the_text_decides_and_nothing_around_it() {
        let a = br#"{"id":"a","created":1,"choices":[{"message":{"role":"assistant","content":"Paris"}}]}"#;
        let b =
            br#"{"id":"b","created":2,"choices":[{"index":0,"message":{"content":"P\u0061ris"}}]}"#;
        let c = br#"{"id":"a","created":1,"choices":[{"message":{"role":"assistant","content":"Rome"}}]}"#;
        assert_eq!(group(a), group(b));
        assert_ne!(group(a), group(c));
    }

    #[test]
    fn tool_calls_tell_answers_without_text_apart() {
        let call = |city: &str| {
            format!(
                r#"{{"choices":[{{"message":{{"content":null,"tool_calls":[{{"city":"{city}"}}]}}}}]}}"#
            )
        };
        assert_eq!(group(call("Rome").as_bytes()), group(call("Rome").as_bytes()));
        assert_ne!(group(call("Rome").as_bytes()), group(call("Oslo").as_bytes()));
        assert_ne!(group(b"{}"), group(b"no json"));
    }
}
