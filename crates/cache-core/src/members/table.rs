//! The rows of the table, and when a run counts as over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::Counts;
use crate::peer::{PeerId, PeerInfo};
use crate::report::Report;
use crate::time::MeshTime;

/// A member that has not reported for so long is gone. It reports every 30 seconds.
pub(super) const SILENCE: Duration = Duration::from_secs(90);

/// Members in the table. At the bound the one that was silent for longest counts as gone.
pub(super) const MAX_MEMBERS: usize = 2048;

/// Runs that are over and are remembered one by one. At the bound the one that ended first is
/// remembered as a part of a sum: if it was not over after all, it counts twice from then on.
pub(super) const MAX_PAST: usize = 1024;

/// Members that have said goodbye and may still be connected. At the bound a goodbye is not heeded;
/// whoever asks that member is not answered, and asks the next.
pub(super) const MAX_GOODBYES: usize = 1024;

#[derive(Default)]
pub(super) struct Table {
    pub(super) present: BTreeMap<PeerId, Row>,
    /// Runs that are over, so that what is said of one twice, or late, counts once.
    pub(super) past: BTreeMap<(PeerId, MeshTime), Row>,
    /// What those had counted that are not remembered any more.
    pub(super) older: Counts,
    pub(super) older_runs: u64,
    pub(super) goodbyes: BTreeSet<PeerId>,
    /// Who was connected at the last look, or has reported itself since.
    in_sight: BTreeSet<PeerId>,
}

/// The last report of a run.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) started_at: MeshTime,
    number: u64,
    takes_inbound: bool,
    /// It was connected, and is not any more: it may be dead. Its next report says that it is not.
    is_lost: bool,
    pub(super) version: String,
    pub(super) counts: Counts,
    pub(super) heard_at: Instant,
}

impl Table {
    /// Takes a report, unless a later one of that member is known.
    pub(super) fn take(&mut self, report: &Report, from: PeerId) -> bool {
        let Report {
            member, started_at, ..
        } = *report;
        if from == member {
            // It may be gone before the next look.
            self.in_sight.insert(member);
        }
        let version = (started_at, report.number);
        let present = self.present.get(&member);
        let is_known = |row: &Row| (row.started_at, row.number) >= version;
        let past = self.past.get(&(member, started_at));
        if present.is_some_and(is_known) || past.is_some_and(is_known) {
            return false;
        }
        // It was silent for long, and is back.
        self.past.remove(&(member, started_at));
        let row = Row {
            started_at,
            number: report.number,
            takes_inbound: report.takes_inbound,
            is_lost: false,
            version: report.shown_version(),
            counts: report.counts(),
            heard_at: Instant::now(),
        };
        match self.present.remove(&member) {
            // It was started anew, and has not said goodbye.
            Some(before) if before.started_at != started_at => self.end(member, before),
            _ => {}
        }
        if report.is_last {
            self.end(member, row);
            if self.goodbyes.len() < MAX_GOODBYES {
                self.goodbyes.insert(member);
            }
        } else {
            // It has come back: a run that is over reports nothing more.
            self.goodbyes.remove(&member);
            self.make_room();
            self.present.insert(member, row);
        }
        true
    }

    pub(super) fn end_silent(&mut self) {
        let is_silent = |row: &Row| row.heard_at.elapsed() >= SILENCE;
        let silent = self.present.iter().filter(|(_, row)| is_silent(row));
        let silent: Vec<_> = silent.map(|(member, _)| *member).collect();
        for member in silent {
            tracing::debug!(peer = %member, "silent for {SILENCE:?}: gone");
            if let Some(row) = self.present.remove(&member) {
                self.end(member, row);
            }
        }
    }

    /// These are the peers that are connected.
    pub(super) fn see(&mut self, in_sight: BTreeSet<PeerId>) {
        self.goodbyes.retain(|peer| in_sight.contains(peer));
        for (member, row) in &mut self.present {
            if in_sight.contains(member) {
                row.is_lost = false;
            } else if self.in_sight.contains(member) {
                row.is_lost = true;
            }
        }
        self.in_sight = in_sight;
    }

    pub(super) fn is_closed(&self, member: &PeerId) -> bool {
        let row = self.present.get(member);
        row.is_some_and(|row| !row.takes_inbound)
    }

    /// Members that report and are not known to have been lost, and whether they take connections.
    pub(super) fn others<'t>(
        &'t self,
        peers: &'t [PeerInfo],
    ) -> impl Iterator<Item = (PeerId, bool)> + 't {
        let is_connected = |member: &PeerId| peers.iter().any(|peer| peer.id == *member);
        let others = self.present.iter().filter(move |(member, row)| {
            let was_lost = row.is_lost || self.in_sight.contains(*member);
            is_connected(member) || !was_lost
        });
        others.map(|(member, row)| (*member, row.takes_inbound))
    }

    fn make_room(&mut self) {
        if self.present.len() < MAX_MEMBERS {
            return;
        }
        let longest = self.present.iter().min_by_key(|(_, row)| row.heard_at);
        if let Some((&member, _)) = longest
            && let Some(row) = self.present.remove(&member)
        {
            self.end(member, row);
        }
    }

    /// A run is over.
    fn end(&mut self, member: PeerId, mut row: Row) {
        row.counts = row.counts.without_gauges();
        self.past.insert((member, row.started_at), row);
        if self.past.len() <= MAX_PAST {
            return;
        }
        let first = self.past.iter().min_by_key(|(_, row)| row.heard_at);
        if let Some((&first, _)) = first
            && let Some(row) = self.past.remove(&first)
        {
            self.older.add(&row.counts);
            self.older_runs += 1;
        }
    }
}
