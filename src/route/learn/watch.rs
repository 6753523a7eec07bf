//! Whether the traffic of a tenant and route still is that of its labels: the watchers of
//! `evidence::shift`, as one. Those of form and topic see every request, that of gains every
//! label. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::label::{Label, Sample};
use crate::route::evidence::shift::{Alarm, Gains, Surface, Topics};

/// The topics' clusters begin at vectors drawn by it.
const SEED: u64 = 1;

/// The watchers of one tenant and route.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    surface: Option<Surface>,
    topics: Option<Topics>,
    /// By pair.
    gains: BTreeMap<String, Gains>,
}

impl Watch {
    /// From the labels of each pair. With few of them there is less to compare with, and fewer
    /// watchers; what then is promised is little as well.
    pub fn of<'a>(pairs: impl Iterator<Item = (&'a str, &'a [&'a Label])>) -> Self {
        let mut watch = Self::default();
        let mut most: &[&Label] = &[];
        for (pair, labels) in pairs {
            let gains = labels.iter().map(|label| f64::from(label.gain)).sum::<f64>();
            if !labels.is_empty() {
                watch.gains.insert(pair.to_owned(), Gains::of(gains / labels.len() as f64));
            }
            // Each pair's labels are a sample of the same traffic: the largest serves.
            most = if labels.len() > most.len() { labels } else { most };
        }
        let surface: Vec<&[f32]> = most.iter().map(|label| &*label.sample.surface).collect();
        let vectors: Vec<&[f32]> = most.iter().map(|label| &*label.sample.vector).collect();
        watch.surface = Surface::of(&surface);
        watch.topics = Topics::of(&vectors, SEED);
        watch
    }

    /// Takes a request in. `chance` is uniform in [0, 1).
    pub fn take(&mut self, sample: &Sample, chance: f64) -> Option<Alarm> {
        let surface = self.surface.as_mut().and_then(|w| w.take(&sample.surface, chance));
        let topics = self.topics.as_mut().and_then(|w| w.take(&sample.vector));
        surface.or(topics)
    }

    /// Takes a label of a pair in.
    pub fn take_gain(&mut self, pair: &str, gain: f64) -> Option<Alarm> {
        self.gains.get_mut(pair)?.take(gain)
    }

    /// Whether it fits this build's inputs; what was read from a file may not.
    pub fn is_sound(&self, dimensions: usize, features: usize) -> bool {
        self.surface.as_ref().is_none_or(|watcher| watcher.is_sound(features))
            && self.topics.as_ref().is_none_or(|watcher| watcher.is_sound(dimensions))
    }
}
