//! The open file: what is read from it, and how a batch gets into it.

use std::cmp::Ordering;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use redb::{
    Builder, Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableHandle,
};

use super::fault::{Fault, guard};
use super::files::{Bounded, Files};
use super::layout::{
    BODIES, CHUNK, CHUNKS, ENTRIES, HEADER, Place, TOMBSTONES, Totals, VERSION, row,
};
use super::pending::Batch;
use super::sealed::{
    KEY_LEN, MAX_SEALED, key_bytes, key_from, open_entry, open_latest, open_tombstone,
};
use super::write::Writing;
use super::writer::Limits;
use crate::entry::Entry;
use crate::key::{Family, Key, Scope};
use crate::merge;
use crate::sealer::{OpenError, Sealer};
use crate::tier::Recalled;
use crate::time::MeshTime;
use crate::tombstone::Tombstone;
use crate::transport::Misconduct;

/// The database, open, and known to be ours.
pub(super) struct Store {
    db: Option<Database>,
    len: Arc<AtomicU64>,
    sealer: Arc<dyn Sealer>,
    max_tombstones: usize,
    /// Whether the file has turned out not to be what it should be.
    is_broken: AtomicBool,
}

/// What is found under a key.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    Entry(Entry),
    /// The row of this id does not open, or holds something else than it says.
    Unreadable(u64),
    /// The row of this id was sealed with a secret that is no longer known.
    Outlived(u64),
}

/// What came of writing a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    pub(super) totals: Totals,
    /// Entries that were not written, because they are too large or do not seal.
    pub(super) dropped: u64,
}

impl Store {
    /// What redb may keep in memory of the file, in bytes.
    const CACHE: usize = 8 * 1024 * 1024;

    /// Opens the file, or makes an empty store of an empty file. Takes the same short time however
    /// much is in it.
    pub(super) fn open(
        files: &dyn Files,
        sealer: &Arc<dyn Sealer>,
        max_len: u64,
        limits: Limits,
    ) -> Result<(Self, Totals), Fault> {
        let file = Bounded::new(files.open()?, max_len)?;
        let len = file.len_seen();
        let db = guard(|| {
            let mut builder = Builder::new();
            builder.set_cache_size(Self::CACHE);
            Ok(builder.create_with_backend(file)?)
        })?;
        let store = Self {
            db: Some(db),
            len,
            sealer: Arc::clone(sealer),
            max_tombstones: limits.max_tombstones,
            is_broken: AtomicBool::new(false),
        };
        let totals = store.guarded(|| match store.read_header()? {
            Some(totals) => Ok(totals),
            None => store.transact(|writing| {
                writing.start()?;
                Ok(writing.totals)
            }),
        })?;
        Ok((store, totals))
    }

