//! What callers of one cache notice.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use tokio::sync::{Semaphore, oneshot};

use super::*;
use crate::testing::ManualClock;
use crate::{Clock, Event, MeshTime, Scope, Source};

const LIFETIME: Lifetime =
    Lifetime::fresh_for(Duration::from_secs(60)).and_stale_for(Duration::from_secs(60));

fn key() -> Key {
    Key::public(["k"])
}

/// A cache, its clock, and an upstream that counts its calls.
struct Fixture {
    cache: Cache,
    clock: ManualClock,
    calls: Arc<AtomicUsize>,
}

impl Fixture {
    fn new() -> Self {
        let clock = ManualClock::default();
        Self {
            cache: Cache::builder().clock(clock.clone()).build(),
            clock,
            calls: Arc::default(),
        }
    }

    async fn fetch(&self, outcome: Result<Fetched, &'static str>) -> Result<Answer, FetchError> {
        let calls = Arc::clone(&self.calls);
        let fetch = move |_| async move {
            calls.fetch_add(1, Ordering::Relaxed);
            outcome.map_err(Into::into)
        };
        self.cache
            .get_or_fetch(key(), Freshness::AS_STORED, fetch)
            .await
    }

    async fn fetch_new(&self, value: &'static str) -> (Bytes, Source) {
        from_entry(self.fetch(Ok(Fetched::New(value.into(), LIFETIME))).await)
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

fn from_entry(answer: Result<Answer, FetchError>) -> (Bytes, Source) {
    match answer.unwrap() {
        Answer::Entry { entry, source, .. } => (entry.value().clone(), source),
        other => panic!("not from an entry: {other:?}"),
    }
}

#[tokio::test]
async fn the_first_call_fetches_and_the_second_hits() {
    let fixture = Fixture::new();
    assert_eq!(fixture.fetch_new("1").await, ("1".into(), Source::Fetched));
    assert_eq!(fixture.fetch_new("2").await, ("1".into(), Source::Hit));
    assert_eq!(fixture.calls(), 1);
    let stats = fixture.cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.requests()), (1, 1, 2));
}

#[tokio::test]
async fn a_stale_entry_is_handed_to_the_fetch_and_a_dead_one_is_not() {
    let fixture = Fixture::new();
    fixture.fetch_new("1").await;
    let handed = async || {
        let (tell, told) = oneshot::channel();
        let fetch = |stale: Option<Entry>| async {
            let value = stale.map(|entry| entry.value().clone());
            tell.send(value.clone()).unwrap();
            Ok(value.map_or(Fetched::Passing(Bytes::new()), |value| {
                Fetched::Revalidated(value, LIFETIME)
            }))
        };
        let answer = fixture
            .cache
            .get_or_fetch(key(), Freshness::AS_STORED, fetch);
        (answer.await, told.await.unwrap())
    };
    fixture.clock.advance(Duration::from_secs(60));
    let (answer, stale) = handed().await;
    assert_eq!(stale, Some("1".into()));
    assert_eq!(from_entry(answer), ("1".into(), Source::Revalidated));
    // Fresh again, from the moment that it was confirmed.
    assert_eq!(fixture.fetch_new("2").await.1, Source::Hit);

    fixture.clock.advance(Duration::from_secs(120));
    assert_eq!(handed().await.1, None);
    assert_eq!(fixture.cache.stats().expirations, 1);
}

#[tokio::test]
async fn a_failed_fetch_serves_the_stale_entry_and_without_one_its_error() {
    let fixture = Fixture::new();
    let error = fixture.fetch(Err("upstream is down")).await.unwrap_err();
    assert_eq!(error.to_string(), "upstream is down");

    fixture.fetch_new("1").await;
    fixture.clock.advance(Duration::from_secs(60));
    let served = from_entry(fixture.fetch(Err("upstream is down")).await);
    assert_eq!(served, ("1".into(), Source::Stale));
    // Still stale: the next caller tries again.
    assert_eq!(
        fixture.fetch_new("2").await,
        ("2".into(), Source::Refetched)
    );
    let stats = fixture.cache.stats();
    assert_eq!((stats.stale_served, stats.misses), (1, 3));
}

#[tokio::test]
async fn a_caller_who_asks_for_a_fresher_answer_gets_one() {
    let fixture = Fixture::new();
    fixture.fetch_new("1").await;
    let fetch = |stale: Option<Entry>| async move {
        assert!(stale.is_some());
        Ok(Fetched::New("2".into(), LIFETIME))
    };
    let answer = fixture
        .cache
        .get_or_fetch(key(), Freshness::REVALIDATE, fetch);
    assert_eq!(from_entry(answer.await), ("2".into(), Source::Refetched));
}

