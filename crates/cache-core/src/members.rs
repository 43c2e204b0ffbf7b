//! Who belongs to the fleet, and how each member stands: the table of what members report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::notes::{Bell, Pad};
use crate::peer::{PeerId, PeerInfo};
use crate::report::Report;
use crate::stats::Stats;
use crate::time::MeshTime;

pub use crate::report::Counts;

/// A member that has not reported for so long is gone. It reports every 30 seconds.
pub(crate) const SILENCE: Duration = Duration::from_secs(90);

/// Members in the table. At the bound the one that was silent for longest counts as gone.
const MAX_MEMBERS: usize = 2048;

/// Runs that are over and are remembered one by one. At the bound the one that ended first is
/// remembered as a part of a sum: if it was not over after all, it counts twice from then on.
const MAX_PAST: usize = 1024;

/// Members that have said goodbye and may still be connected. At the bound a goodbye is not heeded;
/// whoever asks that member is not answered, and asks the next.
const MAX_GOODBYES: usize = 1024;

/// How the fleet stands, as far as this member knows: what it has counted itself, and what the
/// others have last reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetStats {
    /// The members at this moment, this one first, the others in the order of their names.
    pub members: Vec<MemberStats>,
    /// How many runs have ended since this member was started: of members that have said goodbye,
    /// that were silent for 90 seconds, or that have come back as a new run.
    pub past_members: u64,
    /// What those had counted, by their last reports.
    pub past: Counts,
}

/// How one member stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberStats {
    /// Its name.
    pub peer: PeerId,
    /// Whether it is the one who says so.
    pub is_local: bool,
    /// Whether it is connected to the one who says so.
    pub is_connected: bool,
    /// The release that it runs.
    pub version: String,
    /// When it was started.
    pub started_at: MeshTime,
    /// How long ago it reported.
    pub age: Duration,
    /// What it has counted since it was started.
    pub counts: Counts,
}

impl FleetStats {
    /// What all members have counted together, those included that are gone.
    ///
    /// Two members that have been there for different times differ in what they know of those that
    /// are gone. Nobody is told of a run that was over before it came.
    pub fn totals(&self) -> Counts {
        let mut totals = self.past.clone();
        for member in &self.members {
            totals.add(&member.counts);
        }
        totals
    }
}

/// The table, and what this member says of itself.
pub(crate) struct Members {
    local: PeerId,
    started_at: MeshTime,
    /// Reports made so far.
    made: AtomicU64,
    /// What the application has to say.
    pub(crate) pad: Pad,
    pub(crate) bell: Bell,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    present: BTreeMap<PeerId, Row>,
    /// Runs that are over, so that what is said of one twice, or late, counts once.
    past: BTreeMap<(PeerId, MeshTime), Row>,
    /// What those had counted that are not remembered any more.
    older: Counts,
    older_runs: u64,
    goodbyes: BTreeSet<PeerId>,
}

/// The last report of a run.
#[derive(Clone)]
struct Row {
    started_at: MeshTime,
    number: u64,
    version: String,
    counts: Counts,
    heard_at: Instant,
}

impl Members {
    /// The table of a member that was started at this moment.
    pub(crate) fn new(local: PeerId, started_at: MeshTime) -> Self {
        Self {
            local,
            started_at,
            made: AtomicU64::new(0),
            pad: Pad::default(),
            bell: Bell::default(),
            table: Mutex::default(),
        }
    }

    /// What this member says of itself, with these counters of its own.
    pub(crate) fn report(&self, stats: Stats, now: MeshTime, is_last: bool) -> Report {
        // Taken before the counters are read: of two reports that are made at once, the one that
        // counts is not the one that knows less.
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let Counts { cache, application } = self.own(stats);
        Report {
            member: self.local,
            started_at: self.started_at,
            number,
            is_last,
            version: VERSION.to_owned(),
            counters: cache
                .by_name()
                .map(|(name, count)| (name.to_owned(), count))
                .collect(),
            additional: application.into_iter().collect(),
            notes: self.pad.write(now),
        }
    }

    /// Takes in what a member reports; tells whether that was news.
    pub(crate) fn receive(&self, report: &Report, now: MeshTime) -> bool {
        let is_news = report.member != self.local && self.table().take(report);
        if is_news {
            // Outside the lock: it is the application's code.
            self.pad.read(&report.notes, now);
        }
        is_news
    }

    /// Takes note that a peer has sent something: it has not left, or has come back.
    pub(crate) fn heard(&self, peer: &PeerId) {
        self.table().goodbyes.remove(peer);
    }

    /// Takes out the peers that have said goodbye, and nothing since.
    pub(crate) fn retain_staying(&self, peers: &mut Vec<PeerInfo>) {
        let goodbyes = &self.table().goodbyes;
        if !goodbyes.is_empty() {
            peers.retain(|peer| !goodbyes.contains(&peer.id));
        }
    }

    /// Forgets who is silent, and the goodbyes of those who are not `in_sight` any more.
    pub(crate) fn age(&self, in_sight: &BTreeSet<PeerId>) {
        let mut table = self.table();
        table.goodbyes.retain(|peer| in_sight.contains(peer));
        table.end_silent();
    }

    /// How all stand; this member itself by these counters.
    pub(crate) fn snapshot(&self, stats: Stats, in_sight: &BTreeSet<PeerId>) -> FleetStats {
        let own = MemberStats {
            peer: self.local,
            is_local: true,
            is_connected: true,
            version: VERSION.to_owned(),
            started_at: self.started_at,
            age: Duration::ZERO,
            counts: self.own(stats),
        };
        let mut table = self.table();
        table.end_silent();
        let others = table.present.iter().map(|(peer, row)| MemberStats {
            peer: *peer,
            is_local: false,
            is_connected: in_sight.contains(peer),
            version: row.version.clone(),
            started_at: row.started_at,
            age: row.heard_at.elapsed(),
            counts: row.counts.clone(),
        });
        let mut past = table.older.clone();
        for row in table.past.values() {
            past.add(&row.counts);
        }
        FleetStats {
            members: std::iter::once(own).chain(others).collect(),
            past_members: table.older_runs + table.past.len() as u64,
            past,
        }
    }

    fn own(&self, stats: Stats) -> Counts {
        let mut own = Counts::default();
        for (name, count) in stats.by_name() {
            own.cache.add(name, count);
        }
        own.add_application(self.pad.counters());
        own
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Members are of the same release as their caches.
const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Table {
    /// Takes a report, unless a later one of that member is known.
    fn take(&mut self, report: &Report) -> bool {
        let Report {
            member, started_at, ..
        } = *report;
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
            self.make_room();
            self.present.insert(member, row);
        }
        true
    }

    fn end_silent(&mut self) {
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

#[cfg(test)]
mod tests;
