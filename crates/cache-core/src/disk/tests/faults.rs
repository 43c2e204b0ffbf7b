//! A disk that fails: what is found is right all the same, and once it works again all is there.

use std::collections::HashMap;
use std::io::ErrorKind;

use proptest::prelude::*;

use super::medium::{Medium, Plan};
use super::{NOW, entry, key, noise, tombstone};
use crate::disk::Disk;
use crate::disk::fault::Fault;
use crate::disk::queue::Met;
use crate::entry::Entry;
use crate::key::Key;
use crate::merge;
use crate::tier::Tier;
use crate::tombstone::Target;

const FULL: Plan = Plan {
    after: 0,
    kind: ErrorKind::StorageFull,
    reads: false,
};

#[test]
fn a_full_disk_means_memory_only_until_there_is_room() {
    let medium = Medium::default();
    let disk = medium.open();
    disk.keep(key(1), entry(0, b"before"), NOW);
    disk.flush();

    medium.fail(FULL);
    disk.keep(key(2), entry(0, b"meanwhile"), NOW);
    disk.flush();
    assert!(disk.stats().failing);
    assert_eq!(disk.load(&key(2), NOW), Some(entry(0, b"meanwhile")));

    medium.heal();
    disk.flush();
    assert!(!disk.stats().failing);
    drop(disk);
    let disk = medium.open();
    assert_eq!(disk.load(&key(1), NOW), Some(entry(0, b"before")));
    assert_eq!(disk.load(&key(2), NOW), Some(entry(0, b"meanwhile")));
    assert_eq!(medium.set_aside(), 0);
}

#[test]
fn what_waits_for_a_full_disk_is_bounded() {
    let medium = Medium::default();
    let disk = medium.open();
    medium.fail(FULL);
    for n in 0..40 {
        disk.keep(key(n), entry(0, &noise(n, 1_000_000)), NOW);
    }
    disk.flush();
    let dropped = disk.stats().dropped;
    assert!((20..40).contains(&dropped), "{dropped} dropped");
    // The first that came are those that are kept.
    assert!(disk.load(&key(0), NOW).is_some());
    assert!(disk.load(&key(39), NOW).is_none());

    medium.heal();
    disk.flush();
    assert_eq!(disk.stats().entries, 40 - dropped);
}

#[test]
fn a_version_that_found_no_room_does_not_leave_the_older_one_behind() {
    let medium = Medium::default();
    let disk = medium.open();
    disk.keep(key(1), entry(0, b"old"), NOW);
    disk.keep(key(2), entry(0, b"old"), NOW);
    disk.flush();
    medium.fail(FULL);
    for n in 10..30 {
        disk.keep(key(n), entry(0, &noise(n, 1_000_000)), NOW);
    }
    disk.keep(key(1), entry(1, &noise(1, 1_000_000)), NOW);
    medium.heal();
    // More than is ever written of one entry.
    disk.keep(key(2), entry(1, &noise(2, 9_000_000)), NOW);
    disk.flush();
    drop(disk);
    let disk = medium.open();
    assert_eq!(disk.load(&key(1), NOW), None);
    assert_eq!(disk.load(&key(2), NOW), None);
}

#[test]
fn a_disk_that_is_full_at_the_start_is_used_once_there_is_room() {
    let medium = Medium::default();
    medium.fail(FULL);
    let disk = medium.open();
    disk.keep(key(1), entry(0, b"value"), NOW);
    disk.flush();
    assert!(disk.stats().failing);
    medium.heal();
    disk.flush();
    assert!(!disk.stats().failing);
    drop(disk);
    assert_eq!(medium.open().load(&key(1), NOW), Some(entry(0, b"value")));
}

#[test]
fn a_store_whose_invalidations_were_not_read_at_the_start_is_not_believed_later() {
    let medium = Medium::default();
    let disk = medium.open();
    disk.keep(key(1), entry(0, b"void"), NOW);
    disk.bury(tombstone(Target::Key(key(1)), 1));
    drop(disk);

    medium.fail(Plan {
        reads: true,
        ..FULL
    });
    let disk = medium.open();
    assert_eq!(disk.recall().tombstones, []);
    medium.heal();
    disk.flush();
    assert_eq!(disk.load(&key(1), NOW), None);
}

#[test]
fn two_readers_of_a_damaged_file_have_one_file_set_aside() {
    let medium = Medium::default();
    let disk = medium.open();
    let (generation, _) = disk.shelf.read(|_| Ok(())).unwrap();
    let report = || {
        let fault = Fault::Broken("a page is damaged".to_owned());
        disk.queue.report(Met { fault, generation });
        disk.flush();
    };
    report();
    assert_eq!(medium.set_aside(), 1);
    disk.keep(key(1), entry(0, b"new"), NOW);
    disk.flush();
    // The other one comes late.
    report();
    assert_eq!(medium.set_aside(), 1);
    assert_eq!(disk.stats().entries, 1);
}

