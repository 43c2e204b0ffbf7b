//! What is remembered of entries that had to make room.

use std::fmt;
use std::num::NonZero;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::entry::Entry;
use crate::key::Key;
use crate::merge::Version;
use crate::time::MeshTime;

/// The versions of entries that were evicted, so that an older copy of one does not pass for news,
/// and its key's stamps go on from where they were.
///
/// Bounded in number. At the bound the version that was of use longest ago is forgotten; an older
/// copy may then be taken in once more, for what is left of its lifetime.
pub(crate) struct Index {
    versions: Mutex<Versions>,
}

struct Versions {
    by_key: LruCache<Key, Evicted>,
    /// No version that was forgotten for want of room has a later stamp.
    forgotten: MeshTime,
}

/// What is remembered of one entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evicted {
    pub(crate) version: Version,
    pub(crate) dies_at: MeshTime,
}

impl Index {
    /// What is remembered of one entry occupies this much memory, in bytes.
    pub(crate) const RECORD: u64 = 208;

    /// An index that occupies at most so many bytes.
    pub(crate) fn new(max_bytes: u64) -> Self {
        let max = usize::try_from(max_bytes / Self::RECORD).unwrap_or(usize::MAX);
        // Made with its bound, it would take all the memory for that at once.
        let mut by_key = LruCache::new(NonZero::<usize>::MIN);
        by_key.resize(NonZero::new(max).unwrap_or(NonZero::<usize>::MIN));
        Self {
            versions: Mutex::new(Versions {
                by_key,
                forgotten: MeshTime::default(),
            }),
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Version> {
        self.lock().by_key.get(key).map(|evicted| evicted.version)
    }

    pub(crate) fn remember(&self, key: Key, entry: &Entry) {
        let evicted = Evicted {
            version: Version::of(entry),
            dies_at: entry.dies_at(),
        };
        let mut versions = self.lock();
        if let Some((other, displaced)) = versions.by_key.push(key, evicted)
            && other != key
        {
            versions.forgotten = versions.forgotten.max(displaced.version.stored_at);
        }
    }

    /// No version that was forgotten for want of room has a later stamp.
    pub(crate) fn forgotten(&self) -> MeshTime {
        self.lock().forgotten
    }

    /// Forgets what has a stamp from further ahead of `now` than stamps may lie.
    pub(crate) fn lower(&self, now: MeshTime) {
        let mut versions = self.lock();
        let by_key = versions.by_key.iter();
        let ahead = by_key.filter(|(_, evicted)| evicted.version.stored_at.is_ahead_of(now));
        let ahead: Vec<_> = ahead.map(|(key, _)| *key).collect();
        for key in ahead {
            versions.by_key.pop(&key);
        }
        versions.forgotten = versions.forgotten.unless_ahead_of(now);
    }

    /// All that is remembered, in no order.
    pub(crate) fn all(&self) -> Vec<(Key, Evicted)> {
        let versions = self.lock();
        let versions = versions.by_key.iter();
        versions.map(|(key, evicted)| (*key, *evicted)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Versions> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions = self.lock();
        f.debug_struct("Index")
            .field("len", &versions.by_key.len())
            .field("max", &versions.by_key.cap())
            .finish()
    }
}
