//! The transport as the cache above sees it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, iter};

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    Delivery, FrameKind, Inbound, Misconduct, PeerId, PeerInfo, Transport, TransportError,
};
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use libp2p::Multiaddr;
use tokio::sync::{Mutex, OwnedSemaphorePermit, TryAcquireError, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::acquaintances::Acquaintances;
use crate::address::{Port, named};
use crate::behaviour;
use crate::bootstrap::Bootstrap;
use crate::codec::Frame;
use crate::config::{Config, Limits};
use crate::error::StartError;
use crate::identity::name;
use crate::inbound;
use crate::listen;
use crate::metrics::{Counters, Metrics};
use crate::names::Names;
use crate::observed::Observed;
use crate::reservations::Reservations;
use crate::rates::Rates;
use crate::requests::Requests;
use crate::roster::Roster;
use crate::shunned::{Offence, Shunned};
use crate::source::{Discovery, Source};
use crate::spared::Spared;
use crate::strangers::Strangers;
use crate::swarm_task::{Command, Listening, Outbound, Publication, SwarmTask};

/// Frames on their way to the swarm's task. When it is full, senders wait, within their deadline.
const COMMAND_QUEUE: usize = 256;

/// How long a listener may take to know its addresses, which the system has at hand.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// What [`P2p::known_peers`] tells at most.
const MOST_KNOWN_PEERS: usize = 64;

/// How long a broadcast leaves a peer alone before it tries it a second time.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Moves frames between the members of a fleet over libp2p.
///
/// It stops when it is [closed](Transport::close), which tells the peers, or dropped.
pub struct P2p {
    local_peer: PeerId,
    roster: Arc<Roster>,
    shunned: Arc<Shunned>,
    spared: Spared,
    counters: Arc<Counters>,
    limits: Limits,
    listening: watch::Receiver<Listening>,
    commands: mpsc::Sender<Command>,
    /// Held while waiting for a frame: those who accept at the same time queue for the lock
    /// instead of for the frame, and nothing else ever takes it.
    inbound: Mutex<inbound::Receiver>,
}

impl P2p {
    /// Starts, and returns once it listens on every address. Bootstrap peers are dialled in the
    /// background, for ever.
    ///
    /// A port that is in use is passed over for the next free one, with a warning.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let limits = config.limits;
        let local_peer = config.identity.peer_id();
        let now = Instant::now();
        let port = Port::of(config.relay);
        let bootstrap = Bootstrap::new(config.bootstrap, config.redial, rand::random(), port, now)?;
        let keypair = config.identity.into_keypair();
        let memberships = iter::once(config.membership).chain(config.previous_membership);
        let (mut swarm, mdns) =
            behaviour::swarm(&keypair, memberships, &limits, config.mdns, config.relay)?;
        let mut acquaintances =
            Acquaintances::new(*swarm.local_peer_id(), config.redial, rand::random(), port);
        for address in config.known {
            if let Some(peer) = named(&address) {
                acquaintances.hear_of(peer, address, Source::Known, now);
            }
        }
        let observed = config.external.is_empty().then(Observed::default);
        for address in config.external {
            swarm.add_external_address(address);
        }
        let mut listeners = Vec::with_capacity(config.listen.len());
        for address in &config.listen {
            listeners.push(listen::on_free_port(address, |address| {
                swarm.listen_on(address).map_err(listen::io_error)
            })?);
        }

        let roster = Arc::new(Roster::new(limits.in_flight()));
        let shunned = Arc::new(Shunned::new(limits.shunned_for));
        let counters = Arc::new(Counters::default());
        let (commands, commanded) = mpsc::channel(COMMAND_QUEUE);
        let (inbound, accepted) = inbound::queue(&limits);
        let (listening, listening_now) = watch::channel(Listening::new());
        let mut task = SwarmTask {
            swarm,
            bootstrap,
            acquaintances,
            names: Names::new(&config.name_servers),
            resolving: FuturesUnordered::new(),
            observed,
            reservations: config.relay.then(Reservations::default),
            mdns,
            roster: Arc::clone(&roster),
            listening,
            inbound,
            limits,
            requests: Requests::default(),
            replies: FuturesUnordered::new(),
            strangers: Strangers::default(),
            shunned: Arc::clone(&shunned),
            rates: Rates::new(&limits),
            counters: Arc::clone(&counters),
            commands: commanded,
        };
        timeout(LISTEN_TIMEOUT, task.listen(&listeners))
            .await
            .map_err(|_| StartError::NoInterface)?;
        // It ends when `commands` is closed or dropped.
        tokio::spawn(task.run());
        Ok(Self {
            local_peer,
            roster,
            shunned,
            spared: Spared::new(limits.unopened_per_minute),
            counters,
            limits,
            listening: listening_now,
            commands,
            inbound: Mutex::new(accepted),
        })
    }

    /// Where we listen at this moment, each with its real port: an unspecified address stands for
    /// one of each network interface.
    pub fn listen_addrs(&self) -> Vec<Multiaddr> {
        let listening = self.listening.borrow();
        listening
            .iter()
            .map(|(_, address)| address.clone())
            .collect()
    }

    /// How we came by each of the peers that are connected.
    pub fn sources(&self) -> Vec<(PeerId, Source)> {
        self.roster.sources()
    }

    /// What was counted since the start.
    pub fn metrics(&self) -> Metrics {
        let mut metrics = self.counters.snapshot();
        metrics.peers = self.roster.len() as u64;
        metrics.apart = self.roster.apart() as u64;
        metrics.refused.shunned = self.shunned.count();
        metrics
    }

    /// What came of each way in which peers are found. Empty once the transport is closed.
    pub async fn discovery(&self) -> Discovery {
        self.ask(Command::Report).await.unwrap_or_default()
    }

    /// Where members can be reached that are worth [remembering](Config::known) until the next
    /// start, at most 64 addresses. Empty once the transport is closed.
    pub async fn known_peers(&self) -> Vec<Multiaddr> {
        let known = self.ask(|answer| Command::KnownPeers(MOST_KNOWN_PEERS, answer));
        known.await.unwrap_or_default()
    }

    /// Has the task answer; `None` where there is no task any more.
    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(question(answer)).await.ok()?;
        answered.await.ok()
    }

    fn check_size(&self, frame: &Bytes) -> Result<(), TransportError> {
        let limit = self.limits.frame;
        match frame.len() {
            size if size > limit => Err(TransportError::TooLarge { size, limit }),
            _ => Ok(()),
        }
    }

    /// Asks one peer, if it is connected.
    async fn ask_peer(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        self.check_size(&frame)?;
        if self.commands.is_closed() {
            return Err(TransportError::Closed);
        }
        let Some(route) = self.roster.route(&to) else {
            // A dial never delays a request: the next one may find a connection.
            if let Ok(peer) = libp2p::PeerId::from_bytes(to.as_bytes()) {
                let _ = self.commands.try_send(Command::Wanted(peer));
            }
            return Err(TransportError::Unreachable(to));
        };
        let slot = Arc::clone(&route.slots).try_acquire_owned();
        let slot = slot.map_err(|error| match error {
            TryAcquireError::NoPermits => TransportError::Busy,
            TryAcquireError::Closed => TransportError::Unreachable(to),
        })?;
        self.roster.used(&to);
        let answered = self.send(route.peer, FrameKind::Request, frame, slot);
        self.end_by(self.deadline(), to, answered).await
    }

    /// Sends a frame whose slot is taken, and waits for the answer.
    async fn send(
        &self,
        to: libp2p::PeerId,
        kind: FrameKind,
        payload: Bytes,
        slot: OwnedSemaphorePermit,
    ) -> Result<Bytes, TransportError> {
        let (answer, answered) = oneshot::channel();
        let outbound = Outbound {
            to,
            frame: Frame { kind, payload },
            answer,
            slot,
        };
        let sent = self.commands.send(Command::Send(outbound)).await;
        sent.map_err(|_| TransportError::Closed)?;
        answered.await.map_err(|_| TransportError::Closed)?
    }

    /// Sends a broadcast to one peer when there is a slot for it, unless the peer is suspect.
    async fn send_in_turn(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        if self.roster.is_suspect(&to) {
            return Err(TransportError::Unreachable(to));
        }
        let route = self.roster.route(&to);
        let route = route.ok_or(TransportError::Unreachable(to))?;
        let slot = Arc::clone(&route.slots).acquire_owned().await;
        let slot = slot.map_err(|_| TransportError::Unreachable(to))?;
        // Others waited in vain meanwhile: their slots are what became free.
        if self.roster.is_suspect(&to) {
            return Err(TransportError::Unreachable(to));
        }
        self.send(route.peer, FrameKind::Broadcast, frame, slot)
            .await
    }

    /// Has one peer confirm a broadcast, at the second try at the latest. A suspect peer gets none.
    async fn deliver(&self, to: PeerId, frame: &Bytes) -> Result<(), TransportError> {
        let Err(error) = self.send_in_turn(to, frame.clone()).await else {
            return Ok(());
        };
        if self.roster.is_suspect(&to) {
            return Err(error);
        }
        tracing::debug!(peer = %to, %error, "a broadcast is not confirmed, trying again");
        sleep(RETRY_PAUSE).await;
        self.send_in_turn(to, frame.clone()).await.map(drop)
    }

    /// Publishes a frame; tells which of the connected peers are subscribed.
    async fn publish(&self, frame: Bytes) -> Vec<PeerId> {
        let publication = |answer| Command::Publish(Publication { frame, answer });
        let published = timeout(self.limits.deadline, self.ask(publication)).await;
        let published = published.ok().flatten().unwrap_or_default();
        published.iter().map(name).collect()
    }

    /// Has each of these peers confirm a frame.
    async fn deliver_to_each(&self, peers: Vec<PeerId>, frame: &Bytes) -> Delivery {
        let deadline = self.deadline();
        // Each peer for itself: one that is silent delays nobody else's frame. But it delays the
        // end, and with it a caller who sends the next frame only then, so that it does so once:
        // suspect peers are passed over.
        let outcomes = peers.into_iter().map(async |peer| {
            let delivered = self.end_by(deadline, peer, self.deliver(peer, frame)).await;
            (peer, delivered)
        });
        let mut delivery = Delivery::default();
        for (peer, outcome) in join_all(outcomes).await {
            match outcome {
                Ok(()) => delivery.acked.push(peer),
                Err(_) => delivery.failed.push(peer),
            }
        }
        delivery
    }

    /// Waits for what a peer is to do until `deadline`; from there on the peer is suspect.
    ///
    /// It is here that the clock runs, and not where libp2p tells of a timeout, a little later:
    /// whoever sends the next frame as soon as this one has failed would send it to the same
    /// silence.
    async fn end_by<T>(
        &self,
        deadline: Instant,
        peer: PeerId,
        work: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
        // Ends every wait, whatever libp2p does: a request of its own can hang for ever
        // (rust-libp2p#4870).
        let outcome = timeout_at(deadline, work).await;
        let outcome = outcome.unwrap_or(Err(TransportError::Timeout));
        if matches!(outcome, Err(TransportError::Timeout)) {
            tracing::debug!(%peer, "does not answer, suspect until it is heard again");
            self.roster.timed_out(&peer);
        }
        outcome
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.limits.deadline
    }
}

