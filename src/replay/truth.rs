//! Was the served answer the right one? By label where both rows have one; else by the judge on
//! their answers, who may abstain; else nobody knows.

use crate::judge::{self, Reading};

use super::input::Row;

/// Who told right from wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Label,
    Judge,
}

/// Whether an answer is wrong for a question, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truth {
    pub wrong: bool,
    pub by: By,
}

/// Whether the answer of `served` is wrong for what `asked` asks; `None` where nobody can tell.
pub fn of(asked: &Row, served: &Row) -> Option<Truth> {
    if let (Some(asked), Some(served)) = (asked.label(), served.label()) {
        return Some(Truth { wrong: asked != served, by: By::Label });
    }
    let [right, given] = [asked.answer_text()?, served.answer_text()?].map(Reading::of_text);
    let wrong = match judge::compare(&asked.prompt(), &right, &given).verdict {
        judge::Verdict::Same => false,
        judge::Verdict::Different => true,
        judge::Verdict::CannotTell => return None,
    };
    Some(Truth { wrong, by: By::Judge })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn row(value: Value) -> Row {
        serde_json::from_value(value).expect("a row")
    }

    #[test]
    fn labels_go_before_answers_and_silence_is_no_verdict() {
        let labelled = |label, answer| row(json!({"answer_id": label, "answer": answer}));
        let answered = |answer| row(json!({"answer": answer}));
        let (label, judge) = (By::Label, By::Judge);
        for (asked, served, truth) in [
            (labelled("a", "yes"), labelled("a", "no"), Some(Truth { wrong: false, by: label })),
            (labelled("a", "yes"), labelled("b", "yes"), Some(Truth { wrong: true, by: label })),
            (labelled("a", "yes"), answered("yes"), Some(Truth { wrong: false, by: judge })),
            (answered("Paris"), answered("Lyon"), Some(Truth { wrong: true, by: judge })),
            (answered("Paris"), row(json!({})), None),
        ] {
            assert_eq!(of(&asked, &served), truth, "{asked:?} {served:?}");
        }
    }
}
