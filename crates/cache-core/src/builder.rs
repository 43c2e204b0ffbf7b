//! The settings of a cache.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::aside::Aside;
use crate::cache::Cache;
use crate::replica::{Bounds, Replica};
use crate::tier::Tier;
use crate::time::{Clock, SystemClock};
use crate::transport::{NoTransport, Transport};

/// The settings of a [`Cache`]; made by [`Cache::builder`].
pub struct Builder {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    bounds: Bounds,
    tier: Option<Arc<dyn Tier>>,
    aside: Aside,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            transport: Arc::new(NoTransport),
            clock: Arc::new(SystemClock),
            bounds: Bounds::default(),
            tier: None,
            aside: Aside::default(),
        }
    }
}

impl Builder {
    /// Shares with the peers of `transport`. The default is [`NoTransport`].
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Arc::new(transport);
        self
    }

    /// Tells the time by `clock`. The default is [`SystemClock`].
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Bounds what the cache occupies in memory, in bytes, within a tenth; the default is 256 MiB. At
    /// the bound the entries that are asked for least are evicted.
    ///
    /// | part | may take |
    /// | --- | --- |
    /// | what waits to be pushed | 1/16 |
    /// | the frames of the pushes under way | 1/16 |
    /// | what waits to be written to disk, where there is one | 1/16, and half as much in invalidations |
    /// | what is remembered of entries that were evicted | 1/32 |
    /// | invalidations | 1/32 |
    /// | the entries, their keys and tables | the rest |
    ///
    /// What waits, is pushed and is invalidated may take 1 MiB each, however small the cache; below
    /// 16 MiB that goes beyond the bound. At the bound on invalidations the oldest gives way to one
    /// that voids all that is as old as what it did.
    ///
    /// A value that is larger than one of the sixteenths waits there alone, and goes beyond it.
    /// Below 130 MiB there are such values that peers can be sent; from there on there are none.
    ///
    /// Beside it counts what is in the hands of others: answers on their way to callers and to peers,
    /// what the transport holds, and with a store on disk 16 MiB at most that the database keeps of
    /// its file.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.bounds.max_bytes = bytes;
        self
    }

    /// Bounds the number of entries in memory, too. There is no such bound by default.
    #[must_use]
    pub fn max_entries(mut self, entries: u64) -> Self {
        self.bounds.max_entries = entries;
        self
    }

    /// Keeps entries on disk, too, beyond what the memory holds and the end of the process. There is
    /// no such store by default.
    #[cfg(feature = "disk")]
    #[must_use]
    pub fn disk(mut self, disk: crate::disk::Disk) -> Self {
        self.tier = Some(Arc::new(disk));
        self
    }

    /// Keeps entries in `disk`, which a test looks after, and which outlives the cache.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn memory_disk(mut self, disk: crate::testing::MemoryDisk) -> Self {
        self.tier = Some(Arc::new(disk));
        self
    }

    /// Does on the spot what would otherwise be done on threads apart, which take turns as real time
    /// has it. With this, a run in virtual time on one thread can be had again from its seed.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn in_turn(mut self) -> Self {
        self.aside = Aside::InTurn;
        self
    }

    /// Bounds what waits to be pushed to the peers, in bytes, beside [`max_bytes`](Self::max_bytes);
    /// the default is a share of that. At the bound what has waited longest is not pushed at all, and
    /// at 0 nothing is.
    #[must_use]
    pub fn max_queued_bytes(mut self, bytes: usize) -> Self {
        self.bounds.max_queued_bytes = Some(bytes);
        self
    }

    /// The longest lifetime, ttl and staleness together, that an entry is ever given. An
    /// invalidation is remembered for as long. The default is eight days.
    #[must_use]
    pub fn longest_lifetime(mut self, lifetime: Duration) -> Self {
        self.bounds.longest_lifetime = lifetime;
        self
    }

    /// The cache, with its background tasks running.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, as [`tokio::spawn`] does.
    pub fn build(self) -> Cache {
        let local_peer = self.transport.local_peer();
        let mut replica = Replica::new(local_peer, self.clock, self.bounds, self.tier);
        replica.aside = self.aside;
        Cache::start(replica, self.transport)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("local_peer", &self.transport.local_peer())
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}
