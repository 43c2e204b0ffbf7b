//! Invalidations, and how they are remembered.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::digest::TOMBSTONE_BUCKETS;
use crate::key::Key;
use crate::path::Path;
use crate::peer::PeerId;
use crate::sums::{Span, Sums};
use crate::time::MeshTime;

/// Tombstones that are remembered one by one, in memory and on disk.
pub(crate) const MAX_TOMBSTONES: usize = 16 * 1024;

/// What an invalidation makes void.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// The entry under one key.
    Key(Key),
    /// All entries at a path and below it; at the root, all that there are.
    Path(Path),
}

/// The word of a member that what was stored under a target, up to a moment, is void.
///
/// It is remembered for as long as a copy of what it covers may turn up: from a peer that was out
/// of reach, say, or from disk.
///
/// Of two for one target members keep the greater: the later, and of one moment the one that is
/// kept for longer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tombstone {
    // The order of the fields is that of the tombstones of one target.
    /// What is void.
    pub target: Target,
    /// Up to which moment, this one included.
    pub stamp: MeshTime,
    /// For how long past `stamp` the tombstone has to be remembered.
    pub kept_for: Duration,
    /// The member that has asked for it.
    pub origin: PeerId,
}

impl Tombstone {
    /// The moment from which it can be forgotten.
    pub fn dies_at(&self) -> MeshTime {
        self.stamp.saturating_add(self.kept_for)
    }

    /// What it occupies in memory, in bytes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.target.path_len()
    }
}

/// The tombstones in force, the latest of each target.
///
/// Bounded in number and in bytes. At a bound the one with the oldest stamp gives way to a *floor*: all that
/// was stored up to its moment is then void, whatever its path. That drops too much, never too
/// little, and what it drops is as old as the oldest of many invalidations.
#[derive(Debug)]
pub(crate) struct Tombstones {
    max: usize,
    max_bytes: usize,
    /// No tombstone has a later stamp, so that a lookup of what is younger need not look.
    latest: AtomicU64,
    table: RwLock<Table>,
}

#[derive(Debug)]
struct Table {
    keys: HashMap<Key, Tombstone>,
    paths: HashMap<String, Tombstone>,
    by_age: BTreeSet<(MeshTime, Target)>,
    /// What all of them occupy.
    bytes: usize,
    floor: Option<MeshTime>,
    sums: Sums,
}

impl Tombstones {
    /// At most `max`, and so many bytes of memory.
    pub(crate) fn new(max: usize, max_bytes: usize) -> Self {
        Self {
            max,
            max_bytes,
            latest: AtomicU64::new(0),
            table: RwLock::new(Table {
                keys: HashMap::new(),
                paths: HashMap::new(),
                by_age: BTreeSet::new(),
                bytes: 0,
                floor: None,
                sums: Sums::new(TOMBSTONE_BUCKETS),
            }),
        }
    }

    /// Whether an entry of this stamp is void.
    pub(crate) fn cover(&self, key: &Key, path: &Path, stored_at: MeshTime) -> bool {
        // Acquire pairs with the release in `insert`: who sees the stamp finds the tombstone.
        stored_at.as_millis() <= self.latest.load(Ordering::Acquire)
            && self
                .until(key, path)
                .is_some_and(|until| stored_at <= until)
    }

    /// The moment up to which everything under `key` and `path` is void.
    pub(crate) fn until(&self, key: &Key, path: &Path) -> Option<MeshTime> {
        let table = self.read();
        let by_key = table.keys.get(key).map(|tombstone| tombstone.stamp);
        let by_path = path
            .ancestors()
            .filter_map(|ancestor| table.paths.get(ancestor))
            .map(|tombstone| tombstone.stamp);
        by_path.chain(by_key).chain(table.floor).max()
    }

    /// Remembers a tombstone; tells whether it is later than what was remembered of its target.
    pub(crate) fn insert(&self, tombstone: Tombstone) -> bool {
        let stamp = tombstone.stamp;
        let mut table = self.write();
        if !table.insert(tombstone) {
            return false;
        }
        while table.by_age.len() > self.max || table.bytes > self.max_bytes {
            table.raise_floor();
        }
        self.latest.fetch_max(stamp.as_millis(), Ordering::Release);
        true
    }

