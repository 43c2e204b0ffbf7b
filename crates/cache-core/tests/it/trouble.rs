//! Peers that fail, answers that are overtaken: what must hold all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use cache_core::notes::{Notes, Topic};
use cache_core::testing::{ManualClock, MemoryNetwork, VirtualClock};
use cache_core::wire::{Message, Question, Reply};
use cache_core::{
    Answer, Cache, Clock, Fetched, Freshness, Lifetime, MAX_FRAME, MeshTime, Path, Source,
    Tombstone, Transport,
};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::node::{DAY, end, key, node, node_in, value};
use crate::peer::Peer;
use crate::world::secs;

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
async fn who_joins_a_flight_gets_as_fresh_an_answer_as_asked_for() {
    let dir = TempDir::new().unwrap();
    let clock = ManualClock::default();
    let cache = node_in(&dir, clock.clone());
    cache.put(key(1), "old".into(), DAY);
    end(cache).await;
    clock.advance(secs(3600));
    let cache = node_in(&dir, clock);
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
async fn what_did_not_reach_a_peer_is_made_up_for_as_soon_as_it_answers() {
    let network = MemoryNetwork::new(1);
    let clock = VirtualClock::default();
    let others = (0..20).map(|n| format!("other {n}"));
    let _others: Vec<_> = others.map(|name| node(&network, clock, &name)).collect();
    let [a, b] = ["a", "b"].map(|name| node(&network, clock, name));
    sleep(secs(100)).await;
    network.freeze(b.local_peer());
    a.put(key(1), "lost on the way".into(), DAY);
    sleep(secs(60)).await;
    assert_eq!(value(&b, key(1)).await, None);
    network.thaw(b.local_peer());
    // Less than it takes until a peer is drawn.
    sleep(secs(12)).await;
    assert_eq!(value(&b, key(1)).await, Some("lost on the way".into()));
}

async fn tombstones(cache: &Asked) -> Vec<Tombstone> {
    let all = Question::Tombstones {
        buckets: (0..=u8::MAX).collect(),
        but: Vec::new(),
    };
    let reply = cache.ask(all).await;
    let Some(Message::Reply(Reply::Tombstones { tombstones, .. })) = reply else {
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

/// Notes that panic, whatever is asked of them.
struct Broken;

impl Notes for Broken {
    fn counters(&self) -> Vec<(&'static str, u64)> {
        panic!("no counters")
    }

    fn write(&self, _: MeshTime, _: usize) -> Vec<u8> {
        panic!("nothing to write")
    }

    fn read(&self, _: &[u8], _: MeshTime) {
        panic!("cannot read")
    }
}

struct Talkative;

impl Notes for Talkative {
    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    fn write(&self, _: MeshTime, _: usize) -> Vec<u8> {
        vec![1]
    }

    fn read(&self, _: &[u8], _: MeshTime) {}
}

#[tokio::test(start_paused = true)]
async fn notes_that_panic_cut_a_member_off_from_nothing() {
    let network = MemoryNetwork::new(1);
    let clock = VirtualClock::default();
    let [a, b] = ["a", "b"].map(|name| node(&network, clock, name));
    let (broken, talkative): (Arc<dyn Notes>, Arc<dyn Notes>) =
        (Arc::new(Broken), Arc::new(Talkative));
    a.share(Topic::of(["notes"]), Arc::downgrade(&broken));
    b.share(Topic::of(["notes"]), Arc::downgrade(&talkative));
    sleep(secs(60)).await;
    a.put(key(1), "from a".into(), DAY);
    b.put(key(2), "from b".into(), DAY);
    sleep(secs(1)).await;
    assert_eq!(value(&b, key(1)).await, Some("from a".into()));
    assert_eq!(value(&a, key(2)).await, Some("from b".into()));
    assert_eq!(b.fleet().members.len(), 2, "it still tells how it stands");
}

/// A clock that panics while it is told to.
struct Faulty(VirtualClock, Arc<AtomicBool>);

impl Clock for Faulty {
    fn now(&self) -> MeshTime {
        assert!(!self.1.load(Ordering::Relaxed), "what time is it?");
        self.0.now()
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_panics_stops_no_background_task_for_good() {
    let network = MemoryNetwork::new(1);
    let clock = VirtualClock::default();
    let is_faulty = Arc::new(AtomicBool::new(false));
    let a = node(&network, Faulty(clock, Arc::clone(&is_faulty)), "a");
    let b = node(&network, clock, "b");
    sleep(secs(1)).await;
    is_faulty.store(true, Ordering::Relaxed);
    b.put(key(1), "lost".into(), DAY);
    sleep(secs(90)).await;
    is_faulty.store(false, Ordering::Relaxed);
    sleep(secs(5)).await;
    a.put(key(2), "from a".into(), DAY);
    b.put(key(3), "from b".into(), DAY);
    sleep(secs(1)).await;
    assert_eq!(value(&b, key(2)).await, Some("from a".into()));
    assert_eq!(value(&a, key(3)).await, Some("from b".into()));
    sleep(secs(120)).await;
    assert_eq!(value(&a, key(1)).await, Some("lost".into()), "caught up on");
}

#[tokio::test(start_paused = true)]
async fn who_tolerates_what_is_stale_gets_it_from_disk_too_without_waiting() {
    let dir = TempDir::new().unwrap();
    let clock = ManualClock::default();
    let lifetime = Lifetime::fresh_for(secs(60)).and_stale_for(secs(3600));
    let cache = node_in(&dir, clock.clone());
    cache.put(key(1), "stale".into(), lifetime);
    end(cache).await;
    clock.advance(secs(90));
    let cache = node_in(&dir, clock.clone());
    let freshness = Freshness::AS_STORED.or_stale_while_revalidating(secs(600));
    let fetch = move |_| async move {
        sleep(secs(20)).await;
        Ok(Fetched::New("new".into(), lifetime))
    };
    let answer = cache.get_or_fetch(key(1), freshness, fetch).await.unwrap();
    let Answer::Entry { entry, source, .. } = answer else {
        panic!("{answer:?}");
    };
    assert_eq!((entry.value(), source), (&"stale".into(), Source::Stale));
    sleep(secs(30)).await;
    assert_eq!(value(&cache, key(1)).await, Some("new".into()));
}

#[tokio::test(start_paused = true)]
async fn who_wants_upstream_asked_is_not_given_what_was_asked_for_before() {
    let cache = Cache::builder().clock(VirtualClock::default()).build();
    let ask = |freshness, value: &'static str| {
        let fetch = move |_| async move {
            sleep(secs(10)).await;
            Ok(Fetched::New(value.into(), DAY))
        };
        cache.get_or_fetch(key(1), freshness, fetch)
    };
    let first = ask(Freshness::AS_STORED, "first");
    let later = async |freshness, value| {
        sleep(secs(1)).await;
        match ask(freshness, value).await.unwrap() {
            Answer::Entry { entry, .. } => entry.value().clone(),
            other => panic!("{other:?}"),
        }
    };
    let content = later(Freshness::AS_STORED, "not fetched");
    let wary = later(Freshness::REVALIDATE, "second");
    let (first, content, wary) = tokio::join!(first, content, wary);
    first.unwrap();
    assert_eq!((content, wary), ("first".into(), "second".into()));
}
