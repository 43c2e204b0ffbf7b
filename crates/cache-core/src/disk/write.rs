//! One transaction that writes.

use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};

use super::fault::Fault;
use super::layout::{
    BODIES, CHUNK, CHUNKS, ENTRIES, HEADER, Place, TOMBSTONES, Totals, VERSION, row,
};
use super::pending::{Batch, Change, cover_all};
use super::sealed::{
    KEY_LEN, key_bytes, key_of, open_latest, seal_entry, seal_latest, seal_tombstone,
};
use super::store::{Written, is_news, open_as, read_body, read_tombstone, tombstone_times};
use crate::entry::Entry;
use crate::key::Key;
use crate::merge::Version;
use crate::sealer::Sealer;
use crate::time::{MAX_SKEW, MeshTime};
use crate::tombstone::Tombstone;

/// The tables of a transaction, and the totals as it goes on.
pub(super) struct Writing<'a> {
    sealer: &'a dyn Sealer,
    max_tombstones: usize,
    pub(super) totals: Totals,
    /// No stamp in the store is later.
    latest: MeshTime,
    /// Whether that was sealed under a secret that another is taking the place of.
    is_outdated: bool,
    header: Table<'a, &'static str, &'static [u8]>,
    entries: Table<'a, &'static [u8; KEY_LEN], (u64, u64, u64, u32)>,
    bodies: Table<'a, (u64, u64), &'static [u8]>,
    chunks: Table<'a, (u64, u32), &'static [u8; CHUNK]>,
    tombstones: Table<'a, &'static [u8; KEY_LEN], &'static [u8]>,
}

/// The most that one transaction drops, in what is charged for it.
const MAX_DROPPED_BYTES: u64 = 16 * 1024 * 1024;

impl<'a> Writing<'a> {
    pub(super) fn begin(
        transaction: &'a WriteTransaction,
        sealer: &'a dyn Sealer,
        max_tombstones: usize,
    ) -> Result<Self, Fault> {
        let header = transaction.open_table(HEADER)?;
        let totals = match header.get(row::TOTALS)? {
            None => Totals::default(),
            Some(totals) => Totals::from_bytes(totals.value())
                .ok_or_else(|| Fault::Broken("it does not say what is in it".to_owned()))?,
        };
        let (latest, is_outdated) = match header.get(row::LATEST)? {
            None => (MeshTime::default(), false),
            Some(latest) => {
                let sealed = latest.value();
                let latest = open_latest(sealer, sealed)
                    .ok_or_else(|| Fault::Broken("it was sealed with another key".to_owned()))?;
                (latest, sealer.is_outdated(sealed))
            }
        };
        Ok(Self {
            sealer,
            max_tombstones,
            totals,
            latest,
            is_outdated,
            header,
            entries: transaction.open_table(ENTRIES)?,
            bodies: transaction.open_table(BODIES)?,
            chunks: transaction.open_table(CHUNKS)?,
            tombstones: transaction.open_table(TOMBSTONES)?,
        })
    }

    /// Makes an empty file a store.
    pub(super) fn start(&mut self) -> Result<(), Fault> {
        let version = VERSION.to_le_bytes();
        self.header.insert(row::VERSION, version.as_slice())?;
        Ok(())
    }

    /// Seals anew what has to be readable as long as there is a store, before the secret under which
    /// it was sealed is forgotten. Entries are not worth it: they die, and can be fetched again.
    ///
    /// Every transaction begins with it: the latest stamp is sealed with each commit, and tells
    /// whether the tombstones are as new. Those that it left behind would be lost with the secret.
    pub(super) fn reseal(&mut self) -> Result<(), Fault> {
        if !self.is_outdated {
            return Ok(());
        }
        let mut outdated = Vec::new();
        for row in self.tombstones.iter()? {
            let (key, value) = row?;
            let is_outdated = tombstone_times(value.value())
                .is_some_and(|(.., sealed)| self.sealer.is_outdated(sealed));
            if is_outdated {
                outdated.push(read_tombstone(self.sealer, key.value(), value.value())?);
            }
        }
        outdated
            .iter()
            .try_for_each(|tombstone| self.write_tombstone(tombstone))
    }

    /// Writes down what is in the store. Everything is then ready to be committed.
    pub(super) fn end(mut self) -> Result<(), Fault> {
        let totals = self.totals.to_bytes();
        self.header.insert(row::TOTALS, totals.as_slice())?;
        let latest = seal_latest(self.sealer, self.latest)
            .map_err(|error| Fault::Io(format!("nothing can be sealed: {error}")))?;
        self.header.insert(row::LATEST, &*latest)?;
        Ok(())
    }

    /// Applies a batch. An entry that would be charged more than `max_charge` is dropped.
    pub(super) fn apply(&mut self, batch: &Batch, max_charge: u64) -> Result<Written, Fault> {
        let mut dropped = 0;
        for (key, change) in &batch.changes {
            match change {
                Change::Keep(entry, now) => {
                    if !self.keep(key, entry, *now, max_charge)? {
                        dropped += 1;
                    }
                }
                Change::Discard(until) => self.discard(key, *until)?,
                Change::Forget(id) => {
                    if let Some(place) = self.place(key)?
                        && place.id == *id
                    {
                        self.remove(&key_bytes(key), &place)?;
                    }
                }
            }
        }
        for tombstone in &batch.tombstones {
            self.bury(tombstone)?;
        }
        self.bound_tombstones()?;
        Ok(Written {
            totals: self.totals,
            dropped,
        })
    }

