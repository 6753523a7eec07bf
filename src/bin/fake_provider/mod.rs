//! The fake provider, step by step: `http` reads a request from raw TCP, `behaviour` reads its model
//! name, `contract` checks its body, `answer` decides what to say, `script` decides which bytes go
//! out and when, `serve` performs the script, `journal` remembers.
//!
//! All but `http` and `serve` are pure, so a new way to misbehave is a knob and a list of steps.

mod answer;
mod behaviour;
mod contract;
mod http;
mod journal;
mod knowledge;
mod schema;
mod script;
mod serve;
mod stream;

pub use serve::{Options, serve};
