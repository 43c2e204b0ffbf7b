//! How the fleet stands: what members tell each other of themselves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_core::notes::MAX_NOTES;
use cache_core::testing::{MemoryNetwork, VirtualClock};
use cache_core::{Cache, FleetStats, MeshTime, Notes, Topic};
use tokio::time::sleep;

use crate::node::{DAY, key, node};
use crate::world::{millis, secs};

fn fleet(network: &MemoryNetwork, members: usize) -> Vec<Cache> {
    let members = 0..members;
    members
        .map(|n| node(network, VirtualClock::default(), &format!("member {n}")))
        .collect()
}

/// Each member's hits and misses, in the order of the names.
fn table(fleet: &FleetStats) -> Vec<(u64, u64)> {
    let mut members: Vec<_> = fleet.members.iter().collect();
    members.sort_by_key(|member| member.peer);
    let counts = members.iter().map(|member| member.counts.cache);
    counts.map(|stats| (stats.hits, stats.misses)).collect()
}

/// What an application says and hears.
#[derive(Default)]
struct Words {
    says: Mutex<String>,
    hears: Mutex<Vec<String>>,
    calls: AtomicU64,
}

impl Notes for Words {
    fn counters(&self) -> Vec<(&'static str, u64)> {
        vec![("calls", self.calls.load(Ordering::Relaxed))]
    }

    fn write(&self, _now: MeshTime, _room: usize) -> Vec<u8> {
        self.says.lock().unwrap().clone().into_bytes()
    }

    fn read(&self, notes: &[u8], _now: MeshTime) {
        let heard = String::from_utf8(notes.to_vec()).unwrap();
        self.hears.lock().unwrap().push(heard);
    }
}

impl Words {
    fn shared_by(cache: &Cache, topic: &str) -> Arc<Self> {
        let words = Arc::new(Self::default());
        let notes: Arc<dyn Notes> = words.clone();
        cache.share(Topic::of([topic]), Arc::downgrade(&notes));
        words
    }

    fn say(&self, words: &str) {
        words.clone_into(&mut self.says.lock().unwrap());
    }

    fn has_heard(&self, words: &str) -> bool {
        self.hears
            .lock()
            .unwrap()
            .iter()
            .any(|heard| heard == words)
    }
}

