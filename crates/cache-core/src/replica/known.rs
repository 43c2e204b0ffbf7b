//! What a replica tells of itself to members that catch up with it, and what it lacks of theirs.

use super::Replica;
use crate::digest::{Known, Summary};
use crate::key::Key;
use crate::sums::Span;
use crate::time::MeshTime;
use crate::tombstone::Tombstone;

impl Replica {
    /// What a peer may lack, each key once. Takes time, as a sweep does.
    pub(crate) fn known(&self) -> impl Iterator<Item = Known> {
        let horizon = Span::not_worth_it(self.now());
        let held = self.store.iter();
        let held = held
            .filter(move |(key, entry)| {
                Span::of(entry.dies_at()) > horizon
                    && entry.fits_a_frame()
                    && !self.is_void(key, entry)
            })
            .map(|(key, entry)| entry.known(key));
        let evicted = self.index.all().into_iter();
        let evicted = evicted
            .filter(move |(_, evicted)| evicted.counts() && Span::of(evicted.dies_at) > horizon)
            .map(|(key, evicted)| evicted.known(key));
        held.chain(evicted)
    }

    /// The tombstones that a peer may lack.
    pub(crate) fn tombstones(&self) -> Vec<Tombstone> {
        let horizon = Span::not_worth_it(self.now());
        let mut tombstones = self.tombstones.snapshot();
        tombstones.retain(|tombstone| Span::of(tombstone.dies_at()) > horizon);
        tombstones
    }

    /// The sums over what is known and the tombstones. What has just become void is in them until
    /// it is swept.
    pub(crate) fn summary(&self) -> Summary {
        let horizon = Span::not_worth_it(self.now());
        Summary {
            buckets: self.sums.beyond(horizon),
            tombstones: self.tombstones.sums(horizon),
        }
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
        let evicted = evicted.map(|version| Known::of(known.key, version, None));
        let held = self.store.get(&known.key);
        let held = held.map(|entry| entry.known(known.key));
        [held, evicted]
            .into_iter()
            .flatten()
            .all(|ours| known.is_newer_than(&ours))
    }
}

#[cfg(test)]
mod tests;
