//! Each guard on pairs that it must tell apart and on ways to say the same; and, on demand, what the
//! guards cost and gain on labelled data.

#[path = "guards_table.rs"]
mod table;

use proptest::prelude::*;

use super::*;

fn told_apart_by(a: &str, b: &str) -> Option<Guard> {
    let (a, b) = (Profile::of(a), Profile::of(b));
    assert_eq!(guard(&a, &b), guard(&b, &a), "symmetric");
    guard(&a, &b)
}

#[test]
fn every_kind_of_difference_is_told() {
    for (a, b, expected) in [
        ("who was the sixth president", "who was the seventh president", Guard::Number),
        ("what is on the second floor", "what is on the third floor", Guard::Number),
        ("what is twenty plus two", "what is twenty-one plus two", Guard::Number),
        ("when did World War I end", "when did World War II end", Guard::Number),
        ("who was Henry VII", "who was Henry VIII", Guard::Number),
        ("cut it in half", "cut it to a third", Guard::Number),
        ("a dozen eggs in grams", "ten eggs in grams", Guard::Number),
        ("how far is it in miles", "how far is it in kilometers", Guard::Unit),
        ("what is 5 km in feet", "what is 5 in feet", Guard::Unit),
        ("can I pay 20 euros", "can I pay 20 dollars", Guard::Unit),
        ("who was born in March", "who was born in May", Guard::Date),
        ("who was born in march", "who was born in april", Guard::Date),
        ("are you open on fri", "are you open on thu", Guard::Date),
        ("are you open", "are you open on Sunday", Guard::Date),
        ("will it rain in the morning", "will it rain in the evening", Guard::Date),
        ("what do I wear in summer", "what do I wear in winter", Guard::Date),
        ("is it safe to drive", "is it not safe to drive", Guard::Negation),
        ("how can I be more positive", "how can I be more negative", Guard::Antonym),
        ("how can I be more brave", "how can I be less brave", Guard::Antonym),
        ("can I eat out", "can I eat in", Guard::Antonym),
        ("what is the first letter", "what is the last letter", Guard::Antonym),
        ("dishes I cannot eat", "dishes I can eat", Guard::Negation),
        ("which is the fastest car", "which is the slowest car", Guard::Antonym),
        ("when is the next game", "when was the last game", Guard::Antonym),
        ("how old is Ann's dog", "how old is Eve's dog", Guard::Entity),
        ("is vitamin C good for me", "is vitamin D good for me", Guard::Entity),
        ("What Is The Capital Of France", "What Is The Capital Of Spain", Guard::Entity),
    ] {
        assert_eq!(told_apart_by(a, b), Some(expected), "{a} / {b}");
    }
}

#[test]
fn ways_to_say_the_same_meet_no_guard() {
    for (a, b) in [
        ("who was the sixth president", "who was the 6th president"),
        ("what is twenty one plus two", "what is 21 plus 2"),
        ("how many days does it take", "how long does it take"),
        ("how did 2019 in Rome go", "how did it go in Rome 2019"),
        ("what is the weather today", "what is the weather"),
        ("good morning, where is my card", "where is my card"),
        ("at first, how do I start", "how do I start"),
        ("I may need a card", "I need a card"),
        ("how can I be less negative", "how can I be more positive"),
        ("Where is Ann's dog", "where is the dog of Ann"),
        ("What Is The Best Way To Learn", "what is the best way to learn"),
        ("Hello! What is a good book? Please tell me", "What is a good book? Thanks"),
        ("which one is the best", "which is the best"),
        ("I don't know how to cancel my order", "how to cancel my order"),
        ("I can't seem to find my card", "where is my card"),
        ("why was I charged twice", "why is there a duplicate charge"),
        ("can I order from Canada", "do you ship orders to Canada"),
        ("how can I be less courageous", "how can I be more fearful"),
    ] {
        assert_eq!(told_apart_by(a, b), None, "{a} / {b}");
    }
}

proptest! {
    /// Only words that have an opposite are looked at; that finds the same as looking at all.
    #[test]
    fn opposites_are_found_wherever_they_stand(
        a in prop::collection::vec(prop::sample::select(WORDS), 0..12),
        b in prop::collection::vec(prop::sample::select(WORDS), 0..12),
    ) {
        let (a, b) = (Profile::of(&a.join(" ")), Profile::of(&b.join(" ")));
        let only = |a: &Profile, b: &Profile| -> Vec<String> {
            a.words().iter().filter(|word| !b.words().contains(word)).cloned().collect()
        };
        let (in_a, in_b) = (only(&a, &b), only(&b, &a));
        let others = in_a.iter().chain(&in_b).any(|word| !words::is_little(word));
        let compares = |words: &[String]| words.iter().any(|word| word == "more" || word == "less");
        let faces = |x: &str, y: &str| {
            let are_little = words::is_little(x) && words::is_little(y);
            words::are_antonyms(x, y) && !(are_little && others)
        };
        let expected = !(others && compares(&in_a) && compares(&in_b))
            && in_a.iter().any(|x| in_b.iter().any(|y| faces(x, y)));
        prop_assume!(a.tongue() == Tongue::English || b.tongue() == Tongue::English);
        prop_assert_eq!(have_antonyms(&a, &b), expected);
    }
}

const WORDS: &[&str] = &[
    "the", "flight", "from", "to", "more", "less", "before", "after", "my", "your", "hotel",
    "open", "close", "price",
];
