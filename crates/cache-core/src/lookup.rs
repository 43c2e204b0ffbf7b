//! One lookup: from what is held, or by the one fetch for all who ask.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::acquire::Fleet;
use crate::entry::Entry;
use crate::fetch::{Answer, BoxError, FetchError, Fetched, Source};
use crate::flight::{Flights, Lead, Turn};
use crate::freshness::{Freshness, State};
use crate::key::{Key, Resource};
use crate::replica::Replica;
use crate::tasks::Tasks;
use crate::time::MeshTime;

use flying::Flying;

/// The part of a cache that answers lookups.
pub(crate) struct Lookups {
    replica: Arc<Replica>,
    fleet: Arc<Fleet>,
    flights: Flights<Landed>,
    tasks: Arc<Tasks>,
}

/// A caller's fetch, once it is known that it may run.
pub(crate) type Fetch =
    Box<dyn FnOnce(Option<Entry>) -> BoxFuture<'static, Result<Fetched, BoxError>> + Send>;

/// What all who wait for a flight are told.
#[derive(Clone, Debug)]
pub(crate) struct Landed {
    outcome: Outcome,
    /// The outcome is void if an invalidation is of this moment or later. It is then good enough
    /// for the one who asked first; who joined later may have been the one who invalidated.
    as_of: MeshTime,
}

#[derive(Clone, Debug)]
enum Outcome {
    Entry(Entry, Source),
    Passing(Bytes, Source),
    Private,
    Failed(FetchError),
}

/// Whose lookup a flight answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// A caller's, which has to be counted.
    Caller,
    /// Nobody's: a caller was content with what is stale, or asks again, and has been counted.
    Nobody,
}

/// What is held for a caller.
enum Held {
    Fresh(Entry, Source, Duration),
    /// Stale, and the caller is content with it for now.
    Tolerable(Entry, Duration),
    Nothing,
}

impl Lookups {
    pub(crate) fn new(replica: Arc<Replica>, fleet: Arc<Fleet>, tasks: Arc<Tasks>) -> Self {
        Self {
            replica,
            fleet,
            flights: Flights::new(),
            tasks,
        }
    }

    /// A fresh entry, from memory or disk, counted as a hit or a miss.
    pub(crate) async fn get(&self, key: &Key) -> Option<Entry> {
        let now = self.replica.now();
        let found = match self.held(key, Freshness::AS_STORED, now) {
            Held::Fresh(entry, source, _) => Some((entry, source)),
            Held::Tolerable(..) => None,
            Held::Nothing => {
                let loaded = self.replica.load(*key, now).await;
                loaded.and_then(|entry| self.replica.if_fresh(entry, Freshness::AS_STORED).ok())
            }
        };
        let Some((entry, source)) = found else {
            self.replica.counters.misses.add(1);
            return None;
        };
        self.replica.counters.count(source);
        entry.serve();
        Some(entry)
    }

    pub(crate) async fn get_or_fetch(
        &self,
        resource: Resource,
        freshness: Freshness,
        fetch: impl FnOnce() -> Fetch,
    ) -> Result<Answer, FetchError> {
        let key = resource.key;
        if freshness.is_alone() {
            return self
                .lead(Lead::apart(key), resource, freshness, fetch())
                .await;
        }
        let now = self.replica.now();
        let mut held = self.held(&key, freshness, now);
        // What is on disk alone is as good as what is in memory, to who would rather not wait.
        if matches!(held, Held::Nothing)
            && freshness.is_tolerant()
            && let Some(entry) = self.replica.load(key, now).await
        {
            held = self.judge(entry, freshness, now);
        }
        match held {
            Held::Fresh(entry, source, age) => return Ok(self.hit(entry, source, age)),
            Held::Tolerable(entry, age) => {
                // Who leads already does the same.
                if let Turn::Lead(lead) = self.flights.join(key) {
                    self.take_off(lead, resource, freshness, fetch(), Asker::Nobody);
                }
                return Ok(self.hit(entry, Source::Stale, age));
            }
            Held::Nothing => {}
        }
        loop {
            let joined = self.replica.now();
            match self.flights.join(key) {
                Turn::Lead(lead) => return self.lead(lead, resource, freshness, fetch()).await,
                Turn::Wait(landing) => match landing.wait().await {
                    // Somebody else's fetch was no help: this caller goes for itself.
                    Some(Landed {
                        outcome: Outcome::Private,
                        ..
                    }) => {
                        let lead = Lead::apart(key);
                        return self.lead(lead, resource, freshness, fetch()).await;
                    }
                    // Asked now, not when it was kept: a flight can be joined until it has landed.
                    Some(landed) if self.replica.is_void_as_of(&resource, landed.as_of) => {}
                    // It was fresh enough for the one who asked first.
                    Some(landed) if !self.is_fresh_enough(&landed, freshness, joined) => {}
                    Some(landed) => return self.coalesced(landed.outcome),
                    None => {}
                },
            }
        }
    }

