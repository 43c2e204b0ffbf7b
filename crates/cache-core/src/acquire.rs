//! One call for the fleet: leave to fetch a key, from its owner.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{self, Instant};

use crate::entry::Entry;
use crate::key::Key;
use crate::lease::{Acquire, Grant, LeaseId, RENEWAL, Settle, Settlement};
use crate::peer::PeerId;
use crate::replica::Replica;
use crate::tasks::Tasks;
use crate::time::MeshTime;
use crate::transport::Transport;
use crate::wire::Message;

use answer::MAX_LOADS;
use patience::{MOST_PATIENCE, Questions};

/// The first pause before asking again while somebody else fetches; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// For how long one member's fetch is waited for. Its owner lets the next in line go before
/// ([`MOST_HELD`](crate::lease::MOST_HELD)), so that not all go at once. Callers may have given up
/// long since.
const MOST_WAIT: Duration = Duration::from_secs(65);

/// How often, and for how long each time, an owner is told what has come of a fetch. If it has heard
/// nothing by then, those who wait are left to themselves when the term is over.
const TELLINGS: u32 = 3;
const TELLING: Duration = Duration::from_secs(1);

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
    /// A newer version is here now, or at least in hand: there may have been no room for it.
    Arrived(Came, Option<Entry>),
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
        let mut give_up = Instant::now() + MOST_WAIT;
        let mut pause = FIRST_PAUSE;
        let mut lease = None;
        let mut was_busy = false;
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
                    let entry = put.entry.clone();
                    if owner != self.replica.local_peer {
                        self.replica.receive_answer(put);
                    }
                    return Acquired::Arrived(came(lease), Some(entry));
                }
                // Somebody's turn, and maybe the next one's: each gets its time.
                Grant::Wait(id) if lease != Some(id) => {
                    lease = Some(id);
                    give_up = Instant::now() + MOST_WAIT;
                }
                Grant::Wait(_) => {}
                Grant::Settled(settlement) => return Acquired::Settled(settlement),
                Grant::Busy if !was_busy => was_busy = true,
                Grant::Busy | Grant::Redirect(_) => return Acquired::Alone,
            }
            if Instant::now() >= give_up {
                return Acquired::Alone;
            }
            tokio::select! {
                biased;
                // Of another version than the one that we have, or only that somebody has one.
                () = arrival => if self.replica.version_of(&key) > have {
                    return Acquired::Arrived(Came::AfterWaiting, None);
                },
                () = time::sleep(pause) => pause = (2 * pause).min(LAST_PAUSE),
            }
        }
    }

    /// Takes note that a peer lives.
    pub(crate) fn heard(&self, peer: PeerId) {
        self.questions.heard(peer);
    }

    /// Takes note of what a member's fetch has brought.
    pub(crate) fn settle(&self, holder: PeerId, settle: Settle) {
        let Settle { key, lease, .. } = settle;
        let Settlement::Kept(stored_at) = settle.settlement else {
            return self.replica.leases.settle(holder, settle);
        };
        // Mostly it has been pushed and is here. If not, who waits for it can get it there.
        if self.replica.version_of(&key) < Some(stored_at) {
            self.replica.elsewhere.note(key, holder, stored_at);
        }
        self.replica.leases.end_kept(&key, holder, lease);
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

    /// Tells those who wait what has come of it.
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
            return fleet.settle(us, settle);
        }
        let tasks = Arc::clone(&fleet.tasks);
        tasks.spawn(async move {
            let Ok(frame) = Message::Settle(settle).encode() else {
                return;
            };
            for _ in 0..TELLINGS {
                let telling = fleet.questions.send(owner, frame.clone());
                if let Ok(Ok(_)) = time::timeout(TELLING, telling).await {
                    return;
                }
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
                    but: None,
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
mod owners;
mod patience;
