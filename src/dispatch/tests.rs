//! The dispatcher over real sockets: a scripted upstream on raw TCP, which can lie as real ones do.

mod failover;
pub(super) mod fixtures;
mod limits;
mod streams;
mod upstream;
