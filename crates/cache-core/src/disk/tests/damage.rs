//! Files that somebody or something has changed: never a panic that gets out, never a wrong value.

use std::fs;
use std::path::Path as FilePath;

use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use redb::{Database, ReadableTable};

use super::super::layout::{ENTRIES, TOMBSTONES};
use super::super::sealed::key_bytes;
use super::log::Log;
use super::{NOW, dir, entry, key, noise, open, open_at, rng, some_len, tombstone};
use crate::disk::Disk;
use crate::path::Path;
use crate::tier::Tier;
use crate::tombstone::Target;

const ENTRIES_KEPT: u64 = 120;

fn value(n: u64) -> Vec<u8> {
    let len = some_len(&mut rng(n), 10, 30_000);
    noise(n, len)
}

/// The file of a store with entries of all sizes, closed in good order.
fn good_file() -> Vec<u8> {
    let dir = dir();
    let disk = open(&dir);
    for n in 0..ENTRIES_KEPT {
        disk.keep(key(n), entry(0, &value(n)), NOW);
        if n % 40 == 0 {
            disk.flush();
        }
    }
    disk.bury(tombstone(Target::Path(Path::new("/x")), 0));
    drop(disk);
    fs::read(dir.path().join("store.redb")).unwrap()
}

/// Whatever is in the file: it opens or is set aside, what is found is right, and what is put in
/// afterwards is kept.
fn assert_survives(dir: &FilePath, file: &[u8]) -> u64 {
    fs::write(dir.join("store.redb"), file).unwrap();
    let disk = open_at(dir);
    let mut found = 0;
    for n in 0..ENTRIES_KEPT {
        if let Some(loaded) = disk.load(&key(n), NOW) {
            assert_eq!(loaded, entry(0, &value(n)));
            found += 1;
        }
    }
    let mut at = 1;
    // The damage may show only now; what was written before that is lost with the rest.
    while !takes_in(&disk, at) {
        at += 1;
        assert!(at < 8, "it never comes to rest");
    }
    assert!(!disk.stats().failing);
    drop(disk);
    assert_eq!(open_at(dir).load(&key(0), NOW), Some(entry(at, b"new")));
    found
}

/// Puts in a new version of everything, and tells whether all of it can be found.
fn takes_in(disk: &Disk, at: u64) -> bool {
    let new = entry(at, b"new");
    for n in 0..ENTRIES_KEPT {
        disk.keep(key(n), new.clone(), NOW);
    }
    disk.sweep(NOW);
    disk.flush();
    disk.flush();
    // Each is asked for: so many that do not open are what tells that a file is damaged.
    let found = (0..ENTRIES_KEPT).filter(|n| disk.load(&key(*n), NOW).as_ref() == Some(&new));
    found.count() as u64 == ENTRIES_KEPT
}

fn damage_often(rounds: u64, seed: u64, damage: impl Fn(&mut StdRng, &mut Vec<u8>)) {
    let good = good_file();
    let dir = dir();
    let mut found = 0;
    for seed in seed..seed + rounds {
        println!("seed {seed}");
        let mut file = good.clone();
        damage(&mut rng(seed), &mut file);
        found += assert_survives(dir.path(), &file);
    }
    println!("found {found} of {}", rounds * ENTRIES_KEPT);
}

#[test]
fn a_good_file_is_read_in_full() {
    let dir = dir();
    assert_eq!(assert_survives(dir.path(), &good_file()), ENTRIES_KEPT);
}

#[test]
fn files_that_are_cut_off_anywhere() {
    damage_often(12, 1000, |rng, file| {
        let len = rng.random_range(0..file.len());
        file.truncate(len);
    });
}

#[test]
fn files_with_bytes_changed_anywhere() {
    damage_often(24, 2000, |rng, file| {
        for _ in 0..rng.random_range(1..64) {
            let at = rng.random_range(0..file.len());
            file[at] = rng.random();
        }
    });
}

