//! Clocks that were wrong, peers that fail, answers that are overtaken: what must hold all the same.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::disk::{Disk, Options};
use cache_core::testing::{ManualClock, MemoryNetwork, TestSealer, VirtualClock};
use cache_core::wire::{Message, Question, Reply};
use cache_core::{
    Answer, Cache, Clock, Event, Fetched, Freshness, Key, Lifetime, MAX_FRAME, Path, Tombstone,
    Transport,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use crate::peer::Peer;
use crate::world::secs;

const DAY: Lifetime = Lifetime::fresh_for(Duration::from_secs(24 * 3600));

fn key(n: u32) -> Key {
    Key::public([n.to_le_bytes()])
}

fn node(network: &MemoryNetwork, clock: impl Clock, name: &str) -> Cache {
    let transport = network.join(name);
    Cache::builder().transport(transport).clock(clock).build()
}

async fn value(cache: &Cache, key: Key) -> Option<Bytes> {
    Some(cache.get(&key).await?.value().clone())
}

fn open(dir: &TempDir) -> Disk {
    Disk::open(dir.path(), Options::new(Arc::new(TestSealer::from_seed(1)))).unwrap()
}

#[tokio::test(start_paused = true)]
async fn catching_up_goes_on_where_older_versions_are_held() {
    let network = MemoryNetwork::new(1);
    let clock = VirtualClock::default();
    let [a, b] = ["a", "b"].map(|name| node(&network, clock, name));
    let old = Bytes::from(vec![1; 100_000]);
    let new = Bytes::from(vec![2; 100_000]);
    for n in 0..100 {
        a.put(key(n), old.clone(), DAY);
    }
    sleep(secs(5)).await;
    assert_eq!(value(&b, key(7)).await, Some(old));
    network.partition([a.local_peer()]);
    sleep(secs(5)).await;
    for n in 0..100 {
        a.put(key(n), new.clone(), DAY);
    }
    sleep(secs(5)).await;
    network.heal();
    sleep(secs(600)).await;
    let mut updated = 0;
    for n in 0..100 {
        updated += usize::from(value(&b, key(n)).await.as_ref() == Some(&new));
    }
    assert_eq!(updated, 100);
}

#[tokio::test(start_paused = true)]
async fn a_value_too_large_to_share_does_not_keep_the_others_back() {
    let network = MemoryNetwork::new(1);
    let clock = VirtualClock::default();
    let a = node(&network, clock, "a");
    a.put(key(1), "small".into(), DAY);
    sleep(secs(1)).await;
    a.put(key(2), vec![0; MAX_FRAME + 1].into(), DAY);
    let b = node(&network, clock, "b");
    sleep(secs(120)).await;
    assert_eq!(value(&b, key(1)).await, Some("small".into()));
}

#[tokio::test(start_paused = true)]
async fn many_tombstones_with_long_paths_do_not_stop_catching_up() {
    let network = MemoryNetwork::new(1);
    let clock = VirtualClock::default();
    let a = node(&network, clock, "a");
    let long = "x".repeat(900);
    for n in 0..10_000 {
        a.invalidate_path(Path::new(&format!("/{n}/{long}")));
    }
    a.put(key(1), "here".into(), DAY);
    sleep(secs(1)).await;
    let b = node(&network, clock, "b");
    sleep(secs(60)).await;
    assert_eq!(value(&b, key(1)).await, Some("here".into()));
}

#[tokio::test(start_paused = true)]
async fn a_member_whose_clock_was_corrected_can_invalidate() {
    let network = MemoryNetwork::new(1);
    let clock = VirtualClock::default();
    let a = node(&network, clock.ahead_by(secs(3600)), "a");
    let b = node(&network, clock, "b");
    // The stamp of the first fetch is taken before upstream's clock has been heard.
    let cache = a.clone();
    let fetch = move |_| async move {
        cache.observe_upstream_time(clock.now());
        Ok(Fetched::New("first".into(), DAY))
    };
    a.get_or_fetch(key(0), Freshness::AS_STORED, fetch)
        .await
        .unwrap();
    a.put(key(1), "to be withdrawn".into(), DAY);
    sleep(secs(1)).await;
    assert_eq!(value(&b, key(1)).await, Some("to be withdrawn".into()));
    a.invalidate(key(1));
    sleep(secs(120)).await;
    assert_eq!(value(&a, key(1)).await, None);
    assert_eq!(value(&b, key(1)).await, None, "two minutes later");
}

#[tokio::test(start_paused = true)]
async fn who_joins_a_flight_gets_as_fresh_an_answer_as_asked_for() {
    let dir = TempDir::new().unwrap();
    let clock = ManualClock::default();
    let cache = Cache::builder()
        .clock(clock.clone())
        .disk(open(&dir))
        .build();
    cache.put(key(1), "old".into(), DAY);
    cache.close().await;
    drop(cache);
    tokio::task::yield_now().await;
    clock.advance(secs(3600));
    let cache = Cache::builder().clock(clock).disk(open(&dir)).build();
    let fetch = |_| async { Ok(Fetched::New("new".into(), DAY)) };
    let (_, second) = tokio::join!(
        cache.get_or_fetch(key(1), Freshness::AS_STORED, fetch),
        cache.get_or_fetch(key(1), Freshness::REVALIDATE, fetch),
    );
    let Answer::Entry { entry, source, age } = second.unwrap() else {
        panic!()
    };
    assert_eq!(entry.value(), "new", "{source:?}, {age:?} old");
}

#[tokio::test(start_paused = true)]
async fn what_was_invalidated_is_not_served_because_the_fetch_failed() {
    let clock = VirtualClock::default();
    let cache = Cache::builder().clock(clock).build();
    cache.put(
        key(1),
        "withdrawn".into(),
        Lifetime::fresh_for(secs(1)).and_stale_for(secs(3600)),
    );
    sleep(secs(2)).await;
    let fetching = cache.get_or_fetch(key(1), Freshness::AS_STORED, |_| async {
        sleep(secs(10)).await;
        Err("no".into())
    });
    let invalidating = async {
        sleep(secs(1)).await;
        cache.invalidate(key(1));
    };
    let (answer, ()) = tokio::join!(fetching, invalidating);
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn what_has_died_is_not_served_because_the_fetch_failed() {
    let cache = Cache::builder().clock(VirtualClock::default()).build();
    cache.put(
        key(1),
        "dead".into(),
        Lifetime::fresh_for(secs(1)).and_stale_for(secs(5)),
    );
    sleep(secs(2)).await;
    let answer = cache.get_or_fetch(key(1), Freshness::AS_STORED, |_| async {
        sleep(secs(3600)).await;
        Err("no".into())
    });
    let answer = answer.await;
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_after_a_restart_covers_what_is_on_disk() {
    let dir = TempDir::new().unwrap();
    let clock = ManualClock::default();
    let cache = Cache::builder()
        .clock(clock.clone())
        .disk(open(&dir))
        .build();
    // The local clock is an hour slow; upstream has told.
    cache.observe_upstream_time(clock.now().saturating_add(secs(3600)));
    cache.put(key(1), "withdrawn".into(), DAY);
    cache.close().await;
    drop(cache);
    tokio::task::yield_now().await;
    clock.advance(secs(10));
    let cache = Cache::builder().clock(clock).disk(open(&dir)).build();
    cache.invalidate(key(1));
    assert_eq!(value(&cache, key(1)).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_on_disk_from_the_far_future_is_not_served_for_ever() {
    let dir = TempDir::new().unwrap();
    let clock = ManualClock::default();
    let right = clock.now();
    clock.advance(secs(365 * 24 * 3600));
    let cache = Cache::builder()
        .clock(clock.clone())
        .disk(open(&dir))
        .build();
    cache.put(key(1), "old".into(), Lifetime::fresh_for(secs(60)));
    cache.close().await;
    drop(cache);
    tokio::task::yield_now().await;
    clock.set(right.saturating_add(secs(24 * 3600)));
    let cache = Cache::builder().clock(clock).disk(open(&dir)).build();
    assert_eq!(value(&cache, key(1)).await, None, "a day later");
}

#[tokio::test(start_paused = true)]
async fn frozen_peers_do_not_keep_the_others_from_catching_up() {
    let network = MemoryNetwork::new(1);
    let clock = VirtualClock::default();
    let [a, b] = ["a", "b"].map(|name| node(&network, clock, name));
    let _frozen = ["x", "y", "z"].map(|name| network.join(name));
    sleep(secs(62)).await;
    network.partition([a.local_peer()]);
    a.put(key(1), "lost on the way".into(), DAY);
    sleep(Duration::from_millis(10)).await;
    network.heal();
    // Four peers, one after the other every 30 s; twice as long for good measure.
    let start = Instant::now();
    while b.get(&key(1)).await.is_none() && start.elapsed() < secs(7200) {
        sleep(secs(1)).await;
    }
    assert!(
        start.elapsed() <= secs(240),
        "it took {:?}",
        start.elapsed()
    );
}

async fn tombstones(cache: &Asked) -> Vec<Tombstone> {
    let reply = cache.ask(Question::Tombstones(0)).await;
    let Some(Message::Reply(Reply::Tombstones(tombstones))) = reply else {
        panic!("{reply:?}")
    };
    tombstones
}

/// A cache on a network, and a member that asks it.
struct Asked {
    me: cache_core::testing::MemoryTransport,
    cache: Cache,
}

impl Asked {
    async fn ask(&self, question: Question) -> Option<Message> {
        let frame = Message::Ask(question).encode().unwrap();
        let reply = self.me.request(self.cache.local_peer(), frame).await.ok()?;
        Message::decode(&reply).ok()
    }
}

#[tokio::test(start_paused = true)]
async fn members_agree_on_tombstones_of_one_moment() {
    let network = MemoryNetwork::new(1);
    let clock = ManualClock::default();
    let [a, b] = ["a", "b"].map(|name| node(&network, clock.clone(), name));
    a.invalidate_all();
    b.invalidate_all();
    sleep(secs(300)).await;
    let [a, b] = [a, b].map(|cache| Asked {
        me: network.join("asker"),
        cache,
    });
    assert_eq!(tombstones(&a).await, tombstones(&b).await);
}

#[tokio::test(start_paused = true)]
async fn a_panic_after_a_private_answer_is_an_error() {
    let cache = Cache::builder().clock(VirtualClock::default()).build();
    let leader = cache.get_or_fetch(key(1), Freshness::AS_STORED, |_| async {
        sleep(secs(1)).await;
        Ok(Fetched::Private)
    });
    let second = cache.clone();
    let follower = async move {
        let follower = tokio::spawn(async move {
            let fetch = |_| async { panic!("in a follower's fetch") };
            second
                .get_or_fetch(key(1), Freshness::AS_STORED, fetch)
                .await
        });
        follower.await
    };
    let (_, follower) = tokio::join!(leader, follower);
    assert!(follower.is_ok(), "the caller panicked");
    assert_eq!(cache.stats().requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn events_end_with_the_cache() {
    let cache = Cache::builder().clock(VirtualClock::default()).build();
    let mut events = cache.subscribe();
    drop(cache);
    let next = timeout(secs(10), events.next()).await;
    assert_eq!(next, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn nothing_outlives_its_invalidation() {
    let (peer, transport) = Peer::new("peer");
    let clock = ManualClock::default();
    let cache = Cache::builder()
        .transport(transport)
        .clock(clock.clone())
        .longest_lifetime(secs(3600))
        .build();
    let withdrawn = cache.put(key(1), "withdrawn".into(), DAY);
    cache.invalidate(key(1));
    clock.advance(secs(3601));
    sleep(secs(120)).await;
    let put = cache_core::wire::Put {
        key: key(1),
        entry: withdrawn,
    };
    peer.tell(&Message::Put(put)).await;
    assert_eq!(value(&cache, key(1)).await, None);
}

#[test]
fn odd_paths() {
    for odd in [
        "",
        "/",
        "//",
        "a\0b/c",
        "../..",
        "ünï/🦀",
        "/a/./b",
        &"/x".repeat(4000),
    ] {
        let path = Path::new(odd);
        assert_eq!(Path::new(&path.to_string()), path);
        assert!(Path::root().covers(&path));
        assert!(path.covers(&path));
    }
}

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
