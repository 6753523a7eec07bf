//! The cache as the line sees it: both levels behind one facade, in memory.
//!
//! It looks, admits and purges; what may be stored and what the verdict means for the request is
//! decided elsewhere. `now` is an argument throughout.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;

use super::exact::Exact;
use super::learn::{self, Advice, Lesson, Minds, Pending, Question, Teacher};
use super::purge::Purge;
use super::semantic::{Found, Semantic};
use super::{CacheVerdict, Directives, Entry, Evidence, Keyed, Level, MissDetail, RequestDetail};
use crate::config::settings;
use crate::embed::Vector;
use crate::index::Foresight;
use crate::now::Now;

/// Stored answers. A level that is switched off finds nothing and stores nothing; `cache.enabled` is
/// asked for each request, so that a reload can switch the cache on.
#[derive(Debug)]
pub struct Cache {
    /// Before the levels, so that its thread is joined before they go.
    teacher: Teacher,
    exact: Option<Arc<Exact>>,
    semantic: Option<Arc<Semantic>>,
    candidates: usize,
    min_similarity: f32,
}

/// What the cache holds and has done since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Stats {
    pub exact: ExactStats,
    pub semantic: SemanticStats,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ExactStats {
    pub entries: u64,
    pub bytes: u64,
    pub inserts: u64,
    /// Pushed out by the budget.
    pub evictions: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SemanticStats {
    pub entries: u64,
    pub bytes: u64,
    pub inserts: u64,
    /// Pushed out by either budget.
    pub evictions: u64,
    pub scopes: u64,
    /// Removed vectors that graphs still hold.
    pub tombstones: u64,
    /// Not stored: the queue was full, or the entry could not be.
    pub dropped: u64,
}

impl Cache {
    /// Stores semantic entries in the background. Fails when the system refuses a thread.
    pub fn new(settings: &settings::Cache) -> std::io::Result<Self> {
        let semantic = settings.semantic.enabled.then(|| Semantic::new(&settings.semantic));
        let mut cache = Self::with(settings, semantic.transpose()?);
        cache.teacher.start()?;
        Ok(cache)
    }

    /// Stores everything before [`Self::admit`] returns, and learns before [`Self::teach`] does: for
    /// replay and tests.
    pub fn synchronous(settings: &settings::Cache) -> Self {
        let semantic = settings.semantic.enabled.then(|| Semantic::synchronous(&settings.semantic));
        Self::with(settings, semantic)
    }

    /// As [`Self::synchronous`], for vectors of which it is known what is near what: for replay.
    pub fn foreseen(settings: &settings::Cache, foresight: Arc<Foresight>) -> Self {
        let semantic = settings.semantic.enabled;
        Self::with(settings, semantic.then(|| Semantic::foreseen(&settings.semantic, foresight)))
    }

    fn with(settings: &settings::Cache, semantic: Option<Semantic>) -> Self {
        let minds = Arc::new(Minds::new());
        let exact = settings.exact.enabled.then(|| Arc::new(Exact::new(settings.exact.max_bytes)));
        let semantic = semantic.map(Arc::new);
        if let Some(semantic) = &semantic {
            semantic.report_to(minds.clone());
        }
        Self {
            teacher: Teacher::synchronous(minds, retire(exact.clone(), semantic.clone())),
            exact,
            semantic,
            candidates: settings.semantic.candidates,
            min_similarity: settings.semantic.min_similarity,
        }
    }

    /// Looks for the very same request. Counting the hit is for whoever serves it.
    pub fn look_exact(&self, keyed: &Keyed, directives: &Directives, now: Now) -> CacheVerdict {
        if directives.no_cache {
            return CacheVerdict::Request(RequestDetail::NoCache);
        }
        let entry = self.exact.as_ref().and_then(|exact| exact.get(&keyed.exact));
        let Some(entry) = entry else {
            return CacheVerdict::Miss { detail: None, evidence: None };
        };
        if !entry.is_fresh(now) {
            return CacheVerdict::Stale;
        }
        serve(Level::Exact, entry, None, keyed, directives, now)
    }

    /// The nearest stored prompts of the scope that are fresh and above the floor, best first.
    pub fn neighbours(&self, keyed: &Keyed, vector: &Vector, now: Now) -> Vec<Found> {
        let Some(semantic) = &self.semantic else { return Vec::new() };
        semantic.search(&keyed.scope, vector, self.candidates, self.min_similarity, now)
    }

    /// Whether one of the neighbours answers the question, and what learning from its answer needs.
    pub fn verify(
        &self,
        question: &Question<'_>,
        keyed: &Keyed,
        found: &[Found],
        directives: &Directives,
        now: Now,
    ) -> (CacheVerdict, Option<Pending>) {
        if directives.no_cache {
            return (CacheVerdict::Request(RequestDetail::NoCache), None);
        }
        if keyed.exact_only.is_some() {
            return (CacheVerdict::Miss { detail: keyed.exact_only, evidence: None }, None);
        }
        let fits = |entry: &Entry| too_long(entry, keyed).then_some(MissDetail::Length);
        let Advice { serve: place, refusal, evidence, pending } =
            self.minds().ask(question, found, fits);
        if let Some(pending) = pending.as_ref().filter(|pending| pending.is_due()) {
            self.teach(Lesson::Due(pending.clone()));
        }
        let verdict = match place {
            Some(place) => {
                let entry = Arc::clone(&found[place].entry);
                serve(Level::Semantic, entry, evidence, keyed, directives, now)
            }
            None => CacheVerdict::Miss { detail: refusal, evidence },
        };
        (verdict, pending)
    }

    /// Learns from an answer, moments later.
    pub fn teach(&self, lesson: Lesson) {
        self.teacher.teach(lesson);
    }

    /// What was learnt, by tenant and route.
    pub fn minds(&self) -> &Minds {
        self.teacher.minds()
    }

    /// The entry of that exact key, fresh or not.
    pub fn kept(&self, keyed: &Keyed) -> Option<Arc<Entry>> {
        self.exact.as_ref()?.get(&keyed.exact)
    }

    /// Stores an entry in both levels, in place of the one of the same exact key. The exact level
    /// finds it when this returns, the semantic level (if the entry has a vector) moments later.
    pub fn admit(&self, entry: Entry) {
        let entry = Arc::new(entry);
        if let Some(exact) = &self.exact {
            exact.insert(Arc::clone(&entry));
        }
        if let Some(semantic) = &self.semantic
            && entry.vector.is_some()
        {
            semantic.insert(entry);
        }
    }

    /// Removes what `what` selects from both levels, entries still on their way included, and
    /// returns how many entries that were. No lookup that begins afterwards finds one of them.
    pub fn purge(&self, what: &Purge, now: Now) -> usize {
        let selects = |entry: &Entry| what.selects(entry, now);
        let mut removed = Vec::new();
        removed.extend(self.exact.iter().flat_map(|exact| exact.remove_if(selects)));
        removed.extend(self.semantic.iter().flat_map(|semantic| semantic.remove_if(selects)));
        removed.iter().map(|entry| entry.id.as_str()).collect::<HashSet<_>>().len()
    }

    /// Waits until every admitted entry can be found at both levels and every lesson was learnt.
    pub fn flush(&self) {
        self.teacher.flush();
        if let Some(semantic) = &self.semantic {
            semantic.flush();
        }
    }

    /// Entries of a level.
    pub fn entries(&self, level: Level) -> u64 {
        match level {
            Level::Exact => self.exact.as_ref().map_or(0, |exact| exact.len()),
            Level::Semantic => {
                self.semantic.as_ref().map_or(0, |semantic| semantic.stats().entries as u64)
            }
        }
    }

    /// Bytes of both levels, as the budgets count them: an entry in both counts twice, though most
    /// of it is shared.
    pub fn bytes(&self) -> u64 {
        let exact = self.exact.as_ref().map_or(0, |exact| exact.bytes());
        exact + self.semantic.as_ref().map_or(0, |semantic| semantic.stats().bytes)
    }

    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        if let Some(exact) = &self.exact {
            stats.exact = ExactStats {
                entries: exact.len(),
                bytes: exact.bytes(),
                inserts: exact.inserts(),
                evictions: exact.evictions(),
            };
        }
        if let Some(semantic) = &self.semantic {
            let table = semantic.stats();
            stats.semantic = SemanticStats {
                entries: table.entries as u64,
                bytes: table.bytes,
                inserts: table.inserts,
                evictions: table.evictions,
                scopes: table.scopes as u64,
                tombstones: table.tombstones as u64,
                dropped: semantic.dropped(),
            };
        }
        stats
    }
}

