//! Lanes, lessons and the thread that teaches.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::pupils::MAX_MINDS;
use super::*;
use crate::cache::verify::Budget;
use crate::cache::{CacheKey, Scope};
use crate::dialect::Usage;
use crate::judge::Verdict;
use crate::now::Now;

const GOALS: Goals = Goals { budget: Budget { lookups: 0.01, hits: None }, exploration: 0.0 };

pub(super) fn lane(tenant: &str, route: &str) -> Lane {
    Lane { tenant: tenant.into(), route: route.into() }
}

pub(super) fn entry(id: &str, prompt: &str, answer: &str) -> Entry {
    let body = serde_json::json!({"choices": [{"message": {"content": answer}}]});
    Entry {
        id: id.into(),
        key: CacheKey([0; 32]),
        scope: Scope([0; 32]),
        lane: lane("t", "auto"),
        tenant: "t".into(),
        key_name: None,
        prompt: prompt.into(),
        vector: None,
        answer: Bytes::from(body.to_string()),
        usage: Usage::default(),
        model: "m".into(),
        target: "p/m".into(),
        tier: None,
        stored: Now::read(),
        ttl_class: TtlClass::Default,
        ttl: Duration::from_hours(1),
        cost: None,
        took: Duration::ZERO,
        tags: BTreeMap::new(),
        hits: 0.into(),
    }
}

pub(super) fn found(entry: &Arc<Entry>, similarity: f32) -> Found {
    let profile = Arc::new(Profile::of(&entry.prompt));
    Found { id: 0, number: number(&entry.id), entry: entry.clone(), profile, similarity }
}

pub(super) fn question<'a>(lane: Lane, prompt: &'a str, draw: Option<f32>) -> Question<'a> {
    Question { lane, prompt, goals: GOALS, draw, observing: false, judge: None }
}

/// Asks, and teaches the answer under `id`.
pub(super) fn answered(
    minds: &Minds,
    prompt: &str,
    near: &[Found],
    id: &str,
    answer: &str,
) -> Vec<u64> {
    let advice = minds.ask(&question(lane("t", "auto"), prompt, Some(0.5)), near, |_| None);
    let lesson = Lesson::Answered {
        pending: advice.pending.expect("a live question"),
        answer: entry(id, prompt, answer).answer,
        entry: Some(id.into()),
        verdicts: None,
    };
    minds.learn(&lesson)
}

#[test]
fn equal_answers_make_a_group_and_others_do_not() {
    let minds = Minds::new();
    let a = Arc::new(entry("a", "capital of france", "Paris"));
    answered(&minds, &a.prompt, &[], "a", "Paris");
    let near = [found(&a, 0.9)];
    answered(&minds, "the french capital", &near, "b", "paris.");
    answered(&minds, "largest city of france", &near, "c", "Paris");
    answered(&minds, "capital of the french empire", &near, "d", "Orleans");
    let mut expected = vec![number("a"), number("b"), number("c")];
    expected.sort_unstable();
    assert_eq!(minds.group_of(&a), expected);
    minds.forget(&entry("b", "the french capital", ""));
    assert_eq!(minds.group_of(&a).len(), 2);
}

#[test]
fn a_renewed_answer_keeps_the_company_of_the_old_one_unless_it_has_changed() {
    let minds = Minds::new();
    let a = Arc::new(entry("a", "capital of france", "Paris"));
    answered(&minds, &a.prompt, &[], "a", "Paris");
    answered(&minds, "the french capital", &[found(&a, 0.9)], "b", "Paris");
    let company = |entry: &Entry| minds.group_of(entry).len();
    for (id, old, answer, expected) in [("c", &a, "Paris", 2), ("d", &a, "Orleans", 1)] {
        let new = Arc::new(entry(id, &a.prompt, answer));
        minds.succeed(old, &new);
        let (before, answer, prompt) = (Arc::clone(old), new.answer.clone(), a.prompt.clone());
        minds.learn(&Lesson::Repeated {
            prompt,
            before,
            answer,
            entry: Some(id.into()),
            judge: None,
        });
        assert_eq!(company(&new), expected, "{id}");
        minds.succeed(&new, &a);
    }
    let volatile = Entry { ttl_class: TtlClass::Volatile, ..entry("e", &a.prompt, "Paris") };
    minds.succeed(&a, &volatile);
    assert_eq!(company(&volatile), 0, "what changes all the time says nothing of its neighbours");
}

