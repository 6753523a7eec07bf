//! exact cache → embed → semantic cache: has this been answered before?
//!
//! The embedding made here serves the classifier too. Whatever fails on the way is a miss or a
//! bypass with its reason; the request goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::access::Caller;
use crate::cache::key::Lookup;
use crate::cache::learn::{Pending, Question, Trail};
use crate::cache::verify::{Budget, Goals};
use crate::cache::{
    BypassReason, CacheKey, CacheVerdict, Entry, Evidence, Keyed, Level, Makers, MissDetail, Terms,
};
use crate::config::settings::{CacheScope, Mode};
use crate::embed::{EmbedError, Embedding};
use crate::now::{Now, Stopwatch};
use crate::record::OpenRecord;

use super::{Asked, Gateway};

/// What memory had to say about a request.
#[derive(Debug)]
pub struct Recall {
    pub verdict: CacheVerdict,
    /// `None` when the request takes no part in the cache at all.
    pub keyed: Option<Keyed>,
    /// `None` when nothing needed it.
    pub embedding: Option<Result<Embedding, EmbedError>>,
    /// The semantic level searched.
    pub searched: bool,
    /// What learning from the answer needs; `None` where the semantic level did not look.
    pub pending: Option<Pending>,
    /// There was an answer to serve, and the request is asked upstream to learn.
    pub explored: bool,
    mode: Mode,
}

/// A stored answer that is served.
#[derive(Debug, Clone)]
pub struct Hit<'a> {
    pub level: Level,
    pub entry: &'a Arc<Entry>,
    pub evidence: Option<&'a Evidence>,
    /// Of the request that is served.
    pub query: CacheKey,
    /// Where a caller's word on it is learnt; `None` at the exact level.
    pub lookup: Option<Trail>,
}

impl Recall {
    /// The entry to serve: none in observe mode, whatever was found.
    pub fn hit(&self) -> Option<Hit<'_>> {
        match (&self.verdict, self.mode) {
            (CacheVerdict::Hit { level, entry, evidence }, Mode::Enforce) => {
                let query = self.keyed.map_or(entry.key, |keyed| keyed.exact);
                // At the exact level what is pending is of a search that found another entry, or none.
                let searched = self.pending.as_ref().filter(|_| *level == Level::Semantic);
                let lookup = searched.and_then(Pending::trail);
                Some(Hit { level: *level, entry, evidence: evidence.as_ref(), query, lookup })
            }
            _ => None,
        }
    }

    /// What the caller is told: in observe mode the cache took no part.
    pub fn told(&self) -> CacheVerdict {
        match (&self.verdict, self.mode) {
            (CacheVerdict::Bypass(_), _) | (_, Mode::Enforce) => self.verdict.clone(),
            (_, Mode::Observe) => CacheVerdict::Bypass(BypassReason::Observe),
        }
    }

    /// The embedding, if there is one.
    pub fn embedding(&self) -> Option<&Embedding> {
        self.embedding.as_ref()?.as_ref().ok()
    }
}

impl Gateway {
    pub(super) async fn recall(
        &self,
        asked: &Asked,
        identity: Lookup,
        record: &mut OpenRecord,
    ) -> Recall {
        let mut memory = self.remember(asked, identity, record).await;
        if memory.hit().is_none() && memory.embedding.is_none() && asked.classifies() {
            memory.embedding = self.embed(asked, record).await;
        }
        record.cache(&memory.verdict, asked.life.class, asked.now);
        if memory.searched {
            record.searched();
        }
        if memory.explored {
            record.explored();
        }
        record.cache_status(memory.told(), asked.headers.cache.only_if_cached);
        memory
    }

