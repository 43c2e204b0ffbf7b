//! Handshakes that have begun and not ended, bounded for each address that they come from.
//!
//! libp2p bounds how many there are in all. Whoever opens that many and says nothing would keep
//! everybody else out, for as long as a handshake may take, and again.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dummy::ConnectionHandler;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandlerInEvent, THandlerOutEvent,
    ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

#[cfg(test)]
mod tests;

/// Refuses one more handshake from where too many have begun already.
pub(crate) struct Behaviour {
    most: u32,
    /// Bounded by what libp2p admits in all.
    begun: HashMap<ConnectionId, Origin>,
    by_origin: HashMap<Origin, u32>,
}

/// An address, or for IPv6 the network of 2⁶⁴ that any one host has to itself.
type Origin = IpAddr;

/// Too many handshakes from one address have begun.
#[derive(Debug, thiserror::Error)]
#[error("{0} handshakes from its address are under way already")]
pub(crate) struct TooMany(u32);

impl Behaviour {
    /// Admits `most` at a time from each address.
    pub(crate) fn new(most: u32) -> Self {
        Self {
            most,
            begun: HashMap::new(),
            by_origin: HashMap::new(),
        }
    }

    fn begin(&mut self, id: ConnectionId, origin: Origin) -> Result<(), TooMany> {
        let count = self.by_origin.entry(origin).or_default();
        if *count >= self.most {
            return Err(TooMany(*count));
        }
        *count += 1;
        self.begun.insert(id, origin);
        Ok(())
    }

    fn end(&mut self, id: ConnectionId) {
        let Some(origin) = self.begun.remove(&id) else {
            return;
        };
        let Some(count) = self.by_origin.get_mut(&origin) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.by_origin.remove(&origin);
        }
    }
}

/// `None` for what comes through a relay, which is bounded there.
fn origin(address: &Multiaddr) -> Option<Origin> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => {
            let network = u128::from(ip) & !u128::from(u64::MAX);
            Some(Ipv6Addr::from(network).into())
        }
        _ => None,
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        match origin(from) {
            Some(origin) => self.begin(id, origin).map_err(ConnectionDenied::new),
            None => Ok(()),
        }
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<ConnectionHandler, ConnectionDenied> {
        self.end(id);
        Ok(ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<ConnectionHandler, ConnectionDenied> {
        Ok(ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ListenFailure(failure) = event {
            self.end(failure.connection_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
