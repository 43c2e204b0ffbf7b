//! Where we are seen from outside.
//!
//! One peer may be wrong about it, or lie. What two say independently is told to the others as an
//! address of ours, for as long as they say so: the one behind a NAT whose port is forwarded, or
//! the public one of a machine that knows only its private one.

use std::collections::HashMap;
use std::net::IpAddr;

use libp2p::{Multiaddr, PeerId};

use crate::address::ip;

#[cfg(test)]
mod tests;

/// So many have to agree.
const QUORUM: usize = 2;

/// Possible addresses that are kept. One more takes the place of the oldest that is not agreed
/// upon, so that a peer that says ever another one keeps none out for long: the others say theirs
/// again.
const MOST_CANDIDATES: usize = 16;

/// What connected peers say about us.
#[derive(Default)]
pub(crate) struct Observed {
    /// From where each sees us come. Bounded by the connections.
    seen: HashMap<PeerId, IpAddr>,
    /// What libp2p makes of it, with the port that we listen on; the oldest first.
    candidates: Vec<Multiaddr>,
    told: Vec<Multiaddr>,
}

/// What the others are to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Addresses of ours that they do not know.
    pub(crate) new: Vec<Multiaddr>,
    /// Addresses that are ours no more.
    pub(crate) withdrawn: Vec<Multiaddr>,
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
        if self.candidates.contains(&address) {
            return;
        }
        if self.candidates.len() >= MOST_CANDIDATES {
            let doubtful = self.candidates.iter().position(|one| !self.is_agreed(one));
            let Some(doubtful) = doubtful else { return };
            self.candidates.remove(doubtful);
        }
        self.candidates.push(address);
    }

    /// A peer is gone, and with it what it says.
    pub(crate) fn lost(&mut self, peer: &PeerId) {
        let Some(ip) = self.seen.remove(peer) else {
            return;
        };
        if !self.seen.values().any(|seen| *seen == ip) {
            self.candidates
                .retain(|one| crate::address::ip(one) != Some(ip));
        }
    }

    /// What has changed since the last time: not what we listen on anyway.
    pub(crate) fn changed(&mut self, listening: &[Multiaddr]) -> Change {
        let is_told = |one: &&Multiaddr| self.is_agreed(one) && !listening.contains(one);
        let agreed: Vec<_> = self.candidates.iter().filter(is_told).cloned().collect();
        let change = Change {
            new: without(&agreed, &self.told),
            withdrawn: without(&self.told, &agreed),
        };
        self.told = agreed;
        change
    }

    fn is_agreed(&self, address: &Multiaddr) -> bool {
        let ip = ip(address);
        let seen = self.seen.values().filter(|seen| Some(**seen) == ip);
        seen.count() >= QUORUM
    }
}

fn without(all: &[Multiaddr], others: &[Multiaddr]) -> Vec<Multiaddr> {
    all.iter()
        .filter(|one| !others.contains(one))
        .cloned()
        .collect()
}
