//! `fastest`: by measured time, to the first content of a stream or to the whole answer.
//!
//! Whoever is first is measured by every request, the others by none, so now and then another must
//! be tried. A target that was never sent such a request is tried by the next one: that costs one
//! request for each. One that was not for [`STALE`] is tried by [`TRIED`] of the requests: under much
//! traffic that is one request in five minutes, and under little no more than that share, since there
//! an old figure is a better guess than none. A try that fails counts as one, so that a target in
//! trouble is not tried by every request.

use std::time::Duration;

use super::{Seen, Why};

/// Age at which a figure may have changed: a provider's speed changes with its load, in minutes.
const STALE: Duration = Duration::from_mins(5);
/// Share of requests that try another while there is one to be tried.
const TRIED: f64 = 0.02;

/// Those that are ready first, by their time; without one, after those that have. Equals stay in the
/// order of the file. With `chance`, uniform in [0, 1), one that is due comes first to be measured.
pub(super) fn order(seen: &[Seen], chance: Option<f64>) -> Vec<(usize, Why)> {
    let mut order: Vec<usize> = (0..seen.len()).collect();
    order.sort_by(|a, b| {
        let key = |place: usize| (!seen[place].ready, seen[place].ms.unwrap_or(f64::INFINITY));
        let (a, b) = (key(*a), key(*b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let due = chance.and_then(|chance| due(&order, seen, chance));
    order.sort_by_key(|place| Some(*place) != due);
    let why = |place: usize| match seen[place] {
        _ if Some(place) == due => Why::Tried,
        Seen { ready: false, .. } => Why::NotReady,
        Seen { ms: Some(ms), .. } => Why::Takes { ms },
        Seen { ms: None, .. } => Why::Unmeasured,
    };
    order.into_iter().map(|place| (place, why(place))).collect()
}

/// Whom to try: one never tried, else, by chance, the one that was not for longest. Alone there is
/// nothing to compare, and whoever is first is measured anyway.
fn due(order: &[usize], seen: &[Seen], chance: f64) -> Option<usize> {
    let ready: Vec<usize> = order.iter().copied().filter(|place| seen[*place].ready).collect();
    if ready.len() < 2 {
        return None;
    }
    let never = ready.iter().copied().filter(|place| seen[*place].tried.is_none()).min();
    let stale = || {
        let behind = ready[1..].iter().copied();
        let old = behind.filter(|place| seen[*place].tried.is_some_and(|ago| ago > STALE));
        old.max_by_key(|place| seen[*place].tried)
    };
    never.or_else(|| (chance < TRIED).then(stale).flatten())
}
