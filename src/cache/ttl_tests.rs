use proptest::prelude::*;

use super::*;

fn all(expected: TtlClass, prompts: &[&str]) {
    let wrong: Vec<_> = prompts
        .iter()
        .filter_map(|prompt| {
            let class = classify(prompt, false);
            (class != expected).then(|| format!("{class:?}: {prompt}"))
        })
        .collect();
    assert!(wrong.is_empty(), "not {expected:?}:\n{}", wrong.join("\n"));
}

#[test]
fn what_asks_for_the_present_is_volatile() {
    all(
        TtlClass::Volatile,
        &[
            "What's the weather in Paris?",
            "Will it rain tomorrow in Leeds?",
            "weather",
            "What time is it?",
            "What is the time in Tokyo?",
            "What day is it today?",
            "what’s the date",
            "What is the current population of India?",
            "Who is the current CEO of Intel?",
            "What is current GDP of France?",
            "Latest news on the merger",
            "Give me today's headlines.",
            "What happened in Berlin last night?",
            "What is the price of gold?",
            "How much does a Tesla Model 3 cost?",
            "How much is a litre of milk in Norway?",
            "Convert 100 US dollars to euros",
            "100 usd to eur",
            "What's the exchange rate between the pound and the euro?",
            "AAPL stock price",
            "Is the stock market open?",
            "What's the score of the Arsenal game?",
            "Who won the match?",
            "Who is winning the election?",
            "Which restaurants near me are open now?",
            "Is the pharmacy open now",
            "What is Bitcoin trading at?",
            "What are the newest features of Rust?",
            "Summarise recent developments in fusion.",
            "Where is my order?",
            "When does the next train to Bern leave?",
            "Is there an outage at the provider right now?",
            "Wie ist das Wetter in Berlin?",
            "Wie viel kostet ein Big Mac?",
            "Welche Nachrichten gibt es heute?",
            "Quelle heure est-il à Lyon ?",
            "Quel temps fait-il aujourd’hui ?",
            "¿Qué hora es?",
            "¿Cuánto cuesta un café en Madrid?",
            "今天天气怎么样？",
            "東京の天気は？",
            "Translate: what is the weather like today?",
            "Define the latest slang words",
            "Who is the president of France?",
            "Who's the CEO of Apple?",
            "How many days are left in the week?",
            "Write a summary of today's news",
            "Explain why the share price of Intel fell today",
            "Is flight 1523 delayed?",
            "What is the status of order 1834?",
            "What's the weather in 1010 Vienna?",
            "What is trending?",
            "Give us a forecast for Oslo",
            "I want a stock quote for Apple",
            "What is today's word of the day?",
            "What is the phrase people use for this nowadays?",
        ],
    );
}

#[test]
fn what_does_not_change_is_timeless() {
    all(
        TtlClass::Timeless,
        &[
            "What is the capital of France?",
            "what's the capital of australia",
            "Define photosynthesis.",
            "What does ubiquitous mean?",
            "What does the word \"nowadays\" mean?",
            "What is the definition of entropy?",
            "What is 12 * 7?",
            "2+2",
            "calculate 15 percent of 80",
            "What is the square root of 144?",
            "Convert 5 km to miles",
            "How many ounces are in a pound, and how many grams in an ounce?",
            "How many feet are in a mile?",
            "Translate 'good morning' to Spanish.",
            "Please translate \"where is the station\" into German",
            "How do you say thank you in Japanese?",
            "Who wrote Pride and Prejudice?",
            "Who painted the Mona Lisa?",
            "What is the chemical symbol for gold?",
            "What is the boiling point of ethanol?",
            "What is a monad?",
            "What is an HTTP header?",
            "What does this function do? fn f(x: u32) -> u32 { x + 1; x }",
            "Explain this code:\n```\nfor i in range(3): print(i)\n```",
            "Synonyms for happy",
            "Could you tell me what is the plural of goose?",
        ],
    );
}

#[test]
fn everything_else_has_the_default() {
    all(
        TtlClass::Default,
        &[
            "",
            "?",
            "Now explain recursion to a child.",
            "How do I change the current directory in bash?",
            "What is electric current?",
            "How does current flow through a diode?",
            "What is the time complexity of quicksort?",
            "Write a poem about autumn.",
            "Write a poem about tomorrow.",
            "How do I get the current time in Python?",
            "Last year I planted roses and they died. Why?",
            "What is the difference between weather and climate?",
            "How do I reset my password?",
            "Who was the president of France in 1962?",
            "What does the CEO of a company do?",
            "What is the population of India?",
            "What is a good salary in Berlin?",
            "What is a fair rent?",
            "What is the best phone?",
            "Who wrote my contract?",
            "What is the capital of the company we bought in 2024?",
            "How many weeks and days until the wedding?",
            "What does the law say about noise?",
            "Who won the 1966 World Cup?",
            "What is meant by the term real time?",
            "What should one look for in a forecast?",
            "Who won the election in 1992?",
            "Which party was leading the polls in March 2016?",
            "Was the station closed in 1975?",
            "Who was the CEO of Intel 1998?",
            "What happened in 1989?",
            "Write a function that sums the price column.",
            "Summarise the following contract.",
            "What is an iPhone 15 worth after two years of use?",
            "Tell me a joke",
            "What are your opening hours?",
            "Which traffic light rules apply to cyclists?",
            "Wo finde ich das Handbuch?",
            "hier",
        ],
    );
}

