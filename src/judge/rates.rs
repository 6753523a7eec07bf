//! How often the judge errs: counted on pairs whose truth is known without it, a repeated request
//! that was asked again (the same) and a request with a changed number (different). The two rates
//! enter the calibration of the cache, which would otherwise take the judge's errors for its own.
//!
//! A verdict counts only if there is one: a judge that cannot tell leaves a pair unlabelled and
//! does no harm. Which pairs are known, and when they are compared, is decided elsewhere.

use serde::{Deserialize, Serialize};

use super::Verdict;

/// What is known of a pair of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    Same,
    Different,
}

/// What is believed of a judge before any pair is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// Share of differing pairs called the same.
    pub false_same: f64,
    /// Share of equal pairs called different.
    pub false_different: f64,
}

impl Prior {
    /// Comparing what the answers state, measured: docs/judge.md.
    pub const COMPARISON: Self = Self { false_same: 0.01, false_different: 0.02 };

    /// A model that is asked about what comparing leaves open. Not measured, for each is another:
    /// pairs of the real traffic tell soon.
    pub const MODEL: Self = Self { false_same: 0.05, false_different: 0.05 };
}

impl Default for Prior {
    fn default() -> Self {
        Self::COMPARISON
    }
}

/// Pairs that the prior is worth, per rate. Fifty known pairs of the real traffic weigh as much as
/// the evaluation behind the prior.
pub const PRIOR_PAIRS: f64 = 50.0;

/// A known pair weighs 1/e after so many more of its side: models and prompts change, and so does
/// how well their answers compare.
pub const MEMORY: f64 = 2000.0;

/// The judge's error rates over the known pairs of the recent past.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// The code's, whatever a file says.
    #[serde(skip)]
    prior: Prior,
    /// Pairs known to be the same.
    same: Counts,
    /// Pairs known to differ.
    different: Counts,
}

/// Verdicts on one side of the truth; fractional, because old ones fade.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Counts {
    right: f64,
    wrong: f64,
    open: f64,
}

impl Rates {
    /// Rates of a judge of whom nothing is known but this.
    pub fn of(prior: Prior) -> Self {
        Self { prior, ..Self::default() }
    }

    /// Counts the verdict on a pair whose truth is known.
    pub fn observe(&mut self, truth: Truth, verdict: Verdict) {
        let (counts, right) = match truth {
            Truth::Same => (&mut self.same, Verdict::Same),
            Truth::Different => (&mut self.different, Verdict::Different),
        };
        counts.fade();
        match verdict {
            Verdict::CannotTell => counts.open += 1.0,
            verdict if verdict == right => counts.right += 1.0,
            _ => counts.wrong += 1.0,
        }
    }

    /// Of differing pairs that got a verdict, the share called same: `a` of the calibration.
    pub fn false_same(&self) -> f64 {
        self.different.rate(self.prior.false_same)
    }

    /// Of equal pairs that got a verdict, the share called different: `d` of the calibration.
    pub fn false_different(&self) -> f64 {
        self.same.rate(self.prior.false_different)
    }

    /// 95 % interval of [`Rates::false_same`], prior included.
    pub fn false_same_interval(&self) -> (f64, f64) {
        self.different.interval(self.prior.false_same)
    }

    /// 95 % interval of [`Rates::false_different`], prior included.
    pub fn false_different_interval(&self) -> (f64, f64) {
        self.same.interval(self.prior.false_different)
    }

    /// Of all known pairs, the share on which the judge could not tell; `None` before the first.
    pub fn undecided(&self) -> Option<f64> {
        let open = self.same.open + self.different.open;
        let all = open + self.same.decided() + self.different.decided();
        (all > 0.0).then(|| open / all)
    }

    /// Known pairs of that side that still weigh, with a verdict or without.
    pub fn known(&self, truth: Truth) -> f64 {
        let counts = match truth {
            Truth::Same => &self.same,
            Truth::Different => &self.different,
        };
        counts.decided() + counts.open
    }

    /// Known pairs that still weigh.
    pub fn pairs(&self) -> f64 {
        self.known(Truth::Same) + self.known(Truth::Different)
    }

    /// The rates as read from disk, of a judge with that prior; fresh ones if the numbers are none
    /// that counting leads to.
    pub fn sound(self, prior: Prior) -> Rates {
        let counts = [self.same, self.different];
        let is_sound = counts.iter().all(Counts::is_sound);
        if is_sound { Rates { prior, ..self } } else { Rates::of(prior) }
    }
}

impl Counts {
    fn fade(&mut self) {
        let kept = 1.0 - 1.0 / MEMORY;
        for count in [&mut self.right, &mut self.wrong, &mut self.open] {
            *count *= kept;
        }
    }

    fn decided(&self) -> f64 {
        self.right + self.wrong
    }

