//! How the memory that a cache may take is shared out.

use crate::replica::Bounds;

/// What each part of a cache may take of the memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    /// The entries, with their tables.
    pub(crate) entries: u64,
    /// The index of what was evicted.
    pub(crate) index: u64,
    /// The invalidations that are remembered.
    pub(crate) tombstones: usize,
    /// What waits to be pushed.
    pub(crate) queued: usize,
    /// The frames of the pushes under way.
    pub(crate) pushed: usize,
    /// What waits to be written to a second tier.
    pub(crate) pending: usize,
}

impl Shares {
    /// One in so many goes to each of what waits to be pushed, is pushed, and waits to be written.
    const WAITING: u64 = 16;

    /// One in so many goes to the index, and to the tombstones.
    const REMEMBERED: u64 = 32;

    /// None of these is ever given less: with next to no room for what waits, peers and disk would
    /// miss most of what comes in a burst, and tombstones at their bound void more than was asked.
    const LEAST: u64 = 1024 * 1024;

    /// Of what is bounded like this, with a second tier or without. What a caller has set for the
    /// queue counts beside the rest.
    pub(crate) fn of(bounds: &Bounds, has_tier: bool) -> Self {
        let waiting = bounds.max_bytes / Self::WAITING;
        let remembered = bounds.max_bytes / Self::REMEMBERED;
        let queued = match bounds.max_queued_bytes {
            Some(_) => 0,
            None => waiting,
        };
        let pending = if has_tier { waiting } else { 0 };
        Self {
            entries: bounds.max_bytes - 2 * remembered - queued - waiting - pending,
            index: remembered,
            tombstones: at_least(remembered),
            queued: bounds.max_queued_bytes.unwrap_or(at_least(queued)),
            pushed: at_least(waiting),
            pending: at_least(pending),
        }
    }
}

fn at_least(bytes: u64) -> usize {
    usize::try_from(bytes.max(Shares::LEAST)).unwrap_or(usize::MAX)
}