#[test]
fn what_was_gone_before_its_lesson_is_forgotten() {
    let minds = Minds::new();
    for id in ["a", "b"] {
        answered(&minds, "capital of france", &[], id, "Paris");
    }
    let is_stored = |entry: u64| entry == number("a");
    let entries = || minds.standings()[0].entries;
    minds.forget_latecomers(is_stored);
    assert_eq!(entries(), 2, "it may be on its way");
    minds.forget_latecomers(is_stored);
    assert_eq!(entries(), 1);
}

#[test]
fn a_rehearsal_leaves_no_trace() {
    let minds = Minds::new();
    let a = Arc::new(entry("a", "capital of france", "Paris"));
    let near = [found(&a, 0.9)];
    let asked = question(lane("t", "auto"), "capital of spain", None);
    let advice = minds.ask(&asked, &near, |_| None);
    assert!(advice.pending.is_none());
    assert!(!advice.evidence.expect("a candidate").because.is_empty());
    assert_eq!(minds.standings()[0].entries, 0);
}

#[test]
fn tenants_and_routes_learn_apart() {
    let minds = Minds::new();
    answered(&minds, "capital of france", &[], "a", "Paris");
    let other = question(lane("other", "auto"), "capital of france", Some(0.5));
    minds.ask(&other, &[], |_| None);
    let standings = minds.standings();
    let entries: Vec<usize> = standings.iter().map(|standing| standing.entries).collect();
    assert_eq!(entries, [0, 1]);
}

#[test]
fn minds_are_bounded() {
    let minds = Minds::new();
    for n in 0..MAX_MINDS + 10 {
        minds.ask(&question(lane("t", &format!("p/{n}")), "hi there", Some(0.5)), &[], |_| None);
    }
    assert_eq!(minds.standings().len(), MAX_MINDS);
}

#[test]
fn no_tenant_pushes_out_the_minds_of_another() {
    let minds = Minds::new();
    let ask = |tenant: &str, route: &str| {
        minds.ask(&question(lane(tenant, route), "hi there", Some(0.5)), &[], |_| None);
    };
    ask("quiet", "auto");
    assert!(minds.census().is_none(), "nobody has left");
    (0..MAX_MINDS + 10).for_each(|n| ask("loud", &format!("p/{n}")));
    // One more tenant: the loud one makes room for it too.
    ask("late", "auto");
    let standings = minds.standings();
    assert_eq!(standings.len(), MAX_MINDS);
    let of = |tenant| standings.iter().filter(|standing| &*standing.lane.tenant == tenant).count();
    assert_eq!((of("quiet"), of("late")), (1, 1));
    let names = minds.census().expect("some have left");
    assert_eq!(names.len(), MAX_MINDS + 2, "and the judges");
    assert!(minds.census().is_none(), "nobody has left since");
}

#[test]
fn a_word_on_a_lookup_of_another_mind_labels_none_of_this_ones() {
    let told = |is_restored: bool| {
        let minds = Minds::new();
        let a = Arc::new(entry("a", "capital of france", "Paris"));
        answered(&minds, &a.prompt, &[], "a", "Paris");
        let states = minds.changed();
        let asked = question(lane("t", "auto"), "Capital of France?", Some(0.5));
        let advice = minds.ask(&asked, &[found(&a, 1.0)], |_| None);
        let lookup = advice.pending.and_then(|pending| pending.trail()).expect("a hit");
        if is_restored {
            minds.lock().clear();
            minds.restore(states);
            // The lookup of the same number, of which nobody has said anything.
            minds.ask(&asked, &[found(&a, 1.0)], |_| None);
        }
        minds.changed();
        minds.learn(&Lesson::Told { lookup, good: false });
        let (_, mind) = minds.changed().remove(0);
        let mind: serde_json::Value = serde_json::from_slice(&mind).expect("JSON");
        assert_eq!(mind["mind"]["groups"]["entries"].as_object().map(|it| it.len()), Some(1));
        mind["mind"]["window"].to_string().contains("\"label\":{")
            || mind["mind"]["window"].to_string().contains("\"label\":false")
    };
    assert!(told(false), "the mind that it is about");
    assert!(!told(true), "another one");
}

