//! That what a broadcast did not deliver is made up for.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::answer::list;
use super::*;
use crate::peer::PeerId;
use crate::testing::{MemoryNetwork, VirtualClock};
use crate::wire::Message;
use crate::{Cache, Lifetime, Path, Resource};

const LIFETIME: Lifetime = Lifetime::fresh_for(Duration::from_secs(3600));

/// Long enough to see a new peer, and to ask it for everything.
const A_WHILE: Duration = Duration::from_secs(5);

/// What is left to live of what nobody need catch up on.
const NEARLY_DEAD: Duration = Duration::from_secs(60);

/// Long enough for a turn with every peer of a small fleet.
const SOME_ROUNDS: Duration = Duration::from_secs(200);

fn cache(network: &MemoryNetwork, clock: VirtualClock, name: &str) -> Cache {
    let builder = Cache::builder().clock(clock);
    builder.transport(network.join(name)).build()
}

fn resource(name: u32) -> Resource {
    Resource::new(
        Key::public([name.to_le_bytes()]),
        Path::new(&format!("/{}/{name}", name % 7)),
    )
}

fn put(cache: &Cache, name: u32, value: &'static [u8]) {
    cache.put(resource(name), Bytes::from_static(value), LIFETIME);
}

async fn holds(cache: &Cache, name: u32) -> Option<Bytes> {
    let entry = cache.get(&resource(name).key).await;
    entry.map(|entry| entry.value().clone())
}

