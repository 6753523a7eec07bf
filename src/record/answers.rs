//! Answers that a caller may still judge: for each the few facts that feedback needs, kept longer
//! than the ring keeps records. Bounded by time (`cache.feedback_window`) and by number; an answer
//! that has left is unknown to feedback, and a restart forgets them all.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::cache::feedback::{Feedback, Label, Served};
use crate::now::Now;

/// Answers kept at most, of some 200 bytes each. At 100 requests a second that is a quarter of an
/// hour; feedback that comes later finds its answer unknown.
pub const MAX_ANSWERS: usize = 100_000;

/// What was said of an answer: the record's `feedback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeedbackNote {
    /// `good` or `bad`.
    pub verdict: &'static str,
    /// Only with `telemetry.content`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An answer as it was given.
#[derive(Debug, Clone)]
pub struct Answer {
    pub tenant: Arc<str>,
    /// The route or named model as metrics call it.
    pub route: Arc<str>,
    /// When the request arrived.
    pub at: Now,
    /// `None`: made for the request.
    pub served: Option<Arc<Served>>,
}

/// A caller's verdict on the answer to a request.
#[derive(Debug, Clone)]
pub struct Word<'a> {
    /// Of the request.
    pub id: Uuid,
    /// The caller's.
    pub tenant: &'a str,
    pub label: Label,
    pub reason: Option<String>,
}

/// What became of a verdict.
#[derive(Debug, PartialEq)]
pub enum Judged {
    /// No such answer, not any more, or another tenant's.
    Unknown,
    /// The other verdict was given before, and stands.
    Otherwise(Label),
    /// The same verdict was given before.
    Again(Feedback),
    First(Feedback),
}

/// A time at which an entry was served, and how it came to that.
#[derive(Debug, Clone)]
pub struct Serving {
    pub request: String,
    pub time: Timestamp,
    pub served: Arc<Served>,
}

/// The answers kept, oldest first.
#[derive(Debug)]
pub struct Answers {
    capacity: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    window: Duration,
    answers: HashMap<Uuid, Kept>,
    order: VecDeque<Uuid>,
}

#[derive(Debug)]
struct Kept {
    answer: Answer,
    said: Option<Box<Said>>,
}

#[derive(Debug)]
struct Said {
    label: Label,
    note: FeedbackNote,
}

impl Answers {
    pub fn new(capacity: usize, window: Duration) -> Self {
        Self { capacity, held: Mutex::new(Held { window, ..Held::default() }) }
    }

    /// Answers are kept for so long from now on.
    pub fn keep_for(&self, window: Duration) {
        self.lock().window = window;
    }

    /// Keeps an answer under the id of its request, in place of what was known of it.
    pub fn note(&self, id: Uuid, answer: Answer) {
        let mut held = self.lock();
        let now = answer.at;
        held.drop_expired(now);
        if held.window.is_zero() || self.capacity == 0 {
            return;
        }
        if held.answers.insert(id, Kept { answer, said: None }).is_none() {
            held.order.push_back(id);
        }
        while held.order.len() > self.capacity {
            let Some(oldest) = held.order.pop_front() else { break };
            held.answers.remove(&oldest);
        }
    }

    /// Takes a verdict. The first one stands.
    pub fn judge(&self, word: Word<'_>, now: Now) -> Judged {
        let Word { id, tenant, label, reason } = word;
        let mut held = self.lock();
        held.drop_expired(now);
        let kept = held.answers.get_mut(&id).filter(|kept| *kept.answer.tenant == *tenant);
        let Some(kept) = kept else { return Judged::Unknown };
        let feedback = Feedback {
            request: id.to_string(),
            tenant: kept.answer.tenant.clone(),
            route: kept.answer.route.clone(),
            label,
            served: kept.answer.served.clone(),
        };
        match &kept.said {
            Some(said) if said.label == label => Judged::Again(feedback),
            Some(said) => Judged::Otherwise(said.label),
            None => {
                let note = FeedbackNote { verdict: label.name(), reason };
                kept.said = Some(Box::new(Said { label, note }));
                Judged::First(feedback)
            }
        }
    }