    async fn remember(&self, asked: &Asked, identity: Lookup, record: &mut OpenRecord) -> Recall {
        let settings = &asked.settings.cache;
        let blank = |verdict, keyed| Recall {
            verdict,
            keyed,
            embedding: None,
            searched: false,
            pending: None,
            explored: false,
            mode: settings.mode,
        };
        let keyed = match identity {
            Lookup::Bypass(reason) => return blank(CacheVerdict::Bypass(reason), None),
            Lookup::Keyed(keyed) => keyed,
        };
        let watch = Stopwatch::start();
        let terms = asked.terms(settings.stale_while_revalidate);
        let mut exact = self.cache.look_exact(&keyed, &terms);
        if matches!(exact, CacheVerdict::Miss { detail: None, .. })
            && self.cache.fetch(&keyed).await
        {
            exact = self.cache.look_exact(&keyed, &terms);
        }
        record.step("exact", watch.ms());
        if matches!(exact, CacheVerdict::Hit { .. }) {
            return blank(exact, Some(keyed));
        }
        let mut memory = blank(exact, Some(keyed));
        self.look_further(asked, &keyed, &mut memory, record).await;
        memory
    }

    /// The semantic level, after an exact lookup that served nothing.
    async fn look_further(
        &self,
        asked: &Asked,
        keyed: &Keyed,
        memory: &mut Recall,
        record: &mut OpenRecord,
    ) {
        if !asked.settings.cache.semantic.enabled || self.embedder.is_none() {
            return;
        }
        if let Some(detail) = keyed.exact_only {
            memory.explain_miss(detail, None);
            return;
        }
        memory.embedding = self.embed(asked, record).await;
        let embedding = match &memory.embedding {
            Some(Ok(embedding)) if embedding.truncated => {
                return memory.explain_miss(MissDetail::Window, None);
            }
            Some(Ok(embedding)) => embedding,
            // Nothing is looked up, but the new answer will want its vector.
            Some(Err(_)) | None if asked.headers.cache.no_cache => return,
            _ => return memory.explain_miss(MissDetail::Embedder, None),
        };
        if asked.headers.cache.no_cache {
            return;
        }
        let terms = asked.terms(asked.settings.cache.stale_while_revalidate);
        let watch = Stopwatch::start();
        let neighbours = self.cache.neighbours(keyed, &embedding.vector, &terms);
        record.step("search", watch.ms());
        let watch = Stopwatch::start();
        let question = asked.question();
        let (found, pending) = or_miss(|| self.cache.verify(&question, keyed, &neighbours, &terms));
        record.step("verify", watch.ms());
        memory.searched = true;
        memory.pending = pending;
        // Observing would have served nothing either way.
        memory.explored = memory.mode == Mode::Enforce
            && matches!(found, CacheVerdict::Miss { detail: Some(MissDetail::Explored), .. });
        memory.add_semantic(found);
    }

    /// What would be served if every provider failed: an answer past its expiry by no more than
    /// `cache.stale_if_error`, if the caller's directives allow one.
    pub(super) fn reserve(&self, asked: &Asked, memory: &Recall) -> Option<CacheVerdict> {
        let settings = &asked.settings.cache;
        if settings.stale_if_error.is_zero() || settings.mode != Mode::Enforce {
            return None;
        }
        let keyed = memory.keyed?;
        let terms = asked.terms(settings.stale_if_error);
        let exact = self.cache.look_exact(&keyed, &terms);
        if matches!(exact, CacheVerdict::Hit { .. }) {
            return Some(exact);
        }
        let embedding = memory.embedding().filter(|embedding| !embedding.truncated)?;
        let neighbours = self.cache.neighbours(&keyed, &embedding.vector, &terms);
        // Without a draw nothing is explored, and nothing counted that may never be served.
        let question = Question { draw: None, ..asked.question() };
        let (near, _) = self.cache.verify(&question, &keyed, &neighbours, &terms);
        matches!(near, CacheVerdict::Hit { .. }).then_some(near)
    }