    /// Brings down to `now` what lies further ahead of it than stamps may; tells whether there was
    /// anything.
    pub(crate) fn lower(&self, now: MeshTime) -> bool {
        if !MeshTime::from_millis(self.latest.load(Ordering::Acquire)).is_ahead_of(now) {
            return false;
        }
        let mut table = self.write();
        let is_lower = table.lower(now);
        let latest = table.latest().as_millis();
        self.latest.store(latest, Ordering::Release);
        is_lower
    }

    /// Forgets what nothing can turn up for any more.
    pub(crate) fn sweep(&self, now: MeshTime) {
        let mut table = self.write();
        let dead: Vec<_> = table
            .all()
            .filter(|tombstone| tombstone.dies_at() <= now)
            .map(|tombstone| tombstone.target.clone())
            .collect();
        for target in dead {
            table.remove(&target);
        }
    }

    /// All that are in force.
    pub(crate) fn snapshot(&self) -> Vec<Tombstone> {
        self.read().all().cloned().collect()
    }

    /// The sums over those that are remembered after `horizon`.
    pub(crate) fn sums(&self, horizon: Span) -> Vec<u64> {
        self.read().sums.beyond(horizon)
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        // The table is whole between any two statements that could panic.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// What a tombstone of this target occupies, in bytes: a row in either table, which may be half
    /// empty, and its path once as a key and once in itself.
    fn cost(target: &Target) -> usize {
        let rows = size_of::<(Key, Tombstone)>() + size_of::<(MeshTime, Target)>();
        2 * (rows + target.path_len())
    }

    fn all(&self) -> impl Iterator<Item = &Tombstone> {
        self.keys.values().chain(self.paths.values())
    }

    fn get(&self, target: &Target) -> Option<&Tombstone> {
        match target {
            Target::Key(key) => self.keys.get(key),
            Target::Path(path) => self.paths.get(path.as_key()),
        }
    }

    fn insert(&mut self, tombstone: Tombstone) -> bool {
        let target = &tombstone.target;
        let is_known = self.get(target).is_some_and(|held| held >= &tombstone);
        if is_known || self.floor.is_some_and(|floor| floor >= tombstone.stamp) {
            return false;
        }
        self.remove(&target.clone());
        self.by_age.insert((tombstone.stamp, target.clone()));
        self.bytes += Self::cost(target);
        self.sums.add(tombstone.item());
        match target {
            Target::Key(key) => self.keys.insert(*key, tombstone),
            Target::Path(path) => {
                let path = path.as_key().to_owned();
                self.paths.insert(path, tombstone)
            }
        };
        true
    }

    fn remove(&mut self, target: &Target) {
        let removed = match target {
            Target::Key(key) => self.keys.remove(key),
            Target::Path(path) => self.paths.remove(path.as_key()),
        };
        if let Some(tombstone) = removed {
            self.bytes -= Self::cost(&tombstone.target);
            self.sums.remove(tombstone.item());
            self.by_age.remove(&(tombstone.stamp, tombstone.target));
        }
    }

    fn lower(&mut self, now: MeshTime) -> bool {
        let floor = self.floor;
        self.floor = floor.map(|floor| floor.unless_ahead_of(now));
        let ahead = |tombstone: &&Tombstone| tombstone.stamp.is_ahead_of(now);
        let ahead: Vec<_> = self.all().filter(ahead).cloned().collect();
        let is_lower = self.floor != floor || !ahead.is_empty();
        for tombstone in ahead {
            self.remove(&tombstone.target);
            self.insert(Tombstone {
                stamp: now,
                ..tombstone
            });
        }
        is_lower
    }

    /// The latest moment up to which anything is void.
    fn latest(&self) -> MeshTime {
        let latest = self.by_age.last().map(|(stamp, _)| *stamp);
        latest.max(self.floor).unwrap_or_default()
    }

    fn raise_floor(&mut self) {
        if let Some((stamp, target)) = self.by_age.pop_first() {
            self.remove(&target);
            self.floor = self.floor.max(Some(stamp));
        }
    }
}

impl Target {
    fn path_len(&self) -> usize {
        match self {
            Self::Key(_) => 0,
            Self::Path(path) => path.as_key().len(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "key {key}"),
            Self::Path(path) => write!(f, "path {path}"),
        }
    }
}

#[cfg(test)]
mod tests;
