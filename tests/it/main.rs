//! Pipeline tests: the real router, in process, against a scripted upstream. One binary, because
//! each further one would link everything again.

mod abnormal;
mod accounting;
mod admin;
mod cache;
mod cli;
mod contract;
mod entries;
mod errors;
mod failover;
mod false_hits;
mod feedback;
mod flight;
mod home;
mod judge;
mod learning;
mod metrics;
mod mutation;
mod passthrough;
mod persistence;
mod router_eval;
mod routing;
mod serve;
mod served;
mod stale;
mod strategies;
mod streams;
mod support;
