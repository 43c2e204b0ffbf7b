//! What a replica serves: from memory, else from the second tier.

use std::cmp::Reverse;
use std::sync::Arc;

use super::Replica;
use crate::entry::Entry;
use crate::fetch::Source;
use crate::freshness::{Freshness, State};
use crate::key::{Family, Key, Resource, Scope};
use crate::merge::Version;
use crate::path::Path;
use crate::store::Merged;
use crate::time::MeshTime;

/// Entries of one family that are looked at, of however many there are.
const MAX_SIBLINGS: usize = 16;

impl Replica {
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
        let Merged::Accepted { evicted, .. } = self.store.restore(key, &entry, now) else {
            // Something newer has come in meanwhile.
            return self.get(&key, now);
        };
        self.saw(entry.stored_at());
        self.let_go(evicted);
        // The memory may have no room for it.
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

    /// Whether what was so at `moment` has been made void since.
    pub(crate) fn is_void_as_of(&self, resource: &Resource, moment: MeshTime) -> bool {
        self.tombstones.cover(&resource.key, &resource.path, moment)
    }

    /// Whether an entry is neither over nor void at this moment.
    pub(crate) fn may_serve(&self, key: &Key, entry: &Entry) -> bool {
        !self.is_over(entry, self.now()) && !self.is_void(key, entry)
    }

    /// How many entries in memory lie at `path` and below it. Takes time, as a sweep does.
    pub(crate) fn count_under(&self, path: &Path) -> u64 {
        let held = self.store.iter();
        held.filter(|(key, entry)| path.covers(entry.path()) && self.may_serve(key, entry))
            .count() as u64
    }

    /// Whether an entry counts for nothing, whatever has been invalidated: dead, older than what
    /// invalidations are remembered for, or from a time when a clock ran ahead.
    pub(super) fn is_over(&self, entry: &Entry, now: MeshTime) -> bool {
        entry.is_dead(now)
            || entry.age(now) >= self.longest_lifetime
            || entry.stored_at().is_ahead_of(now)
    }

    pub(super) fn is_void(&self, key: &Key, entry: &Entry) -> bool {
        self.tombstones.cover(key, entry.path(), entry.stored_at())
    }

    /// The version of an entry that was evicted, unless a clock ran ahead then.
    pub(super) fn evicted(&self, key: &Key, now: MeshTime) -> Option<Version> {
        let evicted = self.index.get(key);
        evicted.filter(|version| !version.stored_at.is_ahead_of(now))
    }
}
