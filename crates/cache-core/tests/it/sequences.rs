//! A cache and its [model](crate::model), side by side through random sequences of what can happen.

use std::time::Duration;

use bytes::Bytes;
use cache_core::testing::ManualClock;
use cache_core::wire::{Message, Put};
use cache_core::{
    Answer, Cache, Clock, Entry, Freshness, Lifetime, MeshTime, Path, Stats, Target, Tombstone,
};
use proptest::prelude::*;
use tokio::task;

use crate::model::{Counted, Model, Seen, Upstream};
use crate::peer::Peer;
use crate::world::{PATHS, key, lifetime, resource, run, secs, target, value};

/// Something that can happen to a cache.
#[derive(Clone, Debug)]
enum Step {
    Put(usize, Bytes, Lifetime),
    Get(usize),
    GetOrFetch(usize, Asked, Upstream),
    Invalidate(Target),
    /// A peer sends an entry with a stamp so many milliseconds from the present.
    Hear(usize, i64, Bytes, Lifetime),
    /// A peer sends an invalidation, to be remembered for as long.
    HearInvalid(Target, i64, Duration),
    /// The clock moves so many milliseconds, back as well as on.
    Tick(i64),
}

/// A maximum age, if there is one, and a tolerance for what is stale.
type Asked = (Option<Duration>, Duration);

fn tens(n: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    n.prop_map(|n| secs(10 * n))
}

fn upstream() -> impl Strategy<Value = Upstream> {
    prop_oneof![
        3 => (value(), lifetime()).prop_map(|(value, lifetime)| Upstream::New(value, lifetime)),
        2 => (value(), lifetime()).prop_map(|(value, lifetime)| Upstream::Revalidated(value, lifetime)),
        1 => value().prop_map(Upstream::Passing),
        1 => Just(Upstream::Private),
        1 => Just(Upstream::Fails),
    ]
}

/// From long ago to a little more than is believed.
fn offset() -> impl Strategy<Value = i64> {
    prop_oneof![3 => -3_i64..=3, 2 => -60_000_i64..=0, 1 => 9_998_i64..=10_002]
}

fn step() -> impl Strategy<Value = Step> {
    let asked = (
        prop::option::of(tens(0..4)),
        prop_oneof![Just(Duration::ZERO), tens(0..4)],
    );
    let tick =
        prop_oneof![4 => 0_i64..=2, 3 => (1_i64..=3).prop_map(|n| n * 10_000), 1 => -20_000_i64..0];
    prop_oneof![
        2 => (key(), value(), lifetime()).prop_map(|(n, value, lifetime)| Step::Put(n, value, lifetime)),
        3 => key().prop_map(Step::Get),
        5 => (key(), asked, upstream()).prop_map(|(n, asked, upstream)| Step::GetOrFetch(n, asked, upstream)),
        1 => target().prop_map(Step::Invalidate),
        3 => (key(), offset(), value(), lifetime()).prop_map(|(n, at, value, lifetime)| Step::Hear(n, at, value, lifetime)),
        1 => (target(), offset(), tens(0..7)).prop_map(|(target, at, kept_for)| Step::HearInvalid(target, at, kept_for)),
        3 => tick.prop_map(Step::Tick),
    ]
}

/// The two, and a peer that sends to the one what the other is told.
struct Pair {
    cache: Cache,
    clock: ManualClock,
    peer: Peer,
    model: Model,
}

