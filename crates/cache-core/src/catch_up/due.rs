//! With which peers a member has to catch up, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::peer::PeerId;

/// One round in so much time, with one peer or another, whatever their number.
pub(super) const TURN: Duration = Duration::from_secs(30);

/// The least time from one round with a peer to the next that is due because of something that has
/// not reached one of the two.
const PAUSE: Duration = Duration::from_secs(5);

/// The peers in sight, and whose turn it is. Bounded by whoever bounds the connections.
#[derive(Debug)]
pub(crate) struct Due {
    table: Mutex<Table>,
    changed: Notify,
}

#[derive(Debug)]
struct Table {
    local: PeerId,
    peers: BTreeMap<PeerId, Turn>,
    /// When a peer is next drawn, and how many have been.
    next_draw: Option<Instant>,
    draws: u64,
}

/// How matters stand with one peer.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    /// From when on a round is due, if one is.
    due: Option<Instant>,
    began: Option<Instant>,
    is_under_way: bool,
    /// It has not answered in the last round, and was not heard since.
    is_silent: bool,
}

/// What has come of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// All that the peer knows of is known here.
    Done,
    /// All that the peer knows of is known, but not all of it is here yet.
    LeftOver,
    /// Something was refused, because of a clock, or no room was left to remember what else there is.
    Vain,
    /// The peer has not answered to the end.
    Unanswered,
}

impl Due {
    pub(crate) fn new(local: PeerId) -> Self {
        Self {
            table: Mutex::new(Table {
                local,
                peers: BTreeMap::new(),
                next_draw: None,
                draws: 0,
            }),
            changed: Notify::new(),
        }
    }

    /// Something has not reached a peer, or one may not have reached us: a round is due soon.
    pub(crate) fn owe(&self, peer: &PeerId) {
        self.change(peer, |turn, now| {
            turn.fall_due(turn.began.map_or(now, |began| now.max(began + PAUSE)));
        });
    }

    /// A peer compares, and knows something else: a round is due, unless there has just been one.
    pub(crate) fn differs(&self, peer: &PeerId) {
        self.change(peer, |turn, now| {
            if turn.began.is_none_or(|began| began + TURN <= now) {
                turn.fall_due(now);
            }
        });
    }

    /// A peer has sent something. If it did not answer in the last round, it may by now.
    pub(crate) fn heard(&self, peer: &PeerId) {
        self.change(peer, |turn, now| {
            if std::mem::take(&mut turn.is_silent) {
                turn.fall_due(now);
            }
        });
    }

    /// What was refused, or passed for dead, may be kept now: a round is due with everybody.
    pub(crate) fn owe_all(&self) {
        let now = Instant::now();
        let mut table = self.table();
        table.peers.values_mut().for_each(|turn| turn.fall_due(now));
        drop(table);
        self.changed.notify_one();
    }

    /// These are the peers in sight. With one that is new a round is due at once.
    pub(super) fn see(&self, peers: &BTreeSet<PeerId>) {
        let now = Instant::now();
        let mut table = self.table();
        table.peers.retain(|peer, _| peers.contains(peer));
        for peer in peers {
            let new = || Turn {
                due: Some(now),
                ..Turn::default()
            };
            table.peers.entry(*peer).or_insert_with(new);
        }
    }

    /// Waits until a round may have fallen due. For one consumer.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// A peer with which a round is due, the one first that waits for longest. It is under way from
    /// here on.
    pub(super) fn begin(&self) -> Option<PeerId> {
        let now = Instant::now();
        let mut table = self.table();
        table.draw(now);
        let is_due = |turn: &Turn| !turn.is_under_way && turn.due.is_some_and(|due| due <= now);
        let due = table.peers.iter_mut().filter(|(_, turn)| is_due(turn));
        let (peer, turn) = due.min_by_key(|(_, turn)| turn.due)?;
        turn.due = None;
        turn.began = Some(now);
        turn.is_under_way = true;
        Some(*peer)
    }

    pub(super) fn end(&self, peer: &PeerId, round: Round) {
        self.change(peer, |turn, now| {
            turn.is_under_way = false;
            turn.is_silent = round == Round::Unanswered;
            match round {
                Round::Done => {}
                Round::LeftOver => turn.fall_due(now + TURN),
                Round::Vain | Round::Unanswered => turn.fall_due(now + PAUSE),
            }
        });
    }

    fn change(&self, peer: &PeerId, change: impl FnOnce(&mut Turn, Instant)) {
        let now = Instant::now();
        let mut table = self.table();
        let Some(turn) = table.peers.get_mut(peer) else {
            // Not seen yet: a round will be due as soon as it is.
            return;
        };
        change(turn, now);
        let is_due = turn.due.is_some_and(|due| due <= now);
        drop(table);
        if is_due {
            self.changed.notify_one();
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// From time to time it is the turn of one of the peers, each with the same chance. The draws
    /// follow from the name, so that members that were started together differ.
    fn draw(&mut self, now: Instant) {
        let next = *self.next_draw.get_or_insert_with(|| {
            let first = lot(&self.local, 0) % TURN.as_millis() as u64;
            now + Duration::from_millis(first)
        });
        if next > now {
            return;
        }
        self.next_draw = Some(now + TURN);
        self.draws += 1;
        let lot = lot(&self.local, self.draws);
        let drawn = lot.checked_rem(self.peers.len() as u64);
        if let Some(turn) = drawn.and_then(|n| self.peers.values_mut().nth(n as usize)) {
            turn.fall_due(now);
        }
    }
}

impl Turn {
    /// A round is due from this moment on, or an earlier one from which on it was.
    fn fall_due(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}

/// A number that follows from a name and how often it has been drawn for, and from nothing else.
fn lot(local: &PeerId, draws: u64) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(local.as_bytes());
    hasher.update(&draws.to_le_bytes());
    let mut lot = [0; 8];
    hasher.finalize_xof().fill(&mut lot);
    u64::from_le_bytes(lot)
}

#[cfg(test)]
mod tests;
