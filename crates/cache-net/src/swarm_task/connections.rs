//! Connections that come and go, and the addresses that we listen on.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use libp2p::core::ConnectedPoint;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionError, ConnectionId, DialError, ListenError, SwarmEvent};
use libp2p::{PeerId, ping};
use tokio::time::Instant;

use super::SwarmTask;
use crate::address::{is_relayed, unnamed};
use crate::behaviour::BehaviourEvent;
use crate::gossip::is_in_mesh;
use crate::identity::name;
use crate::roster::direction;
use crate::source::Source;
use crate::trouble::{Trouble, is_failed_handshake};

/// How long a connection is left alone before it can be found superfluous: long enough to hear of
/// others by it, and for both sides of a double connection to have seen both.
const SETTLED: Duration = Duration::from_secs(1);

impl SwarmTask {
    pub(super) fn dial(&mut self, dial: DialOpts) {
        let connection = dial.connection_id();
        if let Err(error) = self.swarm.dial(dial) {
            self.on_failed_dial(connection, &error);
        }
    }

    pub(super) fn on_connection(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => self.on_connected(peer_id, connection_id, &endpoint),
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                cause,
                ..
            } => {
                tracing::debug!(peer = %peer_id, ?cause, "a connection is closed");
                self.counters.connections_closed.one();
                self.on_disconnected(peer_id, connection_id, cause.as_ref());
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                error,
                ..
            } => {
                self.on_failed_dial(connection_id, &error);
            }
            SwarmEvent::IncomingConnectionError {
                send_back_addr,
                error,
                ..
            } => {
                tracing::debug!(from = %send_back_addr, %error, "incoming connection failed");
                if matches!(error, ListenError::Denied { .. }) {
                    self.counters.refused_connections.one();
                }
                if is_failed_handshake(&error) {
                    self.strangers.refused(&send_back_addr);
                }
            }
            event => self.on_listener(event),
        }
    }

    fn on_listener(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { address, .. } if is_relayed(&address) => {
                tracing::info!("peers reach us through a relay, at {address}");
            }
            SwarmEvent::NewListenAddr {
                listener_id,
                address,
            } => {
                tracing::info!("listening for peers on {address}");
                self.listening
                    .send_modify(|all| all.push((listener_id, address)));
            }
            SwarmEvent::ExpiredListenAddr {
                listener_id,
                address,
            } => {
                tracing::info!("no longer listening for peers on {address}");
                let expired = (listener_id, address);
                self.listening
                    .send_modify(|all| all.retain(|one| *one != expired));
            }
            SwarmEvent::ListenerClosed { listener_id, .. } if self.end_reservation(listener_id) => {
            }
            SwarmEvent::ListenerClosed {
                listener_id,
                reason,
                ..
            } => {
                if let Err(error) = reason {
                    tracing::error!("a listener has failed, no peer can come in by it: {error}");
                }
                self.listening
                    .send_modify(|all| all.retain(|(id, _)| *id != listener_id));
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::debug!(%error, "a connection could not be accepted");
            }
            _ => {}
        }
    }

    fn on_failed_dial(&mut self, connection: ConnectionId, error: &DialError) {
        let now = Instant::now();
        let trouble = Trouble::of(error);
        self.counters.dial_failed(&trouble);
        if let DialError::WrongPeerId { obtained, address } = error {
            // Whoever has the address now is a member as well: it has passed the handshake.
            let address = unnamed(address);
            self.acquaintances
                .hear_of(*obtained, address, Source::Known, now);
        }
        if !self.bootstrap.failed(connection, &trouble, now) {
            tracing::debug!(%trouble, "a peer that others know was not reached");
            let alone = self.roster.len() == 0;
            self.acquaintances.failed(connection, alone, now);
        }
    }

    fn on_connected(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let now = Instant::now();
        let dialled = self.bootstrap.connected(id, peer, now);
        let source = match dialled {
            true => Source::Bootstrap,
            false => Source::Inbound,
        };
        let known_from = self.acquaintances.connected(peer, source, now);
        if endpoint.is_dialer() {
            self.counters.dialled();
        } else {
            self.counters.connected_inbound.one();
        }
        let source = match endpoint {
            ConnectedPoint::Dialer { .. } if !dialled => known_from,
            _ => source,
        };
        if self.roster.connected(peer, id, endpoint, source) {
            let address = endpoint.get_remote_address();
            let direction = direction(endpoint);
            self.tell(
                &peer,
                format_args!(
                    "connected to peer {peer} at {address} ({direction}), found by {source}"
                ),
            );
        }
    }

    fn on_disconnected(&mut self, peer: PeerId, id: ConnectionId, cause: Option<&ConnectionError>) {
        if !self.roster.disconnected(&peer, id) {
            return;
        }
        let why = cause.map_or_else(|| "hung up".to_owned(), ToString::to_string);
        self.tell(&peer, format_args!("peer {peer} is gone: {why}"));
        let (need, now) = (self.need(), Instant::now());
        self.bootstrap.lost(peer, need, now);
        self.acquaintances.lost(peer, need, now);
        self.swarm.behaviour_mut().walk.lost(&peer);
        if let Some(observed) = &mut self.observed {
            observed.lost(&peer);
        }
        self.confirm_addresses();
        if let Some(reservations) = &mut self.reservations {
            reservations.lost(&peer);
        }
        self.subscribed.remove(&peer);
    }

    /// Tells that a peer comes or goes, until it does so time and again.
    fn tell(&self, peer: &PeerId, what: fmt::Arguments<'_>) {
        if self.acquaintances.is_unsteady(peer) {
            tracing::debug!("{what}");
        } else {
            tracing::info!("{what}");
        }
    }

    /// Closes connections that nobody needs.
    pub(super) fn trim(&mut self) {
        let local = name(self.swarm.local_peer_id());
        for connection in self.roster.duplicates(&local, SETTLED) {
            tracing::debug!(%connection, "another connection to the same peer is enough");
            self.swarm.close_connection(connection);
        }

        let most = self.limits.most_peers();
        if self.roster.len() <= most {
            return;
        }
        let (bootstrap, gossip) = (&self.bootstrap, &self.swarm.behaviour().gossip);
        let only_here = self.reached_by_nobody();
        // They would come again: bootstrap peers are dialled, and who cannot be dialled by others
        // has nobody else to come to.
        let returns = |peer: &PeerId| bootstrap.is_of(*peer) || only_here.contains(peer);
        let needed = |peer: &PeerId| returns(peer) || is_in_mesh(gossip, peer);
        let mut parted = self.roster.least_useful(most, SETTLED, needed);
        if parted.is_empty() {
            // Gossip finds others.
            parted = self.roster.least_useful(most, SETTLED, returns);
        }
        for peer in parted {
            tracing::debug!(%peer, "parted, to make room for others");
            // It can only have gone by itself.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    /// Who has come to us from an address that it does not know itself, as from behind a NAT.
    fn reached_by_nobody(&self) -> HashSet<PeerId> {
        let came = self.roster.came_from();
        let hidden = came
            .into_iter()
            .filter(|(peer, from)| !self.acquaintances.is_at(peer, *from));
        hidden.map(|(peer, _)| peer).collect()
    }

    pub(super) fn on_ping(&mut self, event: ping::Event) {
        match event.result {
            Ok(latency) => self.roster.measured(&event.peer, latency),
            Err(ping::Failure::Unsupported) => {}
            Err(error) => {
                tracing::info!("peer {} is silent ({error}), hanging up", event.peer);
                self.swarm.close_connection(event.connection);
            }
        }
    }

    /// When the next dial or resolution is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let acquaintances = self.acquaintances.next_due(self.wanted());
        [self.bootstrap.next_due(), acquaintances]
            .into_iter()
            .flatten()
            .min()
    }

    /// Dials and resolves what is due.
    pub(super) fn seek(&mut self, now: Instant) {
        let need = self.need();
        for dial in self.bootstrap.due(need, now) {
            self.dial(dial);
        }
        for (number, address) in self.bootstrap.unresolved(now) {
            self.resolve(number, address);
        }
        for dial in self.acquaintances.due(self.wanted(), now) {
            self.dial(dial);
        }
    }

    /// Dials somebody that there is something to ask. Who asked has not waited for it.
    pub(super) fn dial_wanted(&mut self, peer: PeerId) {
        // Somebody who was used longer ago makes room for it, soon after.
        let most = self.limits.most_peers_and_wanted();
        if self.roster.len() + self.acquaintances.dials() >= most {
            return;
        }
        if let Some(dial) = self.acquaintances.wanted(peer, Instant::now()) {
            self.dial(dial);
        }
    }

    /// How many more peers are wanted.
    fn wanted(&self) -> usize {
        self.limits.wanted_peers.saturating_sub(self.roster.len())
    }
}
