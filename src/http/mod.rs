//! The edge towards clients: listeners, routes, bodies, errors as responses. Two planes on two
//! listeners; nothing administrative is reachable on the data plane.

pub mod admin;
pub mod body;
pub mod data;
pub mod error;
pub mod health;
pub mod hosts;
pub mod server;
