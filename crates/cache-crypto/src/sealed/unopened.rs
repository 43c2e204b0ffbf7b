//! Counting what does not open, and saying so without being made to say it without end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use cache_core::PeerId;

#[cfg(test)]
mod tests;

/// How many peers are told apart. At the bound all are forgotten, so some are named again.
const MAX_PEERS: usize = 256;

/// What did not open, in all and from whom.
#[derive(Default)]
pub(super) struct Unopened {
    total: AtomicU64,
    by_peer: Mutex<HashMap<PeerId, u64>>,
}

impl Unopened {
    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Counts one. A peer is named in the log at its first, second, fourth, eighth and so on: one
    /// that sends a million makes twenty lines.
    pub(super) fn count(&self, from: PeerId) {
        self.total.fetch_add(1, Ordering::Relaxed);
        let count = self.count_of(from);
        if count.is_power_of_two() {
            tracing::warn!(
                peer = %from,
                count,
                "dropped what does not open under this fleet's key; does the peer have the same secret?"
            );
        }
    }

    fn count_of(&self, from: PeerId) -> u64 {
        let mut by_peer = self.by_peer.lock().unwrap_or_else(PoisonError::into_inner);
        if by_peer.len() >= MAX_PEERS && !by_peer.contains_key(&from) {
            by_peer.clear();
        }
        let count = by_peer.entry(from).or_default();
        *count += 1;
        *count
    }
}
