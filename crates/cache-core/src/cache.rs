//! The one door: look up, or fetch once for everybody who asks.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use tokio::time;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use crate::acquire::Fleet;
use crate::builder::Builder;
use crate::catch_up::{self, Answers};
use crate::entry::Entry;
use crate::events::Events;
use crate::fetch::{Answer, BoxError, FetchError, Fetched, Source};
use crate::freshness::{Freshness, Lifetime};
use crate::key::{Family, Key, Resource, Scope};
use crate::lookup::{Fetch, Lookups};
use crate::members::FleetStats;
use crate::node;
use crate::notes::{Bell, Notes, Topic};
use crate::path::Path;
use crate::peer::{PeerId, PeerInfo};
use crate::presence;
use crate::replica::Replica;
use crate::stats::Stats;
use crate::staying::Staying;
use crate::tasks::Tasks;
use crate::time::MeshTime;
use crate::tombstone::Target;
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
/// assert!(matches!(answer, Answer::Entry { entry, .. } if entry.value() == "387758"));
///
/// // The second time nothing is fetched.
/// assert!(cache.get(&key).await.is_some());
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
    lookups: Lookups,
    transport: Arc<dyn Transport>,
    tasks: Arc<Tasks>,
    /// Ends once the outbox is closed and empty.
    publisher: TaskTracker,
    // Ends the tasks with the last handle.
    _stop: DropGuard,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Tasks may hold the tier for a moment more, and others want to open its directory.
        if let Some(tier) = self.replica.tier() {
            tier.close();
        }
    }
}

impl Cache {
    /// Settings for a new cache; the defaults share with nobody.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts the background tasks of a cache.
    pub(crate) fn start(replica: Replica, transport: Arc<dyn Transport>) -> Self {
        let replica = Arc::new(replica);
        let (tasks, stop) = Tasks::new();
        let publisher = TaskTracker::new();
        let both = (Arc::clone(&replica), Arc::clone(&transport));
        let (publishing, until_it_ends) = (both.clone(), publisher.token());
        tasks.spawn_lasting("publish", move || {
            let _ = &until_it_ends;
            let (replica, transport) = publishing.clone();
            node::publish(replica, transport)
        });
        let answers = Answers::new(Arc::clone(&replica), Arc::clone(&tasks));
        let staying: Arc<dyn Transport> = Arc::new(Staying {
            transport: Arc::clone(&transport),
            replica: Arc::clone(&replica),
        });
        let fleet = Arc::new(Fleet::new(
            Arc::clone(&replica),
            Arc::clone(&staying),
            Arc::clone(&tasks),
        ));
        let (receiving, asked) = (both.clone(), Arc::clone(&fleet));
        tasks.spawn_lasting("receive", move || {
            let (replica, transport) = receiving.clone();
            node::receive(replica, transport, answers.clone(), Arc::clone(&asked))
        });
        let catching_up = (Arc::clone(&replica), staying);
        tasks.spawn_lasting("catch up", move || {
            let (replica, transport) = catching_up.clone();
            catch_up::run(replica, transport)
        });
        tasks.spawn_lasting("presence", move || {
            let (replica, transport) = both.clone();
            presence::run(replica, transport)
        });
        let sweeping = (Arc::clone(&replica), Arc::clone(&tasks));
        tasks.spawn_lasting("sweep", move || {
            let (replica, tasks) = sweeping.clone();
            node::sweep(replica, tasks)
        });
        publisher.close();
        Self {
            inner: Arc::new(Inner {
                lookups: Lookups::new(Arc::clone(&replica), fleet, Arc::clone(&tasks)),
                replica,
                transport,
                tasks,
                publisher,
                _stop: stop,
            }),
        }
    }

    /// The entry under `key` if it is fresh. Counts as a lookup: a hit, or a miss.
    ///
    /// It waits for nothing but the disk, where the cache has one.
    pub async fn get(&self, key: &Key) -> Option<Entry> {
        self.inner.lookups.get(key).await
    }

