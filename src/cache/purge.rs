//! What an operator may throw away. Pure; both levels ask it entry by entry.

use std::fmt;
use std::path::PathBuf;
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

/// A purge that is effective in memory, and perhaps not in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// Entries that were removed.
    pub purged: usize,
    /// The file that is to be removed by hand.
    pub path: PathBuf,
    pub why: String,
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { purged, path, why } = self;
        write!(
            f,
            "{purged} entries were purged from memory, but `{}` could be neither changed nor removed \
             ({why}): remove it before the next start, or they come back.",
            path.display()
        )
    }
}

impl Entry {
    /// Time since the answer was produced, by the clock that says more.
    pub fn age(&self, now: Now) -> Duration {
        let wall = Duration::try_from(now.wall.duration_since(self.stored.wall));
        now.mono.saturating_duration_since(self.stored.mono).max(wall.unwrap_or_default())
    }
}
