//! The store on disk: what the memory has no room for, and what outlives the process.
//!
//! Entries go to disk in the background, about half a second after they come in; nobody waits for
//! that. They come back when they are asked for: opening a large store takes no longer than opening
//! a small one.
//!
//! # What is on the disk
//!
//! One database file (`store.redb`, of [redb](https://www.redb.org)) and a lock, which names the
//! process that has the directory open. Entries and invalidations are [sealed](Sealer), each under
//! its own key, so none can be read, altered or passed off as another. In the clear are the keys,
//! which are digests; sizes; when an entry was stored and when it dies. Whoever can write to the
//! directory can delete entries, or bring back an older state of the file as a whole. For that
//! reason, and for what sizes and times tell, nobody else may: directory and files are made for
//! their owner alone.
//!
//! # How much
//!
//! The file never gets longer than [the bound](Options::max_bytes) and a twelfth. redb doubles its
//! file as it grows, so where the bound is no power of two there may be room that is not used. At
//! the bound, what dies first is evicted.
//!
//! # What goes wrong
//!
//! To those who ask, all of it is a miss.
//!
//! | what | is met with |
//! | --- | --- |
//! | the process is killed | what came in during the last second is lost |
//! | the file is damaged, cut off, sealed with another key, of a later version | a warning; it is set aside as `store.redb.broken`, in place of the one before, and an empty one started |
//! | an entry was sealed under a secret that is not known any more | it is dropped |
//! | an entry does not open | it is dropped, and counted as [unreadable](crate::stats::DiskStats::unreadable); the sixteenth counts as a damaged file |
//! | the disk is full, or fails, from the start or later | a warning; what comes in is kept in memory, and it is tried again after 1 s, then ever later, up to 60 s |
//! | more waits to be written than [may wait](Options::max_pending_bytes) | what is offered then is not written, and counted as [dropped](crate::stats::DiskStats::dropped); an older version on disk goes |
//! | the file is longer than it may be, now that the bound is less | what dies first is evicted, while it is opened |
//!
//! A damaged file can make redb panic. That is caught here, and met as a damaged file is; the panic
//! hook will have printed it. It cannot be caught where a program is built with `panic = "abort"`.

mod fault;
mod files;
mod layout;
mod lock;
mod pending;
mod queue;
mod sealed;
mod shelf;
mod store;
mod write;
mod writer;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use fault::{Fault, is_full};
use files::{Directory, Files};
use lock::Refused;
use pending::{Change, Pending};
use queue::{Met, Queue};
use shelf::Shelf;
use store::{Found, Store};
use writer::{Limits, Writer, set_aside};

use crate::entry::Entry;
use crate::key::{Family, Key};
use crate::sealer::Sealer;
use crate::stats::DiskStats;
use crate::tier::{Recalled, Tier};
use crate::time::MeshTime;
use crate::tombstone::{MAX_TOMBSTONES, Tombstone};

/// A store on disk, for [`Builder::disk`](crate::Builder::disk).
///
/// When the last handle to the cache that it was given to is dropped, it writes what is pending and
/// closes the file, which another can then open; that takes as long as the disk does.
pub struct Disk {
    queue: Arc<Queue>,
    shelf: Arc<Shelf>,
    /// Whether what is pending has a bound of its own.
    has_own_bound: bool,
    recalled: Mutex<Recalled>,
    /// Has the directory until it ends.
    writer: Mutex<Option<JoinHandle<()>>>,
    dir: PathBuf,
}

/// How a store is kept.
#[derive(Clone)]
pub struct Options {
    sealer: Arc<dyn Sealer>,
    max_bytes: u64,
    /// Where it is not to follow from the cache's `max_bytes`.
    max_pending_bytes: Option<usize>,
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it. Stop that one, or give this one a directory of its own.
    #[error(
        "{} is in use by {}: stop it, or choose another directory",
        dir.display(),
        name_of(*.pid)
    )]
    InUse {
        /// The other process, where it could be told.
        pid: Option<u32>,
        /// The directory.
        dir: PathBuf,
    },
    /// The operating system refuses. Check the path and its permissions.
    #[error("cannot keep a store in {}: {source}", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The thread that writes could not be started.
    #[error("cannot start the thread that writes to disk: {0}")]
    Thread(#[source] io::Error),
}

impl Options {
    /// The defaults, sealed by `sealer`.
    pub fn new(sealer: Arc<dyn Sealer>) -> Self {
        Self {
            sealer,
            max_bytes: 2 * 1024 * 1024 * 1024,
            max_pending_bytes: None,
        }
    }

