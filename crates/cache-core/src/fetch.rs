//! What a fetch may bring, and what a lookup may be answered with.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::entry::Entry;
use crate::freshness::Lifetime;

/// What a fetch has brought.
#[derive(Clone, PartialEq, Eq)]
pub enum Fetched {
    /// A complete new answer: kept, and shared with the peers.
    New(Bytes, Lifetime),
    /// The stale entry that the fetch was handed is still right, in this form: kept as a new
    /// version, and shared.
    Revalidated(Bytes, Lifetime),
    /// An answer that must not be kept. All who wait for this fetch get it, and nobody later.
    Passing(Bytes),
    /// An entry that is filed elsewhere, under another scope say, and how it came to be the answer.
    /// All who wait for this fetch get it; nothing is kept.
    Elsewhere(Entry, Source),
    /// Something that only the fetch's own caller can have, who has it already: a stream, say.
    /// Each of the others fetches for itself.
    Private,
}

/// How a lookup was answered.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// From an entry.
    Entry {
        /// The entry.
        entry: Entry,
        /// How it came to be the answer.
        source: Source,
        /// How old it is.
        age: Duration,
    },
    /// [`Fetched::Passing`].
    Passing {
        /// What the fetch has brought.
        value: Bytes,
        /// [`Source::Fetched`] or [`Source::Coalesced`].
        source: Source,
    },
    /// [`Fetched::Private`], by the fetch that came with this very call.
    Private,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A fresh entry that this node fetched.
    Hit,
    /// A fresh entry that a peer fetched.
    PeerHit,
    /// A fetch that somebody else had under way.
    Coalesced,
    /// A stale entry that upstream has confirmed.
    Revalidated,
    /// A stale entry, because the fetch failed, or because the caller would rather not wait for
    /// it.
    Stale,
    /// The fetch; nothing was held before it.
    Fetched,
    /// The fetch, which replaced a stale entry.
    Refetched,
}

/// A fetch has failed, and there was nothing stale to serve in its place. All who waited for it
/// get the same error; it is not remembered.
#[derive(Clone, Debug)]
pub struct FetchError(Arc<dyn Error + Send + Sync>);

/// What a fetch fails with.
pub type BoxError = Box<dyn Error + Send + Sync>;

impl FetchError {
    /// The fetch has ended without an answer.
    pub(crate) fn abandoned() -> Self {
        Self(Arc::new(Abandoned))
    }

    /// Another member's fetch has failed, for which this one has waited.
    pub(crate) fn of_a_peer(why: String) -> Self {
        Self(Arc::new(OfAPeer(why)))
    }

    /// Whether it was another member's fetch. One of this node's own may fare better, and can say
    /// more of why it does not.
    pub fn is_of_a_peer(&self) -> bool {
        self.0.is::<OfAPeer>()
    }

    /// The error of the fetch, if it is an `E`.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Fetched {
    /// Tells the lengths of values, and nothing of what is in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kept = |name, value: &Bytes, lifetime| {
            let mut tuple = f.debug_tuple(name);
            tuple
                .field(&format_args!("{} bytes", value.len()))
                .field(lifetime)
                .finish()
        };
        match self {
            Self::New(value, lifetime) => kept("New", value, lifetime),
            Self::Revalidated(value, lifetime) => kept("Revalidated", value, lifetime),
            Self::Passing(value) => f
                .debug_tuple("Passing")
                .field(&format_args!("{} bytes", value.len()))
                .finish(),
            Self::Elsewhere(entry, source) => {
                let mut tuple = f.debug_tuple("Elsewhere");
                tuple.field(entry).field(source).finish()
            }
            Self::Private => f.write_str("Private"),
        }
    }
}

impl fmt::Debug for Answer {
    /// Tells the lengths of values, and nothing of what is in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry { entry, source, age } => {
                let mut answer = f.debug_struct("Entry");
                answer.field("entry", entry).field("source", source);
                answer.field("age", age).finish()
            }
            Self::Passing { value, source } => {
                let mut answer = f.debug_struct("Passing");
                answer.field("value", &format_args!("{} bytes", value.len()));
                answer.field("source", source).finish()
            }
            Self::Private => f.write_str("Private"),
        }
    }
}

impl From<BoxError> for FetchError {
    fn from(error: BoxError) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct OfAPeer(String);

#[derive(Debug, thiserror::Error)]
#[error("the fetch ended without an answer: the cache was closed, or the fetch panicked")]
struct Abandoned;
