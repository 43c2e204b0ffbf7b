//! Opening: what is ours, what is not, and who is there already.

use std::fs;
use std::path::Path as FilePath;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use redb::Database;

use super::super::layout::{HEADER, row};
use super::log::Log;
use super::{NOW, dir, entry, key, open, options, tombstone};
use crate::cache::Cache;
use crate::disk::{Disk, OpenError, Options};
use crate::entry::Entry;
use crate::fetch::{Answer, Fetched, Source};
use crate::freshness::Freshness;
use crate::path::Path;
use crate::testing::{ManualClock, TestSealer};
use crate::tier::Tier;
use crate::tombstone::Target;

/// Opens a store that cannot be used, and finds it empty, the file set aside and somebody told.
fn assert_is_set_aside(dir: &FilePath, options: Options, reason: &str) {
    let (disk, log) = Log::of(|| Disk::open(dir, options).unwrap());
    assert!(log.contains("WARN") && log.contains(reason), "{log}");
    assert!(log.contains("store.redb.broken"), "{log}");
    assert!(dir.join("store.redb.broken").exists());
    assert_eq!(disk.load(&key(1), NOW), None);
    assert_eq!(disk.stats().entries, 0);

    disk.keep(key(2), entry(0, b"afterwards"), NOW);
    disk.flush();
    assert_eq!(disk.stats().entries, 1);
}

fn with_one_entry(dir: &FilePath) {
    let disk = super::open_at(dir);
    disk.keep(key(1), entry(0, b"value"), NOW);
    disk.flush();
}

#[test]
fn a_store_of_another_key_is_set_aside() {
    let dir = dir();
    with_one_entry(dir.path());
    let theirs = Options::new(Arc::new(TestSealer::from_seed(2)));
    assert_is_set_aside(dir.path(), theirs, "another key");
}

#[test]
fn a_store_of_a_later_version_is_set_aside() {
    let dir = dir();
    with_one_entry(dir.path());
    let db = Database::open(dir.path().join("store.redb")).unwrap();
    let writing = db.begin_write().unwrap();
    let mut header = writing.open_table(HEADER).unwrap();
    header
        .insert(row::VERSION, 7_u32.to_le_bytes().as_slice())
        .unwrap();
    drop(header);
    writing.commit().unwrap();
    drop(db);
    assert_is_set_aside(dir.path(), options(), "version 7");
}

#[test]
fn a_file_of_garbage_is_set_aside() {
    for garbage in [&b"not a database"[..], &super::noise(1, 100_000)] {
        let dir = dir();
        fs::write(dir.path().join("store.redb"), garbage).unwrap();
        assert_is_set_aside(dir.path(), options(), "cannot be used");
        let aside = fs::read(dir.path().join("store.redb.broken")).unwrap();
        assert_eq!(aside, garbage, "what was set aside was changed");
    }
}

#[test]
fn a_file_that_is_cut_off_is_set_aside() {
    let dir = dir();
    with_one_entry(dir.path());
    let file = fs::OpenOptions::new()
        .write(true)
        .open(dir.path().join("store.redb"))
        .unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len / 2).unwrap();
    assert_is_set_aside(dir.path(), options(), "cannot be used");
}

#[test]
fn the_database_of_another_program_is_set_aside() {
    let dir = dir();
    let theirs = redb::TableDefinition::<u64, u64>::new("theirs");
    let db = Database::create(dir.path().join("store.redb")).unwrap();
    let writing = db.begin_write().unwrap();
    writing.open_table(theirs).unwrap().insert(1, 2).unwrap();
    writing.commit().unwrap();
    drop(db);
    assert_is_set_aside(dir.path(), options(), "another program");
}

#[test]
fn an_empty_file_is_an_empty_store() {
    let dir = dir();
    fs::write(dir.path().join("store.redb"), b"").unwrap();
    let (disk, log) = Log::of(|| open(&dir));
    assert_eq!(log, "");
    assert_eq!(disk.stats().entries, 0);
}

#[test]
fn only_the_last_file_that_was_set_aside_is_kept() {
    let dir = dir();
    for garbage in ["first", "second", "third"] {
        fs::write(dir.path().join("store.redb"), garbage).unwrap();
        drop(open(&dir));
    }
    let mut names: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["store.lock", "store.redb", "store.redb.broken"]);
    let aside = fs::read(dir.path().join("store.redb.broken")).unwrap();
    assert_eq!(aside, b"third");
}

