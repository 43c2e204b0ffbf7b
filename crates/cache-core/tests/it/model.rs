//! What a cache is, said as plainly as can be: a map, a list of what is void, and a clock.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cache_core::wire::Put;
use cache_core::{
    Entry, Fetched, Freshness, Lifetime, MAX_SKEW, MeshTime, PeerId, Source, State, Target,
    Tombstone, merge,
};

use crate::world::{PATHS, resource};

/// The default of `Builder::longest_lifetime`.
const LONGEST_LIFETIME: Duration = Duration::from_secs(8 * 24 * 3600);

/// By how much two clocks may differ that are right.
const RESOLUTION: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) now: MeshTime,
    held: BTreeMap<usize, Entry>,
    /// The greatest tombstone of each target: its stamp, how long it is kept, and whose it is.
    void: BTreeMap<Target, (MeshTime, Duration, PeerId)>,
    /// The latest stamp of all that was ever held, or asked for.
    latest: MeshTime,
    pub(crate) counted: Counted,
}

/// The counters, by the names that `Stats` gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) hits: u64,
    pub(crate) peer_hits: u64,
    pub(crate) misses: u64,
    pub(crate) revalidated: u64,
    pub(crate) stale_served: u64,
    pub(crate) expirations: u64,
    pub(crate) accepted: u64,
    pub(crate) ignored: u64,
    pub(crate) rejected: u64,
}

/// What a fetch is to bring.
#[derive(Clone, Debug)]
pub(crate) enum Upstream {
    New(Bytes, Lifetime),
    Revalidated(Bytes, Lifetime),
    Passing(Bytes),
    Private,
    Fails,
}

/// What a caller gets to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Entry(Entry, Source, Duration),
    Passing(Bytes),
    Private,
    Failure,
}

impl Upstream {
    pub(crate) fn fetched(self) -> Option<Fetched> {
        Some(match self {
            Self::New(value, lifetime) => Fetched::New(value, lifetime),
            Self::Revalidated(value, lifetime) => Fetched::Revalidated(value, lifetime),
            Self::Passing(value) => Fetched::Passing(value),
            Self::Private => Fetched::Private,
            Self::Fails => return None,
        })
    }
}

