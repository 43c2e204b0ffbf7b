//! What goes in comes out again, the newest version of it.

use std::time::Duration;

use redb::{Database, ReadableDatabase, ReadableTable};

use super::super::layout::{BODIES, CHUNKS};
use super::{HOUR, NOW, dir, entry, key, living, noise, open, tombstone};
use crate::key::{Key, Scope};
use crate::path::Path;
use crate::tier::Tier;
use crate::tombstone::{MAX_TOMBSTONES, Target};

#[test]
fn what_was_flushed_is_there_after_a_restart_whatever_its_length() {
    let dir = dir();
    let mut lengths: Vec<usize> = (0..40).map(|n| n * 160).collect();
    lengths.extend([8_000, 65_536, 1_000_000, 8 * 1024 * 1024 - 4096]);
    let disk = open(&dir);
    for (n, len) in lengths.iter().enumerate() {
        disk.keep(key(n as u64), entry(0, &noise(n as u64, *len)), NOW);
        disk.flush();
    }
    assert_eq!(disk.stats().entries, lengths.len() as u64);
    assert_eq!(disk.stats().dropped, 0);
    drop(disk);

    let disk = open(&dir);
    assert_eq!(disk.stats().entries, lengths.len() as u64);
    for (n, len) in lengths.iter().enumerate() {
        let loaded = disk.load(&key(n as u64), NOW);
        assert_eq!(
            loaded,
            Some(entry(0, &noise(n as u64, *len))),
            "{len} bytes"
        );
    }
}

#[test]
fn what_is_not_written_yet_is_found_all_the_same() {
    let dir = dir();
    let disk = open(&dir);
    disk.keep(key(1), entry(0, b"value"), NOW);
    assert_eq!(disk.load(&key(1), NOW), Some(entry(0, b"value")));
}

#[test]
fn a_family_is_found_in_all_its_scopes_written_or_not() {
    let dir = dir();
    let disk = open(&dir);
    let family = key(1).family;
    let keys = [0, 7, u8::MAX].map(|scope| Key::new(family, Scope::from_digest([scope; 16])));
    for (n, key) in keys.into_iter().enumerate() {
        disk.keep(key, entry(0, b"value"), NOW);
        if n == 1 {
            disk.flush();
        }
    }
    disk.keep(key(2), entry(0, b"another"), NOW);
    assert_eq!(disk.keys_of(&family, 10), keys);
    disk.flush();
    assert_eq!(disk.keys_of(&family, 10), keys);
    assert_eq!(disk.keys_of(&family, 2).len(), 2);
}

#[test]
fn it_is_written_without_being_asked_for() {
    let dir = dir();
    // Dropping is not flushing: the writer is told to end, and writes what is left.
    open(&dir).keep(key(1), entry(0, b"value"), NOW);
    assert_eq!(open(&dir).load(&key(1), NOW), Some(entry(0, b"value")));
}

#[test]
fn the_greater_version_is_kept_in_whatever_order_they_come() {
    let dir = dir();
    let (old, new) = (entry(0, b"old"), entry(1, b"new"));
    let mut tied = [entry(5, b"one"), entry(5, b"other")];
    tied.sort_by(crate::merge::compare);
    let [lesser, greater] = tied;
    for flushed in [false, true] {
        let disk = open(&dir);
        for (n, versions) in [
            [old.clone(), new.clone()],
            [new.clone(), old.clone()],
            [lesser.clone(), greater.clone()],
            [greater.clone(), lesser.clone()],
        ]
        .into_iter()
        .enumerate()
        {
            let key = key(n as u64 + if flushed { 10 } else { 0 });
            let greatest = if n < 2 { &new } else { &greater };
            for version in versions {
                disk.keep(key, version, NOW);
                if flushed {
                    disk.flush();
                }
            }
            disk.flush();
            assert_eq!(disk.load(&key, NOW).as_ref(), Some(greatest));
        }
    }
    assert_eq!(open(&dir).stats().entries, 8);
}

#[test]
fn what_a_clock_that_ran_ahead_has_stamped_gives_way() {
    let dir = dir();
    let ahead = entry(3_600_000, b"ahead");
    for flushed in [false, true] {
        let disk = open(&dir);
        disk.keep(key(1), ahead.clone(), ahead.stored_at());
        if flushed {
            disk.flush();
        }
        disk.keep(key(1), entry(0, b"right"), NOW);
        disk.flush();
        assert_eq!(disk.load(&key(1), NOW), Some(entry(0, b"right")));
        drop(disk);
        assert_eq!(open(&dir).recall().latest, NOW);
    }
}

#[test]
fn the_latest_stamp_is_recalled_whatever_it_is_of() {
    let dir = dir();
    for (at, bury) in [(7, false), (9, true), (8, false)] {
        let disk = open(&dir);
        if bury {
            disk.bury(tombstone(Target::Key(key(at)), at));
        } else {
            disk.keep(key(at), entry(at, b"value"), NOW);
        }
    }
    let latest = NOW.saturating_add(Duration::from_millis(9));
    assert_eq!(open(&dir).recall().latest, latest);
}

