//! One round with one peer: what it knows more of, and getting it.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::buckets::{Bucketed, fill};
use super::due::Round;
use super::{MAX_LISTED, Question, Reply};
use crate::digest::{Fingerprint, Known};
use crate::key::Key;
use crate::peer::PeerId;
use crate::replica::{Received, Replica};
use crate::tombstone::Tombstone;
use crate::transport::Transport;
use crate::wire::Message;

/// What one round asks for, in bytes of values. What is left over is asked for in the next.
const MAX_PULLED: usize = 8 * 1024 * 1024;

/// One round with one peer.
pub(super) async fn catch_up_with(
    replica: &Arc<Replica>,
    transport: &dyn Transport,
    peer: PeerId,
) -> Round {
    let mut pulling = Pulling {
        replica,
        transport,
        peer,
        room: MAX_PULLED,
        is_vain: false,
        is_sought: false,
    };
    pulling.run().await.unwrap_or(Round::Unanswered)
}

/// A round under way. Each step is `None` where the peer does not answer.
struct Pulling<'a> {
    replica: &'a Arc<Replica>,
    transport: &'a dyn Transport,
    peer: PeerId,
    /// What may still be asked for, in bytes.
    room: usize,
    /// Something was refused, because of a clock.
    is_vain: bool,
    /// The peer has let go of something that is not here.
    is_sought: bool,
}

impl Pulling<'_> {
    async fn run(&mut self) -> Option<Round> {
        let ours = self.replica.summary();
        let Reply::Sums(theirs) = self.ask(Question::Compare(ours.root())).await? else {
            return Some(Round::Same);
        };
        // Tombstones first: what they cover need not be fetched.
        self.tombstones(ours.tombstones_that_differ(&theirs))
            .await?;
        self.versions(ours.buckets_that_differ(&theirs)).await?;
        let bytes = MAX_PULLED - self.room;
        tracing::debug!(peer = %self.peer, bytes, "caught up");
        Some(if self.is_vain {
            Round::Vain
        } else if self.room == 0 {
            Round::LeftOver
        } else if self.is_sought {
            Round::Sought
        } else {
            Round::Done
        })
    }

    async fn tombstones(&mut self, mut buckets: Vec<u8>) -> Option<()> {
        while !buckets.is_empty() {
            let (asked, but) = fingerprints::<Tombstone>(self.replica, &buckets).await?;
            let question = Question::Tombstones {
                buckets: buckets[..asked].to_vec(),
                but,
            };
            let Reply::Tombstones {
                buckets: covered,
                tombstones,
            } = self.ask(question).await?
            else {
                break;
            };
            buckets.drain(..usize::from(covered.max(1)).min(asked));
            for tombstone in tombstones {
                let received = self.replica.receive_tombstone(tombstone);
                self.is_vain |= received == Received::FromTheFuture;
            }
        }
        Some(())
    }

    async fn versions(&mut self, mut buckets: Vec<u8>) -> Option<()> {
        while !buckets.is_empty() {
            let (asked, but) = fingerprints::<Known>(self.replica, &buckets).await?;
            let question = Question::List {
                buckets: buckets[..asked].to_vec(),
                but,
            };
            let Reply::Versions {
                buckets: covered,
                versions,
            } = self.ask(question).await?
            else {
                break;
            };
            buckets.drain(..usize::from(covered.max(1)).min(asked));
            let mut had = versions.iter().filter(|known| known.heat.is_none());
            self.is_sought |= had.any(|known| self.replica.lacks(known));
            let wanted = wanted(self.replica, self.peer, versions, &mut self.room).await;
            self.entries(wanted).await?;
        }
        Some(())
    }

    async fn entries(&mut self, mut wanted: Vec<Key>) -> Option<()> {
        while !wanted.is_empty() && self.room > 0 {
            let Reply::Entries(puts) = self.ask(Question::Want(wanted.clone())).await? else {
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
                self.room = self.room.saturating_sub(put.entry.weight());
                self.is_vain |= self.replica.receive(put) == Received::FromTheFuture;
            }
        }
        Some(())
    }

    async fn ask(&self, question: Question) -> Option<Reply> {
        let frame = Message::Ask(question).encode().ok()?;
        let reply = self.transport.request(self.peer, frame).await.ok()?;
        match Message::decode(&reply).ok()? {
            Message::Reply(reply) => Some(reply),
            // It does not know the question, being of an earlier release.
            _ => Some(Reply::Same),
        }
    }
}

/// The keys of which the peer knows more: those first that it has served most often, and of those
/// served alike the newest. What is on disk here need not come over the network; it takes up its part
/// of the round's room.
async fn wanted(
    replica: &Replica,
    peer: PeerId,
    mut versions: Vec<Known>,
    room: &mut usize,
) -> Vec<Key> {
    // What the peer does not have any more, it need not be asked for.
    versions.retain(|known| known.heat.is_some() && replica.lacks(known));
    for known in &versions {
        replica.elsewhere.note(known.key, peer, known.stored_at);
    }
    versions.sort_unstable_by_key(|known| Reverse((known.heat, known.stored_at)));
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

/// The fingerprints of what is in the first of these buckets, and how many those are: as many as fit
/// a question. Looks at everything, on a thread where that keeps nobody waiting.
async fn fingerprints<T: Bucketed>(
    replica: &Arc<Replica>,
    buckets: &[u8],
) -> Option<(usize, Vec<Fingerprint>)> {
    let aside = replica.aside;
    let (replica, buckets) = (Arc::clone(replica), buckets.to_vec());
    let fill = move || {
        // What is left out of one bucket that holds more is listed in vain.
        let filled = fill::<T>(&replica, &buckets, |_| true, |_| 1, MAX_LISTED);
        let fingerprints = filled.items.iter().map(T::fingerprint);
        (filled.buckets, fingerprints.collect())
    };
    aside.run(fill).await
}
