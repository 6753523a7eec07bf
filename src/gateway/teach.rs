//! What the router is shown of live traffic: every request to those who watch for a change, answers
//! to those who may have a word on them, a caller's second attempt as the complaint that it is.
//! Learning is `route::learn`'s, asking another tier `trial`'s.

use std::sync::Arc;

use uuid::Uuid;

use crate::cache::feedback::Label as Verdict;
use crate::cache::learn::Lane;
use crate::route::evidence::shift::Alarm;
use crate::route::learn::{Given, Learner, Opinion, Sample, complaint};
use crate::route::{Features, RouteDecision, Signals};

use super::recall::Recall;
use super::{Asked, Gateway};

/// What the classifier looks at.
#[derive(Debug, Clone)]
pub struct Look {
    pub lane: Lane,
    pub sample: Sample,
    features: Features,
}

impl Gateway {
    /// What the classifier looks at; `None` when it is not needed or had no vector.
    pub(super) fn look(&self, asked: &Asked, memory: &Recall) -> Option<Look> {
        if !asked.classifies() || self.heads.is_none() {
            return None;
        }
        let embedding = memory.embedding()?;
        let features = Features::of(&asked.request);
        let sample = Sample::of(&embedding.vector, &features, &asked.request.prompt);
        Some(Look { lane: asked.lane(), sample, features })
    }

    /// What the classifier says of it.
    pub(super) fn signals(&self, asked: &Asked, look: Option<&Look>) -> Option<Signals> {
        let look = look?;
        let heads = self.heads.as_ref()?;
        let mut signals = heads.signals(&look.sample.vector, look.features.clone());
        if let Some(learner) = &self.learner {
            let loss = asked.policy.max_quality_loss;
            signals.learnt = learner.advise(&look.lane, loss, &look.sample);
            if let Some(what) = asked.uncovered() {
                signals.learnt.uncover(what);
            }
        }
        Some(signals)
    }

    /// Shows a request and its decision to whoever learns. `id` is the request's.
    pub(super) fn show(
        &self,
        asked: &Asked,
        look: Option<&Look>,
        decision: &RouteDecision,
        id: &str,
    ) {
        let (Some(look), Some(learner)) = (look, &self.learner) else { return };
        if let Some(alarm) = learner.watch(&look.lane, &look.sample, rand::random()) {
            self.alarmed(&look.lane, &alarm);
        }
        self.hear_complaint(asked, look, learner);
        if let (Some(tier), Ok(id)) = (&decision.tier, Uuid::parse_str(id)) {
            let (lane, tier, sample) = (look.lane.clone(), tier.clone(), look.sample.clone());
            learner.recent.note(id, Given { lane, tier, sample });
        }
    }

    /// The traffic of a lane is another.
    pub(super) fn alarmed(&self, lane: &Lane, alarm: &Alarm) {
        let watched = alarm.watched.name();
        self.recorder.metrics.route.drift.with_label_values(&[watched]).inc();
        tracing::warn!(
            tenant = &*lane.tenant,
            route = &*lane.route,
            watched,
            after = alarm.after,
            "the traffic is another than that of the router's labels: the strongest tier answers \
             until there are new ones"
        );
    }

    /// Who puts the question before anew was not content with the conversation's tier.
    fn hear_complaint(&self, asked: &Asked, look: &Look, learner: &Learner) {
        let messages = asked.request.body.get("messages").and_then(|it| it.as_array());
        if !messages.is_some_and(|messages| complaint::complains(messages)) {
            return;
        }
        let Some(held) = self.held(asked) else { return };
        self.recorder.metrics.route.opinions.with_label_values(&["reworded"]).inc();
        let opinion = Opinion {
            vector: Arc::clone(&look.sample.vector),
            tier: held.tier,
            good: false,
            weight: complaint::WEIGHT,
            at: asked.now.wall,
        };
        learner.hear(&look.lane, opinion);
    }

    /// What a caller says of an answer that was made for its request.
    pub(super) fn hear_feedback(&self, id: Uuid, verdict: Verdict, at: jiff::Timestamp) {
        let Some(learner) = &self.learner else { return };
        let Some(given) = learner.recent.take(id) else { return };
        self.recorder.metrics.route.opinions.with_label_values(&["feedback"]).inc();
        let opinion = Opinion {
            vector: Arc::clone(&given.sample.vector),
            tier: given.tier.clone(),
            good: verdict == Verdict::Good,
            weight: 1.0,
            at,
        };
        learner.hear(&given.lane, opinion);
    }
}

impl Asked {
    /// What of the request makes its answers incomparable, so that no label is of its kind.
    pub(super) fn uncovered(&self) -> Option<&'static str> {
        let facts = &self.request.facts;
        if facts.has_tools {
            Some("tools")
        } else if facts.has_image {
            Some("images")
        } else {
            None
        }
    }
}