    /// The unit vector of the prompt, shared with the equal ones of this moment of whoever shares
    /// answers, too; `None` without an embedder.
    pub(super) async fn embed(
        &self,
        asked: &Asked,
        record: &mut OpenRecord,
    ) -> Option<Result<Embedding, EmbedError>> {
        if let Some(known) = &asked.vector {
            return Some(Ok(known.clone()));
        }
        let embedder = self.embedder.as_ref()?;
        let watch = Stopwatch::start();
        let owner = owner(&asked.caller, asked.settings.cache.scope);
        let embedding = embedder.embed_for(owner, &asked.request.prompt).await;
        record.step("embed", watch.ms());
        Some(embedding)
    }
}

impl Asked {
    fn question(&self) -> Question<'_> {
        let cache = &self.settings.cache;
        let budget = Budget { lookups: cache.max_wrong_hits, hits: cache.max_imprecision() };
        // Who wants nothing but a stored answer cannot be asked to wait for another.
        let only = self.headers.cache.only_if_cached;
        Question {
            lane: self.lane(),
            prompt: &self.request.prompt,
            goals: Goals { budget, exploration: cache.exploration },
            draw: self.draw.map(|draw| if only { 1.0 } else { draw }),
            observing: cache.mode == Mode::Observe,
            judge: self.judge(),
        }
    }

    /// What this request demands of an entry, where expired ones are served for `grace`.
    fn terms(&self, grace: Duration) -> Terms<'_> {
        self.terms_at(grace, self.now)
    }

    /// The same some time after it arrived.
    pub(super) fn terms_at(&self, grace: Duration, now: Now) -> Terms<'_> {
        let makers = Makers::of(&self.settings.models, &self.policy.choice);
        Terms::new(self.headers.cache, grace, makers, now)
    }
}

/// Who may notice how fast a vector comes: the keys of a tenant, unless nobody but the key itself
/// shares its answers.
fn owner(caller: &Caller, scope: CacheScope) -> &str {
    match (scope, &caller.key) {
        (CacheScope::Key, Some(key)) => key,
        (CacheScope::Key | CacheScope::Tenant, _) => &caller.tenant,
    }
}

/// The verifier's verdict; a verifier that fails is a miss, never a hit and never a failed request.
fn or_miss<P>(verify: impl FnOnce() -> (CacheVerdict, Option<P>)) -> (CacheVerdict, Option<P>) {
    catch_unwind(AssertUnwindSafe(verify)).unwrap_or_else(|_| {
        tracing::error!("the cache's verifier failed; the request goes on without it");
        (CacheVerdict::Miss { detail: Some(MissDetail::BelowLine), evidence: None }, None)
    })
}

impl Recall {
    fn explain_miss(&mut self, reason: MissDetail, found: Option<Evidence>) {
        if let CacheVerdict::Miss { detail, evidence } = &mut self.verdict {
            detail.get_or_insert(reason);
            *evidence = found;
        }
    }

    /// The semantic level's word on top of the exact level's: a hit counts, a miss explains a miss,
    /// and what the exact level knew better (stale, a directive) stays.
    fn add_semantic(&mut self, found: CacheVerdict) {
        match (&self.verdict, found) {
            (_, hit @ CacheVerdict::Hit { .. }) => self.verdict = hit,
            (CacheVerdict::Miss { detail: None, .. }, found) => self.verdict = found,
            (_, CacheVerdict::Miss { evidence, detail: Some(detail) }) => {
                self.explain_miss(detail, evidence);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_that_panics_is_a_miss() {
        let (verdict, pending) = or_miss::<()>(|| panic!("a fault of the verifier"));
        assert_eq!(pending, None);
        let expected = Some(MissDetail::BelowLine);
        assert!(
            matches!(verdict, CacheVerdict::Miss { detail, evidence: None } if detail == expected)
        );
    }

    #[test]
    fn a_verifier_that_works_has_its_say() {
        let (verdict, pending) = or_miss(|| (CacheVerdict::Stale, Some(7)));
        assert!(matches!(verdict, CacheVerdict::Stale));
        assert_eq!(pending, Some(7));
    }
}
