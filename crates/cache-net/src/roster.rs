//! Who is connected, and who of them does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cache_core::{Direction, PeerId, PeerInfo};
use dashmap::DashMap;
use libp2p::Multiaddr;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::ConnectionId;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::address::{ip, is_loopback, is_private, is_relayed};
use crate::config::Limits;
use crate::identity::name;
use crate::source::Source;

#[cfg(test)]
mod tests;

/// The connected peers, each once, however many connections there are to it.
///
/// Its size is bounded by the swarm's connection limits. The swarm's task alone adds peers and
/// takes them out.
pub(crate) struct Roster {
    peers: DashMap<PeerId, Peer>,
    /// Members that are out there and not connected to us.
    apart: AtomicUsize,
    in_flight_per_peer: usize,
}

/// What it takes to send something to a peer.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) peer: libp2p::PeerId,
    /// One permit for each frame that may be under way. Closed when the peer is gone.
    pub(crate) slots: Arc<Semaphore>,
}

struct Peer {
    route: Route,
    /// The oldest first; never empty.
    connections: Vec<Connection>,
    latency: Option<Duration>,
    /// It has let a frame time out, and has not been heard since.
    suspect: bool,
    source: Source,
    /// When it was last asked something, or asked us.
    used: Instant,
}

struct Connection {
    id: ConnectionId,
    address: Multiaddr,
    direction: Direction,
    since: Instant,
}

impl Roster {
    pub(crate) fn new(in_flight_per_peer: usize) -> Self {
        Self {
            peers: DashMap::new(),
            apart: AtomicUsize::new(0),
            in_flight_per_peer,
        }
    }

    /// The way to one peer, if it is connected.
    pub(crate) fn route(&self, to: &PeerId) -> Option<Route> {
        self.peers.get(to).map(|peer| peer.route.clone())
    }

    /// Who is connected.
    pub(crate) fn names(&self) -> Vec<PeerId> {
        self.peers.iter().map(|peer| *peer.key()).collect()
    }

    /// What is known of all peers, in the order of their names.
    pub(crate) fn infos(&self) -> Vec<PeerInfo> {
        let mut infos: Vec<_> = self
            .peers
            .iter()
            .map(|peer| peer.info(*peer.key()))
            .collect();
        infos.sort_unstable_by_key(|info| info.id);
        infos
    }

    /// Adds a connection; tells whether the peer is new.
    pub(crate) fn connected(
        &self,
        peer: libp2p::PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
        source: Source,
    ) -> bool {
        let connection = Connection {
            id,
            address: endpoint.get_remote_address().clone(),
            direction: direction(endpoint),
            since: Instant::now(),
        };
        let mut known = self.peers.entry(name(&peer)).or_insert_with(|| Peer {
            route: Route {
                peer,
                slots: Arc::new(Semaphore::new(self.in_flight_per_peer)),
            },
            connections: Vec::new(),
            latency: None,
            suspect: false,
            source,
            used: Instant::now(),
        });
        known.suspect = false;
        known.connections.push(connection);
        known.connections.len() == 1
    }

    /// Takes a connection out; tells whether it was the last one to the peer.
    pub(crate) fn disconnected(&self, peer: &libp2p::PeerId, id: ConnectionId) -> bool {
        let gone = self.peers.remove_if_mut(&name(peer), |_, peer| {
            peer.connections.retain(|connection| connection.id != id);
            peer.connections.is_empty()
        });
        if let Some((_, peer)) = &gone {
            // Whoever waits for a slot learns that there is none to come.
            peer.route.slots.close();
        }
        gone.is_some()
    }

    /// How many are connected.
    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    /// How many members are out there that are not connected to us.
    pub(crate) fn apart(&self) -> usize {
        self.apart.load(Ordering::Relaxed)
    }

    pub(crate) fn set_apart(&self, apart: usize) {
        self.apart.store(apart, Ordering::Relaxed);
    }

    /// Whether somebody has come to us by himself whom we cannot take for a neighbour: where we
    /// reach `relay` over the internet, somebody from there.
    pub(crate) fn is_reached_from_beyond(&self, relay: &Multiaddr) -> bool {
        let far = !is_private(relay);
        let came = |one: &Connection| {
            one.direction == Direction::Inbound
                && !is_relayed(&one.address)
                && !(far && is_private(&one.address))
        };
        self.peers
            .iter()
            .any(|peer| peer.connections.iter().any(came))
    }

    /// Where we have dialled a peer that is connected, not through a relay.
    pub(crate) fn dialled_at(&self, peer: &PeerId) -> Option<Multiaddr> {
        let peer = self.peers.get(peer)?;
        let dialled = peer
            .connections
            .iter()
            .find(|one| one.direction == Direction::Outbound && !is_relayed(&one.address));
        dialled.map(|one| one.address.clone())
    }

