//! This member's copy of what the fleet knows.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::arrivals::Arrivals;
use crate::aside::Aside;
use crate::catch_up::Due;
use crate::digest::BUCKETS;
use crate::elsewhere::Elsewhere;
use crate::events::Announcer;
use crate::index::Index;
use crate::lease::Leases;
use crate::members::Members;
use crate::outbox::Outbox;
use crate::peer::PeerId;
use crate::shares::Shares;
use crate::stats::{Counters, Stats};
use crate::store::Store;
use crate::sums::Sums;
use crate::tier::Tier;
use crate::time::{Clock, MeshClock, MeshTime};
use crate::tombstone::{MAX_TOMBSTONES, Tombstones};

mod admission;
mod known;
mod reading;
mod stamping;

pub(crate) use admission::Received;

/// The copy that the cache in front and the node behind work on together.
pub(crate) struct Replica {
    pub(crate) local_peer: PeerId,
    pub(crate) outbox: Outbox,
    /// What the pushes under way may occupy together, in bytes.
    pub(crate) max_pushed_bytes: usize,
    pub(crate) counters: Arc<Counters>,
    pub(crate) events: Arc<Announcer>,
    pub(crate) clock: MeshClock,
    /// Where work is done that takes long.
    pub(crate) aside: Aside,
    /// Who waits for an entry.
    pub(crate) arrivals: Arrivals,
    /// Who may fetch what this member decides about.
    pub(crate) leases: Leases,
    /// How all members stand.
    pub(crate) members: Members,
    /// What others have.
    pub(crate) elsewhere: Elsewhere,
    /// With whom to catch up.
    pub(crate) due: Due,
    /// Whether some peer's knowledge has been gone through since the start.
    caught_up: OnceLock<Instant>,
    store: Store,
    index: Arc<Index>,
    /// Over what either of them knows.
    sums: Arc<Sums>,
    tombstones: Tombstones,
    tier: Option<Arc<dyn Tier>>,
    /// The latest stamp on disk at the start; entries there are only seen when they are asked for.
    recalled: MeshTime,
    /// The latest stamp seen, which a tombstone has to be later than.
    latest: AtomicU64,
    /// For how long an invalidation has to be remembered.
    longest_lifetime: Duration,
    /// Told when an invalidation has left something to sweep.
    pub(crate) overdue: Notify,
}

/// The bounds of a replica.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) max_bytes: u64,
    pub(crate) max_entries: u64,
    /// Where it is not to follow from `max_bytes`.
    pub(crate) max_queued_bytes: Option<usize>,
    pub(crate) longest_lifetime: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            max_bytes: 256 * 1024 * 1024,
            max_entries: u64::MAX,
            max_queued_bytes: None,
            longest_lifetime: Duration::from_secs(8 * 24 * 3600),
        }
    }
}

impl Replica {
    pub(crate) fn new(
        local_peer: PeerId,
        clock: Arc<dyn Clock>,
        bounds: Bounds,
        tier: Option<Arc<dyn Tier>>,
    ) -> Self {
        let shares = Shares::of(&bounds, tier.is_some());
        let sums = Arc::new(Sums::new(BUCKETS));
        let index = Arc::new(Index::new(shares.index, Arc::clone(&sums)));
        let tombstones = Tombstones::new(MAX_TOMBSTONES, shares.tombstones);
        if let Some(tier) = &tier {
            tier.bound_pending(shares.pending);
        }
        let recalled = tier.as_ref().map(|tier| tier.recall()).unwrap_or_default();
        for tombstone in recalled.tombstones {
            tombstones.insert(tombstone);
        }
        let replica = Self {
            local_peer,
            outbox: Outbox::new(shares.queued),
            max_pushed_bytes: shares.pushed,
            counters: Arc::default(),
            events: Arc::default(),
            arrivals: Arrivals::default(),
            leases: Leases::new(clock.now()),
            members: Members::new(local_peer, clock.now()),
            elsewhere: Elsewhere::new(),
            due: Due::new(local_peer),
            caught_up: OnceLock::new(),
            clock: MeshClock::new(clock),
            aside: Aside::default(),
            store: Store::new(
                shares.entries,
                bounds.max_entries,
                Arc::clone(&index),
                Arc::clone(&sums),
            ),
            index,
            sums,
            tombstones,
            tier,
            recalled: recalled.latest,
            latest: AtomicU64::new(recalled.latest.as_millis()),
            longest_lifetime: bounds.longest_lifetime,
            overdue: Notify::new(),
        };
        replica.cut_off_future(replica.now());
        replica
    }

    /// Since when this member knows what some other one does.
    pub(crate) fn caught_up_at(&self) -> Option<Instant> {
        self.caught_up.get().copied()
    }

    pub(crate) fn set_caught_up(&self) {
        self.caught_up.get_or_init(Instant::now);
    }

    /// The counters, and what is so at this moment.
    pub(crate) fn stats(&self, connected_peers: u64) -> Stats {
        let (entries, bytes) = self.store.size();
        Stats {
            entries,
            bytes,
            disk: self.tier.as_ref().map(|tier| tier.stats()),
            connected_peers,
            ..self.counters.snapshot()
        }
    }

    pub(crate) fn tier(&self) -> Option<&Arc<dyn Tier>> {
        self.tier.as_ref()
    }
}
