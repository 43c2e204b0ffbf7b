//! What waits to be written: the newest version of each key, bounded in bytes.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, hash_map};

use crate::entry::Entry;
use crate::key::{Family, Key};
use crate::merge::{self, Version};
use crate::path::Path;
use crate::time::MeshTime;
use crate::tombstone::{Target, Tombstone};

/// What is to be done about one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Keep this version, unless a greater one is there that did not lie ahead of this moment.
    Keep(Entry, MeshTime),
    /// Let go of this version and those before it.
    Discard(Version),
    /// Let go of the row of this id: it does not open.
    Forget(u64),
}

/// Changes on their way to the file. They stay here until they are in it, so that a lookup that
/// finds nothing here finds it there.
///
/// Oldest first; a newer version takes the place of an older one. Bounded in bytes. At the bound an
/// entry that is offered is dropped; one that is larger than the bound has to come alone. Tombstones
/// have bounds of their own, in number and at half as many bytes; there they become one that covers
/// all of them.
#[derive(Debug)]
pub(super) struct Pending {
    max_bytes: usize,
    max_tombstones: usize,
    changes: HashMap<Key, Waiting>,
    /// The keys in the order of their tickets, which is that in which they came.
    order: BTreeMap<u64, Key>,
    next_ticket: u64,
    bytes: usize,
    tombstones: HashMap<Target, Tombstone>,
    tombstone_bytes: usize,
    sweep: Option<MeshTime>,
    cut_off: Option<MeshTime>,
}

/// The end of what is pending at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct End(u64);

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    change: Change,
}

/// Some of what is pending, to be written in one go.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub(super) changes: Vec<(Key, Change)>,
    pub(super) tombstones: Vec<Tombstone>,
}

impl Pending {
    /// What a change occupies in the table beside its entry, in bytes.
    const OVERHEAD: usize = 256;

    /// The pages that a change touches and redb copies, whatever its size, in bytes.
    const TOUCHED: usize = 8 * 1024;

    pub(super) fn new(max_bytes: usize, max_tombstones: usize) -> Self {
        Self {
            max_bytes,
            max_tombstones,
            changes: HashMap::new(),
            order: BTreeMap::new(),
            next_ticket: 0,
            bytes: 0,
            tombstones: HashMap::new(),
            tombstone_bytes: 0,
            sweep: None,
            cut_off: None,
        }
    }

    /// Has no more wait than so many bytes, from what comes next on.
    pub(super) fn bound(&mut self, max_bytes: usize) {
        self.max_bytes = max_bytes;
    }

    /// The entry that waits under `key`, or that the one in the file has been let go of.
    pub(super) fn get(&self, key: &Key) -> Option<&Change> {
        self.changes.get(key).map(|waiting| &waiting.change)
    }

    /// The keys of a family under which an entry waits, at most `max`.
    pub(super) fn keys_of(&self, family: &Family, max: usize) -> Vec<Key> {
        let waiting = self.changes.iter().filter_map(|(key, waiting)| {
            let is_kept = matches!(waiting.change, Change::Keep(..));
            (key.family == *family && is_kept).then_some(*key)
        });
        waiting.take(max).collect()
    }

    /// Takes in a newer version; tells whether there was room. Without, the older one in the file
    /// is let go of: it would pass for the newest after a restart.
    pub(super) fn keep(&mut self, key: Key, entry: Entry, now: MeshTime) -> bool {
        let is_known = match self.get(&key) {
            Some(Change::Keep(held, _)) => {
                merge::compare(held, &entry) != Ordering::Less && !held.stored_at().is_ahead_of(now)
            }
            Some(Change::Discard(until)) => {
                *until >= Version::of(&entry) && !until.stored_at.is_ahead_of(now)
            }
            Some(Change::Forget(_)) | None => false,
        };
        let version = Version::of(&entry);
        if is_known || self.put(key, Change::Keep(entry, now)) {
            return true;
        }
        self.put(key, Change::Discard(version));
        false
    }

    pub(super) fn discard(&mut self, key: Key, void: &Entry) {
        let until = Version::of(void);
        let is_newer = match self.get(&key) {
            Some(Change::Keep(held, _)) => Version::of(held) > until,
            Some(Change::Discard(held)) => *held >= until,
            Some(Change::Forget(_)) | None => false,
        };
        if !is_newer {
            // Without room the row stays where it is, and is void when it is next looked at.
            self.put(key, Change::Discard(until));
        }
    }

    pub(super) fn forget(&mut self, key: Key, id: u64) {
        if !self.changes.contains_key(&key) {
            // Without room the row stays where it is, and does not open the next time either.
            self.put(key, Change::Forget(id));
        }
    }

    pub(super) fn bury(&mut self, tombstone: Tombstone) {
        let held = self.tombstones.get(&tombstone.target);
        if held.is_some_and(|held| held.stamp >= tombstone.stamp) {
            return;
        }
        self.remember(tombstone);
        let is_over = self.tombstones.len() > self.max_tombstones
            || self.tombstone_bytes > self.max_tombstone_bytes();
        if is_over {
            // Too much is void then, never too little.
            let all = self.tombstones.drain().map(|(_, tombstone)| tombstone);
            let one = cover_all(all);
            self.tombstone_bytes = 0;
            one.into_iter().for_each(|one| self.remember(one));
        }
    }

    fn remember(&mut self, tombstone: Tombstone) {
        self.tombstone_bytes += tombstone.weight();
        let target = tombstone.target.clone();
        if let Some(replaced) = self.tombstones.insert(target, tombstone) {
            self.tombstone_bytes -= replaced.weight();
        }
    }

    fn max_tombstone_bytes(&self) -> usize {
        self.max_bytes / 2
    }

