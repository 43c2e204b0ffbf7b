//! Kademlia, for one thing alone: to learn from our peers whom they know.
//!
//! Nothing is stored in it. Its table holds the peers that are connected, and nobody else, so that
//! what a member is told is true at that moment. Where a query wants to go on to somebody that we
//! are not connected to, that somebody is *mentioned* instead of dialled: who is dialled, when,
//! and how often again, is decided in one place for all sources.

use std::num::NonZeroUsize;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::kad::store::MemoryStore;
use libp2p::kad::{self, Mode, StoreInserts};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, DialError, DialFailure, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

/// The name under which it is negotiated; IPFS and others have nothing to do with us.
const PROTOCOL: StreamProtocol = StreamProtocol::new("/ghmesh/kad/1");

/// How often all is asked again. It is asked as well, by libp2p, half a second after somebody new
/// has come.
pub(crate) const INTERVAL: Duration = Duration::from_secs(30);

/// How long one query may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// As many as a node usually has connections, and more.
const BUCKET: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

type Kademlia = kad::Behaviour<MemoryStore>;

/// Asks connected peers whom they know.
pub(crate) struct Behaviour {
    kademlia: Kademlia,
}

/// What comes of it.
#[derive(Debug)]
pub(crate) enum Event {
    /// A peer has told of somebody that we are not connected to.
    Mentioned {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
    },
    /// A query has got further, which is of no use by itself.
    Queried,
}

impl Behaviour {
    pub(crate) fn new(local: PeerId) -> Self {
        let mut config = kad::Config::new(PROTOCOL);
        config
            .set_periodic_bootstrap_interval(Some(INTERVAL))
            .set_query_timeout(TIMEOUT)
            // So many are told of in one answer, and kept of those at one distance.
            .set_kbucket_size(BUCKET)
            // What peers would have us store is dropped.
            .set_record_filtering(StoreInserts::FilterBoth)
            .set_replication_interval(None)
            .set_publication_interval(None)
            .set_provider_publication_interval(None);
        let mut kademlia = Kademlia::with_config(local, MemoryStore::new(local), config);
        kademlia.set_mode(Some(Mode::Server));
        Self { kademlia }
    }

    /// Has others be told of a connected peer, and where it says that it can be reached.
    pub(crate) fn connected(
        &mut self,
        peer: &PeerId,
        addresses: impl IntoIterator<Item = Multiaddr>,
    ) {
        // In place of what it has said before: libp2p keeps all addresses that were ever added.
        self.kademlia.remove_peer(peer);
        for address in addresses {
            self.kademlia.add_address(peer, address);
        }
    }

    /// Tells nobody any more of a peer that is gone.
    pub(crate) fn lost(&mut self, peer: &PeerId) {
        self.kademlia.remove_peer(peer);
    }

    /// Makes of a dial that is wanted a mention, and tells the query to go on without.
    fn mention(&mut self, dial: &DialOpts) -> Option<Event> {
        let peer = dial.get_peer_id()?;
        let id = dial.connection_id();
        let addresses = self
            .kademlia
            .handle_pending_outbound_connection(id, Some(peer), &[], Endpoint::Dialer)
            .unwrap_or_default();
        let failure = DialFailure {
            peer_id: Some(peer),
            error: &DialError::Aborted,
            connection_id: id,
        };
        self.kademlia
            .on_swarm_event(FromSwarm::DialFailure(failure));
        Some(Event::Mentioned { peer, addresses })
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <Kademlia as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        here: &Multiaddr,
        there: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.kademlia
            .handle_established_inbound_connection(id, peer, here, there)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        there: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.kademlia
            .handle_established_outbound_connection(id, peer, there, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.kademlia.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.kademlia.on_connection_handler_event(peer, id, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        loop {
            let next = match self.kademlia.poll(cx) {
                Poll::Ready(next) => next,
                Poll::Pending => return Poll::Pending,
            };
            match next {
                ToSwarm::Dial { opts } => {
                    if let Some(event) = self.mention(&opts) {
                        return Poll::Ready(ToSwarm::GenerateEvent(event));
                    }
                }
                other => return Poll::Ready(other.map_out(|_| Event::Queried)),
            }
        }
    }
}
