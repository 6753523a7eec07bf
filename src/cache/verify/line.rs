//! The line: the lowest score that keeps the error budget. Pure.
//!
//! A histogram of the scores, with each bin's error estimated from its labelled lookups and shrunk
//! towards the model's own estimate. A bin has two strata. Lookups that were asked upstream in any
//! case, since they were below the line of their day, are all labelled and stand for themselves. Of
//! those that were above it, chance chose which to explore, and the explored ones stand for the
//! served ones (inverse propensity weighting, Horvitz and Thompson 1952, with the propensity
//! estimated per stratum: plain weights have far too much variance where one lookup of fifty is
//! explored). Lumped together they mislead: what only later weights put above the line is wrong
//! more often than what earlier ones did already. From the strict end downwards, stopping at
//! the first bin that breaks the budget: fixed-sequence testing, as in *Learn then Test*
//! (Angelopoulos et al., arXiv 2110.01052). A judge that errs is corrected for as Rogan and Gladen
//! (1978) do.

use serde::{Deserialize, Serialize};

use super::belief::Belief;
use super::judged::{Errors, PANEL};
use super::weights::sigmoid;
use super::window::Row;

/// Bins of the histogram: the lowest edge, the width, how many.
const LOWEST: f32 = -3.0;
const WIDTH: f32 = 0.25;
const BINS: usize = 56;

/// No score is better than so: the share of wrong answers that any model leaves.
pub const FLOOR: f32 = 0.002;

/// Labels without which nothing is expected of a bin.
const KNOWN: f32 = 10.0;

/// How many labels the model's own estimate of a bin's error is worth.
const SHRINK: f32 = 8.0;

/// Standard errors between estimate and bound: a dial between hit rate and safety, not a proof.
const CAUTION: f32 = 0.5;

/// Share of the limit that is aimed at. Among many scores and weights the line finds those that look
/// better than they are.
const AIM: f32 = 0.8;

/// The line never falls below this score: odds of 2.7 to 1. Where repeats are rare the budget
/// reaches this far: 1.5 leaves half of it unspent, and 0.5 overspends in the first thousand lookups.
const LEAST: f32 = 1.0;

/// Until there is a histogram: log-odds of 150 to 1.
const COLD: f32 = 5.0;

/// What the operator allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Wrong hits among lookups.
    pub lookups: f32,
    /// Wrong hits among hits; `None`: unlimited.
    pub hits: Option<f32>,
}

/// A line, and what is known about the errors above it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The score from which on a candidate is served; infinite: none is.
    #[serde(with = "maybe_infinite")]
    pub at: f32,
    /// Error of each bin that labels know; empty before the first histogram.
    errors: Vec<Option<f32>>,
    /// Error of each bin by labels and model; empty before the first histogram.
    expected: Vec<f32>,
    /// Of lookups that would be served at this line, per lookup: estimate and upper bound of the
    /// wrong ones.
    pub estimate: f32,
    pub upper: f32,
    /// Labels above the line: without any the estimate is the model's alone.
    pub labels: u32,
}

/// What is known of one bin.
#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    /// Lookups that were asked upstream in any case.
    asked: Stratum,
    /// Lookups that were served, or explored by chance.
    drawn: Stratum,
}

/// Lookups of one bin of which as good as all are labelled, or some by chance.
#[derive(Debug, Clone, Copy, Default)]
struct Stratum {
    lookups: f32,
    /// Sum of the model's own estimates of the error.
    modelled: f32,
    /// Labels by the size of the panel that gave them, and those *different*.
    labelled: [f32; PANEL + 1],
    different: [f32; PANEL + 1],
}

impl Default for Line {
    fn default() -> Self {
        Self {
            at: COLD,
            errors: Vec::new(),
            expected: Vec::new(),
            estimate: 0.0,
            upper: 0.0,
            labels: 0,
        }
    }
}

