//! Which conversation a request continues, and where that stands. A request brings its whole history,
//! so a conversation is known by what was said before the last answer: whoever sends the same
//! beginning within the same tenant and route continues it. What follows is `route::session`'s.

use std::time::Duration;

use moka::sync::Cache;
use serde_json::Value;

use super::{Asked, Gateway};
use crate::cache::canonical::{Canonical, Nulls};
use crate::now::Now;
use crate::route::session::{Held, Session};

/// Conversations that are remembered. Some 200 bytes each.
const MOST: u64 = 100_000;

/// One that nobody has continued for so long is forgotten.
const IDLE: Duration = Duration::from_hours(1);

/// Hash of what was said up to a turn, in a tenant and route.
type Turn = [u8; 32];

/// Where the conversations of late stand, by their last turn.
#[derive(Debug)]
pub struct Conversations(Cache<Turn, Session>);

/// A request's place in its conversation.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The turn that it continues; `None`: it is the first.
    before: Option<Turn>,
    here: Turn,
}

impl Place {
    /// By the request's messages, O(n) in their bytes; `None` where no classifier chooses.
    pub fn of(asked: &Asked) -> Option<Self> {
        if !asked.classifies() {
            return None;
        }
        let messages = asked.request.body.get("messages").and_then(Value::as_array);
        let lane = asked.lane();
        Some(Self::among(&lane.tenant, &lane.route, messages.map_or(&[], Vec::as_slice)))
    }

    fn among(tenant: &str, route: &str, messages: &[Value]) -> Self {
        let mut said = Canonical::new("semgate conversations");
        said.text(tenant);
        said.text(route);
        let mut before = None;
        for message in messages {
            if message.get("role").and_then(Value::as_str) == Some("assistant") {
                before = Some(said.finish());
            }
            said.value(message, Nulls::Absent);
        }
        Self { before, here: said.finish() }
    }
}

impl Gateway {
    /// A turn was answered from memory: the conversation stands where it stood.
    pub(super) fn carry(&self, asked: &Asked) {
        // The first turn continues nothing, and its hash is spared.
        if asked.request.facts.turns > 1
            && let Some(place) = Place::of(asked)
        {
            self.conversations.carry(&place);
        }
    }
}

impl Conversations {
    /// What the turn before this one has left.
    pub fn held(&self, place: &Place, now: Now) -> Option<Held> {
        Some(self.before(place)?.held(now))
    }

    fn before(&self, place: &Place) -> Option<Session> {
        self.0.get(&place.before?)
    }

    /// Where it stands now.
    pub fn note(&self, place: &Place, session: Session) {
        self.0.insert(place.here, session);
    }

    fn carry(&self, place: &Place) {
        if let Some(session) = self.before(place) {
            self.note(place, session);
        }
    }
}

impl Default for Conversations {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_idle(IDLE).build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::now::Now;
    use serde_json::json;

    fn said(texts: &[&str]) -> Vec<Value> {
        let roles = ["user", "assistant"].into_iter().cycle();
        let message = |(role, text): (&str, &&str)| json!({"role": role, "content": text});
        roles.zip(texts).map(message).collect()
    }

    fn place(tenant: &str, texts: &[&str]) -> Place {
        Place::among(tenant, "auto", &said(texts))
    }

    fn session() -> Session {
        Session { tier: "mid".into(), lower: 0, prompt_tokens: 1, asked: Now::read() }
    }

    #[test]
    fn a_conversation_is_known_by_what_was_said() {
        let conversations = Conversations::default();
        let first = place("t", &["hi"]);
        assert_eq!(conversations.before(&first), None);
        conversations.note(&first, session());
        let next = |tenant, texts: &[&str]| conversations.before(&place(tenant, texts)).is_some();
        assert!(next("t", &["hi", "hello", "how are you?"]));
        assert!(
            next("t", &["hi", "another answer", "and this?"]),
            "answers are the caller's to tell"
        );
        assert!(!next("t", &["hi there", "hello", "how are you?"]));
        assert!(!next("t", &["hi"]), "the same beginning again is another conversation");
        assert!(!next("other", &["hi", "hello", "how are you?"]));
    }

    #[test]
    fn a_turn_answered_from_memory_does_not_break_it() {
        let conversations = Conversations::default();
        conversations.note(&place("t", &["a"]), session());
        let third = ["a", "b", "c", "d", "e"];
        assert!(conversations.before(&place("t", &third)).is_none());
        conversations.carry(&place("t", &["a", "b", "c"]));
        assert!(conversations.before(&place("t", &third)).is_some());
    }
}