#[tokio::test]
async fn many_callers_at_once_make_one_fetch() {
    let fixture = Fixture::new();
    let callers = (0..50).map(|_| fixture.fetch_new("1"));
    let answers = join_all(callers).await;
    assert_eq!(fixture.calls(), 1);
    let fetched = answers
        .iter()
        .filter(|(_, source)| *source == Source::Fetched);
    assert_eq!(fetched.count(), 1);
    let stats = fixture.cache.stats();
    assert_eq!(
        (stats.misses, stats.coalesced, stats.requests()),
        (1, 49, 50)
    );
}

#[tokio::test]
async fn all_who_wait_are_told_that_the_answer_is_stale() {
    let fixture = Fixture::new();
    fixture.fetch_new("1").await;
    fixture.clock.advance(Duration::from_secs(60));
    let callers = (0..3).map(|_| fixture.fetch(Err("upstream is down")));
    for answer in join_all(callers).await {
        assert_eq!(from_entry(answer), ("1".into(), Source::Stale));
    }
    assert_eq!(fixture.cache.stats().stale_served, 3);
}

#[tokio::test]
async fn a_failure_is_shared_with_those_who_waited_and_not_remembered() {
    let fixture = Fixture::new();
    let callers = (0..10).map(|_| fixture.fetch(Err("rate limited")));
    for answer in join_all(callers).await {
        assert_eq!(answer.unwrap_err().to_string(), "rate limited");
    }
    assert_eq!(fixture.calls(), 1);
    fixture.fetch_new("1").await;
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test]
async fn a_passing_answer_is_shared_with_those_who_waited_and_not_kept() {
    let fixture = Fixture::new();
    let callers = (0..10).map(|_| fixture.fetch(Ok(Fetched::Passing("404".into()))));
    for answer in join_all(callers).await {
        assert!(matches!(answer, Ok(Answer::Passing { value, .. }) if value == "404"));
    }
    assert_eq!(fixture.calls(), 1);
    assert_eq!(fixture.cache.stats().entries, 0);
}

#[tokio::test]
async fn a_private_answer_leaves_the_others_to_fetch_for_themselves() {
    let fixture = Fixture::new();
    let callers = (0..10).map(|_| fixture.fetch(Ok(Fetched::Private)));
    for answer in join_all(callers).await {
        assert_eq!(answer.unwrap(), Answer::Private);
    }
    assert_eq!(fixture.calls(), 10);
    assert_eq!(fixture.cache.stats().misses, 10);
}

#[tokio::test]
async fn a_fetch_outlives_the_caller_that_started_it() {
    let fixture = Fixture::new();
    let gate = Arc::new(Semaphore::new(0));
    let fetch = {
        let gate = Arc::clone(&gate);
        |_| async move {
            gate.acquire().await?.forget();
            Ok(Fetched::New("1".into(), LIFETIME))
        }
    };
    let first = fixture
        .cache
        .get_or_fetch(key(), Freshness::AS_STORED, fetch);
    assert!(
        time::timeout(Duration::from_millis(1), first)
            .await
            .is_err()
    );
    let second = fixture.fetch_new("2");
    tokio::pin!(second);
    assert!(futures::poll!(&mut second).is_pending());
    gate.add_permits(1);
    assert_eq!(second.await, ("1".into(), Source::Coalesced));
}

#[tokio::test]
async fn a_panicking_fetch_fails_its_caller_and_one_who_waited_tries_again() {
    let fixture = Fixture::new();
    let gate = Arc::new(Semaphore::new(0));
    let fetch = {
        let gate = Arc::clone(&gate);
        |_| async move {
            gate.acquire().await?.forget();
            panic!("a bug in the fetch, on purpose")
        }
    };
    let first = fixture
        .cache
        .get_or_fetch(key(), Freshness::AS_STORED, fetch);
    tokio::pin!(first);
    assert!(futures::poll!(&mut first).is_pending());
    let others = join_all((0..3).map(|_| fixture.fetch_new("1")));
    gate.add_permits(1);
    let (first, others) = tokio::join!(first, others);
    assert!(first.unwrap_err().to_string().contains("panicked"));
    assert!(others.iter().all(|(value, _)| value == "1"));
    assert_eq!(fixture.calls(), 1);
}

