//! Whole hosts on loopback sockets, through the public API.

mod broadcast;
mod finding;
mod fleet;
mod hostile;
mod log;
mod request;
mod rogue;
mod rotation;
mod shunning;
mod strangers;
