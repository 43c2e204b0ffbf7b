//! The store against a plain map, and what happens at its bounds.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::digest::BUCKETS;
use crate::{Lifetime, MeshTime, Path, PeerId};

const UNBOUNDED: u64 = u64::MAX;

const NOW: MeshTime = MeshTime::from_millis(1_000_000);

fn store() -> Store {
    bounded(UNBOUNDED, UNBOUNDED)
}

fn bounded(max_bytes: u64, max_entries: u64) -> Store {
    let sums = Arc::new(Sums::new(BUCKETS));
    let index = Arc::new(Index::new(1 << 20, Arc::clone(&sums)));
    Store::new(max_bytes, max_entries, index, sums)
}

fn key(name: u32) -> Key {
    Key::public([name.to_le_bytes()])
}

fn entry(at: u64, value: &[u8]) -> Entry {
    let lifetime = Lifetime::fresh_for(Duration::from_secs(1));
    let value = Bytes::copy_from_slice(value);
    let at = MeshTime::from_millis(at);
    Entry::new(at, PeerId::LOCAL, Path::root(), value, lifetime)
}

proptest! {
    #[test]
    fn it_holds_what_a_map_of_merged_entries_holds_and_counts_it(
        steps in proptest::collection::vec((0_u32..4, 0_u64..20, 0_u8..3, any::<bool>()), 0..60),
    ) {
        let store = store();
        let mut model = BTreeMap::<u32, Entry>::new();
        for (name, at, value, is_drop) in steps {
            let is_old = |held: &Entry| held.stored_at() < MeshTime::from_millis(at);
            if is_drop {
                let expected = model.get(&name).is_some_and(is_old);
                prop_assert_eq!(store.drop_if(&key(name), is_old), expected);
                model.retain(|held, entry| *held != name || !is_old(entry));
            } else {
                let offered = entry(at, &vec![value; usize::from(value) * 100]);
                store.merge(key(name), &offered, NOW);
                let kept = match model.remove(&name) {
                    Some(held) => merge::merge(held, offered),
                    None => offered,
                };
                model.insert(name, kept);
            }
            let bytes = model.values().map(|entry| entry.weight() as u64).sum();
            prop_assert_eq!(store.size(), (model.len() as u64, bytes));
        }
        for name in 0..4 {
            prop_assert_eq!(store.get(&key(name)), model.get(&name).cloned());
        }
        prop_assert_eq!(store.iter().count(), model.len());
    }
}

#[test]
fn an_older_or_equal_version_is_ignored() {
    let store = store();
    let offer = |at, value: &[u8]| store.merge(key(1), &entry(at, value), NOW);
    let accepted = |replaced| Merged::Accepted {
        replaced,
        evicted: vec![],
    };
    assert_eq!(offer(5, b"a"), accepted(None));
    assert_eq!(offer(5, b"a"), Merged::Ignored);
    assert_eq!(offer(4, b"b"), Merged::Ignored);
    assert_eq!(offer(6, b"a"), accepted(Some(entry(5, b"a"))));
}

#[test]
fn concurrent_merges_of_one_key_keep_the_greatest() {
    let store = store();
    thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for at in 0..500 {
                    store.merge(key(1), &entry(at * 4 + thread, b"a"), NOW);
                }
            });
        }
    });
    let held = store.get(&key(1)).unwrap();
    assert_eq!(held.stored_at(), MeshTime::from_millis(499 * 4 + 3));
    assert_eq!(store.size(), (1, held.weight() as u64));
}

/// Fills a store with many times what it may hold; returns its size, the largest that it ever had,
/// and how many entries it has told to have evicted.
fn overfill(max_bytes: u64, max_entries: u64, value: usize) -> ((u64, u64), (u64, u64), u64) {
    let store = bounded(max_bytes, max_entries);
    let (mut most, mut evicted) = ((0, 0), 0);
    for name in 0..1000 {
        evicted += match store.merge(key(name), &entry(1, &vec![0; value]), NOW) {
            Merged::Accepted { evicted, .. } => evicted.len() as u64,
            Merged::Ignored => 0,
        };
        let (entries, bytes) = store.size();
        most = (most.0.max(entries), most.1.max(bytes));
    }
    (store.size(), most, evicted)
}

#[test]
fn it_stays_within_its_bytes_at_every_moment() {
    for (value, max_bytes) in [(1000, 500_000), (100_000, 10_000_000)] {
        let ((entries, bytes), most, evicted) = overfill(max_bytes, UNBOUNDED, value);
        assert!(bytes <= max_bytes, "{bytes} bytes");
        assert!(most.1 <= max_bytes, "{} bytes", most.1);
        assert!(bytes > max_bytes * 8 / 10, "{bytes} bytes");
        assert_eq!(evicted + entries, 1000);
    }
}

#[test]
fn it_stays_within_its_number_of_entries_at_every_moment() {
    let ((entries, _), most, evicted) = overfill(1 << 40, 100, 10);
    assert!((90..=100).contains(&entries), "{entries} entries");
    assert!(most.0 <= 100, "{} entries", most.0);
    assert_eq!(evicted + entries, 1000);
}

#[test]
fn what_is_asked_for_often_stays() {
    let store = bounded(UNBOUNDED, 100);
    let popular = key(1_000_000);
    store.merge(popular, &entry(1, b"popular"), NOW);
    for name in 0..10_000 {
        store.merge(key(name), &entry(1, b"seldom"), NOW);
        assert!(store.get(&popular).is_some(), "gone after {name}");
    }
}

#[test]
fn an_older_version_does_not_come_back_in_place_of_one_that_had_to_make_room() {
    let store = bounded(UNBOUNDED, 100);
    for name in 0..1000 {
        store.merge(key(name), &entry(2, b"newer"), NOW);
    }
    for name in 0..1000 {
        let merged = store.merge(key(name), &entry(1, b"older"), NOW);
        assert_eq!(merged, Merged::Ignored, "{name}");
    }
    // From the second tier the very version may come back, and none before it.
    let gone = (0..1000).find(|name| !store.contains(&key(*name))).unwrap();
    let restored = store.restore(key(gone), &entry(1, b"older"), NOW);
    assert_eq!(restored, Merged::Ignored);
    let restored = store.restore(key(gone), &entry(2, b"newer"), NOW);
    assert!(matches!(restored, Merged::Accepted { .. }));
}

#[test]
fn the_scopes_of_what_is_held_are_known_and_of_nothing_else() {
    let store = bounded(UNBOUNDED, 50);
    thread::scope(|scope| {
        for thread in 0..3 {
            let store = &store;
            scope.spawn(move || {
                // Few, so that what goes comes back at once.
                for at in 0..5_000_u32 {
                    let at = u64::from(at * 3 + thread);
                    let name = (at * 7 % 80) as u32;
                    store.merge(key(name), &entry(at, b"a"), NOW);
                }
            });
        }
    });
    for name in 0..80 {
        let is_known = !store.scopes(&key(name).family).is_empty();
        assert_eq!(is_known, store.contains(&key(name)), "{name}");
    }
}