#[tokio::test]
async fn an_invalidation_during_a_fetch_outlives_it() {
    let fixture = Fixture::new();
    let cache = fixture.cache.clone();
    let clock = fixture.clock.clone();
    let fetch = |_| async move {
        // Somebody writes while the answer to an earlier question is still on its way.
        clock.advance(Duration::from_millis(1));
        cache.invalidate(key());
        Ok(Fetched::New("old".into(), LIFETIME))
    };
    let answer = fixture
        .cache
        .get_or_fetch(key(), Freshness::AS_STORED, fetch);
    assert_eq!(from_entry(answer.await), ("old".into(), Source::Fetched));
    assert_eq!(
        fixture.fetch_new("new").await,
        ("new".into(), Source::Fetched)
    );
}

#[tokio::test]
async fn an_invalidated_entry_is_neither_served_nor_revalidated() {
    let fixture = Fixture::new();
    fixture.fetch_new("1").await;
    fixture.cache.invalidate(key());
    assert_eq!(fixture.cache.get(&key()).await, None);
    let fetch = |stale: Option<Entry>| async move {
        assert_eq!(stale, None);
        Ok(Fetched::New("2".into(), LIFETIME))
    };
    let answer = fixture
        .cache
        .get_or_fetch(key(), Freshness::AS_STORED, fetch);
    assert_eq!(from_entry(answer.await), ("2".into(), Source::Fetched));
}

#[tokio::test]
async fn stamps_of_a_key_never_run_backwards_though_the_clock_does() {
    let fixture = Fixture::new();
    let first = fixture.cache.put(key(), "1".into(), LIFETIME);
    fixture
        .clock
        .set(MeshTime::from_millis(first.stored_at().as_millis() - 5000));
    let second = fixture.cache.put(key(), "2".into(), LIFETIME);
    assert!(second.stored_at() > first.stored_at());
    assert_eq!(fixture.cache.get(&key()).await, Some(second));
}

#[tokio::test]
async fn a_closed_cache_still_answers_and_lets_nobody_wait() {
    let fixture = Fixture::new();
    fixture.fetch_new("1").await;
    fixture.cache.close().await;
    assert_eq!(fixture.fetch_new("2").await.1, Source::Hit);
    fixture.clock.advance(Duration::from_secs(120));
    let answer = fixture.fetch(Ok(Fetched::Private)).await;
    assert!(answer.unwrap_err().to_string().contains("closed"));
}

/// A fetch that waits to be let go on.
fn held_back(
    gate: &Arc<Semaphore>,
    value: &'static str,
) -> impl FnOnce(Option<Entry>) -> futures::future::BoxFuture<'static, Result<Fetched, BoxError>>
+ Send
+ 'static {
    let gate = Arc::clone(gate);
    move |_| {
        async move {
            gate.acquire().await?.forget();
            Ok(Fetched::New(value.into(), LIFETIME))
        }
        .boxed()
    }
}

#[tokio::test]
async fn a_caller_who_allows_it_gets_what_is_stale_at_once_and_one_fetch_renews_it() {
    let fixture = Fixture::new();
    fixture.fetch_new("1").await;
    fixture.clock.advance(Duration::from_secs(65));
    let content_with =
        |secs| Freshness::AS_STORED.or_stale_while_revalidating(Duration::from_secs(secs));
    let gate = Arc::new(Semaphore::new(0));
    for _ in 0..3 {
        let fetch = held_back(&gate, "2");
        let answer = fixture.cache.get_or_fetch(key(), content_with(10), fetch);
        assert_eq!(from_entry(answer.await), ("1".into(), Source::Stale));
    }
    let stats = fixture.cache.stats();
    assert_eq!((stats.stale_served, stats.requests()), (3, 4));

    // Who is not content waits for the fetch that is already under way.
    let fetch = |_| async { Err("nobody should fetch twice".into()) };
    let answer = fixture.cache.get_or_fetch(key(), content_with(5), fetch);
    tokio::pin!(answer);
    assert!(futures::poll!(&mut answer).is_pending());
    gate.add_permits(1);
    assert_eq!(from_entry(answer.await), ("2".into(), Source::Coalesced));
    assert_eq!(fixture.fetch_new("3").await, ("2".into(), Source::Hit));
    assert_eq!(fixture.cache.stats().misses, 1);
}