#[test]
fn a_directory_in_use_names_who_uses_it_and_what_to_do() {
    let dir = dir();
    let first = open(&dir);
    let error = Disk::open(dir.path(), options()).unwrap_err();
    let OpenError::InUse { pid, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(pid, Some(process::id()));
    let text = error.to_string();
    assert!(text.contains(&process::id().to_string()), "{text}");
    assert!(text.contains(dir.path().to_str().unwrap()), "{text}");
    assert!(text.contains("choose another directory"), "{text}");

    drop(first);
    open(&dir);
}

#[test]
fn a_path_that_is_no_directory_is_an_error() {
    let dir = dir();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Disk::open(&file, options()).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_what_is_stored() {
    use std::os::unix::fs::PermissionsExt;

    let dir = dir();
    let mine = dir.path().join("a").join("b");
    let mode = |path: &FilePath| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let _disk = super::open_at(&mine);
    assert_eq!(mode(&mine), 0o700);
    for file in ["store.redb", "store.lock"] {
        assert_eq!(mode(&mine.join(file)), 0o600, "{file}");
    }
}

#[test]
fn neither_values_nor_paths_show_in_the_file() {
    let dir = dir();
    let disk = open(&dir);
    disk.keep(key(1), entry(0, b"a value that would show"), NOW);
    disk.bury(tombstone(Target::Path(Path::new("/shown/path")), 0));
    drop(disk);
    let file = fs::read(dir.path().join("store.redb")).unwrap();
    for secret in [&b"a value that"[..], b"shown/path", b"/a/b"] {
        let shows = file.windows(secret.len()).any(|window| window == secret);
        assert!(!shows, "{}", String::from_utf8_lossy(secret));
    }
}

#[test]
fn a_store_that_is_longer_than_it_may_be_keeps_what_lives_longest() {
    let dir = dir();
    let disk = open(&dir);
    for n in 0..64 {
        let lifetime = super::HOUR + Duration::from_secs(n);
        disk.keep(
            key(n),
            super::living(0, &super::noise(n, 200_000), lifetime),
            NOW,
        );
    }
    drop(disk);
    let max_bytes = 4 * 1024 * 1024;
    let file = dir.path().join("store.redb");
    assert!(fs::metadata(&file).unwrap().len() > 2 * max_bytes);
    let disk = Disk::open(dir.path(), options().max_bytes(max_bytes)).unwrap();
    let len = fs::metadata(&file).unwrap().len();
    assert!(len <= max_bytes + max_bytes / 12, "{len} bytes");
    let kept = disk.stats().entries;
    assert!(kept >= 10, "only {kept} are left");
    for n in 0..64 {
        assert_eq!(disk.load(&key(n), NOW).is_some(), n >= 64 - kept, "{n}");
    }
}

#[test]
fn a_file_of_somebody_elses_that_is_longer_than_a_store_may_be_is_set_aside() {
    let dir = dir();
    fs::write(dir.path().join("store.redb"), vec![0x5A; 4_000_000]).unwrap();
    assert_is_set_aside(dir.path(), options().max_bytes(1_000_000), "");
    let aside = fs::metadata(dir.path().join("store.redb.broken")).unwrap();
    assert_eq!(aside.len(), 4_000_000);
}

#[cfg(target_os = "linux")]
#[test]
fn a_lock_that_cannot_say_whose_it_is_locks_all_the_same() {
    let dir = dir();
    // Whatever is written there, the disk is full.
    std::os::unix::fs::symlink("/dev/full", dir.path().join("store.lock")).unwrap();
    let disk = open(&dir);
    disk.keep(key(1), entry(0, b"value"), NOW);
    drop(disk);
    assert!(open(&dir).load(&key(1), NOW).is_some());
}

#[tokio::test]
async fn the_directory_is_free_once_the_last_handle_to_the_cache_is_dropped() {
    let dir = dir();
    for _ in 0..3 {
        let cache = Cache::builder().disk(open(&dir)).build();
        cache.put(
            key(1),
            "value".into(),
            crate::Lifetime::fresh_for(super::HOUR),
        );
        // Its tasks have not even noticed.
        drop(cache);
    }
    assert_eq!(open(&dir).stats().entries, 1);
}

#[tokio::test]
async fn a_cache_finds_after_a_restart_what_it_put_before() {
    let dir = dir();
    let clock = ManualClock::default();
    let start = || {
        Cache::builder()
            .clock(clock.clone())
            .disk(open(&dir))
            .build()
    };
    let lifetime = crate::Lifetime::fresh_for(super::HOUR);

    let cache = start();
    cache.put(key(1), "kept".into(), lifetime);
    cache.put(key(2), "void".into(), lifetime);
    cache.invalidate(key(2));
    cache.close().await;
    assert_eq!(cache.stats().disk.unwrap().entries, 1);
    drop(cache);

    let cache = start();
    assert_eq!(cache.get(&key(1)).await.unwrap().value(), "kept");
    assert!(cache.get(&key(2)).await.is_none());
}

#[tokio::test]
async fn what_the_memory_has_no_room_for_is_found_on_disk() {
    let dir = dir();
    let builder = Cache::builder().clock(ManualClock::default());
    let cache = builder.max_bytes(64 * 1024).disk(open(&dir)).build();
    for n in 0..300 {
        let lifetime = crate::Lifetime::fresh_for(super::HOUR);
        cache.put(key(n), super::noise(n, 2000).into(), lifetime);
    }
    cache.close().await;
    assert!(cache.stats().entries < 100);
    for n in (0..300).chain(0..300) {
        let found = cache.get(&key(n)).await;
        let entry = found.unwrap_or_else(|| panic!("entry {n} is lost"));
        assert_eq!(*entry.value(), super::noise(n, 2000));
    }
}

#[tokio::test]
async fn a_stale_entry_on_disk_is_offered_for_revalidation_though_the_memory_declines_it() {
    let dir = dir();
    let clock = ManualClock::default();
    let builder = Cache::builder().clock(clock.clone());
    // Memory for nothing at all.
    let cache = builder.max_bytes(1024).disk(open(&dir)).build();
    let lifetime = crate::Lifetime::fresh_for(super::HOUR).and_stale_for(super::HOUR);
    cache.put(key(1), super::noise(1, 2000).into(), lifetime);
    clock.advance(super::HOUR);
    let fetch = move |stale: Option<Entry>| async move {
        let stale = stale.ok_or("nothing to revalidate")?;
        Ok(Fetched::Revalidated(stale.value().clone(), lifetime))
    };
    let answer = cache.get_or_fetch(key(1), Freshness::AS_STORED, fetch);
    let answer = answer.await.unwrap();
    let source = Source::Revalidated;
    assert!(matches!(answer, Answer::Entry { source: found, .. } if found == source));
    assert_eq!(cache.stats().entries, 0);
}
