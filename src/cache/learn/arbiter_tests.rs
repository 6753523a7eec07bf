//! Lessons that wait for a model, with an arbiter that is played by the test.

use std::sync::{Arc, Mutex};

use super::tests::{answered, entry, found, lane, question};
use super::*;
use crate::config;
use crate::judge::Verdict;

/// What an arbiter was asked, and how to answer it.
type Inbox = Arc<Mutex<Vec<(OpenPair, Told)>>>;

const CONFIG: &str = "
providers: [{name: p, base_url: http://h}]
models: [{name: judge, provider: p, id: j, price: {input: 1, output: 2}}]
cache: {judge: judge}
";

/// Two ways to say one thing, and a third one that comparing cannot hold against them either.
const FIRST: &str =
    "It scatters short waves of light more than long ones, so blue reaches us from all sides.";
const OTHER: &str =
    "Because of Rayleigh scattering: molecules in the air deflect the blue part of sunlight.";

fn model() -> Arc<Model> {
    let loaded = config::load_text("f.yaml", CONFIG, &config::Env::empty(), &[]);
    loaded.expect("valid").settings.cache.judge.expect("a judge")
}

fn teacher() -> (Teacher, Inbox) {
    let teacher = Teacher::synchronous(Arc::new(Minds::new()), Box::new(|_| {}));
    let inbox = Inbox::default();
    let asked = inbox.clone();
    teacher.refer_to(Box::new(move |pair, told| asked.lock().unwrap().push((pair, told))));
    (teacher, inbox)
}

/// A lookup of `prompt` beside one stored answer, whose own answer is stored under `b`.
fn lesson(minds: &Minds, stored: &Arc<Entry>, prompt: &str, answer: &str, asks: bool) -> Lesson {
    let mut asked = question(lane("t", "auto"), prompt, Some(0.5));
    asked.judge = asks.then(model);
    // Near enough to be likely, not so near that no verdict matters.
    let similarity = if prompt.contains("sky") { 0.8 } else { -0.5 };
    let pending = minds.ask(&asked, &[found(stored, similarity)], |_| None).pending;
    Lesson::Answered {
        pending: pending.expect("a live question"),
        answer: entry("b", prompt, answer).answer,
        entry: Some("b".into()),
        verdicts: None,
    }
}

fn sky(minds: &Minds) -> Arc<Entry> {
    let stored = Arc::new(entry("a", "why is the sky blue", FIRST));
    answered(minds, &stored.prompt, &[], "a", FIRST);
    stored
}

#[test]
fn a_models_word_becomes_a_label() {
    for (word, members, counted) in
        [(Verdict::Same, 2, [1, 0, 0]), (Verdict::Different, 1, [0, 1, 0])]
    {
        let (teacher, inbox) = teacher();
        let stored = sky(teacher.minds());
        teacher.teach(lesson(
            teacher.minds(),
            &stored,
            "why is the sky above us blue at noon",
            OTHER,
            true,
        ));
        assert_eq!(teacher.minds().standings()[0].entries, 1, "nothing is learnt yet");
        let (pair, told) = inbox.lock().unwrap().pop().expect("one pair");
        assert_eq!(pair.question, "why is the sky above us blue at noon");
        assert_eq!((&pair.answers, &*pair.tenant), (&[OTHER.into(), FIRST.into()], "t"));
        told(word);
        assert_eq!(teacher.minds().group_of(&stored).len(), members, "{word:?}");
        assert_eq!(teacher.minds().given().model, counted);
    }
}

#[test]
fn a_model_that_says_nothing_leaves_the_pair_open_and_the_lesson_taught() {
    let (teacher, inbox) = teacher();
    let stored = sky(teacher.minds());
    teacher.teach(lesson(
        teacher.minds(),
        &stored,
        "why is the sky above us blue at noon",
        OTHER,
        true,
    ));
    inbox.lock().unwrap().clear();
    assert_eq!(teacher.minds().standings()[0].entries, 2);
    assert_eq!(teacher.minds().group_of(&stored).len(), 1);
    assert_eq!(teacher.minds().given().comparison, [0, 0, 1]);
}

#[test]
fn nobody_is_asked_what_comparing_decides_or_who_may_not_be_asked() {
    let (teacher, inbox) = teacher();
    let stored = sky(teacher.minds());
    let minds = teacher.minds();
    teacher.teach(lesson(minds, &stored, "why is the sky above us blue at noon", FIRST, true));
    teacher.teach(lesson(minds, &stored, "why is the sky above us blue at noon", OTHER, false));
    teacher.teach(lesson(minds, &stored, "bake me some bread", OTHER, true));
    assert!(inbox.lock().unwrap().is_empty());
}

#[test]
fn pairs_of_which_the_truth_is_known_measure_the_model() {
    let (teacher, inbox) = teacher();
    let before = sky(teacher.minds());
    let repeat = |class| {
        let mut before = entry("a", "why is the sky blue", FIRST);
        before.ttl_class = class;
        let answer = entry("x", "", OTHER).answer;
        let prompt = before.prompt.clone();
        Lesson::Repeated {
            prompt,
            before: Arc::new(before),
            answer,
            entry: None,
            judge: Some(model()),
        }
    };
    teacher.teach(repeat(crate::cache::TtlClass::Volatile));
    assert!(inbox.lock().unwrap().is_empty(), "it may well have changed");
    for _ in 0..30 {
        teacher.teach(repeat(crate::cache::TtlClass::Default));
        let (pair, told) = inbox.lock().unwrap().pop().expect("one pair");
        assert_eq!(pair.answers[1], FIRST);
        told(Verdict::Different);
    }
    // It now gives the labels, so its errors are those of the mind.
    let minds = teacher.minds();
    teacher.teach(lesson(minds, &before, "why is the sky above us blue at noon", OTHER, true));
    let (_, told) = inbox.lock().unwrap().pop().expect("one pair");
    told(Verdict::Same);
    let pupil = minds.known(&lane("t", "auto")).expect("it was asked");
    assert!(minds.errors_in(&pupil).false_different > 0.3);
    assert!(minds.errors().false_different < 0.03, "comparing was never wrong");
    // And they outlive the process.
    let later = Minds::new();
    assert_eq!(later.restore(minds.changed()), 0);
    let pupil = later.known(&lane("t", "auto")).expect("it is back");
    assert!(later.errors_in(&pupil).false_different > 0.3);
}
