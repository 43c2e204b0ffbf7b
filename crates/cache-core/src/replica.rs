//! This member's copy of what the fleet knows: the store, and the rules for what gets into it.

use std::sync::Arc;

use bytes::Bytes;

use crate::entry::Entry;
use crate::freshness::{Freshness, Lifetime, State};
use crate::key::Key;
use crate::outbox::Outbox;
use crate::peer::PeerId;
use crate::stats::Counters;
use crate::store::{Merged, Store};
use crate::time::{Clock, MAX_SKEW, MeshTime};
use crate::wire::Put;

/// The copy that the cache in front and the node behind work on together.
pub(crate) struct Replica {
    pub(crate) local_peer: PeerId,
    pub(crate) store: Store,
    pub(crate) outbox: Outbox,
    pub(crate) counters: Arc<Counters>,
    clock: Arc<dyn Clock>,
}

/// What became of an entry from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Newer than what was held, and kept.
    Accepted,
    /// Nothing new.
    Ignored,
    /// Its stamp lies further ahead of our clock than [`MAX_SKEW`].
    FromTheFuture,
}

impl Replica {
    pub(crate) fn new(
        local_peer: PeerId,
        clock: Arc<dyn Clock>,
        max_bytes: u64,
        max_queued_bytes: usize,
    ) -> Self {
        let counters = Arc::<Counters>::default();
        Self {
            local_peer,
            store: Store::new(max_bytes, Arc::clone(&counters)),
            outbox: Outbox::new(max_queued_bytes),
            counters,
            clock,
        }
    }

    pub(crate) fn now(&self) -> MeshTime {
        self.clock.now()
    }

    /// What is held under `key` and not dead; a tombstone, too.
    pub(crate) fn get(&self, key: &Key) -> Option<Entry> {
        self.store.get(key, self.now())
    }

    /// A stamp for what upstream is about to be asked under `key`: the present, or the moment
    /// after the newest version held, so that stamps never run backwards.
    ///
    /// It is taken before upstream is asked. An invalidation that comes in while the answer is on
    /// its way is then later than the answer, and wins.
    pub(crate) fn stamp(&self, key: &Key) -> MeshTime {
        let now = self.now();
        match self.store.get(key, now) {
            Some(held) => now.max(held.stored_at().next()),
            None => now,
        }
    }

    /// Keeps a value of our own and queues it for the peers.
    pub(crate) fn commit(
        &self,
        key: Key,
        stamp: MeshTime,
        value: Bytes,
        lifetime: Lifetime,
    ) -> Entry {
        let entry = Entry::value(stamp, self.local_peer, value, lifetime);
        self.publish(key, entry.clone());
        entry
    }

    /// Puts a tombstone of our own over `key` and queues it for the peers.
    pub(crate) fn bury(&self, key: Key, lifetime: Lifetime) {
        let tombstone = Entry::tombstone(self.stamp(&key), self.local_peer, lifetime);
        self.publish(key, tombstone);
    }

    /// Merges what a peer has sent.
    pub(crate) fn receive(&self, put: Put) -> Received {
        let now = self.now();
        let Put { key, entry } = put;
        let received = if entry.stored_at() > now.saturating_add(MAX_SKEW) {
            Received::FromTheFuture
        } else if entry.state(now, Freshness::AS_STORED) == State::Dead {
            Received::Ignored
        } else {
            match self.store.merge(key, entry) {
                Merged::Accepted => Received::Accepted,
                Merged::Ignored => Received::Ignored,
            }
        };
        match received {
            Received::Accepted => self.counters.accepted.add(1),
            Received::Ignored => self.counters.ignored.add(1),
            Received::FromTheFuture => self.counters.rejected.add(1),
        }
        received
    }

    fn publish(&self, key: Key, entry: Entry) {
        if self.store.merge(key, entry.clone()) == Merged::Accepted {
            let dropped = self.outbox.push(key, entry);
            self.counters.failed.add(dropped as u64);
        }
    }
}
