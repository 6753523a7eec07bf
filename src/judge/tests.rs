use super::Verdict::{CannotTell, Different, Same};
use super::*;

fn judged(question: &str, a: &str, b: &str) -> Judgement {
    let (x, y) = (Reading::of_text(a), Reading::of_text(b));
    let judgement = compare(question, &x, &y);
    assert_eq!(compare(question, &y, &x), judgement, "{a} / {b}");
    judgement
}

fn verdict(question: &str, a: &str, b: &str) -> Verdict {
    judged(question, a, b).verdict
}

#[test]
fn results_count_and_the_way_to_them_does_not() {
    let q = "How many apples does Ann have?";
    let envelope = "```json\n{\"reasoning\": \"7 + 5 = 12\", \"answer\": \"12\"}\n```";
    for (text, expected) in [
        ("12", Same),
        ("She has seven, gets five more.\n#### 12", Same),
        ("7 + 5 is what she has. The answer is $\\boxed{12}$.", Same),
        ("Elle en a 7 et en reçoit 5. La réponse est : 12", Same),
        ("她有7个，又得5个。答案：12", Same),
        ("First 7, then 5. So Ann has 12 apples.", Same),
        ("**Answer: 13**", Different),
        ("The answer is thirteen.", Different),
        ("First she has 7, then gets some mor", CannotTell),
        ("It cannot be known. Nobody counted.", CannotTell),
        ("The answer is not known.", CannotTell),
    ] {
        assert_eq!(verdict(q, envelope, text), expected, "{text}");
    }
    // An object that breaks off has no answer.
    assert_eq!(verdict(q, "{\"reasoning\": \"7 + 5 = 12\", \"ans", "12"), CannotTell);
}

#[test]
fn each_kind_has_its_judge() {
    let options = "Pick one.\nA. red\nB. green\nC. blue";
    for (question, a, b, expected, by) in [
        (options, "The answer is (B).", "green", Same, Method::Choice),
        (options, "B", "**Answer: C**", Different, Method::Choice),
        (options, "B", "All are nice.", CannotTell, Method::Choice),
        ("assert f(1) == ??", "'a'", "```python\n\"a\"\n```", Same, Method::Literal),
        ("", "{\"a\": 1, \"b\": 2}", "{\"b\": 2, \"a\": 1}", Same, Method::Fields),
        ("", "Hello  there", "Hello there", Same, Method::Identical),
        ("Where?", "Answer: Rome", "Oslo", Different, Method::Words),
    ] {
        let judgement = judged(question, a, b);
        assert_eq!(judgement, Judgement { verdict: expected, by }, "{a} / {b}");
    }
}

#[test]
fn prose_about_one_thing_is_open() {
    let a = "To bake bread you need flour, water, salt and yeast. Knead it well and let it rise.";
    let b =
        "Bread is made from flour and water. Mix, knead, wait for 2 hours, then bake it at 220 °C.";
    assert_eq!(verdict("How do I bake bread?", a, b), CannotTell);
    assert_eq!(verdict("How do I bake bread?", a, &a.replace("Knead", "knead")), Same);
}

#[test]
fn completions_give_their_text_or_their_calls() {
    let text = |content: &str, finish: &str| {
        let body = serde_json::json!({"choices": [{"finish_reason": finish,
            "message": {"role": "assistant", "content": content}}]});
        Reading::of_completion(body.to_string().as_bytes())
    };
    let call = |arguments: &str| {
        let function = serde_json::json!({"name": "f", "arguments": arguments});
        let body = serde_json::json!({"choices": [{"finish_reason": "tool_calls",
            "message": {"role": "assistant", "content": null,
                "tool_calls": [{"id": "c", "type": "function", "function": function}]}}]});
        Reading::of_completion(body.to_string().as_bytes())
    };
    let verdict = |a: &Reading, b: &Reading| compare("", a, b).verdict;
    assert_eq!(text("42", "stop"), Reading::of_text("42"));
    assert_eq!(verdict(&call("{\"x\": 1}"), &call("{ \"x\": 1.0 }")), Same);
    assert_eq!(verdict(&call("{\"x\": 1}"), &call("{\"x\": 2}")), Different);
    assert_eq!(verdict(&call("{\"x\": 1}"), &text("1", "stop")), CannotTell);
    // Cut off, filtered, not a completion at all: equal texts or not, nothing is known.
    for broken in [text("42", "length"), text("42", "content_filter"), text("", "stop")] {
        assert_eq!(compare("", &broken, &broken).by, Method::Unfinished);
    }
    for body in ["", "{}", "{\"choices\": []}", "{\"error\": {}}", "[1]"] {
        let broken = Reading::of_completion(body.as_bytes());
        assert_eq!(verdict(&broken, &broken), CannotTell, "{body}");
    }
}

