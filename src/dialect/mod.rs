//! Wire formats, pure: bytes in, typed values out, and back. Nothing here opens a socket or reads a
//! clock. A *dialect* is a format (code); a *provider* is an endpoint with keys and prices (config).

pub mod openai;

use serde::{Deserialize, Serialize};

/// Tokens of one answer, as the provider counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// Part of `prompt_tokens` that the provider read from its prompt cache.
    pub cached_tokens: u64,
    /// Part of `completion_tokens` spent on reasoning.
    pub reasoning_tokens: u64,
    /// Counted by us, because the provider did not say.
    pub estimated: bool,
}