#[tokio::test]
async fn who_asks_after_an_invalidation_does_not_get_the_answer_from_before_it() {
    let fixture = Fixture::new();
    let gate = Arc::new(Semaphore::new(0));
    let fetch = held_back(&gate, "old");
    let before = fixture
        .cache
        .get_or_fetch(key(), Freshness::AS_STORED, fetch);
    tokio::pin!(before);
    assert!(futures::poll!(&mut before).is_pending());
    tokio::task::yield_now().await;
    fixture.cache.invalidate(key());
    let after = fixture.fetch_new("new");
    tokio::pin!(after);
    assert!(futures::poll!(&mut after).is_pending());
    gate.add_permits(1);
    let (before, after) = tokio::join!(before, after);
    assert_eq!(from_entry(before), ("old".into(), Source::Fetched));
    assert_eq!(after.0, "new");
    assert_eq!(
        fixture.fetch_new("newer").await,
        ("new".into(), Source::Hit)
    );
}

#[tokio::test]
async fn who_asks_after_an_invalidation_does_not_get_a_passing_answer_from_before_it() {
    let fixture = Fixture::new();
    let (let_go, gate) = oneshot::channel::<()>();
    let fetch = |_| async move {
        gate.await?;
        Ok(Fetched::Passing("404".into()))
    };
    let before = fixture
        .cache
        .get_or_fetch(key(), Freshness::AS_STORED, fetch);
    tokio::pin!(before);
    assert!(futures::poll!(&mut before).is_pending());
    tokio::task::yield_now().await;
    // It has been made meanwhile.
    fixture.cache.invalidate(key());
    let after = fixture.fetch_new("200");
    tokio::pin!(after);
    assert!(futures::poll!(&mut after).is_pending());
    let_go.send(()).unwrap();
    let (before, after) = tokio::join!(before, after);
    assert!(matches!(before, Ok(Answer::Passing { value, .. }) if value == "404"));
    assert_eq!(after.0, "200");
}

#[tokio::test]
async fn invalidating_a_path_drops_what_lies_below_it_and_nothing_else() {
    let fixture = Fixture::new();
    let put = |path: &'static str| {
        let resource = Resource::new(Key::public([path]), Path::new(path));
        fixture.cache.put(resource, path.into(), LIFETIME)
    };
    let paths = ["/repos/o/r", "/repos/o/r/pulls/7", "/repos/o/r2", "/user"];
    let _ = paths.map(put);
    assert_eq!(fixture.cache.count_under(Path::new("/repos/o/r")).await, 2);
    fixture.cache.invalidate_path(Path::new("/repos/o/r"));
    let held = async |path: &str| fixture.cache.get(&Key::public([path])).await.is_some();
    let held = join_all(paths.map(held)).await;
    assert_eq!(held, [false, false, true, true]);
    assert_eq!(fixture.cache.count_under(Path::root()).await, 2);

    // What comes anew is kept again, though the clock has not moved.
    put("/repos/o/r");
    assert!(
        fixture
            .cache
            .get(&Key::public(["/repos/o/r"]))
            .await
            .is_some()
    );
    fixture.cache.invalidate_all();
    assert_eq!(fixture.cache.count_under(Path::root()).await, 0);
}

#[tokio::test]
async fn an_invalidation_is_later_than_what_a_clock_that_was_set_back_has_stamped() {
    let fixture = Fixture::new();
    let put = fixture.cache.put(key(), "1".into(), LIFETIME);
    let earlier = MeshTime::from_millis(put.stored_at().as_millis() - 5000);
    fixture.clock.set(earlier);
    fixture.cache.invalidate(key());
    assert_eq!(fixture.cache.get(&key()).await, None);
}

#[tokio::test]
async fn stamps_go_on_from_those_of_entries_that_were_evicted() {
    let clock = ManualClock::default();
    let builder = Cache::builder().clock(clock.clone()).max_bytes(10_000_000);
    let cache = builder.max_entries(10).build();
    let first = cache.put(key(), "1".into(), LIFETIME);
    for other in 0..100_u8 {
        let other = Key::public([[other]]);
        for _ in 0..5 {
            // Popular, so that it is admitted in the place of what nobody asks for.
            cache.get(&other).await;
        }
        cache.put(other, "x".into(), LIFETIME);
    }
    assert_eq!(cache.get(&key()).await, None, "not evicted");
    clock.set(MeshTime::from_millis(first.stored_at().as_millis() - 5000));
    let second = cache.put(key(), "2".into(), LIFETIME);
    assert!(second.stored_at() > first.stored_at());
}

