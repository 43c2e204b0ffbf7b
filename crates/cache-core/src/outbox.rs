//! The queue of what peers have yet to be told.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::entry::Entry;
use crate::key::Key;
use crate::merge;

/// Entries waiting to be pushed, oldest first, the newest version of a key only.
///
/// Bounded in bytes. At the bound the entries that have waited longest are dropped: peers that
/// miss them fetch for themselves, and memory stays flat.
#[derive(Debug)]
pub(crate) struct Outbox {
    max_bytes: usize,
    queue: Mutex<Queue>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    order: VecDeque<Key>,
    newest: HashMap<Key, Entry>,
    bytes: usize,
}

impl Outbox {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            queue: Mutex::default(),
            filled: Notify::new(),
        }
    }

    /// Queues an entry; tells how many had to be dropped. One that would not fit an empty queue
    /// is dropped itself.
    pub(crate) fn push(&self, key: Key, entry: Entry) -> usize {
        if entry.weight() > self.max_bytes {
            return 1;
        }
        let mut queue = self.queue();
        queue.bytes += entry.weight();
        match queue.newest.remove(&key) {
            Some(waiting) => {
                let both = waiting.weight() + entry.weight();
                let kept = merge::merge(waiting, entry);
                queue.bytes = queue.bytes - both + kept.weight();
                queue.newest.insert(key, kept);
            }
            None => {
                queue.order.push_back(key);
                queue.newest.insert(key, entry);
            }
        }
        let mut dropped = 0;
        while queue.bytes > self.max_bytes && queue.take_first().is_some() {
            dropped += 1;
        }
        drop(queue);
        self.filled.notify_one();
        dropped
    }

    /// Takes the entry that has waited longest; waits for one where there is none. Cancelling the
    /// call loses nothing. For one consumer.
    pub(crate) async fn pop(&self) -> (Key, Entry) {
        loop {
            let filled = self.filled.notified();
            if let Some(first) = self.queue().take_first() {
                return first;
            }
            filled.await;
        }
    }

    /// Whether nothing is waiting.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue().order.is_empty()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // The queue is whole between any two statements that could panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn take_first(&mut self) -> Option<(Key, Entry)> {
        let key = self.order.pop_front()?;
        let entry = self.newest.remove(&key)?;
        self.bytes -= entry.weight();
        Some((key, entry))
    }
}

#[cfg(test)]
mod tests;
