//! Catching up: two members compare what they know, and each asks for what it lacks.
//!
//! ```text
//! Compare(root) ──► Same
//!               └─► Sums ──► Tombstones(buckets that differ, but what I know) ──► Tombstones
//!                        └─► List(buckets that differ, but what I know) ──► Versions
//!                                                                        └─► Want(keys) ──► Entries, …
//! ```
//!
//! Each member pulls; nobody pushes what was not asked for. It happens with every peer that comes
//! into sight, with one that has missed something or is heard again, and with one drawn by lot every
//! 30 seconds ([`Due`]), so that what a broadcast did not deliver is made up for.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::time::{self, Instant, MissedTickBehavior};

use crate::digest::{Fingerprint, Known, Summary};
use crate::key::Key;
use crate::replica::Replica;
use crate::tombstone::Tombstone;
use crate::transport::Transport;
use crate::wire::Put;

use due::Round;

pub(crate) use answer::Answers;
pub(crate) use due::Due;

mod answer;
mod buckets;
mod due;
mod pull;

/// How often the list of peers is looked at for new ones.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// By so much the clock has to go wrong from one look to the next to have been set. Drifting and
/// being slewed it goes wrong by a thousandth of that.
const CLOCK_STEP: Duration = Duration::from_secs(1);

/// Rounds under way at one time. Further peers wait for their turn.
const MAX_ROUNDS: usize = 8;

/// How long a round may take. What it has brought by then is kept.
const ROUND_DEADLINE: Duration = Duration::from_secs(60);

/// Versions in one reply, less what completes a bucket, and keys in one question.
const MAX_LISTED: usize = 64 * 1024;

/// A question of a member that catches up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Question {
    /// "My summary has this root. Is yours the same?"
    Compare(u64),
    /// "Which tombstones do you remember in these buckets?"
    Tombstones {
        /// The numbers of the buckets.
        buckets: Vec<u8>,
        /// "But these, which I remember."
        but: Vec<Fingerprint>,
    },
    /// "Which versions do you know of in these buckets?"
    List {
        /// The numbers of the buckets.
        buckets: Vec<u8>,
        /// "But these, which I know."
        but: Vec<Fingerprint>,
    },
    /// "Give me what you have under these keys."
    Want(Vec<Key>),
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Reply {
    /// To `Compare`: yes.
    Same,
    /// To `Compare`: no, these are my sums.
    Sums(Summary),
    /// To `Tombstones`.
    Tombstones {
        /// The buckets that this covers: as many of the first ones as fit.
        buckets: u16,
        /// What is in them.
        tombstones: Vec<Tombstone>,
    },
    /// To `List`.
    Versions {
        /// The buckets that this covers: as many of the first ones as fit.
        buckets: u16,
        /// What is in them.
        versions: Vec<Known>,
    },
    /// To `Want`: the first of them, as many as fit, less those that are not there any more.
    Entries(Vec<Put>),
}

/// Catches up with peers until the cache is closed.
pub(crate) async fn run(replica: Arc<Replica>, transport: Arc<dyn Transport>) {
    let mut interval = time::interval(LOOK_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rounds = FuturesUnordered::new();
    // What the local clock has last shown, and when.
    let mut seen = (Instant::now(), replica.clock.local());
    loop {
        tokio::select! {
            biased;
            _ = interval.tick() => {
                let (then, shown) = seen;
                let now = (Instant::now(), replica.clock.local());
                let meant = shown.saturating_add(now.0 - then);
                if now.1.since(meant).max(meant.since(now.1)) >= CLOCK_STEP {
                    replica.clock_was_set();
                }
                seen = now;
                let peers = transport.peers().into_iter();
                replica.due.see(&peers.map(|peer| (peer.id, peer.age)).collect());
            }
            () = replica.due.changed() => {}
            Some((peer, round)) = rounds.next() => {
                if matches!(round, Round::Same | Round::Done | Round::Sought) {
                    replica.set_caught_up();
                }
                replica.due.end(&peer, round);
            }
        }
        while rounds.len() < MAX_ROUNDS
            && let Some(peer) = replica.due.begin()
        {
            let round = pull::catch_up_with(&replica, &*transport, peer);
            // One in which something panics is over, too, and the next with this peer is due.
            let round = time::timeout(ROUND_DEADLINE, AssertUnwindSafe(round).catch_unwind());
            rounds.push(async move {
                match round.await {
                    Ok(Ok(round)) => (peer, round),
                    _ => (peer, Round::Unanswered),
                }
            });
        }
    }
}

#[cfg(test)]
mod tests;
