//! How long an answer may be repeated: the class of its question, or a rule of the configuration.
//! Which class a prompt has is told by `recognise`.

use std::time::Duration;

use super::TtlClass;
use super::key::searches_web;
pub use super::recognise::classify;
use crate::config::settings::{CacheEffect, Model, Ttl};
use crate::policy::Policy;

/// How long answers to a request live, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    pub class: TtlClass,
    /// Zero: neither looked up nor stored.
    pub ttl: Duration,
}

/// The life of answers to a prompt under a policy. Recognised once per request and carried.
pub fn life(prompt: &str, policy: &Policy, settings: &Ttl) -> Life {
    let class = classify(prompt, searches_web(&policy.choice));
    Life { class, ttl: ttl(settings, class, policy.cache_effect) }
}

impl Life {
    /// The life of an answer by one model: one that searches the web answers about today, whatever
    /// the question.
    pub fn by(self, model: &Model, policy: &Policy, settings: &Ttl) -> Self {
        if !model.web_search {
            return self;
        }
        let class = TtlClass::Volatile;
        Self { class, ttl: ttl(settings, class, policy.cache_effect) }
    }
}

/// Time to live of an answer; zero means neither looked up nor stored. A rule of the configuration
/// overrides the class.
pub fn ttl(settings: &Ttl, class: TtlClass, effect: Option<CacheEffect>) -> Duration {
    match effect {
        Some(CacheEffect::Bypass) => Duration::ZERO,
        Some(CacheEffect::Ttl(ttl)) => ttl,
        None => match class {
            TtlClass::Default => settings.default,
            TtlClass::Volatile => settings.volatile,
            TtlClass::Timeless => settings.timeless,
        },
    }
}

#[cfg(test)]
#[path = "ttl_tests.rs"]
mod tests;
