//! In which order what waits is written.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::freshness::Lifetime;
use crate::peer::PeerId;

const NOW: MeshTime = MeshTime::from_millis(1_700_000_000_000);

fn key(n: u64) -> Key {
    Key::public([n.to_le_bytes()])
}

fn entry(at: u64) -> Entry {
    let stored_at = NOW.saturating_add(Duration::from_millis(at));
    let lifetime = Lifetime::fresh_for(Duration::from_secs(60));
    let value = Bytes::from(vec![0; 1000]);
    Entry::new(stored_at, PeerId::LOCAL, Path::root(), value, lifetime)
}

fn keys_of(batch: &Batch) -> Vec<Key> {
    batch.changes.iter().map(|(key, _)| *key).collect()
}

#[test]
fn what_came_first_is_written_first() {
    let mut pending = Pending::new(1 << 20, 1);
    for n in 0..100 {
        assert!(pending.keep(key(n), entry(n), NOW));
    }
    let mut written = Vec::new();
    while !pending.is_empty() {
        let batch = pending.batch(50_000, pending.end());
        written.extend(keys_of(&batch));
        pending.settle(&batch);
    }
    assert_eq!(written, (0..100).map(key).collect::<Vec<_>>());
    assert!(pending.order.is_empty());
}

#[test]
fn what_is_put_all_the_time_keeps_nothing_else_waiting() {
    let mut pending = Pending::new(1 << 20, 1);
    let hot = 0..10;
    for n in 0..20 {
        pending.keep(key(n), entry(n), NOW);
    }
    let mut written = Vec::new();
    for round in 1..10 {
        // About as much as is put anew while it is written.
        let batch = pending.batch(90_000, pending.end());
        hot.clone().for_each(|n| {
            pending.keep(key(n), entry(1000 * round), NOW);
        });
        written.extend(keys_of(&batch));
        pending.settle(&batch);
    }
    for n in 10..20 {
        assert!(written.contains(&key(n)), "{n} has waited for others");
    }
}

#[test]
fn what_comes_while_it_is_written_does_not_prolong_a_turn() {
    let mut pending = Pending::new(1 << 20, 1);
    let mut n = 0;
    let mut put = |pending: &mut Pending| {
        n += 1;
        pending.keep(key(n), entry(n), NOW);
    };
    put(&mut pending);
    let end = pending.end();
    for is_over in [false, true] {
        let batch = pending.batch(1, end);
        assert_eq!(batch.is_empty(), is_over);
        put(&mut pending);
        pending.settle(&batch);
    }
    assert_eq!(pending.entries(), 2);
}

#[test]
fn what_does_not_fit_in_line_is_not_taken_in_unless_it_comes_alone() {
    let mut pending = Pending::new(2000, 1);
    assert!(pending.keep(key(1), entry(1), NOW));
    assert!(!pending.keep(key(2), entry(2), NOW));
    assert!(matches!(pending.get(&key(2)), Some(Change::Discard(_))));
    assert!(pending.get(&key(1)).is_some());

    let mut pending = Pending::new(500, 1);
    assert!(pending.keep(key(1), entry(1), NOW));
    assert!(pending.is_half_full());
    assert!(!pending.keep(key(2), entry(2), NOW));
    let batch = pending.batch(1, pending.end());
    pending.settle(&batch);
    assert!(pending.keep(key(2), entry(2), NOW));
}

#[test]
fn long_invalidations_become_one_before_they_are_many() {
    let mut pending = Pending::new(100_000, 1000);
    for n in 0..200_u64 {
        pending.bury(Tombstone {
            target: Target::Path(Path::new(&format!("/{n}/{}", "x".repeat(900)))),
            stamp: NOW,
            kept_for: Duration::from_secs(60),
            origin: PeerId::LOCAL,
        });
        let bytes: usize = pending.tombstones.values().map(Tombstone::weight).sum();
        assert_eq!(pending.tombstone_bytes, bytes);
        assert!(bytes <= 50_000, "{bytes}");
    }
    let root = Target::Path(Path::root());
    assert!(pending.tombstones.contains_key(&root));
    let batch = pending.batch(1, pending.end());
    pending.settle(&batch);
    assert_eq!((pending.tombstones.len(), pending.tombstone_bytes), (0, 0));
}