#[tokio::test]
async fn a_subscriber_is_told_what_happens_and_what_it_has_missed() {
    let fixture = Fixture::new();
    let mut events = fixture.cache.subscribe();
    let entry = fixture.cache.put(key(), "1".into(), LIFETIME);
    fixture.cache.invalidate(key());
    fixture.cache.put(key(), "2".into(), LIFETIME);
    fixture.clock.advance(LIFETIME.total() * 2);
    assert_eq!(fixture.cache.get(&key()).await, None);
    let mut next = || events.next().now_or_never().flatten();
    let kept = Event::Kept {
        key: key(),
        stored_at: entry.stored_at(),
        origin: entry.origin(),
    };
    assert_eq!(next(), Some(kept));
    assert_eq!(next(), Some(Event::Invalidated(Target::Key(key()))));
    assert!(matches!(next(), Some(Event::Kept { .. })));
    assert_eq!(next(), Some(Event::Expired(key())));
    assert_eq!(next(), None);

    for _ in 0..1030 {
        fixture.cache.put(key(), "3".into(), LIFETIME);
    }
    assert_eq!(next(), Some(Event::Missed(6)));
    drop(fixture);
    let mut rest = 0;
    while events.next().await.is_some() {
        rest += 1;
    }
    assert_eq!(rest, 1024);
}

#[tokio::test]
async fn upstreams_clock_corrects_the_stamps_of_a_runner_whose_own_is_wrong() {
    let fixture = Fixture::new();
    let truth = fixture.clock.now();
    let hour = Duration::from_secs(3600);
    let behind = MeshTime::from_millis(truth.as_millis() - 3_600_000);
    fixture.clock.set(behind);
    fixture.cache.observe_upstream_time(truth);
    let entry = fixture.cache.put(key(), "1".into(), LIFETIME);
    assert_eq!(entry.stored_at().since(behind), hour);
}

fn scoped(scope: u8) -> Key {
    Key::new(key().family, Scope::from_digest([scope; 16]))
}

#[tokio::test]
async fn a_peek_sees_what_is_stale_and_counts_as_nothing() {
    let fixture = Fixture::new();
    let cache = &fixture.cache;
    cache.put(key(), "v".into(), LIFETIME);
    fixture.clock.advance(Duration::from_secs(61));
    assert_eq!(cache.peek(&key()).await.unwrap().value(), "v");
    assert_eq!(cache.stats().requests(), 0);
    cache.count(Source::Stale);
    assert_eq!(cache.stats().stale_served, 1);
    cache.invalidate(key());
    assert!(cache.peek(&key()).await.is_none());
}

#[tokio::test]
async fn a_family_is_found_in_all_its_scopes_the_newest_first() {
    let fixture = Fixture::new();
    let cache = &fixture.cache;
    for scope in [1, 2, 3] {
        cache.put(scoped(scope), vec![scope].into(), LIFETIME);
        fixture.clock.advance(Duration::from_secs(1));
    }
    cache.put(Key::public(["another"]), "x".into(), LIFETIME);
    cache.invalidate(scoped(2));
    let found = cache.family(&key().family).await;
    let scopes: Vec<Scope> = found.iter().map(|(scope, _)| *scope).collect();
    assert_eq!(scopes, [scoped(3).scope, scoped(1).scope]);
    cache.invalidate_all();
    assert!(cache.family(&key().family).await.is_empty());
}

#[tokio::test]
async fn an_entry_from_elsewhere_is_an_answer_and_is_not_kept() {
    let fixture = Fixture::new();
    let other = fixture.cache.put(scoped(1), "theirs".into(), LIFETIME);
    for source in [Source::Revalidated, Source::Stale] {
        let outcome = Ok(Fetched::Elsewhere(other.clone(), source));
        let answer = from_entry(fixture.fetch(outcome).await);
        assert_eq!(answer, ("theirs".into(), source));
        assert!(fixture.cache.peek(&key()).await.is_none());
    }
    let stats = fixture.cache.stats();
    assert_eq!((stats.revalidated, stats.stale_served), (1, 1));
}

#[tokio::test]
async fn who_asks_alone_runs_a_fetch_whatever_is_held_or_under_way() {
    let fixture = Fixture::new();
    let cache = &fixture.cache;
    cache.put(key(), "fresh".into(), LIFETIME);
    let (release, released) = oneshot::channel::<()>();
    let slow = cache.get_or_fetch(key(), Freshness::REVALIDATE, |_| async {
        let _ = released.await;
        Ok(Fetched::New("slow".into(), LIFETIME))
    });
    let alone = async {
        let answer = cache.get_or_fetch(key(), Freshness::ALONE, |stale| async move {
            assert!(stale.is_some());
            Ok(Fetched::New("own".into(), LIFETIME))
        });
        let answer = from_entry(answer.await);
        release.send(()).unwrap();
        answer
    };
    let (_, own) = tokio::join!(slow, alone);
    assert_eq!(own, ("own".into(), Source::Refetched));
}
