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
use futures::stream::FuturesUnordered;
use libp2p::Multiaddr;
use tokio::sync::{Mutex, TryAcquireError, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::acquaintances::Acquaintances;
use crate::address::Port;
use crate::behaviour;
use crate::bootstrap::Bootstrap;
use crate::config::{Config, Limits};
use crate::error::StartError;
use crate::frames::{self, Answering, Asking, Codec, Reply};
use crate::inbound;
use crate::intake::Intake;
use crate::listen;
use crate::metrics::{Counters, Metrics};
use crate::names::Names;
use crate::observed::Observed;
use crate::reservations::Reservations;
use crate::roster::Roster;
use crate::shunned::{Offence, Shunned};
use crate::slots::Slot;
use crate::source::{Discovery, Source};
use crate::spared::Spared;
use crate::strangers::Strangers;
use crate::swarm_task::{Command, Listening, SwarmTask};

mod broadcast;

/// What the swarm's task is asked to do. When it is full, who asks waits, within the deadline.
const COMMAND_QUEUE: usize = 256;

/// How long a listener may take to know its addresses, which the system has at hand.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// What [`P2p::known_peers`] tells at most.
const MOST_KNOWN_PEERS: usize = 64;

/// Moves frames between the members of a fleet over libp2p.
///
/// It stops when it is [closed](Transport::close), which tells the peers, or dropped.
pub struct P2p {
    local_peer: PeerId,
    roster: Arc<Roster>,
    asking: Arc<Asking>,
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
        let counters = Arc::new(Counters::default());
        let memberships = iter::once(config.membership).chain(config.previous_membership);
        let roster = Arc::new(Roster::new(limits));
        let shunned = Arc::new(Shunned::new(limits.shunned_for));
        let (inbound, accepted) = inbound::queue(&limits);
        let intake = Intake::new(limits, inbound, Arc::clone(&roster), Arc::clone(&counters));
        let intake = Arc::new(intake);
        let codec = Codec::new(&limits, Arc::clone(&counters));
        let asking = Asking::new(codec.clone(), Arc::clone(&shunned), Arc::clone(&counters));
        let asking = Arc::new(asking);
        let answering = Arc::new(Answering::new(
            codec,
            Arc::clone(&intake),
            Arc::clone(&shunned),
            limits.deadline,
        ));
        let (mut swarm, mdns) = behaviour::swarm(
            &keypair,
            memberships,
            &limits,
            frames::Behaviour::new(Arc::clone(&asking), answering, limits.in_flight()),
            config.mdns,
            config.relay,
        )?;
        let mut acquaintances =
            Acquaintances::new(*swarm.local_peer_id(), config.redial, rand::random(), port);
        acquaintances.remember(config.known, now);
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

        let (commands, commanded) = mpsc::channel(COMMAND_QUEUE);
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
            asking: Arc::clone(&asking),
            intake,
            limits,
            subscribed: HashMap::new(),
            awaited: FuturesUnordered::new(),
            strangers: Strangers::default(),
            shunned: Arc::clone(&shunned),
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
            asking,
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

    /// Has the task answer within the deadline; `None` where it does not, or is no more.
    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        self.ask_by(self.deadline(), question).await
    }

    async fn ask_by<T>(
        &self,
        deadline: Instant,
        question: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            self.commands.send(question(answer)).await.ok()?;
            answered.await.ok()
        };
        timeout_at(deadline, asked).await.ok().flatten()
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
        if self.asking.is_closed() {
            return Err(TransportError::Closed);
        }
        let Some(route) = self.roster.route(&to) else {
            // A dial never delays a request: the next one may find a connection.
            if let Ok(peer) = libp2p::PeerId::from_bytes(to.as_bytes()) {
                let _ = self.commands.try_send(Command::Wanted(peer));
            }
            return Err(TransportError::Unreachable(to));
        };
        let slot = route.slots.try_take(frame.len());
        let slot = slot.map_err(|error| match error {
            TryAcquireError::NoPermits => TransportError::Busy,
            TryAcquireError::Closed => TransportError::Unreachable(to),
        })?;
        self.roster.used(&to);
        let deadline = self.deadline();
        let answered = self.send(route.peer, FrameKind::Request, &frame, slot);
        self.end_by(deadline, to, answered).await
    }

    /// Sends a frame whose slot is taken, and waits for the answer.
    async fn send(
        &self,
        to: libp2p::PeerId,
        kind: FrameKind,
        frame: &[u8],
        // Free for the next as soon as whoever waits for this one drops it.
        _slot: Slot,
    ) -> Result<Bytes, TransportError> {
        let reply = self.asking.ask(&to, kind, frame).await?;
        self.roster.heard(&to);
        match reply {
            Reply::Answered(answer) => Ok(answer),
            Reply::Declined => Err(TransportError::Declined),
            Reply::Busy => Err(TransportError::Busy),
        }
    }

    /// Waits for what a peer is to do until `deadline`; from there on the peer is suspect.
    async fn end_by<T>(
        &self,
        deadline: Instant,
        peer: PeerId,
        work: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
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
        self.broadcast_to_all(frame).await
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
