//! What was taken out before the file was read to its end, so that reading does not bring it back.
//! A process that waits for another's file may wait for days: what is noted is bounded. Pure.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::cache::{Entry, Purge, learn};
use crate::now::Now;

/// Purges that are noted; each is asked about each entry that is read.
const MAX_PURGES: usize = 1024;
/// Entries that are noted one by one.
pub(super) const MAX_NUMBERS: usize = 65_536;

/// What entries have to pass that are still to be read from the file.
#[derive(Debug, Default)]
pub(super) struct Gate {
    purges: Vec<(Purge, Now)>,
    /// Numbers of entries that were retired.
    retired: HashSet<u64>,
    /// Numbers of entries that are no neighbours any more.
    superseded: HashSet<u64>,
    /// There was too much to note: nothing this old comes back.
    none_before: Option<Timestamp>,
}

impl Gate {
    pub fn purge(&mut self, what: &Purge, now: Now) {
        self.purges.push((what.clone(), now));
        self.bound(now);
    }

    pub fn retire(&mut self, numbers: &[u64], now: Now) {
        self.retired.extend(numbers);
        self.bound(now);
    }

    pub fn supersede(&mut self, number: u64, now: Now) {
        self.superseded.insert(number);
        self.bound(now);
    }

    /// Whether the entry was taken out.
    pub fn bars(&self, entry: &Entry) -> bool {
        let is_purged =
            |(what, at): &(Purge, Now)| entry.stored.wall <= at.wall && what.selects(entry, *at);
        self.none_before.is_some_and(|at| entry.stored.wall <= at)
            || self.purges.iter().any(is_purged)
            || (!self.retired.is_empty() && self.retired.contains(&learn::number(&entry.id)))
    }

    /// Whether the entry is for its own words only.
    pub fn is_superseded(&self, entry: &Entry) -> bool {
        !self.superseded.is_empty() && self.superseded.contains(&learn::number(&entry.id))
    }

    /// All that is noted was stored by now: when it is too much, that is said of it in one.
    fn bound(&mut self, now: Now) {
        if self.purges.len() > MAX_PURGES
            || self.retired.len() + self.superseded.len() > MAX_NUMBERS
        {
            let before = self.none_before.map_or(now.wall, |before| before.max(now.wall));
            *self = Self { none_before: Some(before), ..Self::default() };
        }
    }
}
