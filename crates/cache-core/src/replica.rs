//! This member's copy of what the fleet knows: the store, and the rules for what gets into it.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::arrivals::Arrivals;
use crate::aside::Aside;
use crate::entry::Entry;
use crate::events::{Announcer, Event};
use crate::fetch::Source;
use crate::freshness::{Freshness, Lifetime, State};
use crate::index::Index;
use crate::key::{Family, Key, Resource, Scope};
use crate::lease::Leases;
use crate::members::Members;
use crate::merge::Version;
use crate::outbox::{News, Outbox};
use crate::path::Path;
use crate::peer::PeerId;
use crate::stats::{Counters, Stats};
use crate::store::{Merged, Store};
use crate::tier::Tier;
use crate::time::{Clock, MAX_SKEW, MeshClock, MeshTime, Observed};
use crate::tombstone::{Target, Tombstone, Tombstones};
use crate::wire::Put;

mod known;

/// Tombstones that are remembered one by one.
const MAX_TOMBSTONES: usize = 16 * 1024;

/// The part of the memory, one in so many, that is given to the index of what was evicted.
const INDEX_SHARE: u64 = 32;

/// Entries of one family that are looked at, of however many there are.
const MAX_SIBLINGS: usize = 16;

/// A correction of the clock that somebody may want to know of, in milliseconds.
const WORTH_TELLING: u64 = 1000;

/// The copy that the cache in front and the node behind work on together.
pub(crate) struct Replica {
    pub(crate) local_peer: PeerId,
    pub(crate) outbox: Outbox,
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
    /// Whether some peer's knowledge has been gone through since the start.
    caught_up: OnceLock<Instant>,
    store: Store,
    index: Index,
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
    pub(crate) max_queued_bytes: usize,
    pub(crate) longest_lifetime: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            max_bytes: 256 * 1024 * 1024,
            max_entries: u64::MAX,
            max_queued_bytes: 64 * 1024 * 1024,
            longest_lifetime: Duration::from_secs(8 * 24 * 3600),
        }
    }
}

