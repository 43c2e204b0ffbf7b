//! One version of an answer, and what makes it comparable with the others.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::freshness::{Freshness, Lifetime, State};
use crate::peer::PeerId;
use crate::time::MeshTime;

/// One version of what is filed under a key: a value, or the word that there is none any more.
///
/// An entry is immutable and cheap to clone; a newer answer is another entry, and
/// [`merge`](crate::merge::merge) tells which of two is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Parts", into = "Parts")]
pub struct Entry(Arc<Inner>);

#[derive(PartialEq, Eq)]
struct Inner {
    parts: Parts,
    digest: Digest,
}

/// What an entry says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// The answer, in whatever encoding the owner of the key uses.
    Value(Bytes),
    /// A tombstone: what was stored before is no longer to be served.
    Tombstone,
}

/// The first 128 bits of the BLAKE3 digest of an entry's content and lifetime.
///
/// It is always computed from what is at hand and never taken from the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 16]);

/// An entry as it travels, without what follows from the rest.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Parts {
    stored_at: MeshTime,
    lifetime: Lifetime,
    origin: PeerId,
    content: Content,
}

impl Entry {
    /// What an entry occupies in memory beside its value, in bytes: itself, its key, and the
    /// book-keeping of the table that holds it.
    const OVERHEAD: usize = 320;

    /// A value that upstream produced at `stored_at`, fetched by `origin`.
    pub fn value(stored_at: MeshTime, origin: PeerId, value: Bytes, lifetime: Lifetime) -> Self {
        Self::from(Parts {
            stored_at,
            lifetime,
            origin,
            content: Content::Value(value),
        })
    }

    /// The word of `origin` that everything stored up to `stored_at` is void; it is remembered
    /// for as long as a copy of what it covers may turn up.
    pub fn tombstone(stored_at: MeshTime, origin: PeerId, lifetime: Lifetime) -> Self {
        Self::from(Parts {
            stored_at,
            lifetime,
            origin,
            content: Content::Tombstone,
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

    /// What it says.
    pub fn content(&self) -> &Content {
        &self.0.parts.content
    }

    /// The value, unless this is a tombstone.
    pub fn as_value(&self) -> Option<&Bytes> {
        match &self.0.parts.content {
            Content::Value(value) => Some(value),
            Content::Tombstone => None,
        }
    }

    /// Whether this is a tombstone.
    pub fn is_tombstone(&self) -> bool {
        matches!(self.0.parts.content, Content::Tombstone)
    }

    /// The digest of content and lifetime, which breaks ties between versions of one moment.
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

    /// What it occupies in memory, in bytes.
    pub(crate) fn weight(&self) -> usize {
        Self::OVERHEAD + self.as_value().map_or(0, Bytes::len)
    }
}

impl From<Parts> for Entry {
    fn from(parts: Parts) -> Self {
        let digest = Digest::of(&parts);
        Self(Arc::new(Inner { parts, digest }))
    }
}

impl From<Entry> for Parts {
    fn from(entry: Entry) -> Self {
        entry.0.parts.clone()
    }
}

impl Digest {
    fn of(parts: &Parts) -> Self {
        let mut hasher = blake3::Hasher::new();
        for duration in [parts.lifetime.ttl, parts.lifetime.stale_for] {
            hasher.update(&duration.as_nanos().to_le_bytes());
        }
        match &parts.content {
            Content::Value(value) => hasher.update(b"value").update(value),
            Content::Tombstone => hasher.update(b"tombstone"),
        };
        let mut digest = [0; 16];
        hasher.finalize_xof().fill(&mut digest);
        Self(digest)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Content {
    /// Tells the length of a value, and nothing of what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{} bytes", value.len()),
            Self::Tombstone => f.write_str("tombstone"),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("stored_at", &self.0.parts.stored_at)
            .field("lifetime", &self.0.parts.lifetime)
            .field("origin", &self.0.parts.origin)
            .field("content", &self.0.parts.content)
            .field("digest", &self.0.digest)
            .finish()
    }
}