    /// How we came by each peer.
    pub(crate) fn sources(&self) -> Vec<(PeerId, Source)> {
        let peers = self.peers.iter();
        peers.map(|peer| (*peer.key(), peer.source)).collect()
    }

    /// Notes that a peer was asked something, or has asked us.
    pub(crate) fn used(&self, peer: &PeerId) {
        if let Some(mut peer) = self.peers.get_mut(peer) {
            peer.used = Instant::now();
        }
    }

    /// Connections that do what another one does as well: all but one to each peer with which
    /// nothing is under way, the relayed ones and the youngest first. Of the two sides, the one
    /// with the smaller name closes them, so that they do not close one each.
    pub(crate) fn duplicates(&self, local: &PeerId, settled: Duration) -> Vec<ConnectionId> {
        let ours = self.peers.iter().filter(|peer| {
            peer.connections.len() > 1
                && local < peer.key()
                && self.is_quiet(peer)
                && peer
                    .connections
                    .iter()
                    .all(|one| one.since.elapsed() >= settled)
        });
        let superfluous = ours.flat_map(|peer| {
            let connections = &peer.connections;
            let kept = connections.iter().find(|one| !is_relayed(&one.address));
            let kept = kept.or(connections.first()).map(|kept| kept.id);
            let others = connections.iter().map(|one| one.id);
            others.filter(|id| Some(*id) != kept).collect::<Vec<_>>()
        });
        superfluous.collect()
    }

    /// Who can be parted with, so that no more than `most` are left: those who were used longest
    /// ago. Newcomers need us to find others, and those of whom `needed` says so have their reasons.
    pub(crate) fn least_useful(
        &self,
        most: usize,
        settled: Duration,
        needed: impl Fn(&libp2p::PeerId) -> bool,
    ) -> Vec<libp2p::PeerId> {
        let superfluous = self.peers.len().saturating_sub(most);
        if superfluous == 0 {
            return Vec::new();
        }
        let candidates = self.peers.iter().filter(|peer| {
            let young = peer
                .connections
                .iter()
                .all(|one| one.since.elapsed() < settled);
            !young && self.is_quiet(peer) && !needed(&peer.route.peer)
        });
        let mut candidates: Vec<_> = candidates
            .map(|peer| (peer.used, peer.route.peer))
            .collect();
        candidates.sort_unstable();
        let parted = candidates.into_iter().map(|(_, peer)| peer);
        parted.take(superfluous).collect()
    }

    /// Whether nothing of ours is under way to a peer.
    fn is_quiet(&self, peer: &Peer) -> bool {
        peer.route.slots.available_permits() >= self.in_flight_per_peer
    }

    /// Notes a measured round trip, by which the peer is heard.
    pub(crate) fn measured(&self, peer: &libp2p::PeerId, latency: Duration) {
        if let Some(mut peer) = self.peers.get_mut(&name(peer)) {
            peer.latency = Some(latency);
            peer.suspect = false;
        }
    }

    /// Notes that a peer has sent something: it is no longer suspect.
    pub(crate) fn heard(&self, peer: &libp2p::PeerId) {
        if let Some(mut peer) = self.peers.get_mut(&name(peer)) {
            peer.suspect = false;
        }
    }

    /// Notes that a peer has let a frame time out: it is suspect until it is heard.
    pub(crate) fn timed_out(&self, peer: &PeerId) {
        if let Some(mut peer) = self.peers.get_mut(peer) {
            peer.suspect = true;
        }
    }

    /// Whether a connected peer has let a frame time out, and has not been heard since.
    pub(crate) fn is_suspect(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|peer| peer.suspect)
    }

    /// Forgets everybody.
    pub(crate) fn clear(&self) {
        self.peers.retain(|_, peer| {
            peer.route.slots.close();
            false
        });
    }
}

impl Peer {
    fn info(&self, name: PeerId) -> PeerInfo {
        let oldest = self.connections.first();
        let direction = oldest.map_or(Direction::Inbound, |oldest| oldest.direction);
        let mut info = PeerInfo::new(name, direction);
        info.age = oldest.map_or(Duration::ZERO, |oldest| oldest.since.elapsed());
        info.latency = self.latency;
        info.addresses = self
            .connections
            .iter()
            .map(|connection| connection.address.to_string())
            .collect();
        info.addresses.dedup();
        info
    }
}

pub(crate) fn direction(endpoint: &ConnectedPoint) -> Direction {
    if endpoint.is_dialer() {
        Direction::Outbound
    } else {
        Direction::Inbound
    }
}
