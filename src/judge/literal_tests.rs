use super::*;
use crate::judge::Verdict::{CannotTell, Different, Same};

#[test]
fn notation_does_not_count_and_types_do() {
    for (a, b, verdict) in [
        ("'abc'", "\"abc\"", Same),
        ("assert f(1) == [1,2]", "```python\n[1, 2]\n```", Same),
        ("{'a': 1, 'b': [2]}", "{\"b\": [2], \"a\": 1}", Same),
        ("{1, 2}", "{2, 1}", Same),
        ("('c', {'e': 1}).", "`('c', {'e': 1})`", Same),
        ("True", "true", Same),
        ("abc", "'abc'", Same),
        ("4", "4.0", Same),
        ("[1, 2]", "(1, 2)", Different),
        ("[1, 2]", "[2, 1]", Different),
        ("'ab'", "'ba'", Different),
        ("'ab'", "ba", Different),
        ("True", "False", Different),
        ("{'a': 1}", "{'a': 2}", Different),
        ("b'a'", "['a']", Different),
        // The same but for quoting or blanks: it may be a slip of the pen.
        ("4", "'4'", CannotTell),
        ("'a b'", "'ab'", CannotTell),
        ("the function returns nothing at all here", "None", CannotTell),
    ] {
        let (x, y) = (Literal::of_phrase(a).unwrap(), Literal::of_phrase(b).unwrap());
        assert_eq!(compare(&x, &y), verdict, "{a} / {b}");
        assert_eq!(compare(&y, &x), verdict, "{b} / {a}");
    }
}

#[test]
fn sentences_end_in_literals() {
    for (text, expected) in [
        ("So f returns 'a.b'.", Some(Literal::Text("a.b".into()))),
        (
            "The result is `[1, 2]`.",
            Some(Literal::List(vec![Literal::Number(1.0), Literal::Number(2.0)])),
        ),
        ("It gives\nassert f('x') == 'y'", Some(Literal::Text("y".into()))),
        ("Therefore it will return {}.", Some(Literal::Map(vec![]))),
        ("The list [1] is returned as it is.", None),
        ("it's done", None),
        ("", None),
    ] {
        assert_eq!(Literal::closing(text), expected, "{text}");
    }
}

#[test]
fn nonsense_is_no_literal() {
    for text in ["[1, 2", "{'a': }", "'open", "((((", "", "-", "[1 2]", "{1: 2, 3}", "b"] {
        assert_eq!(parse(text), None, "{text}");
    }
    assert_eq!(parse(&"[".repeat(100_000)), None);
}
