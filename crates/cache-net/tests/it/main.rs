//! Whole hosts on loopback sockets, through the public API.

mod broadcast;
mod finding;
mod fleet;
mod log;
mod request;
mod rotation;
mod strangers;
