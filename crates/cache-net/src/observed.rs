//! Where we are seen from outside.
//!
//! One peer may be wrong about it, or lie. What two say independently is told to the others as an
//! address of ours: the one behind a NAT whose port is forwarded, or the public one of a machine
//! that knows only its private one.

use std::collections::HashMap;
use std::net::IpAddr;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

#[cfg(test)]
mod tests;

/// So many have to agree.
const QUORUM: usize = 2;

/// Possible addresses that are kept until they are confirmed; further ones are left out.
const MOST_CANDIDATES: usize = 16;

/// What connected peers say about us.
#[derive(Default)]
pub(crate) struct Observed {
    /// From where each sees us come. Bounded by the connections.
    seen: HashMap<PeerId, IpAddr>,
    /// What libp2p makes of it, with the port that we listen on.
    candidates: Vec<Multiaddr>,
    confirmed: Vec<Multiaddr>,
}

impl Observed {
    /// A peer says that it sees us there.
    pub(crate) fn by(&mut self, peer: PeerId, address: &Multiaddr) {
        if let Some(ip) = ip(address) {
            self.seen.insert(peer, ip);
        }
    }

    /// libp2p thinks that we may be reached there.
    pub(crate) fn candidate(&mut self, address: Multiaddr) {
        if self.candidates.len() < MOST_CANDIDATES && !self.candidates.contains(&address) {
            self.candidates.push(address);
        }
    }

    /// A peer is gone, and with it what it says.
    pub(crate) fn lost(&mut self, peer: &PeerId) {
        self.seen.remove(peer);
    }

    /// What is newly agreed upon and has not been: not what we listen on anyway.
    pub(crate) fn agreed(&mut self, listening: &[Multiaddr]) -> Vec<Multiaddr> {
        let seen = &self.seen;
        let agreed = |address: &Multiaddr| {
            let ip = ip(address);
            ip.is_some() && seen.values().filter(|seen| Some(**seen) == ip).count() >= QUORUM
        };
        let new: Vec<_> = self
            .candidates
            .iter()
            .filter(|one| agreed(one) && !listening.contains(one) && !self.confirmed.contains(one))
            .cloned()
            .collect();
        self.confirmed.extend(new.iter().cloned());
        new
    }
}

fn ip(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}
