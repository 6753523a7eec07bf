//! Whether the traffic still is that on which the router was calibrated. Three watchers, each a
//! bet against "nothing has changed": surface features and topics need no label, gains need some.
//! What follows from an alarm (the stronger tier, a new calibration) is others'.
//!
//! A bet multiplies its stake by a number whose mean is 1 while nothing has changed, so that a
//! stake of a million is reached by luck about once in a million requests (e-processes; Shin,
//! Ramdas and Rinaldo 2024, *E-detectors*). A stake below 1 is set to 1 again, as Page's sums are,
//! so that a long quiet time delays no alarm. Bursts of like requests are a shift to these bets:
//! they assume requests that come in no particular order.
//!
//! Pure; the random number of a request is an argument.

use serde::{Deserialize, Serialize};

use super::clusters::Clusters;
use super::inputs::clip;

/// Stake at which a watcher that needs no labels alarms.
const ALARM: f64 = 1e6;
/// And that of the gains, which come rarely and are checked rarely.
const ALARM_GAINS: f64 = 1e3;

/// The least deviation that a surface feature is taken to have: one that never varied in the
/// calibration must not cry out at its first mark.
const LEAST_DEVIATION: f32 = 0.05;
/// A p-value counts as no smaller than this: one request alone must not raise an alarm.
const LEAST_P: f64 = 1e-4;
/// Calibration rows below which no watcher of the form is made: its own idea of the traffic would be
/// noise.
const LEAST_ROWS: usize = 200;
/// And none of the topics: with a thousand rows, one run of 5,000 requests in ten saw an alarm only
/// because the shares were poorly known.
const LEAST_TOPIC_ROWS: usize = 2000;

/// Topics are watched over some hundred requests: how much of the count stays at each of them.
const KEEP: f64 = 0.99;
/// Requests that the calibration weighs in that count.
const PRIOR: f64 = 20.0;
/// Standard errors by which a share may exceed the calibration's without being a change: a bet
/// against the share itself would win in the long run against what the calibration did not know.
const ERRORS: f64 = 2.0;

/// Bets on the mean gain, from cautious to bold; their stakes are averaged.
const BETS: [f64; 4] = [0.1, 0.2, 0.4, 0.7];
/// Rise of the mean gain, beyond the calibrated one, that is no shift.
const TOLERANCE: f64 = 0.02;

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    /// The form of the prompts.
    Surface,
    /// What they are about.
    Topics,
    /// What the strong model gains.
    Gains,
}

impl Watched {
    /// Stable name, for metrics and reasons.
    pub fn name(self) -> &'static str {
        match self {
            Self::Surface => "surface",
            Self::Topics => "topics",
            Self::Gains => "gains",
        }
    }
}

/// The traffic is another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alarm {
    pub watched: Watched,
    /// The stake reached: how much likelier what was seen is under a change.
    pub evidence: f64,
    /// Observations since the start or the last alarm.
    pub after: u64,
}

/// A stake and its age. After an alarm it starts anew: a lasting shift alarms again and again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Stake {
    value: f64,
    seen: u64,
}

impl Stake {
    const NEW: Self = Self { value: 1.0, seen: 0 };

    fn multiply(&mut self, by: f64, watched: Watched) -> Option<Alarm> {
        self.seen += 1;
        self.value = self.value.max(1.0) * by;
        if self.value < ALARM {
            return None;
        }
        let alarm = Alarm { watched, evidence: self.value, after: self.seen };
        *self = Self::NEW;
        Some(alarm)
    }
}

/// Watches the surface features: how far each request is from the calibration's mean, ranked among
/// calibration rows that did not make the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surface {
    mean: Vec<f32>,
    scale: Vec<f32>,
    /// Distances of the other half of the calibration rows, rising.
    known: Vec<f32>,
    stake: Stake,
}

impl Surface {
    /// From the surface features of calibration rows, in an order that says nothing; `None` with
    /// fewer than two hundred.
    pub fn of(rows: &[&[f32]]) -> Option<Self> {
        if rows.len() < LEAST_ROWS {
            return None;
        }
        // Every other row, so that a slow change within the calibration falls on both halves.
        let half = || rows.iter().step_by(2);
        let count = half().count() as f32;
        let column = |f: usize| half().map(move |row| row[f]);
        let mean: Vec<f32> = (0..rows[0].len()).map(|f| column(f).sum::<f32>() / count).collect();
        let scale = mean.iter().enumerate().map(|(f, mean)| {
            let variance = column(f).map(|value| (value - mean).powi(2)).sum::<f32>() / count;
            1.0 / variance.sqrt().max(LEAST_DEVIATION)
        });
        let scale = scale.collect();
        let mut watcher = Self { mean, scale, known: Vec::new(), stake: Stake::NEW };
        watcher.known = rows.iter().skip(1).step_by(2).map(|row| watcher.distance(row)).collect();
        watcher.known.sort_by(f32::total_cmp);
        Some(watcher)
    }

    /// Whether it watches so many features; what was read from a file may not.
    pub fn is_sound(&self, features: usize) -> bool {
        self.mean.len() == features && self.scale.len() == features && !self.known.is_empty()
    }

