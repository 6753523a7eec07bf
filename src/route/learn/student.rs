//! What the line reads of one tenant and route: what is known now, who watches the traffic, and what
//! callers have said. Written by the `scholar`, but for an alarm, which counts at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::knowledge::{Knowledge, labels_needed};
use super::label::{Pair, Sample};
use super::opinions::Opinions;
use super::watch::Watch;
use super::{Learnt, Terms, Word};
use crate::route::evidence::promise::{Lack, Verdict};
use crate::route::evidence::shift::{Alarm, Watched};

/// What is known now.
#[derive(Debug, Default)]
pub struct Known {
    /// Of the version; 0 before the first.
    pub number: u32,
    /// By name of the pair.
    pub pairs: Arc<HashMap<String, Knowledge>>,
    /// Labels of each pair, whether they have been learnt from or not.
    pub labels: HashMap<String, usize>,
    /// The traffic is another: the stronger tier answers.
    pub fallen: Option<Watched>,
}

/// One tenant and route, as the line sees it.
#[derive(Debug, Default)]
pub struct Student {
    known: ArcSwap<Known>,
    watch: Mutex<Watch>,
    opinions: Mutex<Opinions>,
}

impl Student {
    /// What is known of these pairs for one request. `terms` are those of each pair.
    pub fn advise(&self, pairs: &[Pair], terms: Terms, sample: &Sample) -> Learnt {
        let known = self.known.load();
        let words = pairs.iter().map(|pair| (pair.clone(), word(&known, pair, terms, sample)));
        Learnt {
            version: known.number,
            words: words.collect(),
            said: self.opinions().near(&sample.vector),
            ..Learnt::default()
        }
    }

    /// Shows a request to the watchers. From an alarm on nothing that was learnt counts.
    pub fn watch(&self, sample: &Sample, chance: f64) -> Option<Alarm> {
        if self.known.load().pairs.is_empty() {
            return None;
        }
        let alarm = lock(&self.watch).take(sample, chance)?;
        self.fall(alarm.watched);
        Some(alarm)
    }

    /// Shows a label's gain to its watcher.
    pub fn watch_gain(&self, pair: &str, gain: f64) -> Option<Alarm> {
        let alarm = lock(&self.watch).take_gain(pair, gain)?;
        self.fall(alarm.watched);
        Some(alarm)
    }

    fn fall(&self, watched: Watched) {
        self.known.rcu(|known| Known {
            number: known.number,
            pairs: Arc::default(),
            labels: HashMap::new(),
            fallen: Some(watched),
        });
    }

    pub fn opinions(&self) -> MutexGuard<'_, Opinions> {
        lock(&self.opinions)
    }

    pub fn known(&self) -> Arc<Known> {
        self.known.load_full()
    }

    /// Puts what was learnt in force.
    pub fn put(&self, known: Known, watch: Watch) {
        *lock(&self.watch) = watch;
        self.known.store(Arc::new(known));
    }

    /// One more label of a pair, not learnt from yet.
    pub fn count(&self, pair: &str, labels: usize) {
        self.known.rcu(|known| {
            let mut counts = known.labels.clone();
            counts.insert(pair.to_owned(), labels);
            Known {
                number: known.number,
                pairs: known.pairs.clone(),
                labels: counts,
                fallen: known.fallen,
            }
        });
    }
}

fn word(known: &Known, pair: &Pair, terms: Terms, sample: &Sample) -> Word {
    if let Some(watched) = known.fallen {
        return Word::Drift(watched);
    }
    let Some(knowledge) = known.pairs.get(&*pair.name) else {
        let have = known.labels.get(&*pair.name).copied().unwrap_or(0);
        return Word::Lacks(Lack::Labels { have, need: labels_needed(terms) });
    };
    match knowledge.verdict(terms.loss) {
        Verdict::Abstain(lack) => Word::Lacks(lack),
        Verdict::Kept(kept) => Word::Kept {
            gain: knowledge.gain(&sample.prompt()),
            kept,
            labels: knowledge.saved().labels,
        },
    }
}

/// A panic of somebody else left the value as it was: each change is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
