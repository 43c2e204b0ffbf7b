//! The settings of a cache.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::Cache;
use crate::freshness::Lifetime;
use crate::replica::Replica;
use crate::time::{Clock, SystemClock};
use crate::transport::{NoTransport, Transport};

/// The settings of a [`Cache`]; made by [`Cache::builder`].
pub struct Builder {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    max_bytes: u64,
    max_queued_bytes: usize,
    longest_lifetime: Duration,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            transport: Arc::new(NoTransport),
            clock: Arc::new(SystemClock),
            max_bytes: 256 * 1024 * 1024,
            max_queued_bytes: 64 * 1024 * 1024,
            longest_lifetime: Duration::from_secs(8 * 24 * 3600),
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

    /// Bounds what the entries occupy in memory, in bytes; the default is 256 MiB. At the bound
    /// those that are asked for least are evicted.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Bounds what waits to be pushed to the peers, in bytes; the default is 64 MiB. At the bound
    /// what has waited longest is not pushed at all.
    #[must_use]
    pub fn max_queued_bytes(mut self, bytes: usize) -> Self {
        self.max_queued_bytes = bytes;
        self
    }

    /// The longest lifetime, ttl and staleness together, that an entry is ever given. An
    /// invalidation is remembered for as long. The default is eight days.
    #[must_use]
    pub fn longest_lifetime(mut self, lifetime: Duration) -> Self {
        self.longest_lifetime = lifetime;
        self
    }

    /// The cache, with its background tasks running.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, as [`tokio::spawn`] does.
    pub fn build(self) -> Cache {
        let replica = Replica::new(
            self.transport.local_peer(),
            self.clock,
            self.max_bytes,
            self.max_queued_bytes,
        );
        let tombstone_lifetime = Lifetime::fresh_for(self.longest_lifetime);
        Cache::start(replica, self.transport, tombstone_lifetime)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("local_peer", &self.transport.local_peer())
            .field("max_bytes", &self.max_bytes)
            .field("max_queued_bytes", &self.max_queued_bytes)
            .field("longest_lifetime", &self.longest_lifetime)
            .finish_non_exhaustive()
    }
}
