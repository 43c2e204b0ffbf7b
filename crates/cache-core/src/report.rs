//! What a member tells the others of itself: that it is there, what it has counted, and what its
//! application has to say.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::notes::{MAX_COUNTERS, MAX_NAME, Topic};
use crate::peer::PeerId;
use crate::stats::Stats;
use crate::time::MeshTime;

/// The longest report, in bytes: the notes and all counters fit several times.
pub(crate) const MAX_REPORT: usize = 32 * 1024;

/// The longest name of a release that is shown, in characters.
const MAX_VERSION: usize = 32;

/// "This is how I stand."
///
/// A later one takes the place of an earlier one, whole: repeated, reordered or lost ones do no
/// harm.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Who says so. A report can come by way of others.
    pub member: PeerId,
    /// When it was started: what tells this run of it from another one.
    pub started_at: MeshTime,
    /// Its number among the reports of this run.
    pub number: u64,
    /// "And I am leaving": there will be no further one.
    pub is_last: bool,
    /// Whether others can connect to it, as far as it knows: somebody has.
    pub takes_inbound: bool,
    /// The release that it runs.
    pub version: String,
    /// What it has counted, by name. Whoever does not know a name passes over it, so that counters
    /// can be added.
    pub counters: Vec<(String, u64)>,
    /// What its application adds to them.
    pub additional: Vec<(String, u64)>,
    /// What its application has to say.
    pub notes: Vec<(Topic, Bytes)>,
}

/// What one member has counted, or several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// The cache's counters. Those of the disk are each member's own affair.
    pub cache: Stats,
    /// The [application's](crate::notes::Notes::counters), by name.
    pub application: BTreeMap<String, u64>,
}

impl fmt::Debug for Report {
    /// Tells the lengths of the notes, and nothing of what is in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let notes = self.notes.iter();
        let notes: Vec<_> = notes.map(|(topic, note)| (topic, note.len())).collect();
        f.debug_struct("Report")
            .field("member", &self.member)
            .field("started_at", &self.started_at)
            .field("number", &self.number)
            .field("is_last", &self.is_last)
            .field("takes_inbound", &self.takes_inbound)
            .field("version", &self.version)
            .field("counters", &self.counters)
            .field("additional", &self.additional)
            .field("notes", &notes)
            .finish()
    }
}

impl Report {
    /// The counters in it, of which there is a bounded number whatever it holds.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (name, count) in &self.counters {
            counts.cache.add(name, *count);
        }
        counts.add_application(self.additional.iter().cloned());
        counts
    }

    /// The name of the release, as far as it is fit to be shown.
    pub(crate) fn shown_version(&self) -> String {
        let shown = self.version.chars().take(MAX_VERSION);
        shown.filter(char::is_ascii_graphic).collect()
    }
}

impl Counts {
    /// Adds what another member, or another run, has counted.
    pub(crate) fn add(&mut self, other: &Self) {
        for (name, count) in other.cache.by_name() {
            self.cache.add(name, count);
        }
        let others = other.application.iter();
        self.add_application(others.map(|(name, count)| (name.clone(), *count)));
    }

    pub(crate) fn add_application(&mut self, counters: impl IntoIterator<Item = (String, u64)>) {
        for (name, count) in counters {
            let is_known = self.application.contains_key(&name);
            if is_known || (self.application.len() < MAX_COUNTERS && name.len() <= MAX_NAME) {
                let counter = self.application.entry(name).or_default();
                *counter = counter.saturating_add(count);
            }
        }
    }

    /// The same of one that is gone: it has counted, and holds nothing any more.
    pub(crate) fn without_gauges(mut self) -> Self {
        for name in Stats::GAUGES {
            if let Some(gauge) = self.cache.named(name) {
                *gauge = 0;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests;
