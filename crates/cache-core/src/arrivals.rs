//! Who waits for an entry to come in, from wherever.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::concurrency::{DashMap, Entry};
use crate::key::Key;

/// The keys that somebody waits for. Bounded by whoever bounds the lookups.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    awaited: Arc<DashMap<Key, Arrival>>,
}

/// The next arrival of one key, and how many wait for it.
#[derive(Debug, Default)]
struct Arrival {
    waiting: usize,
    arrived: Arc<Notify>,
}

/// A place to wait for one key.
#[derive(Debug)]
pub(crate) struct Awaited {
    key: Key,
    awaited: Arc<DashMap<Key, Arrival>>,
    arrived: Arc<Notify>,
}

impl Arrivals {
    pub(crate) fn wait_for(&self, key: Key) -> Awaited {
        let mut arrival = self.awaited.entry(key).or_default();
        arrival.waiting += 1;
        Awaited {
            key,
            awaited: Arc::clone(&self.awaited),
            arrived: Arc::clone(&arrival.arrived),
        }
    }

    /// Wakes those who wait for `key`.
    pub(crate) fn tell(&self, key: &Key) {
        if let Some(arrival) = self.awaited.get(key) {
            arrival.arrived.notify_waiters();
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
        if let Entry::Occupied(mut arrival) = self.awaited.entry(self.key) {
            arrival.get_mut().waiting -= 1;
            if arrival.get().waiting == 0 {
                arrival.remove();
            }
        }
    }
}
