//! What is remembered of entries that had to make room.

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::entry::Entry;
use crate::key::Key;
use crate::merge::Version;
use crate::time::MeshTime;

/// The versions of entries that were evicted, so that an older copy of one does not pass for news,
/// and its key's stamps go on from where they were.
///
/// Bounded in number. At the bound the version that was of use longest ago is forgotten; an older
/// copy may then be taken in once more, for what is left of its lifetime.
#[derive(Debug)]
pub(crate) struct Index {
    versions: Cache<Key, Evicted>,
}

/// What is remembered of one entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evicted {
    pub(crate) version: Version,
    pub(crate) dies_at: MeshTime,
}

impl Index {
    /// What is remembered of one entry occupies this much memory, in bytes.
    pub(crate) const RECORD: u64 = 350;

    /// An index that occupies at most so many bytes.
    pub(crate) fn new(max_bytes: u64) -> Self {
        let versions = Cache::builder()
            .max_capacity(max_bytes / Self::RECORD)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { versions }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Version> {
        self.versions.get(key).map(|evicted| evicted.version)
    }

    pub(crate) fn remember(&self, key: Key, entry: &Entry) {
        let evicted = Evicted {
            version: Version::of(entry),
            dies_at: entry.dies_at(),
        };
        self.versions.insert(key, evicted);
    }

    /// All that is remembered, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, Evicted)> {
        self.versions.iter().map(|(key, evicted)| (*key, evicted))
    }
}
