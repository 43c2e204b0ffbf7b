//! The flight itself: by leave of the fleet to upstream and back.

use std::sync::Arc;

use super::{Asker, Fetch, Landed, Outcome};
use crate::acquire::{Acquired, Came, Fleet, Held};
use crate::entry::Entry;
use crate::fetch::{BoxError, FetchError, Fetched, Source};
use crate::freshness::Freshness;
use crate::key::Resource;
use crate::lease::Settlement;
use crate::replica::Replica;
use crate::time::MeshTime;

/// How often an answer of the fleet may turn out not to be fresh enough before upstream is asked.
const MAX_DISAPPOINTMENTS: usize = 2;

/// One lookup that what was in memory could not answer.
pub(super) struct Flying {
    pub(super) replica: Arc<Replica>,
    pub(super) fleet: Arc<Fleet>,
    pub(super) resource: Resource,
    pub(super) freshness: Freshness,
    pub(super) asker: Asker,
}

/// What goes upstream.
enum Leave {
    /// Nobody else does meanwhile.
    Lease(Held),
    /// Somebody else may.
    None,
}

impl Flying {
    pub(super) async fn run(self, fetch: Fetch) -> Landed {
        let mut stale = match self.held(|source| source).await {
            Ok(landed) => return landed,
            Err(stale) => stale,
        };
        let asked_at = self.replica.asked_at(&self.resource);
        let mut leave = Leave::None;
        // Who has yet to prove a right gets nothing that others fetch.
        let disappointments = match self.freshness.is_alone() {
            true => 0,
            false => MAX_DISAPPOINTMENTS,
        };
        for _ in 0..disappointments {
            let have = stale.as_ref().map(Entry::stored_at);
            match self.fleet.acquire(self.resource.key, have).await {
                Acquired::Alone => break,
                Acquired::Lease(held) => {
                    leave = Leave::Lease(held);
                    break;
                }
                Acquired::Arrived(came, in_hand) => {
                    let source = |source| came.source(source);
                    match self.held(source).await {
                        Ok(landed) => return landed,
                        Err(newer) => stale = newer,
                    }
                    // There may have been no room to keep it.
                    match in_hand.map(|entry| self.if_fresh(entry, source)) {
                        Some(Ok(landed)) => return landed,
                        Some(Err(newer)) => stale = stale.or(newer),
                        None => {}
                    }
                }
                Acquired::Settled(Settlement::Passing(value)) => {
                    self.count(Source::Coalesced);
                    return Landed {
                        outcome: Outcome::Passing(value, Source::Coalesced),
                        as_of: asked_at,
                    };
                }
                Acquired::Settled(Settlement::Failed(why)) => {
                    let error = FetchError::of_a_peer(why);
                    return self.fail(stale, error, asked_at, Source::Coalesced);
                }
                Acquired::Settled(Settlement::Apart | Settlement::Void | Settlement::Kept(_)) => {
                    break;
                }
            }
        }
        match leave {
            Leave::None => self.fetch(stale, fetch).await.0,
            Leave::Lease(held) => {
                let (landed, settlement) = held.during(self.fetch(stale, fetch)).await;
                held.settle(settlement);
                landed
            }
        }
    }

    /// What is held in memory or on disk, if it is fresh enough; else what there is to revalidate.
    async fn held(&self, source: impl FnOnce(Source) -> Source) -> Result<Landed, Option<Entry>> {
        let replica = &self.replica;
        let loaded = replica.load(self.resource.key, replica.now()).await;
        match loaded {
            Some(entry) => self.if_fresh(entry, source),
            None => Err(None),
        }
    }

    /// An answer from an entry, if it is fresh enough; else what there is of it to revalidate.
    fn if_fresh(
        &self,
        entry: Entry,
        source: impl FnOnce(Source) -> Source,
    ) -> Result<Landed, Option<Entry>> {
        if !self.replica.may_serve(&self.resource.key, &entry) {
            return Err(None);
        }
        let (entry, found) = self.replica.if_fresh(entry, self.freshness)?;
        let source = source(found);
        self.count(source);
        Ok(Landed {
            as_of: entry.stored_at(),
            outcome: Outcome::Entry(entry, source),
        })
    }

