//! Whether others can connect to this member.

use std::time::Duration;

use tokio::time::Instant;

use crate::peer::{Direction, PeerInfo};

/// For so long a member that has come takes itself for one that can be dialled. It keeps no book
/// before a lease's term is over, which is later.
const GRACE: Duration = Duration::from_secs(2);

/// What a member knows of that, by whether anybody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Nobody has so far, but it has just come.
    Open(Instant),
    /// It has dialled others, and nobody has dialled it.
    Closed,
    /// Somebody has, at this moment for the first time since it was last closed, or since its start.
    Used(Instant),
}

impl Door {
    pub(super) fn is_open(&self) -> bool {
        *self != Self::Closed
    }

    pub(super) fn open_for(&self) -> Option<Duration> {
        match self {
            Self::Open(since) | Self::Used(since) => Some(since.elapsed()),
            Self::Closed => None,
        }
    }

    /// Takes note of the connections there are; tells whether it has opened or closed.
    pub(super) fn see(&mut self, peers: &[PeerInfo]) -> bool {
        let before = *self;
        let is_used = peers
            .iter()
            .any(|peer| peer.direction == Direction::Inbound);
        *self = match before {
            Self::Open(since) if is_used => Self::Used(since),
            Self::Closed if is_used => Self::Used(Instant::now()),
            Self::Open(since) if !peers.is_empty() && since.elapsed() >= GRACE => Self::Closed,
            _ => before,
        };
        before.is_open() != self.is_open()
    }
}
