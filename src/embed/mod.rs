//! Text in, unit vector out. A worker thread owns the model; callers wait with a deadline.

use std::sync::Arc;

/// Dimensions of all-MiniLM-L6-v2.
pub const DIMENSIONS: usize = 384;

/// A unit vector of [`DIMENSIONS`] components.
pub type Vector = Arc<[f32]>;

/// Why there is no vector. Each is a bypass of the semantic level, never a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmbedError {
    /// More tokens than the window.
    Window,
    /// The queue is full.
    Queue,
    /// Later than `embedder.timeout`.
    Timeout,
    /// The model failed, or gave a vector that is not finite or not of unit length.
    Fault,
}
