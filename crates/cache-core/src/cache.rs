//! The one door: look up, or fetch once for everybody who asks.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::builder::Builder;
use crate::entry::Entry;
use crate::fetch::{Answer, BoxError, FetchError, Fetched, Source};
use crate::flight::{Flights, Lead, Turn};
use crate::freshness::{Freshness, Lifetime, State};
use crate::key::Key;
use crate::node;
use crate::peer::{PeerId, PeerInfo};
use crate::replica::Replica;
use crate::stats::Stats;
use crate::transport::Transport;

/// How long [`Cache::close`] waits for the peers to be told what is still queued.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);

/// A cache that its peers share.
///
/// Clones are handles to the same cache. When the last is dropped its background tasks end; call
/// [`close`](Self::close) first to part from the peers in good order.
///
/// ```
/// use std::time::Duration;
/// use cache_core::{Answer, Cache, Fetched, Freshness, Key, Lifetime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = Cache::builder().build();
/// let key = Key::public(["population", "Iceland"]);
///
/// let answer = cache
///     .get_or_fetch(key, Freshness::AS_STORED, |_stale| async {
///         // Only one caller at a time gets here; the others wait for what it brings.
///         Ok(Fetched::New("387758".into(), Lifetime::fresh_for(Duration::from_secs(3600))))
///     })
///     .await?;
/// assert!(matches!(answer, Answer::Entry { entry, .. } if entry.as_value().unwrap() == "387758"));
///
/// // The second time nothing is fetched.
/// assert!(cache.get(&key).is_some());
/// assert_eq!((cache.stats().hits, cache.stats().misses), (1, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Cache {
    inner: Arc<Inner>,
}

struct Inner {
    replica: Arc<Replica>,
    transport: Arc<dyn Transport>,
    flights: Flights<Landed>,
    tombstone_lifetime: Lifetime,
    /// Asks the publisher to end once everything is out.
    closing: CancellationToken,
    publisher: TaskTracker,
    tasks: TaskTracker,
    stop: CancellationToken,
    // Ends the tasks with the last handle.
    _stop: DropGuard,
}

/// A caller's fetch, once it is known that it will run.
type Fetch = Box<dyn FnOnce(Option<Entry>) -> BoxFuture<'static, Result<Fetched, BoxError>> + Send>;

/// What all who wait for a flight are told.
#[derive(Clone, Debug)]
enum Landed {
    Entry(Entry, Source),
    Passing(Bytes),
    Private,
    Failed(FetchError),
}

