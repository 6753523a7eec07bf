//! exact cache → embed → semantic cache: has this been answered before?
//!
//! The embedding made here serves the classifier too. Whatever fails on the way is a miss or a
//! bypass with its reason; the request goes on.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::key::{Lookup, searches_web};
use crate::cache::learn::{Pending, Question};
use crate::cache::verify::{Budget, Goals};
use crate::cache::{
    BypassReason, CacheVerdict, Entry, Evidence, Keyed, Level, MissDetail, TtlClass, ttl,
};
use crate::config::settings::Mode;
use crate::embed::{EmbedError, Embedding};
use crate::now::Stopwatch;
use crate::record::OpenRecord;

use super::{Asked, Gateway};

/// What memory had to say about a request.
#[derive(Debug)]
pub struct Recall {
    pub verdict: CacheVerdict,
    /// `None` when the request takes no part in the cache at all.
    pub keyed: Option<Keyed>,
    /// Of the question; whoever answers it may make the answer more volatile.
    pub class: TtlClass,
    pub ttl: Duration,
    /// `None` when nothing needed it.
    pub embedding: Option<Result<Embedding, EmbedError>>,
    /// The semantic level searched.
    pub searched: bool,
    /// What learning from the answer needs; `None` where the semantic level did not look.
    pub pending: Option<Pending>,
    mode: Mode,
}

/// A stored answer that is served.
#[derive(Debug, Clone, Copy)]
pub struct Hit<'a> {
    pub level: Level,
    pub entry: &'a Arc<Entry>,
    pub evidence: Option<&'a Evidence>,
}

impl Recall {
    /// The entry to serve: none in observe mode, whatever was found.
    pub fn hit(&self) -> Option<Hit<'_>> {
        match (&self.verdict, self.mode) {
            (CacheVerdict::Hit { level, entry, evidence }, Mode::Enforce) => {
                Some(Hit { level: *level, entry, evidence: evidence.as_ref() })
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
        record.cache(&memory.verdict, memory.class, asked.now);
        if memory.searched {
            record.searched();
        }
        record.cache_status(memory.told(), asked.headers.cache.only_if_cached);
        memory
    }

    async fn remember(&self, asked: &Asked, identity: Lookup, record: &mut OpenRecord) -> Recall {
        let settings = &asked.settings.cache;
        let class = ttl::classify(&asked.request.prompt, searches_web(&asked.policy.choice));
        let ttl = ttl::ttl(&settings.ttl, class, asked.policy.cache_effect);
        let blank = |verdict, keyed| Recall {
            verdict,
            keyed,
            class,
            ttl,
            embedding: None,
            searched: false,
            pending: None,
            mode: settings.mode,
        };
        let keyed = match identity {
            Lookup::Bypass(reason) => return blank(CacheVerdict::Bypass(reason), None),
            Lookup::Keyed(keyed) => keyed,
        };
        let watch = Stopwatch::start();
        let exact = self.cache.look_exact(&keyed, &asked.headers.cache, asked.now);
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
        let (directives, now) = (&asked.headers.cache, asked.now);
        if directives.no_cache {
            return;
        }
        let watch = Stopwatch::start();
        let neighbours = self.cache.neighbours(keyed, &embedding.vector, now);
        record.step("search", watch.ms());
        let watch = Stopwatch::start();
        let question = asked.question();
        let (found, pending) = self.cache.verify(&question, keyed, &neighbours, directives, now);
        record.step("verify", watch.ms());
        memory.searched = true;
        memory.pending = pending;
        memory.add_semantic(found);
    }

    /// The unit vector of the prompt; `None` without an embedder.
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
        let embedding = embedder.embed(&asked.request.prompt).await;
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
        }
    }
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
