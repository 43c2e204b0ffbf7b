//! The frames that have come and wait to be accepted, bounded in number and in bytes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cache_core::{Inbound, PeerId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::config::Limits;

#[cfg(test)]
mod tests;

/// One peer may take up one part in so many.
const SHARE: usize = 4;

/// An empty queue.
pub(crate) fn queue(limits: &Limits) -> (Sender, Receiver) {
    let (frames, queued) = mpsc::channel(limits.inbound_queue.max(1));
    let capacity = limits
        .inbound_bytes
        .max(limits.frame)
        .min(Semaphore::MAX_PERMITS);
    let room = Arc::new(Semaphore::new(capacity));
    let sender = Sender {
        frames,
        room,
        capacity,
        shares: Shares {
            most: Share {
                frames: (limits.inbound_queue / SHARE).max(1),
                bytes: (capacity / SHARE).max(limits.frame),
            },
            taken: Arc::default(),
        },
    };
    (sender, Receiver(queued))
}

/// Where frames come in.
pub(crate) struct Sender {
    frames: mpsc::Sender<Queued>,
    /// One permit for each byte that may still be queued.
    room: Arc<Semaphore>,
    capacity: usize,
    shares: Shares,
}

/// Where they are taken out.
pub(crate) struct Receiver(mpsc::Receiver<Queued>);

struct Queued {
    inbound: Inbound,
    /// Given back when the frame leaves the queue.
    _room: OwnedSemaphorePermit,
    _share: Taken,
}

/// What of the queue each peer takes up, so that one that sends more than it lets us work off
/// leaves room for the others.
struct Shares {
    most: Share,
    /// Only of peers that have something in the queue.
    taken: Arc<Mutex<HashMap<PeerId, Share>>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    frames: usize,
    bytes: usize,
}

/// One frame's part of its sender's share.
struct Taken {
    by: PeerId,
    bytes: usize,
    shares: Arc<Mutex<HashMap<PeerId, Share>>>,
}

/// There is no room for one more frame, or for one of this length.
#[derive(Debug)]
pub(crate) struct Full;

impl Sender {
    /// Queues a frame, or drops it.
    pub(crate) fn try_send(&self, inbound: Inbound) -> Result<(), Full> {
        // Never more than there is, so that every frame that the codec lets in fits an empty queue.
        let bytes = inbound.frame.len().min(self.capacity);
        let bytes = u32::try_from(bytes).map_err(|_| Full)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes);
        let share = self.shares.take(inbound.from, inbound.frame.len())?;
        let queued = Queued {
            inbound,
            _room: room.map_err(|_| Full)?,
            _share: share,
        };
        self.frames.try_send(queued).map_err(|_| Full)
    }
}

impl Shares {
    fn take(&self, by: PeerId, bytes: usize) -> Result<Taken, Full> {
        let mut taken = lock(&self.taken);
        let before = taken.get(&by).copied().unwrap_or_default();
        let after = Share {
            frames: before.frames + 1,
            bytes: before.bytes.saturating_add(bytes),
        };
        if after.frames > self.most.frames || after.bytes > self.most.bytes {
            return Err(Full);
        }
        taken.insert(by, after);
        Ok(Taken {
            by,
            bytes,
            shares: Arc::clone(&self.taken),
        })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut shares = lock(&self.shares);
        if let Entry::Occupied(mut share) = shares.entry(self.by) {
            let left = share.get_mut();
            left.frames -= 1;
            left.bytes -= self.bytes;
            if left.frames == 0 {
                share.remove();
            }
        }
    }
}

fn lock(shares: &Mutex<HashMap<PeerId, Share>>) -> MutexGuard<'_, HashMap<PeerId, Share>> {
    // Nothing is left half done where one could panic.
    shares.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receiver {
    /// The next frame; `None` once the sender is gone. Cancelling the call loses nothing.
    pub(crate) async fn recv(&mut self) -> Option<Inbound> {
        self.0.recv().await.map(|queued| queued.inbound)
    }
}
