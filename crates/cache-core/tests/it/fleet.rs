//! One call for the fleet: members that miss the same key share the one fetch of one of them.

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::testing::{MemoryNetwork, VirtualClock};
use cache_core::{
    Answer, Cache, Delivery, Fetched, Freshness, Inbound, Lifetime, PeerId, PeerInfo, Source,
    Transport, TransportError,
};
use futures::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};

use crate::node::{DAY, key, node, value};
use crate::upstream::{Upstream, fetched, fleet, fleet_at, source};
use crate::world::{millis, secs};

#[tokio::test(start_paused = true)]
async fn all_who_miss_at_once_make_one_call() {
    for seed in 0..20 {
        println!("seed {seed}");
        let network = MemoryNetwork::new(seed).with_latency(millis(1)..=millis(30));
        let fleet = fleet(&network, 10).await;
        let upstream = Upstream::default();
        let lookups = fleet
            .iter()
            .flat_map(|cache| (0..30).map(move |n| (cache, n)))
            .map(|(cache, n)| upstream.look_up(cache, n, fetched));
        for answer in join_all(lookups).await {
            assert!(matches!(
                source(&answer),
                Source::Fetched | Source::Coalesced
            ));
        }
        assert_eq!(upstream.calls(), 30);
        let misses = fleet.iter().map(|cache| cache.stats().misses);
        assert_eq!(misses.sum::<u64>(), 30);
    }
}

