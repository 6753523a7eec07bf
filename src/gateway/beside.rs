//! What a hit sets off beside the line: an answer past its prime is asked again, and a share of the
//! semantic hits is checked upstream. Nobody waits for either.

use uuid::Uuid;

use crate::cache::learn::Lesson;
use crate::cache::refresh::due;
use crate::cache::{Entry, Level};
use crate::error::GatewayError;
use crate::jobs::{Ask, Finished, NoAnswer, What};
use crate::now::Now;
use crate::policy::{Choice, ForcedBy};
use crate::record::OpenRecord;
use crate::route::{RouteDecision, plan};

use super::recall::{Hit, Recall};
use super::settle::{Admission, Made, renew};
use super::{Asked, Gateway};

impl Gateway {
    /// Sends what `hit` calls for upstream, beside the line.
    pub(super) fn follow_up(
        &self,
        asked: &Asked,
        memory: &Recall,
        hit: &Hit<'_>,
        record: &OpenRecord,
    ) {
        if !hit.entry.is_fresh(asked.now) {
            record.served_stale();
        }
        // In (0, 1].
        let chance = 1.0 - rand::random::<f64>();
        if self.refresh(asked, memory, hit, chance) {
            return;
        }
        let sampled = rand::random::<f64>() < asked.settings.cache.shadow;
        if sampled && hit.level == Level::Semantic {
            self.shadow(asked, memory);
        }
    }

    /// Asks again what was served past its expiry, or is about to expire and in demand. What comes
    /// of it is stored under the caller's own request, so `no-store` and `only-if-cached` forbid it.
    fn refresh(&self, asked: &Asked, memory: &Recall, hit: &Hit<'_>, chance: f64) -> bool {
        let directives = &asked.headers.cache;
        if directives.no_store || directives.only_if_cached {
            return false;
        }
        if due(hit.entry, &asked.settings.cache, asked.now, chance).is_none() {
            return false;
        }
        let Some(admission) = Admission::of(asked, memory) else { return false };
        let Ok(decision) = self.renewal(asked, hit.entry) else { return false };
        let Some(claim) = self.refreshes.claim(hit.entry.key, asked.now) else { return false };
        let (cache, asked, old) = (self.cache.clone(), asked.clone(), hit.entry.clone());
        let level = hit.level;
        self.jobs.ask(asked.beside(What::Refresh, &decision), move |answer| {
            let now = Now::read();
            match renewed(&asked, &admission, answer, now) {
                Some(entry) => renew(&cache, &asked, &admission, entry, (&old, level), None),
                None => claim.failed(now),
            }
        })
    }

    /// Who renews an entry: the tier that made it, where the route still has it, for the router
    /// found it good enough for this question. Else whoever the plan without a classifier names.
    fn renewal(&self, asked: &Asked, entry: &Entry) -> Result<RouteDecision, GatewayError> {
        if let Choice::Tiers { route } = &asked.policy.choice
            && let Some(tier) =
                route.tiers.iter().find(|tier| Some(&tier.name) == entry.tier.as_ref())
        {
            let mut policy = (*asked.policy).clone();
            policy.choice = Choice::Forced { tier: tier.clone(), by: ForcedBy::Rule };
            return plan::decide(&policy, &asked.request, &asked.settings, None);
        }
        self.plan(asked, None)
    }

    /// Asks upstream what was served from memory, and has the two answers compared.
    fn shadow(&self, asked: &Asked, memory: &Recall) {
        let signals = self.signals(asked, self.look(asked, memory).as_ref());
        let decision = self.plan(asked, signals.as_ref());
        let Ok(decision) = decision else { return };
        let Some(pending) = memory.pending.clone() else { return };
        let cache = self.cache.clone();
        self.jobs.ask(asked.beside(What::Shadow, &decision), move |answer| {
            if let Ok(Finished { body: answer, .. }) = answer {
                cache.teach(Lesson::Shadowed { pending, answer });
            }
        });
    }
}

/// The new entry; `None` where no answer came, or one that is not to be kept.
fn renewed(
    asked: &Asked,
    admission: &Admission,
    answer: Result<Finished, NoAnswer>,
    now: Now,
) -> Option<Entry> {
    let finished = answer.ok()?;
    let made = Made {
        planned: &finished.planned,
        status: finished.status,
        body: finished.body,
        usage: finished.usage,
        cost: finished.cost,
        took: finished.took,
    };
    let id = Uuid::now_v7().to_string();
    admission.entry(asked, &id, made, &finished.completion, now).ok()
}

impl Asked {
    /// The request as a job: without the caller's trace, which ends with its own answer.
    pub(super) fn beside(&self, what: What, decision: &RouteDecision) -> Ask {
        let traced = ["traceparent", "tracestate"];
        let forward = self.headers.forward.iter();
        Ask {
            what,
            request: self.request.clone(),
            targets: decision.targets.clone(),
            keep_order: self.policy.choice.keeps_order(),
            forward: forward
                .filter(|(name, _)| !traced.contains(&name.as_str()))
                .cloned()
                .collect(),
            tenant: self.caller.tenant.clone(),
            max_answer: usize::try_from(self.settings.cache.max_entry).unwrap_or(usize::MAX),
        }
    }
}