    async fn lead(
        &self,
        lead: Lead<Landed>,
        resource: Resource,
        freshness: Freshness,
        fetch: Fetch,
    ) -> Result<Answer, FetchError> {
        // Another flight may have landed since the caller looked. Who has joined this one
        // meanwhile looks again: what is fresh enough for us may not be for them.
        let held = self.held(&resource.key, freshness, self.replica.now());
        if let Held::Fresh(entry, source, age) = held {
            drop(lead);
            return Ok(self.hit(entry, source, age));
        }
        let landing = lead.landing();
        let asker = match freshness.is_counted() {
            true => Asker::Caller,
            false => Asker::Nobody,
        };
        self.take_off(lead, resource, freshness, fetch, asker);
        match landing.wait().await {
            Some(landed) => self.answer(landed.outcome),
            None => {
                if asker == Asker::Caller {
                    self.replica.counters.misses.add(1);
                }
                Err(FetchError::abandoned())
            }
        }
    }

    /// Runs a fetch in a task of its own, so that it outlives its caller.
    fn take_off(
        &self,
        lead: Lead<Landed>,
        resource: Resource,
        freshness: Freshness,
        fetch: Fetch,
        asker: Asker,
    ) {
        let flying = Flying {
            replica: Arc::clone(&self.replica),
            fleet: Arc::clone(&self.fleet),
            resource,
            freshness,
            asker,
        };
        self.tasks
            .spawn(async move { lead.land(flying.run(fetch).await) });
    }

    /// The answer for one who has waited for somebody else's fetch. That it is stale, or was on
    /// disk after all, counts for more than how it was come by.
    fn coalesced(&self, outcome: Outcome) -> Result<Answer, FetchError> {
        let mut answer = self.answer(outcome);
        let source = match &mut answer {
            Ok(Answer::Entry { source, .. } | Answer::Passing { source, .. }) => {
                if !matches!(source, Source::Stale | Source::Hit | Source::PeerHit) {
                    *source = Source::Coalesced;
                }
                *source
            }
            Ok(Answer::Private) | Err(_) => Source::Coalesced,
        };
        self.replica.counters.count(source);
        answer
    }

    /// Whether an entry will do for one who has waited for it since `joined`.
    fn is_fresh_enough(&self, landed: &Landed, freshness: Freshness, joined: MeshTime) -> bool {
        let Outcome::Entry(entry, source) = &landed.outcome else {
            return true;
        };
        // Upstream was asked after this caller did, if need be.
        let is_new = landed.as_of >= joined;
        match source {
            // Upstream cannot say more: to ask again would be of no use.
            Source::Stale => true,
            Source::Hit | Source::PeerHit => self.is_fresh(entry, freshness),
            // Whoever goes by the ttl gets what has just come, though it be as short as that.
            _ => !freshness.is_particular() || is_new || self.is_fresh(entry, freshness),
        }
    }

    fn is_fresh(&self, entry: &Entry, freshness: Freshness) -> bool {
        entry.state(self.replica.now(), freshness) == State::Fresh
    }

    fn hit(&self, entry: Entry, source: Source, age: Duration) -> Answer {
        self.replica.counters.count(source);
        entry.serve();
        Answer::Entry { entry, source, age }
    }

    fn answer(&self, outcome: Outcome) -> Result<Answer, FetchError> {
        match outcome {
            Outcome::Entry(entry, source) => Ok(Answer::Entry {
                age: entry.age(self.replica.now()),
                source,
                entry,
            }),
            Outcome::Passing(value, source) => Ok(Answer::Passing { value, source }),
            Outcome::Private => Ok(Answer::Private),
            Outcome::Failed(error) => Err(error),
        }
    }

    fn held(&self, key: &Key, freshness: Freshness, now: MeshTime) -> Held {
        match self.replica.get(key, now) {
            Some(entry) => self.judge(entry, freshness, now),
            None => Held::Nothing,
        }
    }

    fn judge(&self, entry: Entry, freshness: Freshness, now: MeshTime) -> Held {
        let age = entry.age(now);
        if entry.state(now, freshness) == State::Fresh {
            let source = self.replica.source_of(&entry);
            Held::Fresh(entry, source, age)
        } else if freshness.tolerates(entry.lifetime(), age) {
            Held::Tolerable(entry, age)
        } else {
            Held::Nothing
        }
    }
}

mod flying;
#[cfg(all(test, shuttle))]
mod races;
