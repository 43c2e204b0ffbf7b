//! What a member holds, in few bytes, so that two members can find out where they differ.

use serde::{Deserialize, Serialize};

use crate::entry::Digest;
use crate::key::Key;
use crate::merge::Version;
use crate::time::MeshTime;
use crate::tombstone::Tombstone;

/// Keys fall into one of so many buckets, by the first byte of their family.
const BUCKETS: usize = 256;

/// What a member knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub(crate) key: Key,
    pub(crate) stored_at: MeshTime,
    pub(crate) digest: Digest,
    /// Whether the member has it, or knows only that it had.
    pub(crate) is_held: bool,
}

/// One known version in eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub(crate) [u8; 8]);

/// The sums over all that a member knows. Equal sums mean equal knowledge, but for a chance of one
/// in 2⁶⁴ that a round of comparing is for nothing; what has changed by the next one shows then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// One sum for each bucket of keys.
    buckets: Vec<u64>,
    tombstones: u64,
}

impl Known {
    /// The key.
    pub fn key(&self) -> Key {
        self.key
    }

    /// When upstream produced the version of it that is known.
    pub fn stored_at(&self) -> MeshTime {
        self.stored_at
    }

    pub(crate) fn of(key: Key, version: Version, is_held: bool) -> Self {
        Self {
            is_held,
            key,
            stored_at: version.stored_at,
            digest: version.digest,
        }
    }

    /// Whether this version wins against `other`, as far as can be told without the origins.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        (self.stored_at, self.digest) > (other.stored_at, other.digest)
    }

    /// What tells it from every other one, whoever holds it.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint(hash(&(self.key, self.stored_at, self.digest)).to_le_bytes())
    }

    /// The bucket that a key falls into.
    pub(crate) fn bucket(&self) -> u8 {
        self.key.family.as_bytes()[0]
    }
}

impl Summary {
    /// The sums over `known`, each key once, and `tombstones`. Neither's order matters.
    pub(crate) fn of(
        known: impl IntoIterator<Item = Known>,
        tombstones: impl IntoIterator<Item = Tombstone>,
    ) -> Self {
        let mut buckets = vec![0_u64; BUCKETS];
        for known in known {
            let sum = &mut buckets[usize::from(known.bucket())];
            *sum = sum.wrapping_add(u64::from_le_bytes(known.fingerprint().0));
        }
        let tombstones = tombstones.into_iter().map(|tombstone| hash(&tombstone));
        Self {
            buckets,
            tombstones: tombstones.fold(0, u64::wrapping_add),
        }
    }

    /// One number for all of it.
    pub(crate) fn root(&self) -> u64 {
        hash(self)
    }

    /// The buckets in which the other side knows something that this one does not, or the other
    /// way round.
    pub(crate) fn buckets_that_differ(&self, other: &Self) -> Vec<u8> {
        let pairs = self.buckets.iter().zip(&other.buckets);
        let numbered = (0..=u8::MAX).zip(pairs);
        numbered
            .filter(|(_, (ours, theirs))| ours != theirs)
            .map(|(bucket, _)| bucket)
            .collect()
    }

    pub(crate) fn tombstones_differ(&self, other: &Self) -> bool {
        self.tombstones != other.tombstones
    }
}

/// The first 64 bits of the BLAKE3 digest of what is sent over the wire.
fn hash(value: &impl Serialize) -> u64 {
    let mut hasher = blake3::Hasher::new();
    // Writing to a hasher does not fail, and these types can all be serialised.
    let _ = postcard::to_io(value, &mut hasher);
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests;
