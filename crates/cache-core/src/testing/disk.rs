//! A disk in memory, which outlives the cache that it was given to.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::entry::Entry;
use crate::key::{Family, Key};
use crate::merge;
use crate::stats::DiskStats;
use crate::tier::{Recalled, Tier};
use crate::time::MeshTime;
use crate::tombstone::{Target, Tombstone};

/// A disk for nodes that are started again. Clones are the same disk.
///
/// It keeps what it is given without a thread or a file, so that a run can be had again from its
/// seed. What came in less than a second ago is lost in a [crash](Self::crash), as with a process
/// that is killed. Not bounded: a test puts no more on it than it means to.
#[derive(Clone)]
pub struct MemoryDisk(Arc<Mutex<Contents>>);

struct Contents {
    /// How long a change waits before a crash cannot undo it.
    written_after: Duration,
    written: Written,
    /// With when they came.
    pending: VecDeque<(Instant, Change)>,
}

/// What a crash cannot undo.
#[derive(Clone, Default)]
struct Written {
    entries: BTreeMap<Key, Entry>,
    tombstones: BTreeMap<Target, Tombstone>,
}

enum Change {
    /// With the moment at which it was asked for.
    Keep(Key, Entry, MeshTime),
    Discard(Key, Entry),
    Bury(Tombstone),
    Sweep(MeshTime),
    CutOff(MeshTime),
}

impl Default for MemoryDisk {
    fn default() -> Self {
        Self::writing_after(Duration::from_secs(1))
    }
}

impl MemoryDisk {
    /// One that is so slow: what came in later than that before a crash is lost in it.
    pub fn writing_after(delay: Duration) -> Self {
        Self(Arc::new(Mutex::new(Contents {
            written_after: delay,
            written: Written::default(),
            pending: VecDeque::new(),
        })))
    }

    /// Loses what has not been written yet. Called after the cache is gone.
    pub fn crash(&self) {
        let mut contents = self.contents();
        contents.settle();
        contents.pending.clear();
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        // A test that has panicked has failed already.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: Change) {
        let mut contents = self.contents();
        contents.settle();
        contents.pending.push_back((Instant::now(), change));
    }

    /// All that is there, written or not.
    fn whole(&self) -> Written {
        let mut contents = self.contents();
        contents.settle();
        let mut whole = contents.written.clone();
        for (_, change) in &contents.pending {
            whole.apply(change);
        }
        whole
    }
}

impl Contents {
    fn settle(&mut self) {
        while let Some((since, change)) = self.pending.front() {
            if since.elapsed() < self.written_after {
                return;
            }
            self.written.apply(change);
            self.pending.pop_front();
        }
    }

    fn get(&self, key: &Key) -> Option<Entry> {
        // The changes to this key alone, in their order.
        let mut one = Written::default();
        let written = self.written.entries.get(key).cloned();
        one.entries.extend(written.map(|entry| (*key, entry)));
        for (_, change) in &self.pending {
            match change {
                Change::Keep(of, ..) | Change::Discard(of, _) if of == key => one.apply(change),
                Change::CutOff(_) => one.apply(change),
                _ => {}
            }
        }
        one.entries.remove(key)
    }
}

impl Written {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Keep(key, entry, now) => {
                let held = self.entries.remove(key);
                let held = held.filter(|held| !held.stored_at().is_ahead_of(*now));
                let kept = held.map_or(entry.clone(), |held| merge::merge(held, entry.clone()));
                self.entries.insert(*key, kept);
            }
            Change::Discard(key, entry) => {
                let is_it = |held: &Entry| merge::compare(held, entry).is_le();
                if self.entries.get(key).is_some_and(is_it) {
                    self.entries.remove(key);
                }
            }
            Change::Bury(tombstone) => {
                let held = self.tombstones.get(&tombstone.target);
                if held.is_none_or(|held| held < tombstone) {
                    let target = tombstone.target.clone();
                    self.tombstones.insert(target, tombstone.clone());
                }
            }
            Change::Sweep(now) => {
                self.entries.retain(|_, entry| entry.dies_at() > *now);
                self.tombstones.retain(|_, held| held.dies_at() > *now);
            }
            Change::CutOff(now) => {
                self.entries.retain(|_, entry| entry.stored_at() <= *now);
                for tombstone in self.tombstones.values_mut() {
                    tombstone.stamp = tombstone.stamp.unless_ahead_of(*now);
                }
            }
        }
    }
}

impl Tier for MemoryDisk {
    fn load(&self, key: &Key, now: MeshTime) -> Option<Entry> {
        let entry = self.contents().get(key);
        entry.filter(|entry| !entry.is_dead(now))
    }

    fn keys_of(&self, family: &Family, max: usize) -> Vec<Key> {
        let keys = self.whole().entries.into_keys();
        keys.filter(|key| key.family == *family).take(max).collect()
    }

    fn keep(&self, key: Key, entry: Entry, now: MeshTime) {
        self.change(Change::Keep(key, entry, now));
    }

    fn discard(&self, key: Key, entry: &Entry) {
        self.change(Change::Discard(key, entry.clone()));
    }

    fn bury(&self, tombstone: Tombstone) {
        self.change(Change::Bury(tombstone));
    }

    fn bound_pending(&self, _: usize) {
        // Nothing waits: what it is given is kept at once.
    }

    fn recall(&self) -> Recalled {
        let whole = self.whole();
        let stamps = whole.entries.values().map(Entry::stored_at);
        let buried = whole.tombstones.values().map(|tombstone| tombstone.stamp);
        Recalled {
            latest: stamps.chain(buried).max().unwrap_or_default(),
            tombstones: whole.tombstones.into_values().collect(),
        }
    }

    fn sweep(&self, now: MeshTime) {
        self.change(Change::Sweep(now));
    }

    fn cut_off(&self, now: MeshTime) {
        self.change(Change::CutOff(now));
    }

    fn flush(&self) {
        let written = self.whole();
        let mut contents = self.contents();
        contents.written = written;
        contents.pending.clear();
    }

    // Whoever is started next has another handle; and what a crash loses is not written here.
    fn close(&self) {}

    fn stats(&self) -> DiskStats {
        DiskStats {
            entries: self.contents().written.entries.len() as u64,
            ..DiskStats::default()
        }
    }
}

impl fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDisk")
            .field("entries", &self.contents().written.entries.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
