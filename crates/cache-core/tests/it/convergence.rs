//! Whatever order news come in, and however often, those who have heard all of it agree.

use cache_core::testing::ManualClock;
use cache_core::wire::{Message, Put};
use cache_core::{Cache, Clock, Entry, MeshTime, PeerId, Tombstone};
use futures::future::join_all;
use proptest::prelude::*;

use crate::peer::Peer;
use crate::world::{PATHS, key, lifetime, resource, run, secs, target, value};

/// So far back do stamps reach, and so far ahead, in milliseconds: few, so that they meet.
fn stamp() -> impl Strategy<Value = MeshTime> {
    let now = ManualClock::default().now().as_millis();
    prop_oneof![
        4 => now - 4..=now,
        1 => now - 30_000..=now,
        1 => now..=now + 20_000,
    ]
    .prop_map(MeshTime::from_millis)
}

fn message() -> impl Strategy<Value = Message> {
    let origin = prop_oneof![Just("a"), Just("b")]
        .prop_map(|name| PeerId::from_bytes(name.as_bytes()).unwrap());
    let put = (key(), stamp(), origin.clone(), value(), lifetime()).prop_map(
        |(n, stamp, origin, value, lifetime)| {
            let resource = resource(n);
            let entry = Entry::new(stamp, origin, resource.path, value, lifetime);
            Message::Put(Put {
                key: resource.key,
                entry,
            })
        },
    );
    let invalidate = (target(), stamp(), origin).prop_map(|(target, stamp, origin)| {
        let kept_for = secs(3600);
        Message::Invalidate(Tombstone {
            target,
            stamp,
            kept_for,
            origin,
        })
    });
    prop_oneof![4 => put, 1 => invalidate]
}

/// News, and two orders in which they come, some of them twice.
fn news() -> impl Strategy<Value = [Vec<Message>; 2]> {
    let news = prop::collection::vec(message(), 0..12);
    news.prop_flat_map(|news| {
        let again = prop::sample::subsequence(news.clone(), 0..=news.len());
        again.prop_flat_map(move |again| {
            let all = [news.clone(), again].concat();
            [Just(all.clone()).prop_shuffle(), Just(all).prop_shuffle()]
        })
    })
}

/// What a cache holds after it has heard all this.
async fn hear(news: &[Message]) -> Vec<Option<Entry>> {
    let (peer, transport) = Peer::new("peer");
    let clock = ManualClock::default();
    let cache = Cache::builder().transport(transport).clock(clock).build();
    for message in news {
        peer.tell(message).await;
    }
    let keys: Vec<_> = (0..PATHS.len()).map(|n| resource(n).key).collect();
    join_all(keys.iter().map(|key| cache.get(key))).await
}

proptest! {
    #[test]
    fn the_order_of_news_and_their_number_make_no_difference([one, other] in news()) {
        let (one, other) = run(async { (hear(&one).await, hear(&other).await) });
        prop_assert_eq!(one, other);
    }
}
