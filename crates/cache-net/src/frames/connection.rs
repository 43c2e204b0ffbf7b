//! One connection: opens the streams that are asked for, and answers on those that the peer opens.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandler, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{ConnectionHandlerEvent, SubstreamProtocol};
use libp2p::{PeerId, StreamProtocol};
use tokio::sync::mpsc;

use super::PROTOCOL;
use super::answering::Answering;
use super::asking::Opening;

#[cfg(test)]
mod tests;

type Upgrade = ReadyUpgrade<StreamProtocol>;

/// Tells a connection that the transport knows of it: what it takes in from now on comes from
/// somebody who is listed among the peers.
#[derive(Debug)]
pub(crate) struct Known;

pub(crate) struct Connection {
    peer: PeerId,
    is_known: bool,
    openings: mpsc::Receiver<Opening>,
    answering: Arc<Answering>,
    /// One for each stream of the peer's.
    answered: FuturesUnordered<BoxFuture<'static, ()>>,
    most_answered: usize,
}

impl Connection {
    pub(super) fn new(
        peer: PeerId,
        openings: mpsc::Receiver<Opening>,
        answering: Arc<Answering>,
        most_answered: usize,
    ) -> Self {
        Self {
            peer,
            is_known: false,
            openings,
            answering,
            answered: FuturesUnordered::new(),
            most_answered,
        }
    }
}

impl ConnectionHandler for Connection {
    type FromBehaviour = Known;
    type ToBehaviour = Infallible;
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Opening;

    fn listen_protocol(&self) -> SubstreamProtocol<Upgrade> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    /// As long as both sides wish: members stay connected though nobody asks anything. Dead ones
    /// are found by ping.
    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Upgrade, Opening, Infallible>> {
        while self.is_known && self.answered.poll_next_unpin(cx) == Poll::Ready(Some(())) {}
        while let Poll::Ready(Some(opening)) = self.openings.poll_recv(cx) {
            if !opening.is_closed() {
                let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), opening);
                return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
            }
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, _: Known) {
        self.is_known = true;
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Upgrade, Upgrade, (), Opening>) {
        match event {
            // A peer with the same bounds has no more, unless it does not read our replies.
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) if self.answered.len() < self.most_answered => {
                let answering = Arc::clone(&self.answering);
                let all = answering.answer_all(self.peer, stream);
                self.answered.push(Box::pin(all));
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: opening,
            }) => {
                // Who wanted it may have given up.
                let _ = opening.send(stream);
            }
            // Dropped with the event, an opening tells that there will be no stream.
            _ => {}
        }
    }
}
