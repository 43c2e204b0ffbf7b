//! The bounded table of entries in memory. Everything that gets in goes through a merge.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, Options, OptionsBuilder, Weighter};

use crate::entry::Entry;
use crate::families::Families;
use crate::key::{Family, Key, Scope};
use crate::merge;
use crate::transport::MAX_FRAME;

/// Entries in memory, bounded in number and by what they weigh in bytes.
///
/// At a bound, others have to go: first what nobody has asked for since it came in. A new entry
/// stands back behind those that are in use, until it is asked for once more (quick_cache's
/// S3-FIFO). Time is the caller's: the table itself never expires anything.
pub(crate) struct Store {
    entries: Cache<Box<Key>, Entry, Weight, DefaultHashBuilder, Collect>,
    families: Families,
    /// What the entries weigh; the table's own figure counts shares.
    bytes: AtomicU64,
    lanes: [Mutex<()>; LANES],
}

/// What came of offering an entry to the store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Merged {
    /// It is what the store holds now. These had to make room for it; where it had to go itself,
    /// it is among them.
    Accepted { evicted: Vec<(Key, Entry)> },
    /// The store holds this version or a greater one.
    Ignored,
}

/// Merges of two keys can wait for each other with a probability of one in so many.
const LANES: usize = 64;

impl Store {
    /// A store that holds no more than so many bytes and so many entries.
    pub(crate) fn new(max_bytes: u64, max_entries: u64) -> Self {
        // So that the table can add two weights.
        let max_bytes = max_bytes.min(u64::MAX / 2);
        Self {
            entries: Cache::with_options(
                options(max_bytes, max_entries),
                // The table has one bound. An entry takes at least its share of the bytes, so that
                // the entries run out no later than the bytes do.
                Weight {
                    share: max_bytes.div_ceil(max_entries.max(1)),
                },
                DefaultHashBuilder::default(),
                Collect,
            ),
            families: Families::default(),
            bytes: AtomicU64::new(0),
            lanes: [const { Mutex::new(()) }; LANES],
        }
    }

    /// What is held under `key`.
    pub(crate) fn get(&self, key: &Key) -> Option<Entry> {
        self.entries.get(key)
    }

    /// The same. This is not a use of it.
    pub(crate) fn peek(&self, key: &Key) -> Option<Entry> {
        self.entries.peek(key)
    }

    /// The scopes in which there are entries of a family.
    pub(crate) fn scopes(&self, family: &Family) -> Vec<Scope> {
        self.families.scopes(family)
    }

    /// Whether there is an entry under `key`. This is not a use of it.
    pub(crate) fn contains(&self, key: &Key) -> bool {
        self.entries.contains_key(key)
    }

    /// Keeps the greater of `entry` and what is held under `key`. No other merge of the same key
    /// can come in between.
    pub(crate) fn merge(&self, key: Key, entry: &Entry) -> Merged {
        let _lane = self.lane(&key);
        let held = self.entries.peek(&key);
        if held.is_some_and(|held| merge::compare(&held, entry) != Ordering::Less) {
            return Merged::Ignored;
        }
        self.bytes.fetch_add(entry.weight() as u64, Relaxed);
        let mut gone = Vec::new();
        self.entries
            .insert_with_lifecycle(Box::new(key), entry.clone(), &mut gone);
        for (_, entry) in &gone {
            self.bytes.fetch_sub(entry.weight() as u64, Relaxed);
        }
        // What has been replaced is not evicted.
        gone.retain(|(of, gone)| *of != key || gone == entry);
        self.families.add(key);
        for (of, _) in &gone {
            self.families.remove(of);
        }
        Merged::Accepted { evicted: gone }
    }

    /// Drops what is held under `key` if it is void; tells whether it did. A merge may have
    /// brought another entry since the caller looked.
    pub(crate) fn drop_if(&self, key: &Key, is_void: impl FnOnce(&Entry) -> bool) -> bool {
        let _lane = self.lane(key);
        let dropped = self.entries.remove_if(key, is_void);
        if let Some((_, entry)) = &dropped {
            self.bytes.fetch_sub(entry.weight() as u64, Relaxed);
            self.families.remove(key);
        }
        dropped.is_some()
    }

    /// All entries, in no order. What is merged meanwhile may or may not be among them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, Entry)> {
        self.entries.iter().map(|(key, entry)| (*key, entry))
    }

    /// How many entries there are, and what they weigh in bytes.
    pub(crate) fn size(&self) -> (u64, u64) {
        (self.entries.len() as u64, self.bytes.load(Relaxed))
    }

    fn lane(&self, key: &Key) -> MutexGuard<'_, ()> {
        let lane = &self.lanes[usize::from(key.family.as_bytes()[0]) % LANES];
        lane.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the table is divided.
#[expect(
    clippy::expect_used,
    reason = "the two options that have to be set are"
)]
fn options(max_bytes: u64, max_entries: u64) -> Options {
    /// What a typical entry weighs, in bytes.
    const TYPICAL: u64 = 4 * 1024;
    /// A shard has room for so many of the largest values that can be shared.
    const LARGEST: u64 = 8;
    /// With fewer entries than these, the part of the table that is left to newcomers has room for
    /// none.
    const FEW: u64 = 64;
    let estimate = (max_bytes / TYPICAL).min(max_entries);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let shards = (4 * threads as u64).min(max_bytes / (LARGEST * MAX_FRAME as u64));
    let mut options = OptionsBuilder::new();
    options
        .weight_capacity(max_bytes)
        .estimated_items_capacity(usize::try_from(estimate).unwrap_or(usize::MAX))
        .shards(usize::try_from(shards).unwrap_or(usize::MAX).max(1));
    if max_entries < FEW {
        options.hot_allocation(1.0);
    }
    options.build().expect("complete")
}

/// What an entry counts for in the table, in bytes.
#[derive(Clone, Debug)]
struct Weight {
    share: u64,
}

impl Weighter<Box<Key>, Entry> for Weight {
    fn weight(&self, _: &Box<Key>, entry: &Entry) -> u64 {
        (entry.weight() as u64).max(self.share)
    }
}

/// Collects what leaves the table while an entry gets in.
#[derive(Clone, Debug)]
struct Collect;

impl Lifecycle<Box<Key>, Entry> for Collect {
    type RequestState = Vec<(Key, Entry)>;

    fn on_evict(&self, gone: &mut Self::RequestState, key: Box<Key>, entry: Entry) {
        gone.push((*key, entry));
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("size", &self.size())
            .field("max_bytes", &self.entries.capacity())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
