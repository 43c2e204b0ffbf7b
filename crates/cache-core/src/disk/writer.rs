//! The thread that owns the file: writes batches, keeps within the bound, and mends.

use std::sync::Arc;
use std::time::Duration;

use super::fault::Fault;
use super::files::Files;
use super::pending::Pending;
use super::queue::{Met, Queue};
use super::shelf::Shelf;
use super::store::Store;
use crate::sealer::Sealer;
use crate::time::MeshTime;

/// What the writer works with. Callers have their own hold of `queue` and `shelf`.
pub(super) struct Writer {
    files: Box<dyn Files>,
    sealer: Arc<dyn Sealer>,
    queue: Arc<Queue>,
    shelf: Arc<Shelf>,
    limits: Limits,
    /// What the entries may be charged. Less than the bound on the file, and how much less is found
    /// out: redb doubles its file when it grows, and how full it can fill one depends on what is in
    /// it.
    room: u64,
    /// Whether the tombstones in the file are in force. Where the file could not be opened at first
    /// they are not.
    knows_tombstones: bool,
    /// How many entries one transaction evicts. What it frees can only be used by the next one, so
    /// in a full file it has to be few.
    stride: u64,
    /// How often in a row the file has been at its bound though room had been made.
    refusals: u32,
}

/// The bounds that follow from that on the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How long the file may get, in bytes.
    pub(super) max_len: u64,
    pub(super) max_tombstones: usize,
    /// What the entries may be charged at first.
    room: u64,
    /// The most that one transaction writes.
    batch: usize,
}

impl Limits {
    /// Less cannot be kept to: an empty store takes some hundred kilobytes.
    const LEAST: u64 = 1024 * 1024;

    const MAX_BATCH: u64 = 8 * 1024 * 1024;

    pub(super) fn new(max_bytes: u64, max_tombstones: usize) -> Self {
        let max_bytes = max_bytes.max(Self::LEAST);
        let batch = (max_bytes / 16).min(Self::MAX_BATCH);
        Self {
            // A sixteenth is what redb starts with beyond a power of two, which doubles with the
            // rest.
            max_len: max_bytes.saturating_add(max_bytes / 12),
            max_tombstones,
            room: max_bytes / 5 * 4,
            batch: usize::try_from(batch).unwrap_or(usize::MAX),
        }
    }

    /// What the entries may be charged at first.
    pub(super) fn room(&self) -> u64 {
        self.room
    }

    /// How many entries one transaction evicts at most: each touches pages in two tables.
    pub(super) fn stride(&self) -> u64 {
        (self.batch / (8 * 1024)) as u64
    }
}

/// Ends the queue however the thread ends.
struct End<'a>(&'a Queue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Writer {
    const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
    const LAST_BACK_OFF: Duration = Duration::from_secs(60);

    /// So many times room is made for one batch before the store is started anew.
    const MAX_REFUSALS: u32 = 8;

    pub(super) fn new(
        files: Box<dyn Files>,
        sealer: Arc<dyn Sealer>,
        queue: Arc<Queue>,
        shelf: Arc<Shelf>,
        limits: Limits,
        knows_tombstones: bool,
    ) -> Self {
        Self {
            files,
            sealer,
            queue,
            shelf,
            limits,
            room: limits.room,
            stride: limits.stride(),
            knows_tombstones,
            refusals: 0,
        }
    }

