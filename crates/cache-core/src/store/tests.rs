//! The store against a plain map, and what happens at its bounds.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{Lifetime, PeerId};

fn store(max_bytes: u64) -> Store {
    Store::new(max_bytes, Arc::default())
}

fn key(name: u8) -> Key {
    Key::public([[name]])
}

fn value(at: u64, ttl: u64, value: u8) -> Entry {
    let lifetime = Lifetime::fresh_for(Duration::from_millis(ttl));
    let value = Bytes::copy_from_slice(&[value]);
    Entry::value(MeshTime::from_millis(at), PeerId::LOCAL, value, lifetime)
}

proptest! {
    #[test]
    fn it_holds_what_a_map_of_merged_entries_holds(
        offers in proptest::collection::vec((0_u8..4, 0_u64..20, 1_u64..20, 0_u8..3), 0..60),
        asked_at in 0_u64..40,
    ) {
        let store = store(u64::MAX);
        let mut model = BTreeMap::<u8, Entry>::new();
        for (name, at, ttl, content) in offers {
            let entry = value(at, ttl, content);
            store.merge(key(name), entry.clone());
            let kept = match model.remove(&name) {
                Some(held) => merge::merge(held, entry),
                None => entry,
            };
            model.insert(name, kept);
        }
        let now = MeshTime::from_millis(asked_at);
        for name in 0..4 {
            let expected = model.get(&name).filter(|entry| !is_dead(entry, now));
            prop_assert_eq!(store.get(&key(name), now), expected.cloned());
        }
    }
}

#[test]
fn an_older_or_equal_version_is_ignored() {
    let store = store(u64::MAX);
    assert_eq!(store.merge(key(1), value(5, 10, 0)), Merged::Accepted);
    assert_eq!(store.merge(key(1), value(5, 10, 0)), Merged::Ignored);
    assert_eq!(store.merge(key(1), value(4, 99, 9)), Merged::Ignored);
    assert_eq!(store.merge(key(1), value(6, 10, 0)), Merged::Accepted);
}

#[test]
fn concurrent_merges_of_one_key_keep_the_greatest() {
    let store = store(u64::MAX);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for at in 0..500 {
                    store.merge(key(1), value(at * 4 + thread, 1_000_000, 0));
                }
            });
        }
    });
    let held = store.get(&key(1), MeshTime::from_millis(0)).unwrap();
    assert_eq!(held.stored_at(), MeshTime::from_millis(499 * 4 + 3));
}

#[test]
fn the_dead_leave_on_lookup_and_by_the_sweep_and_are_counted_once() {
    let store = store(u64::MAX);
    for name in 0..10 {
        store.merge(key(name), value(0, u64::from(name) + 1, 0));
    }
    let now = MeshTime::from_millis(5);
    assert!(store.get(&key(0), now).is_none());
    store.sweep(now);
    store.sweep(now);
    assert_eq!(store.counters.expirations.get(), 5);
    assert_eq!(store.size().0, 5);
}

#[test]
fn it_stays_within_its_bytes_and_counts_what_it_evicts() {
    let max_bytes = 100_000;
    let store = store(max_bytes);
    let offered = 1000;
    for name in 0..offered {
        let value = Bytes::from(vec![0; 1000]);
        let lifetime = Lifetime::fresh_for(Duration::from_secs(1));
        let entry = Entry::value(MeshTime::from_millis(1), PeerId::LOCAL, value, lifetime);
        store.merge(Key::public([u32::to_le_bytes(name)]), entry);
    }
    let (entries, bytes) = store.size();
    assert!(bytes <= max_bytes, "{bytes} bytes");
    assert!(entries > 50, "{entries} entries");
    assert_eq!(store.counters.evictions.get() + entries, u64::from(offered));
}