/// Removes entries, by number, from both levels.
fn retire(
    exact: Option<Arc<Exact>>,
    semantic: Option<Arc<Semantic>>,
) -> Box<dyn Fn(&[u64]) + Send + Sync> {
    Box::new(move |numbers| {
        let selects = |entry: &Entry| numbers.contains(&learn::number(&entry.id));
        let gone = semantic.iter().flat_map(|semantic| semantic.remove_if(selects));
        let keys: HashSet<_> = gone.map(|entry| entry.key).collect();
        if let Some(exact) = &exact {
            exact.remove_if(|entry: &Entry| keys.contains(&entry.key));
        }
    })
}

/// The stored answer is longer than the request allows.
fn too_long(entry: &Entry, keyed: &Keyed) -> bool {
    keyed.limit.is_some_and(|limit| entry.usage.completion_tokens > limit)
}

/// The last conditions on an entry that answers the question: young enough for the caller, and no
/// longer than its limit.
fn serve(
    level: Level,
    entry: Arc<Entry>,
    evidence: Option<Evidence>,
    keyed: &Keyed,
    directives: &Directives,
    now: Now,
) -> CacheVerdict {
    if directives.max_age.is_some_and(|oldest| entry.age(now) > oldest) {
        return CacheVerdict::Request(RequestDetail::MaxAge);
    }
    if too_long(&entry, keyed) {
        return CacheVerdict::Miss { detail: Some(MissDetail::Length), evidence };
    }
    CacheVerdict::Hit { level, entry, evidence }
}

#[cfg(test)]
mod tests;
