//! Whether an answer may be stored. Only a complete, successful answer that says something is worth
//! repeating; whether it answers another question is decided at the lookup.

use std::time::Duration;

use crate::config::settings::Cache;
use crate::dialect::openai::answer::Completion;

/// An answer that might be stored.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub answer: &'a Completion,
    /// Size of the entry: the answer as it would be stored, in bytes.
    pub bytes: usize,
    /// Status 200 and everything has arrived: the whole body, or the stream's terminator.
    pub complete: bool,
    /// The caller said `no-store`.
    pub no_store: bool,
    /// Time to live, by the class of the prompt and of the target that answered.
    pub ttl: Duration,
}

/// Why an answer is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The caller's `no-store`.
    NoStore,
    /// Its caller has already said that it is bad.
    Condemned,
    /// Time to live is zero.
    Volatile,
    /// Failed, cut, or a stream without its terminator.
    Incomplete,
    /// No choice, or more than one.
    Choices,
    /// The model declined.
    Declined,
    /// An answer with tool calls, without `cache.tool_calls`.
    ToolCalls,
    /// Truncated, filtered, or ended for a reason unknown to us.
    FinishReason,
    /// No text and no tool call.
    Empty,
    /// Larger than `cache.max_entry`.
    TooLarge,
}

impl Refusal {
    /// Stable short name, for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoStore => "no-store",
            Self::Condemned => "condemned",
            Self::Volatile => "volatile",
            Self::Incomplete => "incomplete",
            Self::Choices => "choices",
            Self::Declined => "declined",
            Self::ToolCalls => "tool-calls",
            Self::FinishReason => "finish-reason",
            Self::Empty => "empty",
            Self::TooLarge => "too-large",
        }
    }
}

/// Whether the answer may be stored, else why not.
///
/// # Errors
///
/// The first reason that speaks against it.
pub fn admit(candidate: &Candidate<'_>, settings: &Cache) -> Result<(), Refusal> {
    let answer = candidate.answer;
    // What makes an answer with tool calls is that it has them: providers also end these with `stop`.
    let calls = answer.has_tool_calls;
    let finished = match answer.finish_reason.as_deref() {
        Some("stop") => true,
        Some("tool_calls" | "function_call") => calls,
        _ => false,
    };
    let checks = [
        (candidate.no_store, Refusal::NoStore),
        (candidate.ttl.is_zero(), Refusal::Volatile),
        (!candidate.complete, Refusal::Incomplete),
        (answer.choices != 1, Refusal::Choices),
        (answer.has_refusal, Refusal::Declined),
        (calls && !settings.tool_calls, Refusal::ToolCalls),
        (!finished, Refusal::FinishReason),
        (!answer.has_content && !calls, Refusal::Empty),
        (candidate.bytes as u64 > settings.max_entry, Refusal::TooLarge),
    ];
    match checks.into_iter().find(|(refused, _)| *refused) {
        Some((_, reason)) => Err(reason),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::key::tests::cache_settings;

    fn answer() -> Completion {
        Completion {
            choices: 1,
            finish_reason: Some("stop".into()),
            has_content: true,
            ..Completion::default()
        }
    }

    fn decide(
        answer: &Completion,
        tool_calls: bool,
        change: impl Fn(&mut Candidate<'_>),
    ) -> Result<(), Refusal> {
        let mut settings = cache_settings();
        settings.tool_calls = tool_calls;
        settings.max_entry = 1000;
        let ttl = Duration::from_secs(1);
        let mut candidate = Candidate { answer, bytes: 1000, complete: true, no_store: false, ttl };
        change(&mut candidate);
        admit(&candidate, &settings)
    }

    fn finish(reason: &str) -> Completion {
        Completion { finish_reason: Some(reason.into()), ..answer() }
    }

    #[test]
    fn a_whole_ordinary_answer_is_stored() {
        assert_eq!(decide(&answer(), false, |_| {}), Ok(()));
    }

    #[test]
    fn every_other_outcome_is_refused_with_its_reason() {
        let call = Completion { has_tool_calls: true, has_content: false, ..finish("tool_calls") };
        for (answer, expected) in [
            (finish("length"), Refusal::FinishReason),
            (finish("content_filter"), Refusal::FinishReason),
            (finish("tool_calls"), Refusal::FinishReason),
            (finish("STOP"), Refusal::FinishReason),
            (finish(""), Refusal::FinishReason),
            (Completion { finish_reason: None, ..answer() }, Refusal::FinishReason),
            (Completion { choices: 0, ..answer() }, Refusal::Choices),
            (Completion { choices: 2, ..answer() }, Refusal::Choices),
            (Completion { has_content: false, ..answer() }, Refusal::Empty),
            (Completion { has_refusal: true, ..answer() }, Refusal::Declined),
            (Completion { has_tool_calls: true, ..answer() }, Refusal::ToolCalls),
            (call, Refusal::ToolCalls),
            (Completion::default(), Refusal::Choices),
        ] {
            assert_eq!(decide(&answer, false, |_| {}), Err(expected), "{answer:?}");
        }
    }

    #[test]
    fn circumstances_count_as_well() {
        let answer = answer();
        let decide = |change: fn(&mut Candidate<'_>)| decide(&answer, false, change);
        assert_eq!(decide(|c| c.complete = false), Err(Refusal::Incomplete));
        assert_eq!(decide(|c| c.no_store = true), Err(Refusal::NoStore));
        assert_eq!(decide(|c| c.ttl = Duration::ZERO), Err(Refusal::Volatile));
        assert_eq!(decide(|c| c.bytes = 1001), Err(Refusal::TooLarge));
    }

    #[test]
    fn tool_calls_are_stored_only_if_asked_and_never_cut() {
        for (reason, expected) in [
            ("tool_calls", Ok(())),
            ("stop", Ok(())),
            ("function_call", Ok(())),
            ("length", Err(Refusal::FinishReason)),
        ] {
            let answer = Completion { has_tool_calls: true, has_content: false, ..finish(reason) };
            assert_eq!(decide(&answer, true, |_| {}), expected, "{reason}");
        }
    }
}
