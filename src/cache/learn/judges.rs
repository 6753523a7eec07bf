//! What the judges' words are worth: comparing what answers state, and the model that is asked about
//! the rest, each with its own two rates of error; and who has given how many verdicts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::super::verify::Errors;
use crate::judge::rates::{MEMORY, Prior, Rates, Truth};
use crate::judge::{Judgement, Verdict};

/// Known pairs of one side after which a model is asked about a tenth of them only: enough to tell
/// 5 % errors from 1 %.
const ENOUGH: f64 = 200.0;

/// Who gave a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Nobody needed to: the truth is known.
    Label,
    Comparison,
    Model,
}

/// What is said of one pair of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    pub verdict: Verdict,
    pub by: By,
    /// Comparing left it open, and a reader might know.
    pub is_open: bool,
}

impl Said {
    pub fn label(verdict: Verdict) -> Self {
        Self { verdict, by: By::Label, is_open: false }
    }

    pub fn compared(judgement: Judgement) -> Self {
        let is_open = judgement.is_for_a_reader();
        Self { verdict: judgement.verdict, by: By::Comparison, is_open }
    }

    pub fn by_model(verdict: Verdict) -> Self {
        Self { verdict, by: By::Model, is_open: false }
    }
}

/// The judges of a process, by what is known of them.
#[derive(Debug)]
pub struct Judges {
    comparison: Mutex<Rates>,
    model: Mutex<ModelJudge>,
    labels: [[AtomicU64; 3]; 2],
    shadow: [AtomicU64; 3],
}

/// The model that was asked last. Another one begins anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelJudge {
    /// `provider/id`; empty before the first.
    label: String,
    rates: Rates,
}

/// Verdicts so far: same, different, cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Given {
    /// On the best candidate of a lookup, by comparing.
    pub comparison: [u64; 3],
    /// The same by the model.
    pub model: [u64; 3],
    /// On hits that were checked in the shadow, by either.
    pub shadow: [u64; 3],
}

/// A rate with its 95 % interval, both with what is believed beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
}

/// How often a judge errs, as far as it is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trust {
    /// Of differing pairs, the share called the same.
    pub false_same: Rate,
    /// Of equal pairs, the share called different.
    pub false_different: Rate,
    /// Of pairs whose truth is known, the share on which it could not tell; `None` before the first.
    pub undecided: Option<f64>,
    /// Pairs of which the truth is known and which still weigh.
    pub known_pairs: f64,
}

/// The judges of a gateway.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgesTrust {
    pub comparison: Trust,
    /// `None`: no model's word was ever measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelTrust>,
}

/// The model that is asked, and how often it errs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelTrust {
    /// `provider/id`.
    pub target: String,
    #[serde(flatten)]
    pub trust: Trust,
}

impl Trust {
    fn of(rates: &Rates) -> Self {
        let with = |estimate, (low, high)| Rate { estimate, low, high };
        Self {
            false_same: with(rates.false_same(), rates.false_same_interval()),
            false_different: with(rates.false_different(), rates.false_different_interval()),
            undecided: rates.undecided(),
            known_pairs: rates.known(Truth::Same) + rates.known(Truth::Different),
        }
    }
}

/// Who has judged the best candidates of one mind's lookups. Old verdicts fade, as rates do.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Heard {
    comparison: f64,
    model: f64,
}

impl Judges {
    pub fn new() -> Self {
        Self {
            comparison: Mutex::default(),
            model: Mutex::default(),
            labels: Default::default(),
            shadow: Default::default(),
        }
    }

    /// Takes what was said of a pair whose truth is known. `model` is whom a model's word is from.
    /// Where the model had to be asked, comparing could not tell.
    pub fn observe(&self, truth: Truth, said: Said, model: Option<&str>) {
        match (said.by, model) {
            (By::Label, _) => {}
            (By::Comparison, _) => self.comparison().observe(truth, said.verdict),
            (By::Model, label) => {
                self.comparison().observe(truth, Verdict::CannotTell);
                if let Some(label) = label {
                    self.model_named(label).rates.observe(truth, said.verdict);
                }
            }
        }
    }

    /// Whether a model should be asked about a known pair, for nothing but its rates. `pair` is any
    /// number that stays with the pair.
    pub fn wants(&self, truth: Truth, model: &str, pair: u64) -> bool {
        self.model_named(model).rates.known(truth) < ENOUGH || pair.is_multiple_of(10)
    }

