//! What an operator may throw away. Pure; both levels ask it entry by entry.

use std::time::Duration;

use super::Entry;
use crate::now::Now;

/// A selection of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purge {
    All,
    Tenant(String),
    /// A name in `models:`: entries that this model made.
    Model(String),
    /// Entries whose answer is older than this.
    OlderThan(Duration),
    /// The one of that id, as the record's `cache.entry` has it.
    Entry(String),
    /// A name in `keys:`: entries made on behalf of this key.
    Key(String),
    /// Entries whose request bore this tag.
    Tag {
        name: String,
        value: String,
    },
}

impl Purge {
    pub fn selects(&self, entry: &Entry, now: Now) -> bool {
        match self {
            Self::All => true,
            Self::Tenant(tenant) => *entry.tenant == **tenant,
            Self::Model(model) => *entry.model == **model,
            Self::OlderThan(age) => entry.age(now) > *age,
            Self::Entry(id) => entry.id == *id,
            Self::Key(name) => entry.key_name.as_deref() == Some(name),
            Self::Tag { name, value } => entry.tags.get(name) == Some(value),
        }
    }
}

impl Entry {
    /// Time since the answer was produced, by the clock that says more.
    pub fn age(&self, now: Now) -> Duration {
        let wall = Duration::try_from(now.wall.duration_since(self.stored.wall));
        now.mono.saturating_duration_since(self.stored.mono).max(wall.unwrap_or_default())
    }
}
