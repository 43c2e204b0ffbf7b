//! A peer that has let a frame time out, and has not been heard since.
//!
//! Broadcasts pass it over, because whoever sends the next one only when this one has ended would
//! wait for it each time. Now and then one is sent to it all the same: it may be well again and have
//! nothing to say by itself.

use std::time::Duration;

use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// The pauses before a trial: each twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// Since when, and until when at least.
pub(crate) struct Suspicion {
    pause: Duration,
    trial: Instant,
}

/// What may be sent to a peer that nobody has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Anything.
    Good,
    /// This once, to see whether it answers.
    OnTrial,
    /// Nothing.
    PassedOver,
}

impl Suspicion {
    /// A frame has timed out now, the first one or one after others.
    pub(crate) fn after(before: Option<Self>, now: Instant) -> Self {
        match before {
            // Several that were under way together are one silence.
            Some(before) if now < before.trial => before,
            Some(before) => Self::pausing((before.pause * 2).min(LONGEST_PAUSE), now),
            None => Self::pausing(FIRST_PAUSE, now),
        }
    }

    fn pausing(pause: Duration, now: Instant) -> Self {
        Self {
            pause,
            trial: now + pause,
        }
    }

    /// Gives out a trial where one is due; the next one is due after a longer pause.
    pub(crate) fn standing(&mut self, now: Instant) -> Standing {
        if now < self.trial {
            return Standing::PassedOver;
        }
        *self = Self::pausing((self.pause * 2).min(LONGEST_PAUSE), now);
        Standing::OnTrial
    }
}
