//! What a caller says of an answer: the label, and which stored answer it is about. Removing a bad
//! one is `memory`'s; what is learnt from a label is `learn`'s.

use std::sync::Arc;

use super::learn::Trail;
use super::negatives::Pair;
use super::{CacheKey, Entry, Evidence, Level};

/// A caller's verdict on an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    Good,
    Bad,
}

impl Label {
    pub const ALL: [Self; 2] = [Self::Good, Self::Bad];

    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|label| label.name() == name)
    }
}

/// A stored answer that was given to a request, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Served {
    /// Id of the entry.
    pub entry: String,
    pub level: Level,
    /// The two questions, where they are not the same.
    pub pair: Option<Pair>,
    /// Cosine, and the score against the line; `None` at the exact level.
    pub evidence: Option<Weighed>,
    /// Where what was learnt can be mended; `None` at the exact level.
    pub lookup: Option<Trail>,
}

/// The figures that a semantic hit was decided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighed {
    pub similarity: f32,
    pub score: f32,
    pub line: f32,
}

impl Served {
    /// `query` is the exact key of the request that got the entry's answer.
    pub fn of(
        entry: &Entry,
        level: Level,
        query: &CacheKey,
        evidence: Option<&Evidence>,
        lookup: Option<Trail>,
    ) -> Self {
        Self {
            entry: entry.id.clone(),
            level,
            pair: (*query != entry.key).then(|| Pair::of(query, &entry.key)),
            evidence: evidence.map(|found| Weighed {
                similarity: found.similarity,
                score: found.score,
                line: found.line,
            }),
            lookup,
        }
    }

    /// An answer made for another request at the same time, under whose id it is stored. `keys` are
    /// the exact keys of the two, which are equal unless their questions differ in form.
    pub fn shared(request: &str, keys: Option<(CacheKey, CacheKey)>) -> Self {
        let pair = keys.filter(|(one, other)| one != other);
        Self {
            entry: request.to_owned(),
            level: if pair.is_some() { Level::Semantic } else { Level::Exact },
            pair: pair.map(|(one, other)| Pair::of(&one, &other)),
            evidence: None,
            lookup: None,
        }
    }
}

/// A label, and the answer it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Feedback {
    /// Id of the request that was answered.
    pub request: String,
    pub tenant: Arc<str>,
    /// The route or named model as metrics call it.
    pub route: Arc<str>,
    pub label: Label,
    /// `None`: the answer was made for this request.
    pub served: Option<Arc<Served>>,
}

impl Feedback {
    /// The entry that holds the answer, if one does: an answer that was made for a request is
    /// stored under the request's id.
    pub fn entry(&self) -> &str {
        self.served.as_ref().map_or(&self.request, |served| &served.entry)
    }
}