#[test]
fn a_failing_read_is_a_miss_and_the_next_one_is_not() {
    let medium = Medium::default();
    drop(medium.open());
    let disk = medium.open();
    disk.keep(key(1), entry(0, &noise(1, 100_000)), NOW);
    drop(disk);
    let disk = medium.open();
    medium.fail(Plan {
        after: 0,
        kind: ErrorKind::Other,
        reads: true,
    });
    assert_eq!(disk.load(&key(1), NOW), None);
    medium.heal();
    disk.flush();
    assert!(disk.load(&key(1), NOW).is_some());
}

#[test]
fn opening_reads_no_more_of_a_large_store_than_of_a_small_one() {
    let reads_of = |entries: u64, is_killed: bool| {
        let medium = Medium::default();
        let disk = medium.open();
        for n in 0..entries {
            disk.keep(key(n), entry(0, &noise(n, 2000)), NOW);
        }
        disk.flush();
        if is_killed {
            medium.lose_power(1);
        }
        drop(disk);
        let before = medium.reads();
        medium.open();
        medium.reads() - before
    };
    for is_killed in [false, true] {
        let (few, many) = (reads_of(10, is_killed), reads_of(2000, is_killed));
        assert!(many <= few + 10, "{few} reads, {many} with more");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Keep { key: u64, at: u64, len: usize },
    Flush,
    Fail(Plan),
    Heal,
    Restart,
    LosePower(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let kinds = prop_oneof![Just(ErrorKind::StorageFull), Just(ErrorKind::Other)];
    prop_oneof![
        6 => (0..6_u64, 0..8_u64, prop_oneof![Just(10_usize), Just(3000), Just(20_000)])
            .prop_map(|(key, at, len)| Step::Keep { key, at, len }),
        3 => Just(Step::Flush),
        2 => (0..40_u32, kinds, any::<bool>())
            .prop_map(|(after, kind, reads)| Step::Fail(Plan { after, kind, reads })),
        2 => Just(Step::Heal),
        1 => Just(Step::Restart),
        1 => any::<u64>().prop_map(Step::LosePower),
    ]
}

/// What has been offered, and what of it has to be there.
#[derive(Default)]
struct Model {
    offered: HashMap<Key, Vec<Entry>>,
    /// Offered since the start.
    since: HashMap<Key, Entry>,
    /// Found after a flush that went well.
    safe: HashMap<Key, Entry>,
}

fn greater(a: Option<&Entry>, b: Option<&Entry>) -> Option<Entry> {
    [a, b]
        .into_iter()
        .flatten()
        .max_by(|a, b| merge::compare(a, b))
        .cloned()
}

impl Model {
    fn keep(&mut self, disk: &Disk, key: Key, entry: Entry) {
        disk.keep(key, entry.clone(), NOW);
        let since = greater(self.since.get(&key), Some(&entry)).unwrap();
        self.since.insert(key, since);
        self.offered.entry(key).or_default().push(entry);
    }

    /// No value is wrong, whatever the disk does.
    fn check(&self, disk: &Disk) {
        for (key, offered) in &self.offered {
            let found = disk.load(key, NOW);
            assert!(found.is_none_or(|found| offered.contains(&found)));
        }
    }

    /// All is as merged, and on disk.
    fn check_settled(&mut self, disk: &Disk) {
        disk.flush();
        assert!(!disk.stats().failing);
        for (key, offered) in &self.offered {
            let least = greater(self.since.get(key), self.safe.get(key));
            let found = disk.load(key, NOW);
            assert!(
                found.as_ref().is_none_or(|found| offered.contains(found)),
                "a wrong value"
            );
            assert_eq!(
                greater(found.as_ref(), least.as_ref()),
                found,
                "an older version than there has to be"
            );
            if let Some(found) = found {
                self.safe.insert(*key, found);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_no_value_is_wrong_and_none_that_was_flushed_is_lost(
        steps in prop::collection::vec(any_step(), 1..40)
    ) {
        let medium = Medium::default();
        let mut disk = medium.open();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Keep { key: n, at, len } => {
                    model.keep(&disk, key(n), entry(at, &noise(at * 100 + n, len)));
                }
                Step::Flush => disk.flush(),
                Step::Fail(plan) => medium.fail(plan),
                Step::Heal => {
                    medium.heal();
                    model.check_settled(&disk);
                }
                Step::Restart => {
                    medium.heal();
                    drop(disk);
                    disk = medium.open();
                }
                Step::LosePower(seed) => {
                    medium.lose_power(seed);
                    drop(disk);
                    disk = medium.open();
                    model.since.clear();
                }
            }
            model.check(&disk);
        }
        medium.heal();
        model.check_settled(&disk);
        drop(disk);
        model.check_settled(&medium.open());
        prop_assert_eq!(medium.set_aside(), 0);
    }
}
