//! What a replica tells of itself to members that catch up with it, and what it lacks of theirs.

use std::time::Duration;

use super::Replica;
use crate::digest::{Known, Summary};
use crate::key::Key;
use crate::merge::Version;
use crate::time::MeshTime;
use crate::tombstone::Tombstone;

/// What dies within this time is not worth catching up on.
const NOT_WORTH_IT: Duration = Duration::from_secs(60);

impl Replica {
    /// What a peer may lack, each key once. Takes time, as a sweep does.
    pub(crate) fn known(&self) -> impl Iterator<Item = Known> {
        let until = self.now().saturating_add(NOT_WORTH_IT);
        let held = self.store.iter();
        let held = held
            .filter(move |(key, entry)| {
                entry.dies_at() > until && entry.fits_a_frame() && !self.is_void(key, entry)
            })
            .map(|(key, entry)| Known::of(key, Version::of(&entry), true));
        let evicted = self.index.all().into_iter();
        let evicted = evicted
            .filter(move |(key, evicted)| evicted.dies_at > until && !self.store.contains(key))
            .map(|(key, evicted)| Known::of(key, evicted.version, false));
        held.chain(evicted)
    }

    /// The tombstones that a peer may lack.
    pub(crate) fn tombstones(&self) -> Vec<Tombstone> {
        let until = self.now().saturating_add(NOT_WORTH_IT);
        let mut tombstones = self.tombstones.snapshot();
        tombstones.retain(|tombstone| tombstone.dies_at() > until);
        tombstones
    }

    /// The sums over [`known`](Self::known) and [`tombstones`](Self::tombstones).
    pub(crate) fn summary(&self) -> Summary {
        Summary::of(self.known(), self.tombstones())
    }

    /// The stamp of the newest version known.
    pub(crate) fn version_of(&self, key: &Key) -> Option<MeshTime> {
        let held = self.store.peek(key).map(|entry| entry.stored_at());
        let evicted = self.index.get(key).map(|version| version.stored_at);
        held.max(evicted)
    }

    /// Whether a peer knows more of a key.
    pub(crate) fn lacks(&self, known: &Known) -> bool {
        let evicted = self.index.get(&known.key);
        let evicted = evicted.map(|version| Known::of(known.key, version, false));
        let held = self.store.get(&known.key);
        let held = held.map(|entry| Known::of(known.key, Version::of(&entry), true));
        [held, evicted]
            .into_iter()
            .flatten()
            .all(|ours| known.is_newer_than(&ours))
    }
}