impl Cache {
    /// Settings for a new cache; the defaults share with nobody.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts the background tasks of a cache.
    pub(crate) fn start(
        replica: Replica,
        transport: Arc<dyn Transport>,
        tombstone_lifetime: Lifetime,
    ) -> Self {
        let replica = Arc::new(replica);
        let stop = CancellationToken::new();
        let closing = CancellationToken::new();
        let inner = Inner {
            replica: Arc::clone(&replica),
            transport: Arc::clone(&transport),
            flights: Flights::new(),
            tombstone_lifetime,
            closing: closing.clone(),
            publisher: TaskTracker::new(),
            tasks: TaskTracker::new(),
            _stop: stop.clone().drop_guard(),
            stop,
        };
        let publish = node::publish(Arc::clone(&replica), Arc::clone(&transport), closing);
        inner.spawn(inner.publisher.track_future(publish));
        inner.spawn(node::receive(Arc::clone(&replica), transport));
        inner.spawn(node::sweep(replica));
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The entry under `key` if it is fresh. Counts as a lookup: a hit, or a miss.
    pub fn get(&self, key: &Key) -> Option<Entry> {
        let fresh = self.fresh(key, Freshness::AS_STORED);
        if fresh.is_none() {
            self.inner.replica.counters.misses.add(1);
        }
        fresh.map(|(entry, _, _)| entry)
    }

    /// The entry under `key` if it is as fresh as asked for; else what `fetch` brings.
    ///
    /// However many callers ask for a key at once, one `fetch` runs; it goes on where its caller
    /// goes away. It is handed the stale entry, where there is one, to ask upstream whether that
    /// is still right. If it fails, the stale entry is served. If it panics its caller gets an
    /// error, and of those who waited one tries again.
    ///
    /// Peers never delay this call, and never make it fail.
    pub async fn get_or_fetch<F, Fut>(
        &self,
        key: Key,
        freshness: Freshness,
        fetch: F,
    ) -> Result<Answer, FetchError>
    where
        F: FnOnce(Option<Entry>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Fetched, BoxError>> + Send + 'static,
    {
        if let Some((entry, source, age)) = self.fresh(&key, freshness) {
            return Ok(Answer::Entry { entry, source, age });
        }
        let fetch: Fetch = Box::new(|stale| fetch(stale).boxed());
        loop {
            match self.inner.flights.join(key) {
                Turn::Lead(lead) => return self.lead(lead, key, freshness, fetch).await,
                Turn::Wait(landing) => match landing.wait().await {
                    // Somebody else's fetch was no help: this caller goes for itself.
                    Some(Landed::Private) => {
                        return self.answer(fetch_into(&self.inner.replica, key, fetch).await);
                    }
                    Some(landed) => return self.coalesced(landed),
                    None => {}
                },
            }
        }
    }

    /// Keeps `value` under `key` and pushes it to the peers in the background.
    pub fn put(&self, key: Key, value: Bytes, lifetime: Lifetime) -> Entry {
        let stamp = self.inner.replica.stamp(&key);
        self.inner.replica.commit(key, stamp, value, lifetime)
    }

    /// Makes what is stored under `key` void, here and on all peers, older copies that are still
    /// on their way included.
    pub fn invalidate(&self, key: Key) {
        self.inner.replica.bury(key, self.inner.tombstone_lifetime);
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        let (entries, bytes) = self.inner.replica.store.size();
        Stats {
            entries,
            bytes,
            connected_peers: self.inner.transport.peers().len() as u64,
            ..self.inner.replica.counters.snapshot()
        }
    }

    /// Our own name among the peers.
    pub fn local_peer(&self) -> PeerId {
        self.inner.replica.local_peer
    }

    /// The peers that are connected now.
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.inner.transport.peers()
    }

    /// Tells the peers what is still queued, for at most two seconds, then says goodbye to them
    /// and ends the background tasks. What is stored can still be looked up.
    pub async fn close(&self) {
        let inner = &self.inner;
        inner.closing.cancel();
        inner.publisher.close();
        // What is not out by then, the peers will fetch for themselves.
        let _ = time::timeout(FLUSH_DEADLINE, inner.publisher.wait()).await;
        inner.stop.cancel();
        inner.tasks.close();
        inner.tasks.wait().await;
        inner.transport.close().await;
    }

    /// A fresh entry, counted.
    fn fresh(&self, key: &Key, freshness: Freshness) -> Option<(Entry, Source, Duration)> {
        let replica = &self.inner.replica;
        let now = replica.now();
        let entry = replica.store.get(key, now)?;
        if entry.is_tombstone() || entry.state(now, freshness) != State::Fresh {
            return None;
        }
        let source = if entry.origin() == replica.local_peer {
            replica.counters.hits.add(1);
            Source::Hit
        } else {
            replica.counters.peer_hits.add(1);
            Source::PeerHit
        };
        let age = entry.age(now);
        Some((entry, source, age))
    }

    async fn lead(
        &self,
        lead: Lead<Landed>,
        key: Key,
        freshness: Freshness,
        fetch: Fetch,
    ) -> Result<Answer, FetchError> {
        // Another flight may have landed since the caller looked. Who has joined this one
        // meanwhile looks again: what is fresh enough for us may not be for them.
        if let Some((entry, source, age)) = self.fresh(&key, freshness) {
            drop(lead);
            return Ok(Answer::Entry { entry, source, age });
        }
        let landing = lead.landing();
        let replica = Arc::clone(&self.inner.replica);
        self.inner.spawn(async move {
            lead.land(fetch_into(&replica, key, fetch).await);
        });
        match landing.wait().await {
            Some(landed) => self.answer(landed),
            None => {
                self.inner.replica.counters.misses.add(1);
                Err(FetchError::abandoned())
            }
        }
    }

    /// The answer for one who has waited for somebody else's fetch. That it is stale counts for
    /// more than how it was come by.
    fn coalesced(&self, landed: Landed) -> Result<Answer, FetchError> {
        let counters = &self.inner.replica.counters;
        let is_stale = matches!(landed, Landed::Entry(_, Source::Stale));
        let counter = if is_stale {
            &counters.stale_served
        } else {
            &counters.coalesced
        };
        counter.add(1);
        let mut answer = self.answer(landed)?;
        if let (false, Answer::Entry { source, .. } | Answer::Passing { source, .. }) =
            (is_stale, &mut answer)
        {
            *source = Source::Coalesced;
        }
        Ok(answer)
    }

    fn answer(&self, landed: Landed) -> Result<Answer, FetchError> {
        match landed {
            Landed::Entry(entry, source) => Ok(Answer::Entry {
                age: entry.age(self.inner.replica.now()),
                source,
                entry,
            }),
            Landed::Passing(value) => Ok(Answer::Passing {
                value,
                source: Source::Fetched,
            }),
            Landed::Private => Ok(Answer::Private),
            Landed::Failed(error) => Err(error),
        }
    }
}

impl Inner {
    /// Spawns a task that ends with the cache.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            // Stopped or finished: nobody asks which.
            let _ = stop.run_until_cancelled(task).await;
        });
    }
}

/// Runs a fetch, keeps what it brings, and counts it.
async fn fetch_into(replica: &Replica, key: Key, fetch: Fetch) -> Landed {
    let stale = replica.get(&key).filter(|entry| !entry.is_tombstone());
    let stamp = replica.stamp(&key);
    let counters = &replica.counters;
    match fetch(stale.clone()).await {
        Ok(Fetched::Revalidated(value, lifetime)) => {
            counters.revalidated.add(1);
            let entry = replica.commit(key, stamp, value, lifetime);
            Landed::Entry(entry, Source::Revalidated)
        }
        Ok(Fetched::New(value, lifetime)) => {
            counters.misses.add(1);
            let entry = replica.commit(key, stamp, value, lifetime);
            let source = match stale {
                Some(_) => Source::Refetched,
                None => Source::Fetched,
            };
            Landed::Entry(entry, source)
        }
        Ok(Fetched::Passing(value)) => {
            counters.misses.add(1);
            Landed::Passing(value)
        }
        Ok(Fetched::Private) => {
            counters.misses.add(1);
            Landed::Private
        }
        Err(error) => match stale {
            Some(entry) => {
                counters.stale_served.add(1);
                Landed::Entry(entry, Source::Stale)
            }
            None => {
                counters.misses.add(1);
                Landed::Failed(error.into())
            }
        },
    }
}

#[cfg(test)]
mod tests;
