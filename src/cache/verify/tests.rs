//! The verifier on pairs written for it, and on labelled near misses where they are at hand.

use std::io::Read;
use std::path::PathBuf;

use proptest::prelude::*;

use super::mind::Weighed;
use super::weights::SHIPPED;
use super::*;
use crate::cache::Guard;

const GOALS: Goals = Goals { budget: Budget { lookups: 0.01, hits: Some(0.05) }, exploration: 0.0 };

/// What a mind that has seen nothing decides about candidates, each with its cosine.
fn decide(query: &str, candidates: &[(&str, f32)]) -> (Decision, Weighed) {
    let profiles: Vec<Profile> = candidates.iter().map(|(text, _)| Profile::of(text)).collect();
    let candidates: Vec<Candidate<'_>> = profiles
        .iter()
        .zip(candidates)
        .zip(0..)
        .map(|((profile, (_, similarity)), entry)| Candidate {
            entry,
            profile,
            similarity: *similarity,
        })
        .collect();
    let mind = Mind::new(&SHIPPED);
    let weighed = mind.weigh(&SHIPPED, &Profile::of(query), &candidates);
    (mind.decide(&weighed, &GOALS, &Errors::NONE, 0.5), weighed)
}

fn pair(query: &str, candidate: &str, similarity: f32) -> Decision {
    decide(query, &[(candidate, similarity)]).0
}

const SERVE: Decision = Decision::Serve { propensity: 0.0 };

#[test]
fn a_near_literal_repeat_is_served_whatever_its_score() {
    for repeat in [
        "what is the capital of france",
        "  What is   the capital of FRANCE ?!",
        "“What is the capital of France…”",
        "What is, the capital - of France?",
    ] {
        assert_eq!(pair(repeat, "What is the capital of France?", 0.2), SERVE, "{repeat}");
    }
    let other = pair("what was the capital of france", "What is the capital of France?", 0.2);
    assert_eq!(other, Decision::BelowLine);
}

#[test]
fn signs_that_mean_something_make_no_repeat() {
    for (a, b) in [
        ("what is 7 + 2", "what is 7 - 2"),
        ("what is 7 * 2", "what is 7 / 2"),
        ("learn C", "learn C++"),
        ("is a < b", "is a > b"),
        ("is it -5 degrees", "is it 5 degrees"),
        ("add .5 to x", "add 5 to x"),
        ("(a + b) * c", "a + b * c"),
        ("cost of a 5 $ bill", "cost of a 5 € bill"),
        ("write an e-mail to bob@x", "write an e-mail to bob.x"),
    ] {
        assert!(!Profile::of(a).is_repeat_of(&Profile::of(b)), "{a} / {b}");
        let decision = pair(a, b, 0.999);
        assert_ne!(decision, SERVE, "{a} / {b}");
    }
}

#[test]
fn nothing_but_signs_is_no_repeat_of_anything() {
    assert!(!Profile::of("").is_repeat_of(&Profile::of("")));
    assert!(!Profile::of("?!").is_repeat_of(&Profile::of("…")));
}

#[test]
fn each_guard_vetoes_what_the_vector_hardly_sees() {
    for (a, b, expected) in [
        ("transfer 100 dollars to Ann", "transfer 200 dollars to Ann", Guard::Number),
        ("population of 1,000 towns", "population of 10,000 towns", Guard::Number),
        ("give me three examples", "give me five examples", Guard::Number),
        ("news of version 1.2.3", "news of version 1.2.4", Guard::Number),
        ("convert 5 km to m", "convert 5 miles to m", Guard::Unit),
        ("is 20% a lot", "is 20 $ a lot", Guard::Unit),
        ("a dose of 5mg", "a dose of 5ml", Guard::Unit),
        ("open on Monday", "open on Tuesday", Guard::Date),
        ("weather in December", "weather in July", Guard::Date),
        ("can I return it", "can't I return it", Guard::Negation),
        ("foods with gluten", "foods without gluten", Guard::Negation),
        ("how do I enable it", "how do I disable it", Guard::Antonym),
        ("flights from Oslo", "flights to Oslo", Guard::Antonym),
        ("what is my name", "what is your name", Guard::Antonym),
        ("is it tea or coffee", "is it tea and coffee", Guard::Antonym),
        ("Is Ann Lee a judge?", "Is Eve Lee a judge?", Guard::Entity),
    ] {
        assert_eq!(guard(&Profile::of(a), &Profile::of(b)), Some(expected), "{a} / {b}");
        // Opposites and other names do not forbid serving; they speak against it.
        let veto = !matches!(expected, Guard::Antonym | Guard::Entity);
        let refused = if veto { Decision::Guard(expected) } else { Decision::BelowLine };
        assert_eq!(pair(a, b, 0.999), refused, "{a} / {b}");
    }
}

#[test]
fn guards_see_through_the_ways_of_writing_a_thing() {
    for (a, b) in [
        ("give me 3 examples", "give me three examples"),
        ("1,000 towns", "1000 towns"),
        ("the 4th of July", "the fourth of July"),
        ("5 km", "5 kilometres"),
        ("5km", "5 kilometers"),
        ("$5", "5 dollars"),
        ("20%", "20 percent"),
        ("2.50 euros", "2.5 €"),
        ("on Mondays", "on monday"),
        ("in Dec", "in december"),
        ("don't", "do not"),
        ("don’t", "don't"),
    ] {
        let [a, b] = [a, b].map(|text| format!("what is meant by {text}"));
        let (a, b) = (a.as_str(), b.as_str());
        assert_eq!(guard(&Profile::of(a), &Profile::of(b)), None, "{a} / {b}");
    }
}

