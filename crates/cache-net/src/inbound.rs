//! The frames that have come and wait to be accepted, bounded in number and in bytes.

use std::sync::Arc;

use cache_core::Inbound;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::config::Limits;

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
    };
    (sender, Receiver(queued))
}

/// Where frames come in.
pub(crate) struct Sender {
    frames: mpsc::Sender<Queued>,
    /// One permit for each byte that may still be queued.
    room: Arc<Semaphore>,
    capacity: usize,
}

/// Where they are taken out.
pub(crate) struct Receiver(mpsc::Receiver<Queued>);

struct Queued {
    inbound: Inbound,
    /// Given back when the frame leaves the queue.
    _room: OwnedSemaphorePermit,
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
        let queued = Queued {
            inbound,
            _room: room.map_err(|_| Full)?,
        };
        self.frames.try_send(queued).map_err(|_| Full)
    }
}

impl Receiver {
    /// The next frame; `None` once the sender is gone. Cancelling the call loses nothing.
    pub(crate) async fn recv(&mut self) -> Option<Inbound> {
        self.0.recv().await.map(|queued| queued.inbound)
    }
}
