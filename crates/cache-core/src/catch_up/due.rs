//! With which peers a member has to catch up, and when.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::peer::PeerId;

/// One round in so much time, with one peer or another, whatever their number.
pub(super) const TURN: Duration = Duration::from_secs(30);

/// The least time from one round with a peer to the next that is due because of something that has
/// not reached one of the two. With the five seconds after which a transport knows that, and those
/// that a peer may take to be reminded, members are equal within ten.
const PAUSE: Duration = Duration::from_secs(2);

/// A peer that lacks something is reminded so often. One that has not come by then is left to the
/// draw: it may be of a release that does not catch up, or have far too much to do.
const REMINDERS: u32 = 10;

/// With so many peers at most there is a round with each when one is gone, or has let go of what is
/// lacking here. In larger fleets a put is passed on by whoever gets it, and does not hang on one.
const FEW: usize = 64;

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
    /// When the peers in sight were last looked at.
    looked: Option<Instant>,
    /// When all were last due because one had let go of what is lacking here.
    sought: Option<Instant>,
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
    /// It lacks something, until it has compared: how often it is still to be reminded.
    reminders: u32,
    /// It has not answered in the last round, and was not heard since.
    is_silent: bool,
}

/// What has come of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// Both know the same.
    Same,
    /// All that the peer knows of is known here.
    Done,
    /// The same, but the peer has let go of some of it, which is not here: another one may have it.
    Sought,
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
                looked: None,
                sought: None,
                next_draw: None,
                draws: 0,
            }),
            changed: Notify::new(),
        }
    }

    /// Something has not reached a peer. Rounds with it are due until it has compared, too: each
    /// member pulls, so that ours brings it nothing but the word that we differ.
    pub(crate) fn owe(&self, peer: &PeerId) {
        self.change(peer, |turn, now| {
            turn.reminders = REMINDERS;
            turn.fall_due(turn.soonest(now));
        });
    }

    /// A peer has told of something that we lack.
    pub(crate) fn want(&self, peer: &PeerId) {
        self.change(peer, |turn, now| turn.fall_due(turn.soonest(now)));
    }

    /// A peer compares. Where it knows something else a round is due, unless there has just been
    /// one: then this one may well be the answer to that.
    pub(crate) fn compared(&self, peer: &PeerId, differs: bool) {
        self.change(peer, |turn, now| {
            turn.reminders = 0;
            if differs && turn.began.is_none_or(|began| began + PAUSE <= now) {
                turn.fall_due(now);
            }
        });
    }

    /// A peer has sent something. If it did not answer in the last round, it may by now.
    pub(crate) fn heard(&self, peer: &PeerId) {
        self.change(peer, |turn, now| {
            if std::mem::take(&mut turn.is_silent) {
                turn.fall_due(turn.soonest(now));
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

    /// These are the peers in sight, and for how long they have been. With one that is new a round is
    /// due at once; and with all where one is gone, which may have told some what others lack.
    pub(super) fn see(&self, peers: &BTreeMap<PeerId, Duration>) {
        let now = Instant::now();
        let mut table = self.table();
        let since_last_look = table.looked.map_or(Duration::MAX, |last| now - last);
        table.looked = Some(now);
        let known = table.peers.len();
        // One whose connection is younger than that was gone in between.
        let has_stayed = |peer: &PeerId| peers.get(peer).is_some_and(|age| *age >= since_last_look);
        table.peers.retain(|peer, _| has_stayed(peer));
        if table.peers.len() < known {
            table.all_fall_due(now);
        }
        for peer in peers.keys() {
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
        if round == Round::Sought {
            self.seek();
        }
        self.change(peer, |turn, now| {
            turn.is_under_way = false;
            turn.is_silent = round == Round::Unanswered;
            match round {
                Round::Same => turn.reminders = 0,
                Round::Done if turn.reminders > 0 => {
                    turn.reminders -= 1;
                    turn.fall_due(now + PAUSE);
                }
                Round::Done => {}
                Round::LeftOver | Round::Sought => turn.fall_due(now + TURN),
                Round::Vain | Round::Unanswered => turn.fall_due(now + PAUSE),
            }
        });
    }

    /// A peer had what we lack, and has it no more: another one may. Rounds are due with all, but for
    /// once in a turn, since it may be that nobody has it.
    fn seek(&self) {
        let now = Instant::now();
        let mut table = self.table();
        if table.sought.is_none_or(|sought| sought + TURN <= now) {
            table.sought = Some(now);
            table.all_fall_due(now);
        }
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
    /// A round is due with everybody, where they are few.
    fn all_fall_due(&mut self, now: Instant) {
        if self.peers.len() <= FEW {
            let turns = self.peers.values_mut();
            turns.for_each(|turn| turn.fall_due(turn.soonest(now)));
        }
    }

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
    /// When a round may begin because of something that has not reached one of the two.
    fn soonest(&self, now: Instant) -> Instant {
        self.began.map_or(now, |began| now.max(began + PAUSE))
    }

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