    /// The entry under `key`, unless it is dead or void, however stale. Counts as nothing: who
    /// serves it says so with [`count`](Self::count).
    pub async fn peek(&self, key: &Key) -> Option<Entry> {
        let replica = &self.inner.replica;
        replica.load(*key, replica.now()).await
    }

    /// The entries of a family in whatever scope, the newest first; a few of many. Counts as
    /// nothing.
    ///
    /// Who may see one, the caller has to find out.
    pub async fn family(&self, family: &Family) -> Vec<(Scope, Entry)> {
        let replica = &self.inner.replica;
        replica.family(*family, replica.now()).await
    }

    /// Counts a lookup that the caller has answered from what it has [peeked](Self::peek) at.
    pub fn count(&self, source: Source) {
        self.inner.replica.counters.count(source);
    }

    /// Whether an entry is owed to this node's own fetch, or to a peer's.
    pub fn source_of(&self, entry: &Entry) -> Source {
        self.inner.replica.source_of(entry)
    }

    /// The moment of what is asked of `resource` now, later than every invalidation so far: for
    /// [`is_void_since`](Self::is_void_since).
    pub fn asked_at(&self, resource: &Resource) -> MeshTime {
        self.inner.replica.asked_at(resource)
    }

    /// Whether what was so of `resource` at `moment` has been invalidated since.
    pub fn is_void_since(&self, resource: &Resource, moment: MeshTime) -> bool {
        self.inner.replica.is_void_as_of(resource, moment)
    }

    /// The present moment, by the clock that entries are stamped with.
    pub fn now(&self) -> MeshTime {
        self.inner.replica.now()
    }

