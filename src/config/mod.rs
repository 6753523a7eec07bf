//! The configuration: raw YAML in, validated [`Settings`] out, one way.
//!
//! The rest of the program sees `Settings` only. Whatever can be wrong with a file is found here,
//! with its place, before anything starts.

pub mod settings;

pub use settings::Settings;