#[test]
fn what_replaces_an_entry_takes_its_room() {
    let dir = dir();
    let disk = open(&dir);
    disk.keep(key(1), entry(0, &noise(1, 100_000)), NOW);
    disk.flush();
    let before = disk.stats().bytes;
    disk.keep(key(1), entry(1, &noise(2, 100_000)), NOW);
    disk.flush();
    assert_eq!(disk.stats().bytes, before);
    drop(disk);

    let db = Database::open(dir.path().join("store.redb")).unwrap();
    let reading = db.begin_read().unwrap();
    let bodies = reading.open_table(BODIES).unwrap();
    let chunks = reading.open_table(CHUNKS).unwrap();
    assert_eq!(bodies.iter().unwrap().count(), 1);
    assert_eq!(chunks.iter().unwrap().count(), 100_000 / 4080 + 1);
}

#[test]
fn a_discarded_version_is_gone_and_a_newer_one_is_not() {
    let dir = dir();
    let disk = open(&dir);
    let (old, new) = (entry(0, b"old"), entry(1, b"new"));
    disk.keep(key(1), old.clone(), NOW);
    disk.keep(key(2), new.clone(), NOW);
    disk.flush();
    for key in [key(1), key(2)] {
        disk.discard(key, &old);
    }
    disk.flush();
    assert_eq!(disk.load(&key(1), NOW), None);
    assert_eq!(disk.load(&key(2), NOW), Some(new.clone()));

    // The same while nothing is written.
    disk.keep(key(3), old.clone(), NOW);
    disk.discard(key(3), &old);
    disk.discard(key(2), &new);
    assert_eq!(disk.load(&key(3), NOW), None);
    assert_eq!(disk.load(&key(2), NOW), None);
    drop(disk);
    let disk = open(&dir);
    assert_eq!(disk.stats().entries, 0);
    assert_eq!(disk.stats().bytes, 0);
}

#[test]
fn the_dead_are_not_found_and_a_sweep_frees_their_room() {
    let dir = dir();
    let disk = open(&dir);
    for n in 0..100 {
        disk.keep(
            key(n),
            living(0, &noise(n, 5000), Duration::from_secs(n + 1)),
            NOW,
        );
    }
    disk.flush();
    let later = NOW.saturating_add(Duration::from_secs(50));
    assert_eq!(disk.load(&key(10), later), None);
    assert!(disk.load(&key(60), later).is_some());
    assert_eq!(disk.stats().entries, 100);

    disk.sweep(later);
    disk.flush();
    assert_eq!(disk.stats().entries, 50);
    assert_eq!(disk.stats().evictions, 0);
    assert!(disk.load(&key(60), later).is_some());
}

#[test]
fn invalidations_are_remembered_until_they_die() {
    let dir = dir();
    let disk = open(&dir);
    let path = Target::Path(Path::new("/a"));
    disk.bury(tombstone(Target::Key(key(1)), 0));
    disk.bury(tombstone(path.clone(), 5));
    disk.bury(tombstone(path.clone(), 3));
    disk.flush();
    disk.bury(tombstone(path.clone(), 4));
    drop(disk);

    let disk = open(&dir);
    let mut remembered = disk.recall().tombstones;
    remembered.sort_by_key(|tombstone| tombstone.stamp);
    let expected = [
        tombstone(Target::Key(key(1)), 0),
        tombstone(path.clone(), 5),
    ];
    assert_eq!(remembered, expected);

    disk.sweep(NOW.saturating_add(HOUR + Duration::from_millis(1)));
    drop(disk);
    assert_eq!(open(&dir).recall().tombstones, [tombstone(path, 5)]);
}

#[test]
fn too_many_invalidations_become_one_that_covers_more() {
    let dir = dir();
    let disk = open(&dir);
    let max = MAX_TOMBSTONES as u64;
    for n in 0..max + 100 {
        disk.bury(tombstone(Target::Key(key(n)), n));
        if n % 4096 == 0 {
            disk.flush();
        }
    }
    drop(disk);

    let remembered = open(&dir).recall().tombstones;
    assert!(remembered.len() as u64 <= max, "{}", remembered.len());
    for n in 0..max + 100 {
        let of_key = Target::Key(key(n));
        let of_all = Target::Path(Path::root());
        let covers = |tombstone: &crate::Tombstone| {
            (tombstone.target == of_key || tombstone.target == of_all)
                && tombstone.stamp >= NOW.saturating_add(Duration::from_millis(n))
        };
        assert!(remembered.iter().any(covers), "invalidation {n} is lost");
    }
}

#[test]
fn what_a_frame_cannot_hold_is_dropped_and_counted() {
    let dir = dir();
    let disk = open(&dir);
    disk.keep(key(1), entry(0, &noise(1, 9 * 1024 * 1024)), NOW);
    disk.keep(key(2), entry(0, b"small"), NOW);
    disk.flush();
    assert_eq!((disk.stats().dropped, disk.stats().entries), (1, 1));
}