    /// What was said of an answer.
    pub fn said(&self, id: Uuid) -> Option<FeedbackNote> {
        let held = self.lock();
        held.answers.get(&id)?.said.as_ref().map(|said| said.note.clone())
    }

    /// Up to `limit` answers for which the entry of that id was served, newest first.
    pub fn servings(&self, entry: &str, limit: usize) -> Vec<Serving> {
        let held = self.lock();
        let newest_first =
            held.order.iter().rev().filter_map(|id| Some((id, held.answers.get(id)?)));
        let servings = newest_first.filter_map(|(id, kept)| {
            let served = kept.answer.served.as_ref().filter(|served| served.entry == entry)?;
            let time = kept.answer.at.wall;
            Some(Serving { request: id.to_string(), time, served: served.clone() })
        });
        servings.take(limit).collect()
    }

    pub fn len(&self) -> usize {
        self.lock().order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Requests arrive in the order of their clock, near enough: the front is the oldest.
    fn drop_expired(&mut self, now: Now) {
        while let Some(id) = self.order.front() {
            let age = self.answers.get(id).map(|kept| kept.answer.at.mono);
            let age = age.map(|at| now.mono.saturating_duration_since(at));
            if age.is_some_and(|age| age <= self.window) {
                return;
            }
            let id = self.order.pop_front();
            id.and_then(|id| self.answers.remove(&id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn answer(at: Now) -> Answer {
        Answer { tenant: "acme".into(), route: "auto".into(), at, served: None }
    }

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    /// What a caller of `tenant` says of one of these answers: that it is good.
    fn word(number: u128, tenant: &str) -> Word<'_> {
        Word { id: id(number), tenant, label: Label::Good, reason: None }
    }

    #[test]
    fn the_first_verdict_stands() {
        let (answers, now) = (Answers::new(10, WINDOW), Now::read());
        answers.note(id(1), answer(now));
        assert_eq!(answers.said(id(1)), None);
        let reason = || Some("why".to_owned());
        let word = |label| Word { id: id(1), tenant: "acme", label, reason: reason() };
        let judge = |label| answers.judge(word(label), now);
        assert!(
            matches!(judge(Label::Bad), Judged::First(given) if given.entry() == id(1).to_string())
        );
        assert!(matches!(judge(Label::Bad), Judged::Again(_)));
        assert_eq!(judge(Label::Good), Judged::Otherwise(Label::Bad));
        let said = answers.said(id(1)).expect("said");
        assert_eq!((said.verdict, said.reason.as_deref()), ("bad", Some("why")));
    }

    #[test]
    fn an_answer_of_another_tenant_or_after_its_time_is_unknown() {
        let (answers, now) = (Answers::new(10, WINDOW), Now::read());
        answers.note(id(1), answer(now));
        let judge = |tenant, now| answers.judge(word(1, tenant), now);
        assert_eq!(judge("other", now), Judged::Unknown);
        assert_eq!(answers.judge(word(2, "acme"), now), Judged::Unknown);
        let late = now.after(WINDOW + Duration::from_millis(1));
        assert_eq!(judge("acme", late), Judged::Unknown);
        assert!(answers.is_empty(), "what is too old takes no room");
        answers.note(id(3), answer(now));
        let at_last = answers.judge(word(3, "acme"), now.after(WINDOW));
        assert!(matches!(at_last, Judged::First(_)), "the window includes its end");
    }

    #[test]
    fn beyond_the_capacity_the_oldest_are_unknown() {
        let (answers, now) = (Answers::new(2, WINDOW), Now::read());
        for number in 1..=3 {
            answers.note(id(number), answer(now));
            answers.note(id(number), answer(now));
        }
        let known = |number| answers.judge(word(number, "acme"), now);
        assert_eq!(known(1), Judged::Unknown);
        assert!(matches!((known(2), known(3)), (Judged::First(_), Judged::First(_))));
        assert_eq!(answers.len(), 2);
        answers.keep_for(Duration::ZERO);
        answers.note(id(4), answer(now.after(WINDOW)));
        assert!(answers.is_empty(), "a window of nothing keeps nothing");
    }
}
