//! Clocks that tests move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::time::{Clock, MeshTime};

/// Where tests start: 14 November 2023, 22:13:20 UTC.
const EPOCH: MeshTime = MeshTime::from_millis(1_700_000_000_000);

/// A clock that stands still until it is moved. Clones show the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl Default for ManualClock {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(EPOCH.as_millis())))
    }
}

impl ManualClock {
    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().saturating_add(by));
    }

    /// Sets the clock, back as well as on.
    pub fn set(&self, now: MeshTime) {
        self.0.store(now.as_millis(), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> MeshTime {
        MeshTime::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// A clock that goes with Tokio's, which a test can pause, and that may run ahead or behind.
#[derive(Clone, Copy, Debug)]
pub struct VirtualClock {
    start: Instant,
    at_start: MeshTime,
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            at_start: EPOCH,
        }
    }
}

impl VirtualClock {
    /// The same clock, ahead by so much: the clock of another machine.
    #[must_use]
    pub fn ahead_by(self, skew: Duration) -> Self {
        let at_start = self.at_start.saturating_add(skew);
        Self { at_start, ..self }
    }

    /// The same clock, behind by so much.
    #[must_use]
    pub fn behind_by(self, skew: Duration) -> Self {
        let behind = self
            .at_start
            .since(MeshTime::default().saturating_add(skew));
        let at_start = MeshTime::default().saturating_add(behind);
        Self { at_start, ..self }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> MeshTime {
        self.at_start.saturating_add(self.start.elapsed())
    }
}

/// A clock that goes with Tokio's, as [`VirtualClock`] does, and can be set on or back while it is
/// used. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct SteppedClock {
    steady: VirtualClock,
    /// In milliseconds; negative where it is behind.
    ahead: Arc<AtomicI64>,
}

impl SteppedClock {
    /// One that is so many milliseconds ahead of `steady`, or behind.
    pub fn new(steady: VirtualClock, ahead: i64) -> Self {
        let ahead = Arc::new(AtomicI64::new(ahead));
        Self { steady, ahead }
    }

    /// Sets it on by so many milliseconds, or back.
    pub fn step(&self, by: i64) {
        self.ahead.fetch_add(by, Ordering::Relaxed);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> MeshTime {
        let steady = self.steady.now().as_millis();
        let ahead = self.ahead.load(Ordering::Relaxed);
        MeshTime::from_millis(steady.saturating_add_signed(ahead))
    }
}