/// Lookups of 30 keys by each of these, begun within 400 ms.
async fn look_up_soon(fleet: &[Cache], upstream: &Upstream) {
    let lookups = fleet.iter().enumerate().flat_map(|(member, cache)| {
        (0..30).map(move |n| async move {
            sleep(millis((u64::from(n) * 37 + member as u64 * 83) % 400)).await;
            upstream.look_up(cache, n, fetched).await
        })
    });
    for answer in join_all(lookups).await {
        answer.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn who_catches_up_in_the_middle_of_it_grants_nothing_twice() {
    for seed in 0..40 {
        println!("seed {seed}");
        let network = MemoryNetwork::new(seed).with_latency(millis(1)..=millis(30));
        let clock = VirtualClock::default();
        let mut fleet = Vec::new();
        for n in 0..5 {
            fleet.push(node(&network, clock, &format!("member {n}")));
            sleep(millis(seed * 5)).await;
        }
        sleep(millis(seed * 50)).await;
        let upstream = Upstream::default();
        look_up_soon(&fleet, &upstream).await;
        assert_eq!(upstream.calls(), 30);
    }
}

#[tokio::test(start_paused = true)]
async fn who_joins_in_the_middle_of_it_grants_nothing_twice() {
    for seed in 0..20 {
        println!("seed {seed}");
        let network = MemoryNetwork::new(seed).with_latency(millis(1)..=millis(30));
        let clock = VirtualClock::default();
        let fleet = fleet_at(&network, clock, 3).await;
        let upstream = Upstream::default();
        let join = async {
            sleep(millis(seed * 40)).await;
            let late = [node(&network, clock, "late")];
            look_up_soon(&late, &upstream).await;
            late
        };
        let (_, _late) = tokio::join!(look_up_soon(&fleet, &upstream), join);
        assert_eq!(upstream.calls(), 30);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_has_is_served_before_it_was_caught_up_on() {
    let network = MemoryNetwork::new(1).with_latency(millis(5)..=millis(10));
    let clock = VirtualClock::default();
    let fleet = fleet_at(&network, clock, 3).await;
    let upstream = Upstream::default();
    for n in 0..50 {
        upstream.look_up(&fleet[0], n, fetched).await.unwrap();
    }
    sleep(secs(1)).await;
    let late = node(&network, clock, "late");
    let before = upstream.calls();
    for n in 0..50 {
        let answer = upstream.look_up(&late, n, fetched).await;
        assert_eq!(source(&answer), Source::PeerHit, "{n}");
    }
    assert_eq!(upstream.calls(), before);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_for_all_who_wait_and_for_nobody_later() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(5));
    let fleet = fleet(&network, 5).await;
    let upstream = Upstream::default();
    let refused = || Ok(Fetched::Passing("429".into()));
    let lookups = fleet
        .iter()
        .map(|cache| upstream.look_up(cache, 1, refused));
    for answer in join_all(lookups).await {
        assert!(matches!(answer, Ok(Answer::Passing { value, .. }) if value == "429"));
    }
    assert_eq!(upstream.calls(), 1);
    let answer = upstream.look_up(&fleet[2], 1, fetched).await;
    assert_eq!(source(&answer), Source::Fetched);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_for_all_who_wait() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(5));
    let fleet = fleet(&network, 5).await;
    let upstream = Upstream::default();
    let lookups = fleet
        .iter()
        .map(|cache| upstream.look_up(cache, 1, || Err("no route to upstream".into())));
    for answer in join_all(lookups).await {
        assert_eq!(answer.unwrap_err().to_string(), "no route to upstream");
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_only_its_caller_can_have_each_fetches_alone() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(5));
    let fleet = fleet(&network, 3).await;
    let upstream = Upstream::default();
    let private = || Ok(Fetched::Private);
    let lookups = fleet
        .iter()
        .map(|cache| upstream.look_up(cache, 1, private));
    for answer in join_all(lookups).await {
        assert!(matches!(answer, Ok(Answer::Private)), "{answer:?}");
    }
    assert_eq!(upstream.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_fits_no_frame_each_fetches_alone() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(5));
    let fleet = fleet(&network, 3).await;
    let upstream = Upstream::default();
    let large = || Ok(Fetched::New(vec![0; 9 * 1024 * 1024].into(), DAY));
    let lookups = fleet.iter().map(|cache| upstream.look_up(cache, 1, large));
    for answer in join_all(lookups).await {
        assert_eq!(source(&answer), Source::Fetched);
    }
    assert_eq!(upstream.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_dies_while_it_fetches_costs_one_call_more() {
    for seed in 0..10 {
        println!("seed {seed}");
        let network = MemoryNetwork::new(seed).with_latency(millis(1)..=millis(5));
        let mut fleet = fleet(&network, 6).await;
        let upstream = Upstream::default();
        let dying = fleet.remove(0);
        {
            let lookup = upstream.look_up(&dying, 1, fetched);
            let death = sleep(millis(100));
            tokio::select! {
                _ = lookup => panic!("it has not died"),
                () = death => {}
            }
        }
        drop(dying);
        let began = Instant::now();
        let lookups = fleet
            .iter()
            .map(|cache| upstream.look_up(cache, 1, fetched));
        for answer in join_all(lookups).await {
            source(&answer);
        }
        assert!(upstream.calls() <= 2, "{} calls", upstream.calls());
        assert!(began.elapsed() <= secs(2), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_is_waited_for_however_long_it_takes() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(5));
    let fleet = fleet(&network, 5).await;
    let upstream = Upstream::default();
    let lookups = fleet.iter().map(|cache| {
        let calls = upstream.clone();
        let fetch = move |_| async move {
            calls.call();
            sleep(secs(20)).await;
            fetched()
        };
        cache.get_or_fetch(key(1), Freshness::AS_STORED, fetch)
    });
    for answer in join_all(lookups).await {
        source(&answer);
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_whose_fetch_takes_over_a_minute_is_joined_by_one_other_and_not_by_all() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(5));
    let fleet = fleet(&network, 10).await;
    let upstream = Upstream::default();
    let lookups = fleet.iter().map(|cache| {
        let calls = upstream.clone();
        let fetch = move |_| async move {
            calls.call();
            sleep(secs(70)).await;
            fetched()
        };
        cache.get_or_fetch(key(1), Freshness::AS_STORED, fetch)
    });
    for answer in join_all(lookups).await {
        source(&answer);
    }
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_fetch_goes_on_for_the_others_when_its_caller_leaves() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(5));
    let fleet = fleet(&network, 3).await;
    let upstream = Upstream::default();
    let leaving = tokio::time::timeout(millis(100), upstream.look_up(&fleet[0], 1, fetched));
    let staying = upstream.look_up(&fleet[1], 1, fetched);
    let (left, stayed) = tokio::join!(leaving, staying);
    assert!(left.is_err());
    source(&stayed);
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_owner_delays_a_call_by_fifty_milliseconds_and_once() {
    let network = MemoryNetwork::new(1);
    let fleet = fleet(&network, 6).await;
    for frozen in &fleet[1..] {
        network.freeze(frozen.local_peer());
    }
    let upstream = Upstream::default();
    let mut delayed = 0;
    for n in 0..50 {
        let began = Instant::now();
        source(&upstream.look_up(&fleet[0], n, fetched).await);
        let delay = began.elapsed() - millis(500);
        assert!(delay <= millis(51), "{delay:?}");
        delayed += u32::from(delay > millis(1));
    }
    // Each of the frozen ones is found out once in five seconds.
    assert!(delayed <= 5 * 6, "{delayed} of 50");
}

/// Holds up what is sent for 120 ms, once.
struct Stalling<T> {
    transport: T,
    from: Instant,
}

#[async_trait]
impl<T: Transport> Transport for Stalling<T> {
    fn local_peer(&self) -> PeerId {
        self.transport.local_peer()
    }

    fn peers(&self) -> Vec<PeerInfo> {
        self.transport.peers()
    }

    async fn request(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        let until = self.from + millis(120);
        if (self.from..until).contains(&Instant::now()) {
            sleep_until(until).await;
        }
        self.transport.request(to, frame).await
    }

    async fn broadcast(&self, frame: Bytes) -> Result<Delivery, TransportError> {
        self.transport.broadcast(frame).await
    }

    async fn accept(&self) -> Option<Inbound> {
        self.transport.accept().await
    }

    async fn close(&self) {
        self.transport.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_much_at_once_has_patience() {
    let network = MemoryNetwork::new(1);
    let stalling = Stalling {
        transport: network.join("member"),
        from: Instant::now() + secs(5),
    };
    let clock = VirtualClock::default();
    let member = Cache::builder().transport(stalling).clock(clock).build();
    let other = node(&network, clock, "other");
    sleep(secs(5)).await;
    let upstream = Upstream::default();
    let lookups = [&member, &other].into_iter().flat_map(|cache| {
        let upstream = &upstream;
        (0..200).map(move |n| upstream.look_up(cache, n, fetched))
    });
    for answer in join_all(lookups).await {
        answer.unwrap();
    }
    assert_eq!(upstream.calls(), 200);
}

#[tokio::test(start_paused = true)]
async fn what_is_stale_everywhere_is_revalidated_once() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(5));
    let fleet = fleet(&network, 5).await;
    let lifetime = Lifetime::fresh_for(secs(10)).and_stale_for(secs(1000));
    fleet[0].put(key(1), "answer".into(), lifetime);
    sleep(secs(11)).await;
    let upstream = Upstream::default();
    let confirmed = || {
        let lifetime = Lifetime::fresh_for(secs(10)).and_stale_for(secs(1000));
        Ok(Fetched::Revalidated("answer".into(), lifetime))
    };
    let lookups = fleet
        .iter()
        .map(|cache| upstream.look_up(cache, 1, confirmed));
    let mut revalidated = 0;
    for answer in join_all(lookups).await {
        revalidated += u32::from(source(&answer) == Source::Revalidated);
    }
    assert_eq!((upstream.calls(), revalidated), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_fetch_that_has_ended() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(5));
    let fleet = fleet(&network, 3).await;
    let upstream = Upstream::default();
    for cache in &fleet {
        let began = Instant::now();
        source(&upstream.look_up(cache, 1, fetched).await);
        assert!(began.elapsed() < millis(600), "{:?}", began.elapsed());
        cache.invalidate(key(1));
        sleep(millis(50)).await;
        assert_eq!(value(cache, key(1)).await, None::<Bytes>);
    }
    assert_eq!(upstream.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_wants_it_fresher_than_the_fleet_has_it_fetches() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(5));
    let fleet = fleet(&network, 3).await;
    fleet[0].put(key(1), "old".into(), DAY);
    sleep(secs(60)).await;
    for cache in &fleet {
        let fetch = |_| async { Ok(Fetched::New("new".into(), DAY)) };
        let freshness = Freshness::at_most(secs(0));
        let answer = cache.get_or_fetch(key(1), freshness, fetch).await;
        assert_eq!(source(&answer), Source::Refetched);
    }
}
