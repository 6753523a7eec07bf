//! What follows a failed attempt: another target, the same one again, or an error. Pure.
//!
//! The next target comes first and the same one last: whoever just failed is the least likely to
//! help. Only failures of the upstream are repeated; its verdict about the request is the answer.

use std::time::Duration;

use super::health::Standing;
use super::outcome::{BenchReason, Failure};
use crate::error::{AttemptNote, GatewayError};

/// A request waits for a resting target no longer than this, all its waits together.
pub const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// First ceiling of the random pause before a target is asked again; doubles with each pause.
const BACKOFF_BASE: Duration = Duration::from_millis(100);

/// What happens next, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// Call this target (by its place in the order) at once.
    FailOver {
        target: usize,
    },
    /// Nothing untried is left: call this one, which failed or rests, after a pause.
    RetrySame {
        target: usize,
        after: Duration,
    },
    GiveUp(GiveUp),
}

/// Why there is no further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUp {
    /// The upstream's verdict about the request.
    Verdict,
    /// `resilience.attempts` are used up.
    AttemptsSpent,
    /// The caller's time is up, or would be before the next attempt.
    Deadline,
    /// Every target failed, rests too long, or has no retry budget.
    NothingLeft,
}

/// What the decision needs to know.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Situation {
    /// Attempts that may still be made.
    pub attempts_left: usize,
    /// Time until the caller's deadline.
    pub remaining: Duration,
    /// First target in order that may be called and has not failed in this request. A target whose
    /// credential was refused or limited counts as not failed while it has another.
    pub fresh: Option<usize>,
    /// First target that failed in this request and may be called again.
    pub again: Option<usize>,
    /// The rate-limited target that returns first, and when.
    pub thaw: Option<(usize, Duration)>,
    /// Pauses this request has made, and their sum.
    pub pauses: u32,
    pub waited: Duration,
    /// Random number in [0, 1).
    pub chance: f64,
}

/// Decides what follows. `last` is the attempt that just failed; `None` at the start, when nothing
/// is waited for.
pub fn next_step(last: Option<&Failure>, now: &Situation) -> NextStep {
    if matches!(last, Some(Failure::Refused { .. })) {
        return NextStep::GiveUp(GiveUp::Verdict);
    }
    if now.remaining.is_zero() || matches!(last, Some(Failure::Deadline { .. })) {
        return NextStep::GiveUp(GiveUp::Deadline);
    }
    if now.attempts_left == 0 {
        return NextStep::GiveUp(GiveUp::AttemptsSpent);
    }
    if let Some(target) = now.fresh {
        return NextStep::FailOver { target };
    }
    let Some(last) = last else { return NextStep::GiveUp(GiveUp::NothingLeft) };
    let pause = backoff(now.pauses, now.chance);
    let (target, after) = match (now.again, now.thaw) {
        (Some(target), _) => (target, pause.max(last.wait().unwrap_or_default())),
        (None, Some((target, wait))) => (target, pause.max(wait)),
        (None, None) => return NextStep::GiveUp(GiveUp::NothingLeft),
    };
    if now.waited + after > LONGEST_WAIT {
        NextStep::GiveUp(GiveUp::NothingLeft)
    } else if after >= now.remaining {
        NextStep::GiveUp(GiveUp::Deadline)
    } else {
        NextStep::RetrySame { target, after }
    }
}

/// Full jitter: anything up to a ceiling that doubles with each pause.
fn backoff(pauses: u32, chance: f64) -> Duration {
    let ceiling = BACKOFF_BASE.saturating_mul(1 << pauses.min(4)).min(LONGEST_WAIT / 2);
    ceiling.mul_f64(chance.clamp(0.0, 1.0))
}

/// A target that was not called, and why.
pub type Skipped = (String, Standing);

/// The error that the caller gets. `failures` are the attempts of this request in order, `skipped`
/// the targets that cannot be called now; `total` is the caller's whole time.
pub fn verdict(
    why: GiveUp,
    failures: &[(String, Failure)],
    skipped: &[Skipped],
    total: Duration,
) -> GatewayError {
    if let Some((_, Failure::Refused { status, body, content_type })) = failures.last() {
        let (body, content_type) = (body.clone(), content_type.clone());
        return GatewayError::Refused { status: *status, body, content_type };
    }
    let timed_out = matches!(failures.last(), None | Some((_, Failure::Deadline { .. })));
    if why == GiveUp::Deadline && timed_out {
        return GatewayError::Timeout { after: total };
    }
    let refused = |standing: &Standing| {
        matches!(standing, Standing::Benched { why: BenchReason::Credential, .. })
    };
    let open = |standing: &Standing| matches!(standing, Standing::Open { .. });
    let limited = failures.iter().all(|(_, failure)| failure.status() == Some(429));
    let distrusted = failures.iter().all(|(_, f)| matches!(f, Failure::Credential { .. }));
    let nothing_known = failures.is_empty() && skipped.is_empty();
    if !nothing_known && distrusted && skipped.iter().all(|(_, standing)| refused(standing)) {
        GatewayError::ProviderAuth { attempts: notes(failures, skipped) }
    } else if limited && !(failures.is_empty() && skipped.iter().all(|(_, s)| open(s))) {
        GatewayError::RateLimited { retry_after: soonest(skipped) }
    } else {
        GatewayError::UpstreamFailed { attempts: notes(failures, skipped) }
    }
}

/// The attempts; where none was made, what keeps each target from being called.
fn notes(failures: &[(String, Failure)], skipped: &[Skipped]) -> Vec<AttemptNote> {
    if failures.is_empty() {
        let outcome = |standing: &Standing| match standing {
            Standing::Open { .. } => "circuit open after repeated failures",
            Standing::Benched { why: BenchReason::Credential, .. } => "credential refused",
            Standing::Benched { .. } => "cooling down",
            Standing::Ready => "not tried",
        };
        return skipped
            .iter()
            .map(|(target, standing)| AttemptNote {
                target: target.clone(),
                outcome: outcome(standing).into(),
            })
            .collect();
    }
    failures
        .iter()
        .map(|(target, failure)| AttemptNote { target: target.clone(), outcome: failure.note() })
        .collect()
}

/// When the first target returns; a second where nobody says.
fn soonest(skipped: &[Skipped]) -> Duration {
    skipped
        .iter()
        .filter_map(|(_, standing)| match standing {
            Standing::Benched { wait, .. } | Standing::Open { wait } => Some(*wait),
            Standing::Ready => None,
        })
        .min()
        .unwrap_or(Duration::from_secs(1))
}
