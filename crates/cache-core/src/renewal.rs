//! A version told as what tells it from the one before it.
//!
//! Most answers of upstream to a revalidation say that nothing has changed but a few words in front
//! of a body that may be long. Who holds the version before can make the new one of these words.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::entry::{Digest, Entry};
use crate::freshness::Lifetime;
use crate::key::Key;
use crate::peer::PeerId;
use crate::time::MeshTime;
use crate::wire::MAX_VALUE;

/// What turns one version of an entry into the next.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    pub(crate) key: Key,
    /// The content of the version that it is made of.
    pub(crate) base: Digest,
    /// The content that has to come of it.
    pub(crate) digest: Digest,
    pub(crate) stored_at: MeshTime,
    pub(crate) lifetime: Lifetime,
    /// Who has fetched it, and so has it, whoever passes this on.
    pub(crate) origin: PeerId,
    /// What the value begins with.
    pub(crate) head: Bytes,
    /// It goes on with so many bytes from the end of the other's value.
    pub(crate) tail: u64,
}

/// What comes of a renewal and its base is not what the renewal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Untrue;

impl Renewal {
    /// Who lacks the base gets the whole by catching up, where what is about to die is left out.
    const LEAST_LIFETIME: Duration = Duration::from_secs(120);

    /// What is saved has to be worth a peer's asking for the whole, should it lack the base.
    const LEAST_SAVED: usize = 1024;

    /// What turns `base` into `entry`; nothing where they have little in common.
    pub(crate) fn of(key: Key, base: &Entry, entry: &Entry) -> Option<Self> {
        let can_be_told = base.fits_a_frame() && entry.fits_a_frame();
        let lives_on = entry.lifetime().total() >= Self::LEAST_LIFETIME;
        if !can_be_told || !lives_on || base.path() != entry.path() {
            return None;
        }
        let tail = common_tail(base.value(), entry.value());
        Self::with_tail(key, base.digest(), entry, tail)
    }

    /// What turns the version that `earlier` turns into another one into `entry`, as this does with
    /// what comes of `earlier`.
    pub(crate) fn after(&self, earlier: &Self, entry: &Entry) -> Option<Self> {
        let tail = usize::try_from(self.tail.min(earlier.tail)).ok()?;
        let follows = self.base == earlier.digest;
        follows.then(|| Self::with_tail(self.key, earlier.base, entry, tail))?
    }

    fn with_tail(key: Key, base: Digest, entry: &Entry, tail: usize) -> Option<Self> {
        if tail < Self::LEAST_SAVED || tail < entry.value().len() / 2 {
            return None;
        }
        let head = entry.value().slice(..entry.value().len() - tail);
        Some(Self {
            key,
            base,
            digest: entry.digest(),
            stored_at: entry.stored_at(),
            lifetime: entry.lifetime(),
            origin: entry.origin(),
            head,
            tail: tail as u64,
        })
    }

    /// How long the new version's value is, in bytes.
    pub(crate) fn value_len(&self) -> usize {
        let tail = usize::try_from(self.tail).unwrap_or(usize::MAX);
        self.head.len().saturating_add(tail)
    }

    /// Whether this is the version that it is made of.
    pub(crate) fn is_made_of(&self, base: &Entry) -> bool {
        base.digest() == self.base
    }

    /// The new version, of the version that it [is made of](Self::is_made_of).
    pub(crate) fn apply(&self, base: &Entry) -> Result<Entry, Untrue> {
        let len = self.value_len();
        let start = len
            .checked_sub(self.head.len())
            .and_then(|tail| base.value().len().checked_sub(tail));
        let start = start.filter(|_| len <= MAX_VALUE).ok_or(Untrue)?;
        let value = if self.head.is_empty() && start == 0 {
            base.value().clone()
        } else {
            // A copy, lest it keep all of the other in memory.
            let mut value = BytesMut::with_capacity(len);
            value.extend_from_slice(&self.head);
            value.extend_from_slice(&base.value()[start..]);
            value.freeze()
        };
        let path = base.path().clone();
        let entry = Entry::new(self.stored_at, self.origin, path, value, self.lifetime);
        if entry.digest() == self.digest {
            Ok(entry)
        } else {
            Err(Untrue)
        }
    }
}

/// In how many bytes the ends of both are the same.
fn common_tail(a: &[u8], b: &[u8]) -> usize {
    // Blocks are compared faster than bytes.
    const BLOCK: usize = 1024;
    let blocks = a.rchunks_exact(BLOCK).zip(b.rchunks_exact(BLOCK));
    let same = BLOCK * blocks.take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - same], &b[..b.len() - same]);
    let pairs = a.iter().rev().zip(b.iter().rev());
    same + pairs.take_while(|(a, b)| a == b).count()
}

impl fmt::Debug for Renewal {
    /// Tells the length of the head, and nothing of what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal")
            .field("key", &self.key)
            .field("stored_at", &self.stored_at)
            .field("head", &self.head.len())
            .field("tail", &self.tail)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
