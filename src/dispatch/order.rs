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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::outcome::BenchReason;
    use crate::dispatch::tests::fixtures::{TIMEOUTS, model, planned, provider};
    use std::time::Duration;

    const STREAM: Wanted = Wanted { stream: true, prompt_tokens: 100 };
    const WELL: View = View::UNKNOWN;

    /// Targets as (tier, price); an empty tier is none.
    fn plan(spec: &[(&str, i64)]) -> Vec<Planned> {
        let provider = provider("p", "http://localhost/v1".into(), &[], TIMEOUTS);
        spec.iter()
            .enumerate()
            .map(|(place, (tier, rate))| {
                let tier = (!tier.is_empty()).then_some(*tier);
                planned(&model(&provider, &format!("m{place}"), *rate), tier)
            })
            .collect()
    }

    fn resting() -> View {
        let wait = Duration::from_secs(1);
        View { standing: Standing::Benched { wait, why: BenchReason::RateLimit }, ..WELL }
    }

    fn takes(ms: f64) -> View {
        View { first_content_ms: Some(ms), ..WELL }
    }

    #[test]
    fn tiers_keep_their_places() {
        let targets = plan(&[("small", 9), ("small", 1), ("big", 5), ("big", 4)]);
        assert_eq!(order_targets(&targets, &[WELL; 4], STREAM), [1, 0, 3, 2]);
        let views = [resting(), resting(), takes(1.0), takes(1.0)];
        assert_eq!(order_targets(&targets, &views, STREAM), [1, 0, 3, 2], "not even for health");
    }

    #[test]
    fn health_then_latency_then_price_then_place() {
        let targets = plan(&[("t", 1), ("t", 2), ("t", 3), ("t", 3)]);
        assert_eq!(order_targets(&targets, &[WELL; 4], STREAM), [0, 1, 2, 3]);
        let views = [resting(), takes(900.0), takes(100.0), WELL];
        assert_eq!(order_targets(&targets, &views, STREAM), [2, 3, 1, 0]);
        let open = View { standing: Standing::Open { wait: Duration::ZERO }, ..takes(1.0) };
        assert_eq!(order_targets(&targets, &[open, WELL, WELL, WELL], STREAM), [1, 2, 3, 0]);
    }

    #[test]
    fn only_a_material_difference_counts() {
        let targets = plan(&[("t", 1), ("t", 2)]);
        assert_eq!(order_targets(&targets, &[takes(125.0), takes(100.0)], STREAM), [0, 1]);
        assert_eq!(order_targets(&targets, &[takes(126.0), takes(100.0)], STREAM), [1, 0]);
        let whole = Wanted { stream: false, ..STREAM };
        let views = [takes(900.0), takes(100.0)];
        assert_eq!(order_targets(&targets, &views, whole), [0, 1], "of the same kind of request");
        let quick_but_resting = View { standing: resting().standing, ..takes(1.0) };
        let views = [takes(900.0), quick_but_resting];
        assert_eq!(order_targets(&targets, &views, STREAM), [0, 1]);
    }

    #[test]
    fn targets_outside_the_tiers_stay() {
        let targets = plan(&[("", 9), ("", 1), ("t", 1), ("", 0)]);
        let views = [resting(), WELL, WELL, WELL];
        assert_eq!(order_targets(&targets, &views, STREAM), [0, 1, 2, 3]);
    }

    #[test]
    fn an_unknown_price_counts_as_the_dearest() {
        let mut targets = plan(&[("t", 1), ("t", 2)]);
        let mut unknown = (*targets[0].model).clone();
        unknown.price = None;
        targets[0].model = unknown.into();
        assert_eq!(order_targets(&targets, &[WELL; 2], STREAM), [1, 0]);
    }

    proptest::proptest! {
        #[test]
        fn every_target_stays_in_the_plan_once(
            spec in proptest::collection::vec((0u8..3, 1i64..4, 0u8..2, 0f64..500.0), 0..12)
        ) {
            let names = ["", "small", "big"];
            let tiers: Vec<(&str, i64)> =
                spec.iter().map(|(tier, rate, ..)| (names[*tier as usize], *rate)).collect();
            let views: Vec<View> = spec
                .iter()
                .map(|(_, _, rests, ms)| if *rests == 1 { resting() } else { takes(*ms) })
                .collect();
            let targets = plan(&tiers);
            let order = order_targets(&targets, &views, STREAM);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            proptest::prop_assert_eq!(sorted, (0..targets.len()).collect::<Vec<_>>());
            for (place, index) in order.iter().enumerate() {
                proptest::prop_assert_eq!(&targets[place].tier, &targets[*index].tier);
            }
            proptest::prop_assert_eq!(order_targets(&targets, &views, STREAM), order);
        }
    }
}