    pub(super) fn sweep(&mut self, now: MeshTime) {
        self.sweep = self.sweep.max(Some(now));
    }

    /// Has entries let go of that are later than `now`, and tombstones brought down.
    pub(super) fn cut_off(&mut self, now: MeshTime) {
        self.cut_off = Some(now);
        for Waiting { change, .. } in self.changes.values_mut() {
            if let Change::Keep(entry, _) = change
                && entry.stored_at() > now
            {
                let until = Version::of(entry);
                self.bytes -= change.weight();
                *change = Change::Discard(until);
                self.bytes += change.weight();
            }
        }
        for tombstone in self.tombstones.values_mut() {
            tombstone.stamp = tombstone.stamp.unless_ahead_of(now);
        }
    }

    /// The moment for which that is due, until it is [done](Self::is_cut_off).
    pub(super) fn due_cut_off(&self) -> Option<MeshTime> {
        self.cut_off
    }

    pub(super) fn is_cut_off(&mut self, now: MeshTime) {
        if self.cut_off == Some(now) {
            self.cut_off = None;
        }
    }

    pub(super) fn take_sweep(&mut self) -> Option<MeshTime> {
        self.sweep.take()
    }

    pub(super) fn is_empty(&self) -> bool {
        let nothing_else = self.sweep.is_none() && self.cut_off.is_none();
        self.changes.is_empty() && self.tombstones.is_empty() && nothing_else
    }

    /// Whether it is time to write, however little time has gone by.
    pub(super) fn is_half_full(&self) -> bool {
        self.bytes >= self.max_bytes / 2
            || self.tombstones.len() >= self.max_tombstones / 2
            || self.tombstone_bytes > self.max_tombstone_bytes() / 2
    }

    /// The entries that are waiting.
    pub(super) fn entries(&self) -> u64 {
        let is_entry = |waiting: &&Waiting| matches!(waiting.change, Change::Keep(..));
        self.changes.values().filter(is_entry).count() as u64
    }

    /// The end of what is pending now.
    pub(super) fn end(&self) -> End {
        End(self.next_ticket)
    }

    /// All tombstones, and about so many bytes of the changes that came first, at least one.
    pub(super) fn batch(&self, max_bytes: usize, end: End) -> Batch {
        let mut bytes = 0;
        let fits = |(_, change): &(Key, &Change)| {
            let is_first = bytes == 0;
            bytes += Self::TOUCHED + change.weight();
            is_first || bytes <= max_bytes
        };
        let in_order = self.order.range(..end.0).map(|(_, key)| key);
        let changes = in_order.filter_map(|key| Some((*key, self.get(key)?)));
        Batch {
            changes: changes
                .take_while(fits)
                .map(|(key, change)| (key, change.clone()))
                .collect(),
            tombstones: self.tombstones.values().cloned().collect(),
        }
    }

    /// Drops what has been written, except where something newer has come meanwhile.
    pub(super) fn settle(&mut self, written: &Batch) {
        for (key, change) in &written.changes {
            let hash_map::Entry::Occupied(mut held) = self.changes.entry(*key) else {
                continue;
            };
            self.order.remove(&held.get().ticket);
            if held.get().change.is_same(change) {
                self.bytes -= held.remove().change.weight();
            } else {
                // It has had its turn: what is put all the time does not keep others waiting.
                held.get_mut().ticket = self.next_ticket;
                self.order.insert(self.next_ticket, *key);
                self.next_ticket += 1;
            }
        }
        for tombstone in &written.tombstones {
            if self.tombstones.get(&tombstone.target) == Some(tombstone) {
                self.tombstones.remove(&tombstone.target);
                self.tombstone_bytes -= tombstone.weight();
            }
        }
        if self.changes.is_empty() {
            // A burst is not remembered in memory.
            self.changes.shrink_to(64);
        }
    }

    fn put(&mut self, key: Key, change: Change) -> bool {
        let held = self.changes.get(&key);
        let replaced = held.map_or(0, |held| held.change.weight());
        let others = self.bytes - replaced;
        let bytes = others + change.weight();
        // What frees room is let in at the bound, too: it is small.
        let max_bytes = match change {
            Change::Keep(..) => self.max_bytes,
            Change::Discard(_) | Change::Forget(_) => self.max_bytes + self.max_bytes / 4,
        };
        if bytes > max_bytes && others > 0 {
            return false;
        }
        let ticket = held.map_or(self.next_ticket, |held| held.ticket);
        if ticket == self.next_ticket {
            self.order.insert(ticket, key);
            self.next_ticket += 1;
        }
        self.bytes = bytes;
        self.changes.insert(key, Waiting { ticket, change });
        true
    }
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.tombstones.is_empty()
    }

    /// About what it comes to in the file, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.changes.iter().map(|(_, change)| change.weight()).sum()
    }
}

impl Change {
    fn weight(&self) -> usize {
        Pending::OVERHEAD
            + match self {
                Self::Keep(entry, _) => entry.weight(),
                Self::Discard(_) | Self::Forget(_) => 0,
            }
    }

    /// Whether both say the same; the values are not compared byte by byte.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Keep(a, _), Self::Keep(b, _)) => Version::of(a) == Version::of(b),
            (a, b) => a == b,
        }
    }
}

/// One tombstone of everything that voids no less than all of these.
pub(super) fn cover_all(tombstones: impl Iterator<Item = Tombstone>) -> Option<Tombstone> {
    tombstones.reduce(|a, b| {
        let (earlier, later) = if a.stamp <= b.stamp { (a, b) } else { (b, a) };
        Tombstone {
            target: Target::Path(Path::root()),
            kept_for: earlier.dies_at().max(later.dies_at()).since(later.stamp),
            ..later
        }
    })
}

#[cfg(test)]
mod tests;
