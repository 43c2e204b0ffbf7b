//! How many frames a peer may send in a while.
//!
//! A bound for each peer and kind (GCRA), so that one that has run wild costs the others nothing.
//! Members in good order stay far below it.

use std::num::NonZeroU32;

use cache_core::FrameKind;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use libp2p::PeerId;

use crate::config::Limits;

#[cfg(test)]
mod tests;

/// One bound for each peer. What is full again is forgotten by [`Rates::sweep`], so that the table
/// holds no more peers than have sent a frame within the last second.
type PerPeer<C> =
    RateLimiter<PeerId, HashMapStateStore<PeerId>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// What is left of each peer's bounds.
pub(crate) struct Rates<C: Clock = MonotonicClock> {
    requests: PerPeer<C>,
    broadcasts: PerPeer<C>,
    /// Bytes, and for all together.
    published: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>,
}

/// How a frame has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Sent to us, by who awaits a reply.
    Direct(FrameKind),
    /// Passed on, in a message of so many bytes.
    Published(usize),
}

impl Rates {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self::with_clock(limits, &MonotonicClock)
    }
}

impl<C: Clock + Clone> Rates<C> {
    fn with_clock(limits: &Limits, clock: &C) -> Self {
        let per_second = |most: u32| {
            // All of a second's frames may come at once.
            let most = NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN);
            RateLimiter::hashmap_with_clock(Quota::per_second(most), clock.clone())
        };
        Self {
            requests: per_second(limits.requests_per_second),
            broadcasts: per_second(limits.broadcasts_per_second),
            published: RateLimiter::direct_with_clock(
                Quota::per_second(
                    NonZeroU32::new(limits.published_bytes_per_second).unwrap_or(NonZeroU32::MIN),
                ),
                clock.clone(),
            ),
        }
    }

    /// Whether one more frame that has come this way may be taken from the peer now.
    pub(crate) fn admits(&self, from: &PeerId, way: Way) -> bool {
        match way {
            Way::Direct(FrameKind::Request) => self.requests.check_key(from).is_ok(),
            Way::Direct(FrameKind::Broadcast) => self.broadcasts.check_key(from).is_ok(),
            // What is too much of one peer uses up nothing of what there is for all.
            Way::Published(bytes) => {
                self.broadcasts.check_key(from).is_ok() && self.admits_published(bytes)
            }
        }
    }

    /// Whether so many bytes more may be published or passed on now.
    pub(crate) fn admits_published(&self, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let Some(bytes) = NonZeroU32::new(bytes) else {
            return true;
        };
        matches!(self.published.check_n(bytes), Ok(Ok(())))
    }

    /// Forgets those who have sent nothing lately.
    pub(crate) fn sweep(&self) {
        self.requests.retain_recent();
        self.broadcasts.retain_recent();
    }
}
