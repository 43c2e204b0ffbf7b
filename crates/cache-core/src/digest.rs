//! What a member knows, in few bytes, so that two members can find out where they differ.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::entry::Digest;
use crate::key::Key;
use crate::merge::Version;
use crate::sums::{Item, Span};
use crate::time::MeshTime;
use crate::tombstone::Tombstone;

/// Keys fall into one of so many buckets, by the first byte of their family.
pub(crate) const BUCKETS: usize = 256;

/// And what invalidations are of, by the first byte of its digest.
pub(crate) const TOMBSTONE_BUCKETS: usize = 64;

/// What dies within this time is not worth catching up on, more or less.
const NOT_WORTH_IT: Duration = Duration::from_secs(60);

/// What a member knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub(crate) key: Key,
    pub(crate) stored_at: MeshTime,
    pub(crate) digest: Digest,
    /// How often the member has served it; nothing where it knows only that it had it.
    pub(crate) heat: Option<Heat>,
}

/// How often something was served, as a power of two.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Heat(pub(crate) u8);

/// One known version in eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub(crate) [u8; 8]);

/// The sums over all that a member knows. Equal sums mean equal knowledge, but for a chance of one
/// in 2⁶⁴ that a round of comparing is for nothing; what has changed by the next one shows then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// One sum for each bucket of keys.
    pub(crate) buckets: Vec<u64>,
    /// And for each of invalidations.
    pub(crate) tombstones: Vec<u64>,
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

    /// The digest of what that version holds.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) fn of(key: Key, version: Version, heat: Option<Heat>) -> Self {
        Self {
            key,
            stored_at: version.stored_at,
            digest: version.digest,
            heat,
        }
    }

    /// Whether this version wins against `other`, as far as can be told without the origins.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        (self.stored_at, self.digest) > (other.stored_at, other.digest)
    }

    /// What tells it from every other one, whoever holds it.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&(self.key, self.stored_at, self.digest))
    }

    /// The bucket that a key falls into.
    pub(crate) fn bucket(&self) -> u8 {
        self.key.family.as_bytes()[0]
    }

    /// What it adds to the sums.
    pub(crate) fn item(&self, dies_at: MeshTime) -> Item {
        Item {
            bucket: self.bucket(),
            fingerprint: self.fingerprint().number(),
            dies_in: Span::of(dies_at),
        }
    }
}

impl Fingerprint {
    /// The first 64 bits of the BLAKE3 digest of what is sent over the wire.
    fn of(value: &impl Serialize) -> Self {
        let mut hasher = blake3::Hasher::new();
        // Writing to a hasher does not fail, and these types can all be serialised.
        let _ = postcard::to_io(value, &mut hasher);
        let mut first = [0; 8];
        hasher.finalize_xof().fill(&mut first);
        Self(first)
    }

    fn number(self) -> u64 {
        u64::from_le_bytes(self.0)
    }
}

impl Tombstone {
    /// What tells it from every other one, whoever remembers it.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self)
    }

    /// The bucket that its target falls into.
    pub(crate) fn bucket(&self) -> u8 {
        let Fingerprint(first) = Fingerprint::of(&self.target);
        first[0] % TOMBSTONE_BUCKETS as u8
    }

    /// What it adds to the sums.
    pub(crate) fn item(&self) -> Item {
        Item {
            bucket: self.bucket(),
            fingerprint: self.fingerprint().number(),
            dies_in: Span::of(self.dies_at()),
        }
    }
}

impl Span {
    /// What dies in this span or before need not be told to others any more.
    pub(crate) fn not_worth_it(now: MeshTime) -> Self {
        Self::of(now.saturating_add(NOT_WORTH_IT))
    }
}

impl Summary {
    /// One number for all of it.
    pub(crate) fn root(&self) -> u64 {
        Fingerprint::of(self).number()
    }

    /// The buckets of keys in which the other side knows something that this one does not, or the
    /// other way round.
    pub(crate) fn buckets_that_differ(&self, other: &Self) -> Vec<u8> {
        differing(&self.buckets, &other.buckets)
    }

    /// The same, of invalidations.
    pub(crate) fn tombstones_that_differ(&self, other: &Self) -> Vec<u8> {
        differing(&self.tombstones, &other.tombstones)
    }
}

/// The numbers of the sums that are not equal.
fn differing(ours: &[u64], theirs: &[u64]) -> Vec<u8> {
    let numbered = (0..=u8::MAX).zip(ours.iter().zip(theirs));
    numbered
        .filter(|(_, (ours, theirs))| ours != theirs)
        .map(|(bucket, _)| bucket)
        .collect()
}

#[cfg(test)]
mod tests;
