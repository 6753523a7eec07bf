//! A whole answer: what admission, accounting and the record need to know of it.

use crate::dialect::Usage;

/// Facts of a `chat.completion` object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completion {
    pub model: Option<String>,
    pub usage: Option<Usage>,
    pub choices: usize,
    /// Of the first choice.
    pub finish_reason: Option<String>,
    /// The first choice has text (not only white space is still text; empty or null is not).
    pub has_content: bool,
    pub has_tool_calls: bool,
    pub has_refusal: bool,
    /// Characters of content, reasoning and tool arguments: for an estimate where usage is absent.
    pub output_chars: usize,
}
