//! What happens in a cache, told to whoever wants to know.

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::key::Key;
use crate::peer::PeerId;
use crate::time::MeshTime;
use crate::tombstone::Target;

/// Events that wait for a slow subscriber; of further ones it is told the number only.
const BACKLOG: usize = 1024;

/// Something that has happened in a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// An entry was kept: a new key's, or a newer version.
    Kept {
        /// What it is filed under.
        key: Key,
        /// When upstream produced it.
        stored_at: MeshTime,
        /// Who fetched it.
        origin: PeerId,
    },
    /// An invalidation took effect, our own or a peer's.
    Invalidated(Target),
    /// An entry was dropped because its time was over.
    Expired(Key),
    /// An entry was dropped to make room.
    Evicted(Key),
    /// This many events have come and gone unseen, because the subscriber was slower than the
    /// cache.
    Missed(u64),
}

/// What happens in a cache from the moment of [subscribing](crate::Cache::subscribe) on.
///
/// At most 1024 events wait to be read. The cache never waits for a subscriber: one that falls
/// behind is told how many it has [missed](Event::Missed).
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    /// The next event; `None` once the cache is gone. Cancelling the call loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(Event::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

/// The cache's end.
#[derive(Debug)]
pub(crate) struct Announcer(broadcast::Sender<Event>);

impl Default for Announcer {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Announcer {
    pub(crate) fn subscribe(&self) -> Events {
        Events(self.0.subscribe())
    }

    /// Tells all who listen. Where nobody does, the event is not even made.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if self.0.receiver_count() > 0 {
            // The last of them may just have left.
            let _ = self.0.send(event());
        }
    }
}
