//! Counting what does not open, and saying so without being made to say it without end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cache_core::{Misconduct, PeerId};

#[cfg(test)]
mod tests;

/// How many frames and replies have come in that did not open, by what they looked like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unopened {
    /// Nothing that was ever sealed.
    pub malformed: u64,
    /// Of a version that we do not speak.
    pub other_version: u64,
    /// Under a secret that we do not have.
    pub other_secret: u64,
    /// Under the name of a secret of ours: forged, altered, or replayed as something else.
    pub forged: u64,
}

impl Unopened {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.malformed + self.other_version + self.other_secret + self.forged
    }

    const fn add(&mut self, misconduct: Misconduct) {
        let counter = match misconduct {
            Misconduct::Malformed => &mut self.malformed,
            Misconduct::OtherVersion => &mut self.other_version,
            Misconduct::OtherSecret => &mut self.other_secret,
            // Whatever else a sealer may come to tell, it is no frame of a member in good order.
            _ => &mut self.forged,
        };
        *counter += 1;
    }
}

/// How many peers are told apart. Those that come after count as one: who has names without end
/// makes no more lines in the log than who has one.
const MAX_PEERS: usize = 256;

/// What did not open, in all and from whom.
#[derive(Default)]
pub(super) struct Record(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    all: Unopened,
    by_peer: HashMap<PeerId, u64>,
    /// From all that are not told apart.
    others: u64,
}

impl Record {
    pub(super) fn counts(&self) -> Unopened {
        self.lock().all
    }

    /// Counts one. A peer is named in the log at its first, second, fourth, eighth and so on: one
    /// that sends a million makes twenty lines.
    pub(super) fn count(&self, from: PeerId, misconduct: Misconduct) {
        let count = self.lock().add(from, misconduct);
        if count.is_power_of_two() {
            tracing::warn!(peer = %from, count, "dropped what does not open: {}", meaning(misconduct));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// How many have come from this peer, with this one; or from all that are not told apart.
    fn add(&mut self, from: PeerId, misconduct: Misconduct) -> u64 {
        self.all.add(misconduct);
        let is_told_apart = self.by_peer.len() < MAX_PEERS || self.by_peer.contains_key(&from);
        let count = match is_told_apart {
            true => self.by_peer.entry(from).or_default(),
            false => &mut self.others,
        };
        *count += 1;
        *count
    }
}

/// What to look for.
fn meaning(misconduct: Misconduct) -> &'static str {
    match misconduct {
        Misconduct::Malformed => "it was never sealed",
        Misconduct::OtherVersion => {
            "it is sealed in another version; upgrade the older side of the two"
        }
        Misconduct::OtherSecret => {
            "it is sealed under a secret that this node does not have; a fleet that is changing its \
             secret gives the new one to all members as the previous secret first"
        }
        _ => "it is forged, altered, or sent as something else than it was sealed for",
    }
}