    fn rate(&self, prior: f64) -> f64 {
        (self.wrong + prior * PRIOR_PAIRS) / (self.decided() + PRIOR_PAIRS)
    }

    /// Wilson's interval, which stays within 0 and 1 and is fair to small rates.
    fn interval(&self, prior: f64) -> (f64, f64) {
        const Z: f64 = 1.96;
        let (rate, pairs) = (self.rate(prior), self.decided() + PRIOR_PAIRS);
        let scale = 1.0 + Z * Z / pairs;
        let middle = (rate + Z * Z / (2.0 * pairs)) / scale;
        let half = Z / scale * (rate * (1.0 - rate) / pairs + Z * Z / (4.0 * pairs * pairs)).sqrt();
        ((middle - half).max(0.0), (middle + half).min(1.0))
    }

    fn is_sound(&self) -> bool {
        [self.right, self.wrong, self.open]
            .iter()
            .all(|count| count.is_finite() && (0.0..=MEMORY * 1.01).contains(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIOR: Prior = Prior::COMPARISON;

    fn observed(rates: &mut Rates, truth: Truth, verdict: Verdict, times: usize) {
        for _ in 0..times {
            rates.observe(truth, verdict);
        }
    }

    #[test]
    fn without_known_pairs_the_prior_speaks() {
        let rates = Rates::default();
        assert_eq!(rates.false_same(), PRIOR.false_same);
        assert_eq!(rates.false_different(), PRIOR.false_different);
        assert_eq!(rates.undecided(), None);
        let (low, high) = rates.false_same_interval();
        assert!(low > 0.0 && low < PRIOR.false_same, "{low}");
        assert!(high > 0.05 && high < 0.2, "{high}");
    }

    #[test]
    fn known_pairs_move_their_own_rate_only() {
        let mut rates = Rates::default();
        observed(&mut rates, Truth::Different, Verdict::Different, 135);
        observed(&mut rates, Truth::Different, Verdict::Same, 15);
        assert!((rates.false_same() - (15.0 + 0.5) / 200.0).abs() < 0.005, "{rates:?}");
        assert_eq!(rates.false_different(), PRIOR.false_different);
        let (low, high) = rates.false_same_interval();
        assert!(low < rates.false_same() && rates.false_same() < high && high - low < 0.09);

        observed(&mut rates, Truth::Same, Verdict::Different, 50);
        assert!((rates.false_different() - 0.51).abs() < 0.01, "{rates:?}");
    }

    #[test]
    fn a_pair_without_verdict_is_no_error() {
        let mut rates = Rates::default();
        observed(&mut rates, Truth::Same, Verdict::CannotTell, 300);
        assert_eq!(rates.false_different(), PRIOR.false_different);
        assert_eq!(rates.undecided(), Some(1.0));
        observed(&mut rates, Truth::Different, Verdict::Different, 100);
        assert!((rates.undecided().unwrap() - 0.75).abs() < 0.02);
    }

    #[test]
    fn the_past_fades_and_the_memory_is_bounded() {
        let mut rates = Rates::default();
        observed(&mut rates, Truth::Different, Verdict::Same, 100_000);
        assert!(rates.false_same() > 0.97 && rates.known(Truth::Different) <= MEMORY + 1.0);
        observed(&mut rates, Truth::Different, Verdict::Different, 10_000);
        assert!(rates.false_same() < 0.03, "{}", rates.false_same());
        assert_eq!(rates.sound(PRIOR), rates);
    }

    #[test]
    fn rates_survive_the_disk_and_nonsense_does_not() {
        let mut rates = Rates::default();
        observed(&mut rates, Truth::Same, Verdict::Same, 3);
        let text = serde_json::to_string(&rates).unwrap();
        assert_eq!(serde_json::from_str::<Rates>(&text).unwrap(), rates);
        for text in ["{\"same\": {\"wrong\": -1}}", "{\"different\": {\"right\": 1e300}}"] {
            let read: Rates = serde_json::from_str(text).unwrap();
            assert_eq!(read.sound(PRIOR), Rates::default(), "{text}");
        }
    }

    #[test]
    fn each_judge_begins_with_its_own_prior_and_keeps_it_on_disk() {
        let mut rates = Rates::of(Prior::MODEL);
        assert_eq!((rates.false_same(), rates.false_different()), (0.05, 0.05));
        observed(&mut rates, Truth::Same, Verdict::CannotTell, 3);
        assert!((rates.known(Truth::Same) - 3.0).abs() < 0.01);
        assert_eq!(rates.known(Truth::Different), 0.0);
        let read: Rates = serde_json::from_str(&serde_json::to_string(&rates).unwrap()).unwrap();
        assert_eq!(read.sound(Prior::MODEL), rates);
    }
}
