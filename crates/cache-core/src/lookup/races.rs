//! Lookups of one key at once, in many orders, by the rules that callers rely on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::FutureExt;
use futures::future::join_all;
use shuttle::future::{block_on, yield_now};
use tokio_util::sync::DropGuard;

use super::*;
use crate::concurrency::{in_many_orders, spawn};
use crate::freshness::Lifetime;
use crate::peer::PeerId;
use crate::replica::Bounds;
use crate::testing::ManualClock;
use crate::tombstone::Target;
use crate::transport::NoTransport;

const CALLERS: u64 = 3;

/// The lookups of a cache without a network, and an upstream that counts its calls.
struct Site {
    lookups: Lookups,
    replica: Arc<Replica>,
    tasks: Arc<Tasks>,
    _stop: DropGuard,
    calls: Arc<AtomicU64>,
    /// What upstream answers at present.
    upstream: Arc<AtomicU64>,
}

impl Site {
    fn new() -> Arc<Self> {
        let bounds = Bounds {
            max_bytes: 1 << 20,
            max_entries: 64,
            max_queued_bytes: None,
            longest_lifetime: Duration::from_secs(3600),
        };
        let clock = Arc::new(ManualClock::default());
        let replica = Arc::new(Replica::new(PeerId::LOCAL, clock, bounds, None));
        let (tasks, stop) = Tasks::new();
        let transport = Arc::new(NoTransport);
        let fleet = Fleet::new(Arc::clone(&replica), transport, Arc::clone(&tasks));
        Arc::new(Self {
            lookups: Lookups::new(Arc::clone(&replica), Arc::new(fleet), Arc::clone(&tasks)),
            replica,
            tasks,
            _stop: stop,
            calls: Arc::default(),
            upstream: Arc::default(),
        })
    }

    /// Looks up the one key. `outcome` makes of upstream's answer what the fetch brings.
    async fn look_up(
        &self,
        outcome: fn(Bytes) -> Result<Fetched, BoxError>,
    ) -> Result<Answer, FetchError> {
        let (calls, upstream) = (Arc::clone(&self.calls), Arc::clone(&self.upstream));
        let fetch = || -> Fetch {
            Box::new(move |_| {
                async move {
                    calls.fetch_add(1, Ordering::SeqCst);
                    yield_now().await;
                    let answer = upstream.load(Ordering::SeqCst).to_be_bytes();
                    // It takes its time on the way back, too.
                    yield_now().await;
                    outcome(Bytes::copy_from_slice(&answer))
                }
                .boxed()
            })
        };
        let freshness = Freshness::AS_STORED;
        self.lookups
            .get_or_fetch(key().into(), freshness, fetch)
            .await
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }
}

fn key() -> Key {
    Key::public(["k"])
}

fn new(answer: Bytes) -> Result<Fetched, BoxError> {
    Ok(Fetched::New(
        answer,
        Lifetime::fresh_for(Duration::from_secs(60)),
    ))
}

fn number_in(answer: &Answer) -> u64 {
    let value = match answer {
        Answer::Entry { entry, .. } => entry.value(),
        Answer::Passing { value, .. } => value,
        Answer::Private => panic!("nothing was private"),
    };
    u64::from_be_bytes(value.as_ref().try_into().unwrap())
}

/// All callers ask at once; checks that each was counted once.
fn all_ask(
    outcome: fn(Bytes) -> Result<Fetched, BoxError>,
) -> (Arc<Site>, Vec<Result<Answer, FetchError>>) {
    let site = Site::new();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let site = Arc::clone(&site);
            spawn(async move { site.look_up(outcome).await })
        })
        .collect();
    let answers = block_on(join_all(callers));
    let answers = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(site.replica.counters.snapshot().requests(), CALLERS);
    (site, answers)
}

#[test]
fn whatever_the_order_an_answer_that_can_be_kept_is_fetched_once() {
    in_many_orders(|| {
        let (site, answers) = all_ask(new);
        assert_eq!(site.calls(), 1);
        assert_eq!(site.replica.counters.snapshot().misses, 1);
        assert!(answers.iter().all(Result::is_ok));
    });
}

#[test]
fn a_failure_is_for_all_who_waited_and_each_is_counted_once() {
    in_many_orders(|| {
        let (site, answers) = all_ask(|_| Err("upstream is down".into()));
        let stats = site.replica.counters.snapshot();
        assert_eq!(
            (stats.misses, stats.coalesced),
            (site.calls(), CALLERS - site.calls())
        );
        assert!(answers.iter().all(Result::is_err));
    });
}

#[test]
fn a_private_answer_is_fetched_by_each() {
    in_many_orders(|| {
        let (site, answers) = all_ask(|_| Ok(Fetched::Private));
        assert_eq!(site.calls(), CALLERS);
        assert!(
            answers
                .iter()
                .all(|answer| matches!(answer, Ok(Answer::Private)))
        );
    });
}

/// Upstream changes and the key is made void, while callers ask; who asks after that must not be
/// answered from before it.
fn invalidate_meanwhile(outcome: fn(Bytes) -> Result<Fetched, BoxError>) {
    let site = Site::new();
    let is_void = Arc::new(AtomicBool::new(false));
    let writer = {
        let (site, is_void) = (Arc::clone(&site), Arc::clone(&is_void));
        spawn(async move {
            yield_now().await;
            site.upstream.store(1, Ordering::SeqCst);
            yield_now().await;
            site.replica.bury(Target::Key(key()));
            is_void.store(true, Ordering::SeqCst);
        })
    };
    let callers = (0..CALLERS).map(|_| {
        let (site, is_void) = (Arc::clone(&site), Arc::clone(&is_void));
        spawn(async move {
            for _ in 0..2 {
                let least = u64::from(is_void.load(Ordering::SeqCst));
                let answer = site.look_up(outcome).await.unwrap();
                assert!(number_in(&answer) >= least, "an answer from before");
                yield_now().await;
            }
        })
    });
    for task in callers.chain([writer]).collect::<Vec<_>>() {
        block_on(task).unwrap();
    }
}

#[test]
fn who_asks_after_an_invalidation_gets_what_upstream_says_after_it() {
    in_many_orders(|| invalidate_meanwhile(new));
}

#[test]
fn who_asks_after_an_invalidation_gets_no_passing_answer_from_before_it() {
    in_many_orders(|| invalidate_meanwhile(|answer| Ok(Fetched::Passing(answer))));
}

#[test]
fn when_the_cache_closes_nobody_is_left_waiting() {
    in_many_orders(|| {
        let site = Site::new();
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let site = Arc::clone(&site);
                spawn(async move { site.look_up(new).await })
            })
            .collect();
        block_on(async {
            yield_now().await;
            site.tasks.stop().await;
        });
        for answer in block_on(join_all(callers)) {
            if let Err(error) = answer.unwrap() {
                assert!(error.to_string().contains("closed"), "{error}");
            }
        }
        assert_eq!(site.replica.counters.snapshot().requests(), CALLERS);
    });
}
