//! Going through what is known bucket by bucket, as far as a message has room for it.

use std::collections::{BTreeMap, BTreeSet};

/// What is in the first of these buckets, until that is so much. A bucket that alone holds more is
/// cut short: the rest of it shows once that is equal, or has died.
pub(super) struct Filled<T> {
    /// How many buckets this covers, at least one where any were asked for.
    pub(super) buckets: usize,
    pub(super) items: Vec<T>,
}

/// Fills a message of no more than `max` with these items, of which each is in a bucket and counts
/// for so much.
pub(super) fn fill<T>(
    items: impl IntoIterator<Item = T>,
    buckets: &[u8],
    max: usize,
    bucket_of: impl Fn(&T) -> u8,
    cost: impl Fn(&T) -> usize,
) -> Filled<T> {
    let asked: BTreeSet<u8> = buckets.iter().copied().collect();
    let mut by_bucket = BTreeMap::<u8, Vec<T>>::new();
    for item in items {
        let bucket = bucket_of(&item);
        if asked.contains(&bucket) {
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
