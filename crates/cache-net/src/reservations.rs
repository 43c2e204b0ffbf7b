//! The relays that we are reached through, and those that we may ask.
//!
//! This is bookkeeping only, as [`bootstrap`](crate::bootstrap) is.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::core::transport::ListenerId;
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// So many relays are enough, in case one of them goes.
const MOST: usize = 2;

/// The pauses before the same relay is asked again: each twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// What relays there are for us.
#[derive(Default)]
pub(crate) struct Reservations {
    /// By the listener there. Asked for, or granted.
    held: HashMap<ListenerId, PeerId>,
    /// Bounded by the connections.
    offers: HashMap<PeerId, Offer>,
}

/// A connected peer that lets others be reached through it.
struct Offer {
    due: Instant,
    pause: Duration,
}

impl Reservations {
    /// A connected peer says that it is a relay.
    pub(crate) fn offered(&mut self, relay: PeerId, now: Instant) {
        self.offers.entry(relay).or_insert(Offer {
            due: now,
            pause: FIRST_PAUSE,
        });
    }

    /// A peer is gone, and with it what it offers.
    pub(crate) fn lost(&mut self, relay: &PeerId) {
        self.offers.remove(relay);
    }

    /// Whom to ask now, as long as there are too few.
    pub(crate) fn due(&self, now: Instant) -> Vec<PeerId> {
        let room = MOST.saturating_sub(self.held.len());
        let due = self.offers.iter().filter(|(relay, offer)| {
            offer.due <= now && !self.held.values().any(|held| held == *relay)
        });
        due.map(|(relay, _)| *relay).take(room).collect()
    }

    /// A relay is asked.
    pub(crate) fn begun(&mut self, listener: ListenerId, relay: PeerId) {
        self.held.insert(listener, relay);
    }

    /// A relay cannot be asked, or not yet.
    pub(crate) fn failed(&mut self, relay: &PeerId, now: Instant) {
        if let Some(offer) = self.offers.get_mut(relay) {
            offer.due = now + offer.pause;
            offer.pause = (offer.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// We are reached through a relay no more, or it has refused. Tells which, if it was one.
    pub(crate) fn ended(&mut self, listener: ListenerId, now: Instant) -> Option<PeerId> {
        let relay = self.held.remove(&listener)?;
        self.failed(&relay, now);
        Some(relay)
    }
}
