//! What may be under way to one peer at one time, in frames and in bytes.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::config::Limits;

#[cfg(test)]
mod tests;

/// The bounds of one peer. Clones share them.
#[derive(Clone)]
pub(crate) struct Slots {
    frames: Bound,
    bytes: Bound,
    replies: Bound,
}

/// What one frame takes up, given back when it is dropped.
pub(crate) struct Slot {
    _frame: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

#[derive(Clone)]
struct Bound {
    free: Arc<Semaphore>,
    most: usize,
}

impl Slots {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            frames: Bound::of(limits.in_flight()),
            bytes: Bound::of(limits.outbound_bytes_per_peer),
            replies: Bound::of(limits.reply_bytes_per_peer),
        }
    }

    /// A slot for a frame of so many bytes, if there is one now.
    pub(crate) fn try_take(&self, bytes: usize) -> Result<Slot, TryAcquireError> {
        Ok(Slot {
            _frame: self.frames.try_take(1)?,
            _bytes: self.bytes.try_take(bytes)?,
        })
    }

    /// A slot for a frame of so many bytes, when there is one. Fails once the peer is gone.
    pub(crate) async fn take(&self, bytes: usize) -> Result<Slot, AcquireError> {
        Ok(Slot {
            _frame: self.frames.take(1).await?,
            _bytes: self.bytes.take(bytes).await?,
        })
    }

    /// The same reply, which takes up room until nobody has it any more; `None` where there is none.
    pub(crate) fn reply(&self, reply: Bytes) -> Option<Bytes> {
        let room = self.replies.try_take(reply.len()).ok()?;
        Some(Bytes::from_owner(Reply { reply, _room: room }))
    }

    /// Whether nothing of ours is under way.
    pub(crate) fn are_free(&self) -> bool {
        self.frames.free.available_permits() >= self.frames.most
    }

    /// Has whoever waits for a slot learn that there is none to come.
    pub(crate) fn close(&self) {
        self.frames.free.close();
        self.bytes.free.close();
    }
}

impl Bound {
    fn of(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(most)),
            most,
        }
    }

    /// What is longer than all there may be takes all.
    fn permits(&self, wanted: usize) -> u32 {
        u32::try_from(wanted.min(self.most)).unwrap_or(u32::MAX)
    }

    fn try_take(&self, wanted: usize) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Arc::clone(&self.free).try_acquire_many_owned(self.permits(wanted))
    }

    async fn take(&self, wanted: usize) -> Result<OwnedSemaphorePermit, AcquireError> {
        let permits = self.permits(wanted);
        Arc::clone(&self.free).acquire_many_owned(permits).await
    }
}

struct Reply {
    reply: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Reply {
    fn as_ref(&self) -> &[u8] {
        &self.reply
    }
}
