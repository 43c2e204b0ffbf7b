//! One call for the fleet: asking a key's owner for leave to fetch it, and answering who asks.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use tokio::sync::Semaphore;
use tokio::time::{self, Instant};

use crate::entry::Entry;
use crate::key::Key;
use crate::lease::{Acquire, Grant, LeaseId, RENEWAL, Settle, Settlement, TERM, Verdict};
use crate::owner;
use crate::peer::PeerId;
use crate::replica::Replica;
use crate::tasks::Tasks;
use crate::time::MeshTime;
use crate::transport::{Replier, Transport, TransportError};
use crate::wire::{Message, Put};

/// Patience with an owner is counted in these.
const TICK: Duration = Duration::from_millis(5);

/// A tick that took so much longer does not count: this process was too busy to notice an answer,
/// and so may the owner have been to give one, if it was asked for as much.
const LATE: Duration = Duration::from_millis(2);

/// The most that an owner is waited for that gives no sign of life, however busy this process is.
const MOST_SILENCE: Duration = Duration::from_secs(1);

/// For so many ticks the first and the second owner may give no sign of life, or four times as long
/// as they usually take for an answer. Then a caller goes upstream without a lease: 50 ms after it
/// began to ask.
const LEAST_PATIENCE: [u32; 2] = [9, 1];

/// The same, however long an owner usually takes.
const MOST_PATIENCE: u32 = 200;

/// For how long an owner that was silent is passed over.
const SILENCE: Duration = Duration::from_secs(5);

/// Peers whose manners are remembered. At the bound the table starts anew.
const MAX_MANNERS: usize = 1024;

/// The first pause before asking again while somebody else fetches; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// For how long somebody else's fetch is waited for. Callers may have given up before.
const MOST_WAIT: Duration = Duration::from_secs(30);

/// Questions for whose answers the disk has to be read, at one time. Further ones are told
/// [`Grant::Busy`].
const MAX_LOADS: usize = 64;

/// This member among those who share their calls.
pub(crate) struct Fleet {
    replica: Arc<Replica>,
    transport: Arc<dyn Transport>,
    tasks: Arc<Tasks>,
    /// What is known of the peers that were asked.
    manners: DashMap<PeerId, Manners>,
    loads: Arc<Semaphore>,
}

/// How a peer answers.
#[derive(Clone, Copy, Debug, Default)]
struct Manners {
    /// The usual time that it takes, smoothed.
    takes: Duration,
    heard_at: Option<Instant>,
    silent_until: Option<Instant>,
}

/// What has come of asking for leave to fetch.
pub(crate) enum Acquired {
    /// Nobody else fetches as long as this is held.
    Lease(Held),
    /// There is nobody to ask.
    Alone,
    /// A newer version is here now.
    Arrived(Came),
    /// Somebody else's fetch is back, with nothing to keep.
    Settled(Settlement),
}

/// How a version came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// A peer had it.
    AtOnce,
    /// Somebody's fetch was waited for.
    AfterWaiting,
}

/// A lease that this member holds.
pub(crate) struct Held {
    fleet: Arc<Fleet>,
    key: Key,
    owner: PeerId,
    id: LeaseId,
}

impl Fleet {
    pub(crate) fn new(
        replica: Arc<Replica>,
        transport: Arc<dyn Transport>,
        tasks: Arc<Tasks>,
    ) -> Self {
        Self {
            replica,
            transport,
            tasks,
            manners: DashMap::new(),
            loads: Arc::new(Semaphore::new(MAX_LOADS)),
        }
    }

    /// Asks for leave to fetch `key`, of which this member has the version of `have`. Waits while
    /// somebody else fetches it.
    pub(crate) async fn acquire(self: &Arc<Self>, key: Key, have: Option<MeshTime>) -> Acquired {
        if self.transport.peers().is_empty() {
            return Acquired::Alone;
        }
        let awaited = self.replica.arrivals.wait_for(key);
        let give_up = Instant::now() + MOST_WAIT;
        let mut pause = FIRST_PAUSE;
        let mut lease = None;
        loop {
            let arrival = awaited.arrival();
            let Some((owner, grant)) = self.ask_owners(key, have, lease).await else {
                return Acquired::Alone;
            };
            match grant {
                Grant::Granted(id) => {
                    return Acquired::Lease(Held {
                        fleet: Arc::clone(self),
                        key,
                        owner,
                        id,
                    });
                }
                Grant::Hit(put) => {
                    if owner != self.replica.local_peer {
                        self.replica.receive(put);
                    }
                    return Acquired::Arrived(came(lease));
                }
                Grant::Wait(id) => lease = Some(id),
                Grant::Settled(settlement) => return Acquired::Settled(settlement),
                Grant::Redirect(_) | Grant::Busy => return Acquired::Alone,
            }
            if Instant::now() >= give_up {
                return Acquired::Alone;
            }
            tokio::select! {
                () = arrival => return Acquired::Arrived(Came::AfterWaiting),
                () = time::sleep(pause) => pause = (2 * pause).min(LAST_PAUSE),
            }
        }
    }

