//! The open store between the one thread that opens and closes it and the many that read.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use super::fault::Fault;
use super::layout::Totals;
use super::store::Store;
use crate::stats::{Counter, DiskStats};

/// Where the store stands while it is open, and what is counted about it.
///
/// Readers hold the lock for as long as they read: a file that is still being read cannot be opened
/// a second time. Only the writer's opening and closing waits for them.
#[derive(Default)]
pub(super) struct Shelf {
    store: RwLock<Option<Store>>,
    /// Counts the files that were opened. What readers have met in one says nothing of the next.
    generation: AtomicU64,
    /// What did not open in the present file.
    unreadable_here: AtomicU64,
    totals: Mutex<Totals>,
    failing: AtomicBool,
    pub(super) evictions: Counter,
    pub(super) dropped: Counter,
    unreadable: Counter,
}

/// Which of the files, in the order in which they were opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Generation(u64);

impl Shelf {
    /// Does something with the store; nothing where it is not open.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Fault>,
    ) -> Option<Result<T, Fault>> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        store.as_ref().map(work)
    }

    /// Reads from the store, and tells from which; nothing where it is not open.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Fault>,
    ) -> Option<(Generation, Result<T, Fault>)> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        let store = store.as_ref()?;
        Some((self.generation(), work(store)))
    }

    /// That of the file that is open, or was last.
    pub(super) fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::Relaxed))
    }

    /// Counts an entry that did not open; tells how many of this file's that makes.
    pub(super) fn count_unreadable(&self) -> u64 {
        self.unreadable.add(1);
        self.unreadable_here.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn is_open(&self) -> bool {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        store.is_some()
    }

    pub(super) fn open(&self, store: Store, totals: Totals) {
        self.set_totals(totals);
        let mut place = self.store.write().unwrap_or_else(PoisonError::into_inner);
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.unreadable_here.store(0, Ordering::Relaxed);
        *place = Some(store);
    }

    /// Closes the store, once those who read have ended.
    pub(super) fn close(&self) {
        let mut place = self.store.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = place.take()
            && let Err(fault) = store.close()
        {
            tracing::debug!("closing the store on disk: {fault}");
        }
    }

    pub(super) fn totals(&self) -> Totals {
        *self.lock_totals()
    }

    pub(super) fn set_totals(&self, totals: Totals) {
        *self.lock_totals() = totals;
    }

    /// Notes whether the last write failed; tells whether the one before it did.
    pub(super) fn set_failing(&self, failing: bool) -> bool {
        self.failing.swap(failing, Ordering::Relaxed)
    }

    pub(super) fn stats(&self) -> DiskStats {
        let totals = self.totals();
        DiskStats {
            entries: totals.entries,
            bytes: totals.bytes,
            evictions: self.evictions.get(),
            dropped: self.dropped.get(),
            unreadable: self.unreadable.get(),
            failing: self.failing.load(Ordering::Relaxed),
        }
    }

    fn lock_totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
