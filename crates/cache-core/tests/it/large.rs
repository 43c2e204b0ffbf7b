//! Fleets of many members.

use cache_core::testing::{MemoryNetwork, VirtualClock};
use cache_core::{Cache, Source};
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use crate::node::{DAY, key, node, value};
use crate::upstream::{Upstream, fetched, fleet, source};
use crate::world::{millis, secs};

async fn all_look_up(fleet: &[Cache], upstream: &Upstream) {
    let lookups = fleet
        .iter()
        .flat_map(|cache| (0..100).map(move |n| (cache, n)))
        .map(|(cache, n)| upstream.look_up(cache, n, fetched));
    for answer in join_all(lookups).await {
        assert!(matches!(
            source(&answer),
            Source::Fetched | Source::Coalesced | Source::PeerHit
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_members_that_miss_a_hundred_keys_at_one_instant_make_a_hundred_calls() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(30));
    let fleet = fleet(&network, 50).await;
    let upstream = Upstream::default();
    all_look_up(&fleet, &upstream).await;
    assert_eq!(upstream.calls(), 100);
}

#[tokio::test(start_paused = true)]
async fn callers_that_die_while_others_wait_cost_one_call_more_for_each_of_their_keys() {
    let network = MemoryNetwork::new(4).with_latency(millis(1)..=millis(30));
    let mut fleet = fleet(&network, 50).await;
    let upstream = Upstream::default();
    let dying = fleet.split_off(47);
    let keys = || 0..100;
    // Each of them is at it when all the others come.
    let began = Instant::now();
    {
        let calling = dying.iter().zip(0..).flat_map(|(cache, member)| {
            let keys = keys().filter(move |n| n % 3 == member);
            keys.map(move |n| (cache, n))
        });
        let calling = calling.map(|(cache, n)| upstream.look_up(cache, n, fetched));
        tokio::select! {
            _ = join_all(calling) => panic!("they have not died"),
            () = sleep(millis(300)) => {}
        }
    }
    assert_eq!(upstream.calls(), 100);
    let deaths = async {
        sleep(millis(100)).await;
        drop(dying);
    };
    tokio::join!(all_look_up(&fleet, &upstream), deaths);
    assert!(upstream.calls() <= 200, "{}", upstream.calls());
    assert!(began.elapsed() < secs(6), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_put_is_with_two_hundred_members_within_a_second_in_few_copies() {
    let network = MemoryNetwork::new(1)
        .with_latency(millis(10)..=millis(50))
        .with_rings(3);
    let clock = VirtualClock::default();
    let fleet: Vec<_> = (0..200)
        .map(|n| node(&network, clock, &format!("{n}")))
        .collect();
    sleep(secs(5)).await;
    // Everybody sends something else, too: the copies show in what is sent of this size.
    let large = vec![7; 1 << 20];
    let before: Vec<_> = fleet
        .iter()
        .map(|cache| network.sent_by(cache.local_peer()))
        .collect();
    fleet[0].put(key(1), large.clone().into(), DAY);
    sleep(secs(1)).await;
    for (cache, before) in fleet.iter().zip(before) {
        assert_eq!(value(cache, key(1)).await.unwrap().len(), large.len());
        let sent = network.sent_by(cache.local_peer()) - before;
        assert!(sent.bytes < 7 * large.len() as u64, "{sent:?}");
    }
}
