//! Going through what is known bucket by bucket, as far as a message has room for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::{Fingerprint, Known};
use crate::replica::Replica;
use crate::tombstone::Tombstone;

/// What falls into one of the buckets that there are sums of.
pub(super) trait Bucketed: Sized {
    /// All of it that a peer may lack, which takes time.
    fn all(replica: &Replica) -> impl Iterator<Item = Self>;

    fn bucket(&self) -> u8;

    fn fingerprint(&self) -> Fingerprint;
}

/// What is in the first of some buckets.
pub(super) struct Filled<T> {
    /// How many buckets this covers, at least one where any were asked for.
    pub(super) buckets: usize,
    pub(super) items: Vec<T>,
}

/// What is in the first of these buckets and `is_news`, until it costs so much.
///
/// A bucket that alone costs more is cut short: the rest of it shows once that is equal, or has died.
pub(super) fn fill<T: Bucketed>(
    replica: &Replica,
    buckets: &[u8],
    is_news: impl Fn(&T) -> bool,
    cost: impl Fn(&T) -> usize,
    max: usize,
) -> Filled<T> {
    let asked: BTreeSet<u8> = buckets.iter().copied().collect();
    let mut by_bucket = BTreeMap::<u8, Vec<T>>::new();
    for item in T::all(replica) {
        let bucket = item.bucket();
        if asked.contains(&bucket) && is_news(&item) {
            by_bucket.entry(bucket).or_default().push(item);
        }
    }
    let mut filled = Filled {
        buckets: 0,
        items: Vec::new(),
    };
    let mut used = 0;
    for bucket in buckets {
        let more = by_bucket.remove(bucket).unwrap_or_default();
        let costs = more.iter().map(&cost).sum::<usize>();
        if filled.buckets > 0 && used + costs > max {
            break;
        }
        let room = max.saturating_sub(used);
        let mut taken = 0;
        filled.items.extend(more.into_iter().take_while(|item| {
            taken += cost(item);
            taken <= room
        }));
        used += costs;
        filled.buckets += 1;
    }
    filled
}

impl Bucketed for Known {
    fn all(replica: &Replica) -> impl Iterator<Item = Self> {
        replica.known()
    }

    fn bucket(&self) -> u8 {
        self.bucket()
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint()
    }
}

impl Bucketed for Tombstone {
    fn all(replica: &Replica) -> impl Iterator<Item = Self> {
        replica.tombstones().into_iter()
    }

    fn bucket(&self) -> u8 {
        self.bucket()
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint()
    }
}
