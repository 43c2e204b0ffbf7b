//! One version of a value, and what makes it comparable with the others.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::digest::{Heat, Known};
use crate::freshness::{Freshness, Lifetime, State};
use crate::key::Key;
use crate::merge::Version;
use crate::path::Path;
use crate::peer::PeerId;
use crate::time::MeshTime;
use crate::wire::MAX_VALUE;

/// One version of the value that is filed under a key.
///
/// An entry is immutable and cheap to clone; a newer answer is another entry, and
/// [`merge`](crate::merge::merge) tells which of two is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Parts", into = "Parts")]
pub struct Entry(Arc<Inner>);

struct Inner {
    parts: Parts,
    digest: Digest,
    /// How often it was served here. It is no part of the version, and goes nowhere with it.
    served: AtomicU32,
}

/// The first 128 bits of the BLAKE3 digest of an entry's path, value and lifetime.
///
/// An entry's own is always computed from what is at hand and never taken from the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest([u8; Digest::LEN]);

/// An entry as it travels, without what follows from the rest.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Parts {
    stored_at: MeshTime,
    lifetime: Lifetime,
    origin: PeerId,
    path: Path,
    value: Bytes,
}

impl Entry {
    /// What an entry occupies in memory beside its value, in bytes: itself, its key, and the
    /// book-keeping of the table that holds it.
    const OVERHEAD: usize = 440;

    /// A value of `path` that upstream produced at `stored_at`, fetched by `origin`.
    pub fn new(
        stored_at: MeshTime,
        origin: PeerId,
        path: Path,
        value: Bytes,
        lifetime: Lifetime,
    ) -> Self {
        Self::from(Parts {
            stored_at,
            lifetime,
            origin,
            path,
            value,
        })
    }

    /// When upstream produced it.
    pub fn stored_at(&self) -> MeshTime {
        self.0.parts.stored_at
    }

    /// How long it is fresh, and how long it is kept beyond that.
    pub fn lifetime(&self) -> Lifetime {
        self.0.parts.lifetime
    }

    /// The member that fetched it.
    pub fn origin(&self) -> PeerId {
        self.0.parts.origin
    }

    /// What it belongs to; [invalidating](crate::Cache::invalidate_path) that drops it.
    pub fn path(&self) -> &Path {
        &self.0.parts.path
    }

    /// The value, in whatever encoding the owner of the key uses.
    pub fn value(&self) -> &Bytes {
        &self.0.parts.value
    }

    /// The digest of path, value and lifetime, which breaks ties between versions of one moment.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// How old it is.
    pub fn age(&self, now: MeshTime) -> Duration {
        now.since(self.0.parts.stored_at)
    }

    /// What may be done with it at `now`, for a caller who asks for `freshness`.
    pub fn state(&self, now: MeshTime, freshness: Freshness) -> State {
        freshness.state(self.0.parts.lifetime, self.age(now))
    }

    /// Whether it can be sent to a peer.
    pub(crate) fn fits_a_frame(&self) -> bool {
        self.value().len() <= MAX_VALUE
    }

    /// When it dies.
    pub(crate) fn dies_at(&self) -> MeshTime {
        self.stored_at().saturating_add(self.lifetime().total())
    }

    /// Whether nobody may be given it any more.
    pub(crate) fn is_dead(&self, now: MeshTime) -> bool {
        self.state(now, Freshness::AS_STORED) == State::Dead
    }

    /// It is handed to a caller.
    pub(crate) fn serve(&self) {
        self.0.served.fetch_add(1, Relaxed);
    }

    /// Takes the place of an earlier version. Who was asked for often will be again; what was long
    /// ago counts for less and less.
    pub(crate) fn take_after(&self, earlier: &Self) {
        let served = earlier.0.served.load(Relaxed) / 2;
        self.0.served.fetch_add(served, Relaxed);
    }

    /// What peers are told of it.
    pub(crate) fn known(&self, key: Key) -> Known {
        let served = self.0.served.load(Relaxed);
        let power = served.checked_ilog2().map_or(0, |power| power as u8 + 1);
        Known::of(key, Version::of(self), Some(Heat(power)))
    }

    /// What it occupies in memory, in bytes.
    pub(crate) fn weight(&self) -> usize {
        Self::OVERHEAD + self.path().as_key().len() + self.value().len()
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0.digest == other.0.digest && self.0.parts == other.0.parts
    }
}

impl Eq for Entry {}

impl From<Parts> for Entry {
    fn from(parts: Parts) -> Self {
        let digest = Digest::of(&parts);
        let served = AtomicU32::new(0);
        Self(Arc::new(Inner {
            parts,
            digest,
            served,
        }))
    }
}

impl From<Entry> for Parts {
    fn from(entry: Entry) -> Self {
        entry.0.parts.clone()
    }
}

impl Digest {
    const LEN: usize = 16;

    fn of(parts: &Parts) -> Self {
        let mut hasher = blake3::Hasher::new();
        for duration in [parts.lifetime.ttl, parts.lifetime.stale_for] {
            hasher.update(&duration.as_nanos().to_le_bytes());
        }
        let path = parts.path.as_key().as_bytes();
        hasher.update(&(path.len() as u64).to_le_bytes());
        hasher.update(path);
        hasher.update(&parts.value);
        let mut digest = [0; Self::LEN];
        hasher.finalize_xof().fill(&mut digest);
        Self(digest)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Entry {
    /// Tells the length of the value, and nothing of what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("stored_at", &self.0.parts.stored_at)
            .field("lifetime", &self.0.parts.lifetime)
            .field("origin", &self.0.parts.origin)
            .field("path", &self.0.parts.path)
            .field("bytes", &self.0.parts.value.len())
            .field("digest", &self.0.digest)
            .finish()
    }
}
