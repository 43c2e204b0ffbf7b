//! What is counted, and how it adds up.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::fetch::Source;

/// The counters of a cache at one moment.
///
/// Every lookup counts in exactly one of `hits`, `peer_hits`, `misses`, `revalidated`,
/// `stale_served` and `coalesced`. A revalidation in the background is nobody's lookup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// Answered from a fresh entry that this node fetched.
    pub hits: u64,
    /// Answered from a fresh entry that a peer fetched.
    pub peer_hits: u64,
    /// Not answered from the cache: fetched, or tried to.
    pub misses: u64,
    /// Answered from a stale entry which upstream confirmed.
    pub revalidated: u64,
    /// Answered from a stale entry because upstream could not answer, or the caller would not
    /// wait for it.
    pub stale_served: u64,
    /// Answered by a fetch that somebody else had under way.
    pub coalesced: u64,
    /// Entries dropped because their time was over.
    pub expirations: u64,
    /// Entries dropped to make room.
    pub evictions: u64,
    /// Entries held in memory now.
    pub entries: u64,
    /// What they occupy there, in bytes.
    pub bytes: u64,
    /// The store on disk, where there is one.
    pub disk: Option<DiskStats>,
    /// Peers connected now.
    pub connected_peers: u64,
    /// Entries pushed to peers.
    pub broadcast: BroadcastStats,
    /// Entries received from peers.
    pub received: ReceivedStats,
}

/// Pushes to peers; one entry sent to four peers counts four times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BroadcastStats {
    /// Sent: `acked` and `failed` together.
    pub sent: u64,
    /// Confirmed by the peer.
    pub acked: u64,
    /// Not confirmed, or dropped from a full queue before anybody was told.
    pub failed: u64,
}

/// Entries received from peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReceivedStats {
    /// Newer than what was held, and kept.
    pub accepted: u64,
    /// Known already, older than what is held, invalidated, or dead on arrival.
    pub ignored: u64,
    /// Refused: stamped too far ahead, or not understood.
    pub rejected: u64,
}

/// A store on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DiskStats {
    /// Entries on disk.
    pub entries: u64,
    /// What they occupy there, in bytes.
    pub bytes: u64,
    /// Entries dropped to make room.
    pub evictions: u64,
    /// Entries that were not written, because too much was waiting or the disk failed.
    pub dropped: u64,
    /// Entries that did not open, or were not what they should be. They are dropped from disk.
    pub unreadable: u64,
    /// Whether the last write failed. It is tried again.
    pub failing: bool,
}

impl Stats {
    /// All lookups.
    pub const fn requests(&self) -> u64 {
        // Other members' counters may be any numbers.
        self.hits
            .saturating_add(self.peer_hits)
            .saturating_add(self.misses)
            .saturating_add(self.revalidated)
            .saturating_add(self.stale_served)
            .saturating_add(self.coalesced)
    }

    /// Lookups that were answered without a call that returned a body.
    pub const fn saved(&self) -> u64 {
        self.requests().saturating_sub(self.misses)
    }

    /// The share of hits, own and from peers, in hits and misses: 0 to 1, and 0 before the first
    /// lookup.
    pub fn hit_rate(&self) -> f64 {
        let hits = self.hits.saturating_add(self.peer_hits);
        match hits.saturating_add(self.misses) {
            0 => 0.0,
            lookups => hits as f64 / lookups as f64,
        }
    }

    /// What only ever goes up in a run, by the names under which members tell it to each other.
    pub(crate) const COUNTERS: [&str; 13] = [
        "hits",
        "peer_hits",
        "misses",
        "revalidated",
        "stale_served",
        "coalesced",
        "expirations",
        "evictions",
        "broadcast.acked",
        "broadcast.failed",
        "received.accepted",
        "received.ignored",
        "received.rejected",
    ];

    /// What is so at the moment.
    pub(crate) const GAUGES: [&str; 3] = ["entries", "bytes", "connected_peers"];

    /// The number of this name, one of [`COUNTERS`](Self::COUNTERS) and [`GAUGES`](Self::GAUGES).
    pub(crate) fn named(&mut self, name: &str) -> Option<&mut u64> {
        Some(match name {
            "hits" => &mut self.hits,
            "peer_hits" => &mut self.peer_hits,
            "misses" => &mut self.misses,
            "revalidated" => &mut self.revalidated,
            "stale_served" => &mut self.stale_served,
            "coalesced" => &mut self.coalesced,
            "expirations" => &mut self.expirations,
            "evictions" => &mut self.evictions,
            "broadcast.acked" => &mut self.broadcast.acked,
            "broadcast.failed" => &mut self.broadcast.failed,
            "received.accepted" => &mut self.received.accepted,
            "received.ignored" => &mut self.received.ignored,
            "received.rejected" => &mut self.received.rejected,
            "entries" => &mut self.entries,
            "bytes" => &mut self.bytes,
            "connected_peers" => &mut self.connected_peers,
            _ => return None,
        })
    }

    /// All that has a name, with its name.
    pub(crate) fn by_name(mut self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = Self::COUNTERS.into_iter().chain(Self::GAUGES);
        names.filter_map(move |name| Some((name, *self.named(name)?)))
    }

    /// Adds a number to the one of this name, if there is one.
    pub(crate) fn add(&mut self, name: &str, more: u64) {
        if let Some(number) = self.named(name) {
            *number = number.saturating_add(more);
        }
        let BroadcastStats { acked, failed, .. } = self.broadcast;
        self.broadcast.sent = acked.saturating_add(failed);
    }
}

/// A number that only goes up, counted without a lock.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    // Relaxed: a counter orders nothing else.
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The live counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) hits: Counter,
    pub(crate) peer_hits: Counter,
    pub(crate) misses: Counter,
    pub(crate) revalidated: Counter,
    pub(crate) stale_served: Counter,
    pub(crate) coalesced: Counter,
    pub(crate) expirations: Counter,
    pub(crate) evictions: Counter,
    pub(crate) acked: Counter,
    pub(crate) failed: Counter,
    pub(crate) accepted: Counter,
    pub(crate) ignored: Counter,
    pub(crate) rejected: Counter,
}

impl Counters {
    /// Counts a lookup by how it was answered.
    pub(crate) fn count(&self, source: Source) {
        let counter = match source {
            Source::Hit => &self.hits,
            Source::PeerHit => &self.peer_hits,
            Source::Coalesced => &self.coalesced,
            Source::Revalidated => &self.revalidated,
            Source::Stale => &self.stale_served,
            Source::Fetched | Source::Refetched => &self.misses,
        };
        counter.add(1);
    }

    /// The counted part of the statistics; what is measured on the spot is left at zero.
    pub(crate) fn snapshot(&self) -> Stats {
        let (acked, failed) = (self.acked.get(), self.failed.get());
        Stats {
            hits: self.hits.get(),
            peer_hits: self.peer_hits.get(),
            misses: self.misses.get(),
            revalidated: self.revalidated.get(),
            stale_served: self.stale_served.get(),
            coalesced: self.coalesced.get(),
            expirations: self.expirations.get(),
            evictions: self.evictions.get(),
            broadcast: BroadcastStats {
                sent: acked + failed,
                acked,
                failed,
            },
            received: ReceivedStats {
                accepted: self.accepted.get(),
                ignored: self.ignored.get(),
                rejected: self.rejected.get(),
            },
            ..Stats::default()
        }
    }
}