    /// The word of the first owner that has one, this member included.
    async fn ask_owners(
        &self,
        key: Key,
        have: Option<MeshTime>,
        lease: Option<LeaseId>,
    ) -> Option<(PeerId, Grant)> {
        let us = self.replica.local_peer;
        let peers = self.transport.peers();
        let members = peers.iter().map(|peer| peer.id).chain([us]);
        // Who has yet to catch up does not know what the others have.
        let is_asked = |owner: &PeerId| match *owner {
            owner if owner == us => self.replica.has_caught_up(),
            owner => !self.is_silent(&owner),
        };
        let owners = owner::in_order(&key, members);
        let first = owners.first().copied();
        let owners = owners.into_iter().filter(is_asked);
        for (owner, patience) in owners.zip(LEAST_PATIENCE) {
            if owner == us {
                return Some((us, self.decide(&key, us, have, lease)));
            }
            let question = Acquire {
                key,
                have,
                lease,
                insist: Some(owner) != first,
            };
            let latency = peers.iter().find(|peer| peer.id == owner);
            let latency = latency.and_then(|peer| peer.latency);
            match self.ask(owner, patience, latency, question.clone()).await {
                Some(Grant::Redirect(better)) => return self.follow(better, question).await,
                Some(grant) => return Some((owner, grant)),
                None => {}
            }
        }
        tracing::debug!("no owner has answered: going upstream without a lease");
        None
    }

    /// Asks the one member that an owner has sent us to.
    async fn follow(&self, better: PeerId, question: Acquire) -> Option<(PeerId, Grant)> {
        let us = self.replica.local_peer;
        let grant = if better == us {
            self.decide(&question.key, us, question.have, question.lease)
        } else {
            let question = Acquire {
                insist: true,
                ..question
            };
            let [.., patience] = LEAST_PATIENCE;
            self.ask(better, patience, None, question).await?
        };
        Some((better, grant))
    }

    /// Asks one member. `patience` is in ticks; `latency` is what the transport knows of the way
    /// there.
    async fn ask(
        &self,
        owner: PeerId,
        patience: u32,
        latency: Option<Duration>,
        question: Acquire,
    ) -> Option<Grant> {
        let frame = Message::Acquire(question).encode().ok()?;
        let takes = self.manners.get(&owner).map(|manners| manners.takes);
        let usual = takes.max(latency).unwrap_or_default();
        let usual = (4 * usual).div_duration_f32(TICK) as u32;
        let patience = usual.clamp(patience, MOST_PATIENCE);
        let began = Instant::now();
        match self
            .while_it_lives(owner, patience, self.send(owner, frame))
            .await
        {
            Some(Ok(reply)) => {
                self.heard(owner);
                if let Some(mut manners) = self.manners.get_mut(&owner) {
                    manners.takes = (3 * manners.takes + began.elapsed()) / 4;
                }
                match Message::decode(&reply) {
                    Ok(Message::Grant(grant)) => Some(grant),
                    // It does not know the question, being of an earlier release.
                    _ => None,
                }
            }
            Some(Err(TransportError::Declined)) => None,
            Some(Err(_)) | None => {
                let silent_until = Some(Instant::now() + SILENCE);
                self.manners.entry(owner).or_default().silent_until = silent_until;
                None
            }
        }
    }

    /// Sends a request as soon as there is room for it among those under way.
    async fn send(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        loop {
            match self.transport.request(to, frame.clone()).await {
                Err(TransportError::Busy) => time::sleep(TICK).await,
                outcome => return outcome,
            }
        }
    }

    /// Waits for an answer of `owner` as long as it gives signs of life, of whatever kind: one that
    /// is busy will answer, one that is frozen will not.
    async fn while_it_lives<T>(
        &self,
        owner: PeerId,
        patience: u32,
        answer: impl Future<Output = T>,
    ) -> Option<T> {
        let mut answer = pin!(answer);
        let mut quiet = 0;
        let began = Instant::now();
        let mut silent_since = began;
        while quiet < patience
            && silent_since.elapsed() < MOST_SILENCE
            && began.elapsed() < MOST_WAIT
        {
            let tick = Instant::now();
            tokio::select! {
                biased;
                answer = &mut answer => return Some(answer),
                () = time::sleep(TICK) => {}
            }
            let manners = self.manners.get(&owner);
            if manners.is_some_and(|manners| manners.heard_at >= Some(tick)) {
                (quiet, silent_since) = (0, Instant::now());
            } else if tick.elapsed() < TICK + LATE {
                quiet += 1;
            }
        }
        None
    }

    /// Takes note that a peer lives.
    pub(crate) fn heard(&self, peer: PeerId) {
        if self.manners.len() >= MAX_MANNERS {
            self.manners.clear();
        }
        let mut manners = self.manners.entry(peer).or_default();
        manners.heard_at = Some(Instant::now());
        manners.silent_until = None;
    }

