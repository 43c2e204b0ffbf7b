//! What an address says, and how it is dialled.

use std::net::IpAddr;

use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId};

/// The peer that the address names with `/p2p/…` at its end.
pub(crate) fn named(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

/// The same address, of whoever is there.
pub(crate) fn unnamed(address: &Multiaddr) -> Multiaddr {
    let parts = address.iter();
    parts
        .filter(|part| !matches!(part, Protocol::P2p(_)))
        .collect()
}

/// The host that an address begins with, where it is no name.
pub(crate) fn ip(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

/// Whether the address is one that every host has for itself.
pub(crate) fn is_loopback(address: &Multiaddr) -> bool {
    ip(address).is_some_and(|ip| ip.is_loopback())
}

/// Whether the address is of use in its own network alone, and not from the internet.
pub(crate) fn is_private(address: &Multiaddr) -> bool {
    match ip(address) {
        Some(IpAddr::V4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        Some(IpAddr::V6(ip)) => {
            ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local()
        }
        None => false,
    }
}

/// Whether the address leads through a relay. Of who comes through one libp2p shows the name alone.
pub(crate) fn is_relayed(address: &Multiaddr) -> bool {
    matches!(address.iter().next(), Some(Protocol::P2p(_)))
        || address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// Whether a peer that says that it is here can be dialled by us: over TCP, and not at an address
/// that stands for all or none.
pub(crate) fn is_dialable(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified(),
        Some(Protocol::Ip6(ip)) => !ip.is_unspecified(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)) => true,
        _ => false,
    };
    host && matches!(parts.next(), Some(Protocol::Tcp(port)) if port != 0)
}

/// A dial of a peer at any of these addresses, unless there is a connection to it or another dial.
pub(crate) fn dial_peer(peer: PeerId, addresses: Vec<Multiaddr>, port: Port) -> DialOpts {
    let dial = DialOpts::peer_id(peer)
        .condition(PeerCondition::DisconnectedAndNotDialing)
        .addresses(addresses);
    match port {
        Port::New => dial.allocate_new_port().build(),
        Port::Listening => dial.build(),
    }
}

/// A dial of whoever is at this address.
pub(crate) fn dial_address(address: Multiaddr, port: Port) -> DialOpts {
    if let Some(peer) = named(&address) {
        return dial_peer(peer, vec![address], port);
    }
    let dial = DialOpts::unknown_peer_id().address(address);
    match port {
        Port::New => dial.allocate_new_port().build(),
        Port::Listening => dial.build(),
    }
}

/// The port that a connection is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// Any free one. With the port that we listen on, two peers that dial each other at once would
    /// meet half way: TCP's simultaneous open, with two diallers and nobody who listens.
    New,
    /// The one that we listen on, so that a router opens it for others, to whom a relay will
    /// introduce us.
    Listening,
}

impl Port {
    pub(crate) fn of(relay: bool) -> Self {
        if relay { Self::Listening } else { Self::New }
    }
}
