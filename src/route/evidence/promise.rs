//! Learn, then test: the threshold on a score below which the weak model may answer, so that the
//! quality lost stays within what was stated, at the stated confidence. Pure.
//!
//! The procedure is that of Angelopoulos et al. (2021, *Learn then Test*) with fixed-sequence
//! testing: thresholds are tried from the safest up, and the first that cannot be shown to keep the
//! promise ends the search, so that trying many costs no confidence. The scores must come from fits
//! that have not seen the row they score (`gain` by folds), or the bounds mean nothing.

use super::bound;

/// Thresholds tried: this many quantiles of the scores, and then no threshold at all.
const STEPS: usize = 200;

/// A labelled request as the test sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Out-of-fold score: higher wants the strong model. One that is not a number never goes to
    /// the weak model.
    pub score: f64,
    /// Quality of the strong model's answer less that of the weak one's, −1 to 1.
    pub gain: f64,
}

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stated {
    /// Mean quality that may be lost against always asking the strong model, 0 to 1.
    pub loss: f64,
    /// Chance with which the promise must hold, 0 to 1.
    pub confidence: f64,
    /// Requests over which the loss will be looked at. Few of them stray from their own mean, so
    /// that the margin is wider; infinite to bound the mean alone.
    pub horizon: f64,
}

/// What the labels allow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    Kept(Kept),
    /// Always strong.
    Abstain(Lack),
}

/// A threshold that keeps the promise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kept {
    /// Scores below it go to the weak model; infinite if all may.
    pub threshold: f64,
    /// Bound of the loss, at the stated confidence.
    pub bound: f64,
    /// Loss found on the labels.
    pub loss: f64,
    /// Share of the labelled requests that go to the weak model.
    pub weak_share: f64,
}

/// What the evidence lacks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lack {
    /// So few labels that even without any loss among them the bound would be too high.
    Labels { have: usize, need: usize },
    /// The safest of the requests may already lose more: the bound found.
    Quality { bound: f64 },
}

impl Kept {
    /// Share of the cost of always asking the strong model that is saved, from the mean cost of a
    /// call to either.
    pub fn saving(&self, weak_cost: f64, strong_cost: f64) -> f64 {
        self.weak_share * (1.0 - weak_cost / strong_cost)
    }
}

impl Lack {
    /// Stable name, for reasons and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Labels { .. } => "few_labels",
            Self::Quality { .. } => "quality",
        }
    }
}

/// The highest threshold that keeps what is stated, or why there is none.
pub fn test(rows: &[Scored], stated: &Stated) -> Verdict {
    let need = labels_needed(stated);
    if rows.len() < need {
        return Verdict::Abstain(Lack::Labels { have: rows.len(), need });
    }
    let mut rows = rows.to_vec();
    for row in &mut rows {
        if row.score.is_nan() {
            row.score = f64::INFINITY;
        }
    }
    rows.sort_by(|a, b| a.score.total_cmp(&b.score));
    let mut kept = None;
    let mut sums = Sums { rows: rows.len() as f64, ..Sums::default() };
    let mut taken = 0;
    for step in 1..=STEPS {
        let threshold = if step == STEPS { f64::INFINITY } else { quantile(&rows, step) };
        while taken < rows.len() && rows[taken].score < threshold {
            sums.take(rows[taken].gain);
            taken += 1;
        }
        let bound = sums.bound(stated);
        if bound > stated.loss {
            let lack = Lack::Quality { bound };
            return kept.map_or(Verdict::Abstain(lack), Verdict::Kept);
        }
        let weak_share = taken as f64 / sums.rows;
        kept = Some(Kept { threshold, bound, loss: sums.mean(), weak_share });
    }
    kept.map_or(Verdict::Abstain(Lack::Labels { have: 0, need }), Verdict::Kept)
}

