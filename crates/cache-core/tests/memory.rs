//! What a cache occupies, as the allocator sees it, is what it says and what it may.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

use std::future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::disk::{Disk, Options};
use cache_core::testing::TestSealer;
use cache_core::{
    Cache, Delivery, Direction, Inbound, Key, Lifetime, Path, PeerId, PeerInfo, Resource,
    Transport, TransportError,
};
use peak_alloc::PeakAlloc;
use rusty_fork::rusty_fork_test;
use tempfile::TempDir;
use tokio::{runtime, task};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const LIFETIME: Lifetime = Lifetime::fresh_for(Duration::from_secs(3600));
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What the database keeps of its file, at most.
const DATABASE: usize = 16 * MIB;

// The heap is the whole process's, so each has one of its own.
rusty_fork_test! {
    #[test]
    fn entries_of_two_kib_occupy_little_more_than_their_bytes() {
        let bytes = 100_000 * 2 * KIB;
        let heap = fill(100_000, 2 * KIB);
        assert!(heap * 10 <= bytes * 13, "{heap} bytes for {bytes}");
    }

    #[test]
    fn small_entries_occupy_what_the_cache_says_they_do() {
        fill(20_000, 100);
    }

    #[test]
    fn it_never_occupies_much_more_than_it_may_whatever_the_sizes() {
        // From 100 bytes to 1 MiB, each doubling as often as the next.
        overfill(32 * MIB, 10, |n| (100 << (n * 5 % 15)).min(MIB));
    }

    #[test]
    fn it_never_occupies_much_more_than_it_may_if_all_are_small() {
        overfill(16 * MIB, 3, |_| 100);
    }

    #[test]
    fn it_never_occupies_much_more_than_it_may_while_no_push_ends() {
        let cache = |max| Cache::builder().max_bytes(max).transport(Silent).build();
        // Values as the peers get them wait in the queue, and as frames on their way.
        let max = 64 * MIB;
        let peak = peak_of(cache, max, 3, |n| (100 << (n * 5 % 15)).min(MIB));
        assert!(peak * 10 <= max * 11, "{peak} bytes at most, of {max}");
    }

    #[test]
    fn it_never_occupies_much_more_than_it_may_with_a_disk() {
        let dir = TempDir::new().expect("a directory");
        let cache = |max| {
            let options = Options::new(Arc::new(TestSealer::from_seed(1))).max_bytes(64 << 20);
            let disk = Disk::open(dir.path(), options).expect("a store");
            Cache::builder().max_bytes(max).disk(disk).transport(Silent).build()
        };
        let max = 64 * MIB;
        let peak = peak_of(cache, max, 3, |n| (100 << (n * 5 % 15)).min(MIB));
        let may = max * 11 / 10 + DATABASE;
        assert!(peak <= may, "{peak} bytes at most, of {may}");
    }

    #[test]
    fn invalidations_occupy_no_more_than_their_share() {
        run(async {
            let before = HEAP.current_usage();
            let max = 64 * MIB;
            let cache = Cache::builder().max_bytes(max as u64).transport(Silent).build();
            for n in 0..20_000 {
                cache.invalidate_path(Path::new(&format!("/{n}/{}", "x".repeat(1000))));
                task::yield_now().await;
            }
            // Remembered, and on their way to peers.
            let heap = HEAP.current_usage() - before;
            assert!(heap <= max * 3 / 16, "{heap} bytes of {max}");
        });
    }
}

/// Fills a cache with entries of one size, far from its bound; returns what it occupies.
fn fill(entries: usize, len: usize) -> usize {
    run(async {
        let before = HEAP.current_usage();
        let cache = Cache::builder().max_bytes(1 << 30).build();
        for n in 0..entries {
            let key = put(&cache, n, len).await;
            // Served once, as entries are.
            let entry = cache.get(&key).await.expect("kept");
            drop(entry.value().clone());
        }
        let heap = HEAP.current_usage() - before;
        assert_eq!(cache.stats().entries, entries as u64);
        check(&cache, heap);
        heap
    })
}

/// Puts so many times what a cache may occupy, in values of these lengths.
fn overfill(max: usize, times: usize, len: impl Fn(usize) -> usize) {
    run(async {
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        let cache = Cache::builder().max_bytes(max as u64).build();
        put_many(&cache, times * max, len).await;
        let (heap, peak) = (HEAP.current_usage() - before, HEAP.peak_usage() - before);
        assert!(peak * 10 <= max * 11, "{peak} bytes at most, of {max}");
        check(&cache, heap);
    });
}

/// Does the same with a cache of the caller's making; returns the most that it ever occupied.
fn peak_of(
    make: impl Fn(u64) -> Cache,
    max: usize,
    times: usize,
    len: impl Fn(usize) -> usize,
) -> usize {
    run(async {
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        let cache = make(max as u64);
        put_many(&cache, times * max, len).await;
        HEAP.peak_usage() - before
    })
}

/// Puts so many bytes in values of these lengths, which is more than there is room for.
async fn put_many(cache: &Cache, bytes: usize, len: impl Fn(usize) -> usize) {
    let (mut put_so_far, mut n) = (0, 0);
    while put_so_far < bytes {
        put_so_far += len(n) + 512;
        put(cache, n, len(n)).await;
        n += 1;
    }
    assert!(cache.stats().evictions > 0);
}

/// A network on which nothing ever comes of anything: what is pushed stays under way.
struct Silent;

#[async_trait]
impl Transport for Silent {
    fn local_peer(&self) -> PeerId {
        PeerId::LOCAL
    }

    fn peers(&self) -> Vec<PeerInfo> {
        let peer = PeerId::from_bytes(b"silent").expect("short enough");
        vec![PeerInfo::new(peer, Direction::Outbound)]
    }

    async fn request(&self, _: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        let _held = frame;
        future::pending().await
    }

    async fn broadcast(&self, frame: Bytes) -> Result<Delivery, TransportError> {
        let _held = frame;
        future::pending().await
    }

    async fn accept(&self) -> Option<Inbound> {
        future::pending().await
    }

    async fn close(&self) {}
}

/// Keeps a value of this length, and lets the peers be told, as if there were any.
async fn put(cache: &Cache, n: usize, len: usize) -> Key {
    // A question as jobs ask it.
    let repository = format!("/repos/octo-org/service-{:04}", n % 1000);
    let path = format!("{repository}/actions/runs/{}/jobs", 7_000_000_000_usize + n);
    let key = Key::public(["GET", "api.github.com", &path]);
    let value = Bytes::from(vec![0x5A; len]);
    cache.put(Resource::new(key, Path::new(&path)), value, LIFETIME);
    task::yield_now().await;
    key
}

/// Checks that a cache which occupies `heap` bytes says so.
fn check(cache: &Cache, heap: usize) {
    let said = cache.stats().bytes as usize;
    assert!(said.abs_diff(heap) <= heap / 10, "says {said}, is {heap}");
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(test)
}
