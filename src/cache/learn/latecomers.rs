//! Entries that were gone before their lesson came: dropped on their way to the table, or purged while
//! a model was asked about their answer. Nobody tells of them again, so that each entry that a lesson
//! has placed is looked for once, when it must have arrived.

use std::sync::{Mutex, PoisonError};

use super::{Lane, Minds};

/// Placings that are noted between two looks; what is beyond them is not looked for.
const MOST: usize = 65_536;

/// Entries that lessons have placed.
#[derive(Debug, Default)]
pub(super) struct Latecomers(Mutex<Placed>);

#[derive(Debug, Default)]
struct Placed {
    /// Since the last look.
    lately: Vec<(Lane, u64)>,
    /// Before it.
    earlier: Vec<(Lane, u64)>,
}

impl Latecomers {
    pub fn note(&self, lane: &Lane, entry: u64) {
        let mut placed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if placed.lately.len() < MOST {
            placed.lately.push((lane.clone(), entry));
        }
    }

    /// Those that were placed before the last call.
    fn settled(&self) -> Vec<(Lane, u64)> {
        let mut placed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = std::mem::take(&mut placed.lately);
        std::mem::replace(&mut placed.earlier, lately)
    }
}

impl Minds {
    /// Forgets those of the entries placed before the last call that are not stored. Calls must lie
    /// further apart than an entry takes to be stored.
    pub fn forget_latecomers(&self, is_stored: impl Fn(u64) -> bool) {
        for (lane, entry) in self.latecomers.settled() {
            if !is_stored(entry)
                && let Some(pupil) = self.known(&lane)
            {
                pupil.mind().forget(entry);
            }
        }
    }
}
