//! Answers of late that a caller may still have a word on: what was asked, and which tier answered.
//! Bounded; of an older answer, the router hears nothing.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use uuid::Uuid;

use super::label::Sample;
use crate::cache::learn::Lane;

/// Answers kept, of some two kilobytes each.
const MOST: u64 = 4096;

/// And for so long at most.
const KEPT: Duration = Duration::from_hours(24);

/// An answer that a tier gave.
#[derive(Debug, Clone)]
pub struct Given {
    pub lane: Lane,
    pub tier: Arc<str>,
    pub sample: Sample,
}

/// The answers by the id of their request.
#[derive(Debug)]
pub struct Recent(Cache<Uuid, Arc<Given>>);

impl Recent {
    pub fn note(&self, id: Uuid, given: Given) {
        self.0.insert(id, Arc::new(given));
    }

    /// The answer, once: a second word on it would count twice.
    pub fn take(&self, id: Uuid) -> Option<Arc<Given>> {
        self.0.remove(&id)
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_live(KEPT).build())
    }
}
