//! What is told of long values: what is new in them, or where to get them.

use bytes::Bytes;
use cache_core::testing::{MemoryNetwork, VirtualClock};
use cache_core::{Answer, Cache, Fetched, Freshness, Lifetime, Source};
use futures::future::join_all;
use tokio::time::sleep;

use crate::node::{DAY, key, node, value};
use crate::upstream::{Upstream, fleet, source};
use crate::world::secs;

/// As upstream's answers are: what changes each time, and a body.
fn answer(date: u32, body: usize) -> Bytes {
    let mut answer = format!("date: {date:08}\n\n").into_bytes();
    answer.extend((0..body).map(|n| (n * n % 251) as u8));
    answer.into()
}

/// Upstream is asked anew, and confirms the body.
async fn revalidate(cache: &Cache, date: u32, body: usize) {
    let fetch = move |_| async move { Ok(Fetched::Revalidated(answer(date, body), DAY)) };
    let asked = cache.get_or_fetch(key(1), Freshness::at_most(secs(0)), fetch);
    assert_eq!(source(&asked.await), Source::Revalidated);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_upstream_confirms_is_not_sent_again() {
    const BODY: usize = 100_000;
    let network = MemoryNetwork::new(1);
    let fleet = fleet(&network, 3).await;
    fleet[0].put(key(1), answer(1, BODY), DAY);
    sleep(secs(40)).await;
    let before = network.traffic();
    let mut seen = vec![];
    for date in 2..12 {
        revalidate(&fleet[date as usize % 3], date, BODY).await;
        sleep(secs(1)).await;
        for cache in &fleet {
            assert_eq!(value(cache, key(1)).await.unwrap(), answer(date, BODY));
            seen.push(cache.peek(&key(1)).await.unwrap().stored_at());
        }
    }
    assert!(seen.is_sorted() && seen.chunk_by(|a, b| a == b).all(|it| it.len() == 3));
    let moved = network.traffic() - before;
    assert!(moved.bytes < BODY as u64 / 4, "{moved:?}");
}

#[tokio::test(start_paused = true)]
async fn versions_that_wait_together_are_told_as_one() {
    let network = MemoryNetwork::new(2);
    let fleet = fleet(&network, 2).await;
    fleet[0].put(key(1), answer(1, 9000), DAY);
    sleep(secs(40)).await;
    let before = network.traffic();
    // Nothing is sent before this task waits.
    for date in 2..9 {
        fleet[0].put(key(1), answer(date, 9000), DAY);
    }
    sleep(secs(1)).await;
    assert_eq!(value(&fleet[1], key(1)).await.unwrap(), answer(8, 9000));
    let moved = network.traffic() - before;
    assert!(moved.bytes < 2000, "{moved:?}");
}

#[tokio::test(start_paused = true)]
async fn who_lacks_the_version_before_gets_the_whole() {
    let network = MemoryNetwork::new(3);
    let clock = VirtualClock::default();
    let knows = node(&network, clock, "knows");
    let small = Cache::builder()
        .transport(network.join("small"))
        .clock(clock)
        .max_entries(4)
        .build();
    sleep(secs(5)).await;
    knows.put(key(1), answer(1, 9000), DAY);
    sleep(secs(1)).await;
    // It has no room for all of these.
    for n in 2..100 {
        small.put(key(n), Bytes::from_static(b"other"), DAY);
    }
    assert_eq!(small.peek(&key(1)).await, None);
    sleep(secs(10)).await;
    revalidate(&knows, 2, 9000).await;
    sleep(secs(1)).await;
    let upstream = Upstream::default();
    let asked = upstream.look_up(&small, 1, || Err("nobody is to be asked".into()));
    let Ok(Answer::Entry { entry, .. }) = asked.await else {
        panic!("no answer");
    };
    assert_eq!(*entry.value(), answer(2, 9000));
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_long_reaches_those_of_a_large_fleet_who_ask_for_it() {
    const LONG: usize = 200_000;
    let network = MemoryNetwork::new(4);
    let fleet = fleet(&network, 30).await;
    let before = network.traffic();
    // What is about to die nobody catches up on.
    let brief = Lifetime::fresh_for(secs(50));
    fleet[0].put(key(1), answer(1, LONG), brief);
    sleep(secs(1)).await;
    let pushed = network.traffic() - before;
    assert!(pushed.bytes < LONG as u64, "{pushed:?}");
    let upstream = Upstream::default();
    let asked = fleet[1..4].iter();
    let asked = asked.map(|cache| upstream.look_up(cache, 1, || Err("not to be asked".into())));
    for found in join_all(asked).await {
        assert_eq!(source(&found), Source::PeerHit);
    }
    assert_eq!(upstream.calls(), 0);
    let moved = network.traffic() - before;
    assert!(moved.bytes < 8 * LONG as u64, "{moved:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_announced_is_got_from_who_has_it_whoever_passed_the_word_on() {
    // Each is connected to 18 of 60.
    let network = MemoryNetwork::new(5).with_rings(9);
    let fleet = fleet(&network, 60).await;
    fleet[0].put(key(1), answer(1, 200_000), Lifetime::fresh_for(secs(50)));
    sleep(secs(1)).await;
    let upstream = Upstream::default();
    for cache in fleet.iter().step_by(7).skip(1) {
        let asked = upstream.look_up(cache, 1, || Err("not to be asked".into()));
        assert_eq!(source(&asked.await), Source::PeerHit);
    }
    assert_eq!(upstream.calls(), 0);
}
