//! The bounded table of entries in memory. Everything that gets in goes through a merge.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, Options, OptionsBuilder, Weighter};

use crate::entry::Entry;
use crate::families::Families;
use crate::index::Index;
use crate::key::{Family, Key, Scope};
use crate::merge::{self, Version};
use crate::sums::Sums;
use crate::time::MeshTime;
use crate::transport::MAX_FRAME;

/// Entries in memory, bounded in number and by what they weigh in bytes.
///
/// At a bound, others have to go: first what nobody has asked for since it came in. A new entry
/// stands back behind those that are in use, until it is asked for once more (quick_cache's
/// S3-FIFO). Time is the caller's: the table itself never expires anything.
pub(crate) struct Store {
    entries: Cache<Box<Key>, Entry, Weight, DefaultHashBuilder, Evict>,
    families: Arc<Families>,
    index: Arc<Index>,
    /// Over what is held and what the index remembers, each key once.
    sums: Arc<Sums>,
    /// What the entries weigh; the table's own figure counts shares.
    bytes: AtomicU64,
    lanes: [Mutex<()>; LANES],
}

/// What came of offering an entry to the store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Merged {
    /// It is what the store holds now.
    Accepted {
        /// What it has taken the place of.
        replaced: Option<Entry>,
        /// These had to make room for it; where it had to go itself, it is among them.
        evicted: Vec<(Key, Entry)>,
    },
    /// The store holds this version or a greater one, or did before that had to make room.
    Ignored,
}

/// Merges of two keys can wait for each other with a probability of one in so many.
const LANES: usize = 64;

impl Store {
    /// A store that holds no more than so many bytes and so many entries. What had to make room is
    /// remembered in `index`; what is held is counted in `sums`, as that is.
    pub(crate) fn new(
        max_bytes: u64,
        max_entries: u64,
        index: Arc<Index>,
        sums: Arc<Sums>,
    ) -> Self {
        let families = Arc::<Families>::default();
        let evict = Evict {
            families: Arc::clone(&families),
            index: Arc::clone(&index),
        };
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
                evict,
            ),
            families,
            index,
            sums,
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

    /// Keeps the greater of `entry` and what is held under `key`, or was before it had to make room.
    /// No other merge of the same key can come in between.
    pub(crate) fn merge(&self, key: Key, entry: &Entry, now: MeshTime) -> Merged {
        self.admit(key, entry, |known| {
            known >= Version::of(entry) && !known.stored_at.is_ahead_of(now)
        })
    }

    /// The same, with an entry that was asked for, from the second tier or a peer: it may be the very
    /// version that had to make room.
    pub(crate) fn restore(&self, key: Key, entry: &Entry, now: MeshTime) -> Merged {
        self.admit(key, entry, |known| {
            known > Version::of(entry) && !known.stored_at.is_ahead_of(now)
        })
    }

    /// Keeps `entry`, unless what is held is as great, or what is known of the key `wins`.
    fn admit(&self, key: Key, entry: &Entry, wins: impl Fn(Version) -> bool) -> Merged {
        let _lane = self.lane(&key);
        let held = self.entries.peek(&key);
        // What leaves the table is in the index by then. So one of the two has it.
        let is_older = match &held {
            Some(held) => merge::compare(held, entry) != Ordering::Less,
            None => self.index.get(&key).is_some_and(wins),
        };
        if is_older {
            return Merged::Ignored;
        }
        self.bytes.fetch_add(entry.weight() as u64, Relaxed);
        self.count(&key, entry);
        match &held {
            Some(held) => entry.take_after(held),
            // Nobody else can put it there, or have it evicted, before we have.
            None => self.index.yield_to(&key, |_| true),
        }
        let mut gone = Gone {
            offered: Some((key, entry.clone())),
            ..Gone::default()
        };
        self.entries
            .insert_with_lifecycle(Box::new(key), entry.clone(), &mut gone);
        let Gone {
            replaced, evicted, ..
        } = gone;
        for gone in replaced.iter().chain(evicted.iter().map(|(_, gone)| gone)) {
            self.bytes.fetch_sub(gone.weight() as u64, Relaxed);
        }
        if let Some(replaced) = &replaced {
            self.discount(&key, replaced);
        } else {
            // What was held may have been evicted since.
            self.index
                .yield_to(&key, |evicted| evicted < Version::of(entry));
            self.families.add(key);
            // Somebody else's may have needed the room already.
            if !self.contains(&key) {
                self.families.remove(&key);
            }
        }
        Merged::Accepted { replaced, evicted }
    }

    /// Drops what is held under `key` if it is void; tells whether it did. A merge may have
    /// brought another entry since the caller looked.
    pub(crate) fn drop_if(&self, key: &Key, is_void: impl FnOnce(&Entry) -> bool) -> bool {
        let _lane = self.lane(key);
        let dropped = self.entries.remove_if(key, is_void);
        if let Some((_, entry)) = &dropped {
            self.bytes.fetch_sub(entry.weight() as u64, Relaxed);
            self.families.remove(key);
            self.discount(key, entry);
            self.index.stand_in(key);
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

    fn count(&self, key: &Key, entry: &Entry) {
        if entry.fits_a_frame() {
            self.sums.add(entry.known(*key).item(entry.dies_at()));
        }
    }

    fn discount(&self, key: &Key, entry: &Entry) {
        if entry.fits_a_frame() {
            self.sums.remove(entry.known(*key).item(entry.dies_at()));
        }
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

/// Takes note of what leaves the table, before anybody can find it gone.
#[derive(Clone, Debug)]
struct Evict {
    families: Arc<Families>,
    index: Arc<Index>,
}

/// What leaves the table while an entry gets in.
#[derive(Default)]
struct Gone {
    /// The one that gets in.
    offered: Option<(Key, Entry)>,
    replaced: Option<Entry>,
    evicted: Vec<(Key, Entry)>,
}

impl Lifecycle<Box<Key>, Entry> for Evict {
    type RequestState = Gone;

    // Called under the lock of the part of the table that the entry is in.
    fn on_evict(&self, gone: &mut Gone, key: Box<Key>, entry: Entry) {
        let of_this_key = gone
            .offered
            .as_ref()
            .filter(|(offered, _)| *offered == *key);
        if of_this_key.is_some_and(|(_, offered)| Version::of(offered) != Version::of(&entry)) {
            gone.replaced = Some(entry);
            return;
        }
        self.index.remember(*key, &entry);
        self.families.remove(&key);
        gone.evicted.push((*key, entry));
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
