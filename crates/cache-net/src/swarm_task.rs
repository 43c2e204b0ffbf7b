//! The task that owns the swarm. It keeps books and passes frames on; it never waits and never
//! works, because while it does no connection moves.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use libp2p::core::ConnectedPoint;
use libp2p::core::transport::ListenerId;
use libp2p::request_response::ResponseChannel;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, ping};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::bootstrap::Bootstrap;
use crate::codec::{Frame, Reply};
use crate::config::Limits;
use crate::identity::name;
use crate::inbound;
use crate::rates::Rates;
use crate::requests::{Outcome, Requests};
use crate::roster::{Roster, direction};
use crate::shunned::Shunned;
use crate::strangers::Strangers;
use crate::trouble::{Trouble, is_failed_handshake};

mod frames;

/// How long peers get to take note that we leave.
const GOODBYE: Duration = Duration::from_secs(1);

/// How often requests are looked for that libp2p has forgotten.
const SWEEP: Duration = Duration::from_secs(1);

/// What the task is asked to do.
pub(crate) enum Command {
    Send(Outbound),
    Close,
}

/// A frame to a peer, and everything that goes with it.
pub(crate) struct Outbound {
    pub(crate) to: PeerId,
    pub(crate) frame: Frame,
    pub(crate) answer: oneshot::Sender<Outcome>,
    pub(crate) slot: OwnedSemaphorePermit,
}

/// The addresses that we listen on, by listener.
pub(crate) type Listening = Vec<(ListenerId, Multiaddr)>;

/// The task's state.
pub(crate) struct SwarmTask {
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) bootstrap: Bootstrap,
    pub(crate) roster: Arc<Roster>,
    pub(crate) listening: watch::Sender<Listening>,
    pub(crate) inbound: inbound::Sender,
    pub(crate) limits: Limits,
    pub(crate) requests: Requests,
    /// Answers that are awaited from above. Bounded by the streams of each connection, and each by
    /// the deadline.
    pub(crate) replies: FuturesUnordered<BoxFuture<'static, (ReplyChannel, Reply)>>,
    pub(crate) strangers: Strangers,
    pub(crate) shunned: Arc<Shunned>,
    pub(crate) rates: Rates,
    /// Declared last, so that it is dropped when the sockets are closed: that is what
    /// [`Transport::close`](cache_core::Transport::close) waits for.
    pub(crate) commands: mpsc::Receiver<Command>,
}

/// The way back to a peer that awaits a reply.
pub(crate) type ReplyChannel = ResponseChannel<Reply>;

impl SwarmTask {
    /// Waits until each of `listeners` has its addresses.
    pub(crate) async fn listen(&mut self, listeners: &[ListenerId]) {
        let listens = |all: &Listening, one| all.iter().any(|(id, _)| id == one);
        while !listeners
            .iter()
            .all(|one| listens(&self.listening.borrow(), one))
        {
            let event = self.swarm.select_next_some().await;
            self.on_event(event);
        }
        // An unspecified address stands for several. The system tells them in one go.
        while let Some(event) = self.swarm.select_next_some().now_or_never() {
            self.on_event(event);
        }
    }

    /// Runs until it is told to close, or until nobody is left to tell it.
    pub(crate) async fn run(mut self) {
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next_dial = self.bootstrap.next_dial();
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                command = self.commands.recv() => match command {
                    Some(Command::Send(outbound)) => self.send(outbound),
                    Some(Command::Close) | None => break,
                },
                Some((channel, reply)) = self.replies.next() => self.reply(channel, reply),
                () = sleep_until(next_dial.unwrap_or_else(Instant::now)), if next_dial.is_some() => {
                    for dial in self.bootstrap.due(Instant::now()) {
                        self.dial(dial);
                    }
                }
                () = self.shunned.changed() => self.shun(),
                now = sweep.tick() => self.sweep(now),
            }
        }
        self.say_goodbye().await;
    }

    fn sweep(&mut self, now: Instant) {
        self.requests.sweep(now);
        self.rates.sweep();
        self.shun();
    }

    /// Has libp2p refuse those who are shunned, and them alone.
    fn shun(&mut self) {
        let shunned = self.shunned.now();
        let blocked = &mut self.swarm.behaviour_mut().shunned;
        let refused: Vec<_> = blocked.blocked_peers().iter().copied().collect();
        for peer in refused {
            if !shunned.contains(&name(&peer)) {
                blocked.unblock_peer(peer);
            }
        }
        for peer in shunned {
            if let Ok(peer) = PeerId::from_bytes(peer.as_bytes()) {
                blocked.block_peer(peer);
            }
        }
    }

    fn dial(&mut self, dial: DialOpts) {
        let connection = dial.connection_id();
        if let Err(error) = self.swarm.dial(dial) {
            self.on_failed_dial(connection, &error);
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Frames(event)) => self.on_frames(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => self.on_ping(event),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(event)) => self.on_identify(event),
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
                self.on_disconnected(peer_id, connection_id);
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
                if is_failed_handshake(&error) {
                    self.strangers.refused(&send_back_addr);
                }
            }
            event => self.on_listener(event),
        }
    }

    fn on_listener(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
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
        let trouble = Trouble::of(error);
        self.bootstrap.failed(connection, trouble, Instant::now());
    }

    fn on_connected(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        if self.roster.connected(peer, id, endpoint) {
            let address = endpoint.get_remote_address();
            tracing::info!(
                "connected to peer {peer} at {address} ({})",
                direction(endpoint)
            );
        }
        self.bootstrap.connected(id, peer, Instant::now());
    }

    fn on_disconnected(&mut self, peer: PeerId, id: ConnectionId) {
        if !self.roster.disconnected(&peer, id) {
            return;
        }
        tracing::info!("peer {peer} is gone");
        self.bootstrap.lost(peer, Instant::now());
        self.requests.lost(peer);
    }

    fn on_identify(&mut self, event: identify::Event) {
        if let identify::Event::Received { peer_id, info, .. } = event {
            self.strangers.identified(peer_id, &info.protocol_version);
        }
    }

    fn on_ping(&mut self, event: ping::Event) {
        match event.result {
            Ok(latency) => self.roster.measured(&event.peer, latency),
            Err(ping::Failure::Unsupported) => {}
            Err(error) => {
                tracing::info!("peer {} is silent ({error}), hanging up", event.peer);
                self.swarm.close_connection(event.connection);
            }
        }
    }

    /// Closes every connection in order, so that peers need not find out by themselves.
    async fn say_goodbye(&mut self) {
        self.requests.clear();
        self.roster.clear();
        for (listener, _) in self.listening.borrow().iter() {
            self.swarm.remove_listener(*listener);
        }
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // It can only have gone by itself.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let all_gone = async {
            while self.swarm.network_info().num_peers() > 0 {
                self.swarm.next().await;
            }
        };
        if timeout(GOODBYE, all_gone).await.is_err() {
            tracing::debug!("left without every peer having noticed");
        }
    }
}
