//! Who has which mind. There is an end to their number, and a tenant that brings too many gives way
//! to itself first.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::verify::mind::Mind;
use super::judges::Heard;
use super::{Lane, Minds, Standing};

/// Minds that are kept. Beyond it, one of the tenant with the most of them is forgotten: its traffic
/// begins again with the shipped prior.
pub(super) const MAX_MINDS: usize = 512;

/// The route whose mind a tenant's new route starts from.
const DEFAULT_ROUTE: &str = "auto";

/// A mind with its lock. Deciding takes some tens of microseconds under it, learning likewise;
/// refits happen outside.
#[derive(Debug)]
pub struct Pupil {
    pub lane: Lane,
    /// No other mind of this process has it, neither another lane's nor one that this lane had
    /// before: the numbers of lookups are this mind's alone.
    pub(super) incarnation: u64,
    mind: Mutex<Mind>,
    heard: Mutex<Heard>,
    /// When it was last asked, by the count of all questions.
    asked: AtomicU64,
    /// It has learnt something since it was last written down.
    pub(super) changed: AtomicBool,
}

impl Minds {
    pub(super) fn known(&self, lane: &Lane) -> Option<Arc<Pupil>> {
        self.lock().get(lane).cloned()
    }

    /// The mind of a lane, a new one if there is none.
    pub(super) fn pupil(&self, lane: &Lane) -> Arc<Pupil> {
        let asked = self.questions.fetch_add(1, Ordering::Relaxed);
        let mut pupils = self.lock();
        if let Some(pupil) = pupils.get(lane) {
            pupil.asked.store(asked, Ordering::Relaxed);
            return Arc::clone(pupil);
        }
        if pupils.len() >= MAX_MINDS
            && let Some(leaver) = leaver(&pupils, lane)
        {
            pupils.remove(&leaver);
            self.shrunk.store(true, Ordering::Relaxed);
        }
        let default = Lane { tenant: lane.tenant.clone(), route: DEFAULT_ROUTE.into() };
        let mind = match pupils.get(&default) {
            Some(parent) => parent.mind().heir(),
            None => Mind::new(self.prior),
        };
        let pupil = Arc::new(Pupil::new(lane.clone(), mind, Heard::default(), asked));
        pupils.insert(lane.clone(), Arc::clone(&pupil));
        pupil
    }

    /// Every mind, in no order.
    pub(super) fn all(&self) -> Vec<Arc<Pupil>> {
        self.lock().values().cloned().collect()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<Lane, Arc<Pupil>>> {
        self.pupils.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pupil {
    pub(super) fn new(lane: Lane, mind: Mind, heard: Heard, asked: u64) -> Self {
        static BEGUN: AtomicU64 = AtomicU64::new(0);
        Self {
            lane,
            incarnation: BEGUN.fetch_add(1, Ordering::Relaxed),
            mind: Mutex::new(mind),
            heard: Mutex::new(heard),
            asked: AtomicU64::new(asked),
            changed: AtomicBool::new(false),
        }
    }

    pub(super) fn mind(&self) -> MutexGuard<'_, Mind> {
        // A mind is left whole wherever it can panic: its parts are written one after the other.
        self.mind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn standing(&self) -> Standing {
        let mind = self.mind();
        let line = mind.line();
        Standing {
            lane: self.lane.clone(),
            line: line.at.is_finite().then_some(line.at),
            wrong_hits: (line.labels > 0).then_some((line.estimate, line.upper)),
            lookups: mind.lookups,
            labels: line.labels,
            entries: mind.groups().len(),
            alarms: mind.groups().alarms(),
        }
    }
}

/// Whose mind makes room for that of a new lane: of those tenants that have the most, the new one
/// counted, the lane that was asked least lately.
fn leaver(pupils: &HashMap<Lane, Arc<Pupil>>, new: &Lane) -> Option<Lane> {
    let mut minds = HashMap::<&str, usize>::from([(&*new.tenant, 1)]);
    for lane in pupils.keys() {
        *minds.entry(&lane.tenant).or_default() += 1;
    }
    let rank = |pupil: &&Arc<Pupil>| {
        let count = minds.get(&*pupil.lane.tenant).copied().unwrap_or_default();
        (std::cmp::Reverse(count), pupil.asked.load(Ordering::Relaxed))
    };
    pupils.values().min_by_key(rank).map(|pupil| pupil.lane.clone())
}
