//! Answering the questions of members that catch up.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::pull::summary;
use super::{MAX_LISTED, Question, Reply};
use crate::digest::{Fingerprint, Known};
use crate::entry::Entry;
use crate::peer::PeerId;
use crate::replica::Replica;
use crate::tasks::Tasks;
use crate::transport::Replier;
use crate::wire::{Message, Put};

/// The values in one reply, in bytes, before no further one is added.
const MAX_REPLY: usize = 1024 * 1024;

/// Buckets in one question; there are no more.
const MAX_BUCKETS: usize = 256;

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
            if matches!(reply, Some(Reply::Sums(_))) {
                replica.due.differs(&from);
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
    let but: HashSet<_> = but.iter().collect();
    let asked: BTreeSet<u8> = buckets.iter().copied().collect();
    let mut by_bucket = BTreeMap::<u8, Vec<Known>>::new();
    let known = replica.known();
    let asked =
        |known: &Known| asked.contains(&known.bucket()) && !but.contains(&known.fingerprint());
    for known in known.filter(asked) {
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
