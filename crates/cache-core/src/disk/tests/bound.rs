//! The file stays within its bound, and what dies last stays in it.

use std::fs;
use std::path::Path as FilePath;
use std::time::Duration;

use rand::RngExt;

use super::{NOW, dir, key, living, noise, options, rng, some_len};
use crate::disk::Disk;
use crate::tier::Tier;

const MIB: u64 = 1024 * 1024;

fn len_of(dir: &FilePath) -> u64 {
    fs::metadata(dir.join("store.redb")).unwrap().len()
}

/// Writes five times the bound, with lengths and lifetimes in no order.
fn overfill(max_bytes: u64, least: usize, most: usize, seed: u64) {
    println!("seed {seed}, bound {max_bytes}");
    let dir = dir();
    let disk = Disk::open(dir.path(), options().max_bytes(max_bytes)).unwrap();
    let mut rng = rng(seed);
    let mut kept = Vec::new();
    let (mut written, mut unflushed) = (0, 0);
    while written < 5 * max_bytes {
        let n = kept.len() as u64;
        let len = some_len(&mut rng, least, most);
        let ttl = Duration::from_secs(rng.random_range(1000..1_000_000));
        disk.keep(key(n), living(0, &noise(n, len), ttl), NOW);
        kept.push(len);
        written += len as u64;
        unflushed += len as u64 + 500;
        if unflushed > 3 * MIB {
            unflushed = 0;
            disk.flush();
            let len = len_of(dir.path());
            assert!(len <= max_bytes + max_bytes / 10, "{len} bytes in the file");
        }
    }
    disk.flush();
    let stats = disk.stats();
    assert!(!stats.failing, "{stats:?}");
    assert!(stats.evictions > 0, "{stats:?}");

    let mut held_bytes = 0;
    for (n, len) in kept.iter().enumerate() {
        if let Some(entry) = disk.load(&key(n as u64), NOW) {
            assert_eq!(*entry.value(), noise(n as u64, *len));
            held_bytes += *len as u64;
        }
    }
    let share = held_bytes * 100 / max_bytes;
    println!(
        "{stats:?}, {share} % of the bound are values, the file has {} %",
        len_of(dir.path()) * 100 / max_bytes
    );
    assert_eq!(stats.dropped, 0);
    assert!(share >= 35, "{share} % of the bound in use");
    drop(disk);
    let len = len_of(dir.path());
    assert!(len <= max_bytes + max_bytes / 10, "{len} bytes once closed");
}

#[test]
fn values_of_all_lengths_stay_within_the_bound() {
    overfill(16 * MIB, 100, 1024 * 1024, 1);
}

#[test]
fn small_values_stay_within_the_bound() {
    overfill(4 * MIB, 100, 3000, 2);
}

#[test]
fn a_bound_that_is_no_power_of_two_is_kept_too() {
    overfill(11 * MIB, 100, 200_000, 3);
}

#[test]
fn what_dies_first_is_evicted_first() {
    let dir = dir();
    let disk = Disk::open(dir.path(), options().max_bytes(4 * MIB)).unwrap();
    // Those that live longest came first: it is not by age.
    for n in (0..60).rev() {
        let ttl = Duration::from_secs(1000 + n);
        disk.keep(key(n), living(0, &noise(n, 100_000), ttl), NOW);
        disk.flush();
    }
    let held: Vec<u64> = (0..60)
        .filter(|n| disk.load(&key(*n), NOW).is_some())
        .collect();
    assert!(disk.stats().evictions > 10, "{:?}", disk.stats());
    // But for the last few, for which room was made when they came in.
    let longest: Vec<u64> = held.iter().copied().filter(|n| *n > 5).collect();
    let expected: Vec<u64> = (60 - longest.len() as u64..60).collect();
    assert_eq!(longest, expected, "those that live longest");
}

#[test]
fn the_bound_holds_across_restarts() {
    let dir = dir();
    let max_bytes = 4 * MIB;
    for n in 0..30_u64 {
        let disk = Disk::open(dir.path(), options().max_bytes(max_bytes)).unwrap();
        for m in 0..4 {
            let key = key(n * 4 + m);
            disk.keep(
                key,
                living(0, &noise(n, 150_000), Duration::from_secs(n + 1)),
                NOW,
            );
        }
        drop(disk);
        let len = len_of(dir.path());
        assert!(len <= max_bytes + max_bytes / 10, "{len} bytes after {n}");
    }
    let disk = Disk::open(dir.path(), options().max_bytes(max_bytes)).unwrap();
    assert!(disk.load(&key(119), NOW).is_some());
    assert!(disk.load(&key(0), NOW).is_none());
}
