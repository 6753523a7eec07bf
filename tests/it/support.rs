//! A gateway on a free port and an upstream that answers from a script.
//!
//! [`TestGateway::finish`] ends each test: one record per request, no request of the script left
//! over, nothing unexpected asked of the upstream.

mod answer;
mod gateway;
mod upstream;

use serde_json::{Value, json};

pub use answer::Answer;
pub use gateway::{ADMIN_TOKEN, CONFIG, TestGateway};
pub use upstream::{Act, End, Gate, Upstream, completion, stream_of};

pub fn chat(model: &str, prompt: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": prompt}]})
}

pub fn chat_stream(model: &str, prompt: &str) -> Value {
    let mut body = chat(model, prompt);
    body["stream"] = true.into();
    body
}
