//! Who waits for an entry to come in, from wherever.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::concurrency::{DashMap, Entry};
use crate::key::Key;

/// The keys that somebody waits for. Bounded by whoever bounds the lookups.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    awaited: Arc<DashMap<Key, Arc<Notify>>>,
}

/// A place to wait for one key.
#[derive(Debug)]
pub(crate) struct Awaited {
    key: Key,
    awaited: Arc<DashMap<Key, Arc<Notify>>>,
    arrived: Arc<Notify>,
}

impl Arrivals {
    pub(crate) fn wait_for(&self, key: Key) -> Awaited {
        Awaited {
            key,
            awaited: Arc::clone(&self.awaited),
            arrived: Arc::clone(&self.awaited.entry(key).or_default()),
        }
    }

    /// Wakes those who wait for `key`.
    pub(crate) fn tell(&self, key: &Key) {
        if let Some(arrived) = self.awaited.get(key) {
            arrived.notify_waiters();
        }
    }
}

impl Awaited {
    /// Ends with the next arrival after it was created, polled or not.
    pub(crate) fn arrival(&self) -> impl Future<Output = ()> {
        self.arrived.notified()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        if let Entry::Occupied(awaited) = self.awaited.entry(self.key) {
            // One in the table, one here: nobody else waits.
            if Arc::strong_count(awaited.get()) == 2 {
                awaited.remove();
            }
        }
    }
}
