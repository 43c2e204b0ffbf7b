//! The frames that we have sent and that libp2p is not done with.

use std::collections::HashMap;

use bytes::Bytes;
use cache_core::TransportError;
use libp2p::PeerId;
use libp2p::request_response::OutboundRequestId;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::codec::Frame;
use crate::identity::name;
use crate::slots::Slot;

/// What became of a frame.
pub(crate) type Outcome = Result<Bytes, TransportError>;

/// Who waits for which frame. Bounded by the slots of each peer.
#[derive(Default)]
pub(crate) struct Requests {
    pending: HashMap<OutboundRequestId, Pending>,
}

/// Who waits for a frame.
pub(crate) struct Pending {
    pub(crate) to: PeerId,
    /// The frame, until it has been sent a second time.
    pub(crate) again: Option<Frame>,
    pub(crate) answer: oneshot::Sender<Outcome>,
    /// When libp2p must have told what became of the frame.
    pub(crate) overdue: Instant,
    /// Given back when libp2p is done: where the sender gives up, as soon as the stream is reset.
    pub(crate) slot: Slot,
}

impl Requests {
    pub(crate) fn begin(&mut self, id: OutboundRequestId, pending: Pending) {
        self.pending.insert(id, pending);
    }

    /// Tells the sender, unless it has given up.
    pub(crate) fn end(&mut self, id: OutboundRequestId, outcome: Outcome) {
        if let Some(pending) = self.pending.remove(&id) {
            pending.end(outcome);
        }
    }

    /// Takes out a frame that may be sent once more.
    pub(crate) fn again(&mut self, id: OutboundRequestId) -> Option<(Pending, Frame)> {
        let frame = self.pending.get_mut(&id)?.again.take()?;
        Some((self.pending.remove(&id)?, frame))
    }

    /// Ends all that went to a peer that is gone.
    pub(crate) fn lost(&mut self, peer: PeerId) {
        for (_, pending) in self.pending.extract_if(|_, pending| pending.to == peer) {
            pending.end(Err(TransportError::Unreachable(name(&peer))));
        }
    }

    /// Ends those of which libp2p will never tell the end (rust-libp2p#4870). Their senders have
    /// long given up; this gives back the slots.
    pub(crate) fn sweep(&mut self, now: Instant) {
        self.pending.retain(|_, pending| pending.overdue > now);
    }

    /// Ends everything: dropping a sender's channel tells it that the transport is closed.
    pub(crate) fn clear(&mut self) {
        self.pending.clear();
    }
}

impl Pending {
    fn end(self, outcome: Outcome) {
        // The slot is free before the sender learns of it, and may send the next frame at once.
        drop(self.slot);
        let _ = self.answer.send(outcome);
    }
}