    /// Drops entries in the order of their deaths for as long as `is_due`, up to `max`; tells how
    /// many, and what is left.
    pub(super) fn drop_first(
        &mut self,
        max: u64,
        is_due: impl Fn(&Place, &Totals) -> bool,
    ) -> Result<(u64, Totals), Fault> {
        let before = self.totals.bytes;
        let mut dropped = 0;
        while dropped < max && before - self.totals.bytes.min(before) < MAX_DROPPED_BYTES {
            let Some((dies_at, id, key)) = self.first()? else {
                break;
            };
            let held = self
                .entries
                .get(&key)?
                .map(|place| Place::from(place.value()));
            // A body that no entry points at: no crash leaves one, but a damaged file may have it.
            let is_held = held.is_some_and(|held| (held.dies_at, held.id) == (dies_at, id));
            let place = held.filter(|_| is_held).unwrap_or(Place {
                dies_at,
                id,
                stored_at: 0,
                len: 0,
            });
            if !is_due(&place, &self.totals) {
                break;
            }
            if is_held {
                self.entries.remove(&key)?;
                self.totals.remove(&place);
            }
            self.remove_body(&place)?;
            dropped += 1;
        }
        Ok((dropped, self.totals))
    }

    /// Drops the tombstones that are dead at `now`.
    pub(super) fn forget_dead_tombstones(&mut self, now: MeshTime) -> Result<(), Fault> {
        let is_alive = |value: &[u8]| {
            tombstone_times(value).is_none_or(|(_, dies_at, _)| dies_at > now.as_millis())
        };
        // One that does not say when it dies is left for the next start, which will not have it.
        Ok(self.tombstones.retain(|_, value| is_alive(value))?)
    }

    /// Drops entries that are later than `now`, up to `max`, and brings tombstones down to it that
    /// lie further ahead than stamps may; tells how many entries, and what is left.
    pub(super) fn cut_off(&mut self, now: MeshTime, max: u64) -> Result<(u64, Totals), Fault> {
        let is_ahead = |stamp| MeshTime::from_millis(stamp).is_ahead_of(now);
        let mut lowered = Vec::new();
        for row in self.tombstones.iter()? {
            let (key, value) = row?;
            if tombstone_times(value.value()).is_some_and(|(stamp, ..)| is_ahead(stamp)) {
                lowered.push(read_tombstone(self.sealer, key.value(), value.value())?);
            }
        }
        for tombstone in lowered {
            self.write_tombstone(&Tombstone {
                stamp: now,
                ..tombstone
            })?;
        }
        let mut later = Vec::new();
        for row in self.entries.iter()? {
            let (key, place) = row?;
            let place = Place::from(place.value());
            if later.len() as u64 == max {
                break;
            }
            if place.stored_at > now.as_millis() {
                later.push((*key.value(), place));
            }
        }
        for (key, place) in &later {
            self.remove(key, place)?;
        }
        if later.is_empty() {
            // Of tombstones within what stamps may be ahead, there may be some.
            self.latest = self.latest.min(now.saturating_add(MAX_SKEW));
        }
        Ok((later.len() as u64, self.totals))
    }

    /// Keeps the greater of `entry` and what is there; tells whether that was possible.
    fn keep(
        &mut self,
        key: &Key,
        entry: &Entry,
        now: MeshTime,
        max_charge: u64,
    ) -> Result<bool, Fault> {
        let held = self.place(key)?;
        if let Some(held) = &held
            && !MeshTime::from_millis(held.stored_at).is_ahead_of(now)
            && !is_news(entry, held, || self.entry_at(key, held))?
        {
            return Ok(true);
        }
        // It is the older one, whether or not there is room for the newer.
        if let Some(held) = &held {
            self.remove(&key_bytes(key), held)?;
        }
        let Ok(sealed) = seal_entry(self.sealer, key, entry) else {
            return Ok(false);
        };
        let place = Place {
            dies_at: entry.dies_at().as_millis(),
            id: self.totals.next_id,
            stored_at: entry.stored_at().as_millis(),
            len: u32::try_from(sealed.len()).unwrap_or(u32::MAX),
        };
        if place.charge() > max_charge {
            return Ok(false);
        }
        self.insert(key, &place, &sealed)?;
        // From a clock that ran ahead nothing can be learnt.
        let latest = Some(self.latest).filter(|latest| !latest.is_ahead_of(now));
        self.latest = latest.unwrap_or_default().max(entry.stored_at());
        Ok(true)
    }

