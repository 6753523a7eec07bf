//! In which order the targets of a plan are tried: within a tier by health, latency and price.
//! Pure, and the same for the same views. Tiers keep their places.

use super::health::{Standing, View};
use crate::price::Money;
use crate::route::Planned;

/// A target is slow when it takes this much longer than the quickest of its tier.
const MATERIALLY_SLOWER: f64 = 1.25;
/// Output tokens assumed where targets are compared by price.
const ASSUMED_OUTPUT: u64 = 200;

/// What of a request decides the order.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Streams are compared by time to first content, others by time to the whole answer.
    pub stream: bool,
    /// Estimate for the whole request.
    pub prompt_tokens: u64,
}

/// The order as indices into `targets`; `views` has one view per target.
///
/// Targets of one tier stand together. Among them those that may be called now come first, then
/// those that are not materially slower than the quickest, then the cheaper; the given order
/// decides the rest. A target outside the tiers is a group of its own.
pub fn order_targets(targets: &[Planned], views: &[View], wanted: Wanted) -> Vec<usize> {
    let mut order = Vec::with_capacity(targets.len());
    let mut start = 0;
    while start < targets.len() {
        let mut end = start + 1;
        while end < targets.len()
            && targets[end].tier.is_some()
            && targets[end].tier == targets[start].tier
        {
            end += 1;
        }
        let quickest = (start..end)
            .filter(|index| views[*index].standing == Standing::Ready)
            .filter_map(|index| latency(&views[index], wanted))
            .fold(f64::INFINITY, f64::min);
        let mut group: Vec<usize> = (start..end).collect();
        group.sort_by_key(|index| {
            let view = &views[*index];
            let slow = latency(view, wanted).is_some_and(|ms| ms > quickest * MATERIALLY_SLOWER);
            (view.standing != Standing::Ready, slow, price(&targets[*index], wanted), *index)
        });
        order.extend(group);
        start = end;
    }
    order
}

fn latency(view: &View, wanted: Wanted) -> Option<f64> {
    if wanted.stream { view.first_content_ms } else { view.answer_ms }
}

/// What the request would cost there; an unknown price counts as the dearest.
fn price(target: &Planned, wanted: Wanted) -> Money {
    target.model.price.map_or(Money::from_pico(i128::MAX), |price| {
        price.of_tokens(wanted.prompt_tokens, ASSUMED_OUTPUT)
    })
}
