//! Who is connected, and who of them does not answer.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cache_core::{Direction, PeerId, PeerInfo};
use dashmap::DashMap;
use libp2p::Multiaddr;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use crate::address::{ip, is_loopback, is_private, is_relayed};
use crate::config::Limits;
use crate::identity::name;
use crate::slots::Slots;
use crate::source::Source;
use crate::suspicion::{Standing, Suspicion};

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
    limits: Limits,
}

/// What it takes to send something to a peer.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) peer: libp2p::PeerId,
    /// Closed when the peer is gone.
    pub(crate) slots: Slots,
}

struct Peer {
    route: Route,
    /// The oldest first; never empty.
    connections: Vec<Connection>,
    latency: Option<Duration>,
    /// Since it has let a frame time out, and until it is heard.
    suspicion: Option<Suspicion>,
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
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            peers: DashMap::new(),
            apart: AtomicUsize::new(0),
            limits,
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
                slots: Slots::new(&self.limits),
            },
            connections: Vec::new(),
            latency: None,
            suspicion: None,
            source,
            used: Instant::now(),
        });
        known.suspicion = None;
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

    /// Whether a peer is connected by a loopback address.
    pub(crate) fn is_on_this_host(&self, peer: &PeerId) -> bool {
        let peer = self.peers.get(peer);
        peer.is_some_and(|peer| peer.connections.iter().any(|one| is_loopback(&one.address)))
    }

    /// From where each has come whom we have not dialled.
    pub(crate) fn came_from(&self) -> Vec<(libp2p::PeerId, IpAddr)> {
        let came = self.peers.iter().filter_map(|peer| {
            let by_itself = peer
                .connections
                .iter()
                .all(|one| one.direction == Direction::Inbound);
            let from = peer.connections.first().and_then(|one| ip(&one.address));
            Some((peer.route.peer, from.filter(|_| by_itself)?))
        });
        came.collect()
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
                && peer.route.slots.are_free()
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
            !young && peer.route.slots.are_free() && !needed(&peer.route.peer)
        });
        let mut candidates: Vec<_> = candidates
            .map(|peer| (peer.used, peer.route.peer))
            .collect();
        candidates.sort_unstable();
        let parted = candidates.into_iter().map(|(_, peer)| peer);
        parted.take(superfluous).collect()
    }

    /// Notes a measured round trip. It says nothing of whether frames are answered: libp2p answers
    /// a ping though the layers above it hang.
    pub(crate) fn measured(&self, peer: &libp2p::PeerId, latency: Duration) {
        if let Some(mut peer) = self.peers.get_mut(&name(peer)) {
            peer.latency = Some(latency);
        }
    }

    /// Notes that a peer has sent a frame or an answer: it is no longer suspect. Tells whether it is
    /// one of the peers.
    pub(crate) fn heard(&self, peer: &libp2p::PeerId) -> bool {
        let peer = self.peers.get_mut(&name(peer));
        peer.map(|mut peer| peer.suspicion = None).is_some()
    }

    /// Notes that a peer has let a frame time out: it is suspect until it is heard.
    pub(crate) fn timed_out(&self, peer: &PeerId) {
        if let Some(mut peer) = self.peers.get_mut(peer) {
            let before = peer.suspicion.take();
            peer.suspicion = Some(Suspicion::after(before, Instant::now()));
        }
    }

    /// Whether a connected peer has let a frame time out, and has not been heard since.
    pub(crate) fn is_suspect(&self, peer: &PeerId) -> bool {
        self.peers
            .get(peer)
            .is_some_and(|peer| peer.suspicion.is_some())
    }

    /// Whether a broadcast is to be sent to a peer. Each trial of a suspect one is given out once.
    pub(crate) fn standing(&self, peer: &PeerId) -> Standing {
        let Some(mut peer) = self.peers.get_mut(peer) else {
            return Standing::Good;
        };
        match &mut peer.suspicion {
            None => Standing::Good,
            Some(suspicion) => suspicion.standing(Instant::now()),
        }
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
