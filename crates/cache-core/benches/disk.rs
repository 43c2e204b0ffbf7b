//! The store on disk, each time beside a bare redb that does the nearest thing: `cargo bench -p
//! cache-core --bench disk`.
//!
//! - `open`: a store that was closed in good order. Ours reads its header and the invalidations.
//! - `open and load one`: the same, and the first answer out of it.
//! - `load`: one entry of 100 000 that is not in memory. Ours goes through a thread where blocking
//!   is allowed, opens the seal and decodes.
//! - `keep and flush 1000`: until they are on disk. Ours seals, orders them by death, and saves what
//!   a start after a crash needs; a bare redb reads its whole file then.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

use std::hint::black_box;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::disk::{Disk, Options};
use cache_core::testing::TestSealer;
use cache_core::{Cache, Key, Lifetime};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use redb::{Database, ReadableDatabase, TableDefinition};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::time::Instant;

const VALUE_LEN: usize = 2000;
const LIFETIME: Lifetime = Lifetime::fresh_for(Duration::from_secs(24 * 3600));
const BARE: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("bare");

fn key(n: u64) -> Key {
    Key::public([n.to_le_bytes()])
}

fn value(n: u64) -> Bytes {
    let mut value = vec![0; VALUE_LEN];
    StdRng::seed_from_u64(n).fill_bytes(&mut value);
    value.into()
}

fn options() -> Options {
    // All that is put before it is flushed finds room: of more, entries would be left out.
    Options::new(Arc::new(TestSealer::from_seed(1))).max_pending_bytes(16 * 1024 * 1024)
}

fn open(dir: &FilePath) -> Disk {
    Disk::open(dir, options()).unwrap()
}

/// Waits until the sweep that was under way when a cache was closed has let go of the directory.
fn wait_until_free(dir: &FilePath) {
    while Disk::open(dir, options()).is_err() {
        std::thread::yield_now();
    }
}

/// A cache with next to no memory.
fn cache(disk: Disk) -> Cache {
    Cache::builder().max_bytes(64 * 1024).disk(disk).build()
}

fn open_bare(dir: &FilePath) -> Database {
    Database::builder()
        .set_cache_size(8 * 1024 * 1024)
        .create(dir.join("bare.redb"))
        .unwrap()
}

async fn put(cache: &Cache, entries: std::ops::Range<u64>) {
    for n in entries {
        cache.put(key(n), value(n), LIFETIME);
        if n % 2000 == 1999 {
            // Writes down what waits, and can be done again.
            cache.close().await;
        }
    }
    cache.close().await;
}

fn put_bare(db: &Database, entries: std::ops::Range<u64>) {
    let writing = db.begin_write().unwrap();
    let mut table = writing.open_table(BARE).unwrap();
    for n in entries {
        let value = value(n);
        table.insert(key(n).family.as_bytes(), &*value).unwrap();
    }
    drop(table);
    writing.commit().unwrap();
}

fn filled(runtime: &Runtime, entries: u64) -> TempDir {
    let dir = TempDir::new().unwrap();
    runtime.block_on(async { put(&cache(open(dir.path())), 0..entries).await });
    wait_until_free(dir.path());
    put_bare(&open_bare(dir.path()), 0..entries);
    dir
}

/// What `work` takes, without what it takes to `end` what comes of it.
fn time<T>(times: u64, mut work: impl FnMut() -> T, end: impl Fn(T)) -> Duration {
    (0..times)
        .map(|_| {
            let start = Instant::now();
            let done = black_box(work());
            let taken = start.elapsed();
            end(done);
            taken
        })
        .sum()
}

fn opening(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for entries in [10_000, 100_000] {
        let dir = filled(&runtime, entries);
        let path = dir.path();
        let mut group = c.benchmark_group("open");
        group.bench_function(BenchmarkId::new("ours", entries), |b| {
            b.iter_custom(|times| time(times, || open(path), drop));
        });
        group.bench_function(BenchmarkId::new("bare redb", entries), |b| {
            b.iter_custom(|times| time(times, || open_bare(path), drop));
        });
        group.finish();

        let mut group = c.benchmark_group("open and load one");
        group.bench_function(BenchmarkId::new("ours", entries), |b| {
            b.iter_custom(|times| {
                let open_and_load = || {
                    runtime.block_on(async {
                        let cache = cache(open(path));
                        assert!(cache.get(&key(entries / 2)).await.is_some());
                        cache
                    })
                };
                time(times, open_and_load, |cache| {
                    runtime.block_on(cache.close());
                    drop(cache);
                    wait_until_free(path);
                })
            });
        });
        group.bench_function(BenchmarkId::new("bare redb", entries), |b| {
            b.iter_custom(|times| {
                let open_and_load = || {
                    let db = open_bare(path);
                    assert!(load_bare(&db, entries / 2).is_some());
                    db
                };
                time(times, open_and_load, drop)
            });
        });
        group.finish();
    }
}

fn load_bare(db: &Database, n: u64) -> Option<Vec<u8>> {
    let table = db.begin_read().unwrap().open_table(BARE).unwrap();
    let value = table.get(key(n).family.as_bytes()).unwrap()?;
    Some(value.value().to_vec())
}

fn loading(c: &mut Criterion) {
    const ENTRIES: u64 = 100_000;
    let runtime = Runtime::new().unwrap();
    let dir = filled(&runtime, ENTRIES);
    let mut group = c.benchmark_group("load");
    group.throughput(Throughput::Elements(1));
    let cache = runtime.block_on(async { cache(open(dir.path())) });
    group.bench_function("ours", |b| {
        let mut rng = StdRng::seed_from_u64(1);
        b.iter(|| {
            let key = key(rng.random_range(0..ENTRIES));
            runtime.block_on(cache.get(&key)).unwrap()
        });
    });
    group.bench_function("bare redb", |b| {
        let db = open_bare(dir.path());
        let mut rng = StdRng::seed_from_u64(1);
        b.iter(|| load_bare(&db, rng.random_range(0..ENTRIES)).unwrap());
    });
    group.finish();
}

fn keeping(c: &mut Criterion) {
    const BATCH: u64 = 1000;
    let runtime = Runtime::new().unwrap();
    let mut group = c.benchmark_group("keep and flush 1000");
    group
        .throughput(Throughput::Elements(BATCH))
        .sample_size(20);
    let dir = TempDir::new().unwrap();
    let cache = runtime.block_on(async { cache(open(dir.path())) });
    let mut n = 0;
    group.bench_function("ours", |b| {
        b.iter(|| {
            runtime.block_on(put(&cache, n..n + BATCH));
            n += BATCH;
        });
    });
    let db = open_bare(dir.path());
    let mut n = 0;
    group.bench_function("bare redb", |b| {
        b.iter(|| {
            put_bare(&db, n..n + BATCH);
            n += BATCH;
        });
    });
    group.finish();
}

criterion_group!(benches, opening, loading, keeping);
criterion_main!(benches);
