//! What is heard of other members, and of where we are seen.

use std::time::Duration;

use futures::FutureExt;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, identify, mdns};
use tokio::time::{Instant, timeout};

use super::SwarmTask;
use crate::address::{is_dialable, is_loopback, unnamed};
use crate::identity::name;
use crate::names::NameError;
use crate::relay::is_offered_by;
use crate::source::{Discovery, Source};
use crate::walk;

/// How long the name servers may take to answer.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// So many addresses of a peer are passed on to others.
const MOST_ADDRESSES: usize = 8;

impl SwarmTask {
    pub(super) fn on_identify(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id, info, .. } = event else {
            return;
        };
        self.strangers.identified(peer_id, &info.protocol_version);
        let mut addresses = info.listen_addrs;
        let is_here = self.roster.is_on_this_host(&name(&peer_id));
        // Of another host, they would be our own.
        addresses.retain(|one| is_dialable(one) && (is_here || !is_loopback(one)));
        addresses.truncate(MOST_ADDRESSES);
        self.acquaintances
            .identified(peer_id, &addresses, Instant::now());
        if addresses.is_empty() {
            // It can only dial. By us it can be reached, with a relay; without one, others are to
            // know at least that it is there.
            let through_us = Multiaddr::empty()
                .with(Protocol::P2p(*self.swarm.local_peer_id()))
                .with(Protocol::P2pCircuit);
            addresses.push(through_us);
        }
        if self.swarm.is_connected(&peer_id) {
            self.swarm
                .behaviour_mut()
                .walk
                .connected(&peer_id, addresses);
        }
        if let Some(reservations) = &mut self.reservations
            && is_offered_by(&info.protocols)
        {
            reservations.offered(peer_id, Instant::now());
        }
        if let Some(observed) = &mut self.observed {
            observed.by(peer_id, &info.observed_addr);
        }
        self.confirm_addresses();
    }

    pub(super) fn on_candidate(&mut self, address: Multiaddr) {
        if let Some(observed) = &mut self.observed {
            observed.candidate(address);
        }
        self.confirm_addresses();
    }

    /// Tells the others of addresses of ours that several peers agree upon, or no more.
    pub(super) fn confirm_addresses(&mut self) {
        let Some(observed) = &mut self.observed else {
            return;
        };
        // Who is reached through us needs an address of ours, even if we know it already.
        let is_relay = self.reservations.is_some();
        let listening: Vec<_> = self
            .listening
            .borrow()
            .iter()
            .filter(|_| !is_relay)
            .map(|(_, address)| address.clone())
            .collect();
        let change = observed.changed(&listening);
        for address in change.withdrawn {
            tracing::info!("too few peers see us at {address} any more; others are told");
            self.swarm.remove_external_address(&address);
        }
        for address in change.new {
            tracing::info!("peers see us at {address}; others are told");
            self.swarm.add_external_address(address);
        }
    }

    /// Has others reach us through relays, as long as nobody reaches us directly.
    pub(super) fn reserve(&mut self, now: Instant) {
        let Some(reservations) = &mut self.reservations else {
            return;
        };
        for relay in reservations.due(now) {
            let address = self.roster.dialled_at(&name(&relay));
            let Some(address) = address.filter(|one| !self.roster.is_reached_from_beyond(one))
            else {
                reservations.failed(&relay, now);
                continue;
            };
            let through = unnamed(&address)
                .with(Protocol::P2p(relay))
                .with(Protocol::P2pCircuit);
            match self.swarm.listen_on(through) {
                Ok(listener) => reservations.begun(listener, relay),
                Err(error) => {
                    tracing::debug!(%relay, %error, "cannot be reached through it");
                    reservations.failed(&relay, now);
                }
            }
        }
    }

    /// Takes note that we are reached through a relay no more; tells whether it was one.
    pub(super) fn end_reservation(&mut self, listener: ListenerId) -> bool {
        let reservations = self.reservations.as_mut();
        let now = Instant::now();
        let Some(relay) = reservations.and_then(|all| all.ended(listener, now)) else {
            return false;
        };
        tracing::debug!("peers no longer reach us through peer {relay}");
        true
    }

    pub(super) fn on_walk(&mut self, event: walk::Event) {
        match event {
            walk::Event::Mentioned { peer, addresses } => {
                let now = Instant::now();
                self.acquaintances
                    .mention(peer, addresses, Source::Kademlia, now);
                self.roster.set_apart(self.acquaintances.apart(now));
            }
            walk::Event::Queried => {}
        }
    }

    pub(super) fn on_mdns(&mut self, event: mdns::Event) {
        if let mdns::Event::Discovered(found) = event {
            for (peer, address) in found {
                // Others on this network may hold another secret. They count as members when they
                // are connected, or when a member tells of them.
                self.acquaintances
                    .hear_of(peer, address, Source::Mdns, Instant::now());
            }
        }
    }

    pub(super) fn resolve(&mut self, number: usize, address: Multiaddr) {
        let names = self.names.clone();
        let resolution = async move {
            let outcome = timeout(RESOLVE_TIMEOUT, names.resolve(&address)).await;
            (number, outcome.unwrap_or(Err(NameError::Timeout)))
        };
        self.resolving.push(resolution.boxed());
    }

    pub(super) fn report(&self) -> Discovery {
        Discovery {
            bootstrap: self.bootstrap.report(),
            mdns: self.mdns.clone(),
            found: self.acquaintances.report(),
            external: self.swarm.external_addresses().cloned().collect(),
        }
    }
}
