//! What callers and peers wait for, each time beside bare tables that do the nearest thing:
//! `cargo bench -p cache-core --bench lookups`.
//!
//! - `get`: a fresh entry, or none; by one thread, and by two at once. Also where there are
//!   invalidations later than the entry, none of which is of it.
//! - `get_or_fetch`: a fresh entry; moka's and quick_cache's calls of that kind beside it.
//! - `put`: a new version of an entry. A bare table neither digests the value nor tells peers.
//! - `receive`: a frame from a peer, decoded and merged. The bare table is given what was decoded.
//! - `put at the bound`: a new key, for which another has to go; among more and more of them. Ours
//!   over a bare quick_cache's at the same number is what eviction costs on top of the table's own.
//! - `invalidate`: a repository of 100 entries among 100 000, and the first lookup below it. moka
//!   takes a predicate for that, which it keeps until it has gone through all entries.
//!
//! No executor is measured: what does not wait is polled once.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

use std::future;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::testing::ManualClock;
use cache_core::wire::{Message, Put};
use cache_core::{
    Cache, Clock, Delivery, Entry, Fetched, FrameKind, Freshness, Inbound, Key, Lifetime, Path,
    PeerId, PeerInfo, Replier, Resource, SystemClock, Transport, TransportError,
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures::FutureExt;
use tokio::runtime::{self, Runtime};
use tokio::task;
use tokio::time::Instant;

const LIFETIME: Lifetime = Lifetime::fresh_for(Duration::from_secs(24 * 3600));
/// Entries that are held, where their number is not what is measured.
const HELD: u64 = 10_000;

type Moka = moka::sync::Cache<Key, Bytes>;
type QuickCache = quick_cache::sync::Cache<Key, Bytes>;

fn key(n: u64) -> Key {
    Key::public([n.to_le_bytes()])
}

/// A value of its own, as each entry has: it is far from the others in memory, and counts its users.
fn value() -> Bytes {
    let value = Bytes::from(vec![0x5A; 2048]);
    drop(value.clone());
    value
}

fn keys(range: std::ops::Range<u64>) -> Vec<Key> {
    range.map(key).collect()
}

fn runtime() -> Runtime {
    let mut builder = runtime::Builder::new_current_thread();
    builder.enable_time().build().unwrap()
}

fn cache() -> Cache {
    Cache::builder()
        .max_bytes(1 << 30)
        .max_queued_bytes(0)
        .build()
}

fn get(cache: &Cache, key: &Key) -> Option<Entry> {
    cache.get(key).now_or_never().flatten()
}

/// How long it takes `threads` to go through `keys` together, so that each does it `iters` times.
fn time(threads: usize, iters: u64, keys: &[Key], step: impl Fn(&Key) + Sync) -> Duration {
    let barrier = Barrier::new(threads + 1);
    thread::scope(|scope| {
        for thread in 0..threads {
            let (barrier, step) = (&barrier, &step);
            scope.spawn(move || {
                // In the same order, from places that lie apart.
                let start = thread * keys.len() / threads;
                let keys = keys.iter().cycle().skip(start);
                barrier.wait();
                for key in keys.take(iters as usize) {
                    step(key);
                }
                barrier.wait();
            });
        }
        barrier.wait();
        let began = Instant::now();
        barrier.wait();
        began.elapsed()
    })
}

fn gets(c: &mut Criterion) {
    let runtime = runtime();
    let _inside = runtime.enter();
    let cache = cache();
    let moka = Moka::new(2 * HELD);
    let quick = QuickCache::new(2 * HELD as usize);
    let (held, unknown) = (keys(0..HELD), keys(HELD..2 * HELD));
    for &key in &held {
        let value = value();
        cache.put(key, value.clone(), LIFETIME);
        moka.insert(key, value.clone());
        quick.insert(key, value);
    }
    moka.run_pending_tasks();
    for (name, keys) in [("hit", &held), ("miss", &unknown)] {
        let mut group = c.benchmark_group(format!("get, {name}"));
        for threads in [1, 2] {
            let mut bench = |who, step: &(dyn Fn(&Key) + Sync)| {
                group.bench_function(BenchmarkId::new(who, threads), |b| {
                    b.iter_custom(|iters| time(threads, iters, keys, step));
                });
            };
            bench("ours", &|key| drop(black_box(get(&cache, key))));
            bench("bare moka", &|key| drop(black_box(moka.get(key))));
            bench("bare quick_cache", &|key| drop(black_box(quick.get(key))));
        }
    }
    let mut group = c.benchmark_group("get_or_fetch, hit");
    let mut bench = |who, step: &dyn Fn(&Key)| {
        group.bench_function(BenchmarkId::new(who, 1), |b| {
            let mut keys = held.iter().cycle();
            b.iter(|| step(keys.next().unwrap()));
        });
    };
    bench("ours", &|key| {
        let fetch = |_| future::ready(Ok(Fetched::Private));
        let answer = cache.get_or_fetch(*key, Freshness::AS_STORED, fetch);
        drop(black_box(answer.now_or_never()));
    });
    bench("bare moka", &|key| {
        drop(black_box(moka.get_with(*key, || unreachable!("held"))));
    });
    bench("bare quick_cache", &|key| {
        let held = quick.get_or_insert_with(key, || Err("not held"));
        drop(black_box(held));
    });
    group.finish();
    c.bench_function("the clock alone", |b| b.iter(|| SystemClock.now()));
}

/// A fresh entry, where each get has to look through what is void.
fn gets_among_invalidations(c: &mut Criterion) {
    let runtime = runtime();
    let _inside = runtime.enter();
    let held = keys(0..HELD);
    let repository = |n: u64| Path::new(&format!("/repos/octo-org/service-{n}"));
    let mut group = c.benchmark_group("get, hit, with invalidations");
    for invalidated in [1, 10_000] {
        let clock = ManualClock::default();
        let builder = Cache::builder().max_bytes(1 << 30).max_queued_bytes(0);
        let cache = builder.clock(clock.clone()).build();
        for (n, &key) in (0..).zip(&held) {
            cache.put(Resource::new(key, repository(n)), value(), LIFETIME);
        }
        clock.advance(Duration::from_millis(1));
        for n in HELD..HELD + invalidated {
            cache.invalidate_path(repository(n));
        }
        assert!(get(&cache, &held[0]).is_some());
        group.bench_function(BenchmarkId::new("ours", invalidated), |b| {
            let mut keys = held.iter().cycle();
            b.iter(|| get(&cache, keys.next().unwrap()));
        });
    }
}

fn puts(c: &mut Criterion) {
    let runtime = runtime();
    let _inside = runtime.enter();
    let (held, value) = (keys(0..HELD), value());
    let mut group = c.benchmark_group("put");
    group.bench_function("ours", |b| {
        let cache = cache();
        let mut keys = held.iter().cycle();
        b.iter(|| cache.put(*keys.next().unwrap(), value.clone(), LIFETIME));
    });
    group.bench_function("bare moka", |b| {
        let moka = Moka::new(2 * HELD);
        let mut keys = held.iter().cycle();
        b.iter(|| moka.insert(*keys.next().unwrap(), value.clone()));
    });
    group.bench_function("bare quick_cache", |b| {
        let quick = QuickCache::new(2 * HELD as usize);
        let mut keys = held.iter().cycle();
        b.iter(|| quick.insert(*keys.next().unwrap(), value.clone()));
    });
}

/// A peer whose frames are all there already.
struct Peer(Arc<Mutex<Vec<Bytes>>>);

#[async_trait]
impl Transport for Peer {
    fn local_peer(&self) -> PeerId {
        PeerId::LOCAL
    }

    fn peers(&self) -> Vec<PeerInfo> {
        Vec::new()
    }

    async fn request(&self, to: PeerId, _: Bytes) -> Result<Bytes, TransportError> {
        Err(TransportError::Unreachable(to))
    }

    async fn broadcast(&self, _: Bytes) -> Result<Delivery, TransportError> {
        Ok(Delivery::default())
    }

    async fn accept(&self) -> Option<Inbound> {
        let frame = self.0.lock().unwrap().pop();
        match frame {
            Some(frame) => Some(Inbound {
                from: PeerId::LOCAL,
                kind: FrameKind::Broadcast,
                frame,
                reply: Replier::nobody(),
            }),
            None => future::pending().await,
        }
    }

    async fn close(&self) {}
}

fn receipts(c: &mut Criterion) {
    let runtime = runtime();
    let origin = PeerId::from_bytes(b"another").unwrap();
    let frames: Vec<_> = (0..HELD)
        .map(|n| {
            let entry = Entry::new(SystemClock.now(), origin, Path::root(), value(), LIFETIME);
            let put = Put { key: key(n), entry };
            Message::Put(put).encode().unwrap()
        })
        .collect();
    let mut group = c.benchmark_group("receive");
    group.bench_function("ours", |b| {
        b.iter_custom(|iters| {
            in_batches(iters, &frames, |frames| {
                let accepted = frames.len() as u64;
                let inbox = Arc::new(Mutex::new(frames));
                runtime.block_on(async {
                    let cache = Cache::builder().transport(Peer(inbox)).build();
                    let began = Instant::now();
                    while cache.stats().received.accepted < accepted {
                        task::yield_now().await;
                    }
                    began.elapsed()
                })
            })
        });
    });
    group.bench_function("bare moka", |b| {
        b.iter_custom(|iters| {
            in_batches(iters, &frames, |frames| {
                let moka = Moka::new(2 * HELD);
                let began = Instant::now();
                for frame in frames {
                    if let Ok(Message::Put(put)) = Message::decode(&frame) {
                        moka.insert(put.key, put.entry.value().clone());
                    }
                }
                began.elapsed()
            })
        });
    });
}

/// The time that `step` takes for `iters` frames, given them so many at a time.
fn in_batches(iters: u64, frames: &[Bytes], step: impl Fn(Vec<Bytes>) -> Duration) -> Duration {
    let whole = iters / HELD;
    let rest = (iters % HELD) as usize;
    let mut took: Duration = (0..whole).map(|_| step(frames.to_vec())).sum();
    if rest > 0 {
        took += step(frames[..rest].to_vec());
    }
    took
}

fn evictions(c: &mut Criterion) {
    let runtime = runtime();
    let _inside = runtime.enter();
    let mut group = c.benchmark_group("put at the bound");
    let next = AtomicU64::new(0);
    let new_key = || key(next.fetch_add(1, Ordering::Relaxed));
    for entries in [1_000, 10_000, 100_000] {
        let value = Bytes::from_static(b"small");
        group.bench_function(BenchmarkId::new("ours", entries), |b| {
            let builder = Cache::builder().max_bytes(1 << 30).max_queued_bytes(0);
            let cache = builder.max_entries(entries).build();
            for _ in 0..2 * entries {
                cache.put(new_key(), value.clone(), LIFETIME);
            }
            b.iter(|| cache.put(new_key(), value.clone(), LIFETIME));
        });
        group.bench_function(BenchmarkId::new("bare moka", entries), |b| {
            let moka = Moka::new(entries);
            for _ in 0..2 * entries {
                moka.insert(new_key(), value.clone());
            }
            b.iter(|| moka.insert(new_key(), value.clone()));
        });
        group.bench_function(BenchmarkId::new("bare quick_cache", entries), |b| {
            let quick = QuickCache::new(entries as usize);
            for _ in 0..2 * entries {
                quick.insert(new_key(), value.clone());
            }
            b.iter(|| quick.insert(new_key(), value.clone()));
        });
    }
}

fn invalidations(c: &mut Criterion) {
    const REPOSITORIES: u64 = 1000;
    let runtime = runtime();
    let _inside = runtime.enter();
    let repository = |n: u64| Path::new(&format!("/repos/octo-org/service-{}", n % REPOSITORIES));
    let keys = keys(0..100 * REPOSITORIES);
    let value = value();
    let clock = ManualClock::default();
    let builder = Cache::builder().max_bytes(1 << 30).max_queued_bytes(0);
    let cache = builder.clock(clock.clone()).build();
    let mut group = c.benchmark_group("invalidate");
    // So far apart that no two invalidations are of one moment.
    let tick = || clock.advance(Duration::from_millis(1));
    group.bench_function("ours, the call", |b| {
        for (n, &key) in (0..).zip(&keys) {
            cache.put(Resource::new(key, repository(n)), value.clone(), LIFETIME);
        }
        let mut repositories = (0..REPOSITORIES).cycle().map(repository);
        b.iter_batched(
            || {
                tick();
                repositories.next().unwrap()
            },
            |path| cache.invalidate_path(path),
            criterion::BatchSize::SmallInput,
        );
    });
    group.bench_function("ours, the first get after it", |b| {
        let mut n = 0;
        b.iter_custom(|iters| {
            let mut took = Duration::ZERO;
            for _ in 0..iters {
                n = (n + 1) % REPOSITORIES;
                let key = keys[n as usize];
                tick();
                cache.put(Resource::new(key, repository(n)), value.clone(), LIFETIME);
                tick();
                cache.invalidate_path(repository(n));
                let began = Instant::now();
                assert!(get(&cache, black_box(&key)).is_none());
                took += began.elapsed();
            }
            took
        });
    });
    group.bench_function("bare moka, the call", |b| {
        let builder = Moka::builder().support_invalidation_closures();
        let moka = builder.max_capacity(1 << 30).build();
        for &key in &keys {
            moka.insert(key, value.clone());
        }
        moka.run_pending_tasks();
        b.iter(|| moka.invalidate_entries_if(|key, _| key.scope.as_bytes()[0] == 1));
    });
}

criterion_group!(
    benches,
    gets,
    gets_among_invalidations,
    puts,
    receipts,
    evictions,
    invalidations
);
criterion_main!(benches);
