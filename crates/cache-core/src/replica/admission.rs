//! What gets into a replica and what has to leave it, by which rules.

use bytes::Bytes;

use super::Replica;
use super::stamping::VoidUntil;
use crate::entry::Entry;
use crate::events::Event;
use crate::freshness::Lifetime;
use crate::key::{Key, Resource};
use crate::outbox::News;
use crate::path::Path;
use crate::peer::PeerId;
use crate::renewal::{Renewal, Untrue};
use crate::store::{Merged, Store};
use crate::time::MeshTime;
use crate::tombstone::{Target, Tombstone};
use crate::wire::{LONG, Put};

/// What became of something from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Newer than what was held, and kept.
    Accepted,
    /// Nothing new.
    Ignored,
    /// New, and to be had where it comes from.
    Elsewhere,
    /// Its stamp lies further ahead of our clock than [`MAX_SKEW`](crate::MAX_SKEW).
    FromTheFuture,
}

/// What an entry has taken the place of in memory, if of anything.
struct Replaced(Option<Entry>);

/// Whether the version that had to make room is welcome again: [`Store::restore`], or not.
type Merge = fn(&Store, Key, &Entry, MeshTime) -> Merged;

impl Replica {
    /// Keeps a value of our own and queues it for the peers, unless an invalidation has come in
    /// since the stamp was taken, or the stamp lies ahead of a clock that was put back.
    pub(crate) fn commit(
        &self,
        resource: Resource,
        stamp: MeshTime,
        value: Bytes,
        lifetime: Lifetime,
    ) -> Entry {
        let Resource { key, path } = resource;
        let entry = Entry::new(stamp, self.local_peer, path, value, lifetime);
        // What is dead on arrival takes the place of what was there all the same.
        let counts = !stamp.is_ahead_of(self.now()) && !self.is_void(&key, &entry);
        if counts && let Some(replaced) = self.keep(key, &entry, Store::merge) {
            let base = replaced.0;
            self.tell_peers(News::Put {
                key,
                entry: entry.clone(),
                renewal: base.and_then(|base| Renewal::of(key, &base, &entry)),
            });
        }
        entry
    }

    /// Makes a target void and queues that for the peers.
    pub(crate) fn bury(&self, target: Target) {
        let VoidUntil { here, told } = self.void_until();
        let tombstone = Tombstone {
            target,
            stamp: here,
            kept_for: self.longest_lifetime,
            origin: self.local_peer,
        };
        if self.remember(tombstone.clone()) {
            let stamp = told;
            self.tell_peers(News::Invalidate(Tombstone { stamp, ..tombstone }));
        }
    }

    /// Merges an entry that a peer has sent.
    pub(crate) fn receive(&self, put: Put) -> Received {
        self.take(put, Store::merge)
    }

    /// Merges an entry that was asked for: what had to make room is welcome again.
    pub(crate) fn receive_answer(&self, put: Put) -> Received {
        self.take(put, Store::restore)
    }

    /// Makes a version of the one that is held, as a peer has told how, and merges it. Who does not
    /// hold that one in memory hears where to get the new one.
    pub(crate) fn receive_renewal(&self, renewal: &Renewal) -> Result<Received, Untrue> {
        let Renewal {
            key,
            stored_at,
            origin,
            ..
        } = *renewal;
        let received = self.judge(&key, stored_at);
        if received != Received::Elsewhere {
            return Ok(self.count(received));
        }
        let base = self.store.peek(&key);
        if let Some(base) = base.filter(|base| renewal.is_made_of(base)) {
            let entry = renewal.apply(&base)?;
            return Ok(self.receive(Put { key, entry }));
        }
        // Many may lack what is long, because it was only announced to them.
        if renewal.value_len() <= LONG {
            self.due.want(&origin);
        }
        Ok(self.hear_of(key, stored_at, origin))
    }

    /// Takes note that a member has a version, and tells those who wait for one.
    pub(crate) fn hear_of(&self, key: Key, stored_at: MeshTime, holder: PeerId) -> Received {
        let received = self.judge(&key, stored_at);
        if received == Received::Elsewhere {
            self.elsewhere.note(key, holder, stored_at);
            self.arrivals.tell(&key);
        }
        self.count(received)
    }

