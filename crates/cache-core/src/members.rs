//! Who belongs to the fleet, and how each member stands: the table of what members report.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::notes::{Bell, Pad};
use crate::peer::{PeerId, PeerInfo};
use crate::report::Report;
use crate::stats::Stats;
use crate::time::MeshTime;

use door::Door;
use table::Table;

pub use crate::report::Counts;

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
    /// Whether others can connect to it: what cannot be dialled leaves its keys to others.
    door: Mutex<Door>,
    /// Whether it has said goodbye. All that it says after that is a goodbye, too.
    has_left: AtomicBool,
    /// What the application has to say.
    pub(crate) pad: Pad,
    pub(crate) bell: Bell,
    table: Mutex<Table>,
}

impl Members {
    /// The table of a member that was started at this moment.
    pub(crate) fn new(local: PeerId, started_at: MeshTime) -> Self {
        Self {
            local,
            started_at,
            made: AtomicU64::new(0),
            door: Mutex::new(Door::Open(Instant::now())),
            has_left: AtomicBool::new(false),
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
        let was_last = self.has_left.fetch_or(is_last, Ordering::Relaxed);
        let Counts { cache, application } = self.own(stats);
        Report {
            member: self.local,
            started_at: self.started_at,
            number,
            is_last: is_last || was_last,
            takes_inbound: self.door().is_open(),
            version: VERSION.to_owned(),
            counters: cache
                .by_name()
                .map(|(name, count)| (name.to_owned(), count))
                .collect(),
            additional: application.into_iter().collect(),
            notes: self.pad.write(now),
        }
    }

    /// Takes in what a member reports, as a peer tells; tells whether that was news.
    pub(crate) fn receive(&self, report: &Report, from: PeerId, now: MeshTime) -> bool {
        let is_news = report.member != self.local && self.table().take(report, from);
        if is_news {
            // Outside the lock: it is the application's code.
            self.pad.read(&report.notes, now);
        }
        is_news
    }

    /// Takes out the peers that have said goodbye, and nothing since.
    pub(crate) fn retain_staying(&self, peers: &mut Vec<PeerInfo>) {
        let goodbyes = &self.table().goodbyes;
        if !goodbyes.is_empty() {
            peers.retain(|peer| !goodbyes.contains(&peer.id));
        }
    }

    /// Takes note of the peers that are connected; forgets who is silent, and the goodbyes of those
    /// who are not connected any more.
    pub(crate) fn see(&self, peers: &[PeerInfo]) {
        if self.door().see(peers) {
            // So that nobody is sent here who cannot come.
            self.bell.ring();
        }
        let mut table = self.table();
        table.see(peers.iter().map(|peer| peer.id).collect());
        table.end_silent();
    }

    /// The members that may own keys: those that are connected, this one, and those that could be
    /// connected, so that members that know of the same ones agree, whoever is connected to whom.
    pub(crate) fn owners(&self, peers: &[PeerInfo]) -> BTreeSet<PeerId> {
        let connected = peers.iter().map(|peer| peer.id).chain([self.local]);
        let table = self.table();
        let others = table.others(peers);
        let open = others.filter(|(_, takes_inbound)| *takes_inbound);
        connected.chain(open.map(|(member, _)| member)).collect()
    }

    /// Whether a member has told that nobody can dial it.
    pub(crate) fn is_closed(&self, member: &PeerId) -> bool {
        self.table().is_closed(member)
    }

    /// For how long this member can have been dialled, if it can.
    pub(crate) fn open_for(&self) -> Option<Duration> {
        self.door().open_for()
    }

    /// Whether a member is connected, or reports by way of others.
    pub(crate) fn is_here(&self, member: &PeerId, peers: &[PeerInfo]) -> bool {
        let is_connected = peers.iter().any(|peer| peer.id == *member);
        is_connected
            || self
                .table()
                .others(peers)
                .any(|(other, _)| other == *member)
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

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Members are of the same release as their caches.
const VERSION: &str = env!("CARGO_PKG_VERSION");

mod door;
mod table;
#[cfg(test)]
mod tests;
