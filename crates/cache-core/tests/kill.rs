//! A process that is killed while it writes loses no more than what it has not flushed.
//!
//! The test runs itself once more as the process that is killed. What that one is to do, it is told
//! by a `--skip` that no test's name matches, so that the test harness passes over it.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path as FilePath;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::disk::{Disk, Options};
use cache_core::testing::{ManualClock, TestSealer};
use cache_core::{Cache, Key, Lifetime, Path, Resource};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use tokio::task;

/// The keys that are written to, again and again.
const KEYS: u64 = 40;

const ROUNDS: usize = 20;

/// How a child is told where to begin, and in which directory: one that flushes, and one that leaves
/// to the cache when what is written.
const FLUSHING: &str = "write from ";
const POURING: &str = "pour from ";

const HOUR: Duration = Duration::from_secs(3600);

fn key(n: u64) -> Key {
    Key::public([n.to_le_bytes()])
}

/// What is stored in the `n`th write: it says which one it is, and how the rest goes.
fn value(n: u64) -> Bytes {
    let mut rng = StdRng::seed_from_u64(n);
    let len = match n % 10 {
        0 => rng.random_range(50_000..400_000),
        _ => rng.random_range(10..8_000),
    };
    let mut value = n.to_le_bytes().to_vec();
    value.resize(len.max(8), 0);
    rng.fill_bytes(&mut value[8..]);
    value.into()
}

/// The write that a value is of; checks all of it.
fn number_of(found: &[u8]) -> u64 {
    let n = u64::from_le_bytes(found[..8].try_into().unwrap());
    assert_eq!(found, value(n), "a body that was never written");
    n
}

fn start(dir: &FilePath, clock: &ManualClock) -> Cache {
    let options = Options::new(Arc::new(TestSealer::from_seed(1))).max_bytes(64 * 1024 * 1024);
    let disk = Disk::open(dir, options).unwrap();
    Cache::builder().clock(clock.clone()).disk(disk).build()
}

/// Another one for each run: when a process is killed cannot be had again from a seed anyhow.
fn rng() -> StdRng {
    let seed = rand::random();
    println!("seed {seed}");
    StdRng::seed_from_u64(seed)
}

/// What this process is told to do, if it is a child of this kind.
fn order(kind: &str) -> Option<(u64, String)> {
    let order = std::env::args().find_map(|arg| Some(arg.strip_prefix(kind)?.to_owned()))?;
    let (first, dir) = order.split_once(' ').unwrap();
    Some((first.parse().unwrap(), dir.to_owned()))
}

/// Writes until it is killed; says after each flush up to which write all is flushed.
#[tokio::test]
async fn child() {
    let Some((mut n, dir)) = order(FLUSHING) else {
        // This is no child, but a run of all tests.
        return;
    };
    let clock = ManualClock::default();
    clock.advance(Duration::from_millis(n));
    let cache = start(FilePath::new(&dir), &clock);
    loop {
        for _ in 0..10 {
            clock.advance(Duration::from_millis(1));
            cache.put(key(n % KEYS), value(n), Lifetime::fresh_for(HOUR));
            n += 1;
        }
        // Writes to disk all that waits, and can be done again.
        cache.close().await;
        println!("flushed {n}");
        io::stdout().flush().unwrap();
    }
}

#[tokio::test]
async fn what_was_flushed_survives_a_kill_at_any_moment() {
    let mut rng = rng();
    let dir = tempfile::TempDir::new().unwrap();
    let mut first = 0;
    for round in 0..ROUNDS {
        let delay = Duration::from_millis(rng.random_range(0..300));
        let flushed = run_and_kill("child", FLUSHING, first, dir.path(), delay).unwrap_or(first);
        println!("round {round}: killed after {delay:?}, flushed up to {flushed}");

        let clock = ManualClock::default();
        let cache = start(dir.path(), &clock);
        let mut newest = flushed;
        for k in 0..KEYS {
            let Some(entry) = cache.get(&key(k)).await else {
                let must = (0..flushed)
                    .rev()
                    .take(KEYS as usize)
                    .any(|n| n % KEYS == k);
                assert!(!must, "key {k} is lost");
                continue;
            };
            let n = number_of(entry.value());
            assert_eq!(n % KEYS, k, "the body of another key");
            let least = (0..flushed).rev().find(|n| n % KEYS == k);
            assert!(
                least.is_none_or(|least| n >= least),
                "{n} is older than what was flushed"
            );
            newest = newest.max(n + 1);
        }
        let stats = cache.stats().disk.unwrap();
        assert_eq!((stats.unreadable, stats.failing), (0, false));
        assert!(!dir.path().join("store.redb.broken").exists(), "set aside");
        cache.close().await;
        drop(cache);
        first = newest;
    }
    assert!(first > 100, "only {first} writes came to anything");
}