impl Pair {
    async fn new() -> Self {
        let (peer, transport) = Peer::new("peer");
        let clock = ManualClock::default();
        let builder = Cache::builder().transport(transport).clock(clock.clone());
        let cache = builder.build();
        // The sweep with which a cache starts is over before anything happens; the next is far off.
        task::yield_now().await;
        cache.count_under(Path::root()).await;
        let model = Model::at(clock.now());
        Self {
            cache,
            clock,
            peer,
            model,
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Put(n, value, lifetime) => {
                let entry = self.cache.put(resource(n), value.clone(), lifetime);
                assert_eq!(entry, self.model.put(n, value, lifetime));
            }
            Step::Get(n) => {
                let entry = self.cache.get(&resource(n).key).await;
                assert_eq!(entry, self.model.get(n));
            }
            Step::GetOrFetch(n, asked, upstream) => {
                let seen = self.get_or_fetch(n, asked, upstream.clone()).await;
                assert_eq!(seen, self.model.get_or_fetch(n, asked, upstream));
            }
            Step::Invalidate(target) => {
                self.model.invalidate(target.clone());
                match target {
                    Target::Key(key) => self.cache.invalidate(key),
                    Target::Path(path) => self.cache.invalidate_path(path),
                }
            }
            Step::Hear(n, offset, value, lifetime) => {
                let resource = resource(n);
                let at = moved(self.model.now, offset);
                let entry = Entry::new(at, self.peer.id(), resource.path, value, lifetime);
                let put = Put {
                    key: resource.key,
                    entry,
                };
                self.peer.tell(&Message::Put(put.clone())).await;
                self.model.receive(n, put);
            }
            Step::HearInvalid(target, offset, kept_for) => {
                let stamp = moved(self.model.now, offset);
                let origin = self.peer.id();
                let tombstone = Tombstone {
                    target,
                    stamp,
                    kept_for,
                    origin,
                };
                self.peer
                    .tell(&Message::Invalidate(tombstone.clone()))
                    .await;
                self.model.receive_tombstone(tombstone);
            }
            Step::Tick(millis) => {
                self.model.now = moved(self.model.now, millis);
                self.clock.set(self.model.now);
            }
        }
    }

    async fn get_or_fetch(
        &self,
        n: usize,
        (max_age, tolerance): Asked,
        upstream: Upstream,
    ) -> Seen {
        let freshness = max_age.map_or(Freshness::AS_STORED, Freshness::at_most);
        let freshness = freshness.or_stale_while_revalidating(tolerance);
        let fetch = |_| async { upstream.fetched().ok_or_else(|| "upstream is down".into()) };
        let answer = self.cache.get_or_fetch(resource(n), freshness, fetch).await;
        // A fetch in the background has its turn now.
        task::yield_now().await;
        task::yield_now().await;
        match answer {
            Ok(Answer::Entry { entry, source, age }) => Seen::Entry(entry, source, age),
            Ok(Answer::Passing { value, .. }) => Seen::Passing(value),
            Ok(Answer::Private) => Seen::Private,
            Err(_) => Seen::Failure,
        }
    }

    /// Compares what can be told without looking anything up.
    async fn compare(&self) {
        let stats = self.cache.stats();
        assert_eq!(counted(&stats), self.model.counted);
        for path in PATHS.into_iter().chain([""]) {
            let count = self.cache.count_under(Path::new(path)).await;
            assert_eq!(count, self.model.count_under(path), "under {path}/");
        }
    }
}

fn moved(time: MeshTime, millis: i64) -> MeshTime {
    MeshTime::from_millis(time.as_millis().saturating_add_signed(millis))
}

fn counted(stats: &Stats) -> Counted {
    Counted {
        hits: stats.hits,
        peer_hits: stats.peer_hits,
        misses: stats.misses,
        revalidated: stats.revalidated,
        stale_served: stats.stale_served,
        expirations: stats.expirations,
        accepted: stats.received.accepted,
        ignored: stats.received.ignored,
        rejected: stats.received.rejected,
    }
}

proptest! {
    #[test]
    fn a_cache_does_what_its_model_does(steps in prop::collection::vec(step(), 0..60)) {
        run(async {
            let mut pair = Pair::new().await;
            let mut lookups = 0;
            for step in steps {
                lookups += u64::from(matches!(step, Step::Get(_) | Step::GetOrFetch(..)));
                pair.take(step).await;
                pair.compare().await;
                assert_eq!(pair.cache.stats().requests(), lookups);
            }
        });
    }
}