    /// How long the file is, in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len.load(Relaxed)
    }

    /// What is kept under `key`, if it is not dead at `now`.
    pub(super) fn load(&self, key: &Key, now: MeshTime) -> Result<Found, Fault> {
        self.guarded(|| {
            let reading = self.db()?.begin_read()?;
            let entries = reading.open_table(ENTRIES)?;
            let Some(place) = entries.get(&key_bytes(key))? else {
                return Ok(Found::Nothing);
            };
            let place = Place::from(place.value());
            if place.dies_at <= now.as_millis() {
                return Ok(Found::Nothing);
            }
            let (bodies, chunks) = (reading.open_table(BODIES)?, reading.open_table(CHUNKS)?);
            let Some(sealed) = read_body(&bodies, &chunks, key, &place)? else {
                return Ok(Found::Unreadable(place.id));
            };
            Ok(match open_as(&*self.sealer, key, &place, sealed) {
                Ok(entry) => Found::Entry(entry),
                Err(OpenError(Misconduct::OtherSecret)) => Found::Outlived(place.id),
                Err(_) => Found::Unreadable(place.id),
            })
        })
    }

    /// The keys of a family, at most `max`.
    pub(super) fn keys_of(&self, family: &Family, max: usize) -> Result<Vec<Key>, Fault> {
        let scope = |byte| Key::new(*family, Scope::from_digest([byte; 16]));
        let (first, last) = (key_bytes(&scope(0)), key_bytes(&scope(u8::MAX)));
        self.guarded(|| {
            let entries = self.db()?.begin_read()?.open_table(ENTRIES)?;
            let mut keys = Vec::new();
            for row in entries.range::<&[u8; KEY_LEN]>(&first..=&last)?.take(max) {
                keys.extend(key_from(row?.0.value()));
            }
            Ok(keys)
        })
    }

    /// The latest stamp, and all tombstones. One that does not open is an invalidation that was
    /// lost, and what it was to keep from being served cannot be told: the whole store is then not to
    /// be believed.
    pub(super) fn recall(&self) -> Result<Recalled, Fault> {
        self.guarded(|| {
            let reading = self.db()?.begin_read()?;
            let table = reading.open_table(TOMBSTONES)?;
            if table.len()? > self.max_tombstones as u64 {
                return Err(Fault::Broken("it has too many tombstones".to_owned()));
            }
            let tombstones = table.iter()?.map(|row| {
                let (key, value) = row?;
                read_tombstone(&*self.sealer, key.value(), value.value())
            });
            Ok(Recalled {
                tombstones: tombstones.collect::<Result<_, Fault>>()?,
                latest: self.latest(&reading.open_table(HEADER)?)?,
            })
        })
    }

    /// Sees to it that what is recalled can be read when the previous secret is forgotten.
    pub(super) fn reseal(&self) -> Result<(), Fault> {
        let is_outdated = self.guarded(|| {
            let header = self.db()?.begin_read()?.open_table(HEADER)?;
            let latest = header.get(row::LATEST)?;
            Ok(latest.is_some_and(|latest| self.sealer.is_outdated(latest.value())))
        })?;
        if is_outdated {
            // To begin is enough.
            self.transact(|_| Ok(()))?;
        }
        Ok(())
    }

    /// Writes a batch, all of it or nothing.
    pub(super) fn write(&self, batch: &Batch, max_charge: u64) -> Result<Written, Fault> {
        self.transact(|writing| writing.apply(batch, max_charge))
    }

    /// Drops what is dead at `now`, up to `max` entries; tells how many, and the totals afterwards.
    pub(super) fn sweep(&self, now: MeshTime, max: u64) -> Result<(u64, Totals), Fault> {
        // A commit that changes nothing costs the disk as much as another.
        if !self.guarded(|| self.has_dead(now))? {
            return Ok((0, self.guarded(|| self.read_totals())?));
        }
        self.transact(|writing| {
            writing.forget_dead_tombstones(now)?;
            writing.drop_first(max, |place, _| place.dies_at <= now.as_millis())
        })
    }

    /// Drops entries that are later than `now`, up to `max`, and brings tombstones down to it that
    /// lie further ahead than stamps may; tells how many entries, and the totals afterwards.
    pub(super) fn cut_off(&self, now: MeshTime, max: u64) -> Result<(u64, Totals), Fault> {
        self.transact(|writing| writing.cut_off(now, max))
    }

    /// Drops what dies first, until no more than `max_bytes` are charged, but no more than `max`
    /// entries; tells how many, and the totals afterwards.
    pub(super) fn make_room(&self, max_bytes: u64, max: u64) -> Result<(u64, Totals), Fault> {
        self.transact(|writing| writing.drop_first(max, |_, totals| totals.bytes > max_bytes))
    }

    /// Gives back to the file system what is free.
    pub(super) fn compact(&mut self) -> Result<(), Fault> {
        let done = guard(|| {
            if let Some(db) = &mut self.db {
                db.compact()?;
            }
            Ok(())
        });
        self.guarded(|| done)
    }

    /// Closes the file.
    pub(super) fn close(mut self) -> Result<(), Fault> {
        self.close_now()
    }

    fn close_now(&mut self) -> Result<(), Fault> {
        let db = self.db.take();
        if self.is_broken.load(Relaxed) {
            let_go(db);
            return Ok(());
        }
        guard(|| Ok(db.map_or(Ok(()), Database::close)?))
    }

    /// Does `work`, and takes note where the file turns out to be broken.
    fn guarded<T>(&self, work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        let done = guard(work);
        if matches!(done, Err(Fault::Broken(_))) {
            self.is_broken.store(true, Relaxed);
        }
        done
    }

    /// Commits what `work` does. The commit is on disk when this returns.
    fn transact<T>(
        &self,
        work: impl FnOnce(&mut Writing<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.guarded(|| {
            let mut transaction = self.db()?.begin_write()?;
            // Without it, the first start after a kill reads the whole file.
            transaction.set_quick_repair(true);
            let mut writing = Writing::begin(&transaction, &*self.sealer, self.max_tombstones)?;
            writing.reseal()?;
            let done = work(&mut writing)?;
            writing.end()?;
            transaction.commit()?;
            Ok(done)
        })
    }

    fn has_dead(&self, now: MeshTime) -> Result<bool, Fault> {
        let reading = self.db()?.begin_read()?;
        let bodies = reading.open_table(BODIES)?;
        let first = bodies.first()?.map(|(place, _)| place.value().0);
        if first.is_some_and(|dies_at| dies_at <= now.as_millis()) {
            return Ok(true);
        }
        for row in reading.open_table(TOMBSTONES)?.iter()? {
            let (_, value) = row?;
            let times = tombstone_times(value.value());
            if times.is_some_and(|(_, dies_at, _)| dies_at <= now.as_millis()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn read_totals(&self) -> Result<Totals, Fault> {
        Ok(self.read_header()?.unwrap_or_default())
    }

    /// The totals, or nothing where the store has just been made.
    fn read_header(&self) -> Result<Option<Totals>, Fault> {
        let reading = self.db()?.begin_read()?;
        let broken = |what: &str| Fault::Broken(what.to_owned());
        if !reading
            .list_tables()?
            .any(|table| table.name() == HEADER.name())
        {
            if reading.list_tables()?.next().is_some() {
                return Err(broken("it is the database of another program"));
            }
            return Ok(None);
        }
        let header = reading.open_table(HEADER)?;
        let version = header.get(row::VERSION)?;
        let version = version
            .and_then(|version| version.value().try_into().ok())
            .map(u32::from_le_bytes)
            .ok_or_else(|| broken("it has no version"))?;
        if version != VERSION {
            return Err(Fault::Broken(format!(
                "it has version {version} of the layout, and version {VERSION} is understood here"
            )));
        }
        self.latest(&header)?;
        let totals = header.get(row::TOTALS)?;
        totals
            .and_then(|totals| Totals::from_bytes(totals.value()))
            .ok_or_else(|| broken("it does not say what is in it"))
            .map(Some)
    }

    fn latest(
        &self,
        header: &impl ReadableTable<&'static str, &'static [u8]>,
    ) -> Result<MeshTime, Fault> {
        header
            .get(row::LATEST)?
            .and_then(|latest| open_latest(&*self.sealer, latest.value()))
            .ok_or_else(|| Fault::Broken("it was sealed with another key".to_owned()))
    }

    fn db(&self) -> Result<&Database, Fault> {
        self.db
            .as_ref()
            .ok_or_else(|| Fault::Io("the store is closed".to_owned()))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Its last commit stands; the rest is redone at the next start.
        let _ = self.close_now();
    }
}

/// Lets go of a database that is broken, and leaves the file as it is.
///
/// redb commits when it is closed or dropped. What a broken file makes it do then may be to panic
/// while it panics, which nobody can catch. While a thread unwinds it writes nothing.
fn let_go(db: Option<Database>) {
    let _ = panic::catch_unwind(AssertUnwindSafe(|| {
        let _db = db;
        panic::resume_unwind(Box::new("to drop a database"));
    }));
}

/// The sealed entry at `place`, if all of it is there.
pub(super) fn read_body(
    bodies: &impl ReadableTable<(u64, u64), &'static [u8]>,
    chunks: &impl ReadableTable<(u64, u32), &'static [u8; CHUNK]>,
    key: &Key,
    place: &Place,
) -> Result<Option<Bytes>, Fault> {
    // Checked before a byte is allocated.
    if place.len as usize > MAX_SEALED {
        return Ok(None);
    }
    let Some(body) = bodies.get((place.dies_at, place.id))? else {
        return Ok(None);
    };
    let (full, last, inline) = place.division();
    let Some((of_key, inlined)) = body.value().split_at_checked(KEY_LEN) else {
        return Ok(None);
    };
    if of_key != key_bytes(key) || inlined.len() != inline {
        return Ok(None);
    }
    let mut sealed = Vec::with_capacity(place.len as usize);
    for n in 0..full + u32::from(last > 0) {
        let Some(chunk) = chunks.get((place.id, n))? else {
            return Ok(None);
        };
        let used = if n < full { CHUNK } else { last };
        sealed.extend_from_slice(&chunk.value()[..used]);
    }
    sealed.extend_from_slice(inlined);
    Ok(Some(sealed.into()))
}

/// The entry that was sealed, if it is the one that belongs at this place.
pub(super) fn open_as(
    sealer: &dyn Sealer,
    key: &Key,
    place: &Place,
    sealed: Bytes,
) -> Result<Entry, OpenError> {
    let entry = open_entry(sealer, key, sealed)?;
    let belongs_here = entry.stored_at().as_millis() == place.stored_at
        && entry.dies_at().as_millis() == place.dies_at;
    belongs_here
        .then_some(entry)
        .ok_or(OpenError(Misconduct::Undecodable))
}

/// Whether `entry` is greater than what lies at `place`. What does not open counts as nothing.
pub(super) fn is_news(
    entry: &Entry,
    place: &Place,
    held: impl FnOnce() -> Result<Option<Entry>, Fault>,
) -> Result<bool, Fault> {
    if entry.stored_at().as_millis() > place.stored_at {
        return Ok(true);
    }
    Ok(held()?.is_none_or(|held| merge::compare(&held, entry) == Ordering::Less))
}

/// The tombstone in a row.
pub(super) fn read_tombstone(
    sealer: &dyn Sealer,
    key: &[u8; KEY_LEN],
    value: &[u8],
) -> Result<Tombstone, Fault> {
    key_from(key)
        .zip(tombstone_times(value))
        .and_then(|(key, (stamp, dies_at, sealed))| {
            // What stands in the clear beside it must not have been altered either.
            open_tombstone(sealer, &key, sealed).filter(|tombstone| {
                (tombstone.stamp.as_millis(), tombstone.dies_at().as_millis()) == (stamp, dies_at)
            })
        })
        .ok_or_else(|| Fault::Broken("an invalidation in it does not open".to_owned()))
}

/// Stamp and time of death of a tombstone, and the tombstone itself, sealed.
pub(super) fn tombstone_times(value: &[u8]) -> Option<(u64, u64, &[u8])> {
    let (stamp, rest) = value.split_first_chunk()?;
    let (dies_at, sealed) = rest.split_first_chunk()?;
    Some((
        u64::from_le_bytes(*stamp),
        u64::from_le_bytes(*dies_at),
        sealed,
    ))
}
