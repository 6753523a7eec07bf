//! semgate: a self-hosted LLM gateway that answers from memory when it safely can, asks the
//! cheapest model that is good enough otherwise, and shows what it did and why.
//!
//! The life of a request stands in [`gateway`]; every other module is one of its steps, in the
//! order of the line. `ARCHITECTURE.md` draws both.

pub mod access;
pub mod cache;
pub mod cli;
pub mod config;
pub mod dialect;
pub mod dispatch;
pub mod embed;
pub mod error;
pub mod gateway;
pub mod guard;
pub mod http;
pub mod index;
pub mod jobs;
pub mod judge;
pub mod now;
pub mod policy;
pub mod price;
pub mod record;
pub mod replay;
pub mod route;
