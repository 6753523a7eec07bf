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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const MINUTE: Duration = Duration::from_secs(60);

    fn calm() -> Situation {
        Situation {
            attempts_left: 2,
            remaining: MINUTE,
            fresh: None,
            again: None,
            thaw: None,
            pauses: 0,
            waited: Duration::ZERO,
            chance: 0.5,
        }
    }

    fn status(status: u16) -> Failure {
        Failure::Status { status, wait: None }
    }

    fn limited() -> Failure {
        Failure::RateLimited { wait: None }
    }

    fn refused() -> Failure {
        let content_type = "application/json".into();
        Failure::Refused { status: 400, body: Bytes::from_static(b"{}"), content_type }
    }

    fn every_retryable() -> Vec<Failure> {
        vec![
            Failure::Credential { status: 401 },
            Failure::Quota { status: 402 },
            limited(),
            status(503),
            Failure::Connect,
            Failure::Reset,
            Failure::FirstContent,
            Failure::Malformed,
            Failure::Cut,
            Failure::ErrorAnswer,
        ]
    }

    #[test]
    fn the_next_target_comes_first_and_at_once() {
        let all = Situation { fresh: Some(2), again: Some(0), thaw: Some((1, MINUTE)), ..calm() };
        assert_eq!(next_step(None, &all), NextStep::FailOver { target: 2 });
        for failure in every_retryable() {
            assert_eq!(next_step(Some(&failure), &all), NextStep::FailOver { target: 2 });
        }
    }

    #[test]
    fn verdicts_and_limits_end_it() {
        let hopeful = Situation { fresh: Some(1), again: Some(0), ..calm() };
        let give_up =
            |failure: &Failure, situation: &Situation| match next_step(Some(failure), situation) {
                NextStep::GiveUp(why) => why,
                other => panic!("{other:?}"),
            };
        assert_eq!(give_up(&refused(), &hopeful), GiveUp::Verdict);
        for ours in [true, false] {
            assert_eq!(give_up(&Failure::Deadline { ours }, &hopeful), GiveUp::Deadline);
        }
        for failure in every_retryable() {
            let spent = Situation { attempts_left: 0, ..hopeful };
            assert_eq!(give_up(&failure, &spent), GiveUp::AttemptsSpent);
            let late = Situation { remaining: Duration::ZERO, ..hopeful };
            assert_eq!(give_up(&failure, &late), GiveUp::Deadline);
            assert_eq!(give_up(&failure, &calm()), GiveUp::NothingLeft);
        }
    }

    #[test]
    fn at_the_start_nothing_is_waited_for() {
        let resting = Situation { thaw: Some((0, Duration::from_millis(1))), ..calm() };
        assert_eq!(next_step(None, &resting), NextStep::GiveUp(GiveUp::NothingLeft));
        let late = Situation { fresh: Some(0), remaining: Duration::ZERO, ..calm() };
        assert_eq!(next_step(None, &late), NextStep::GiveUp(GiveUp::Deadline));
    }

    #[test]
    fn the_same_target_last_after_a_random_pause() {
        let again = Situation { again: Some(0), ..calm() };
        let after =
            |situation: &Situation, failure: &Failure| match next_step(Some(failure), situation) {
                NextStep::RetrySame { target: 0, after } => Some(after.as_millis()),
                _ => None,
            };
        assert_eq!(after(&again, &status(503)), Some(50));
        assert_eq!(after(&Situation { pauses: 1, ..again }, &status(503)), Some(100));
        assert_eq!(after(&Situation { pauses: 30, ..again }, &status(503)), Some(500));
        assert_eq!(after(&Situation { chance: 0.0, ..again }, &status(503)), Some(0));
        let told = |ms| Failure::Status { status: 503, wait: Some(Duration::from_millis(ms)) };
        assert_eq!(after(&again, &told(700)), Some(700), "an upstream's own wait is heeded");
        assert_eq!(after(&again, &told(2_001)), None, "but not beyond two seconds");
        let nearly = Situation { remaining: Duration::from_millis(50), ..again };
        assert_eq!(after(&nearly, &status(503)), None, "the deadline comes first");
    }

    #[test]
    fn all_waits_of_a_request_together_stay_within_two_seconds() {
        let rest = |ms, waited| Situation {
            thaw: Some((1, Duration::from_millis(ms))),
            waited: Duration::from_millis(waited),
            chance: 0.0,
            ..calm()
        };
        let wait = Duration::from_millis(2_000);
        assert_eq!(
            next_step(Some(&limited()), &rest(2_000, 0)),
            NextStep::RetrySame { target: 1, after: wait }
        );
        let give_up = NextStep::GiveUp(GiveUp::NothingLeft);
        assert_eq!(next_step(Some(&limited()), &rest(2_001, 0)), give_up);
        assert_eq!(next_step(Some(&limited()), &rest(1_500, 501)), give_up);
    }

    fn names(failures: Vec<Failure>) -> Vec<(String, Failure)> {
        failures.into_iter().map(|failure| ("p/m".to_owned(), failure)).collect()
    }

    fn benched(why: BenchReason, seconds: u64) -> Skipped {
        ("p/s".into(), Standing::Benched { wait: Duration::from_secs(seconds), why })
    }

    fn outcome(failures: Vec<Failure>, skipped: &[Skipped]) -> &'static str {
        verdict(GiveUp::NothingLeft, &names(failures), skipped, MINUTE).outcome()
    }

    #[test]
    fn the_error_follows_from_all_attempts() {
        use BenchReason::{Credential, Quota, RateLimit};
        let auth = || Failure::Credential { status: 403 };
        let open = ("p/o".to_owned(), Standing::Open { wait: MINUTE });
        let cases: Vec<(Vec<Failure>, Vec<Skipped>, &str)> = vec![
            (vec![limited(), limited()], vec![], "rate_limit_exceeded"),
            (vec![limited(), Failure::Quota { status: 429 }], vec![], "rate_limit_exceeded"),
            (vec![Failure::Quota { status: 402 }], vec![], "upstream_failed"),
            (vec![limited(), status(503)], vec![], "upstream_failed"),
            (vec![status(503), limited()], vec![], "upstream_failed"),
            (vec![auth(), auth()], vec![benched(Credential, 600)], "provider_auth"),
            (vec![auth()], vec![benched(RateLimit, 3)], "upstream_failed"),
            (vec![auth(), limited()], vec![], "upstream_failed"),
            (vec![], vec![benched(Credential, 600)], "provider_auth"),
            (vec![], vec![benched(Credential, 600), benched(Quota, 9)], "rate_limit_exceeded"),
            (vec![], vec![benched(RateLimit, 3), open.clone()], "rate_limit_exceeded"),
            (vec![], vec![open], "upstream_failed"),
            (vec![], vec![], "upstream_failed"),
            (vec![status(503), refused()], vec![], "refused"),
        ];
        for (failures, skipped, expected) in cases {
            assert_eq!(outcome(failures.clone(), &skipped), expected, "{failures:?} {skipped:?}");
        }
    }

    #[test]
    fn a_429_says_when_the_first_target_returns() {
        let skipped = [benched(BenchReason::RateLimit, 40), benched(BenchReason::Quota, 20)];
        let error = verdict(GiveUp::NothingLeft, &names(vec![limited()]), &skipped, MINUTE);
        let GatewayError::RateLimited { retry_after } = error else { panic!("{error:?}") };
        assert_eq!(retry_after, Duration::from_secs(20));
    }

    #[test]
    fn running_out_of_time_is_a_timeout_unless_an_attempt_had_failed() {
        let timeout = |failures| verdict(GiveUp::Deadline, &names(failures), &[], MINUTE).outcome();
        assert_eq!(timeout(vec![]), "timeout");
        assert_eq!(timeout(vec![status(503), Failure::Deadline { ours: false }]), "timeout");
        assert_eq!(timeout(vec![status(503)]), "upstream_failed");
    }
}
