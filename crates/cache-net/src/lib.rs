//! A [`Transport`](cache_core::Transport) over libp2p: it finds the peers of a fleet and moves
//! opaque frames between them.
//!
//! [`P2p`] finds the members of a fleet by the few that it was told of, keeps connections to some or
//! all of them, asks and answers them, and knows nothing of what is in a frame. Whoever does not hold
//! the fleet's [`Membership`] fails Noise's handshake, before any code of ours runs.
//!
//! ```no_run
//! use bytes::Bytes;
//! use cache_core::Transport;
//! use cache_net::{Config, Membership, P2p};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::new(Membership::new([7; 32]));
//! config.listen.push("/ip4/0.0.0.0/tcp/4001".parse()?);
//! config.bootstrap.push("/dns4/runner-1.internal/tcp/4001".parse()?);
//!
//! let transport = P2p::start(config).await?;
//! let delivery = transport.broadcast(Bytes::from_static(b"to whom it may concern")).await?;
//! println!("{} of the peers have it", delivery.acked.len());
//! transport.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! One task owns libp2p's swarm and does nothing but bookkeeping; everybody else speaks to it over
//! a bounded channel, and reads who is connected from a table. Frames do not pass it: they go from
//! who sends them straight to a stream of the connection, and from there to who accepts them. A
//! peer that is slow or silent costs those who wait for it their deadline, and nobody else
//! anything. Broadcasts wait for it only once: until it is heard again they pass it over.
//!
//! Which ways there are to find peers, how frames travel in small and large fleets, and who can do
//! what harm: the [README](https://github.com/ghmesh/ghmesh/blob/main/crates/cache-net/README.md).

mod acquaintances;
mod address;
mod behaviour;
mod bootstrap;
mod config;
mod error;
mod frames;
mod gossip;
mod half_open;
mod handshake;
mod identity;
mod inbound;
mod intake;
mod listen;
mod membership;
mod metrics;
mod names;
mod observed;
mod p2p;
mod prompt_close;
mod rates;
mod redial;
#[cfg(feature = "relay")]
mod relay;
#[cfg(not(feature = "relay"))]
#[path = "no_relay.rs"]
mod relay;
mod reservations;
mod roster;
mod shunned;
mod slots;
mod source;
mod spared;
mod strangers;
mod suspicion;
mod swarm_task;
mod trouble;
mod walk;

pub use config::{Config, Limits, Redial};
pub use error::StartError;
pub use identity::{Identity, IdentityError};
/// libp2p's notation of addresses, for [`Config`].
pub use libp2p::Multiaddr;
pub use libp2p::multiaddr::Protocol;
pub use membership::Membership;
pub use metrics::{
    Bytes, Connections, Deliveries, Dials, GossipCounts, Latency, Metrics, Refusals,
    RequestOutcomes,
};
pub use p2p::P2p;
pub use source::{BootstrapReport, Discovery, Found, MdnsState, Source, TargetReport, TargetState};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
