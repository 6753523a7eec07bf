//! Pipeline tests: the real router, in process, against a scripted upstream. One binary, because
//! each further one would link everything again.

mod accounting;
mod admin;
mod cache;
mod cli;
mod contract;
mod errors;
mod failover;
mod flight;
mod home;
mod passthrough;
mod routing;
mod serve;
mod streams;
mod support;
