//! Text in, unit vector out. A worker thread owns the model; callers wait with a deadline.
//!
//! `files` knows which files the model is made of and `fetch` obtains them, `tokenise` and `minilm`
//! turn text into a vector, `worker` stands between them and the requests, `recent` lets equal texts
//! share a vector. What a vector is good
//! for, and whether a text may be compared by one, is the cache's and the router's business.

mod engine;
pub mod fetch;
pub mod files;
mod minilm;
mod queue;
mod recent;
#[cfg(test)]
mod tests;
mod tokenise;
mod worker;

use std::sync::Arc;

pub use worker::{Embedder, StartError};

/// Dimensions of all-MiniLM-L6-v2.
pub const DIMENSIONS: usize = 384;

/// A unit vector of [`DIMENSIONS`] components.
pub type Vector = Arc<[f32]>;

/// What the model made of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    pub vector: Vector,
    /// Tokens the vector was made from, special tokens included; at most `embedder.max_tokens`.
    pub tokens: usize,
    /// The text is longer than the window and only its head was read: good enough to route by,
    /// not to serve a stored answer by.
    pub truncated: bool,
}

/// Why there is no vector. Each is a bypass of the semantic level, never a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmbedError {
    /// The queue is full.
    Queue,
    /// Later than `embedder.timeout`.
    Timeout,
    /// The model failed, or gave a vector that is not finite or not of unit length.
    Fault,
}
