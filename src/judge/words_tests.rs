use super::*;
use crate::judge::Verdict::{CannotTell, Different, Same};

fn verdict(question: &str, a: &str, b: &str) -> Verdict {
    let asked = Asked::of(question);
    let verdict = compare(a, b, &asked);
    assert_eq!(compare(b, a, &asked), verdict, "{b} / {a}");
    verdict
}

#[test]
fn short_statements() {
    for (question, a, b, expected) in [
        ("", "Paris.", "paris", Same),
        ("What is the capital of France?", "The capital of France is Paris.", "Paris", Same),
        ("Where was he born?", "Paris", "Lyon", Different),
        ("Where was he born?", "Paris, France", "Paris", CannotTell),
        ("Which country?", "USA", "United States of America", CannotTell),
        ("When?", "May 10, 1990", "1990-05-10", Same),
        ("When?", "10 May 1990", "11 May 1990", Different),
        ("Is it ham or spam?", "spam", "ham", Different),
        ("Is it wet?", "Yes.", "No, it is not.", Different),
        ("Is it wet?", "Yes, very.", "Yes, a little.", CannotTell),
        ("", "card_arrival", "card_linking", Different),
        ("What may one drive?", "car", "automobile", CannotTell),
        ("谁写的？", "鲁迅", "老舍", Different),
        ("", "twenty apples", "20 apples", Same),
        ("", "", "Paris", CannotTell),
    ] {
        assert_eq!(verdict(question, a, b), expected, "{question} {a} / {b}");
    }
}

#[test]
fn dates_that_may_be_swapped_stay_open() {
    let read = |text: &str| date(text).unwrap();
    assert_eq!(dates(read("01/18/2021"), read("2021-01-18")), Same);
    assert_eq!(dates(read("03/04/2020"), read("2020-04-03")), CannotTell);
    assert_eq!(dates(read("April 2022"), read("2022-04-05")), CannotTell);
    assert_eq!(dates(read("April 2022"), read("May 2022")), Different);
    for text in ["3pm", "12", "2021", "40/40/2020", "maybe 2020", ""] {
        assert_eq!(date(text), None, "{text}");
    }
}

#[test]
fn long_texts_agree_but_for_words_that_say_nothing() {
    let text = "To return an item, send it back within 30 days of delivery to our Berlin office, and \
                we refund the price without any further question.";
    let compared = |changed: &str| Prose::of(text).compare(&Prose::of(changed));
    assert_eq!(compared(&text.to_uppercase()), Same);
    assert_eq!(compared(&text.replace("an item", "the item")), Same);
    assert_eq!(compared(&text.replace("30", "14")), Different);
    assert_eq!(compared(&text.replace("Berlin", "London")), Different);
    assert_eq!(compared(&text.replace("refund", "keep")), CannotTell);
    assert_eq!(
        compared("Send it back and you get your money, whenever you like it to be so."),
        CannotTell
    );
}