    /// The entry of `resource` if it is as fresh as asked for; else what `fetch` brings.
    ///
    /// However many callers ask for a key at once, one `fetch` runs; it goes on where its caller
    /// goes away. It is handed the stale entry, where there is one, to ask upstream whether that
    /// is still right. If it fails, the stale entry is served; without one, all who waited get the
    /// error. If it panics its caller gets an error, and of those who waited one tries again.
    ///
    /// Peers are asked for the answer, and for leave to fetch it, so that one member of the fleet
    /// does. While another one does, this waits for it, for about a minute at most. None makes the
    /// call fail, and one that does not answer delays it, before `fetch` runs, by
    ///
    /// - 50 ms, or four times what it usually takes, where it gives no sign of life;
    /// - 5 ms more for each other lookup that waits for a peer at the same time;
    /// - a second where it gives signs of life, and so is busy: no member is waited for longer, the
    ///   moments not counted in which this process itself did not get to run.
    pub async fn get_or_fetch<F, Fut>(
        &self,
        resource: impl Into<Resource>,
        freshness: Freshness,
        fetch: F,
    ) -> Result<Answer, FetchError>
    where
        F: FnOnce(Option<Entry>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Fetched, BoxError>> + Send + 'static,
    {
        // Boxed only where it may run.
        let fetch = || -> Fetch { Box::new(|stale| fetch(stale).boxed()) };
        let resource = resource.into();
        let lookups = &self.inner.lookups;
        lookups.get_or_fetch(resource, freshness, fetch).await
    }

    /// Keeps `value` as what `resource` is now, and pushes it to the peers in the background.
    ///
    /// What it takes up is counted as the length of the value. A slice of a larger buffer keeps
    /// all of that in memory: copy it first.
    pub fn put(&self, resource: impl Into<Resource>, value: Bytes, lifetime: Lifetime) -> Entry {
        let resource = resource.into();
        let replica = &self.inner.replica;
        let stamp = replica.stamp(&resource).at;
        replica.commit(resource, stamp, value, lifetime)
    }

    /// Makes what is stored under `key` void, here and on all peers, older copies that are still
    /// on their way included.
    pub fn invalidate(&self, key: Key) {
        self.inner.replica.bury(Target::Key(key));
    }

    /// Makes everything at `path` and below it void, as [`invalidate`](Self::invalidate) does.
    ///
    /// Takes the same short time however much that is: what is void is not served from this
    /// moment on, and its room is freed in the background.
    pub fn invalidate_path(&self, path: Path) {
        self.inner.replica.bury(Target::Path(path));
    }

    /// Makes everything void, as [`invalidate`](Self::invalidate) does.
    pub fn invalidate_all(&self) {
        self.invalidate_path(Path::root());
    }

    /// How many entries in memory lie at `path` and below it.
    ///
    /// Looks at all that there are, on a thread where that keeps nobody waiting.
    pub async fn count_under(&self, path: Path) -> u64 {
        let replica = Arc::clone(&self.inner.replica);
        let aside = replica.aside;
        let counting = aside.run(move || replica.count_under(&path));
        counting.await.unwrap_or_default()
    }

    /// Takes note of the time on upstream's clock, as an answer that has just come in shows it:
    /// over HTTP, in its [`Date`](https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1).
    ///
    /// Upstream's is the one clock that all members see, and entries are stamped by it. Where the
    /// local clock agrees with it to within two seconds, nothing changes; where it does not, the
    /// cache corrects for the median of the last five observations, up to a day. What lies further
    /// apart is not believed.
    pub fn observe_upstream_time(&self, upstream: MeshTime) {
        self.inner.replica.observe_upstream_time(upstream);
    }

    /// What happens in this cache from now on.
    pub fn subscribe(&self) -> Events {
        self.inner.replica.events.subscribe()
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        let connected = self.inner.transport.peers().len() as u64;
        self.inner.replica.stats(connected)
    }

    /// How the fleet stands: this member now, each of the others by its last report, which is up
    /// to 30 seconds old.
    pub fn fleet(&self) -> FleetStats {
        let in_sight = self.peers().iter().map(|peer| peer.id).collect();
        let members = &self.inner.replica.members;
        members.snapshot(self.stats(), &in_sight)
    }

    /// The same, once those that are connected have been asked how they stand. Who has not answered
    /// within a second stands as it has last reported.
    pub async fn ask_fleet(&self) -> FleetStats {
        presence::ask_all(&self.inner.replica, &*self.inner.transport).await;
        self.fleet()
    }

    /// Tells the other members what the application has to say and has counted, too, until `notes`
    /// are dropped; and hands them what the others say of the same topic.
    ///
    /// Of 16 notes at a time; those of further topics are told to nobody.
    pub fn share(&self, topic: Topic, notes: Weak<dyn Notes>) {
        self.inner.replica.members.pad.add(topic, notes);
    }

    /// What has the members told at once what there is to [share](Self::share).
    pub fn bell(&self) -> Bell {
        self.inner.replica.members.bell.clone()
    }

    /// Our own name among the peers.
    pub fn local_peer(&self) -> PeerId {
        self.inner.replica.local_peer
    }

    /// The peers that are connected now.
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.inner.transport.peers()
    }

    /// Tells the peers what is still queued, for at most two seconds; says goodbye to them with the
    /// last state of the counters, for at most one second more; ends the background tasks, and
    /// writes to disk what is still waiting to be. What is stored can still be looked up; what is
    /// put from now on, the peers are not told.
    pub async fn close(&self) {
        let inner = &self.inner;
        inner.replica.outbox.close();
        // What is not out by then, the peers will fetch for themselves.
        let _ = time::timeout(FLUSH_DEADLINE, inner.publisher.wait()).await;
        presence::say_goodbye(&inner.replica, &*inner.transport).await;
        inner.tasks.stop().await;
        inner.transport.close().await;
        if let Some(tier) = inner.replica.tier().cloned() {
            // A panic there has been reported; the cache closes all the same.
            let _ = inner.replica.aside.run(move || tier.flush()).await;
        }
    }
}

#[cfg(test)]
mod tests;
