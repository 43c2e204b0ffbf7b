//! What an application adds to what its member tells the others of itself.
//!
//! The cache knows nothing of what upstream's limits are, or what else its application counts. Both
//! have the same way to go as the cache's own counters, and at the same moments. So the application
//! [shares](crate::Cache::share) [`Notes`]: counters, which add up over the members, and a few
//! bytes, which every member hands to its own notes of the same [`Topic`]. What is in the bytes, and
//! which of two statements counts, is the application's affair: it alone knows how to merge them,
//! and what of them to believe.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::time::MeshTime;

/// The notes of all topics in one report, in bytes. What does not fit is left out.
pub const MAX_NOTES: usize = 8 * 1024;

/// Notes that a cache has at one time. Further ones are not told to anybody.
const MAX_TOPICS: usize = 16;

/// Counters of its own that an application adds. Further ones are left out.
pub(crate) const MAX_COUNTERS: usize = 32;

/// The longest name of a counter, in bytes. One that is longer is left out.
pub(crate) const MAX_NAME: usize = 32;

/// What an application adds to what its member tells the others of itself, every 30 seconds and
/// whenever it [rings](Bell::ring).
///
/// Its methods are called from the task that takes in frames: they must not block.
pub trait Notes: Send + Sync + 'static {
    /// Counters, by name, which only ever go up in a run. Names have up to 32 bytes, and the first
    /// 32 counters are told.
    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// What there is to tell at this moment, in at most `room` bytes. What is longer is not told.
    ///
    /// It is told again and again, in no order, and may get lost: it has to say how things are, not
    /// what has changed.
    fn write(&self, now: MeshTime, room: usize) -> Vec<u8> {
        let _ = (now, room);
        Vec::new()
    }

    /// Takes in what another member has written, or has said that it has: these may be any bytes.
    fn read(&self, notes: &[u8], now: MeshTime) {
        let _ = (notes, now);
    }
}

/// What [`Notes`] are about: the same on all members whose notes understand each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Topic([u8; 16]);

impl Topic {
    /// The topic that these parts, in this order, make up.
    ///
    /// Have a part for the format: members of different releases then pass over each other's notes,
    /// and misread none.
    ///
    /// ```
    /// use cache_core::notes::Topic;
    ///
    /// let topic = Topic::of(["limits", "1", "https://api.github.com"]);
    /// assert_ne!(topic, Topic::of(["limits", "2", "https://api.github.com"]));
    /// ```
    pub fn of<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Self {
        let family = crate::key::Family::of(parts);
        let mut topic = [0; 16];
        topic.copy_from_slice(&family.as_bytes()[..16]);
        Self(topic)
    }

    /// The topic with this digest.
    pub const fn from_digest(digest: [u8; 16]) -> Self {
        Self(digest)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({:032x})", u128::from_be_bytes(self.0))
    }
}

/// Asks a cache to tell the members at once how things are, and not only when it is time to.
///
/// The default is one that nobody hears.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Rings. However often it is rung in a fifth of a second, the members are told once.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Waits until it has been rung since this was last waited for.
    pub(crate) async fn rung(&self) {
        self.0.notified().await;
    }
}

/// The notes of one cache.
#[derive(Default)]
pub(crate) struct Pad {
    // In the order in which they were shared: the first have room first.
    notes: Mutex<Vec<(Topic, Weak<dyn Notes>)>>,
}

impl Pad {
    /// Adds notes, until they are dropped.
    pub(crate) fn add(&self, topic: Topic, notes: Weak<dyn Notes>) {
        let mut held = self.lock();
        held.retain(|(_, notes)| notes.strong_count() > 0);
        if held.len() < MAX_TOPICS {
            held.push((topic, notes));
        } else {
            tracing::warn!(
                ?topic,
                "has too many notes beside it, and is told to nobody"
            );
        }
    }

    /// The application's counters; those of one name together.
    pub(crate) fn counters(&self) -> impl Iterator<Item = (String, u64)> {
        let notes = self.living();
        notes.into_iter().flat_map(|(topic, notes)| {
            let counters = guard(topic, || notes.counters()).into_iter();
            counters.map(|(name, count)| (name.to_owned(), count))
        })
    }

    /// All that there is to tell, as far as there is room.
    pub(crate) fn write(&self, now: MeshTime) -> Vec<(Topic, Bytes)> {
        let mut room = MAX_NOTES;
        let mut written = Vec::new();
        for (topic, notes) in self.living() {
            let bytes = guard(topic, || notes.write(now, room));
            if !bytes.is_empty() && bytes.len() <= room {
                room -= bytes.len();
                written.push((topic, bytes.into()));
            }
        }
        written
    }

    /// Hands what a member has written to the notes of the same topic.
    pub(crate) fn read(&self, written: &[(Topic, Bytes)], now: MeshTime) {
        if written.is_empty() {
            return;
        }
        for (topic, notes) in self.living() {
            for (_, bytes) in written.iter().filter(|(about, _)| *about == topic) {
                guard(topic, || notes.read(bytes, now));
            }
        }
    }

    /// Those that have not been dropped, so that none is called under the lock.
    fn living(&self) -> Vec<(Topic, Arc<dyn Notes>)> {
        let held = self.lock();
        let living = held.iter();
        living
            .filter_map(|(topic, notes)| Some((*topic, notes.upgrade()?)))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Topic, Weak<dyn Notes>)>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls the application, which may panic: the tasks that call it go on.
fn guard<T: Default>(topic: Topic, call: impl FnOnce() -> T) -> T {
    // Whatever it has left half done is its own.
    panic::catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        tracing::error!(?topic, "the notes of an application panicked: passed over");
        T::default()
    })
}
