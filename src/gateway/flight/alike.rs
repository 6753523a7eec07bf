//! Questions in other words that may share a call: those that differ from the leader's in form only.
//!
//! A paraphrase may wait for an answer only if the verifier would serve that answer to it. Of most
//! pairs it cannot be told before the answer is there: their score stands on what its answer agrees
//! with. A repeat in other letters, or in words that ask the same by rule, is served whatever its
//! score, unless a guard or a caller's word forbids it; so these follow, and no others.

use std::sync::Arc;

use crate::cache::verify::{Profile, guards};
use crate::cache::{Cache, CacheKey, CacheVerdict};

use super::FlightKey;
use crate::gateway::Asked;
use crate::gateway::recall::Recall;

/// What a request shows when it boards.
#[derive(Debug)]
pub struct Ticket<'a> {
    pub key: FlightKey,
    /// `None`: it shares with its equals only.
    pub alike: Option<Alike<'a>>,
}

/// A question, and where the flights of its kind are listed.
#[derive(Debug, Clone)]
pub struct Alike<'a> {
    pub listing: FlightKey,
    pub wording: Arc<Wording>,
    cache: &'a Cache,
}

/// A question as it was put.
#[derive(Debug)]
pub struct Wording {
    exact: CacheKey,
    profile: Profile,
}

impl<'a> Ticket<'a> {
    /// `None` if the request shares no call.
    pub fn of(asked: &Asked, memory: &Recall, cache: &'a Cache) -> Option<Self> {
        let key = FlightKey::of(asked, memory)?;
        Some(Self { key, alike: Alike::of(key, asked, memory, cache) })
    }
}

impl<'a> Alike<'a> {
    /// `None` where the semantic level did not look, or has its reasons to ask upstream.
    fn of(key: FlightKey, asked: &Asked, memory: &Recall, cache: &'a Cache) -> Option<Self> {
        // An expired answer hides what the search has said: that it explores is asked for itself.
        let looked = matches!(memory.verdict, CacheVerdict::Miss { .. } | CacheVerdict::Stale);
        if !looked || !memory.searched || memory.explored {
            return None;
        }
        let scope = memory.keyed?.scope;
        Self::new(key, &scope.0, &asked.request.prompt, cache)
    }

    /// `None` for a text without words.
    pub(super) fn new(
        key: FlightKey,
        scope: &[u8; 32],
        prompt: &str,
        cache: &'a Cache,
    ) -> Option<Self> {
        let profile = Profile::of(prompt);
        let form = profile.form()?;
        let hash = blake3::Hasher::new_derive_key("semgate flights of one form")
            .update(scope)
            .update(&form)
            .finalize();
        let listing = FlightKey { exact: CacheKey(*hash.as_bytes()), ..key };
        let wording = Arc::new(Wording { exact: key.exact, profile });
        Some(Self { listing, wording, cache })
    }

    /// Whether the answer to that question would be served for this one.
    pub fn may_follow(&self, leader: &Wording) -> bool {
        let (own, other) = (&self.wording.profile, &leader.profile);
        (own.is_repeat_of(other) || own.restates(other))
            && guards::veto(own, other).is_none()
            && !self.cache.are_apart(&self.wording.exact, &leader.exact)
    }
}