/// Labels without which no promise can be kept: the bound after no loss at all among n, which is
/// 1 − risk^(1/n) and its widening, must lie within the stated loss.
pub fn labels_needed(stated: &Stated) -> usize {
    let fits = |labels: usize| {
        let sums = Sums { rows: labels as f64, ..Sums::default() };
        sums.bound(stated) <= stated.loss
    };
    let (mut low, mut high) = (0, 1);
    while !fits(high) {
        // A promise of nothing, or one that is certain, has no number.
        if high >= 1 << 40 {
            return usize::MAX;
        }
        (low, high) = (high, high * 2);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) { high = middle } else { low = middle }
    }
    high
}

/// Sums over the labelled rows that would go to the weak model.
#[derive(Default)]
struct Sums {
    /// All labelled rows.
    rows: f64,
    lost: f64,
    won: f64,
}

impl Sums {
    fn take(&mut self, gain: f64) {
        let gain = gain.clamp(-1.0, 1.0);
        self.lost += gain.max(0.0);
        self.won += (-gain).max(0.0);
    }

    fn mean(&self) -> f64 {
        (self.lost - self.won) / self.rows
    }

    /// Upper bound of the mean loss. Losses and wins are bounded apart, each with the whole risk,
    /// and the two margins added as those of independent errors are. A batch of `horizon` requests
    /// strays from its own mean by as much again as so many labels would. Three quarters of that
    /// variance saved 2 % more of the cost and held in 88 % of the splits of one recorded set, where
    /// 90 % was stated.
    fn bound(&self, stated: &Stated) -> f64 {
        let risk = 1.0 - stated.confidence;
        let up = bound::upper(self.lost, self.rows, risk) - self.lost / self.rows;
        let down = self.won / self.rows - bound::lower(self.won, self.rows, risk);
        self.mean() + up.hypot(down) * (1.0 + self.rows / stated.horizon).sqrt()
    }
}