    /// Whether a version that is not at hand would be news, as far as can be told without its path.
    fn judge(&self, key: &Key, stored_at: MeshTime) -> Received {
        if stored_at.is_ahead_of(self.now()) {
            return Received::FromTheFuture;
        }
        let is_void = self.tombstones.cover(key, &Path::root(), stored_at);
        if is_void || self.version_of(key) >= Some(stored_at) {
            return Received::Ignored;
        }
        Received::Elsewhere
    }

    fn take(&self, put: Put, merge: Merge) -> Received {
        let Put { key, entry } = put;
        let now = self.now();
        self.count(if entry.stored_at().is_ahead_of(now) {
            Received::FromTheFuture
        } else if self.is_void(&key, &entry) {
            self.leases.end_void(&key, entry.origin());
            Received::Ignored
        } else if !self.is_over(&entry, now) && self.keep(key, &entry, merge).is_some() {
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
        self.cut_off_future(now);
        for (key, entry) in self.store.iter() {
            if self.is_over(&entry, now) || self.is_void(&key, &entry) {
                self.drop_if_over(key, now);
            }
        }
        // What tombstones cover, no older copy can pass for news of.
        for (key, evicted) in self.index.all() {
            let stored_at = evicted.version.stored_at;
            if self.tombstones.cover(&key, &evicted.path, stored_at) {
                self.index.forget_version(&key, evicted.version);
            }
        }
        if let Some(tier) = &self.tier {
            tier.sweep(now);
        }
        self.tombstones.sweep(now);
    }

    /// Merges into every tier; tells what the entry has taken the place of, if it was news.
    fn keep(&self, key: Key, entry: &Entry, merge: Merge) -> Option<Replaced> {
        let now = self.now();
        let mut merged = merge(&self.store, key, entry, now);
        // One from when a clock ran ahead, or that has died, is dropped when it is looked at.
        if merged == Merged::Ignored && self.get(&key, now).is_none() {
            merged = merge(&self.store, key, entry, now);
        }
        let Merged::Accepted { replaced, evicted } = merged else {
            return None;
        };
        let is_expired = |it: &Entry| self.is_over(it, now) && !self.is_void(&key, it);
        if replaced.as_ref().is_some_and(is_expired) {
            self.expired(key);
        }
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
        self.elsewhere.came(&key, entry.stored_at());
        self.leases
            .end_if_answered(&key, entry.origin(), self.is_fresh(entry));
        self.arrivals.tell(&key);
        Some(Replaced(replaced))
    }

    /// Tells of what had to make room.
    pub(super) fn let_go(&self, evicted: Vec<(Key, Entry)>) {
        for (key, _) in evicted {
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

    /// Drops what is held under `key`, unless a merge has brought a living entry meanwhile.
    pub(super) fn drop_if_over(&self, key: Key, now: MeshTime) {
        let mut void = None;
        let dropped = self.store.drop_if(&key, |held| {
            let is_void = self.is_void(&key, held);
            void = is_void.then(|| held.clone());
            is_void || self.is_over(held, now)
        });
        if let Some(entry) = void {
            self.discard(key, &entry);
        } else if dropped {
            self.expired(key);
        }
    }

    pub(super) fn expired(&self, key: Key) {
        self.counters.expirations.add(1);
        self.events.tell(|| Event::Expired(key));
    }

    pub(super) fn discard(&self, key: Key, entry: &Entry) {
        if let Some(tier) = &self.tier {
            tier.discard(key, entry);
        }
    }

    fn tell_peers(&self, news: News) {
        let dropped = self.outbox.push(news);
        self.counters.failed.add(dropped as u64);
    }

    fn count(&self, received: Received) -> Received {
        match received {
            Received::Accepted => self.counters.accepted.add(1),
            Received::Ignored | Received::Elsewhere => self.counters.ignored.add(1),
            Received::FromTheFuture => self.counters.rejected.add(1),
        }
        received
    }
}
