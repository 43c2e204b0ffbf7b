//! Why a node could not start.

use std::io;

use libp2p::Multiaddr;

/// Why [`P2p::start`](crate::P2p::start) gave up, and what would help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Listen on another address.
    #[error(
        "cannot listen on {address}: {source}; give an address of this machine and a free port"
    )]
    Listen {
        /// As it was configured.
        address: Multiaddr,
        /// What the system said.
        source: io::Error,
    },
    /// Listen on another port, or on port 0.
    #[error(
        "cannot listen on {address}: the port and the {tried} after it are in use; \
         give another one, or 0 for any"
    )]
    PortsInUse {
        /// As it was configured.
        address: Multiaddr,
        /// How many ports after the configured one were tried.
        tried: u16,
    },
    /// Write the address differently.
    #[error("cannot listen on {0}; write it as /ip4/0.0.0.0/tcp/4001 or /ip6/::/tcp/4001")]
    ListenAddress(Multiaddr),
    /// Write the address differently.
    #[error(
        "cannot dial {0}; write a bootstrap peer as /ip4/192.0.2.1/tcp/4001 or \
         /dns4/runner.example/tcp/4001, with or without /p2p/ and its peer id"
    )]
    BootstrapAddress(Multiaddr),
    /// Give the machine a network interface, or listen on one address only.
    #[error("listening, but no network interface has an address")]
    NoInterface,
    /// Allow longer or shorter frames.
    #[error("gossip is not possible with these limits: {0}")]
    Gossip(String),
    /// Use another identity.
    #[error("the identity's key cannot be used for Noise: {0}")]
    Noise(#[from] libp2p::noise::Error),
}
