//! Who decides, where members see little of each other, answer late, or lose what they are told.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::testing::{MemoryNetwork, MemoryTransport, VirtualClock};
use cache_core::{
    Cache, Delivery, Direction, Fetched, Freshness, Inbound, Lifetime, PeerId, PeerInfo, Source,
    Transport, TransportError,
};
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use crate::node::{DAY, key, node};
use crate::upstream::{Upstream, fetched, fleet, source};
use crate::world::{millis, secs};

#[tokio::test(start_paused = true)]
async fn members_that_all_see_one_other_only_make_one_call() {
    for seed in 0..5 {
        let network = MemoryNetwork::new(seed)
            .with_latency(millis(1)..=millis(30))
            .with_hub("member 0");
        let fleet = fleet(&network, 10).await;
        let upstream = Upstream::default();
        let lookups = fleet
            .iter()
            .flat_map(|cache| (0..30).map(move |n| (cache, n)))
            .map(|(cache, n)| upstream.look_up(cache, n, fetched));
        for answer in join_all(lookups).await {
            source(&answer);
        }
        assert_eq!(upstream.calls(), 30, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_had_to_make_room_for_others_gets_it_from_them() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(5));
    let clock = VirtualClock::default();
    let large = node(&network, clock, "large");
    let small = Cache::builder().clock(clock).max_entries(8);
    let small = small.transport(network.join("small")).build();
    sleep(secs(5)).await;
    for n in 0..40 {
        large.put(key(n), "answer".into(), DAY);
    }
    sleep(secs(1)).await;
    assert!(small.stats().evictions > 0);
    let upstream = Upstream::default();
    for n in (0..40).chain(0..40) {
        source(&upstream.look_up(&small, n, fetched).await);
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_one_round_has_no_room_for_is_had_from_the_one_who_has_it() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(5));
    let clock = VirtualClock::default();
    let early = node(&network, clock, "early");
    for n in 0..20 {
        early.put(key(n), vec![0; 1 << 20].into(), DAY);
    }
    sleep(secs(1)).await;
    let late = node(&network, clock, "late");
    sleep(secs(10)).await;
    assert!(late.stats().entries < 20);
    let upstream = Upstream::default();
    let latest = node(&network, clock, "latest");
    sleep(secs(1)).await;
    for cache in [&latest, &late] {
        for n in 0..20 {
            source(&upstream.look_up(cache, n, fetched).await);
        }
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_of_one_whose_clock_is_wrong_is_for_all_who_wait() {
    for ahead in [true, false] {
        let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(5));
        let clock = VirtualClock::default();
        let mut fleet: Vec<_> = (0..4)
            .map(|n| node(&network, clock, &format!("member {n}")))
            .collect();
        let wrong = match ahead {
            true => clock.ahead_by(secs(3600)),
            false => clock.behind_by(secs(3600)),
        };
        fleet.insert(0, node(&network, wrong, "wrong"));
        sleep(secs(5)).await;
        let upstream = Upstream::default();
        let began = Instant::now();
        let lookups = fleet.iter().zip(0..).map(|(cache, n)| {
            let (upstream, told) = (&upstream, cache.clone());
            async move {
                sleep(millis(50 * n)).await;
                let lookup = upstream.look_up(cache, 1, || {
                    let lifetime = Lifetime::fresh_for(secs(600));
                    Ok(Fetched::New("answer".into(), lifetime))
                });
                let date = async {
                    sleep(millis(300)).await;
                    told.observe_upstream_time(cache_core::Clock::now(&clock));
                };
                tokio::join!(lookup, date).0
            }
        });
        for answer in join_all(lookups).await {
            answer.unwrap();
        }
        assert_eq!(upstream.calls(), 1);
        assert!(began.elapsed() < secs(3), "{:?}", began.elapsed());
    }
}

/// Tells nobody anything, and does not know it.
struct Mute(MemoryTransport);

#[async_trait]
impl Transport for Mute {
    fn local_peer(&self) -> PeerId {
        self.0.local_peer()
    }

    fn peers(&self) -> Vec<PeerInfo> {
        self.0.peers()
    }

    async fn request(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        self.0.request(to, frame).await
    }

    async fn broadcast(&self, _: Bytes) -> Result<Delivery, TransportError> {
        Ok(Delivery::default())
    }

    async fn accept(&self) -> Option<Inbound> {
        self.0.accept().await
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_is_had_from_the_one_who_did_though_its_word_was_lost() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(5));
    let clock = VirtualClock::default();
    let others = ["a", "b", "c"].map(|name| node(&network, clock, name));
    let mute = Cache::builder().clock(clock);
    let mute = mute.transport(Mute(network.join("mute"))).build();
    sleep(secs(5)).await;
    let upstream = Upstream::default();
    for n in 0..20 {
        let began = Instant::now();
        let waiting = others.iter().map(|cache| async {
            sleep(millis(100)).await;
            upstream.look_up(cache, n, fetched).await
        });
        let first = upstream.look_up(&mute, n, fetched);
        let (first, waiting) = tokio::join!(first, join_all(waiting));
        assert_eq!(source(&first), Source::Fetched);
        for answer in &waiting {
            source(answer);
        }
        assert_eq!(upstream.calls(), u64::from(n) + 1);
        assert!(began.elapsed() < secs(2), "{:?}", began.elapsed());
    }
}

/// Says something every 10 ms, and answers nothing.
async fn chatter(transport: MemoryTransport) {
    let mut unanswered = Vec::new();
    loop {
        tokio::select! {
            inbound = transport.accept() => unanswered.push(inbound),
            () = sleep(millis(10)) => {
                for peer in transport.peers() {
                    let told = transport.request(peer.id, Bytes::new());
                    let _ = tokio::time::timeout(millis(1), told).await;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_says_much_and_no_answer_delays_a_call_by_a_second() {
    let network = MemoryNetwork::new(1);
    let owner = network.join("owner");
    let talking = tokio::spawn(chatter(owner));
    let cache = node(&network, VirtualClock::default(), "asker");
    sleep(secs(5)).await;
    let upstream = Upstream::default();
    let began = Instant::now();
    source(&upstream.look_up(&cache, 1, fetched).await);
    let delay = began.elapsed() - millis(500);
    assert!((millis(60)..=millis(1010)).contains(&delay), "{delay:?}");
    talking.abort();
}

#[tokio::test(start_paused = true)]
async fn two_that_are_parted_ask_one_that_both_can_reach() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(2));
    let fleet = fleet(&network, 4).await;
    network.sever(fleet[0].local_peer(), fleet[3].local_peer());
    sleep(secs(3)).await;
    let upstream = Upstream::default();
    for n in 0..30 {
        let lookups = [&fleet[0], &fleet[3]].map(|cache| upstream.look_up(cache, n, fetched));
        for answer in join_all(lookups).await {
            source(&answer);
        }
    }
    // What the two own themselves, the other cannot ask them for.
    assert!(upstream.calls() < 50, "{}", upstream.calls());
}

#[tokio::test(start_paused = true)]
async fn an_older_answer_does_not_end_the_wait_for_a_newer_one() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(2));
    let fleet = fleet(&network, 3).await;
    network.partition([fleet[2].local_peer()]);
    sleep(secs(2)).await;
    let brief = Lifetime::fresh_for(millis(1)).and_stale_for(secs(600));
    for n in 0..10 {
        fleet[2].put(key(n), "stale".into(), brief);
    }
    sleep(secs(1)).await;
    network.heal();
    let upstream = Upstream::default();
    let ask = |cache: Cache, n| {
        let calls = upstream.clone();
        async move {
            let fetch = move |_| async move {
                calls.call();
                sleep(secs(10)).await;
                fetched()
            };
            let freshness = Freshness::AS_STORED;
            source(&cache.get_or_fetch(key(n), freshness, fetch).await)
        }
    };
    // The others are told of what is stale while they fetch.
    let first = (0..10).map(|n| ask(fleet[n as usize % 2].clone(), n));
    let second = (0..10).map(|n| {
        let second = ask(fleet[(n as usize + 1) % 2].clone(), n);
        async {
            sleep(secs(5)).await;
            second.await
        }
    });
    let (_, second) = tokio::join!(join_all(first), join_all(second));
    assert_eq!(second, [Source::Coalesced; 10]);
    assert_eq!(upstream.calls(), 10);
}

/// Sees somebody who is not there any more, and takes a while to find out.
struct Haunted {
    transport: MemoryTransport,
    gone: PeerId,
    finds_out_after: Duration,
}

#[async_trait]
impl Transport for Haunted {
    fn local_peer(&self) -> PeerId {
        self.transport.local_peer()
    }

    fn peers(&self) -> Vec<PeerInfo> {
        let mut peers = self.transport.peers();
        peers.push(PeerInfo::new(self.gone, Direction::Outbound));
        // Nobody knows yet how long the others usually take.
        peers.iter_mut().for_each(|peer| peer.latency = None);
        peers
    }

    async fn request(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        if to == self.gone {
            sleep(self.finds_out_after).await;
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
async fn an_owner_that_is_gone_leaves_its_time_to_the_next() {
    for (seed, finds_out_after) in (0..30).flat_map(|seed| [(seed, 0), (seed, 12)]) {
        println!("seed {seed}, found out after {finds_out_after} ms");
        let network = MemoryNetwork::new(seed).with_latency(millis(10)..=millis(15));
        let clock = VirtualClock::default();
        let gone = PeerId::from_bytes(b"gone").unwrap();
        let fleet = ["a", "b"].map(|name| {
            let transport = Haunted {
                transport: network.join(name),
                gone,
                finds_out_after: millis(finds_out_after),
            };
            Cache::builder().clock(clock).transport(transport).build()
        });
        sleep(secs(5)).await;
        let upstream = Upstream::default();
        let n = seed as u32;
        let lookups = fleet
            .iter()
            .map(|cache| upstream.look_up(cache, n, fetched));
        for answer in join_all(lookups).await {
            answer.unwrap();
        }
        assert_eq!(upstream.calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_that_has_just_come_keeps_the_keys_that_others_have_been_given_by_it() {
    for seed in 0..60 {
        println!("seed {seed}");
        let network = MemoryNetwork::new(seed).with_latency(millis(1)..=millis(5));
        let clock = VirtualClock::default();
        let cache = |transport| Cache::builder().clock(clock).transport(transport);
        // It has died, and one of the two has seen that already.
        let gone = PeerId::from_bytes(b"gone").unwrap();
        let unaware = cache(Haunted {
            transport: network.join("unaware"),
            gone,
            finds_out_after: millis(1),
        });
        let (unaware, aware) = (unaware.build(), node(&network, clock, "aware"));
        sleep(millis(50 * seed)).await;
        let upstream = Upstream::default();
        let later = async {
            sleep(millis(50)).await;
            upstream.look_up(&aware, seed as u32, fetched).await
        };
        let (first, second) = tokio::join!(upstream.look_up(&unaware, seed as u32, fetched), later);
        first.unwrap();
        second.unwrap();
        assert_eq!(upstream.calls(), 1);
    }
}
