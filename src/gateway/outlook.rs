//! Plans as the line makes them: with what static strategies are told of the conversation and of how
//! targets fare.

use crate::error::GatewayError;
use crate::policy::Choice;
use crate::route::strategy::seed;
use crate::route::{Outlook, RouteDecision, Signals, Strategy, decide_within};

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
        let outlook = self.outlook(asked);
        decide_within(&asked.policy, &asked.request, &asked.settings, signals, &outlook)
    }

    /// Empty where nobody asks for it.
    fn outlook(&self, asked: &Asked) -> Outlook {
        let Choice::Strategy { route, strategy } = &asked.policy.choice else {
            return Outlook::default();
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
        }
    }
}