    /// Bounds the length of the file, in bytes; the default is 2 GiB, the least 1 MiB. At the bound
    /// what dies first is evicted; from a store that is longer already, when it is opened.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Bounds what waits in memory to be written, in bytes, beside what the cache may occupy; the
    /// default is [a share of that](crate::Builder::max_bytes). At the bound an entry that comes in
    /// is not written.
    #[must_use]
    pub fn max_pending_bytes(mut self, bytes: usize) -> Self {
        self.max_pending_bytes = Some(bytes);
        self
    }
}

impl Disk {
    /// So many entries that do not open are more than a bad sector: pages are in each other's
    /// places, and what is written now spoils what was. redb does not notice.
    const MAX_UNREADABLE: u64 = 16;

    /// Opens the store in `dir`, or makes one; the directory, too, where there is none.
    ///
    /// A file that cannot be used is no error: it is set aside, and a warning logged. Neither is a
    /// full disk. Blocks for as long as the disk takes, which does not depend on how much is stored.
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let dir = dir.as_ref();
        let failed = |source| OpenError::Io {
            dir: dir.to_owned(),
            source,
        };
        let files = Directory::new(dir);
        match files.hold() {
            // Without room for a lock: the writer goes on trying.
            Err(Refused::Io(source)) if !is_full(&source) => return Err(failed(source)),
            Err(Refused::InUse(pid)) => {
                return Err(OpenError::InUse {
                    pid,
                    dir: dir.to_owned(),
                });
            }
            Ok(()) | Err(Refused::Io(_)) => {}
        }
        Self::open_files(Box::new(files), options, dir)
    }

    fn open_files(files: Box<dyn Files>, options: Options, dir: &Path) -> Result<Self, OpenError> {
        let Options {
            sealer,
            max_bytes,
            max_pending_bytes,
        } = options;
        let limits = Limits::new(max_bytes, MAX_TOMBSTONES);
        // Until the cache that it is for has its say.
        let max_waiting = max_pending_bytes.unwrap_or(16 * 1024 * 1024);
        let pending = Pending::new(max_waiting, MAX_TOMBSTONES);
        let queue = Arc::new(Queue::new(pending));
        let shelf = Arc::<Shelf>::default();
        let recalled = match open_or_start_anew(&*files, &sealer, limits) {
            Ok((store, totals, recalled)) => {
                shelf.open(store, totals);
                Some(recalled)
            }
            // The writer goes on trying.
            Err(fault @ Fault::DiskFull(_)) => {
                let generation = shelf.generation();
                queue.report(Met { fault, generation });
                None
            }
            Err(fault) => {
                return Err(OpenError::Io {
                    dir: dir.to_owned(),
                    source: io::Error::other(fault),
                });
            }
        };
        let writer = Writer::new(
            files,
            sealer,
            Arc::clone(&queue),
            Arc::clone(&shelf),
            limits,
            recalled.is_some(),
        );
        let writer = thread::Builder::new()
            .name("cache-disk".to_owned())
            .spawn(move || writer.run())
            .map_err(OpenError::Thread)?;
        Ok(Self {
            queue,
            shelf,
            has_own_bound: max_pending_bytes.is_some(),
            recalled: Mutex::new(recalled.unwrap_or_default()),
            writer: Mutex::new(Some(writer)),
            dir: dir.to_owned(),
        })
    }
}

type Opened = (Store, layout::Totals, Recalled);

/// Opens the file, or sets it aside and makes another.
fn open_or_start_anew(
    files: &dyn Files,
    sealer: &Arc<dyn Sealer>,
    limits: Limits,
) -> Result<Opened, Fault> {
    let open = || {
        shorten(files, sealer, limits)?;
        let (store, totals) = Store::open(files, sealer, limits.max_len, limits)?;
        let recalled = store.recall()?;
        match store.reseal() {
            Err(fault @ Fault::Broken(_)) => return Err(fault),
            // Everything can be read for now, and what is written next is sealed anew together with
            // this.
            Err(fault) => tracing::warn!(
                "what is on disk cannot be sealed under the new secret yet: {fault}; do not take \
                 the previous one away before it is"
            ),
            Ok(()) => {}
        }
        Ok((store, totals, recalled))
    };
    open().or_else(|fault| match fault {
        Fault::Broken(reason) => {
            set_aside(files, &reason)?;
            open()
        }
        // What is there does not even open within the bound.
        Fault::AtBound => {
            set_aside(files, "it needs more room than it may take up")?;
            open()
        }
        fault => Err(fault),
    })
}