    fn is_silent(&self, peer: &PeerId) -> bool {
        let manners = self.manners.get(peer);
        manners.is_some_and(|manners| {
            let until = manners.silent_until;
            until.is_some_and(|until| until > Instant::now())
        })
    }

    /// Answers a member that asks for leave to fetch.
    pub(crate) fn answer(self: &Arc<Self>, from: PeerId, question: Acquire, to: Replier) {
        let now = self.replica.now();
        if let Some(entry) = self.replica.get(&question.key, now) {
            return reply(to, self.word(from, &question, Some(entry)));
        }
        if self.replica.tier().is_none() {
            return reply(to, self.word(from, &question, None));
        }
        let Ok(room) = Arc::clone(&self.loads).try_acquire_owned() else {
            return reply(to, Grant::Busy);
        };
        let fleet = Arc::clone(self);
        self.tasks.spawn(async move {
            let entry = fleet.replica.load(question.key, now).await;
            reply(to, fleet.word(from, &question, entry));
            drop(room);
        });
    }

    fn word(&self, from: PeerId, question: &Acquire, held: Option<Entry>) -> Grant {
        if let Some(hit) = held.and_then(|entry| self.hit(question.key, entry, question.have)) {
            return hit;
        }
        if !question.insist
            && let Some(better) = self.better_owner(&question.key)
        {
            return Grant::Redirect(better);
        }
        self.decide(&question.key, from, question.have, question.lease)
    }

    /// An entry for one who has that version, if it is of use.
    fn hit(&self, key: Key, entry: Entry, have: Option<MeshTime>) -> Option<Grant> {
        let is_of_use =
            Some(entry.stored_at()) > have && entry.fits_a_frame() && self.replica.is_fresh(&entry);
        is_of_use.then_some(Grant::Hit(Put { key, entry }))
    }

    /// Somebody who should be asked in our place.
    fn better_owner(&self, key: &Key) -> Option<PeerId> {
        let us = self.replica.local_peer;
        let peers = self.transport.peers();
        let members = peers.iter().map(|peer| peer.id).chain([us]);
        let is_asked = |owner: &PeerId| *owner != us || self.replica.has_caught_up();
        owner::in_order(key, members)
            .into_iter()
            .find(is_asked)
            .filter(|owner| *owner != us)
    }

    fn decide(
        &self,
        key: &Key,
        asker: PeerId,
        have: Option<MeshTime>,
        lease: Option<LeaseId>,
    ) -> Grant {
        let us = self.replica.local_peer;
        let is_here = |holder: &PeerId| {
            *holder == us || self.transport.peers().iter().any(|peer| peer.id == *holder)
        };
        match self.replica.leases.acquire(key, asker, lease, is_here) {
            Verdict::Granted(id) => {
                // What has come in since the asker's miss has ended the lease that it came by.
                let entry = self.replica.get(key, self.replica.now());
                match entry.and_then(|entry| self.hit(*key, entry, have)) {
                    Some(hit) => {
                        self.replica.leases.end(key);
                        hit
                    }
                    None => Grant::Granted(id),
                }
            }
            Verdict::Wait(id) => Grant::Wait(id),
            Verdict::Settled(settlement) => Grant::Settled(settlement),
            Verdict::Busy => Grant::Busy,
        }
    }
}

impl Held {
    /// Does `work` and keeps the lease meanwhile.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = self.renew() => match never {},
        }
    }

    /// Tells those who wait that there will be nothing to keep.
    pub(crate) fn settle(self, settlement: Settlement) {
        let Self {
            fleet,
            key,
            owner,
            id: lease,
        } = self;
        let settle = Settle {
            key,
            lease,
            settlement,
        };
        let us = fleet.replica.local_peer;
        if owner == us {
            return fleet.replica.leases.settle(us, settle);
        }
        let tasks = Arc::clone(&fleet.tasks);
        tasks.spawn(async move {
            if let Ok(frame) = Message::Settle(settle).encode() {
                // Lost, it leaves those who wait to themselves when the term is over.
                let _ = time::timeout(TERM, fleet.send(owner, frame)).await;
            }
        });
    }

    async fn renew(&self) -> Infallible {
        loop {
            time::sleep(RENEWAL).await;
            let (fleet, key, lease) = (&self.fleet, self.key, Some(self.id));
            if self.owner == fleet.replica.local_peer {
                fleet.decide(&key, self.owner, Some(MeshTime::MAX), lease);
            } else {
                let question = Acquire {
                    key,
                    // A value is of no use now.
                    have: Some(MeshTime::MAX),
                    lease,
                    insist: true,
                };
                let [.., patience] = LEAST_PATIENCE;
                fleet.ask(self.owner, patience, None, question).await;
            }
        }
    }
}

fn came(waited_for: Option<LeaseId>) -> Came {
    match waited_for {
        Some(_) => Came::AfterWaiting,
        None => Came::AtOnce,
    }
}

fn reply(to: Replier, grant: Grant) {
    if let Ok(frame) = Message::Grant(grant).encode() {
        to.send(frame);
    }
}
