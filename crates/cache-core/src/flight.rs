//! Single-flight: of all who want the same thing at one moment, one goes and gets it.

use std::sync::Arc;

use crate::concurrency::{DashMap, Entry, watch};
use crate::key::Key;

/// The fetches under way, by key. `T` is what they bring back.
///
/// A key is in the table only while its fetch runs, so the table is bounded by whoever bounds the
/// fetches.
#[derive(Debug)]
pub(crate) struct Flights<T> {
    under_way: Arc<DashMap<Key, Landing<T>>>,
}

/// What a caller has to do who wants a key.
#[derive(Debug)]
pub(crate) enum Turn<T> {
    /// Fetch it. Nobody else does for as long as the [`Lead`] lives.
    Lead(Lead<T>),
    /// Wait for the one who fetches it.
    Wait(Landing<T>),
}

/// The duty to fetch a key. Dropped without [`land`](Self::land), by a panic or a cancellation, it
/// wakes all who wait with nothing, and the first of them gets the duty.
#[derive(Debug)]
pub(crate) struct Lead<T> {
    key: Key,
    under_way: Arc<DashMap<Key, Landing<T>>>,
    arrived: watch::Sender<Option<T>>,
}

/// The place to wait for somebody's fetch.
#[derive(Clone, Debug)]
pub(crate) struct Landing<T>(watch::Receiver<Option<T>>);

impl<T: Clone> Flights<T> {
    pub(crate) fn new() -> Self {
        Self {
            under_way: Arc::default(),
        }
    }

    /// Joins the flight of `key`, or starts it.
    pub(crate) fn join(&self, key: Key) -> Turn<T> {
        match self.under_way.entry(key) {
            Entry::Occupied(flight) => Turn::Wait(flight.get().clone()),
            Entry::Vacant(vacant) => {
                let (arrived, landing) = watch::channel(None);
                vacant.insert(Landing(landing));
                Turn::Lead(Lead {
                    key,
                    under_way: Arc::clone(&self.under_way),
                    arrived,
                })
            }
        }
    }
}

impl<T> Lead<T> {
    /// A flight that nobody can join.
    pub(crate) fn apart(key: Key) -> Self {
        let (arrived, _) = watch::channel(None);
        Self {
            key,
            under_way: Arc::default(),
            arrived,
        }
    }

    /// The place where the caller who started the flight waits for it, too.
    pub(crate) fn landing(&self) -> Landing<T> {
        Landing(self.arrived.subscribe())
    }

    /// Hands the outcome to all who wait. Callers that come later start a flight of their own.
    pub(crate) fn land(self, outcome: T) {
        // Off the table first: who is woken and asks again must not find this flight.
        self.under_way.remove(&self.key);
        self.arrived.send_replace(Some(outcome));
    }
}

impl<T> Drop for Lead<T> {
    fn drop(&mut self) {
        // After `land` another flight of this key may be on the table; it is not ours to remove.
        self.under_way.remove_if(&self.key, |_, flight| {
            flight.0.same_channel(&self.arrived.subscribe())
        });
    }
}

impl<T: Clone> Landing<T> {
    /// What the fetch brought; `None` where it died on the way.
    pub(crate) async fn wait(mut self) -> Option<T> {
        let outcome = self.0.wait_for(Option::is_some).await.ok()?;
        outcome.clone()
    }
}

#[cfg(all(test, shuttle))]
mod races;
#[cfg(test)]
mod tests;
