//! What is remembered of entries that had to make room.

use std::fmt;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::digest::Known;
use crate::entry::Entry;
use crate::key::Key;
use crate::merge::Version;
use crate::path::Path;
use crate::sums::Sums;
use crate::time::MeshTime;

/// The versions of entries that were evicted, so that an older copy of one does not pass for news,
/// and its key's stamps go on from where they were.
///
/// Bounded in bytes. At the bound the version that was of use longest ago is forgotten; an older
/// copy may then be taken in once more, for what is left of its lifetime.
pub(crate) struct Index {
    max_bytes: u64,
    sums: Arc<Sums>,
    versions: Mutex<Versions>,
}

struct Versions {
    by_key: LruCache<Key, Evicted>,
    bytes: u64,
    /// No version that was forgotten for want of room has a later stamp.
    forgotten: MeshTime,
}

/// What is remembered of one entry.
#[derive(Clone, Debug)]
pub(crate) struct Evicted {
    pub(crate) version: Version,
    pub(crate) dies_at: MeshTime,
    pub(crate) path: Path,
    /// Whether this is what is known of the key: not where there is an entry again, and not where
    /// peers could not have it.
    counts: bool,
    fits_a_frame: bool,
}

impl Index {
    /// What is remembered of one entry occupies this much memory beside its path, in bytes.
    const RECORD: u64 = 256;

    /// An index that occupies at most so many bytes. What it remembers is counted in `sums`.
    pub(crate) fn new(max_bytes: u64, sums: Arc<Sums>) -> Self {
        let max = usize::try_from(max_bytes / Self::RECORD).unwrap_or(usize::MAX);
        // Made with its bound, it would take all the memory for that at once.
        let mut by_key = LruCache::new(NonZero::<usize>::MIN);
        by_key.resize(NonZero::new(max).unwrap_or(NonZero::<usize>::MIN));
        Self {
            max_bytes,
            sums,
            versions: Mutex::new(Versions {
                by_key,
                bytes: 0,
                forgotten: MeshTime::default(),
            }),
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Version> {
        self.lock().by_key.get(key).map(|evicted| evicted.version)
    }

    /// An entry that is in the sums has to leave the table. What is known of its key stays there.
    pub(crate) fn remember(&self, key: Key, entry: &Entry) {
        let evicted = Evicted {
            version: Version::of(entry),
            dies_at: entry.dies_at(),
            path: entry.path().clone(),
            counts: entry.fits_a_frame(),
            fits_a_frame: entry.fits_a_frame(),
        };
        let mut versions = self.lock();
        versions.bytes += evicted.cost();
        match versions.by_key.push(key, evicted) {
            Some((other, displaced)) if other == key => {
                self.forget(&mut versions, &key, &displaced);
            }
            Some((other, displaced)) => self.make_room(&mut versions, &other, &displaced),
            None => {}
        }
        // Their paths take room, too.
        while versions.bytes > self.max_bytes
            && let Some((other, oldest)) = versions.by_key.pop_lru()
        {
            self.make_room(&mut versions, &other, &oldest);
        }
    }

    /// There is an entry under `key` again, which is what is known of it instead of any version that
    /// `is_older`.
    pub(crate) fn yield_to(&self, key: &Key, is_older: impl FnOnce(Version) -> bool) {
        self.recount(key, |evicted| evicted.counts && !is_older(evicted.version));
    }

    /// There is none any more.
    pub(crate) fn stand_in(&self, key: &Key) {
        self.recount(key, |evicted| evicted.fits_a_frame);
    }

    /// No version that was forgotten for want of room has a later stamp.
    pub(crate) fn forgotten(&self) -> MeshTime {
        self.lock().forgotten
    }

    /// Forgets a version, unless there is a later one meanwhile.
    pub(crate) fn forget_version(&self, key: &Key, version: Version) {
        let mut versions = self.lock();
        let is_it = |evicted: &Evicted| evicted.version <= version;
        if versions.by_key.peek(key).is_some_and(is_it)
            && let Some(evicted) = versions.by_key.pop(key)
        {
            self.forget(&mut versions, key, &evicted);
        }
    }

    /// Forgets what has a stamp from further ahead of `now` than stamps may lie.
    pub(crate) fn lower(&self, now: MeshTime) {
        let mut versions = self.lock();
        let by_key = versions.by_key.iter();
        let ahead = by_key.filter(|(_, evicted)| evicted.version.stored_at.is_ahead_of(now));
        let ahead: Vec<_> = ahead.map(|(key, _)| *key).collect();
        for key in ahead {
            if let Some(evicted) = versions.by_key.pop(&key) {
                self.forget(&mut versions, &key, &evicted);
            }
        }
        versions.forgotten = versions.forgotten.unless_ahead_of(now);
    }

    /// All that is remembered, in no order.
    pub(crate) fn all(&self) -> Vec<(Key, Evicted)> {
        let versions = self.lock();
        let versions = versions.by_key.iter();
        let versions = versions.map(|(key, evicted)| (*key, evicted.clone()));
        versions.collect()
    }

    /// Takes note of what was taken out of the table for want of room.
    fn make_room(&self, versions: &mut Versions, key: &Key, gone: &Evicted) {
        versions.forgotten = versions.forgotten.max(gone.version.stored_at);
        self.forget(versions, key, gone);
    }

    /// Takes what was taken out of the table out of all that is counted.
    fn forget(&self, versions: &mut Versions, key: &Key, evicted: &Evicted) {
        versions.bytes -= evicted.cost();
        if evicted.counts {
            self.sums.remove(evicted.known(*key).item(evicted.dies_at));
        }
    }

    fn recount(&self, key: &Key, counts: impl FnOnce(&Evicted) -> bool) {
        let mut versions = self.lock();
        let Some(evicted) = versions.by_key.peek_mut(key) else {
            return;
        };
        let counted = evicted.counts;
        evicted.counts = counts(evicted);
        let item = evicted.known(*key).item(evicted.dies_at);
        match (counted, evicted.counts) {
            (true, false) => self.sums.remove(item),
            (false, true) => self.sums.add(item),
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Versions> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Evicted {
    /// What peers are told of it.
    pub(crate) fn known(&self, key: Key) -> Known {
        Known::of(key, self.version, None)
    }

    /// Whether peers are told of it at all.
    pub(crate) fn counts(&self) -> bool {
        self.counts
    }

    /// What it occupies in memory, in bytes.
    fn cost(&self) -> u64 {
        Index::RECORD + self.path.as_key().len() as u64
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions = self.lock();
        f.debug_struct("Index")
            .field("len", &versions.by_key.len())
            .field("bytes", &versions.bytes)
            .field("max_bytes", &self.max_bytes)
            .finish()
    }
}
