//! How peers are found, and what came of each way.

use std::fmt;

use cache_core::PeerId;
use libp2p::Multiaddr;

/// How we came by a peer that is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Source {
    /// It was configured.
    Bootstrap,
    /// It was known when this node last stopped.
    Known,
    /// It was heard of on the local network.
    Mdns,
    /// Another peer has told of it.
    Kademlia,
    /// It came to us.
    Inbound,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bootstrap => "bootstrap",
            Self::Known => "known",
            Self::Mdns => "mdns",
            Self::Kademlia => "kademlia",
            Self::Inbound => "inbound",
        })
    }
}

/// What came of each way in which peers are found, for people who wonder why there are none.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Discovery {
    /// What was configured, in the order of the addresses.
    pub bootstrap: Vec<BootstrapReport>,
    /// Whether peers are looked for on the local network.
    pub mdns: MdnsState,
    /// What each of the other sources has brought.
    pub found: Vec<Found>,
    /// Addresses of our own that the others are told, beside those that we listen on.
    pub external: Vec<Multiaddr>,
}

/// What became of one configured address.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BootstrapReport {
    /// As it was configured.
    pub address: Multiaddr,
    /// Where it was a name: why that was not resolved, as of the last try.
    pub unresolved: Option<String>,
    /// The addresses that it stands for, itself where it is no name.
    pub targets: Vec<TargetReport>,
}

/// What became of one address that was dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetReport {
    /// Where.
    pub address: Multiaddr,
    /// How it stands.
    pub state: TargetState,
}

/// How it stands with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetState {
    /// This peer is connected.
    Connected(PeerId),
    /// It is being dialled, or was not needed yet.
    Trying,
    /// It was dialled, and will be again.
    Failed {
        /// What went wrong last.
        why: String,
        /// How often in a row.
        times: u32,
    },
    /// It is our own.
    Ourselves,
}

/// What one source has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Which.
    pub source: Source,
    /// Peers that we have heard of in this way and remember.
    pub peers: usize,
    /// Of those, the ones that are connected.
    pub connected: usize,
    /// Of those, the ones that were dialled in vain the last time.
    pub failing: usize,
}

/// Whether peers are looked for on the local network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MdnsState {
    /// It is not asked for.
    #[default]
    Off,
    /// It is on.
    Searching,
    /// It was asked for and is not possible here, for this reason.
    Failed(String),
}