/// Every so many writes one is withdrawn, right after it was put.
const WITHDRAWN: u64 = 7;

fn path(n: u64) -> Path {
    Path::new(&format!("/writes/{n}"))
}

/// Puts one key after the other, as fast as it can, until it is killed.
#[tokio::test]
async fn pouring_child() {
    let Some((mut n, dir)) = order(POURING) else {
        return;
    };
    let clock = ManualClock::default();
    let options = Options::new(Arc::new(TestSealer::from_seed(1)));
    // Small batches; and whatever the disk cannot keep up with waits.
    let options = options.max_bytes(16 << 20).max_pending_bytes(1 << 30);
    let disk = Disk::open(dir, options).unwrap();
    let cache = Cache::builder().clock(clock.clone()).disk(disk).build();
    let mut is_silent = true;
    loop {
        if is_silent && cache.stats().disk.unwrap().entries > 0 {
            println!("flushed {n}");
            io::stdout().flush().unwrap();
            is_silent = false;
        }
        clock.advance(Duration::from_millis(1));
        let resource = Resource::new(key(n), path(n));
        let value = Bytes::copy_from_slice(&n.to_le_bytes());
        cache.put(resource, value, Lifetime::fresh_for(24 * HOUR));
        if n.is_multiple_of(WITHDRAWN) {
            cache.invalidate_path(path(n));
        }
        n += 1;
        task::yield_now().await;
    }
}

#[tokio::test]
async fn of_what_was_not_flushed_a_kill_loses_the_last_and_nothing_before_it() {
    let mut rng = rng();
    for round in 0..5 {
        let dir = tempfile::TempDir::new().unwrap();
        let delay = Duration::from_millis(rng.random_range(0..500));
        run_and_kill("pouring_child", POURING, 1, dir.path(), delay);
        let clock = ManualClock::default();
        clock.advance(2 * HOUR);
        let cache = start(dir.path(), &clock);
        let written = cache.stats().disk.unwrap().entries;
        println!("round {round}: killed after {delay:?}, {written} entries written");
        let (mut found, mut n, mut missing) = (0, 0, None);
        // Those that are not there count as much as those that are.
        while found + n / WITHDRAWN < written {
            n += 1;
            match cache.get(&key(n)).await {
                Some(entry) => {
                    assert_eq!(entry.value()[..], n.to_le_bytes());
                    assert_eq!(missing, None, "{n} is there, an earlier one is not");
                    assert!(!n.is_multiple_of(WITHDRAWN), "{n} was withdrawn");
                    found += 1;
                }
                None if n.is_multiple_of(WITHDRAWN) => {}
                None => missing = missing.or(Some(n)),
            }
            assert!(
                missing.is_none_or(|missing| n < missing + 1000),
                "{missing:?} is lost"
            );
        }
        assert!(found > 0);
        cache.close().await;
    }
}

/// Lets a child of one kind write from `first` on, and kills it this long after its first flush; tells up to
/// where it has flushed.
fn run_and_kill(
    child: &str,
    order: &str,
    first: u64,
    dir: &FilePath,
    delay: Duration,
) -> Option<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture", "--skip"])
        .arg(format!("{order}{first} {}", dir.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut flushed = None;
    let number = |line: &str| line.split_once("flushed ")?.1.trim().parse().ok();
    while flushed.is_none() {
        flushed = number(&lines.next().expect("a child that writes").unwrap());
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::park_timeout(delay);
            child.kill().unwrap();
        });
        // Whatever it has said before it was killed counts.
        for line in lines.map_while(Result::ok) {
            flushed = number(&line).or(flushed);
        }
    });
    child.wait().unwrap();
    flushed
}
