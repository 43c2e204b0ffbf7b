//! The bounded table of entries. Everything that gets in goes through a merge.

use std::cmp::Ordering;
use std::sync::Arc;

use moka::notification::RemovalCause;
use moka::ops::compute::{CompResult, Op};
use moka::sync::Cache;

use crate::entry::Entry;
use crate::freshness::{Freshness, State};
use crate::key::Key;
use crate::merge;
use crate::stats::Counters;
use crate::time::MeshTime;

/// Entries in memory, bounded by what they weigh in bytes.
///
/// At the bound, moka's admission policy (TinyLFU) decides whether the new entry stays or one that
/// is asked for less often. Time is the caller's: the table itself never expires anything.
#[derive(Debug)]
pub(crate) struct Store {
    entries: Cache<Key, Entry>,
    counters: Arc<Counters>,
}

/// What came of offering an entry to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merged {
    /// It is what the store holds now.
    Accepted,
    /// The store holds this version or a greater one.
    Ignored,
}

impl Store {
    pub(crate) fn new(max_bytes: u64, counters: Arc<Counters>) -> Self {
        let listening = Arc::clone(&counters);
        let entries = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, entry: &Entry| u32::try_from(entry.weight()).unwrap_or(u32::MAX))
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    listening.evictions.add(1);
                }
            })
            .build();
        Self { entries, counters }
    }

    /// What is held under `key`; a tombstone, too. What is dead at `now` is dropped instead.
    pub(crate) fn get(&self, key: &Key, now: MeshTime) -> Option<Entry> {
        let entry = self.entries.get(key)?;
        if is_dead(&entry, now) {
            self.drop_if_dead(*key, now);
            return None;
        }
        Some(entry)
    }

    /// Keeps the greater of `entry` and what is held under `key`. No other merge of the same key
    /// can come in between.
    pub(crate) fn merge(&self, key: Key, entry: Entry) -> Merged {
        let result = self.entries.entry(key).and_compute_with(|held| match held {
            Some(held) if merge::compare(held.value(), &entry) != Ordering::Less => Op::Nop,
            _ => Op::Put(entry),
        });
        match result {
            CompResult::Inserted(_) | CompResult::ReplacedWith(_) => Merged::Accepted,
            CompResult::Removed(_) | CompResult::StillNone(_) | CompResult::Unchanged(_) => {
                Merged::Ignored
            }
        }
    }

    /// Drops everything that is dead at `now`.
    pub(crate) fn sweep(&self, now: MeshTime) {
        for (key, entry) in &self.entries {
            if is_dead(&entry, now) {
                self.drop_if_dead(*key, now);
            }
        }
        self.entries.run_pending_tasks();
    }

    /// How many entries there are, and what they weigh in bytes.
    pub(crate) fn size(&self) -> (u64, u64) {
        self.entries.run_pending_tasks();
        (self.entries.entry_count(), self.entries.weighted_size())
    }

    /// Looks again before it drops, because a merge may have brought a living entry meanwhile.
    fn drop_if_dead(&self, key: Key, now: MeshTime) {
        let result = self.entries.entry(key).and_compute_with(|held| match held {
            Some(held) if is_dead(held.value(), now) => Op::Remove,
            _ => Op::Nop,
        });
        if matches!(result, CompResult::Removed(_)) {
            self.counters.expirations.add(1);
        }
    }
}

fn is_dead(entry: &Entry, now: MeshTime) -> bool {
    entry.state(now, Freshness::AS_STORED) == State::Dead
}

#[cfg(test)]
mod tests;
