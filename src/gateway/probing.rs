//! `semgate router probe`: asks a model a few questions with known answers, and finds its place
//! among the shipped heads. The questions are ours; what their answers mean is `route::learn::probe`'s.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use crate::config::settings::{Model, Settings};
use crate::dialect::openai::ChatRequest;
use crate::error::{AttemptNote, GatewayError};
use crate::jobs::{Ask, Finished, NoAnswer, What};
use crate::judge::{self, Reading, Verdict};
use crate::now::Now;
use crate::price::Money;
use crate::route::learn::probe::position;
use crate::route::learn::{Capability, Learner};
use crate::route::{Features, HEADS, Planned, tier_place};

use super::Gateway;

static QUESTIONS: &str = include_str!("../../models/router-probes.jsonl");

/// Bytes of an answer; it is a word or a number, with whatever was thought before.
const MAX_ANSWER: usize = 256 << 10;

/// On whose account probes are shown.
const TENANT: &str = "semgate";

/// A question with one right answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    kind: String,
    prompt: String,
    answer: String,
}

/// What became of a question: by kind, what the heads expect of it, whether it was right, its cost.
struct Graded {
    kind: String,
    expected: [f64; HEADS],
    right: bool,
    cost: Option<Money>,
}

impl Gateway {
    /// Probes a model of the configuration; from then on the router knows its place.
    ///
    /// # Errors
    /// The model is unknown, nothing is learnt here, or it left most questions unanswered.
    pub async fn probe(&self, name: &str) -> Result<Capability, GatewayError> {
        let settings = self.settings();
        let model = settings.model(name).cloned().ok_or_else(|| {
            GatewayError::bad_param("model", format!("`{name}` is no name of `models:`."))
        })?;
        let learner = self.learner()?.clone();
        let (questions, mut graded) = (questions(), Vec::new());
        // All are taken on at once; the queue of jobs limits how many run.
        let asked: Vec<_> =
            questions.iter().map(|question| (question, self.pose(&model, question))).collect();
        for (question, answer) in asked {
            if let Ok(Ok(finished)) = answer.await {
                graded.extend(self.grade(question, &finished).await);
            }
        }
        if graded.len() * 2 < questions.len() {
            let outcome = format!("answered {} of {} probes", graded.len(), questions.len());
            let attempts = vec![AttemptNote { target: model.label(), outcome }];
            return Err(GatewayError::UpstreamFailed { attempts });
        }
        let capability = concluded(&model, &settings, &graded);
        learner.probed(capability.clone());
        Ok(capability)
    }

    fn pose(
        &self,
        model: &Arc<Model>,
        question: &Question,
    ) -> oneshot::Receiver<Result<Finished, NoAnswer>> {
        let (told, answer) = oneshot::channel();
        let body = json!({
            "model": model.id,
            "messages": [{"role": "user", "content": question.prompt}],
        });
        let request = ChatRequest::decode(Bytes::from(body.to_string()))
            .expect("invariant: our own request is valid");
        let model = model.clone();
        let ask = Ask {
            what: What::Probe,
            request: Arc::new(request),
            // Itself or nobody.
            targets: vec![Planned { model, tier: None, set_max_output: None, why: None }],
            keep_order: true,
            forward: Vec::new(),
            tenant: TENANT.into(),
            max_answer: MAX_ANSWER,
        };
        self.jobs.ask(ask, move |answer| {
            // Whoever asked may have gone.
            let _ = told.send(answer);
        });
        answer
    }

    /// `None` where the question has no vector.
    async fn grade(&self, question: &Question, answer: &Finished) -> Option<Graded> {
        let embedded = self.embedder.as_ref()?.embed(&question.prompt).await.ok()?;
        let features = Features::of_text(&question.prompt);
        let expected = self.heads.as_ref()?.predict(&embedded.vector, &features);
        let (right, given) =
            (Reading::of_text(&question.answer), Reading::of_completion(&answer.body));
        let judged = judge::compare(&question.prompt, &right, &given);
        Some(Graded {
            kind: question.kind.clone(),
            expected,
            right: judged.verdict == Verdict::Same,
            cost: answer.cost,
        })
    }

    /// Whoever learns.
    ///
    /// # Errors
    /// Without an embedder there are no heads, and nothing to learn.
    pub(super) fn learner(&self) -> Result<&Arc<Learner>, GatewayError> {
        self.learner.as_ref().ok_or_else(|| {
            let message = "The router learns nothing without an embedder (`embedder: off`).";
            GatewayError::bad(message.to_owned())
        })
    }
}

fn questions() -> Vec<Question> {
    let line =
        |line| serde_json::from_str(line).expect("invariant: the shipped questions are valid");
    QUESTIONS.lines().map(line).collect()
}

fn concluded(model: &Model, settings: &Settings, graded: &[Graded]) -> Capability {
    let expected: Vec<[f64; HEADS]> = graded.iter().map(|one| one.expected).collect();
    let right = graded.iter().filter(|one| one.right).count();
    let mut kinds: Vec<(String, usize, usize)> = Vec::new();
    for one in graded {
        let known = kinds.iter().position(|(kind, ..)| *kind == one.kind);
        let place = known.unwrap_or_else(|| {
            kinds.push((one.kind.clone(), 0, 0));
            kinds.len() - 1
        });
        kinds[place].1 += 1;
        kinds[place].2 += usize::from(one.right);
    }
    let costs: Option<Vec<Money>> = graded.iter().map(|one| one.cost).collect();
    Capability {
        model: model.name.clone(),
        at: Now::read().wall,
        asked: graded.len(),
        right,
        kinds,
        position: position(&expected, right, tier_place(settings, model)),
        cost_usd: costs.map(|costs| costs.into_iter().sum::<Money>().usd()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_answer_is_recognised_and_a_wrong_one_is_not() {
        let questions = questions();
        assert!(questions.len() >= 40);
        for question in &questions {
            let judge = |answer: &str| {
                let (right, given) = (Reading::of_text(&question.answer), Reading::of_text(answer));
                judge::compare(&question.prompt, &right, &given).verdict
            };
            let said = format!("{}.", question.answer);
            assert_eq!(judge(&question.answer), Verdict::Same, "{}", question.prompt);
            assert_eq!(judge(&said), Verdict::Same, "{said} {}", question.prompt);
            for wrong in ["77777", "Narnia"] {
                assert_ne!(judge(wrong), Verdict::Same, "{wrong} {}", question.prompt);
            }
        }
    }
}
