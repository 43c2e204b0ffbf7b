//! Mesh time, and the one place where a clock is read.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A moment on the clock that all members share, in milliseconds since the Unix epoch.
///
/// Members order the versions of an entry by it, so it is compared across machines; how far
/// another member's stamps may run ahead is bounded by [`MAX_SKEW`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct MeshTime(u64);

/// How far a stamp from elsewhere may lie ahead of our own clock before it is refused.
///
/// Without the bound a member whose clock runs fast would win every merge until its stamp has
/// passed, however old its answer is.
pub const MAX_SKEW: Duration = Duration::from_secs(10);

impl MeshTime {
    /// The end of time.
    pub(crate) const MAX: Self = Self(u64::MAX);

    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to here; zero where `earlier` is in fact later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This moment moved on by `by`; stops at the end of time instead of wrapping.
    pub fn saturating_add(self, by: Duration) -> Self {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// This moment moved by so many milliseconds, in either direction; stops at both ends of time.
    pub(crate) const fn shifted_by(self, millis: i64) -> Self {
        Self(self.0.saturating_add_signed(millis))
    }

    /// Whether a stamp lies further ahead of the clock than it may.
    pub(crate) fn is_ahead_of(self, now: Self) -> bool {
        self > now.saturating_add(MAX_SKEW)
    }

    /// This moment, or `now` where it lies further ahead of that than it may.
    pub(crate) fn unless_ahead_of(self, now: Self) -> Self {
        if self.is_ahead_of(now) { now } else { self }
    }

    /// The next moment that can be told apart from this one.
    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for MeshTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// Tells the time. Everything below a [`Cache`](crate::Cache) is handed `now` instead.
///
/// An implementation may jump, in either direction: a jump backwards makes entries look younger
/// than they are, one forwards makes them stale early. Neither makes a merge go backwards.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> MeshTime;
}

/// The operating system's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place where the clock is read"
    )]
    fn now(&self) -> MeshTime {
        // A clock set before 1970 counts as 1970: entries are then as young as can be, never lost.
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        MeshTime::default().saturating_add(since_epoch)
    }
}

/// Mesh time: the local clock, moved by what upstream's clock has shown it to be off.
///
/// Upstream's is the one clock that all members see. Without it, a runner whose clock is wrong by
/// more than [`MAX_SKEW`] would share nothing: its stamps would be refused, or lose every merge.
pub(crate) struct MeshClock {
    local: Arc<dyn Clock>,
    /// In milliseconds; zero until upstream has been heard.
    offset: AtomicI64,
    samples: Mutex<VecDeque<i64>>,
}

/// What came of hearing upstream's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Observed {
    /// The offset, in milliseconds, is what it was.
    Unchanged,
    /// The offset has changed, in milliseconds.
    Moved { from: i64, to: i64 },
    /// Upstream's clock and ours lie further apart than [`MeshClock::MAX_OFFSET`]. One of them
    /// is no clock, and the observation was dropped.
    Absurd,
}

impl MeshClock {
    /// The most that the local clock is corrected by.
    pub(crate) const MAX_OFFSET: Duration = Duration::from_secs(24 * 3600);

    /// A `Date` names a second, and may have been on its way for as long again.
    pub(crate) const RESOLUTION: Duration = Duration::from_secs(2);

    /// The offset is the median of so many observations, so that a few wrong ones do no harm.
    ///
    /// The first is taken as it is, up to [`MAX_OFFSET`](Self::MAX_OFFSET), though there is none to
    /// compare it with. To wait for a second one that agrees would make useless what a runner with a
    /// wrong clock does first: its peers refuse what it has fetched, or see it as stale, and it
    /// refuses theirs; and of most jobs there are few answers. A first one that is wrong, which takes
    /// a `Date` that upstream or a proxy in front of it gets wrong, does the same harm to one member,
    /// and the next two end it.
    const SAMPLES: usize = 5;

    pub(crate) fn new(local: Arc<dyn Clock>) -> Self {
        Self {
            local,
            offset: AtomicI64::new(0),
            samples: Mutex::default(),
        }
    }

    /// The present moment in mesh time.
    pub(crate) fn now(&self) -> MeshTime {
        self.local.now().shifted_by(self.offset())
    }

    /// By how many milliseconds the local clock is corrected.
    pub(crate) fn offset(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// The present moment by the local clock alone.
    pub(crate) fn local(&self) -> MeshTime {
        self.local.now()
    }

    /// The local clock was set: what upstream's has shown of it before counts no more, and the next
    /// observation is taken as it is.
    pub(crate) fn was_set(&self) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.clear();
    }

    /// Takes note of upstream's clock, as an answer that has just arrived shows it.
    ///
    /// An observation says that the offset lies between two bounds. Where the offset in force does,
    /// the observation confirms it, so that a clock which is right is not disturbed.
    pub(crate) fn observe(&self, upstream: MeshTime) -> Observed {
        let least = millis_between(self.local.now(), upstream);
        if least.unsigned_abs() > Self::MAX_OFFSET.as_millis() as u64 {
            return Observed::Absurd;
        }
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = self.offset();
        if samples.len() == Self::SAMPLES {
            samples.pop_front();
        }
        samples.push_back(offset.clamp(least, least + Self::RESOLUTION.as_millis() as i64));
        let mut sorted: Vec<_> = samples.iter().copied().collect();
        sorted.sort_unstable();
        // Of an even number, both medians will do: stay as close to the present offset as they let.
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        let moved = offset.clamp(low, high);
        self.offset.store(moved, Ordering::Relaxed);
        if moved == offset {
            Observed::Unchanged
        } else {
            Observed::Moved {
                from: offset,
                to: moved,
            }
        }
    }
}

/// From `from` to `to`, in milliseconds; negative where `to` is the earlier.
fn millis_between(from: MeshTime, to: MeshTime) -> i64 {
    let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    millis(to.since(from)) - millis(from.since(to))
}

impl fmt::Debug for MeshClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeshClock")
            .field("now", &self.now())
            .field("offset_millis", &self.offset)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