    /// Mean square of the deviations, each clipped.
    fn distance(&self, surface: &[f32]) -> f32 {
        let parts = surface.iter().zip(&self.mean).zip(&self.scale);
        let squares: f32 =
            parts.map(|((value, mean), scale)| clip((value - mean) * scale).powi(2)).sum();
        squares / self.mean.len().max(1) as f32
    }

    /// Share of the calibration rows that are no stranger than these features: a request at 0.95
    /// or above is foreign to what was learnt.
    pub fn strangeness(&self, surface: &[f32]) -> f64 {
        let distance = self.distance(surface);
        let below = self.known.partition_point(|known| *known < distance);
        below as f64 / self.known.len() as f64
    }

    /// Takes a request in. `chance` is a random number in [0, 1): it places the request among
    /// calibration rows of the very same distance.
    pub fn take(&mut self, surface: &[f32], chance: f64) -> Option<Alarm> {
        let distance = self.distance(surface);
        let below = self.known.partition_point(|known| *known < distance);
        let up_to = self.known.partition_point(|known| *known <= distance);
        let (above, same) = ((self.known.len() - up_to) as f64, (up_to - below) as f64);
        let p = (above + chance * (same + 1.0)) / (self.known.len() as f64 + 1.0);
        self.stake.multiply(bet(p), Watched::Surface)
    }
}

/// A bet that a p-value is near 0 or near 1, half of the stake kept aside. Its mean over p is 1.
fn bet(p: f64) -> f64 {
    let p = p.clamp(LEAST_P, 1.0 - LEAST_P);
    let low = |p: f64| 0.25 * p.powf(-0.5) + 0.125 * p.powf(-0.75);
    0.5 + 0.25 * low(p) + 0.25 * low(1.0 - p)
}

/// Watches what the prompts are about: how often each cluster of the calibration's vectors is
/// visited, against its share there. Sees a narrower mix of the same kind, which the surface does
/// not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topics {
    clusters: Clusters,
    expected: Vec<f64>,
    /// What each share may be at most, as far as the calibration can tell.
    most: Vec<f64>,
    /// Visits, the older the less.
    visits: Vec<f64>,
    stake: Stake,
}

impl Topics {
    /// From the vectors of calibration rows; `None` with fewer than two thousand.
    ///
    /// One cluster for a hundred rows, 32 at most: a share that is poorly known would look like a
    /// shift.
    pub fn of(vectors: &[&[f32]], seed: u64) -> Option<Self> {
        if vectors.len() < LEAST_TOPIC_ROWS {
            return None;
        }
        let clusters = Clusters::of(vectors, (vectors.len() / 100).min(32), seed);
        let mut expected = vec![0.5_f64; clusters.count()];
        for vector in vectors {
            expected[clusters.nearest(vector)] += 1.0;
        }
        let total: f64 = expected.iter().sum();
        expected.iter_mut().for_each(|share| *share /= total);
        let most = |share: &f64| share + ERRORS * (share * (1.0 - share) / total).sqrt();
        let most = expected.iter().map(most).collect();
        let visits = vec![0.0; expected.len()];
        Some(Self { clusters, expected, most, visits, stake: Stake::NEW })
    }

    /// Whether it watches vectors of such a length; what was read from a file may not.
    pub fn is_sound(&self, dimensions: usize) -> bool {
        let count = self.clusters.count();
        count > 0
            && self.clusters.is_sound(dimensions)
            && self.expected.len() == count
            && self.visits.len() == count
            && self.most.len() == count
            && self.expected.iter().chain(&self.most).all(|share| *share > 0.0)
    }

    /// Takes a request in.
    pub fn take(&mut self, vector: &[f32]) -> Option<Alarm> {
        let at = self.clusters.nearest(vector);
        let expected = self.expected[at];
        let total: f64 = self.visits.iter().sum();
        let recent = (self.visits[at] + PRIOR * expected) / (total + PRIOR);
        self.visits.iter_mut().for_each(|count| *count *= KEEP);
        self.visits[at] += 1.0;
        self.stake.multiply(0.5 + 0.5 * recent / self.most[at], Watched::Topics)
    }
}

/// Watches the gains of judged requests: whether the strong model gains more than it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gains {
    expected: f64,
    stakes: [f64; BETS.len()],
    seen: u64,
}

impl Gains {
    /// From the calibration's mean gain.
    pub fn of(mean_gain: f64) -> Self {
        let expected = (mean_gain + TOLERANCE).clamp(-1.0, 1.0);
        Self { expected, stakes: [1.0; BETS.len()], seen: 0 }
    }

    /// Takes in the gain of a judged request, −1 to 1.
    pub fn take(&mut self, gain: f64) -> Option<Alarm> {
        self.seen += 1;
        // A bet that could lose more than its stake is no bet.
        let boldest = 0.99 / (1.0 + self.expected).max(0.01);
        for (stake, bet) in self.stakes.iter_mut().zip(BETS) {
            *stake =
                stake.max(1.0) * (1.0 + bet.min(boldest) * (gain.clamp(-1.0, 1.0) - self.expected));
        }
        let evidence = self.stakes.iter().sum::<f64>() / BETS.len() as f64;
        if evidence < ALARM_GAINS {
            return None;
        }
        let alarm = Alarm { watched: Watched::Gains, evidence, after: self.seen };
        (self.stakes, self.seen) = ([1.0; BETS.len()], 0);
        Some(alarm)
    }
}

#[cfg(test)]
#[path = "shift_tests.rs"]
mod tests;