#[test]
fn a_reading_is_small_and_no_text_is_too_much() {
    let nasty = [
        "{",
        "[[[[",
        "```",
        "\\boxed{",
        "the answer is ",
        "\"answer\":",
        "=",
        "1.",
        "½",
        "答案",
        "A. B. C. ",
        "\\frac{1}{",
        "#### ",
        "é",
        "🙂",
        "\u{202e}",
        "= 1 = 1",
        "1,1",
        "-",
        "**",
    ];
    let question = "How many?\nA. 1\nB. 2";
    for part in nasty {
        let long = part.repeat(256_000 / part.len());
        let reading = Reading::of_text(&long);
        assert!(reading.weight() < 100_000, "{part} {}", reading.weight());
        for short in nasty {
            let short = Reading::of_text(short);
            compare(question, &reading, &short);
            compare(&long, &reading, &short);
        }
    }
}

/// Of the labelled pairs of a kind: share decided, share wrong of those called same, and of those
/// called different. Measured figures stand in docs/judge.md; these bounds catch a regression.
const BOUNDS: [(&str, f64, f64, f64); 4] = [
    ("number", 0.93, 0.015, 0.01),
    ("choice", 0.95, 0.01, 0.02),
    ("literal", 0.92, 0.02, 0.02),
    ("json", 0.90, 0.015, 0.025),
];

/// Share of the pairs of free prose that may get a verdict.
const FREE_DECIDED: f64 = 0.04;

#[test]
fn recorded_pairs_are_judged_as_measured() {
    use std::io::{Read, Write};
    // Tests run in the project's root. The variable is read here, at the edge of a test.
    #[expect(clippy::disallowed_methods, reason = "a test finds its data by the environment")]
    let data = std::env::var("SEMGATE_DATA").unwrap_or_else(|_| "../shared/data".into());
    let path = std::path::PathBuf::from(data).join("cache/answers/pairs.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        _ = writeln!(std::io::stderr(), "skipped: no answers at {}", path.display());
        return;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip of UTF-8");
    let mut counts = std::collections::BTreeMap::<(String, Option<bool>, Verdict), f64>::new();
    for line in text.lines() {
        let pair: serde_json::Value = serde_json::from_str(line).expect("JSON lines");
        let text = |key: &str| pair[key].as_str().expect("a text");
        let verdict = verdict(text("question"), text("answer_a"), text("answer_b"));
        *counts.entry((text("kind").into(), pair["same"].as_bool(), verdict)).or_default() += 1.0;
    }
    let count = |kind: &str, same, verdict| {
        counts.get(&(kind.into(), same, verdict)).copied().unwrap_or_default()
    };
    for (kind, least, most_same, most_different) in BOUNDS {
        let [right, false_different, open] =
            [Same, Different, CannotTell].map(|verdict| count(kind, Some(true), verdict));
        let [false_same, told_apart, left] =
            [Same, Different, CannotTell].map(|verdict| count(kind, Some(false), verdict));
        let decided = right + false_different + false_same + told_apart;
        let shares = [
            decided / (decided + open + left),
            false_same / (false_same + right),
            false_different / (false_different + told_apart),
        ];
        assert!(shares[0] >= least, "{kind} {shares:?}");
        assert!(shares[1] <= most_same && shares[2] <= most_different, "{kind} {shares:?}");
    }
    let decided = count("free", None, Same) + count("free", None, Different);
    let all = decided + count("free", None, CannotTell);
    assert!(decided <= FREE_DECIDED * all, "{decided} of {all}");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the texts: no panic, one verdict for a pair, and an answer equals itself.
        #[test]
        fn any_two_texts_have_one_verdict(q in ".{0,80}", a in text(), b in text()) {
            let judgement = judged(&q, &a, &b);
            let itself = judged(&q, &a, &a);
            prop_assert_ne!(itself.verdict, Different);
            let _ = judgement;
        }

        /// A number in two dresses is one number, another is another.
        #[test]
        fn numbers_survive_their_dress(n in 2u32..1_000_000, m in 2u32..1_000_000) {
            prop_assume!(n != m);
            let q = "How many are there?";
            for dress in [
                format!("The answer is {n}."),
                format!("#### {n}"),
                format!("so we get \\boxed{{{n}}}"),
                format!("{{\"reasoning\": \"counted {m} first\", \"answer\": {n}}}"),
                format!("**Final answer:** {n}.0"),
            ] {
                prop_assert_eq!(verdict(q, &n.to_string(), &dress), Same);
                prop_assert_eq!(verdict(q, &m.to_string(), &dress), Different);
            }
        }
    }

    fn text() -> impl Strategy<Value = String> {
        let parts = prop::sample::select(vec![
            "the answer is ",
            "Answer: ",
            "(B)",
            "A",
            "12",
            "12.5",
            "1,000",
            "$",
            "\\boxed{7}",
            "{\"answer\": ",
            "\"",
            "'",
            "}",
            "[1, 2]",
            "```",
            "\n",
            ". ",
            "= ",
            "yes",
            "no",
            "é",
            "答案是",
            "½",
            "-",
            "%",
            "**",
            "2021-01-05",
            "hours",
            "Paris",
            "\\frac{1}{2}",
            "assert f() == ",
            "#### ",
            "🙂",
        ]);
        prop::collection::vec(parts, 0..12).prop_map(|parts| parts.concat())
    }
}