/// What became of something from a peer.
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
        bounds: Bounds,
        tier: Option<Arc<dyn Tier>>,
    ) -> Self {
        let index_bytes = bounds.max_bytes / INDEX_SHARE;
        let tombstones = Tombstones::new(MAX_TOMBSTONES);
        let recalled = tier.as_ref().map(|tier| tier.recall()).unwrap_or_default();
        for tombstone in recalled.tombstones {
            tombstones.insert(tombstone);
        }
        Self {
            local_peer,
            outbox: Outbox::new(bounds.max_queued_bytes),
            counters: Arc::default(),
            events: Arc::default(),
            arrivals: Arrivals::default(),
            leases: Leases::new(clock.now()),
            members: Members::new(local_peer, clock.now()),
            caught_up: OnceLock::new(),
            clock: MeshClock::new(clock),
            aside: Aside::default(),
            store: Store::new(bounds.max_bytes - index_bytes, bounds.max_entries),
            index: Index::new(index_bytes),
            tombstones,
            tier,
            recalled: recalled.latest,
            latest: AtomicU64::new(recalled.latest.as_millis()),
            longest_lifetime: bounds.longest_lifetime,
            overdue: Notify::new(),
        }
    }

    pub(crate) fn now(&self) -> MeshTime {
        self.clock.now()
    }

    pub(crate) fn observe_upstream_time(&self, upstream: MeshTime) {
        match self.clock.observe(upstream) {
            Observed::Unchanged => {}
            Observed::Moved { from, to } if from.abs_diff(to) >= WORTH_TELLING => tracing::info!(
                "the local clock differs from upstream's: {to} ms are added to it from now on"
            ),
            Observed::Moved { .. } => {}
            Observed::Absurd => tracing::debug!(
                "upstream's clock says {upstream}, over a day from the local one: not believed"
            ),
        }
    }

    /// What is held in memory under `key`, if it is neither dead nor void.
    pub(crate) fn get(&self, key: &Key, now: MeshTime) -> Option<Entry> {
        let entry = self.store.get(key)?;
        if self.is_over(&entry, now) || self.is_void(key, &entry) {
            self.drop_if_over(*key, now);
            return None;
        }
        Some(entry)
    }

    /// The same, from the second tier where the memory has nothing. Waits for the disk.
    pub(crate) async fn load(&self, key: Key, now: MeshTime) -> Option<Entry> {
        if let Some(entry) = self.get(&key, now) {
            return Some(entry);
        }
        let tier = Arc::clone(self.tier.as_ref()?);
        // A panic there is a miss here.
        let entry = self.aside.run(move || tier.load(&key, now)).await??;
        if self.is_void(&key, &entry) || self.is_over(&entry, now) {
            self.discard(key, &entry);
            return None;
        }
        let evicted = self.evicted(&key, now);
        if evicted.is_some_and(|version| version > Version::of(&entry)) {
            return None;
        }
        self.saw(entry.stored_at());
        if let Merged::Accepted { evicted } = self.store.merge(key, &entry) {
            self.let_go(evicted);
        }
        // Something newer may have come in meanwhile; or the memory may have no room for it.
        let held = self.get(&key, now);
        held.or_else(|| Some(entry).filter(|entry| !self.is_void(&key, entry)))
    }

    /// What is held of a family, in whatever scope, the newest first: what is in memory, else what
    /// is on disk. Waits for the disk.
    pub(crate) async fn family(&self, family: Family, now: MeshTime) -> Vec<(Scope, Entry)> {
        let mut scopes = self.store.scopes(&family);
        if scopes.is_empty()
            && let Some(tier) = self.tier.clone()
        {
            let keys = self.aside.run(move || tier.keys_of(&family, MAX_SIBLINGS));
            let keys = keys.await.unwrap_or_default();
            scopes = keys.into_iter().map(|key| key.scope).collect();
        }
        let mut held = Vec::new();
        // Those that came last are most likely right.
        for scope in scopes.into_iter().rev().take(MAX_SIBLINGS) {
            let entry = self.load(Key::new(family, scope), now).await;
            held.extend(entry.map(|entry| (scope, entry)));
        }
        held.sort_by_key(|(_, entry)| Reverse(entry.stored_at()));
        held
    }

    /// An entry with where it comes from, if it is fresh enough; else the entry again.
    pub(crate) fn if_fresh(
        &self,
        entry: Entry,
        freshness: Freshness,
    ) -> Result<(Entry, Source), Entry> {
        if entry.state(self.now(), freshness) != State::Fresh {
            return Err(entry);
        }
        let source = self.source_of(&entry);
        Ok((entry, source))
    }

    /// Whether an entry is fresh for whoever asks for nothing special.
    pub(crate) fn is_fresh(&self, entry: &Entry) -> bool {
        entry.state(self.now(), Freshness::AS_STORED) == State::Fresh
    }

    /// Whose fetch an entry is owed to.
    pub(crate) fn source_of(&self, entry: &Entry) -> Source {
        if entry.origin() == self.local_peer {
            Source::Hit
        } else {
            Source::PeerHit
        }
    }

    /// A stamp for what upstream is about to be asked: the present, or the moment after the newest
    /// version and the latest invalidation known, so that stamps never run backwards.
    ///
    /// It is taken before upstream is asked. An invalidation that comes in while the answer is on
    /// its way is then later than the answer, and wins.
    pub(crate) fn stamp(&self, resource: &Resource) -> MeshTime {
        let Resource { key, path } = resource;
        let now = self.now();
        let held = self.get(key, now).map(|entry| entry.stored_at());
        let evicted = self.evicted(key, now).map(|version| version.stored_at);
        let void = self.tombstones.until(key, path);
        let recalled = Some(self.recalled).filter(|stamp| !stamp.is_ahead_of(now));
        let seen = [held, evicted, void, recalled].into_iter().flatten().max();
        let stamp = now.max(seen.map(MeshTime::next).unwrap_or_default());
        self.saw(stamp);
        stamp
    }

    /// Keeps a value of our own and queues it for the peers, unless an invalidation has come in
    /// since the stamp was taken.
    pub(crate) fn commit(
        &self,
        resource: Resource,
        stamp: MeshTime,
        value: Bytes,
        lifetime: Lifetime,
    ) -> Entry {
        let Resource { key, path } = resource;
        let entry = Entry::new(stamp, self.local_peer, path, value, lifetime);
        if !self.is_void(&key, &entry) && self.keep(key, &entry) {
            self.tell_peers(News::Put(key, entry.clone()));
        }
        entry
    }

    /// Whether what was so at `moment` has been made void since.
    pub(crate) fn is_void_as_of(&self, resource: &Resource, moment: MeshTime) -> bool {
        self.tombstones.cover(&resource.key, &resource.path, moment)
    }

    /// Makes a target void and queues that for the peers.
    pub(crate) fn bury(&self, target: Target) {
        // No earlier than all that has been seen, so that nothing which it covers is later. What
        // lies further ahead than this counts for nothing here, and is refused elsewhere.
        let now = self.now();
        let latest = MeshTime::from_millis(self.latest.load(Ordering::Relaxed));
        let tombstone = Tombstone {
            target,
            stamp: latest.clamp(now, now.saturating_add(MAX_SKEW)),
            kept_for: self.longest_lifetime,
            origin: self.local_peer,
        };
        if self.remember(tombstone.clone()) {
            self.tell_peers(News::Invalidate(tombstone));
        }
    }

    /// Merges an entry that a peer has sent.
    pub(crate) fn receive(&self, put: Put) -> Received {
        let Put { key, entry } = put;
        let now = self.now();
        self.count(if entry.stored_at().is_ahead_of(now) {
            Received::FromTheFuture
        } else if self.is_void(&key, &entry) {
            self.leases.end_void(&key, entry.origin());
            Received::Ignored
        } else if !self.is_over(&entry, now) && self.keep(key, &entry) {
            Received::Accepted
        } else {
            Received::Ignored
        })
    }

    /// Takes over an invalidation that a peer has sent.
    pub(crate) fn receive_tombstone(&self, tombstone: Tombstone) -> Received {
        let now = self.now();
        self.count(if tombstone.stamp.is_ahead_of(now) {
            Received::FromTheFuture
        } else if tombstone.dies_at() > now && self.remember(tombstone) {
            Received::Accepted
        } else {
            Received::Ignored
        })
    }

    /// Drops what is dead or void, and forgets the tombstones that nothing can meet any more.
    /// Takes time that grows with what is held: not for a thread that others wait for.
    pub(crate) fn sweep(&self) {
        let now = self.now();
        for (key, entry) in self.store.iter() {
            if self.is_over(&entry, now) || self.is_void(&key, &entry) {
                self.drop_if_over(key, now);
            }
        }
        if let Some(tier) = &self.tier {
            tier.sweep(now);
        }
        self.tombstones.sweep(now);
    }

    /// How many entries in memory lie at `path` and below it. Takes time, as a sweep does.
    pub(crate) fn count_under(&self, path: &Path) -> u64 {
        let held = self.store.iter();
        held.filter(|(key, entry)| path.covers(entry.path()) && self.may_serve(key, entry))
            .count() as u64
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

    /// Merges into every tier; tells whether the entry was news.
    fn keep(&self, key: Key, entry: &Entry) -> bool {
        let now = self.now();
        let evicted = self.evicted(&key, now);
        // Drops one from when a clock ran ahead: it would win.
        self.get(&key, now);
        if evicted.is_some_and(|version| version >= Version::of(entry)) {
            return false;
        }
        let Merged::Accepted { evicted } = self.store.merge(key, entry) else {
            return false;
        };
        self.saw(entry.stored_at());
        if let Some(tier) = &self.tier {
            tier.keep(key, entry.clone(), now);
        }
        self.events.tell(|| Event::Kept {
            key,
            stored_at: entry.stored_at(),
            origin: entry.origin(),
        });
        self.let_go(evicted);
        self.leases.end(&key);
        self.arrivals.tell(&key);
        true
    }

    /// Remembers of what had to make room that it was here.
    fn let_go(&self, evicted: Vec<(Key, Entry)>) {
        for (key, entry) in evicted {
            self.index.remember(key, &entry);
            self.counters.evictions.add(1);
            self.events.tell(|| Event::Evicted(key));
        }
    }

    fn remember(&self, tombstone: Tombstone) -> bool {
        let is_news = self.tombstones.insert(tombstone.clone());
        if is_news {
            if let Some(tier) = &self.tier {
                tier.bury(tombstone.clone());
            }
            self.events.tell(|| Event::Invalidated(tombstone.target));
            self.overdue.notify_one();
        }
        is_news
    }

    /// Whether an entry is neither over nor void at this moment.
    pub(crate) fn may_serve(&self, key: &Key, entry: &Entry) -> bool {
        !self.is_over(entry, self.now()) && !self.is_void(key, entry)
    }

    /// Whether an entry counts for nothing, whatever has been invalidated: dead, older than what
    /// invalidations are remembered for, or from a time when a clock ran ahead.
    fn is_over(&self, entry: &Entry, now: MeshTime) -> bool {
        entry.is_dead(now)
            || entry.age(now) >= self.longest_lifetime
            || entry.stored_at().is_ahead_of(now)
    }

    /// The version of an entry that was evicted, unless a clock ran ahead then.
    fn evicted(&self, key: &Key, now: MeshTime) -> Option<Version> {
        let evicted = self.index.get(key);
        evicted.filter(|version| !version.stored_at.is_ahead_of(now))
    }

    fn is_void(&self, key: &Key, entry: &Entry) -> bool {
        self.tombstones.cover(key, entry.path(), entry.stored_at())
    }

    /// Drops what is held under `key`, unless a merge has brought a living entry meanwhile.
    fn drop_if_over(&self, key: Key, now: MeshTime) {
        let mut void = None;
        let dropped = self.store.drop_if(&key, |held| {
            let is_void = self.is_void(&key, held);
            void = is_void.then(|| held.clone());
            is_void || self.is_over(held, now)
        });
        if let Some(entry) = void {
            self.discard(key, &entry);
        } else if dropped {
            self.counters.expirations.add(1);
            self.events.tell(|| Event::Expired(key));
        }
    }

    fn discard(&self, key: Key, entry: &Entry) {
        if let Some(tier) = &self.tier {
            tier.discard(key, entry);
        }
    }

    fn tell_peers(&self, news: News) {
        let dropped = self.outbox.push(news);
        self.counters.failed.add(dropped as u64);
    }

    fn saw(&self, stamp: MeshTime) {
        self.latest.fetch_max(stamp.as_millis(), Ordering::Relaxed);
    }

    fn count(&self, received: Received) -> Received {
        match received {
            Received::Accepted => self.counters.accepted.add(1),
            Received::Ignored => self.counters.ignored.add(1),
            Received::FromTheFuture => self.counters.rejected.add(1),
        }
        received
    }
}
