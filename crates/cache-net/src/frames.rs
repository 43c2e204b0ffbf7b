//! Frames and their replies, on streams that are kept from one to the next.
//!
//! A stream carries one frame at a time, then its reply. As long as that takes, other frames to the
//! same peer have streams of their own, so that none waits behind another; afterwards it is kept
//! for the next. libp2p's request-response opens and negotiates a stream for each request, which at
//! 4 KiB takes as long as all the rest.
//!
//! Frames do not pass the swarm's task: who asks writes to a stream, and the task of the connection
//! reads and answers what comes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use crate::address::is_relayed;
use codec::HEADER;
use connection::{Connection, Known};

mod answering;
mod asking;
mod codec;
mod connection;

#[cfg(test)]
mod tests;

pub(crate) use answering::Answering;
pub(crate) use asking::Asking;
pub(crate) use codec::{Codec, Reply};

/// The name under which frames are negotiated. It changes when the layout does, or [`MOST_CARRIED`].
const PROTOCOL: StreamProtocol = StreamProtocol::new("/ghmesh/frame/1");

/// A stream that has carried more, either way, is not used again by either side. yamux grants a
/// stream room for 256 KiB that are not read yet, and more once half of that was read, the few bytes
/// of its negotiation among them, and never less again: what a peer could fill of streams that are
/// kept is no more than of new ones.
const MOST_CARRIED: usize = 127 * 1024;

/// What a stream has carried. Both sides count the same.
#[derive(Clone, Copy, Default)]
struct Carried {
    frames: usize,
    replies: usize,
}

impl Carried {
    fn add(&mut self, frame: usize, reply: usize) {
        self.frames += HEADER + frame;
        self.replies += HEADER + reply;
    }

    fn is_too_much(&self) -> bool {
        self.frames.max(self.replies) > MOST_CARRIED
    }
}

/// The streams of all connections.
pub(crate) struct Behaviour {
    asking: Arc<Asking>,
    answering: Arc<Answering>,
    in_flight: usize,
    /// Connections that are not told yet that they are known. Emptied each time the swarm asks.
    fresh: VecDeque<(PeerId, ConnectionId)>,
}

impl Behaviour {
    /// Lets `in_flight` frames be under way to each peer, and twice as many from it: it may have
    /// given up some that we do not know of yet.
    pub(crate) fn new(asking: Arc<Asking>, answering: Arc<Answering>, in_flight: usize) -> Self {
        Self {
            asking,
            answering,
            in_flight,
            fresh: VecDeque::new(),
        }
    }

    fn connection(&self, id: ConnectionId, peer: PeerId, is_relayed: bool) -> Connection {
        let openings = self.asking.connected(id, peer, is_relayed, self.in_flight);
        let answering = Arc::clone(&self.answering);
        Connection::new(peer, openings, answering, 2 * self.in_flight)
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Connection;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<Connection, ConnectionDenied> {
        Ok(self.connection(id, peer, is_relayed(from)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        to: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Connection, ConnectionDenied> {
        Ok(self.connection(id, peer, is_relayed(to)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(made) => {
                self.fresh.push_back((made.peer_id, made.connection_id));
            }
            FromSwarm::ConnectionClosed(closed) => {
                self.asking
                    .disconnected(closed.connection_id, closed.peer_id);
            }
            _ => {}
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

    /// The swarm hands out its own events before it asks: by now its owner knows of the connection.
    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        match self.fresh.pop_front() {
            Some((peer_id, id)) => Poll::Ready(ToSwarm::NotifyHandler {
                peer_id,
                handler: NotifyHandler::One(id),
                event: Known,
            }),
            None => Poll::Pending,
        }
    }
}
