//! Which of two versions wins.
//!
//! Members receive the versions of an entry in any order, any number of times. They agree in the
//! end because [`merge`] is the join of a total order: commutative, associative and idempotent.

use std::cmp::Ordering;

use crate::entry::{Digest, Entry};
use crate::peer::PeerId;
use crate::time::MeshTime;

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
/// 2. Then the digest of the content, then the origin. Either way would do, as long as all members
///    choose the same.
///
/// Two versions that compare equal are the same version. Invalidations stand outside this order:
/// a [`Tombstone`](crate::Tombstone) voids every version up to its own stamp, that one included,
/// because to ask once more is safe, and to serve what was withdrawn is not.
pub fn compare(a: &Entry, b: &Entry) -> Ordering {
    Version::of(a).cmp(&Version::of(b))
}

/// What the order looks at, without the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    // The order of the fields is the order of the versions.
    pub(crate) stored_at: MeshTime,
    pub(crate) digest: Digest,
    origin: PeerId,
}

impl Version {
    pub(crate) fn of(entry: &Entry) -> Self {
        Self {
            stored_at: entry.stored_at(),
            digest: entry.digest(),
            origin: entry.origin(),
        }
    }
}

#[cfg(test)]
mod tests;
