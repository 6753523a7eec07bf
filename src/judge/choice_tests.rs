use super::*;

const OPTIONS: [&str; 4] = ["Paris, the capital", "15 cm", "a red car", "None of these"];

fn chosen(phrase: &str) -> Option<Choice> {
    let options = OPTIONS.map(str::to_owned);
    read(&[phrase.to_owned()], "", &options)
}

#[test]
fn letters_and_texts_name_options() {
    for (phrase, expected) in [
        ("B", Some(0b10)),
        ("(B)", Some(0b10)),
        ("B.", Some(0b10)),
        ("B. 15 cm", Some(0b10)),
        ("option C) a red car", Some(0b100)),
        ("**D**", Some(0b1000)),
        (r"$\textbf{(A)}$", Some(0b1)),
        ("15 cm", Some(0b10)),
        ("none of these.", Some(0b1000)),
        ("AC", Some(0b101)),
        ("A、C", Some(0b101)),
        ("A, C and D", Some(0b1101)),
        ("选项B", Some(0b10)),
        // Words that begin with a letter, other options' texts, letters that are none.
        ("A fast train", None),
        ("B: Paris, the capital", None),
        ("Boston", None),
        ("CAB", None),
        ("E", None),
        ("", None),
    ] {
        assert_eq!(chosen(phrase), expected, "{phrase}");
    }
}

#[test]
fn a_last_sentence_may_name_one() {
    let options = OPTIONS.map(str::to_owned);
    let read = |closing: &str| read(&[], closing, &options);
    assert_eq!(read("A is wrong. 所以选D。"), Some(0b1000));
    assert_eq!(read("Only option B is possible."), Some(0b10));
    assert_eq!(read("Either option B or option C."), None);
    assert_eq!(read("It depends."), None);
}