impl Line {
    /// Draws the line anew over the servable lookups of the window, of `lookups` in all. `passed`
    /// are explored ones from before it.
    pub fn draw<'a>(
        rows: impl Iterator<Item = &'a Row> + Clone,
        passed: impl Iterator<Item = &'a Row>,
        lookups: usize,
        budget: &Budget,
        judge: &Errors,
    ) -> Self {
        let bins = histogram(rows.clone(), &Belief::of(rows.chain(passed), judge));
        let mut line = Self {
            at: f32::INFINITY,
            errors: vec![None; BINS],
            expected: vec![0.0; BINS],
            ..Self::default()
        };
        let (mut all, mut wrong, mut variance, mut labels) = (0.0, 0.0, 0.0, 0.0);
        let mut open = true;
        for place in (0..BINS).rev() {
            let bin = &bins[place];
            let (bin_wrong, spread) = bin.wrong(judge);
            let middle = LOWEST + WIDTH * (place as f32 + 0.5);
            let error =
                if bin.lookups() > 0.0 { bin_wrong / bin.lookups() } else { modelled(middle) };
            let known = bin.labels() >= KNOWN;
            line.expected[place] = error;
            line.errors[place] = known.then_some(error.clamp(0.0, 1.0));
            if !open {
                continue;
            }
            all += bin.lookups();
            wrong += bin_wrong;
            variance += spread;
            labels += bin.labels();
            let estimate = f32::max(wrong, FLOOR * all);
            let upper = estimate + CAUTION * variance.sqrt();
            open = upper <= AIM * budget.lookups * lookups as f32;
            let precise = budget.hits.is_none_or(|share| upper <= share * all);
            if open && precise && all > 0.0 {
                line.at = (LOWEST + WIDTH * place as f32).max(LEAST);
                line.estimate = estimate / lookups.max(1) as f32;
                line.upper = upper / lookups.max(1) as f32;
                line.labels = labels as u32;
            }
        }
        line
    }

    /// As one that was drawn, or not yet.
    pub fn is_sound(&self) -> bool {
        !self.at.is_nan() && (self.errors.is_empty() || self.errors.len() == BINS)
    }

    /// Labels have drawn it, not the prior alone.
    pub fn is_learnt(&self) -> bool {
        !self.errors.is_empty()
    }

    /// The error expected at a score, where labels say so and not the model alone.
    pub fn error_at(&self, z: f32) -> Option<f32> {
        self.errors.get(place(z)?).copied().flatten()
    }

    /// The error expected at a score.
    pub fn expected(&self, z: f32) -> f32 {
        let known = place(z).and_then(|place| self.expected.get(place).copied());
        known.unwrap_or_else(|| modelled(z)).max(FLOOR)
    }
}

impl Bin {
    fn lookups(&self) -> f32 {
        self.asked.lookups + self.drawn.lookups
    }

    fn labels(&self) -> f32 {
        self.asked.labels() + self.drawn.labels()
    }

    /// Estimate of the bin's wrong lookups, and its variance.
    fn wrong(&self, judge: &Errors) -> (f32, f32) {
        // What a judge that knows says of every lookup needs no model, and is no estimate.
        let (asked, spread) = self.asked.wrong(judge, 0.0);
        let (drawn, more) = self.drawn.wrong(judge, SHRINK);
        (asked + drawn, spread + more)
    }
}

impl Stratum {
    fn labels(&self) -> f32 {
        self.labelled.iter().sum()
    }

    /// Estimate of the stratum's wrong lookups, and its variance. The model's estimate counts as
    /// `shrink` labels, and as more where the labels are noisy.
    fn wrong(&self, judge: &Errors, shrink: f32) -> (f32, f32) {
        if self.lookups == 0.0 {
            return (0.0, 0.0);
        }
        let model = self.modelled / self.lookups;
        let shrink = shrink + SHRINK * (self.noise(judge, model) - 1.0);
        let weight = (self.labels() + shrink).max(f32::MIN_POSITIVE);
        let seen: f32 = self
            .panels(judge)
            .map(|(errors, labelled, different)| {
                (different - errors.false_different * labelled) / errors.contrast()
            })
            .sum();
        let error = (seen + shrink * model) / weight;
        let floored = error.clamp(FLOOR, 1.0);
        let binomial = floored * (1.0 - floored);
        let mut variance = self.lookups * binomial;
        if shrink > 0.0 {
            let from_labels: f32 = self
                .panels(judge)
                .map(|(errors, labelled, _)| {
                    let seen = errors.seen(floored);
                    seen * (1.0 - seen) * labelled / (weight * errors.contrast()).powi(2)
                })
                .sum();
            let from_model = (shrink / weight).powi(2) * binomial / SHRINK;
            variance += self.lookups.powi(2) * (from_labels + from_model);
        }
        (self.lookups * error, variance)
    }

    /// How many times the variance of a label the judge's errors make of it, at most 40.
    fn noise(&self, judge: &Errors, model: f32) -> f32 {
        let labels = self.labels();
        if labels == 0.0 {
            return 1.0;
        }
        let clean = (model * (1.0 - model)).max(1e-4);
        let noisy: f32 = self
            .panels(judge)
            .map(|(errors, labelled, _)| {
                let seen = errors.seen(model);
                labelled * seen * (1.0 - seen) / (clean * errors.contrast().powi(2))
            })
            .sum();
        (noisy / labels).clamp(1.0, 40.0)
    }

    /// For each size of panel its errors, its labels, and those *different*.
    fn panels(&self, judge: &Errors) -> impl Iterator<Item = (Errors, f32, f32)> {
        (1..=PANEL).map(|members| {
            let errors = judge.of_panel(members as u8);
            (errors, self.labelled[members], self.different[members])
        })
    }
}

