//! Mesh time, and the one place where a clock is read.

use std::fmt;
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