    /// Writes until it is told to stop.
    pub(super) fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        let _end = End(&queue);
        let mut back_off = None;
        loop {
            let turn = queue.next(back_off);
            let is_last = turn.is_last;
            back_off = match self.work(turn.met.as_ref()) {
                Ok(()) => {
                    self.recovered();
                    None
                }
                Err(fault) => {
                    self.mend(&fault);
                    let longer = back_off.map_or(Self::FIRST_BACK_OFF, |delay| delay * 2);
                    Some(longer.min(Self::LAST_BACK_OFF))
                }
            };
            queue.finish(&turn);
            if is_last {
                break;
            }
        }
        let lost = queue.with(|pending| pending.entries());
        if lost > 0 {
            self.shelf.dropped.add(lost);
            tracing::warn!("{lost} entries could not be written to disk and are lost");
        }
        self.shelf.close();
    }

    /// Writes all that is pending, in as many transactions as it takes.
    fn work(&mut self, met: Option<&Met>) -> Result<(), Fault> {
        // Of a file that is not there any more, nothing need be done.
        if let Some(met) = met.filter(|met| met.generation == self.shelf.generation()) {
            self.mend(&met.fault);
        }
        if !self.shelf.is_open() {
            self.open()?;
        }
        if let Some(now) = self.queue.with(|pending| pending.due_cut_off()) {
            self.cut_off(now)?;
            self.queue.with(|pending| pending.is_cut_off(now));
        }
        if let Some(now) = self.queue.with(Pending::take_sweep) {
            self.sweep(now)?;
        }
        // What comes meanwhile has its own turn: whoever waits for a flush waits for no more than
        // there was.
        let end = self.queue.with(|pending| pending.end());
        let mut is_first = true;
        loop {
            let batch = self.queue.batch(self.limits.batch, end);
            if batch.is_empty() || (batch.changes.is_empty() && !is_first) {
                return Ok(());
            }
            let written = self
                .make_room(batch.bytes() as u64)
                .and_then(|()| self.with_store(|store| store.write(&batch, self.room / 4)));
            match written {
                Ok(written) => {
                    is_first = false;
                    self.refusals = 0;
                    self.stride = (self.stride * 2).min(self.limits.stride());
                    self.queue.settle(&batch);
                    self.shelf.dropped.add(written.dropped);
                    self.shelf.set_totals(written.totals);
                }
                Err(Fault::AtBound) => self.shrink()?,
                Err(fault) => return Err(fault),
            }
        }
    }

    fn cut_off(&self, now: MeshTime) -> Result<(), Fault> {
        loop {
            let (dropped, totals) = self.with_store(|store| store.cut_off(now, self.stride))?;
            self.shelf.set_totals(totals);
            if dropped == 0 {
                return Ok(());
            }
        }
    }

    fn sweep(&self, now: MeshTime) -> Result<(), Fault> {
        loop {
            let (dropped, totals) = self.with_store(|store| store.sweep(now, self.stride))?;
            self.shelf.set_totals(totals);
            if dropped == 0 {
                return Ok(());
            }
        }
    }

    /// Evicts what dies first until so many bytes fit in.
    fn make_room(&mut self, bytes: u64) -> Result<(), Fault> {
        if self.with_store(|store| Ok(store.len()))? <= self.limits.max_len / 2 {
            // It has become short enough to be doubled once more.
            self.room = self.limits.room;
        }
        if self.shelf.totals().bytes.saturating_add(bytes) <= self.room {
            return Ok(());
        }
        // A little more than is needed, so that not every batch has to.
        let target = (self.room - self.room / 32).saturating_sub(bytes);
        loop {
            let (dropped, totals) =
                self.with_store(|store| store.make_room(target, self.stride))?;
            self.shelf.set_totals(totals);
            self.shelf.evictions.add(dropped);
            if dropped == 0 || totals.bytes <= target {
                return Ok(());
            }
        }
    }

    /// The file has refused to grow: opens it once more, and makes do with less.
    fn shrink(&mut self) -> Result<(), Fault> {
        self.shelf.close();
        self.refusals += 1;
        self.stride = (self.stride / 4).max(1);
        if self.refusals > Self::MAX_REFUSALS {
            tracing::warn!("the store on disk has no room left to free; it is started anew");
            self.start_anew()?;
        }
        self.open()?;
        let held = self.shelf.totals().bytes;
        self.room = self.room.min(held).max(self.limits.room / 4) / 16 * 15;
        tracing::debug!("the store on disk is full at {held} bytes of entries");
        Ok(())
    }

    /// Does what can be done about a fault, short of writing again.
    fn mend(&mut self, fault: &Fault) {
        self.shelf.close();
        match fault {
            Fault::Broken(reason) => {
                if let Err(error) = set_aside(&*self.files, reason) {
                    self.failed(&error.into());
                }
            }
            fault => self.failed(fault),
        }
        // What is there can be read while writing fails.
        if let Err(fault) = self.open() {
            self.failed(&fault);
        }
    }

    fn open(&mut self) -> Result<(), Fault> {
        let (files, limits) = (&*self.files, self.limits);
        let open = || Store::open(files, &self.sealer, limits.max_len, limits);
        let (mut store, mut totals) = open()?;
        if !self.knows_tombstones {
            // Nobody would know any more which of its entries are void.
            if !store.recall()?.tombstones.is_empty() {
                store.close()?;
                tracing::warn!("which entries on disk are void is not known; it is started anew");
                self.files.remove()?;
                (store, totals) = open()?;
            }
            self.knows_tombstones = true;
        }
        self.shelf.open(store, totals);
        Ok(())
    }

    fn start_anew(&mut self) -> Result<(), Fault> {
        self.refusals = 0;
        self.room = self.limits.room;
        Ok(self.files.remove()?)
    }

    /// Says so, once.
    fn failed(&self, fault: &Fault) {
        if self.shelf.set_failing(true) {
            return;
        }
        match fault {
            Fault::DiskFull(reason) => tracing::warn!(
                "the disk is full: entries are kept in memory only, until there is room ({reason})"
            ),
            fault => tracing::warn!(
                "the store on disk fails: entries are kept in memory only, and it is tried again \
                 ({fault})"
            ),
        }
    }

    fn recovered(&self) {
        if self.shelf.set_failing(false) {
            tracing::info!("the store on disk works again");
        }
    }

    fn with_store<T>(&self, work: impl FnOnce(&Store) -> Result<T, Fault>) -> Result<T, Fault> {
        self.shelf
            .with(work)
            .unwrap_or_else(|| Err(Fault::Io("the store is not open".to_owned())))
    }
}

/// Puts a file out of the way that cannot be used, and says so.
pub(super) fn set_aside(files: &dyn Files, reason: &str) -> std::io::Result<()> {
    let aside = files.set_aside()?;
    tracing::warn!(
        "the store on disk cannot be used: {reason}. It is set aside as {aside}; the cache starts \
         empty"
    );
    Ok(())
}