#[async_trait]
impl Transport for P2p {
    fn local_peer(&self) -> PeerId {
        self.local_peer
    }

    fn peers(&self) -> Vec<PeerInfo> {
        self.roster.infos()
    }

    async fn request(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        let asked = Instant::now();
        let outcome = self.ask_peer(to, frame).await;
        self.counters.requested(&outcome, asked.elapsed());
        outcome
    }

    async fn broadcast(&self, frame: Bytes) -> Result<Delivery, TransportError> {
        self.check_size(&frame)?;
        if self.commands.is_closed() {
            return Err(TransportError::Closed);
        }
        let mut peers = self.roster.names();
        let is_crowd = peers.len() > self.limits.acknowledging_peers || self.roster.apart() > 0;
        let published = match is_crowd {
            true => self.publish(frame.clone()).await,
            false => Vec::new(),
        };
        // Who has just come is not subscribed yet, and hears of nothing that was published before.
        peers.retain(|peer| !published.contains(peer));
        let delivery = self.deliver_to_each(peers, &frame).await;
        Ok(Delivery {
            published,
            ..delivery
        })
    }

    async fn accept(&self) -> Option<Inbound> {
        let mut inbound = self.inbound.lock().await;
        loop {
            let next = inbound.recv().await?;
            // Frames of a peer may still be queued when it is reported.
            if !self.shunned.contains(&next.from) {
                return Some(next);
            }
        }
    }

    /// Parts with a peer that forges frames, or sends what never was one or is no message:
    /// [hangs up on it and refuses it](Limits::shunned_for). A peer with another secret or version
    /// may be ahead of us in a change of either, and stays, unless it sends
    /// [too much](Limits::unopened_per_minute) of that.
    fn report(&self, peer: PeerId, misconduct: Misconduct) {
        let too_many = || (!self.spared.spares(peer)).then_some(Offence::Foreign);
        if let Some(offence) = Offence::of(misconduct).or_else(too_many) {
            self.shunned.shun(peer, offence);
        }
    }

    async fn close(&self) {
        // It fails only where the task has ended already.
        let _ = self.commands.send(Command::Close).await;
        self.commands.closed().await;
    }
}

impl fmt::Debug for P2p {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("P2p")
            .field("local_peer", &self.local_peer)
            .field("listening", &self.listen_addrs())
            .finish_non_exhaustive()
    }
}
