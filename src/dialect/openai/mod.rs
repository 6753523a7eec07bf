//! The OpenAI chat dialect: `request` reads and edits what a caller sends, `answer` reads a whole
//! answer, `stream` reads an answer in events, `render` writes a stored answer in either form.

pub mod answer;
pub mod request;
pub mod stream;

pub use request::ChatRequest;