/// Brings a file within a bound that has become less: what dies first is evicted.
fn shorten(files: &dyn Files, sealer: &Arc<dyn Sealer>, limits: Limits) -> Result<(), Fault> {
    let len = files.open()?.len()?;
    if len <= limits.max_len {
        return Ok(());
    }
    tracing::info!("the store on disk is longer than it may be: making room takes a while");
    // Evicting takes pages, too, before it gives any back.
    let (mut store, mut totals) = Store::open(files, sealer, len.saturating_mul(2), limits)?;
    let mut dropped = u64::MAX;
    while dropped > 0 && totals.bytes > limits.room() {
        (dropped, totals) = store.make_room(limits.room(), limits.stride())?;
    }
    store.compact()?;
    let len = store.len();
    store.close()?;
    if len > limits.max_len {
        return Err(Fault::AtBound);
    }
    Ok(())
}

impl Tier for Disk {
    fn load(&self, key: &Key, now: MeshTime) -> Option<Entry> {
        let (change, cut_off) = self
            .queue
            .with(|pending| (pending.get(key).cloned(), pending.due_cut_off()));
        match change {
            Some(Change::Keep(entry, _)) => return Some(entry).filter(|entry| !entry.is_dead(now)),
            Some(Change::Discard(_) | Change::Forget(_)) => return None,
            None => {}
        }
        let (generation, found) = self.shelf.read(|store| store.load(key, now))?;
        match found {
            // What is to be cut off may be in the file for a moment more.
            Ok(Found::Entry(entry)) if cut_off.is_some_and(|at| entry.stored_at() > at) => None,
            Ok(Found::Entry(entry)) => Some(entry).filter(|entry| !entry.is_dead(now)),
            Ok(Found::Nothing) => None,
            Ok(Found::Outlived(id)) => {
                self.queue.with(|pending| pending.forget(*key, id));
                None
            }
            Ok(Found::Unreadable(id)) => {
                let unreadable = self.shelf.count_unreadable();
                if unreadable == 1 {
                    tracing::warn!(
                        "an entry on disk does not open and is dropped; further ones are only \
                         counted"
                    );
                }
                if unreadable.is_multiple_of(Self::MAX_UNREADABLE) {
                    let fault = Fault::Broken("too many entries in it do not open".to_owned());
                    self.queue.report(Met { fault, generation });
                } else {
                    self.queue.with(|pending| pending.forget(*key, id));
                }
                None
            }
            Err(fault) => {
                self.queue.report(Met { fault, generation });
                None
            }
        }
    }

    fn keys_of(&self, family: &Family, max: usize) -> Vec<Key> {
        let mut keys = self.queue.with(|pending| pending.keys_of(family, max));
        match self.shelf.read(|store| store.keys_of(family, max)) {
            Some((_, Ok(kept))) => keys.extend(kept),
            Some((generation, Err(fault))) => self.queue.report(Met { fault, generation }),
            None => {}
        }
        keys.sort_unstable();
        keys.dedup();
        keys.truncate(max);
        keys
    }

    fn keep(&self, key: Key, entry: Entry, now: MeshTime) {
        if !self.queue.with(|pending| pending.keep(key, entry, now)) {
            self.shelf.dropped.add(1);
        }
    }

    fn discard(&self, key: Key, entry: &Entry) {
        self.queue.with(|pending| pending.discard(key, entry));
    }

    fn bury(&self, tombstone: Tombstone) {
        self.queue.with(|pending| pending.bury(tombstone));
    }

    fn bound_pending(&self, bytes: usize) {
        if !self.has_own_bound {
            self.queue.with(|pending| pending.bound(bytes));
        }
    }

    fn recall(&self) -> Recalled {
        let recalled = self.recalled.lock();
        std::mem::take(&mut *recalled.unwrap_or_else(PoisonError::into_inner))
    }

    fn sweep(&self, now: MeshTime) {
        self.queue.with(|pending| pending.sweep(now));
    }

    fn cut_off(&self, now: MeshTime) {
        self.queue.with(|pending| pending.cut_off(now));
    }

    fn flush(&self) {
        self.queue.flush();
    }

    fn close(&self) {
        self.queue.stop();
        let writer = self.writer.lock();
        let writer = writer.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A panic there has been reported, and the file is closed all the same.
            let _ = writer.join();
        }
    }

    fn stats(&self) -> DiskStats {
        self.shelf.stats()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.close();
    }
}

fn name_of(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("dir", &self.dir)
            .field("stats", &self.shelf.stats())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("max_bytes", &self.max_bytes)
            .field("max_pending_bytes", &self.max_pending_bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