fn histogram<'a>(rows: impl Iterator<Item = &'a Row>, belief: &Belief) -> [Bin; BINS] {
    let mut bins = [Bin::default(); BINS];
    for row in rows.filter(|row| row.servable) {
        let Some(place) = place(row.z) else { continue };
        let bin = &mut bins[place];
        let (stratum, error) = if row.propensity < 1.0 {
            (&mut bin.drawn, belief.error(row.z))
        } else {
            (&mut bin.asked, modelled(row.z))
        };
        stratum.lookups += 1.0;
        stratum.modelled += error;
        if let Some(same) = row.label {
            let members = usize::from(row.panel).clamp(1, PANEL);
            stratum.labelled[members] += 1.0;
            stratum.different[members] += f32::from(u8::from(!same));
        }
    }
    bins
}

/// The model's own estimate of the error.
pub(super) fn modelled(z: f32) -> f32 {
    FLOOR + (1.0 - FLOOR) * sigmoid(-z)
}

/// The bin of a score; `None` below the histogram.
fn place(z: f32) -> Option<usize> {
    let place = (z - LOWEST) / WIDTH;
    (place >= 0.0).then_some((place as usize).min(BINS - 1))
}

mod maybe_infinite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    // JSON has no infinity.
    pub fn serialize<S: Serializer>(at: &f32, to: S) -> Result<S::Ok, S::Error> {
        at.is_finite().then_some(*at).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
        Ok(Option::<f32>::deserialize(from)?.unwrap_or(f32::INFINITY))
    }
}

#[cfg(test)]
mod tests {
    use super::super::features::COUNT;
    use super::*;

    const BUDGET: Budget = Budget { lookups: 0.01, hits: None };

    fn row(z: f32, label: Option<bool>, propensity: f32) -> Row {
        let values = [0.0; COUNT];
        Row { values, z, label, panel: 1, propensity, servable: true, served: label.is_none() }
    }

    /// A thousand lookups at each whole score from 0 to 6, wrong as often as the score says.
    fn traffic(labelled: bool) -> Vec<Row> {
        let of = |score: u16| {
            let wrong = (1000.0 * sigmoid(-f32::from(score))) as usize;
            (0..1000).map(move |n| {
                let label = labelled.then_some(n >= wrong);
                row(f32::from(score) + 0.1, label, if labelled { 1.0 } else { 0.02 })
            })
        };
        (0..7).flat_map(of).collect()
    }

    #[test]
    fn the_line_keeps_the_budget() {
        let rows = traffic(true);
        let line = Line::draw(rows.iter(), [].iter(), rows.len(), &BUDGET, &Errors::NONE);
        let served = rows.iter().filter(|row| row.z >= line.at);
        let wrong = served.filter(|row| row.label == Some(false)).count();
        assert!(wrong as f32 <= 0.01 * rows.len() as f32, "{wrong}");
        // The next thousand would not have fitted.
        assert!(line.at > 2.5 && line.at <= 4.0, "{}", line.at);
        assert!(line.is_learnt() && line.error_at(6.1).is_some());
    }

    #[test]
    fn precision_is_a_second_limit() {
        let rows = traffic(true);
        let draw = |hits| {
            let budget = Budget { lookups: 0.05, hits };
            Line::draw(rows.iter(), [].iter(), rows.len(), &budget, &Errors::NONE).at
        };
        assert!(draw(Some(0.01)) > draw(None));
    }

    #[test]
    fn explored_lookups_stand_for_those_that_were_served() {
        // The model expects next to no errors at 5; two of three explored ones were wrong.
        let mut rows: Vec<Row> = (0..900).map(|_| row(5.0, None, 0.02)).collect();
        rows.extend((0..90).map(|n| row(5.0, Some(n % 3 == 0), 0.02)));
        let line = Line::draw(rows.iter(), [].iter(), rows.len(), &BUDGET, &Errors::NONE);
        assert!(line.at.is_infinite());
        // Those that were asked in any case say nothing of the served ones.
        let asked: Vec<Row> = (0..30).map(|n| row(6.9, Some(n % 3 == 0), 1.0)).collect();
        let drawn = (0..9000).map(|n| row(6.9, (n % 50 == 0).then_some(true), 0.02));
        let mixed: Vec<Row> = drawn.chain(asked.iter().cloned()).collect();
        let line = Line::draw(mixed.iter(), [].iter(), mixed.len(), &BUDGET, &Errors::NONE);
        assert!(line.at <= 6.9, "{}", line.at);
    }

    #[test]
    fn a_judge_that_errs_is_seen_through() {
        let judge = Errors { false_same: 0.05, false_different: 0.05 };
        // Right in truth; the judge calls one in twenty different.
        let rows: Vec<Row> = (0..4000).map(|n| row(5.0, Some(n % 20 != 0), 1.0)).collect();
        let drawn =
            |judge: &Errors| Line::draw(rows.iter(), [].iter(), rows.len(), &BUDGET, judge).at;
        assert!(drawn(&judge) <= 5.0);
        assert!(drawn(&Errors::NONE).is_infinite());
    }

    #[test]
    fn nothing_is_served_without_a_budget() {
        let rows = traffic(true);
        let none = Budget { lookups: 0.0, hits: None };
        assert!(
            Line::draw(rows.iter(), [].iter(), rows.len(), &none, &Errors::NONE).at.is_infinite()
        );
    }
}