#[tokio::test(start_paused = true)]
async fn who_joins_late_gets_what_was_put_before() {
    let (network, clock) = (MemoryNetwork::new(1), VirtualClock::default());
    let early = cache(&network, clock, "early");
    for name in 0..1000 {
        put(&early, name, b"value");
    }
    early.invalidate_path(Path::new("/3"));
    time::sleep(A_WHILE).await;
    let late = cache(&network, clock, "late");
    time::sleep(A_WHILE).await;
    for name in 0..1000 {
        assert_eq!(holds(&late, name).await.is_some(), name % 7 != 3, "{name}");
    }
    // The invalidation has come along, and refuses what it covers.
    assert_eq!(early.stats().broadcast.sent, 0);
    assert_eq!(late.stats().received.accepted, 1000 - 143 + 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_partition_both_sides_hold_the_same() {
    let network = MemoryNetwork::new(2);
    let clock = VirtualClock::default();
    let names = ["a", "b", "c", "d"];
    let caches = names.map(|name| cache(&network, clock, name));
    for name in 0..20 {
        put(&caches[0], name, b"before");
    }
    time::sleep(A_WHILE).await;
    network.partition([caches[0].local_peer(), caches[1].local_peer()]);
    for (side, cache) in [(b"left " as &[u8], &caches[1]), (b"right", &caches[2])] {
        for name in 0..10 {
            put(cache, name, side);
        }
        time::sleep(Duration::from_millis(5)).await;
    }
    put(&caches[1], 100, b"left ");
    put(&caches[2], 200, b"right");
    caches[3].invalidate(resource(15).key);
    time::sleep(A_WHILE).await;
    assert_eq!(holds(&caches[0], 0).await.unwrap(), "left ");
    network.heal();
    time::sleep(A_WHILE).await;
    for cache in &caches {
        for name in 0..10 {
            assert_eq!(holds(cache, name).await.unwrap(), "right");
        }
        assert_eq!(holds(cache, 15).await, None);
        assert_eq!(holds(cache, 16).await.unwrap(), "before");
        assert_eq!(holds(cache, 100).await.unwrap(), "left ");
        assert_eq!(holds(cache, 200).await.unwrap(), "right");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_lossy_network_swallowed_comes_by_and_by() {
    let network = MemoryNetwork::new(3).with_loss(0.1);
    let clock = VirtualClock::default();
    let caches = ["a", "b", "c"].map(|name| cache(&network, clock, name));
    for name in 0..30 {
        put(&caches[name as usize % 3], name, b"value");
    }
    time::sleep(SOME_ROUNDS).await;
    for cache in &caches {
        for name in 0..30 {
            assert!(holds(cache, name).await.is_some(), "{name}, seed 3");
        }
    }
}

/// Long enough for a lost frame to be noticed, and made up for.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn who_has_missed_a_put_has_it_ten_seconds_later_though_the_two_have_just_compared() {
    let (network, clock) = (MemoryNetwork::new(1), VirtualClock::default());
    let names = ["a", "b", "c", "d", "e", "f"];
    let caches = names.map(|name| cache(&network, clock, name));
    time::sleep(Duration::from_millis(2_500)).await;
    network.mute(caches[0].local_peer(), caches[1].local_peer());
    put(&caches[0], 1, b"value");
    time::sleep(Duration::from_millis(1)).await;
    network.heal();
    assert_eq!(holds(&caches[1], 1).await, None);
    time::sleep(SOON).await;
    assert_eq!(holds(&caches[1], 1).await.unwrap(), "value");
}

#[tokio::test(start_paused = true)]
async fn what_one_that_died_had_told_some_the_others_have_soon() {
    let (network, clock) = (MemoryNetwork::new(1), VirtualClock::default());
    let caches = ["b", "c", "d", "e"].map(|name| cache(&network, clock, name));
    let dying = cache(&network, clock, "dying");
    time::sleep(A_WHILE).await;
    network.mute(dying.local_peer(), caches[3].local_peer());
    put(&dying, 1, b"value");
    time::sleep(Duration::from_millis(100)).await;
    drop(dying);
    time::sleep(A_WHILE).await;
    assert_eq!(holds(&caches[3], 1).await.unwrap(), "value");
}

#[tokio::test(start_paused = true)]
async fn what_its_origin_has_had_to_let_go_is_got_from_whoever_was_told() {
    for missing in 0..4 {
        let (network, clock) = (MemoryNetwork::new(1), VirtualClock::default());
        let builder = Cache::builder().clock(clock).max_entries(8);
        let small = builder.transport(network.join("small")).build();
        let caches = ["b", "c", "d", "e"].map(|name| cache(&network, clock, name));
        time::sleep(A_WHILE).await;
        network.mute(small.local_peer(), caches[missing].local_peer());
        for name in 0..20 {
            put(&small, name, b"value");
        }
        time::sleep(Duration::from_millis(1)).await;
        network.heal();
        time::sleep(SOON).await;
        for name in 0..20 {
            let held = holds(&caches[missing], name).await;
            assert_eq!(held.unwrap(), "value", "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_a_round_asks_for_takes_several_the_newest_first() {
    let (network, clock) = (MemoryNetwork::new(4), VirtualClock::default());
    let early = cache(&network, clock, "early");
    let large = Bytes::from(vec![0; 1 << 20]);
    for name in 0..20 {
        early.put(resource(name), large.clone(), LIFETIME);
        time::sleep(Duration::from_millis(1)).await;
    }
    let late = cache(&network, clock, "late");
    time::sleep(A_WHILE).await;
    let held = late.stats().entries;
    assert!((7..=10).contains(&held), "{held}");
    assert!(holds(&late, 19).await.is_some());
    assert_eq!(holds(&late, 0).await, None);
    time::sleep(SOME_ROUNDS).await;
    assert_eq!(late.stats().entries, 20);
}

#[tokio::test(start_paused = true)]
async fn members_that_agree_tell_each_other_no_more_than_that() {
    let (network, clock) = (MemoryNetwork::new(5), VirtualClock::default());
    let builder = Cache::builder().clock(clock);
    let replica_of = builder.transport(network.join("a")).build();
    put(&replica_of, 1, b"value");
    let peer = network.join("b");
    let ask = async |question| {
        let frame = Message::Ask(question).encode().unwrap();
        let reply = peer.request(replica_of.local_peer(), frame).await.unwrap();
        match Message::decode(&reply).unwrap() {
            Message::Reply(reply) => reply,
            other => panic!("no reply: {other:?}"),
        }
    };
    let Reply::Sums(sums) = ask(Question::Compare(0)).await else {
        panic!("not the sums");
    };
    assert_eq!(ask(Question::Compare(sums.root())).await, Reply::Same);
    let Reply::Versions { versions, buckets } = ask(Question::List {
        buckets: (0..=255).collect(),
        but: Vec::new(),
    })
    .await
    else {
        panic!("not the versions");
    };
    assert_eq!((versions.len(), buckets), (1, 256));
    let nothing = ask(Question::Want(vec![Key::public(["unknown"])])).await;
    assert_eq!(nothing, Reply::Entries(vec![]));
}

#[tokio::test]
async fn a_list_that_is_too_long_covers_whole_buckets_and_says_how_many() {
    let clock = Arc::new(crate::SystemClock);
    let replica = Replica::new(
        PeerId::LOCAL,
        clock,
        crate::replica::Bounds::default(),
        None,
    );
    for name in 0..1000 {
        let resource = resource(name);
        let stamp = replica.stamp(&resource).at;
        replica.commit(resource, stamp, "value".into(), LIFETIME);
    }
    let mut rest: Vec<u8> = (0..=255).collect();
    let mut listed = BTreeSet::new();
    while !rest.is_empty() {
        let Reply::Versions { buckets, versions } = list(&replica, &rest, &[], 100) else {
            panic!("not the versions");
        };
        assert!(versions.len() < 120, "{}", versions.len());
        let covered: BTreeSet<_> = rest.drain(..usize::from(buckets)).collect();
        for known in versions {
            assert!(covered.contains(&known.bucket()));
            assert!(listed.insert(known.key), "listed twice");
        }
    }
    assert_eq!(listed.len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn what_is_about_to_die_makes_no_difference() {
    let (network, clock) = (MemoryNetwork::new(6), VirtualClock::default());
    let early = cache(&network, clock, "early");
    let brief = Lifetime::fresh_for(A_WHILE + NEARLY_DEAD);
    early.put(resource(1), "value".into(), brief);
    time::sleep(A_WHILE).await;
    let late = cache(&network, clock, "late");
    time::sleep(A_WHILE).await;
    assert_eq!(late.stats().entries, 0);
}

#[tokio::test(start_paused = true)]
async fn ten_differences_among_ten_thousand_entries_take_at_most_twenty_kilobytes() {
    let (network, clock) = (MemoryNetwork::new(8), VirtualClock::default());
    let names = ["a", "b"];
    let [a, b] = names.map(|name| cache(&network, clock, name));
    time::sleep(A_WHILE).await;
    for name in 0..10_000 {
        put(&a, name, b"value");
    }
    time::sleep(SOME_ROUNDS).await;
    assert_eq!(b.stats().entries, 10_000);
    network.partition([b.local_peer()]);
    time::sleep(A_WHILE).await;
    for name in 0..10 {
        put(&a, name * 997, b"newer");
    }
    time::sleep(A_WHILE).await;
    let before = network.traffic();
    network.heal();
    time::sleep(A_WHILE).await;
    for name in 0..10 {
        assert_eq!(holds(&b, name * 997).await.unwrap(), "newer");
    }
    let moved = network.traffic() - before;
    assert!(moved.bytes <= 20 * 1024, "{moved:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_member_has_had_to_let_go_it_lists_as_such() {
    let (network, clock) = (MemoryNetwork::new(9), VirtualClock::default());
    let builder = Cache::builder().clock(clock).max_entries(8);
    let small = builder.transport(network.join("small")).build();
    for name in 0..100 {
        put(&small, name, b"value");
    }
    time::sleep(A_WHILE).await;
    let peer = network.join("peer");
    let list = Question::List {
        buckets: (0..=255).collect(),
        but: Vec::new(),
    };
    let frame = Message::Ask(list).encode().unwrap();
    let reply = peer.request(small.local_peer(), frame).await.unwrap();
    let Ok(Message::Reply(Reply::Versions { versions, .. })) = Message::decode(&reply) else {
        panic!("not the versions");
    };
    let held = versions.iter().filter(|known| known.heat.is_some()).count();
    assert_eq!(held as u64, small.stats().entries);
    assert!(versions.len() > held);
}

/// A peer that takes frames and never answers.
async fn freeze(network: &MemoryNetwork, name: &str) {
    let transport = network.join(name);
    let mut unanswered = Vec::new();
    while let Some(inbound) = transport.accept().await {
        unanswered.push(inbound);
    }
}

#[tokio::test(start_paused = true)]
async fn peers_that_never_answer_keep_nobody_from_the_others() {
    let (network, clock) = (MemoryNetwork::new(7), VirtualClock::default());
    for name in ["frozen 1", "frozen 2", "frozen 3"] {
        let network = network.clone();
        tokio::spawn(async move { freeze(&network, name).await });
    }
    tokio::task::yield_now().await;
    let early = cache(&network, clock, "early");
    put(&early, 1, b"value");
    time::sleep(A_WHILE * 10).await;
    let late = cache(&network, clock, "late");
    time::sleep(A_WHILE).await;
    assert_eq!(holds(&late, 1).await.unwrap(), "value");
}
