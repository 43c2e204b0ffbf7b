//! The open store between the one thread that opens and closes it and the many that read.

use std::sync::atomic::{AtomicBool, Ordering};
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
    totals: Mutex<Totals>,
    failing: AtomicBool,
    pub(super) evictions: Counter,
    pub(super) dropped: Counter,
    pub(super) unreadable: Counter,
}

impl Shelf {
    /// Does something with the store; nothing where it is not open.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Fault>,
    ) -> Option<Result<T, Fault>> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        store.as_ref().map(work)
    }

    pub(super) fn is_open(&self) -> bool {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        store.is_some()
    }

    pub(super) fn open(&self, store: Store, totals: Totals) {
        self.set_totals(totals);
        let mut place = self.store.write().unwrap_or_else(PoisonError::into_inner);
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
