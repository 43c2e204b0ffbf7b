//! The queue of what peers have yet to be told.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::entry::Entry;
use crate::key::Key;
use crate::merge;
use crate::renewal::Renewal;
use crate::tombstone::{Target, Tombstone};
use crate::wire::{Message, Put};

/// What peers are to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Put {
        key: Key,
        entry: Entry,
        /// How to make it of the version before, which peers may have been told, where that is
        /// shorter.
        renewal: Option<Renewal>,
    },
    Invalidate(Tombstone),
}

/// What news are about. Newer ones take the place of older ones about the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Entry(Key),
    Tombstone(Target),
}

/// News waiting to be pushed, the newest about each subject only: invalidations first, which are
/// short and which others rely on, then entries, in either case the oldest first.
///
/// Bounded in bytes. At the bound the entries that have waited longest are dropped, and invalidations
/// only where there are none: peers that miss something catch up on it, and memory stays flat. An
/// entry that is larger than the bound waits alone, until there is a newer one.
#[derive(Debug)]
pub(crate) struct Outbox {
    max_bytes: usize,
    queue: Mutex<Queue>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    invalidations: VecDeque<Subject>,
    entries: VecDeque<Subject>,
    newest: HashMap<Subject, News>,
    /// What all of them weigh.
    bytes: usize,
    /// What the entries among them do.
    entry_bytes: usize,
    is_closed: bool,
}

impl Outbox {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            queue: Mutex::default(),
            filled: Notify::new(),
        }
    }

    /// Queues news; tells how many had to be dropped. In a queue of no bytes and once it is closed
    /// that is the news themselves.
    pub(crate) fn push(&self, news: News) -> usize {
        if self.max_bytes == 0 {
            return 1;
        }
        let mut queue = self.queue();
        if queue.is_closed {
            return 1;
        }
        queue.put(news);
        let mut dropped = 0;
        while queue.is_over(self.max_bytes) && queue.drop_one().is_some() {
            dropped += 1;
        }
        drop(queue);
        self.filled.notify_one();
        dropped
    }

    /// Takes what is first in line; waits where there is nothing, or that weighs more than `room`,
    /// until there will be nothing any more. Cancelling the call loses nothing. For one consumer.
    pub(crate) async fn pop(&self, room: usize) -> Option<News> {
        loop {
            let filled = self.filled.notified();
            {
                let mut queue = self.queue();
                match queue.first_weight() {
                    Some(weight) if weight <= room => return queue.take_first(),
                    None if queue.is_closed => return None,
                    _ => {}
                }
            }
            filled.await;
        }
    }

    /// Lets the consumer end once it has taken all that is waiting.
    pub(crate) fn close(&self) {
        self.queue().is_closed = true;
        self.filled.notify_one();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // The queue is whole between any two statements that could panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn put(&mut self, news: News) {
        let subject = news.subject();
        let news = match self.newest.remove(&subject) {
            Some(waiting) => {
                self.discount(&waiting);
                waiting.or_newer(news)
            }
            None => {
                match &subject {
                    Subject::Entry(_) => self.entries.push_back(subject.clone()),
                    Subject::Tombstone(_) => self.invalidations.push_back(subject.clone()),
                }
                news
            }
        };
        self.bytes += news.weight();
        self.entry_bytes += news.entry_weight();
        self.newest.insert(subject, news);
    }

    /// Whether something has to go.
    fn is_over(&self, max_bytes: usize) -> bool {
        // It would never get out otherwise.
        let is_one_large = self.entries.len() == 1 && self.entry_bytes > max_bytes;
        let bounded = self.bytes - if is_one_large { self.entry_bytes } else { 0 };
        bounded > max_bytes
    }

    fn first_weight(&self) -> Option<usize> {
        let first = self.invalidations.front().or_else(|| self.entries.front());
        Some(self.newest.get(first?)?.weight())
    }

    fn take_first(&mut self) -> Option<News> {
        let invalidation = self.invalidations.pop_front();
        let first = invalidation.or_else(|| self.entries.pop_front());
        self.take(&first?)
    }

    fn drop_one(&mut self) -> Option<News> {
        let entry = self.entries.pop_front();
        let first = entry.or_else(|| self.invalidations.pop_front());
        self.take(&first?)
    }

    fn take(&mut self, subject: &Subject) -> Option<News> {
        let news = self.newest.remove(subject)?;
        self.discount(&news);
        Some(news)
    }

    fn discount(&mut self, news: &News) {
        self.bytes -= news.weight();
        self.entry_bytes -= news.entry_weight();
    }
}

impl News {
    pub(crate) fn into_message(self) -> Message {
        match self {
            Self::Put {
                renewal: Some(renewal),
                ..
            } => Message::Renew(renewal),
            Self::Put { key, entry, .. } => Message::Put(Put { key, entry }),
            Self::Invalidate(tombstone) => Message::Invalidate(tombstone),
        }
    }

    fn subject(&self) -> Subject {
        match self {
            Self::Put { key, .. } => Subject::Entry(*key),
            Self::Invalidate(tombstone) => Subject::Tombstone(tombstone.target.clone()),
        }
    }

    /// The newer of two about the same subject.
    fn or_newer(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Put {
                    entry: ours,
                    renewal: waiting,
                    ..
                },
                Self::Put {
                    key,
                    entry,
                    renewal,
                },
            ) if merge::compare(&ours, &entry).is_lt() => {
                // Nobody was told what was waiting.
                let renewal = waiting.zip(renewal);
                let renewal = renewal.and_then(|(first, then)| then.after(&first, &entry));
                Self::Put {
                    key,
                    entry,
                    renewal,
                }
            }
            (ours @ Self::Put { .. }, Self::Put { .. }) => ours,
            (Self::Invalidate(ours), Self::Invalidate(theirs)) if ours.stamp > theirs.stamp => {
                Self::Invalidate(ours)
            }
            (_, other) => other,
        }
    }

    /// What it occupies in memory, in bytes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Put { entry, .. } => entry.weight(),
            Self::Invalidate(tombstone) => tombstone.weight(),
        }
    }

    fn entry_weight(&self) -> usize {
        match self {
            Self::Put { .. } => self.weight(),
            Self::Invalidate(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests;
