//! Peers that we have parted with for a while, because of what they sent.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cache_core::{Misconduct, PeerId};
use tokio::sync::Notify;
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// Of so many peers is remembered that they are shunned. Where there are more, the one whose time
/// is over next is let in again: a member in good order is never on the list, so it takes somebody
/// with the fleet's secret and a thousand names to get there, and he gains one name by it.
const MOST: usize = 1024;

/// Who is shunned, and until when.
///
/// It is written by whoever reports, and read by the swarm's task, which has libp2p close and
/// refuse their connections.
pub(crate) struct Shunned {
    period: Duration,
    until: Mutex<HashMap<PeerId, Instant>>,
    changed: Notify,
    count: AtomicU64,
}

/// What a peer is shunned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Offence {
    #[error("it sent a frame that was forged or altered")]
    Forged,
    #[error("it sent something that was never a sealed frame")]
    Malformed,
    #[error("it sealed something that is no message")]
    Undecodable,
    #[error("it sent too many frames of another secret or version")]
    Foreign,
    #[error("it broke the protocol of frames")]
    Protocol,
}

impl Offence {
    /// What of this is reason enough to part, once. A peer with another secret or version may be
    /// ahead of us in a change of either, and is in good order.
    pub(crate) fn of(misconduct: Misconduct) -> Option<Self> {
        match misconduct {
            Misconduct::Forged => Some(Self::Forged),
            Misconduct::Malformed => Some(Self::Malformed),
            Misconduct::Undecodable => Some(Self::Undecodable),
            _ => None,
        }
    }
}

impl Shunned {
    /// Nobody; each who comes on the list stays for `period`.
    pub(crate) fn new(period: Duration) -> Self {
        Self {
            period,
            until: Mutex::default(),
            changed: Notify::new(),
            count: AtomicU64::new(0),
        }
    }

    /// Parts with a peer from now on. A further offence prolongs it.
    pub(crate) fn shun(&self, peer: PeerId, offence: Offence) {
        let now = Instant::now();
        let mut until = self.until();
        if until.len() >= MOST && !until.contains_key(&peer) {
            let next = until.iter().min_by_key(|(_, until)| **until);
            if let Some(next) = next.map(|(peer, _)| *peer) {
                until.remove(&next);
            }
        }
        let before = until.insert(peer, now + self.period);
        drop(until);
        if before.is_none_or(|until| until <= now) {
            self.count.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                "hung up on peer {peer}, and refuse it for {:?}: {offence}",
                self.period
            );
        }
        self.changed.notify_one();
    }

    /// Whether nothing is to be taken from this peer.
    pub(crate) fn contains(&self, peer: &PeerId) -> bool {
        let until = self.until().get(peer).copied();
        until.is_some_and(|until| until > Instant::now())
    }

    /// How often somebody was.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Who is shunned now. Forgets those whose time is over.
    pub(crate) fn now(&self) -> Vec<PeerId> {
        let now = Instant::now();
        let mut until = self.until();
        until.retain(|_, until| *until > now);
        until.keys().copied().collect()
    }

    /// Waits until somebody was added. For one waiter.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn until(&self) -> MutexGuard<'_, HashMap<PeerId, Instant>> {
        // Nothing is left half done where one could panic.
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