    /// Runs a fetch, keeps what it brings, and counts it. What others who wait have to be told is
    /// in the second place.
    async fn fetch(&self, stale: Option<Entry>, fetch: Fetch) -> (Landed, Settlement) {
        let asked = self.replica.stamp(&self.resource);
        let fetched = fetch(stale.clone()).await;
        let stamp = self.replica.put_right(asked);
        let landed = |outcome| Landed {
            outcome,
            as_of: stamp,
        };
        match fetched {
            Ok(Fetched::Revalidated(value, lifetime)) => {
                let entry = self
                    .replica
                    .commit(self.resource.clone(), stamp, value, lifetime);
                self.kept(entry, Source::Revalidated)
            }
            Ok(Fetched::New(value, lifetime)) => {
                let source = match stale {
                    Some(_) => Source::Refetched,
                    None => Source::Fetched,
                };
                let entry = self
                    .replica
                    .commit(self.resource.clone(), stamp, value, lifetime);
                self.kept(entry, source)
            }
            Ok(Fetched::Passing(value)) => {
                self.count(Source::Fetched);
                let settlement = self.unless_void(stamp, Settlement::Passing(value.clone()));
                (landed(Outcome::Passing(value, Source::Fetched)), settlement)
            }
            Ok(Fetched::Elsewhere(entry, source)) => {
                self.count(source);
                let as_of = match source {
                    Source::Stale => entry.stored_at(),
                    _ => stamp,
                };
                let outcome = Outcome::Entry(entry, source);
                // It is not here, and so not on its way to others.
                (Landed { outcome, as_of }, Settlement::Apart)
            }
            Ok(Fetched::Private) => {
                self.count(Source::Fetched);
                (landed(Outcome::Private), Settlement::Apart)
            }
            Err(error) => {
                let settlement = self.unless_void(stamp, Settlement::failed(&error));
                let landed = self.fail(stale, error.into(), stamp, Source::Fetched);
                (landed, settlement)
            }
        }
    }

    /// What others who wait are told, who may have invalidated what was fetched meanwhile.
    fn unless_void(&self, as_of: MeshTime, settlement: Settlement) -> Settlement {
        if self.replica.is_void_as_of(&self.resource, as_of) {
            Settlement::Void
        } else {
            settlement
        }
    }

    fn kept(&self, entry: Entry, source: Source) -> (Landed, Settlement) {
        self.count(source);
        let replica = &self.replica;
        let settlement = if replica.is_void_as_of(&self.resource, entry.stored_at()) {
            Settlement::Void
        } else if !entry.fits_a_frame() {
            Settlement::Apart
        } else if replica.may_serve(&self.resource.key, &entry) {
            Settlement::Kept(entry.stored_at())
        } else {
            // Dead already, or still ahead of the clock: it is for those who wait, and for nobody
            // later.
            Settlement::Passing(entry.value().clone())
        };
        let landed = Landed {
            as_of: entry.stored_at(),
            outcome: Outcome::Entry(entry, source),
        };
        (landed, settlement)
    }

    /// A fetch, ours or that of another member, has failed: what is stale will have to do.
    fn fail(
        &self,
        stale: Option<Entry>,
        error: FetchError,
        as_of: MeshTime,
        source: Source,
    ) -> Landed {
        // What was invalidated or has died meanwhile is no answer any more.
        let stale = stale.filter(|entry| self.replica.may_serve(&self.resource.key, entry));
        if let Some(entry) = stale {
            self.count(Source::Stale);
            return Landed {
                as_of: entry.stored_at(),
                outcome: Outcome::Entry(entry, Source::Stale),
            };
        }
        self.count(source);
        Landed {
            outcome: Outcome::Failed(error),
            as_of,
        }
    }

    fn count(&self, source: Source) {
        if self.asker == Asker::Caller {
            self.replica.counters.count(source);
        }
    }
}

impl Came {
    /// How a lookup was answered by what has come, whoever fetched it.
    fn source(self, found: Source) -> Source {
        match self {
            Self::AtOnce => found,
            Self::AfterWaiting => Source::Coalesced,
        }
    }
}

impl Settlement {
    /// As much of an error as others are told.
    fn failed(error: &BoxError) -> Self {
        const MAX_CHARS: usize = 1024;
        Self::Failed(error.to_string().chars().take(MAX_CHARS).collect())
    }
}
