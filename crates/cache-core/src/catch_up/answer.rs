//! Answering the questions of members that catch up.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::buckets::{Bucketed, Filled, fill};
use super::{MAX_LISTED, Question, Reply};
use crate::digest::{BUCKETS, Fingerprint, Known};
use crate::entry::Entry;
use crate::peer::PeerId;
use crate::replica::Replica;
use crate::tasks::Tasks;
use crate::tombstone::Tombstone;
use crate::transport::Replier;
use crate::wire::{Message, Put};

/// The values in one reply, in bytes, before no further one is added.
const MAX_REPLY: usize = 1024 * 1024;

/// Questions that are being answered at one time. Further ones are declined; who asked tries again
/// in the next round.
const MAX_ANSWERS: usize = 4;

/// Answers the questions of members that catch up.
#[derive(Clone)]
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
    pub(crate) fn answer(&self, from: PeerId, question: Question, to: Replier) {
        // Dropped without an answer, `to` declines.
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            return;
        };
        let replica = Arc::clone(&self.replica);
        self.tasks.spawn(async move {
            let reply = reply(&replica, question).await;
            if let Some(Reply::Same | Reply::Sums(_)) = reply {
                let differs = reply != Some(Reply::Same);
                replica.due.compared(&from, differs);
            }
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
            let ours = replica.summary();
            if ours.root() == root {
                Reply::Same
            } else {
                Reply::Sums(ours)
            }
        }
        Question::Tombstones { buckets, but } => {
            let replica = Arc::clone(replica);
            let aside = replica.aside;
            aside
                .run(move || tombstones(&replica, &buckets, &but))
                .await?
        }
        Question::List { buckets, but } => {
            let replica = Arc::clone(replica);
            let aside = replica.aside;
            aside
                .run(move || list(&replica, &buckets, &but, MAX_LISTED))
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

/// What is in the first of these buckets and not known to who asks, until there are so many versions.
pub(super) fn list(replica: &Replica, buckets: &[u8], but: &[Fingerprint], max: usize) -> Reply {
    let Filled { buckets, items } = news::<Known>(replica, buckets, but, |_| 1, max);
    Reply::Versions {
        buckets: buckets as u16,
        versions: items,
    }
}

fn tombstones(replica: &Replica, buckets: &[u8], but: &[Fingerprint]) -> Reply {
    let Filled { buckets, items } = news(replica, buckets, but, Tombstone::weight, MAX_REPLY);
    Reply::Tombstones {
        buckets: buckets as u16,
        tombstones: items,
    }
}

fn news<T: Bucketed>(
    replica: &Replica,
    buckets: &[u8],
    but: &[Fingerprint],
    cost: impl Fn(&T) -> usize,
    max: usize,
) -> Filled<T> {
    let but: HashSet<_> = but.iter().collect();
    // There are no more than these.
    let buckets = &buckets[..buckets.len().min(BUCKETS)];
    let is_news = |item: &T| !but.contains(&item.fingerprint());
    fill(replica, buckets, is_news, cost, max)
}
