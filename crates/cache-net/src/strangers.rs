//! Who has come to us without being one of us, so that each is told of once.

use std::collections::HashSet;
use std::hash::Hash;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use crate::behaviour::PROTOCOL_VERSION;
use crate::trouble::Trouble;

/// Of so many a line is written; further ones are not worth more lines.
const MOST: usize = 256;

/// Those who were told of.
#[derive(Default)]
pub(crate) struct Strangers {
    hosts: HashSet<Multiaddr>,
    peers: HashSet<PeerId>,
}

impl Strangers {
    /// Tells of a host whose handshake does not fit ours.
    pub(crate) fn refused(&mut self, from: &Multiaddr) {
        // Each attempt comes from another port.
        let host: Multiaddr = from
            .iter()
            .take_while(|part| !matches!(part, Protocol::Tcp(_)))
            .collect();
        if is_new(&mut self.hosts, host.clone()) {
            tracing::warn!("refused a connection from {host}: {}", Trouble::OtherSecret);
        }
    }

    /// Tells of a member that speaks another version than we do.
    pub(crate) fn identified(&mut self, peer: PeerId, version: &str) {
        if version != PROTOCOL_VERSION && is_new(&mut self.peers, peer) {
            // Debug, because the text is the peer's and may hold anything.
            tracing::warn!(
                "peer {peer} speaks {version:?}, we speak {PROTOCOL_VERSION:?}: \
                 upgrade the older of the two"
            );
        }
    }
}

fn is_new<T: Eq + Hash>(told: &mut HashSet<T>, one: T) -> bool {
    told.len() < MOST && told.insert(one)
}