    fn discard(&mut self, key: &Key, until: Version) -> Result<(), Fault> {
        let Some(held) = self.place(key)? else {
            return Ok(());
        };
        let is_newer = held.stored_at >= until.stored_at.as_millis()
            && self
                .entry_at(key, &held)?
                .is_some_and(|entry| Version::of(&entry) > until);
        if is_newer {
            return Ok(());
        }
        self.remove(&key_bytes(key), &held)
    }

    fn insert(&mut self, key: &Key, place: &Place, sealed: &[u8]) -> Result<(), Fault> {
        let key = key_bytes(key);
        let (full, last, inline) = place.division();
        let (chunked, inlined) = sealed.split_at(sealed.len() - inline);
        for (n, bytes) in (0..full + u32::from(last > 0)).zip(chunked.chunks(CHUNK)) {
            let mut chunk = [0; CHUNK];
            chunk[..bytes.len()].copy_from_slice(bytes);
            self.chunks.insert((place.id, n), &chunk)?;
        }
        let body = [&key, inlined].concat();
        self.bodies
            .insert((place.dies_at, place.id), body.as_slice())?;
        self.entries
            .insert(&key, <(u64, u64, u64, u32)>::from(*place))?;
        self.totals.next_id = place.id.wrapping_add(1);
        self.totals.add(place);
        Ok(())
    }

    fn remove(&mut self, key: &[u8; KEY_LEN], place: &Place) -> Result<(), Fault> {
        self.entries.remove(key)?;
        self.totals.remove(place);
        let body = self.bodies.get((place.dies_at, place.id))?;
        // In a damaged file the body may be another's.
        if body.is_some_and(|body| body.value().starts_with(key)) {
            self.remove_body(place)?;
        }
        Ok(())
    }

    fn remove_body(&mut self, place: &Place) -> Result<(), Fault> {
        self.bodies.remove((place.dies_at, place.id))?;
        let of_body = (place.id, 0)..=(place.id, u32::MAX);
        Ok(self.chunks.retain_in(of_body, |_, _| false)?)
    }

    /// The body that dies first: when, its id, and whose it is.
    fn first(&mut self) -> Result<Option<(u64, u64, [u8; KEY_LEN])>, Fault> {
        let Some((place, body)) = self.bodies.first()? else {
            return Ok(None);
        };
        let (dies_at, id) = place.value();
        let key = body.value().first_chunk().copied().unwrap_or([0; KEY_LEN]);
        Ok(Some((dies_at, id, key)))
    }

    fn place(&self, key: &Key) -> Result<Option<Place>, Fault> {
        let place = self.entries.get(&key_bytes(key))?;
        Ok(place.map(|place| place.value().into()))
    }

    fn entry_at(&self, key: &Key, place: &Place) -> Result<Option<Entry>, Fault> {
        let sealed = read_body(&self.bodies, &self.chunks, key, place)?;
        Ok(sealed.and_then(|sealed| open_as(self.sealer, key, place, sealed).ok()))
    }

    fn bury(&mut self, tombstone: &Tombstone) -> Result<(), Fault> {
        let key = key_of(&tombstone.target);
        let stamp = tombstone.stamp.as_millis();
        let is_known = self
            .tombstones
            .get(&key_bytes(&key))?
            .and_then(|held| Some(tombstone_times(held.value())?.0 >= stamp))
            .unwrap_or(false);
        if is_known {
            return Ok(());
        }
        self.write_tombstone(tombstone)
    }

    fn write_tombstone(&mut self, tombstone: &Tombstone) -> Result<(), Fault> {
        let key = key_of(&tombstone.target);
        // Lost in a restart, an invalidation would bring back what it has made void.
        let sealed = seal_tombstone(self.sealer, &key, tombstone)
            .map_err(|error| Fault::Io(format!("an invalidation cannot be sealed: {error}")))?;
        let stamp = tombstone.stamp.as_millis();
        let dies_at = tombstone.dies_at().as_millis();
        let value = [&stamp.to_le_bytes(), &dies_at.to_le_bytes(), &*sealed].concat();
        self.tombstones.insert(&key_bytes(&key), value.as_slice())?;
        self.latest = self.latest.max(tombstone.stamp);
        Ok(())
    }

    /// Where there are too many tombstones, makes one of the oldest eighth, which covers everything
    /// up to the latest of them: too much is void then, never too little.
    fn bound_tombstones(&mut self) -> Result<(), Fault> {
        if self.tombstones.len()? <= self.max_tombstones as u64 {
            return Ok(());
        }
        let mut by_age = self
            .tombstones
            .iter()?
            .map(|row| {
                let (key, value) = row?;
                let stamp = tombstone_times(value.value()).map_or(0, |(stamp, ..)| stamp);
                Ok((stamp, *key.value()))
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        by_age.sort_unstable();
        let excess = by_age.len() - self.max_tombstones + self.max_tombstones / 8;
        let mut oldest = Vec::with_capacity(excess);
        for (_, key) in by_age.iter().take(excess) {
            if let Some(value) = self.tombstones.remove(key)? {
                oldest.push(read_tombstone(self.sealer, key, value.value())?);
            }
        }
        cover_all(oldest.into_iter()).map_or(Ok(()), |one| self.bury(&one))
    }
}
