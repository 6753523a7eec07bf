//! Plans as the line makes them: with what is known of the conversation, and of how targets fare.

use crate::error::GatewayError;
use crate::policy::Choice;
use crate::route::session::{Held, Session};
use crate::route::strategy::seed;
use crate::route::{Outlook, RouteDecision, RouteReason, Signals, Strategy, decide_within};

use super::conversation::Place;
use super::{Asked, Gateway};

impl Gateway {
    /// Which targets are tried, in which order.
    ///
    /// # Errors
    /// As [`crate::route::decide`].
    pub(super) fn plan(
        &self,
        asked: &Asked,
        signals: Option<&Signals>,
    ) -> Result<RouteDecision, GatewayError> {
        self.plan_within(asked, signals, &self.outlook(asked, Place::of(asked)))
    }

    /// As [`Self::plan`], and the conversation's next turn will know.
    pub(super) fn plan_turn(
        &self,
        asked: &Asked,
        signals: Option<&Signals>,
    ) -> Result<RouteDecision, GatewayError> {
        let place = Place::of(asked);
        let outlook = self.outlook(asked, place);
        let decision = self.plan_within(asked, signals, &outlook)?;
        if let (Some(place), Some(tier)) = (place, decision.tier.clone()) {
            let lower = decision.reason == RouteReason::Session;
            let tokens = asked.request.facts.prompt_tokens;
            let session = Session::after(outlook.held.as_ref(), tier, lower, tokens, asked.now);
            self.conversations.note(&place, session);
        }
        Ok(decision)
    }

    /// What the conversation's turn before this one has left.
    pub(super) fn held(&self, asked: &Asked) -> Option<Held> {
        self.conversations.held(&Place::of(asked)?, asked.now)
    }

    fn plan_within(
        &self,
        asked: &Asked,
        signals: Option<&Signals>,
        outlook: &Outlook,
    ) -> Result<RouteDecision, GatewayError> {
        decide_within(&asked.policy, &asked.request, &asked.settings, signals, outlook)
    }

    /// Empty where nobody asks for it.
    fn outlook(&self, asked: &Asked, place: Option<Place>) -> Outlook {
        let Choice::Strategy { route, strategy } = &asked.policy.choice else {
            let held = place.and_then(|place| self.conversations.held(&place, asked.now));
            return Outlook { held, ..Outlook::default() };
        };
        if !matches!(**strategy, Strategy::Weighted(_) | Strategy::Fastest) {
            return Outlook::default();
        }
        let stream = asked.request.stream;
        let targets = strategy.pool(route);
        let seen = targets
            .iter()
            .map(|model| (model.label(), self.dispatcher.seen(model, stream, asked.now.mono)));
        Outlook {
            seed: seed(&asked.caller.tenant, &route.name, &asked.request, asked.draw),
            // Another draw than the cache's, which decides whether there is a miss at all.
            chance: asked.draw.map(|_| rand::random()),
            seen: seen.collect(),
            held: None,
        }
    }
}
