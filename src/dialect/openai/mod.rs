//! The OpenAI chat dialect: `request` reads and edits what a caller sends, `answer` reads a whole
//! answer, `stream` reads an answer in events, `fold` joins the events to a whole answer, `render`
//! writes a stored answer in either form.

pub mod answer;
mod check;
#[cfg(test)]
mod conformance;
pub mod fold;
#[cfg(test)]
mod golden;
mod lenient;
pub mod render;
pub mod request;
mod spans;
pub mod stream;
mod strict;
mod tokens;
mod usage;

pub use answer::{Completion, Malformed};
pub use fold::Accumulator;
pub use request::{ChatRequest, Edits};
pub use stream::{ChunkFacts, EventKind, StreamEvent, StreamFault, StreamReader, forward};
pub use strict::{MAX_DEPTH, object as strict_object};
pub use tokens::estimate_tokens;
pub use usage::{estimate_usage, read_usage};
