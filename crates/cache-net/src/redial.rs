//! How long to wait before the same peer is dialled again, and how badly we need it.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::config::Redial;

/// A pause of nothing would keep the swarm busy with dialling.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// With so many connections a node in a large fleet is safe from being alone.
const A_FEW: usize = 4;

/// Draws pauses.
pub(crate) struct Pauses {
    redial: Redial,
    rng: SmallRng,
}

impl Pauses {
    pub(crate) fn new(redial: Redial, seed: u64) -> Self {
        Self {
            redial,
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// The pause after so many failures in a row: it doubles each time, and is then cut by up to a
    /// half.
    pub(crate) fn after(&mut self, failures: u32) -> Duration {
        let doubled = self
            .redial
            .first
            .saturating_mul(2_u32.saturating_pow(failures));
        let pause = doubled.min(self.redial.longest).max(SHORTEST_PAUSE);
        self.shortened(pause)
    }

    /// A pause before a dial that is not urgent.
    pub(crate) fn leisurely(&mut self) -> Duration {
        self.shortened(self.redial.longest.max(SHORTEST_PAUSE))
    }

    /// A pause before a dial that is hardly needed.
    pub(crate) fn long(&mut self) -> Duration {
        self.shortened(self.redial.longest.max(SHORTEST_PAUSE) * 10)
    }

    /// How long a connection has to stand to count as a success.
    pub(crate) fn longest(&self) -> Duration {
        self.redial.longest
    }

    pub(crate) fn rng(&mut self) -> &mut SmallRng {
        &mut self.rng
    }

    fn shortened(&mut self, pause: Duration) -> Duration {
        pause.mul_f64(self.rng.random_range(0.5..=1.0))
    }
}

/// How badly we need one more connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// There are enough. One is made now and then all the same, so that two halves of a fleet that
    /// have lost each other meet again.
    Little,
    /// There are some, in a fleet in which nobody is connected to everybody: whoever hung up on us
    /// may have more than it can hold.
    Some,
    /// There are few, or the fleet is so small that everybody is to be connected to everybody.
    Great,
}

impl Need {
    /// With so many peers connected, so many members known in all, and so many wanted.
    pub(crate) fn of(connected: usize, known: usize, wanted: usize) -> Self {
        if connected >= wanted {
            Self::Little
        } else if connected >= A_FEW && known > wanted {
            Self::Some
        } else {
            Self::Great
        }
    }
}
