//! `routing.shadow`: for a share of the requests another tier is asked as well, beside the line, and
//! the two answers are compared. That is how the router comes to know what the stronger tier
//! gains. Nobody waits for it; what it costs is our own spend.
//!
//! Which requests, and which pair of tiers, is left to chance alone, so that the labels look like
//! the traffic. Only answers that are the same are known to lose nothing: what differs, and what
//! nobody can tell, counts as lost, for a promise must not rest on what is not known.

use std::sync::Arc;

use bytes::Bytes;
use rand::RngExt;
use tokio::runtime::Handle;

use crate::cache::learn::OpenPair;
use crate::dialect::openai::answer::{Completion, text_of};
use crate::jobs::{Finished, Jobs, What};
use crate::judge::{self, Reading, Verdict, model};
use crate::policy::{Choice, ForcedBy};
use crate::record::Recorder;
use crate::route::learn::{By, Label, Learner, Pair};
use crate::route::plan;

use super::arbiter::question;
use super::teach::Look;
use super::{Asked, Gateway};

/// A request whose answers will be compared.
#[derive(Debug, Clone)]
pub struct Trial(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    asked: Asked,
    look: Look,
    pair: Pair,
    /// 1 / the chance of this trial.
    weight: f32,
    jobs: Jobs,
    learner: Arc<Learner>,
    recorder: Arc<Recorder>,
}

/// The answers of a pair, as far as they are known.
#[derive(Debug, Clone, Default)]
struct Answers {
    weak: Option<Bytes>,
    strong: Option<Bytes>,
}

impl Gateway {
    /// Whether this request is one of the share; `None` where it is not, or cannot be compared.
    pub(super) fn draw_trial(&self, asked: &Asked, look: Option<&Look>) -> Option<Trial> {
        let share = asked.settings.routing.shadow;
        // What must not be stored leaves no vector behind either.
        let is_kept = !asked.headers.cache.no_store && asked.uncovered().is_none();
        let learner = self.learner.clone().filter(|_| share > 0.0 && is_kept)?;
        let (look, mut rng) = (look?.clone(), rand::rng());
        if rng.random::<f64>() >= share {
            return None;
        }
        let pairs = learner.pairs(&look.lane.route);
        let pair = pairs.get(rng.random_range(0..pairs.len().max(1)))?.clone();
        let weight = (pairs.len() as f64 / share) as f32;
        let (jobs, recorder) = (self.jobs.clone(), self.recorder.clone());
        let asked = asked.clone();
        Some(Trial(Arc::new(Inner { asked, look, pair, weight, jobs, learner, recorder })))
    }
}

impl Trial {
    /// A tier has answered: asks whoever is missing of the pair. An answer that is cut or holds a call
    /// says nothing.
    pub fn begin(&self, tier: Option<&str>, answer: &Bytes, completion: &Completion) {
        if completion.finish_reason.as_deref() != Some("stop") {
            return;
        }
        let mut answers = Answers::default();
        if tier == Some(&*self.0.pair.weak) {
            answers.weak = Some(answer.clone());
        } else if tier == Some(&*self.0.pair.strong) {
            answers.strong = Some(answer.clone());
        }
        self.go_on(answers);
    }

    /// Asks for the next answer that is missing, or compares.
    fn go_on(&self, answers: Answers) {
        let Inner { pair, .. } = &*self.0;
        match &answers {
            Answers { weak: None, .. } => {
                self.ask(&pair.weak, answers, |all, it| all.weak = Some(it))
            }
            Answers { strong: None, .. } => {
                self.ask(&pair.strong, answers, |all, it| all.strong = Some(it));
            }
            Answers { weak: Some(weak), strong: Some(strong) } => self.compare(weak, strong),
        }
    }

    fn ask(&self, tier: &str, mut answers: Answers, put: fn(&mut Answers, Bytes)) {
        let Inner { asked, jobs, .. } = &*self.0;
        let Choice::Tiers { route } = &asked.policy.choice else { return };
        let Some(tier) = route.tiers.iter().find(|known| *known.name == *tier) else { return };
        let mut policy = (*asked.policy).clone();
        policy.choice = Choice::Forced { tier: tier.clone(), by: ForcedBy::Rule };
        // A tier that may not be asked this has no answer to be compared.
        let Ok(decision) = plan::decide(&policy, &asked.request, &asked.settings, None) else {
            return;
        };
        let trial = self.clone();
        jobs.ask(asked.beside(What::RouteShadow, &decision), move |answer| {
            if let Ok(Finished { body, .. }) = answer {
                put(&mut answers, body);
                trial.go_on(answers);
            }
        });
    }

    fn compare(&self, weak: &Bytes, strong: &Bytes) {
        let Inner { asked, jobs, .. } = &*self.0;
        let readings = [weak, strong].map(|body| Reading::of_completion(body));
        let judgement = judge::compare(&asked.request.prompt, &readings[0], &readings[1]);
        let open = judgement.is_for_a_reader().then(|| self.open(weak, strong)).flatten();
        let Some(ask) = open.as_ref().and_then(question) else {
            return self.learn(judgement.verdict);
        };
        let trial = self.clone();
        let asked = Handle::try_current().is_ok()
            && jobs.ask(ask, move |answer| {
                trial.learn(answer.map_or(Verdict::CannotTell, |told| model::verdict(&told.body)));
            });
        if !asked {
            self.learn(Verdict::CannotTell);
        }
    }

    /// What a model would be asked, where one may be.
    fn open(&self, weak: &[u8], strong: &[u8]) -> Option<OpenPair> {
        let Inner { asked, .. } = &*self.0;
        Some(OpenPair {
            model: asked.judge()?,
            tenant: asked.caller.tenant.clone(),
            question: asked.request.prompt.clone(),
            answers: [text_of(weak)?, text_of(strong)?],
        })
    }

    fn learn(&self, verdict: Verdict) {
        let Inner { asked, look, pair, weight, learner, recorder, .. } = &*self.0;
        let (gain, by) = match verdict {
            Verdict::Same => (0.0, By::Shadow),
            Verdict::Different => (1.0, By::Shadow),
            Verdict::CannotTell => (1.0, By::Undecided),
        };
        let sample = look.sample.clone();
        let label = Label { sample, gain, weight: *weight, by, at: asked.now.wall };
        let (taken, alarm) = learner.label(&look.lane, pair, label);
        let what = if taken { by.name() } else { "dropped" };
        recorder.metrics.route.labels.with_label_values(&[what]).inc();
        if let Some(alarm) = alarm {
            recorder.metrics.route.drift.with_label_values(&[alarm.watched.name()]).inc();
        }
    }
}
