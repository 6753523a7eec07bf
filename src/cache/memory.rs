//! The cache as the line sees it: both levels behind one facade, in memory, and the file behind them.
//!
//! It looks, admits and purges; what may be stored and what the verdict means for the request is
//! decided elsewhere. `now` is an argument throughout.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::exact::Exact;
use super::feedback::{Feedback, Label};
use super::holdings::Holdings;
use super::keeper::Keeper;
use super::learn::{self, Advice, Arbiter, Lesson, Minds, Pending, Question, Teacher};
use super::levels::{Kept, Levels};
use super::negatives::{Negatives, Pair};
use super::purge::{Purge, Undone};
use super::semantic::{Found, Semantic};
use super::store::{Fault, Reader, Store};
use super::{
    CacheKey, CacheVerdict, Entry, Evidence, Fitness, Keyed, Level, MissDetail, RequestDetail,
    Selected, Terms,
};
use crate::config::settings;
use crate::embed::Vector;
use crate::index::Foresight;
use crate::now::Now;

/// Stored answers. A level that is switched off finds nothing and stores nothing; `cache.enabled` is
/// asked for each request, so that a reload can switch the cache on.
#[derive(Debug)]
pub struct Cache {
    /// Before what it takes entries out of, so that its thread is joined before that goes.
    teacher: Teacher,
    pub(super) holdings: Arc<Holdings>,
    /// Of both levels' budgets.
    max_bytes: u64,
    candidates: usize,
    min_similarity: f32,
    pub(super) negatives: Arc<Negatives>,
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
        let exact = settings.exact.enabled.then(|| Exact::new(settings.exact.max_bytes));
        if let Some(semantic) = &semantic {
            semantic.report_to(minds.clone());
        }
        let grace_ms = AtomicU64::new(0);
        let holdings = Arc::new(Holdings::new(Levels { exact, semantic, grace_ms }));
        let retire_from = Arc::clone(&holdings);
        let retire = Box::new(move |numbers: &[u64]| retire_from.retire(numbers));
        let cache = Self {
            teacher: Teacher::synchronous(minds, retire),
            holdings,
            max_bytes: settings.exact.max_bytes.saturating_add(settings.semantic.max_bytes),
            candidates: settings.semantic.candidates,
            min_similarity: settings.semantic.min_similarity,
            negatives: Arc::default(),
        };
        cache.keep_expired(settings);
        cache
    }

    /// Keeps answers in the file of that folder too, and begins to take back those that it holds:
    /// exact keys are found from now on, neighbours when they were read. `embedder` is the identity
    /// of whatever makes the vectors. Without a level that stores there is nothing to keep.
    ///
    /// # Errors
    /// The system refuses a thread. A file that cannot be used is no error: see [`Store::kept`].
    pub fn keep_in(self, folder: &Path, embedder: Option<&str>) -> std::io::Result<Self> {
        let levels = &self.holdings.levels;
        if levels.exact.is_none() && levels.semantic.is_none() {
            return Ok(self);
        }
        // Without the level, vectors are of no use in memory; the file keeps them meanwhile.
        let embedder = embedder.filter(|_| levels.semantic.is_some());
        // The file holds what memory holds, in less room; the rest is for learnt states.
        let max_bytes = self.max_bytes.saturating_add(self.max_bytes / 4).saturating_add(1 << 30);
        let store = Store::start(folder, embedder, max_bytes)?;
        store.keep_expired(levels.grace());
        let keeper = Keeper::start(
            store,
            Arc::clone(levels),
            self.teacher.share(),
            Arc::clone(&self.negatives),
        )?;
        // A cache that has a file already stays with it.
        _ = self.holdings.keeper.set(keeper);
        Ok(self)
    }

    /// Brings into memory what the file has for a request: for a dry run, which keeps none.
    pub fn recollect(&self, reader: Reader, keyed: &Keyed, now: Now) -> Result<(), Fault> {
        let reader = reader.with_grace(self.holdings.levels.grace());
        self.minds().restore(reader.states()?);
        reader.pairs()?.into_iter().for_each(|pair| self.negatives.keep(pair));
        for entry in reader.relatives(keyed, now)? {
            self.holdings.levels.restore(&Arc::new(entry));
        }
        Ok(())
    }

    /// The file, if answers are kept in one.
    pub fn store(&self) -> Option<&Store> {
        self.holdings.store()
    }

    /// After an exact lookup that found nothing: brings the entry of an earlier run into memory if
    /// the file has it, within some milliseconds. Whether to look again.
    pub async fn fetch(&self, keyed: &Keyed) -> bool {
        self.holdings.fetch(&keyed.exact).await
    }

    /// Looks for the very same request. Counting the hit is for whoever serves it.
    pub fn look_exact(&self, keyed: &Keyed, terms: &Terms<'_>) -> CacheVerdict {
        if terms.directives.no_cache {
            return CacheVerdict::Request(RequestDetail::NoCache);
        }
        let nothing = CacheVerdict::Miss { detail: None, evidence: None };
        let entry = self.holdings.levels.exact.as_ref().and_then(|exact| exact.get(&keyed.exact));
        let Some(entry) = entry else { return nothing };
        match terms.fitness(&entry) {
            Fitness::Fits { .. } => serve(Level::Exact, entry, None, keyed),
            Fitness::Expired => CacheVerdict::Stale,
            Fitness::TooOld => CacheVerdict::Request(RequestDetail::MaxAge),
            Fitness::Superseded => nothing,
        }
    }

    /// The nearest stored prompts of the scope above the floor, best first: those that meet the
    /// terms, and others that are only too old or too late for this caller; but for those that a
    /// caller has found to answer another question.
    pub fn neighbours(&self, keyed: &Keyed, vector: &Vector, terms: &Terms<'_>) -> Vec<Found> {
        let Some(semantic) = &self.holdings.levels.semantic else { return Vec::new() };
        let mut found =
            semantic.search(&keyed.scope, vector, self.candidates, self.min_similarity, terms);
        self.negatives.strike(&keyed.exact, &mut found, |found| found.entry.key);
        found
    }

    /// Whether one of the neighbours answers the question, and what learning from its answer needs.
    pub fn verify(
        &self,
        question: &Question<'_>,
        keyed: &Keyed,
        found: &[Found],
        terms: &Terms<'_>,
    ) -> (CacheVerdict, Option<Pending>) {
        if terms.directives.no_cache {
            return (CacheVerdict::Request(RequestDetail::NoCache), None);
        }
        if keyed.exact_only.is_some() {
            return (CacheVerdict::Miss { detail: keyed.exact_only, evidence: None }, None);
        }
        let fits = |entry: &Entry| too_long(entry, keyed).then_some(MissDetail::Length);
        let answers = |found: &[Found]| {
            let uncounted = Question { draw: None, ..question.clone() };
            self.minds().ask(&uncounted, found, fits).serve.is_some()
        };
        let found = match terms.select(found, answers) {
            Selected::These(found) => found,
            Selected::TooOld => return (CacheVerdict::Request(RequestDetail::MaxAge), None),
        };
        let Advice { serve: place, refusal, evidence, pending } =
            self.minds().ask(question, &found, fits);
        if let Some(pending) = pending.as_ref().filter(|pending| pending.is_due()) {
            self.teach(Lesson::Due(pending.clone()));
        }
        let verdict = match place {
            Some(place) => {
                let entry = Arc::clone(&found[place].entry);
                serve(Level::Semantic, entry, evidence, keyed)
            }
            None => CacheVerdict::Miss { detail: refusal, evidence },
        };
        (verdict, pending)
    }

    /// Learns from an answer, moments later.
    pub fn teach(&self, lesson: Lesson) {
        self.teacher.teach(lesson);
    }

    /// From now on has `arbiter` ask a model about answers that comparing leaves open.
    pub fn refer_to(&self, arbiter: Arbiter) {
        self.teacher.refer_to(arbiter);
    }

    /// What was learnt, by tenant and route.
    pub fn minds(&self) -> &Minds {
        self.teacher.minds()
    }

    /// The entry of that exact key, fresh or not.
    pub fn before(&self, keyed: &Keyed) -> Option<Arc<Entry>> {
        self.holdings.levels.exact.as_ref()?.get(&keyed.exact)
    }

    /// Stores an entry in both levels, in place of the one of the same exact key. The exact level
    /// finds it when this returns, the semantic level (if the entry has a vector) moments later.
    pub fn admit(&self, entry: Entry) {
        self.holdings.admit(Arc::new(entry));
    }

    /// Removes what `what` selects from both levels and from the file, entries still on their way
    /// included, and returns how many entries that were. No lookup that begins afterwards finds one
    /// of them, in this run or a later one. Waits for the file, for seconds at worst.
    ///
    /// # Errors
    /// They are gone from memory, but the file may still hold them; why.
    pub fn purge(&self, what: &Purge, now: Now) -> Result<usize, Undone> {
        self.holdings.purge(what, now)
    }

    /// As [`Self::purge`] for whoever will not wait for a file that is slow: gone from memory when
    /// this returns, from the file then or moments later.
    pub fn withdraw(&self, what: &Purge, now: Now) -> usize {
        self.holdings.withdraw(what, now)
    }

    /// Removes one entry from the semantic level: a newer answer to the same question is there. The
    /// exact level keeps it for its own prompt.
    pub fn supersede(&self, id: &str) {
        self.holdings.supersede(learn::number(id));
    }

    /// Takes over how long expired answers are kept, of new settings.
    pub fn keep_expired(&self, settings: &settings::Cache) {
        let grace = settings.stale_while_revalidate.max(settings.stale_if_error);
        self.holdings.levels.keep_expired(grace);
        if let Some(store) = self.store() {
            store.keep_expired(grace);
        }
    }

    /// Acts on a caller's verdict: a bad answer is gone before this returns, and the two questions are
    /// kept apart from now on; either is learnt from. No lookup that begins afterwards finds the
    /// entry.
    pub fn feedback(&self, what: &Feedback, now: Now) {
        self.refute(what, now);
        if let Some(lookup) = what.served.as_ref().and_then(|served| served.lookup.clone()) {
            self.teach(Lesson::Told { lookup, good: what.label == Label::Good });
        }
    }

    /// Removes the entry of a bad answer, and keeps the two questions apart from now on. Does nothing
    /// about a good one.
    pub fn refute(&self, what: &Feedback, now: Now) {
        if what.label == Label::Good {
            return;
        }
        if let Some(pair) = what.served.as_ref().and_then(|served| served.pair) {
            self.negatives.keep(pair);
            if let Some(keeper) = self.holdings.keeper.get() {
                keeper.keep_apart(pair);
            }
        }
        self.withdraw(&Purge::Entry(what.entry().to_owned()), now);
    }

    /// The entry of that id and where it is, while it is stored.
    pub fn kept(&self, id: &str) -> Option<Kept> {
        self.holdings.levels.kept(id)
    }

    /// The entries of the same scope that are known to have the same answer, itself included.
    pub fn group_of(&self, entry: &Entry) -> Vec<Arc<Entry>> {
        let Some(semantic) = &self.holdings.levels.semantic else { return Vec::new() };
        let mut members = semantic.numbered(&self.minds().group_of(entry));
        members.retain(|other| other.scope == entry.scope);
        members
    }

    /// Whether a caller has found the one question's answer wrong for the other.
    pub fn are_apart(&self, one: &CacheKey, other: &CacheKey) -> bool {
        self.negatives.holds(&Pair::of(one, other))
    }

    /// Pairs of questions that are kept apart.
    pub fn pairs_apart(&self) -> usize {
        self.negatives.len()
    }

    /// Writes what waits to be written and closes the file, within seconds even if it does not
    /// answer: for the end of the process.
    pub fn close(&self) {
        if let Some(keeper) = self.holdings.keeper.get() {
            keeper.close();
        }
    }

    /// Waits until every admitted entry can be found at both levels, every lesson was learnt,
    /// everything in the file is in memory, and all that was admitted is in the file.
    pub fn flush(&self) {
        self.teacher.flush();
        if let Some(keeper) = self.holdings.keeper.get() {
            keeper.flush();
        }
        if let Some(semantic) = &self.holdings.levels.semantic {
            semantic.flush();
        }
    }

    /// Entries of a level.
    pub fn entries(&self, level: Level) -> u64 {
        match level {
            Level::Exact => self.holdings.levels.exact.as_ref().map_or(0, |exact| exact.len()),
            Level::Semantic => self
                .holdings
                .levels
                .semantic
                .as_ref()
                .map_or(0, |semantic| semantic.stats().entries as u64),
        }
    }

    /// Bytes of both levels, as the budgets count them: an entry in both counts twice, though most
    /// of it is shared.
    pub fn bytes(&self) -> u64 {
        let exact = self.holdings.levels.exact.as_ref().map_or(0, |exact| exact.bytes());
        exact + self.holdings.levels.semantic.as_ref().map_or(0, |semantic| semantic.stats().bytes)
    }
}

/// The stored answer is longer than the request allows.
fn too_long(entry: &Entry, keyed: &Keyed) -> bool {
    keyed.limit.is_some_and(|limit| entry.usage.completion_tokens > limit)
}

/// The last condition on an entry that answers the question: no longer than the caller's limit.
fn serve(
    level: Level,
    entry: Arc<Entry>,
    evidence: Option<Evidence>,
    keyed: &Keyed,
) -> CacheVerdict {
    if too_long(&entry, keyed) {
        return CacheVerdict::Miss { detail: Some(MissDetail::Length), evidence };
    }
    CacheVerdict::Hit { level, entry, evidence }
}

#[cfg(test)]
pub(super) mod tests;
