//! Asks the model of `cache.judge` about two answers that comparing cannot tell apart: a job like
//! any other, beside the line. What is asked and how its word is read is `judge::model`'s; which
//! pairs are worth it, and what is learnt, the cache's.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::cache::learn::{Arbiter, OpenPair, Told};
use crate::config::settings::Model;
use crate::dialect::openai::ChatRequest;
use crate::jobs::{Ask, Jobs, What};
use crate::judge::model;
use crate::route::{Planned, is_in_region};

use super::Asked;

/// Bytes of a judge's reply: a word, in whatever envelope.
const MAX_REPLY: usize = 64 << 10;

/// An arbiter that asks by way of `jobs`, from whichever thread.
pub fn arbiter(jobs: Jobs, runtime: Handle) -> Arbiter {
    Box::new(move |pair: OpenPair, told: Told| {
        let Some(ask) = question(&pair) else { return };
        let _inside = runtime.enter();
        jobs.ask(ask, move |answer| {
            // Who brings no answer has said nothing.
            if let Ok(finished) = answer {
                told(model::verdict(&finished.body));
            }
        });
    })
}

/// `None` where the texts are too long to be judged whole, by our limit or by the model's.
pub(super) fn question(pair: &OpenPair) -> Option<Ask> {
    let [a, b] = &pair.answers;
    let body = model::request(&pair.model.id, &pair.question, a, b)?;
    let request = ChatRequest::decode(Bytes::from(body.to_string())).ok()?;
    let needed = request.facts.prompt_tokens + request.max_output.unwrap_or_default();
    if pair.model.context.is_some_and(|window| needed > window) {
        return None;
    }
    let model = Arc::clone(&pair.model);
    Some(Ask {
        what: What::Judge,
        request: Arc::new(request),
        // Itself or nobody: what is known of its errors holds for no other model.
        targets: vec![Planned { model, tier: None, set_max_output: None, why: None }],
        keep_order: true,
        forward: Vec::new(),
        tenant: Arc::clone(&pair.tenant),
        max_answer: MAX_REPLY,
    })
}

impl Asked {
    /// The model that may be shown answers to this request: none outside its regions.
    pub(super) fn judge(&self) -> Option<Arc<Model>> {
        let judge = self.settings.cache.judge.as_ref()?;
        is_in_region(judge, self.policy.regions.as_deref()).then(|| Arc::clone(judge))
    }
}