#[test]
fn an_answer_that_does_not_fit_is_refused_with_its_reason() {
    let minds = Minds::new();
    let a = Arc::new(entry("a", "capital of france", "Paris"));
    let near = [found(&a, 1.0)];
    let asked = question(lane("t", "auto"), "Capital of France?", Some(0.5));
    let served = minds.ask(&asked, &near, |_| None);
    assert_eq!((served.serve, served.refusal), (Some(0), None));
    let long = minds.ask(&asked, &near, |_| Some(MissDetail::Length));
    assert_eq!((long.serve, long.refusal), (None, Some(MissDetail::Length)));
}

#[test]
fn a_bad_word_splits_the_entry_from_its_group() {
    let minds = Minds::new();
    let a = Arc::new(entry("a", "capital of france", "Paris"));
    answered(&minds, &a.prompt, &[], "a", "Paris");
    answered(&minds, "the french capital", &[found(&a, 0.9)], "b", "Paris");
    assert_eq!(minds.group_of(&a).len(), 2);
    let asked = question(lane("t", "auto"), "Capital of France?", Some(0.5));
    let advice = minds.ask(&asked, &[found(&a, 1.0)], |_| None);
    let lookup = advice.pending.and_then(|pending| pending.trail()).expect("a hit");
    minds.learn(&Lesson::Told { lookup, good: false });
    assert_eq!(minds.group_of(&a), [number("a")]);
}

#[test]
fn repeated_requests_tell_how_far_the_judge_is_to_be_trusted() {
    let minds = Minds::new();
    let before = minds.errors().false_different;
    for n in 0..40 {
        let entry = Arc::new(entry("a", "heads or tails?", "heads"));
        let answer = entry_answer(if n % 2 == 0 { "heads" } else { "tails" });
        let lesson = Lesson::Repeated {
            prompt: "heads or tails?".into(),
            before: entry,
            answer,
            entry: None,
            judge: None,
        };
        minds.learn(&lesson);
    }
    assert!(minds.errors().false_different > before + 0.1);
}

fn entry_answer(text: &str) -> Bytes {
    entry("x", "", text).answer
}

#[test]
fn labels_are_trusted_where_there_are_any() {
    let minds = Minds::new();
    assert!(minds.errors().false_same > 0.0);
    minds.trust_labels();
    assert_eq!(minds.errors(), Errors::NONE);
    let a = Arc::new(entry("a", "capital of france", "Paris"));
    answered(&minds, &a.prompt, &[], "a", "Paris");
    let asked = question(lane("t", "auto"), "the french capital", Some(0.5));
    let advice = minds.ask(&asked, &[found(&a, 0.9)], |_| None);
    let pending = advice.pending.expect("a live question");
    assert_eq!(pending.rivals().collect::<Vec<_>>(), ["a"]);
    let (answer, entry) = (entry_answer("Lutetia"), Some("b".to_owned()));
    let verdicts = Some(vec![Verdict::Same]);
    minds.learn(&Lesson::Answered { pending, answer, entry, verdicts });
    assert_eq!(minds.group_of(&a).len(), 2);
}

#[test]
fn the_thread_teaches_what_it_was_given() {
    let minds = Arc::new(Minds::new());
    let mut teacher = Teacher::synchronous(minds.clone(), Box::new(|_| {}));
    teacher.start().expect("a thread");
    let advice =
        minds.ask(&question(lane("t", "auto"), "capital of france", Some(0.5)), &[], |_| None);
    let pending = advice.pending.expect("a live question");
    let (answer, entry) = (entry_answer("Paris"), Some("a".to_owned()));
    teacher.teach(Lesson::Answered { pending, answer, entry, verdicts: None });
    teacher.flush();
    assert_eq!(minds.standings()[0].entries, 1);
    assert_eq!(teacher.dropped(), 0);
}
