//! Caches with room for next to nothing.

use bytes::Bytes;
use cache_core::testing::VirtualClock;
use cache_core::{Cache, Event, Fetched, Freshness};
use tokio::time::timeout;

use crate::node::{DAY, key};
use crate::world::secs;

#[tokio::test(start_paused = true)]
async fn tiny_bounds() {
    for (bytes, entries) in [
        (1, 1),
        (1000, 1),
        (1 << 20, 3),
        (1 << 20, 1),
        (u64::MAX, 1),
        (u64::MAX, u64::MAX),
    ] {
        let cache = Cache::builder()
            .clock(VirtualClock::default())
            .max_bytes(bytes)
            .max_entries(entries)
            .build();
        for n in 0..50 {
            cache.put(key(n), Bytes::new(), DAY);
            let fetch = |_| async { Ok(Fetched::New("x".into(), DAY)) };
            cache
                .get_or_fetch(key(n + 1000), Freshness::AS_STORED, fetch)
                .await
                .unwrap();
        }
        let stats = cache.stats();
        assert!(
            stats.entries <= entries.saturating_add(1),
            "{bytes} {entries}: {stats:?}"
        );
        assert!(
            stats.bytes <= bytes.saturating_add(1 + bytes / 32),
            "{bytes} {entries}: {stats:?}"
        );
        assert_eq!(stats.requests(), 50);
        tokio::join!(cache.close(), cache.close());
        cache.close().await;
        cache.put(key(1), "x".into(), DAY);
        assert!(
            cache
                .get_or_fetch(key(9999), Freshness::AS_STORED, |_| async {
                    Ok(Fetched::New("x".into(), DAY))
                })
                .await
                .is_err()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_of_no_room_says_that_it_is_empty() {
    let cache = Cache::builder()
        .clock(VirtualClock::default())
        .max_bytes(0)
        .build();
    for n in 0..50 {
        cache.put(key(n), "x".into(), DAY);
        assert!(cache.get(&key(n)).await.is_none());
    }
    assert_eq!(cache.stats().entries, 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_word_on_what_does_not_fit_is_that_it_is_gone() {
    let cache = Cache::builder()
        .clock(VirtualClock::default())
        .max_bytes(10_000)
        .build();
    let mut events = cache.subscribe();
    cache.put(key(1), vec![0; 100_000].into(), DAY);
    assert_eq!(cache.stats().entries, 0);
    let mut told = Vec::new();
    while let Ok(Some(event)) = timeout(secs(1), events.next()).await {
        told.push(event);
    }
    assert!(
        matches!(told[..], [Event::Kept { .. }, Event::Evicted(_)]),
        "{told:?}"
    );
}