impl Model {
    pub(crate) fn at(now: MeshTime) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }

    pub(crate) fn put(&mut self, n: usize, value: Bytes, lifetime: Lifetime) -> Entry {
        // Later than what is held and what is void, unless that is from a clock that ran ahead.
        let held = self.look(n).map(|entry| entry.stored_at());
        let void = self.void_until(n).filter(|until| !self.is_ahead(*until));
        let next = |seen: MeshTime| seen.saturating_add(Duration::from_millis(1));
        let seen = held.into_iter().chain(void).max();
        let stamp = seen.map(next).unwrap_or_default().max(self.now);
        self.saw(stamp);
        let entry = Entry::new(stamp, PeerId::LOCAL, resource(n).path, value, lifetime);
        if !self.is_ahead(stamp) && !self.is_void(n, &entry) {
            self.held.insert(n, entry.clone());
        }
        entry
    }

    pub(crate) fn get(&mut self, n: usize) -> Option<Entry> {
        match self.look(n) {
            Some(entry) if self.state(&entry, Freshness::AS_STORED) == State::Fresh => {
                self.count(source_of(&entry));
                Some(entry)
            }
            _ => {
                self.counted.misses += 1;
                None
            }
        }
    }

    /// A lookup by a caller who is content with what is stale for less than `tolerance`.
    pub(crate) fn get_or_fetch(
        &mut self,
        n: usize,
        (max_age, tolerance): (Option<Duration>, Duration),
        upstream: Upstream,
    ) -> Seen {
        let stale = self.look(n);
        if let Some(entry) = &stale {
            let age = self.now.since(entry.stored_at());
            let fresh_for = max_age.unwrap_or(entry.lifetime().ttl);
            if age < fresh_for {
                let source = source_of(entry);
                self.count(source);
                return Seen::Entry(entry.clone(), source, age);
            }
            if age < fresh_for + tolerance {
                self.count(Source::Stale);
                // Renewed in the background, on nobody's account.
                if let Upstream::New(value, lifetime) | Upstream::Revalidated(value, lifetime) =
                    upstream
                {
                    self.put(n, value, lifetime);
                } else {
                    self.ask(n);
                }
                return Seen::Entry(entry.clone(), Source::Stale, age);
            }
        }
        let (entry, source) = match (upstream, stale) {
            (Upstream::New(value, lifetime), None) => {
                (self.put(n, value, lifetime), Source::Fetched)
            }
            (Upstream::New(value, lifetime), Some(_)) => {
                (self.put(n, value, lifetime), Source::Refetched)
            }
            (Upstream::Revalidated(value, lifetime), _) => {
                (self.put(n, value, lifetime), Source::Revalidated)
            }
            (Upstream::Fails, Some(stale)) => {
                self.ask(n);
                (stale, Source::Stale)
            }
            (nothing_kept, _) => {
                self.ask(n);
                self.count(Source::Fetched);
                return match nothing_kept {
                    Upstream::Passing(value) => Seen::Passing(value),
                    Upstream::Private => Seen::Private,
                    _ => Seen::Failure,
                };
            }
        };
        self.count(source);
        let age = self.now.since(entry.stored_at());
        Seen::Entry(entry, source, age)
    }

    /// Makes void what is held, and all that is not later than anything ever seen.
    pub(crate) fn invalidate(&mut self, target: Target) {
        if self.is_ahead(self.latest) {
            self.cut_off();
        }
        let stamp = self.latest.max(self.now.saturating_add(RESOLUTION));
        let ours = (stamp, LONGEST_LIFETIME, PeerId::LOCAL);
        let greatest = self.void.entry(target).or_insert(ours);
        *greatest = ours.max(*greatest);
    }

    /// What clocks that ran ahead have left behind does not wait for its time to come.
    fn cut_off(&mut self) {
        let now = self.now;
        let before = self.held.len();
        self.held.retain(|_, entry| entry.stored_at() <= now);
        self.counted.expirations += (before - self.held.len()) as u64;
        for (until, ..) in self.void.values_mut() {
            if *until > now.saturating_add(MAX_SKEW) {
                *until = now;
            }
        }
        self.latest = self.latest.min(now);
    }

    pub(crate) fn receive(&mut self, n: usize, put: Put) {
        let entry = put.entry;
        let stored_at = entry.stored_at();
        if self.is_ahead(stored_at) {
            self.counted.rejected += 1;
        } else if self.is_over(n, &entry)
            || self
                .look(n)
                .is_some_and(|held| merge::compare(&held, &entry).is_ge())
        {
            self.counted.ignored += 1;
        } else {
            self.counted.accepted += 1;
            self.saw(stored_at);
            self.held.insert(n, entry);
        }
    }

    pub(crate) fn receive_tombstone(&mut self, tombstone: Tombstone) {
        let theirs = (tombstone.stamp, tombstone.kept_for, tombstone.origin);
        let known = self.void.get(&tombstone.target);
        if self.is_ahead(tombstone.stamp) {
            self.counted.rejected += 1;
        } else if tombstone.dies_at() <= self.now || known.is_some_and(|known| *known >= theirs) {
            self.counted.ignored += 1;
        } else {
            self.counted.accepted += 1;
            self.void.insert(tombstone.target, theirs);
        }
    }

    /// How many living entries lie below a path.
    pub(crate) fn count_under(&self, path: &str) -> u64 {
        let lies_under = |n: usize| PATHS[n] == path || PATHS[n].starts_with(&format!("{path}/"));
        let held = self
            .held
            .iter()
            .filter(|(n, entry)| lies_under(**n) && !self.is_over(**n, entry));
        held.count() as u64
    }

    /// What is held; what turns out to be over goes.
    fn look(&mut self, n: usize) -> Option<Entry> {
        let entry = self.held.get(&n)?.clone();
        if self.is_void(n, &entry) {
            self.held.remove(&n);
            return None;
        }
        if self.is_over(n, &entry) {
            self.held.remove(&n);
            self.counted.expirations += 1;
            return None;
        }
        Some(entry)
    }

    /// A question that brings nothing to keep takes a stamp all the same.
    fn ask(&mut self, n: usize) {
        let held = self.look(n);
        self.put(n, Bytes::new(), Lifetime::fresh_for(Duration::ZERO));
        match held {
            Some(held) => self.held.insert(n, held),
            None => self.held.remove(&n),
        };
    }

    fn is_over(&self, n: usize, entry: &Entry) -> bool {
        self.is_void(n, entry)
            || self.state(entry, Freshness::AS_STORED) == State::Dead
            || self.now.since(entry.stored_at()) >= LONGEST_LIFETIME
            || self.is_ahead(entry.stored_at())
    }

    fn is_ahead(&self, stamp: MeshTime) -> bool {
        stamp > self.now.saturating_add(MAX_SKEW)
    }

    fn saw(&mut self, stamp: MeshTime) {
        if !self.is_ahead(stamp) {
            self.latest = self.latest.max(stamp);
        }
    }

    fn is_void(&self, n: usize, entry: &Entry) -> bool {
        self.void_until(n)
            .is_some_and(|until| entry.stored_at() <= until)
    }

    fn void_until(&self, n: usize) -> Option<MeshTime> {
        let resource = resource(n);
        let covers = |target: &Target| match target {
            Target::Key(key) => *key == resource.key,
            Target::Path(path) => path.covers(&resource.path),
        };
        let void = self.void.iter().filter(|(target, _)| covers(target));
        void.map(|(_, (until, ..))| *until).max()
    }

    fn state(&self, entry: &Entry, freshness: Freshness) -> State {
        freshness.state(entry.lifetime(), self.now.since(entry.stored_at()))
    }

    fn count(&mut self, source: Source) {
        let counted = &mut self.counted;
        *match source {
            Source::Hit => &mut counted.hits,
            Source::PeerHit => &mut counted.peer_hits,
            Source::Revalidated => &mut counted.revalidated,
            Source::Stale => &mut counted.stale_served,
            Source::Fetched | Source::Refetched => &mut counted.misses,
            Source::Coalesced => unreachable!("one caller at a time"),
        } += 1;
    }
}

fn source_of(entry: &Entry) -> Source {
    if entry.origin() == PeerId::LOCAL {
        Source::Hit
    } else {
        Source::PeerHit
    }
}
