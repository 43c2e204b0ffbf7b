//! A version told as what tells it from the one before it.
//!
//! Most answers of upstream to a revalidation say that nothing has changed but a few words in front
//! of a body that may be long. Who holds the version before can make the new one of these words.

use std::fmt;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::entry::{Digest, Entry};
use crate::freshness::Lifetime;
use crate::key::Key;
use crate::peer::PeerId;
use crate::time::MeshTime;

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
    pub(crate) origin: PeerId,
    /// What the value begins with.
    pub(crate) head: Bytes,
    /// It goes on with so many bytes from the end of the other's value.
    pub(crate) tail: u64,
}

impl Renewal {
    /// What is saved has to be worth a peer's asking for the whole, should it lack the base.
    const LEAST_SAVED: usize = 1024;

    /// What turns `base` into `entry`; nothing where they have little in common.
    pub(crate) fn of(key: Key, base: &Entry, entry: &Entry) -> Option<Self> {
        if base.path() != entry.path() {
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

    /// The new version; nothing where `base` is not what it is made of, or something else comes of it
    /// than was meant.
    pub(crate) fn apply(&self, base: &Entry) -> Option<Entry> {
        if base.digest() != self.base {
            return None;
        }
        let tail = usize::try_from(self.tail).ok()?;
        let start = base.value().len().checked_sub(tail)?;
        let value = if self.head.is_empty() {
            base.value().slice(start..)
        } else {
            let mut value = BytesMut::with_capacity(self.head.len() + tail);
            value.extend_from_slice(&self.head);
            value.extend_from_slice(&base.value()[start..]);
            value.freeze()
        };
        let path = base.path().clone();
        let entry = Entry::new(self.stored_at, self.origin, path, value, self.lifetime);
        (entry.digest() == self.digest).then_some(entry)
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