#[test]
fn files_with_pages_of_garbage() {
    damage_often(20, 3000, |rng, file| {
        for _ in 0..rng.random_range(1..8) {
            let page = rng.random_range(0..file.len() / 4096) * 4096;
            rng.fill_bytes(&mut file[page..page + 4096]);
        }
    });
}

#[test]
fn files_with_pages_in_the_place_of_others() {
    damage_often(40, 4000, |rng, file| {
        for _ in 0..rng.random_range(1..4) {
            let [from, to] = [(); 2].map(|()| rng.random_range(0..file.len() / 4096) * 4096);
            file.copy_within(from..from + 4096, to);
        }
    });
}

#[test]
fn a_row_that_does_not_open_is_dropped_and_counted_and_the_others_stay() {
    let dir = dir();
    let disk = open(&dir);
    disk.keep(key(1), entry(0, b"one"), NOW);
    disk.keep(key(2), entry(0, b"two"), NOW);
    drop(disk);
    // The place of one says that it is where the other is.
    let db = Database::open(dir.path().join("store.redb")).unwrap();
    let writing = db.begin_write().unwrap();
    {
        let mut entries = writing.open_table(ENTRIES).unwrap();
        let other = entries.get(&key_bytes(&key(2))).unwrap().unwrap().value();
        entries.insert(&key_bytes(&key(1)), other).unwrap();
    }
    writing.commit().unwrap();
    drop(db);

    let disk = open(&dir);
    let (loaded, log) = Log::of(|| (disk.load(&key(1), NOW), disk.load(&key(1), NOW)));
    assert_eq!(loaded, (None, None));
    assert_eq!(log.matches("does not open").count(), 1, "{log}");
    assert_eq!(disk.stats().unreadable, 1);
    disk.flush();
    assert_eq!(disk.load(&key(1), NOW), None);
    assert_eq!(disk.load(&key(2), NOW), Some(entry(0, b"two")));
    assert_eq!(disk.stats().entries, 1);

    disk.keep(key(1), entry(0, b"one again"), NOW);
    drop(disk);
    let disk = open(&dir);
    assert_eq!(disk.load(&key(1), NOW), Some(entry(0, b"one again")));
}

#[test]
fn a_store_that_has_lost_an_invalidation_is_not_believed() {
    // In its stamp, in its time of death, and in what is sealed.
    for altered in [0, 8, 40] {
        let dir = dir();
        let disk = open(&dir);
        disk.keep(key(1), entry(0, b"void"), NOW);
        disk.bury(tombstone(Target::Key(key(1)), 1));
        drop(disk);
        let file = dir.path().join("store.redb");
        alter_tombstone(&file, altered);
        let found = fs::read(&file).unwrap();

        let (disk, log) = Log::of(|| open(&dir));
        assert!(
            log.contains("an invalidation in it does not open"),
            "{altered}: {log}"
        );
        assert_eq!(disk.load(&key(1), NOW), None);
        // To write to a broken file could be the end of the process: only that it was open is
        // noted in it.
        let set_aside = fs::read(dir.path().join("store.redb.broken")).unwrap();
        assert_eq!(set_aside.len(), found.len());
        let differing = found.iter().zip(&set_aside).filter(|(a, b)| a != b).count();
        assert!(differing <= 1, "{differing} bytes differ");
    }
}

fn alter_tombstone(file: &FilePath, byte: usize) {
    let db = Database::open(file).unwrap();
    let writing = db.begin_write().unwrap();
    {
        let mut tombstones = writing.open_table(TOMBSTONES).unwrap();
        let (at, mut value) = {
            let (at, value) = tombstones.first().unwrap().unwrap();
            (*at.value(), value.value().to_vec())
        };
        value[byte] ^= 1;
        tombstones.insert(&at, value.as_slice()).unwrap();
    }
    writing.commit().unwrap();
}