#[test]
fn only_the_ends_of_a_long_text_are_examined() {
    let filler = "All work and no play makes Jack a dull boy. ".repeat(100);
    let class = |text: &str| classify(text, false);
    assert_eq!(class(&format!("Summarise: {filler} Today it rained. {filler}")), TtlClass::Default);
    assert_eq!(class(&format!("Is it raining today? {filler}")), TtlClass::Volatile);
    assert_eq!(class(&format!("{filler} And what is the weather today?")), TtlClass::Volatile);
    // Never timeless, since its middle was not read.
    assert_eq!(class(&format!("Translate: {filler}")), TtlClass::Default);
}

#[test]
fn a_target_that_searches_the_web_answers_from_the_present() {
    assert_eq!(classify("What is 2 + 2?", true), TtlClass::Volatile);
}

#[test]
fn rules_override_the_class() {
    let settings = Ttl {
        default: Duration::from_secs(1),
        volatile: Duration::ZERO,
        timeless: Duration::from_secs(3),
    };
    let hour = Duration::from_secs(3600);
    for (class, expected) in
        [(TtlClass::Default, 1), (TtlClass::Volatile, 0), (TtlClass::Timeless, 3)]
    {
        assert_eq!(ttl(&settings, class, None), Duration::from_secs(expected));
        assert_eq!(ttl(&settings, class, Some(CacheEffect::Ttl(hour))), hour);
        assert_eq!(ttl(&settings, class, Some(CacheEffect::Bypass)), Duration::ZERO);
    }
}

/// Right and all of what was called `class`, and right and all of what is, in a labelled list.
fn measured(list: &str, class: TtlClass) -> [(usize, usize); 2] {
    let (mut called, mut meant, mut right) = (0, 0, 0);
    for line in list.lines() {
        let (label, prompt) = line.split_once('\t').expect("a label, a tab, a prompt");
        assert!(["default", "volatile", "timeless", "lasting"].contains(&label), "{line}");
        let (is_called, is_meant) = (classify(prompt, false) == class, label == class.name());
        called += usize::from(is_called);
        meant += usize::from(is_meant);
        right += usize::from(is_called && is_meant);
    }
    [(right, called), (right, meant)]
}

/// The figures of the recogniser: they may move, but not unseen. Its words and forms were chosen on
/// `tuned` and `development`; `held_out` was written with the latter and before the forms, `unseen`
/// when most of the words stood, and neither has changed any. `lasting` is default or timeless.
#[test]
fn labelled_prompts_are_recognised_as_well_as_we_say() {
    use TtlClass::{Timeless, Volatile};
    let tuned = include_str!("../../tests/fixtures/ttl/tuned.tsv");
    let unseen = include_str!("../../tests/fixtures/ttl/unseen.tsv");
    let development = include_str!("../../tests/fixtures/ttl/development.tsv");
    let held_out = include_str!("../../tests/fixtures/ttl/held_out.tsv");
    assert_eq!(measured(development, Volatile), [(71, 72), (71, 80)]);
    assert_eq!(measured(held_out, Volatile), [(28, 33), (28, 30)]);
    assert_eq!(measured(tuned, Volatile), [(106, 107), (106, 106)]);
    assert_eq!(measured(tuned, Timeless), [(42, 42), (42, 44)]);
    assert_eq!(measured(unseen, Volatile), [(38, 53), (38, 50)]);
    assert_eq!(measured(unseen, Timeless), [(17, 17), (17, 18)]);
}

proptest! {
    #[test]
    fn any_text_has_a_class(text in any::<String>(), repeat in 1usize..40) {
        classify(&text.repeat(repeat), false);
    }

    #[test]
    fn nothing_that_asks_for_the_present_is_timeless(
        opening in prop::sample::select(&["translate", "define", "2 + 2 and", "convert 3 km to miles"][..]),
        ending in prop::sample::select(&["today", "the weather", "the latest news", "right now"][..]),
    ) {
        let prompt = format!("{opening} {ending}");
        prop_assert_eq!(classify(&prompt, false), TtlClass::Volatile, "{}", prompt);
    }
}
