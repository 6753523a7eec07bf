//! The same question in words that differ in form only: `What's the capital?` and `what is the
//! capital, please`. Pure.
//!
//! Far narrower than a paraphrase: what remains after a few fixed replacements must be equal, word
//! by word and sign by sign. On the eight labelled streams 681 pairs agree in this way without
//! being literal repeats, and the labels part 8 of them, each of which asks the same by eye or
//! greets. English; texts in another language pass unchanged.

/// Words that ask for nothing.
const EMPTY: [&str; 6] = ["a", "an", "the", "please", "kindly", "just"];

/// Contractions of one word and what they stand for.
const CONTRACTIONS: [(&str, &str); 20] = [
    ("how's", "how is"),
    ("i'd", "i would"),
    ("i'll", "i will"),
    ("i'm", "i am"),
    ("i've", "i have"),
    ("it's", "it is"),
    ("that's", "that is"),
    ("there's", "there is"),
    ("they're", "they are"),
    ("they've", "they have"),
    ("we're", "we are"),
    ("we've", "we have"),
    ("what're", "what are"),
    ("what's", "what is"),
    ("when's", "when is"),
    ("where's", "where is"),
    ("which", "what"),
    ("who's", "who is"),
    ("you're", "you are"),
    ("you've", "you have"),
];

/// `how do I`, `how can you`: how something is done, whoever asks.
const DOERS: [&str; 4] = ["i", "you", "we", "one"];
const DOING: [&str; 6] = ["do", "can", "could", "should", "would", "might"];

/// `could you tell me`: a wish in the form of a question.
const WISHES: [&str; 4] = ["can", "could", "would", "will"];
const WISHED: [&str; 5] = ["tell", "show", "give", "explain", "help"];

/// A hash of what a text says once words that say nothing are gone. Zero for a text without words.
pub fn essence(sequence: &[String], signs: &[char]) -> u128 {
    let words = plain(sequence);
    if words.is_empty() {
        return 0;
    }
    let mut hasher = blake3::Hasher::new();
    let mut rest = words.as_slice();
    while let Some((word, after)) = rest.split_first() {
        rest = match rest {
            ["how", doing, doer, ..] if DOING.contains(doing) && DOERS.contains(doer) => {
                hasher.update(b"how to ");
                &rest[3..]
            }
            [wish, "you", wished, ..] if WISHES.contains(wish) && WISHED.contains(wished) => {
                &rest[2..]
            }
            _ => {
                hasher.update(word.as_bytes()).update(b" ");
                after
            }
        };
    }
    let signs: String = signs.iter().collect();
    hasher.update(&[0]).update(signs.as_bytes());
    let hash = hasher.finalize();
    u128::from_le_bytes(*hash.as_bytes().first_chunk().expect("invariant: a hash has 32 bytes"))
}

fn plain(sequence: &[String]) -> Vec<&str> {
    let words = sequence.iter().map(String::as_str).filter(|word| !EMPTY.contains(word));
    let spelt = words.flat_map(|word| {
        let place = CONTRACTIONS.binary_search_by_key(&word, |(short, _)| short);
        place.map_or(word, |place| CONTRACTIONS[place].1).split(' ')
    });
    spelt.collect()
}

#[cfg(test)]
mod tests {
    use super::super::Profile;

    #[test]
    fn form_makes_no_difference() {
        for (a, b) in [
            ("What's the capital of Australia?", "what is the capital of Australia"),
            ("Which plans include phone support?", "What plans include phone support"),
            ("How can I cancel my subscription?", "how do i cancel my subscription"),
            ("Could you please tell me the price of oil", "tell me the price of oil"),
            ("how to verify a card", "How do I verify the card?"),
        ] {
            assert!(Profile::of(a).restates(&Profile::of(b)), "{a} / {b}");
        }
    }

    #[test]
    fn words_that_ask_for_something_do() {
        for (a, b) in [
            ("What is the capital of Australia?", "What is the capital of Austria?"),
            ("Which plans include phone support?", "Which plans do not include phone support?"),
            ("How do I cancel?", "Why do I cancel?"),
            ("what was the price", "what is the price"),
            ("is a + b", "is a - b"),
            ("the", "a"),
            ("", ""),
        ] {
            assert!(!Profile::of(a).restates(&Profile::of(b)), "{a} / {b}");
        }
    }
}