/// The score that `step` of [`STEPS`] parts of the sorted rows lie below, interpolated.
fn quantile(sorted: &[Scored], step: usize) -> f64 {
    let place = (sorted.len() - 1) as f64 * step as f64 / STEPS as f64;
    let (low, high) = (sorted[place.floor() as usize].score, sorted[place.ceil() as usize].score);
    // Two infinities have no difference.
    if low == high { low } else { low + (high - low) * place.fract() }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    const STATED: Stated = Stated { loss: 0.05, confidence: 0.9, horizon: 500.0 };

    /// Requests on which the strong model wins with a chance that rises with the score, and the
    /// weak one wins now and then.
    fn traffic(seed: u64, count: usize) -> Vec<Scored> {
        let mut rng = SmallRng::seed_from_u64(seed);
        (0..count)
            .map(|_| {
                let score = rng.random::<f64>();
                let draw = rng.random::<f64>();
                let wins = 0.7 * score * score;
                let gain = if draw < wins {
                    1.0
                } else if draw > 0.95 {
                    -1.0
                } else {
                    0.0
                };
                Scored { score, gain }
            })
            .collect()
    }

    fn kept(verdict: Verdict) -> Kept {
        match verdict {
            Verdict::Kept(kept) => kept,
            Verdict::Abstain(lack) => panic!("abstained: {lack:?}"),
        }
    }

    #[test]
    fn keeps_its_promise_as_often_as_stated() {
        let (mut held, mut held_on_a_batch, mut saved) = (0, 0, 0.0);
        for seed in 0..200 {
            let rows = traffic(seed, 500);
            // The mean itself: 0.7·∫s² − 0.05·t over the scores below the threshold t.
            let of_mean = kept(test(&rows, &Stated { horizon: f64::INFINITY, ..STATED }));
            let t = of_mean.threshold.min(1.0);
            held += u32::from(0.7 * t.powi(3) / 3.0 - 0.05 * t <= STATED.loss);
            // What the next five hundred requests lose.
            let kept = kept(test(&rows, &STATED));
            saved += kept.saving(0.24, 24.7) / 200.0;
            let later = traffic(10_000 + seed, 500);
            let lost: f64 =
                later.iter().filter(|row| row.score < kept.threshold).map(|row| row.gain).sum();
            held_on_a_batch += u32::from(lost / 500.0 <= STATED.loss);
        }
        // Nine in ten of two hundred, less two standard deviations of such a count.
        assert!(held >= 172 && held_on_a_batch >= 172, "{held} {held_on_a_batch} of 200");
        assert!(saved > 0.5, "saved {saved}");
    }

    #[test]
    fn agrees_with_the_reference() {
        // The rule in numpy and scipy on the same rows.
        let rows: Vec<Scored> = (0..400_u32)
            .map(|i| {
                let score = f64::from(i * 7919 % 400) / 400.0;
                let gain = f64::from(i * 31 % 101) / 101.0 * score - 0.12;
                Scored { score, gain }
            })
            .collect();
        let kept = kept(test(&rows, &Stated { loss: 0.03, confidence: 0.9, horizon: 400.0 }));
        assert!((kept.threshold - 0.528_675).abs() < 1e-9, "{kept:?}");
        assert!((kept.bound - 0.029_591_733_139).abs() < 1e-9, "{kept:?}");
        assert!((kept.loss - 0.006_452_722_772).abs() < 1e-9, "{kept:?}");
        assert_eq!(kept.weak_share, 0.53);
    }

    #[test]
    fn abstains_with_the_reason() {
        let need = labels_needed(&STATED);
        assert!((40..80).contains(&need), "{need}");
        let few = traffic(1, need - 1);
        assert_eq!(test(&few, &STATED), Verdict::Abstain(Lack::Labels { have: need - 1, need }));
        let harmless = vec![Scored { score: 0.5, gain: 0.0 }; need];
        assert_eq!(kept(test(&harmless, &STATED)).weak_share, 1.0);
        let hopeless: Vec<Scored> =
            (0..500).map(|n| Scored { score: f64::from(n) * 1e-3, gain: 1.0 }).collect();
        let tight = Stated { loss: 0.008, ..STATED };
        match test(&hopeless, &tight) {
            Verdict::Abstain(Lack::Quality { bound }) => assert!(bound > 0.008),
            other => panic!("{other:?}"),
        }
        let certain = Stated { confidence: 1.0, ..STATED };
        assert_eq!(
            test(&harmless, &certain),
            Verdict::Abstain(Lack::Labels { have: need, need: usize::MAX })
        );
    }

    #[test]
    fn all_go_to_a_weak_model_that_is_as_good() {
        let same: Vec<Scored> =
            (0..500).map(|n| Scored { score: f64::from(n), gain: 0.0 }).collect();
        let kept = kept(test(&same, &STATED));
        assert!(kept.threshold.is_infinite() && kept.weak_share == 1.0);
        assert!((kept.saving(0.24, 24.7) - 0.990_283).abs() < 1e-6);
    }

    #[test]
    fn a_score_that_is_not_a_number_never_goes_down() {
        let mut rows: Vec<Scored> =
            (0..500).map(|n| Scored { score: f64::from(n), gain: 0.0 }).collect();
        for row in &mut rows[100..300] {
            *row = Scored { score: f64::NAN, gain: 1.0 };
        }
        let kept = kept(test(&rows, &STATED));
        assert!(kept.weak_share <= 0.6 && kept.loss == 0.0, "{kept:?}");
    }

    #[test]
    fn less_is_promised_to_a_short_horizon_and_a_high_confidence() {
        let rows = traffic(3, 2000);
        let share = |stated: Stated| kept(test(&rows, &stated)).weak_share;
        let plain = share(STATED);
        assert!(share(Stated { horizon: 50.0, ..STATED }) < plain);
        assert!(share(Stated { confidence: 0.99, ..STATED }) < plain);
        assert!(share(Stated { loss: 0.1, ..STATED }) > plain);
    }
}
