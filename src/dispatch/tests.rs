//! The dispatcher over real sockets: a scripted upstream on raw TCP, which can lie as real ones do.

mod failover;
pub(crate) mod fixtures;
mod limits;
mod streams;
pub(crate) mod upstream;
