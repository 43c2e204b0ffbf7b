//! Proofs that a principal may see an answer which another one got.

use std::sync::Arc;

use bytes::Bytes;
use cache_core::entry::Digest;
use cache_core::{Cache, Entry, Freshness, Key, Lifetime, MeshTime, Resource, Scope, State};
use http::{HeaderMap, StatusCode};
use moka::policy::EvictionPolicy;
use moka::sync;

use crate::stored::Stored;

/// What all proofs of a node may occupy, in bytes. At the bound those that were of use longest ago
/// are forgotten; who needs one again gets it for another conditional request, which is free.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A 304 that GitHub gave to a principal, for the body of an entry in another scope.
///
/// It is good on this node alone, and for one freshness period, as if the principal had an entry
/// of its own. After that it still tells which entry to ask about, and, as long as an entry may be
/// stale, what may be shown where GitHub cannot answer.
#[derive(Debug)]
pub(crate) struct Proof {
    /// Where the entry is filed.
    scope: Scope,
    /// The version that was compared last, so that the body need not be digested each time.
    version: Digest,
    body: blake3::Hash,
    /// The headers of the 304.
    head: Bytes,
    /// When GitHub was asked.
    at: MeshTime,
    lifetime: Lifetime,
}

/// The proofs of all principals that have any on this node, by the key under which an entry of
/// the principal's own would be.
#[derive(Clone, Debug)]
pub(crate) struct Proofs {
    known: sync::Cache<Key, Arc<Proof>>,
}

/// An entry that a proof is about.
#[derive(Clone, Debug)]
pub(crate) struct Proven {
    pub(crate) entry: Entry,
    /// The entry's answer, as the principal was last shown it.
    pub(crate) stored: Stored,
    /// When that was.
    pub(crate) at: MeshTime,
    lifetime: Lifetime,
}

impl Proofs {
    pub(crate) fn new() -> Self {
        Self {
            known: sync::Cache::builder()
                .max_capacity(MAX_BYTES)
                .eviction_policy(EvictionPolicy::lru())
                .weigher(|_, proof: &Arc<Proof>| {
                    u32::try_from(512 + proof.head.len()).unwrap_or(u32::MAX)
                })
                .build(),
        }
    }

    /// Remembers that a principal was answered 304, with these headers, for the body of an entry
    /// that is filed under `scope`.
    pub(crate) fn record(
        &self,
        key: Key,
        (scope, entry, stored): (Scope, &Entry, &Stored),
        headers: &HeaderMap,
        at: MeshTime,
        lifetime: Lifetime,
    ) {
        let head = Stored::new(StatusCode::NOT_MODIFIED, headers.clone(), Bytes::new());
        let Ok(head) = head.encode() else {
            return;
        };
        let proof = Proof {
            scope,
            version: entry.digest(),
            body: blake3::hash(&stored.body),
            head,
            at,
            lifetime,
        };
        self.known.insert(key, Arc::new(proof));
    }

    /// Forgets what is known under `key`; tells whether there was anything.
    pub(crate) fn end(&self, key: &Key) -> bool {
        self.known.remove(key).is_some()
    }

    /// The entry that the proof for `resource` is about, while it still has the body that was
    /// proven, and neither has been invalidated since.
    pub(crate) async fn find(&self, cache: &Cache, resource: &Resource) -> Option<Proven> {
        let key = resource.key;
        let proof = self.known.get(&key)?;
        if cache.is_void_since(resource, proof.at) {
            self.known.invalidate(&key);
            return None;
        }
        // What GitHub has shown this very credential since is the later word.
        let own = cache.peek(&key).await;
        if own.is_some_and(|own| own.stored_at() > proof.at) {
            self.known.invalidate(&key);
            return None;
        }
        let entry = cache.peek(&Key::new(key.family, proof.scope)).await?;
        let stored = Stored::decode(entry.value()).ok()?;
        // A newer version with the same body: its owner has revalidated it.
        if entry.digest() != proof.version && blake3::hash(&stored.body) != proof.body {
            return None;
        }
        let head = Stored::decode(&proof.head).ok()?;
        Some(Proven {
            stored: stored.revalidated(key.scope, &head.headers),
            entry,
            at: proof.at,
            lifetime: proof.lifetime,
        })
    }
}

impl Proven {
    /// What may be done with it at `now`, as if it were an entry of the principal's own.
    pub(crate) fn state(&self, now: MeshTime, freshness: Freshness) -> State {
        freshness.state(self.lifetime, now.since(self.at))
    }
}
