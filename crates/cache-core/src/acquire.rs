//! One call for the fleet: leave to fetch a key, from its owner.

use std::convert::Infallible;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{self, Instant};

use crate::key::Key;
use crate::lease::{Acquire, Grant, LeaseId, RENEWAL, Settle, Settlement, TERM};
use crate::owner;
use crate::peer::{PeerId, PeerInfo};
use crate::replica::Replica;
use crate::tasks::Tasks;
use crate::time::MeshTime;
use crate::transport::Transport;
use crate::wire::Message;

use answer::MAX_LOADS;
use patience::{MOST_PATIENCE, Questions};

/// For so many ticks the first and the second owner may give no sign of life, or four times as long
/// as they usually take for an answer. Then a caller goes upstream without a lease: 50 ms after it
/// began to ask.
const LEAST_PATIENCE: [u32; 2] = [9, 1];

/// The first pause before asking again while somebody else fetches; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// How often an owner may say that it is busy before a caller goes upstream without a lease.
const MOST_BUSY: u32 = 3;

/// For how long somebody else's fetch is waited for. Callers may have given up before.
const MOST_WAIT: Duration = Duration::from_secs(30);

/// This member among those who share their calls.
pub(crate) struct Fleet {
    replica: Arc<Replica>,
    transport: Arc<dyn Transport>,
    tasks: Arc<Tasks>,
    questions: Questions,
    /// Room for answers that have to be read from the disk.
    loads: Arc<Semaphore>,
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
            questions: Questions::new(Arc::clone(&transport)),
            replica,
            transport,
            tasks,
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
        let mut busy = 0;
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
                Grant::Busy if busy < MOST_BUSY => busy += 1,
                Grant::Busy | Grant::Redirect(_) => return Acquired::Alone,
            }
            if Instant::now() >= give_up {
                return Acquired::Alone;
            }
            tokio::select! {
                biased;
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
        let owners = self.owners(&key, &peers);
        let first = owners.first().copied();
        let keeper = self.keeper(&key, &owners);
        let others = owners.into_iter().filter(|owner| *owner != keeper);
        let owners = iter::once(keeper).chain(others);
        let owners = owners.filter(|owner| *owner == us || !self.questions.is_silent(owner));
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
            match self.questions.ask(owner, patience, question.clone()).await {
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
            self.questions
                .ask(better, LEAST_PATIENCE[0], question)
                .await?
        };
        Some((better, grant))
    }

    /// Takes note that a peer lives.
    pub(crate) fn heard(&self, peer: PeerId) {
        self.questions.heard(peer);
    }

    /// Who keeps the book of `key`: the first of its owners. As long as that is this member, and it
    /// has not caught up, it leaves the book to the next.
    fn keeper(&self, key: &Key, owners: &[PeerId]) -> PeerId {
        let us = self.replica.local_peer;
        let first = owners.first().copied().unwrap_or(us);
        if first != us {
            return first;
        }
        let speaks = |owner: &PeerId| *owner != us && !self.questions.is_silent(owner);
        let left_to = self.replica.leases.keeper(key);
        let keeper = match left_to.filter(|keeper| owners.contains(keeper) && speaks(keeper)) {
            Some(keeper) => Some(keeper),
            None if self.is_established() => None,
            None => owners.iter().copied().find(speaks),
        };
        if let Some(keeper) = keeper {
            self.replica.leases.leave_to(*key, keeper);
        }
        keeper.unwrap_or(us)
    }

    /// The owners of `key`, this member included, as far as it can see them.
    fn owners(&self, key: &Key, peers: &[PeerInfo]) -> Vec<PeerId> {
        let us = self.replica.local_peer;
        owner::in_order(key, peers.iter().map(|peer| peer.id).chain([us]))
    }

    /// Whether this member knows what some other one does, and no lease is left that was given
    /// before it was seen.
    fn is_established(&self) -> bool {
        let caught_up = self.replica.caught_up_at();
        caught_up.is_some_and(|at| at.elapsed() >= TERM)
    }
}

impl Held {
    /// Does `work` and keeps the lease meanwhile.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
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
                let _ = time::timeout(TERM, fleet.questions.send(owner, frame)).await;
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
                // Nobody waits for it, and an owner that is a little late is not to be passed over.
                let questions = &fleet.questions;
                questions.ask(self.owner, MOST_PATIENCE, question).await;
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

mod answer;
mod patience;
