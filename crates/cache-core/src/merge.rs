//! Which of two versions wins.
//!
//! Members receive the versions of an entry in any order, any number of times. They agree in the
//! end because [`merge`] is the join of a total order: commutative, associative and idempotent.

use std::cmp::Ordering;

use crate::entry::Entry;

/// The version that is kept, whole: the greater in the order of [`compare`].
pub fn merge(ours: Entry, theirs: Entry) -> Entry {
    if compare(&ours, &theirs) == Ordering::Less {
        theirs
    } else {
        ours
    }
}

/// The total order of the versions of one key.
///
/// 1. The later stamp is greater: upstream's last word counts.
/// 2. At one moment a tombstone is greater than a value: to ask once more is safe, to serve what
///    was withdrawn is not.
/// 3. Then the digest of the content, then the origin. Either way would do, as long as all members
///    choose the same.
///
/// Two versions that compare equal are the same version.
pub fn compare(a: &Entry, b: &Entry) -> Ordering {
    let rank = |entry: &Entry| {
        (
            entry.stored_at(),
            entry.is_tombstone(),
            entry.digest(),
            entry.origin(),
        )
    };
    rank(a).cmp(&rank(b))
}

#[cfg(test)]
mod tests;