    /// Counts the verdict on a lookup's best candidate.
    pub fn count(&self, said: Said) {
        let by = match said.by {
            By::Label => return,
            By::Comparison => 0,
            By::Model => 1,
        };
        self.labels[by][place(said.verdict)].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the verdict on a hit that was checked in the shadow.
    pub fn count_shadow(&self, verdict: Verdict) {
        self.shadow[place(verdict)].fetch_add(1, Ordering::Relaxed);
    }

    pub fn given(&self) -> Given {
        let read = |counts: &[AtomicU64; 3]| counts.each_ref().map(|n| n.load(Ordering::Relaxed));
        Given {
            comparison: read(&self.labels[0]),
            model: read(&self.labels[1]),
            shadow: read(&self.shadow),
        }
    }

    pub fn trust(&self) -> JudgesTrust {
        // Copied one after the other: whoever holds two locks may wait for another who does.
        let comparison = *self.comparison();
        let model = self.model().clone();
        let measured = (!model.label.is_empty())
            .then(|| ModelTrust { trust: Trust::of(&model.rates), target: model.label });
        JudgesTrust { comparison: Trust::of(&comparison), model: measured }
    }

    /// The rates with which verdicts come wrong that were given by these judges in this proportion.
    pub fn errors(&self, heard: Heard) -> Errors {
        let share = heard.model_share();
        // Two statements, for a guard lives to the end of its own.
        let compared = *self.comparison();
        let model = self.model().rates;
        let mix = |compared: f64, model: f64| ((1.0 - share) * compared + share * model) as f32;
        Errors {
            false_same: mix(compared.false_same(), model.false_same()),
            false_different: mix(compared.false_different(), model.false_different()),
        }
    }

    pub fn comparison(&self) -> MutexGuard<'_, Rates> {
        self.comparison.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn model(&self) -> MutexGuard<'_, ModelJudge> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model of that name; what was known of another is forgotten.
    fn model_named(&self, label: &str) -> MutexGuard<'_, ModelJudge> {
        let mut model = self.model();
        if model.label != label {
            *model = ModelJudge { label: label.to_owned(), ..ModelJudge::default() };
        }
        model
    }
}

impl ModelJudge {
    /// Known pairs of it that still weigh.
    pub fn pairs(&self) -> f64 {
        self.rates.pairs()
    }

    /// As read from disk.
    pub fn sound(self) -> Self {
        Self { rates: self.rates.sound(Prior::MODEL), ..self }
    }
}

impl Default for ModelJudge {
    fn default() -> Self {
        Self { label: String::new(), rates: Rates::of(Prior::MODEL) }
    }
}

impl Heard {
    pub fn count(&mut self, said: Said) {
        if said.verdict == Verdict::CannotTell {
            return;
        }
        let kept = 1.0 - 1.0 / MEMORY;
        self.comparison *= kept;
        self.model *= kept;
        match said.by {
            By::Model => self.model += 1.0,
            By::Comparison | By::Label => self.comparison += 1.0,
        }
    }

    fn model_share(&self) -> f64 {
        let share = self.model / (self.model + self.comparison);
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }
}

fn place(verdict: Verdict) -> usize {
    match verdict {
        Verdict::Same => 0,
        Verdict::Different => 1,
        Verdict::CannotTell => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(verdict: Verdict, by: By) -> Said {
        Said { verdict, by, is_open: false }
    }

    #[test]
    fn each_judge_answers_for_its_own_errors() {
        let judges = Judges::new();
        for _ in 0..100 {
            judges.observe(Truth::Different, said(Verdict::Same, By::Model), Some("p/m"));
            judges.observe(Truth::Different, said(Verdict::Same, By::Label), None);
        }
        let mut heard = Heard::default();
        assert!(judges.errors(heard).false_same <= 0.01, "only comparing is heard here");
        assert_eq!(judges.comparison().undecided(), Some(1.0), "it was asked first");
        for _ in 0..100 {
            heard.count(said(Verdict::Same, By::Model));
        }
        assert!(judges.errors(heard).false_same > 0.6);
        for _ in 0..100 {
            heard.count(said(Verdict::Different, By::Comparison));
            heard.count(said(Verdict::CannotTell, By::Model));
        }
        let half = judges.errors(heard).false_same;
        assert!((0.3..0.4).contains(&half), "{half}");
    }

    /// Whoever reads the rates while another one does must not wait for it for ever.
    #[test]
    fn no_two_locks_are_held_at_once() {
        use std::sync::mpsc;
        use std::time::Duration;

        let judges = std::sync::Arc::new(Judges::new());
        let reads: [fn(&Judges); 2] =
            [|judges| _ = judges.trust(), |judges| _ = judges.errors(Heard::default())];
        let (tell, told) = mpsc::channel();
        for read in reads.into_iter().cycle().take(4) {
            let (judges, tell) = (judges.clone(), tell.clone());
            std::thread::spawn(move || {
                (0..50_000).for_each(|_| read(&judges));
                _ = tell.send(());
            });
        }
        for _ in 0..4 {
            told.recv_timeout(Duration::from_secs(30)).expect("nobody waits for ever");
        }
    }

    #[test]
    fn another_model_begins_anew() {
        let judges = Judges::new();
        for pair in 0..250 {
            judges.observe(Truth::Same, said(Verdict::Different, By::Model), Some("p/one"));
            assert!(judges.wants(Truth::Different, "p/one", pair));
        }
        assert!(!judges.wants(Truth::Same, "p/one", 7) && judges.wants(Truth::Same, "p/one", 70));
        assert!(judges.model().rates.false_different() > 0.7);
        judges.observe(Truth::Same, said(Verdict::Same, By::Model), Some("p/two"));
        assert!(judges.model().rates.false_different() < 0.06);
    }
}