#[test]
fn swapped_roles_are_not_served() {
    let swapped = pair("flights from Paris to London", "flights from London to Paris", 0.99);
    assert_eq!(swapped, Decision::BelowLine);
    for (a, b) in [
        ("Did the dog chase the cat?", "Was the dog chased by the cat?"),
        ("Where was she born?", "When was she born?"),
    ] {
        assert_eq!(pair(a, b, 0.99), Decision::BelowLine, "{a} / {b}");
    }
}

#[test]
fn a_vetoed_neighbour_does_not_hide_one_that_answers() {
    let near = [("price of 6 apples", 0.99), ("Price of 5 apples?", 0.98)];
    let (decision, weighed) = decide("price of 5 apples", &near);
    assert_eq!(decision, SERVE);
    assert_eq!(weighed.contenders[0].place, 1);
    assert_eq!(weighed.contenders[1].guard, Some(Guard::Number));
}

#[test]
fn without_candidates_there_is_nothing_to_weigh() {
    let (decision, weighed) = decide("anything", &[]);
    assert_eq!(decision, Decision::NoCandidate);
    assert_eq!(weighed, Weighed::default());
}

fn text() -> impl Strategy<Value = String> {
    // Words, numbers, units, opposites and signs, so that the guards have something to differ in.
    let word = prop::sample::select(vec![
        "open",
        "close",
        "account",
        "5",
        "5km",
        "1,000",
        "three",
        "not",
        "can't",
        "Monday",
        "$",
        "+",
        "-",
        "-5",
        "C#",
        "ёлка",
        "日本",
        "e\u{301}te",
        "?",
        "it's",
        "’",
        "10:30",
        "4th",
    ]);
    let words = prop::collection::vec(word, 0..12).prop_map(|words| words.join(" "));
    prop_oneof![words, any::<String>()]
}

proptest! {
    #[test]
    fn any_text_has_a_profile_and_no_guard_against_itself(text in text()) {
        let profile = Profile::of(&text);
        prop_assert_eq!(guard(&profile, &profile), None);
        prop_assert_eq!(profile.is_repeat_of(&profile), !profile.words().is_empty());
    }

    #[test]
    fn guards_and_repeats_are_symmetric(a in text(), b in text()) {
        let (a, b) = (Profile::of(&a), Profile::of(&b));
        prop_assert_eq!(guard(&a, &b), guard(&b, &a));
        prop_assert_eq!(a.restates(&b), b.restates(&a));
        prop_assert_eq!(a.is_repeat_of(&b), b.is_repeat_of(&a));
    }

    #[test]
    fn case_and_outer_space_change_nothing(text in "[a-z0-9 ,.!?'+-]{0,40}") {
        let (plain, loud) = (Profile::of(&text), Profile::of(&format!("  {}\n", text.to_uppercase())));
        prop_assert!(plain.has_the_words_of(&loud));
        prop_assert_eq!(guard(&plain, &loud), None);
    }

    #[test]
    fn a_repeat_meets_no_guard(a in text(), b in text()) {
        // Punctuation is invisible to both, so whatever makes two texts repeats leaves no guard.
        let (a, b) = (Profile::of(&a), Profile::of(&b));
        prop_assert!(!a.is_repeat_of(&b) || guard(&a, &b).is_none());
    }
}

/// Share of the labelled pairs of a kind on which a guard (or another order of words) speaks.
fn vetoed(pairs: &[serde_json::Value], kind: &str, same: bool) -> (usize, usize) {
    let is_kind =
        |pair: &serde_json::Value| pair["kind"].as_str().is_some_and(|name| name.starts_with(kind));
    let of_kind = pairs.iter().filter(|pair| is_kind(pair) && pair["same"] == same);
    of_kind.fold((0, 0), |(vetoed, all), pair| {
        let [a, b] = ["a", "b"].map(|side| Profile::of(pair[side].as_str().expect("a text")));
        let refused = guard(&a, &b).is_some() || guards::is_turned(&a, &b);
        (vetoed + usize::from(refused), all + 1)
    })
}

#[test]
fn guards_on_labelled_near_misses() {
    // Tests run in the project's root. The variable is read here, at the edge of a test.
    #[expect(clippy::disallowed_methods, reason = "a test finds its data by the environment")]
    let data = std::env::var("SEMGATE_DATA").unwrap_or_else(|_| "../shared/data".into());
    let path = PathBuf::from(data).join("cache/pairs/near_miss.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        use std::io::Write;
        _ = writeln!(std::io::stderr(), "skipped: no near misses at {}", path.display());
        return;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip of UTF-8");
    let pairs: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let (caught, different) = vetoed(&pairs, "checklist", false);
    let (spared, same) = vetoed(&pairs, "checklist", true);
    let (swapped, all_swapped) = vetoed(&pairs, "paws", false);
    let shares = [(caught, different), (spared, same), (swapped, all_swapped)];
    let text = format!("vetoed of checklist different, same, paws different: {shares:?}");
    assert!(CAUGHT * different as f64 <= caught as f64, "{text}");
    assert!(spared as f64 <= LOST * same as f64, "{text}");
    assert!(SWAPPED * all_swapped as f64 <= swapped as f64, "{text}");
}

// Measured: 84.1 %, 45.8 % and 96.3 %. They move with a review only. What is lost are mostly pairs
// in which the same words stand in another order.
const CAUGHT: f64 = 0.84;
const LOST: f64 = 0.46;
const SWAPPED: f64 = 0.95;
