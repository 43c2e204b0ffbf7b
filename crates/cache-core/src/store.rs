//! The bounded table of entries in memory. Everything that gets in goes through a merge.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicU64};

use moka::notification::RemovalCause;
use moka::ops::compute::{CompResult, Op};
use moka::sync::Cache;

use crate::entry::Entry;
use crate::key::Key;
use crate::merge;

/// Entries in memory, bounded in number and by what they weigh in bytes.
///
/// At a bound, moka's admission policy (TinyLFU) decides whether the new entry stays or others that
/// are asked for less often. Time is the caller's: the table itself never expires anything.
pub(crate) struct Store {
    entries: Cache<Key, Entry>,
    size: Arc<Size>,
    max_bytes: u64,
    max_entries: u64,
}

/// What came of offering an entry to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merged {
    /// It is what the store holds now, or has been judged less useful than others at once.
    Accepted,
    /// The store holds this version or a greater one.
    Ignored,
}

/// What is in the table at this moment. moka's own figures lag behind until its upkeep has run.
#[derive(Debug, Default)]
struct Size {
    entries: AtomicU64,
    bytes: AtomicU64,
}

impl Store {
    /// A store that tells `evicted` what it drops to make room.
    pub(crate) fn new(
        max_bytes: u64,
        max_entries: u64,
        evicted: impl Fn(Key, Entry) + Send + Sync + 'static,
    ) -> Self {
        let size = Arc::<Size>::default();
        let shrinking = Arc::clone(&size);
        // moka has one bound. An entry takes at least its share of the bytes, so that the entries
        // run out no later than the bytes do. Weights are 32 bits wide, so where a share is wider
        // the bytes that all entries together can take are bound enough.
        let widest = max_entries.saturating_mul(u32::MAX.into());
        // With no room at all, moka would not say what becomes of an entry.
        let max_capacity = max_bytes.min(widest).max(1);
        let share = max_capacity / max_entries.max(1);
        let entries = Cache::builder()
            .max_capacity(max_capacity)
            .weigher(move |_, entry: &Entry| {
                let weight = (entry.weight() as u64).max(share);
                u32::try_from(weight).unwrap_or(u32::MAX)
            })
            .eviction_listener(move |key: Arc<Key>, entry: Entry, cause| {
                shrinking.remove(&entry);
                if cause == RemovalCause::Size {
                    evicted(*key, entry);
                }
            })
            .build();
        Self {
            entries,
            size,
            max_bytes,
            max_entries,
        }
    }

    /// What is held under `key`.
    pub(crate) fn get(&self, key: &Key) -> Option<Entry> {
        self.entries.get(key)
    }

    /// Whether there is an entry under `key`. This is not a use of it.
    pub(crate) fn contains(&self, key: &Key) -> bool {
        self.entries.contains_key(key)
    }

    /// Keeps the greater of `entry` and what is held under `key`. No other merge of the same key
    /// can come in between.
    pub(crate) fn merge(&self, key: Key, entry: Entry) -> Merged {
        let result = self.entries.entry(key).and_compute_with(|held| match held {
            Some(held) if merge::compare(held.value(), &entry) != Ordering::Less => Op::Nop,
            _ => {
                self.size.add(&entry);
                Op::Put(entry)
            }
        });
        match result {
            CompResult::Inserted(_) | CompResult::ReplacedWith(_) => {
                self.make_room();
                Merged::Accepted
            }
            CompResult::Removed(_) | CompResult::StillNone(_) | CompResult::Unchanged(_) => {
                Merged::Ignored
            }
        }
    }

    /// Drops what is held under `key` if it is void; tells whether it did. A merge may have
    /// brought another entry since the caller looked.
    pub(crate) fn drop_if(&self, key: Key, is_void: impl FnOnce(&Entry) -> bool) -> bool {
        let result = self.entries.entry(key).and_compute_with(|held| match held {
            Some(held) if is_void(held.value()) => Op::Remove,
            _ => Op::Nop,
        });
        matches!(result, CompResult::Removed(_))
    }

    /// All entries, in no order. What is merged meanwhile may or may not be among them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, Entry)> {
        self.entries.iter().map(|(key, entry)| (*key, entry))
    }

    /// How many entries there are, and what they weigh in bytes.
    pub(crate) fn size(&self) -> (u64, u64) {
        (
            self.size.entries.load(atomic::Ordering::Relaxed),
            self.size.bytes.load(atomic::Ordering::Relaxed),
        )
    }

    /// Has moka do its upkeep now where it is due; left alone, it lets some sixty writes pass
    /// before it looks at the bound, however large they are.
    fn make_room(&self) {
        loop {
            let (entries, bytes) = self.size();
            if bytes <= slack(self.max_bytes) && entries <= slack(self.max_entries) {
                return;
            }
            self.entries.run_pending_tasks();
            let (entries_left, bytes_left) = self.size();
            if entries_left >= entries && bytes_left >= bytes {
                return;
            }
        }
    }
}

/// How far a bound may be overstepped before upkeep is worth its while.
const fn slack(max: u64) -> u64 {
    max.saturating_add(max / 64)
}

impl Size {
    // Relaxed: the figures order nothing else.
    fn add(&self, entry: &Entry) {
        self.entries.fetch_add(1, atomic::Ordering::Relaxed);
        self.bytes
            .fetch_add(entry.weight() as u64, atomic::Ordering::Relaxed);
    }

    fn remove(&self, entry: &Entry) {
        self.entries.fetch_sub(1, atomic::Ordering::Relaxed);
        self.bytes
            .fetch_sub(entry.weight() as u64, atomic::Ordering::Relaxed);
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("size", &self.size)
            .field("max_bytes", &self.max_bytes)
            .field("max_entries", &self.max_entries)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
