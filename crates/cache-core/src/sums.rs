//! The sums over what a member knows, kept up to date change by change.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::time::MeshTime;

/// For each bucket the sum of the fingerprints of what is in it and does not die too soon.
///
/// A change costs a lookup in a small tree; to take a sum costs what has died since it was last
/// taken. Nothing has to be gone through, however much there is.
pub(crate) struct Sums(Box<[Mutex<Bucket>]>);

/// One thing that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) bucket: u8,
    pub(crate) fingerprint: u64,
    pub(crate) dies_in: Span,
}

/// A quarter of a minute of mesh time, in which something dies.
///
/// It is what sums know of lifetimes: coarse enough that many things die in one span, and the same
/// on all members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(u64);

#[derive(Debug, Default)]
struct Bucket {
    /// Over what dies after `horizon`.
    sum: u64,
    horizon: Span,
    /// All there is, by when it dies.
    dying: BTreeMap<Span, Dying>,
}

/// What dies in one span of time.
#[derive(Debug, Default)]
struct Dying {
    sum: u64,
    count: u32,
}

impl Sums {
    /// Over so many buckets.
    pub(crate) fn new(buckets: usize) -> Self {
        Self((0..buckets).map(|_| Mutex::default()).collect())
    }

    /// Something is known from now on.
    pub(crate) fn add(&self, item: Item) {
        self.bucket(item, Bucket::add);
    }

    /// Something that was added is not known any more.
    pub(crate) fn remove(&self, item: Item) {
        self.bucket(item, Bucket::remove);
    }

    /// The sums over what dies after `horizon`.
    pub(crate) fn beyond(&self, horizon: Span) -> Vec<u64> {
        let buckets = self.0.iter();
        buckets.map(|bucket| lock(bucket).beyond(horizon)).collect()
    }

    fn bucket(&self, item: Item, change: impl FnOnce(&mut Bucket, Item)) {
        // Whoever numbers the buckets goes by how many there are.
        if let Some(bucket) = self.0.get(usize::from(item.bucket)) {
            change(&mut lock(bucket), item);
        }
    }
}

impl Bucket {
    fn add(&mut self, item: Item) {
        let dying = self.dying.entry(item.dies_in).or_default();
        dying.sum = dying.sum.wrapping_add(item.fingerprint);
        dying.count += 1;
        if item.dies_in > self.horizon {
            self.sum = self.sum.wrapping_add(item.fingerprint);
        }
    }

    fn remove(&mut self, item: Item) {
        let Entry::Occupied(mut entry) = self.dying.entry(item.dies_in) else {
            return;
        };
        let dying = entry.get_mut();
        dying.sum = dying.sum.wrapping_sub(item.fingerprint);
        dying.count -= 1;
        if dying.count == 0 {
            entry.remove();
        }
        if item.dies_in > self.horizon {
            self.sum = self.sum.wrapping_sub(item.fingerprint);
        }
    }

    /// Moves the horizon, in whichever direction the clock was set.
    fn beyond(&mut self, horizon: Span) -> u64 {
        for (_, dying) in self.dying.range(self.horizon.up_to(horizon)) {
            self.sum = self.sum.wrapping_sub(dying.sum);
        }
        for (_, dying) in self.dying.range(horizon.up_to(self.horizon)) {
            self.sum = self.sum.wrapping_add(dying.sum);
        }
        self.horizon = horizon;
        self.sum
    }
}

impl Span {
    const MILLIS: u64 = 15_000;

    /// The span that a moment lies in.
    pub(crate) fn of(moment: MeshTime) -> Self {
        Self(moment.as_millis() / Self::MILLIS)
    }

    /// The spans after this one up to `last`; none where that is not later.
    fn up_to(self, last: Self) -> Range<Self> {
        let next = |span: Self| Self(span.0.saturating_add(1));
        next(self)..next(last.max(self))
    }
}

fn lock(bucket: &Mutex<Bucket>) -> MutexGuard<'_, Bucket> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sums")
            .field("buckets", &self.0.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
