//! Catching up: two members compare what they know, and each asks for what it lacks.
//!
//! ```text
//! Compare(root) ──► Same
//!               └─► Sums ──► ask for tombstones where theirs differ
//!                        └─► List(buckets that differ) ──► Versions
//!                                                          └─► Want(keys) ──► Entries, …
//! ```
//!
//! Each member pulls; nobody pushes what was not asked for. It happens with every peer that comes
//! into sight, and with one peer after the other from time to time, so that what a broadcast did
//! not deliver is made up for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::{self, MissedTickBehavior};

use crate::digest::{Known, Summary};
use crate::entry::Entry;
use crate::key::Key;
use crate::peer::PeerId;
use crate::replica::Replica;
use crate::tasks::Tasks;
use crate::tombstone::Tombstone;
use crate::transport::{Replier, Transport};
use crate::wire::{Message, Put};

/// How often the list of peers is looked at for new ones.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Looks between two comparisons with a peer that is not new.
const LOOKS_PER_ROUND: u64 = 30;

/// Looks before a peer is asked again that did not answer.
const LOOKS_TO_RETRY: u64 = 10;

/// Rounds under way at one time. Further peers wait for their turn.
const MAX_ROUNDS: usize = 8;

/// How long a round may take. What it has brought by then is kept.
const ROUND_DEADLINE: Duration = Duration::from_secs(60);

/// What one round asks for, in bytes of values. What is left over is asked for in the next.
const MAX_PULLED: usize = 8 * 1024 * 1024;

/// The values in one reply, in bytes, before no further one is added.
const MAX_REPLY: usize = 1024 * 1024;

/// Versions in one reply, less what completes a bucket, and keys in one question.
const MAX_LISTED: usize = 64 * 1024;

/// Buckets in one question; there are no more.
const MAX_BUCKETS: usize = 256;

/// Questions that are being answered at one time. Further ones are declined; who asked tries again
/// in the next round.
const MAX_ANSWERS: usize = 4;

/// A question of a member that catches up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Question {
    /// "My summary has this root. Is yours the same?"
    Compare(u64),
    /// "Which tombstones do you have, from this one on in the order of their targets?"
    Tombstones(u32),
    /// "Which versions do you have in these buckets?"
    List(Vec<u8>),
    /// "Give me what you have under these keys."
    Want(Vec<Key>),
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Reply {
    /// To `Compare`: yes.
    Same,
    /// To `Compare`: no, these are my sums.
    Sums(Summary),
    /// To `Tombstones`: as many as fit; none where there are no more.
    Tombstones(Vec<Tombstone>),
    /// To `List`.
    Versions {
        /// The buckets that this covers: as many of the first ones as fit.
        buckets: u16,
        /// What is in them.
        versions: Vec<Known>,
    },
    /// To `Want`: the first of them, as many as fit, less those that are not there any more.
    Entries(Vec<Put>),
}

