//! Whole hosts on loopback sockets, through the public API.

mod broadcast;
mod dns;
mod finding;
mod fleet;
mod gossip;
mod hostile;
mod log;
mod memory;
mod mesh;
mod names;
#[cfg(target_os = "linux")]
mod netns;
#[cfg(feature = "relay")]
mod relay;
mod request;
mod rogue;
mod rotation;
mod shunning;
mod staying;
mod strangers;
