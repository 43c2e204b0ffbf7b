//! The task that owns the swarm. It keeps books of who is connected and whom to dial; it never waits
//! and never works, because while it does no connection comes or goes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use libp2p::core::transport::ListenerId;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::acquaintances::Acquaintances;
use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::bootstrap::Bootstrap;
use crate::config::Limits;
use crate::frames::Asking;
use crate::identity::name;
use crate::intake::Intake;
use crate::metrics::Counters;
use crate::names::{NameError, Names};
use crate::observed::Observed;
use crate::redial::Need;
use crate::reservations::Reservations;
use crate::roster::Roster;
use crate::shunned::Shunned;
use crate::source::{Discovery, MdnsState};
use crate::strangers::Strangers;

mod connections;
mod discovery;
mod gossip;

use gossip::Judged;

/// How long peers get to take note that we leave.
const GOODBYE: Duration = Duration::from_secs(1);

/// How often the books are looked through: for connections too many, for those whose time of being
/// shunned is over.
const SWEEP: Duration = Duration::from_millis(500);

/// What the task is asked to do.
pub(crate) enum Command {
    Publish(Publication),
    /// Somebody would have liked to ask this peer, which is not connected.
    Wanted(PeerId),
    /// Tell what came of the ways in which peers are found.
    Report(oneshot::Sender<Discovery>),
    /// Tell so many addresses that are worth remembering for the next start.
    KnownPeers(usize, oneshot::Sender<Vec<Multiaddr>>),
    Close,
}

/// A frame to everybody. The answer tells to whom it was published.
pub(crate) struct Publication {
    pub(crate) frame: Bytes,
    pub(crate) answer: oneshot::Sender<Vec<PeerId>>,
}

/// The addresses that we listen on, by listener.
pub(crate) type Listening = Vec<(ListenerId, Multiaddr)>;

/// A name of the bootstrap list, by its number, and what it stands for.
type Resolved = (usize, Result<Vec<Multiaddr>, NameError>);

/// The task's state.
pub(crate) struct SwarmTask {
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) bootstrap: Bootstrap,
    pub(crate) acquaintances: Acquaintances,
    pub(crate) names: Names,
    /// Bounded by the bootstrap list, and each by a timeout.
    pub(crate) resolving: FuturesUnordered<BoxFuture<'static, Resolved>>,
    /// `None` where we were told our addresses.
    pub(crate) observed: Option<Observed>,
    /// `None` where no relay is wanted.
    pub(crate) reservations: Option<Reservations>,
    pub(crate) mdns: MdnsState,
    pub(crate) roster: Arc<Roster>,
    pub(crate) listening: watch::Sender<Listening>,
    pub(crate) asking: Arc<Asking>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) limits: Limits,
    /// Since when each peer is subscribed to what is published. Bounded by the connections.
    pub(crate) subscribed: HashMap<PeerId, Instant>,
    /// Published frames of which the layer above has not told what it makes of them. Bounded by the
    /// queue of inbound frames, and each by the deadline.
    pub(crate) awaited: FuturesUnordered<BoxFuture<'static, Judged>>,
    pub(crate) strangers: Strangers,
    pub(crate) shunned: Arc<Shunned>,
    pub(crate) counters: Arc<Counters>,
    /// Declared last, so that it is dropped when the sockets are closed: that is what
    /// [`Transport::close`](cache_core::Transport::close) waits for.
    pub(crate) commands: mpsc::Receiver<Command>,
}

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
            let due = self.next_due();
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                command = self.commands.recv() => match command {
                    Some(Command::Close) | None => break,
                    Some(command) => self.on_command(command),
                },
                Some(judged) = self.awaited.next() => self.judged(&judged),
                Some((number, outcome)) = self.resolving.next() => {
                    self.bootstrap.resolved(number, outcome, Instant::now());
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.seek(Instant::now());
                }
                () = self.shunned.changed() => self.shun(),
                now = sweep.tick() => self.sweep(now),
            }
        }
        self.say_goodbye().await;
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Publish(publication) => self.publish(publication),
            Command::Wanted(peer) => self.dial_wanted(peer),
            // Who has asked may have gone meanwhile.
            Command::Report(answer) => drop(answer.send(self.report())),
            Command::KnownPeers(most, answer) => {
                let known = self.acquaintances.worth_remembering(most, Instant::now());
                drop(answer.send(known));
            }
            Command::Close => {}
        }
    }

    fn sweep(&mut self, now: Instant) {
        self.intake.sweep();
        self.shun();
        self.trim();
        self.reserve(now);
        self.roster.set_apart(self.acquaintances.apart(now));
    }

    /// How badly one more connection is needed.
    fn need(&self) -> Need {
        let connected = self.roster.len();
        let known = connected + self.roster.apart();
        Need::of(connected, known, self.limits.wanted_peers)
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

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::NewExternalAddrCandidate { address } => self.on_candidate(address),
            event => self.on_connection(event),
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Ping(event) => self.on_ping(event),
            BehaviourEvent::Identify(event) => self.on_identify(event),
            BehaviourEvent::Walk(event) => self.on_walk(event),
            BehaviourEvent::Mdns(event) => self.on_mdns(event),
            BehaviourEvent::Relay(event) => tracing::debug!(?event, "relay"),
        }
    }

    /// Closes every connection in order, so that peers need not find out by themselves.
    async fn say_goodbye(&mut self) {
        self.asking.close();
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