#[tokio::test(start_paused = true)]
async fn all_members_show_the_same_and_it_adds_up() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(10));
    let fleet = fleet(&network, 3);
    for (n, cache) in (0..).zip(&fleet) {
        cache.put(key(n), "x".into(), DAY);
        for _ in 0..=n {
            cache.get(&key(n)).await.unwrap();
        }
        cache.get(&key(100)).await;
    }
    sleep(secs(31)).await;
    for cache in &fleet {
        let stats = cache.fleet();
        assert_eq!(table(&stats), [(1, 1), (2, 1), (3, 1)]);
        let totals = stats.totals().cache;
        assert_eq!((totals.hits, totals.misses, totals.requests()), (6, 3, 9));
        assert_eq!((totals.saved(), totals.entries), (6, 9));
        assert!(stats.members[0].is_local && stats.members.iter().all(|m| m.is_connected));
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_sees_how_all_stand_now() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(10));
    let fleet = fleet(&network, 3);
    sleep(secs(5)).await;
    fleet[1].get(&key(100)).await;
    assert_eq!(fleet[0].fleet().totals().cache.misses, 0);
    assert_eq!(fleet[0].ask_fleet().await.totals().cache.misses, 1);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_frozen_is_not_waited_for_and_ages_out_with_its_counts_kept() {
    let network = MemoryNetwork::new(1);
    let fleet = fleet(&network, 3);
    fleet[2].get(&key(100)).await;
    sleep(secs(31)).await;
    network.freeze(fleet[2].local_peer());
    let stats = fleet[0].ask_fleet().await;
    assert_eq!((stats.members.len(), stats.totals().cache.misses), (3, 1));
    sleep(secs(91)).await;
    let stats = fleet[0].fleet();
    assert_eq!((stats.members.len(), stats.past_members), (2, 1));
    assert_eq!(stats.totals().cache.misses, 1);
    network.thaw(fleet[2].local_peer());
    sleep(secs(31)).await;
    let stats = fleet[0].fleet();
    assert_eq!((stats.members.len(), stats.past_members), (3, 0));
    assert_eq!(stats.totals().cache.misses, 1);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_tells_its_last_counts_and_is_asked_nothing_more() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(10));
    let mut fleet = fleet(&network, 3);
    sleep(secs(5)).await;
    let leaving = fleet.pop().unwrap();
    leaving.get(&key(100)).await;
    leaving.close().await;
    sleep(millis(50)).await;
    for cache in &fleet {
        let stats = cache.fleet();
        assert_eq!((stats.members.len(), stats.past_members), (2, 1));
        assert_eq!(stats.totals().cache.misses, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_application_counts_adds_up_too() {
    let network = MemoryNetwork::new(1);
    let fleet = fleet(&network, 3);
    let words: Vec<_> = fleet
        .iter()
        .map(|cache| Words::shared_by(cache, "words"))
        .collect();
    for (n, words) in (1..).zip(&words) {
        words.calls.store(n, Ordering::Relaxed);
    }
    let totals = fleet[0].ask_fleet().await.totals();
    assert_eq!(totals.application["calls"], 6);
}

#[tokio::test(start_paused = true)]
async fn what_is_rung_for_all_have_heard_within_half_a_second() {
    let network = MemoryNetwork::new(1).with_latency(millis(10)..=millis(50));
    let fleet = fleet(&network, 5);
    let words: Vec<_> = fleet
        .iter()
        .map(|cache| Words::shared_by(cache, "words"))
        .collect();
    let others = Words::shared_by(&fleet[1], "something else");
    sleep(secs(5)).await;
    for text in ["first", "second"] {
        words[0].say(text);
        fleet[0].bell().ring();
        fleet[0].bell().ring();
        sleep(millis(400)).await;
        assert!(words[1..].iter().all(|words| words.has_heard(text)));
    }
    assert!(!words[0].has_heard("second"), "nobody hears himself");
    assert!(others.hears.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn however_often_it_is_rung_the_others_are_told_five_times_a_second() {
    let network = MemoryNetwork::new(1);
    let fleet = fleet(&network, 2);
    let words = [0, 1].map(|n| Words::shared_by(&fleet[n], "words"));
    sleep(secs(5)).await;
    words[0].say("here");
    for _ in 0..1000 {
        fleet[0].bell().ring();
        sleep(millis(1)).await;
    }
    let heard = words[1].hears.lock().unwrap().len();
    assert!((2..=7).contains(&heard), "{heard}");
}

#[tokio::test(start_paused = true)]
async fn who_joins_hears_what_was_said_before() {
    let network = MemoryNetwork::new(1).with_latency(millis(1)..=millis(10));
    let early = node(&network, VirtualClock::default(), "early");
    let words = Words::shared_by(&early, "words");
    words.say("before");
    sleep(secs(100)).await;
    let late = node(&network, VirtualClock::default(), "late");
    let heard = Words::shared_by(&late, "words");
    sleep(secs(2)).await;
    assert!(heard.has_heard("before"));
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_is_said_again() {
    for seed in 0..10 {
        println!("seed {seed}");
        let network = MemoryNetwork::new(seed).with_loss(0.3);
        let fleet = fleet(&network, 5);
        let words: Vec<_> = fleet
            .iter()
            .map(|cache| Words::shared_by(cache, "words"))
            .collect();
        words[0].say("here");
        fleet[0].get(&key(100)).await;
        sleep(Duration::from_secs(300)).await;
        assert!(words[1..].iter().all(|words| words.has_heard("here")));
        for cache in &fleet {
            assert_eq!(cache.fleet().totals().cache.misses, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn notes_have_a_bound_and_end_with_their_owner() {
    let network = MemoryNetwork::new(1);
    let fleet = fleet(&network, 2);
    let long = Words::shared_by(&fleet[0], "long");
    long.say(&"x".repeat(MAX_NOTES + 1));
    let short = Words::shared_by(&fleet[0], "short");
    short.say("short");
    let heard = ["long", "short"].map(|topic| Words::shared_by(&fleet[1], topic));
    fleet[0].ask_fleet().await;
    assert!(heard[0].hears.lock().unwrap().is_empty());
    assert!(heard[1].has_heard("short"));

    heard[1].hears.lock().unwrap().clear();
    drop(short);
    fleet[0].ask_fleet().await;
    assert!(heard[1].hears.lock().unwrap().is_empty());
}