/// Catches up with peers until the cache is closed.
pub(crate) async fn run(replica: Arc<Replica>, transport: Arc<dyn Transport>) {
    let mut interval = time::interval(LOOK_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut look = 0;
    // The look at which each peer's next round is due. A new one's is due at once.
    let mut due = BTreeMap::<PeerId, u64>::new();
    let mut rounds = FuturesUnordered::new();
    let mut under_way = BTreeSet::new();
    loop {
        tokio::select! {
            biased;
            _ = interval.tick() => {
                look += 1;
                let peers: BTreeSet<_> = transport.peers().iter().map(|peer| peer.id).collect();
                due.retain(|peer, _| peers.contains(peer));
                for peer in peers {
                    due.entry(peer).or_insert(look);
                }
            }
            Some((peer, is_done)) = rounds.next() => {
                under_way.remove(&peer);
                if is_done {
                    replica.set_caught_up();
                }
                // One round in so many looks, however many peers there are.
                let pause = if is_done { LOOKS_PER_ROUND * due.len() as u64 } else { LOOKS_TO_RETRY };
                due.entry(peer).and_modify(|due| *due = look + pause);
            }
        }
        for (&peer, _) in due.iter().filter(|(_, due)| **due <= look) {
            if under_way.len() < MAX_ROUNDS && under_way.insert(peer) {
                let round = catch_up_with(&replica, &*transport, peer);
                rounds.push(async move {
                    let done = time::timeout(ROUND_DEADLINE, round).await;
                    (peer, done.unwrap_or(false))
                });
            }
        }
    }
}

/// One round with one peer; tells whether it was seen through.
async fn catch_up_with(replica: &Arc<Replica>, transport: &dyn Transport, peer: PeerId) -> bool {
    let ask = async |question| {
        let frame = Message::Ask(question).encode().ok()?;
        let reply = transport.request(peer, frame).await.ok()?;
        match Message::decode(&reply).ok()? {
            Message::Reply(reply) => Some(reply),
            // It does not know the question, being of an earlier release.
            _ => Some(Reply::Same),
        }
    };
    let pull = async {
        let ours = summary(replica).await?;
        let Reply::Sums(theirs) = ask(Question::Compare(ours.root())).await? else {
            return Some(());
        };
        // Tombstones first: what they cover need not be fetched.
        let mut heard = 0;
        while ours.tombstones_differ(&theirs) {
            let Reply::Tombstones(tombstones) = ask(Question::Tombstones(heard)).await? else {
                break;
            };
            if tombstones.is_empty() {
                break;
            }
            heard = heard.saturating_add(u32::try_from(tombstones.len()).unwrap_or(u32::MAX));
            for tombstone in tombstones {
                replica.receive_tombstone(tombstone);
            }
        }
        let mut buckets = ours.buckets_that_differ(&theirs);
        let mut room = MAX_PULLED;
        while !buckets.is_empty() && room > 0 {
            let Reply::Versions {
                buckets: covered,
                versions,
            } = ask(Question::List(buckets.clone())).await?
            else {
                break;
            };
            buckets.drain(..usize::from(covered.max(1)).min(buckets.len()));
            let mut wanted = wanted(replica, versions, &mut room).await;
            while !wanted.is_empty() && room > 0 {
                let Reply::Entries(puts) = ask(Question::Want(wanted.clone())).await? else {
                    break;
                };
                let came: BTreeSet<_> = puts.iter().map(|put| put.key).collect();
                let asked_for = wanted.len();
                wanted.retain(|key| !came.contains(key));
                // What nobody asked for is no progress.
                if wanted.len() == asked_for {
                    break;
                }
                for put in puts {
                    room = room.saturating_sub(put.entry.weight());
                    replica.receive(put);
                }
            }
        }
        tracing::debug!(%peer, bytes = MAX_PULLED - room, "caught up");
        Some(())
    };
    pull.await.is_some()
}

/// The keys of which the peer knows more, the newest first. What is on disk here need not come
/// over the network; it takes up its part of the round's room.
async fn wanted(replica: &Replica, mut versions: Vec<Known>, room: &mut usize) -> Vec<Key> {
    versions.retain(|known| replica.lacks(known));
    versions.sort_unstable_by_key(|known| Reverse(known.stored_at));
    versions.truncate(MAX_LISTED);
    let mut wanted = Vec::new();
    for known in versions {
        if *room == 0 {
            break;
        }
        let loaded = replica.load(known.key, replica.now()).await;
        match loaded.filter(|_| !replica.lacks(&known)) {
            Some(entry) => *room = room.saturating_sub(entry.weight()),
            None => wanted.push(known.key),
        }
    }
    wanted
}

/// Looks at everything, on a thread where that keeps nobody waiting.
async fn summary(replica: &Arc<Replica>) -> Option<Summary> {
    let aside = replica.aside;
    let replica = Arc::clone(replica);
    aside.run(move || replica.summary()).await
}

/// Answers the questions of members that catch up.
pub(crate) struct Answers {
    replica: Arc<Replica>,
    tasks: Arc<Tasks>,
    room: Arc<Semaphore>,
}

impl Answers {
    pub(crate) fn new(replica: Arc<Replica>, tasks: Arc<Tasks>) -> Self {
        Self {
            replica,
            tasks,
            room: Arc::new(Semaphore::new(MAX_ANSWERS)),
        }
    }

    /// Answers in a task of its own, since it takes a while.
    pub(crate) fn answer(&self, question: Question, to: Replier) {
        // Dropped without an answer, `to` declines.
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            return;
        };
        let replica = Arc::clone(&self.replica);
        self.tasks.spawn(async move {
            let reply = reply(&replica, question).await;
            if let Some(frame) = reply.and_then(|reply| Message::Reply(reply).encode().ok()) {
                to.send(frame);
            }
            drop(room);
        });
    }
}

async fn reply(replica: &Arc<Replica>, question: Question) -> Option<Reply> {
    Some(match question {
        Question::Compare(root) => {
            let ours = summary(replica).await?;
            if ours.root() == root {
                Reply::Same
            } else {
                Reply::Sums(ours)
            }
        }
        Question::Tombstones(from) => {
            let mut tombstones = replica.tombstones();
            tombstones.sort_unstable_by(|a, b| a.target.cmp(&b.target));
            let mut bytes = 0;
            let rest = tombstones.into_iter().skip(from as usize);
            let fitting = rest.take_while(|tombstone| {
                bytes += tombstone.weight();
                bytes <= MAX_REPLY
            });
            Reply::Tombstones(fitting.collect())
        }
        Question::List(buckets) => {
            let replica = Arc::clone(replica);
            let aside = replica.aside;
            aside
                .run(move || list(&replica, &buckets, MAX_LISTED))
                .await?
        }
        Question::Want(keys) => {
            let mut puts = Vec::new();
            let mut bytes = 0;
            for key in keys.into_iter().take(MAX_LISTED) {
                if bytes >= MAX_REPLY {
                    break;
                }
                let entry = replica.load(key, replica.now()).await;
                let Some(entry) = entry.filter(Entry::fits_a_frame) else {
                    continue;
                };
                // One that is large travels alone, and fits as it did when it was put.
                if bytes + entry.weight() > MAX_REPLY && !puts.is_empty() {
                    break;
                }
                bytes += entry.weight();
                puts.push(Put { key, entry });
            }
            Reply::Entries(puts)
        }
    })
}

/// What is in the first of these buckets, until there are so many versions.
fn list(replica: &Replica, buckets: &[u8], max: usize) -> Reply {
    let asked: BTreeSet<u8> = buckets.iter().copied().collect();
    let mut by_bucket = BTreeMap::<u8, Vec<Known>>::new();
    let known = replica.known();
    for known in known.filter(|known| asked.contains(&known.bucket())) {
        by_bucket.entry(known.bucket()).or_default().push(known);
    }
    let mut versions = Vec::new();
    let mut covered = 0;
    for bucket in buckets.iter().take(MAX_BUCKETS) {
        let more = by_bucket.remove(bucket).unwrap_or_default();
        if !versions.is_empty() && versions.len() + more.len() > max {
            break;
        }
        versions.extend(more);
        covered += 1;
    }
    // A bucket that alone holds more: the rest of it shows once these are equal, or have died.
    versions.truncate(max);
    Reply::Versions {
        buckets: covered,
        versions,
    }
}

#[cfg(test)]
mod tests;
