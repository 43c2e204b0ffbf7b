//! A store on disk while its secret is changed, more than once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::disk::{Disk, Options};
use cache_core::testing::{MemoryNetwork, VirtualClock};
use cache_core::{Builder, Cache, Key, Lifetime, Path, Resource};
use cache_crypto::{Keyring, Secret};
use tempfile::TempDir;
use tokio::task;
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);
const LIFETIME: Lifetime = Lifetime::fresh_for(Duration::from_secs(3600));

/// The cache that a process has which seals with one secret and may open with another.
fn start(dir: &TempDir, current: &str, previous: Option<&str>) -> Cache {
    node(dir, current, previous).build()
}

fn node(dir: &TempDir, current: &str, previous: Option<&str>) -> Builder {
    let secret = |seed: &str| Secret::parse(&seed.repeat(32)).unwrap();
    let mut keyring = Keyring::new(&secret(current)).unwrap();
    if let Some(previous) = previous {
        keyring = keyring.with_previous(&secret(previous));
    }
    let disk = Disk::open(dir.path(), Options::new(Arc::new(keyring))).unwrap();
    Cache::builder().clock(VirtualClock::default()).disk(disk)
}

async fn end(cache: Cache) {
    cache.close().await;
    drop(cache);
    task::yield_now().await;
}

fn at(n: u32) -> Resource {
    Resource::new(Key::public([n.to_le_bytes()]), Path::new("/a"))
}

async fn value(cache: &Cache, n: u32) -> Option<Bytes> {
    let entry = cache.get(&at(n).key).await?;
    Some(entry.value().clone())
}

#[tokio::test(start_paused = true)]
async fn invalidations_outlive_the_secret_that_they_were_sealed_with() {
    let network = MemoryNetwork::new(1);
    // A member that was away, and still has what has been invalidated meanwhile.
    let away = Cache::builder()
        .clock(VirtualClock::default())
        .transport(network.join("away"))
        .build();
    away.put(at(1), "withdrawn".into(), LIFETIME);
    sleep(SECOND).await;

    let dir = TempDir::new().unwrap();
    let cache = start(&dir, "a1", None);
    cache.invalidate_path(Path::new("/a"));
    end(cache).await;
    for (current, previous) in [("b2", Some("a1")), ("b2", None), ("c3", Some("b2"))] {
        end(start(&dir, current, previous)).await;
    }

    let back = node(&dir, "c3", None).transport(network.join("back"));
    let back = back.build();
    sleep(60 * SECOND).await;
    assert_eq!(value(&back, 1).await, None);
    assert_eq!(value(&away, 1).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_sealed_with_a_secret_that_is_forgotten_goes_and_the_rest_stays() {
    let dir = TempDir::new().unwrap();
    let cache = start(&dir, "a1", None);
    for n in 0..100 {
        cache.put(at(n), "old".into(), LIFETIME);
    }
    end(cache).await;
    let cache = start(&dir, "b2", Some("a1"));
    assert_eq!(value(&cache, 0).await, Some("old".into()));
    for n in 100..200 {
        cache.put(at(n), "new".into(), LIFETIME);
    }
    end(cache).await;
    let cache = start(&dir, "b2", None);
    for n in 0..200 {
        let expected = (n >= 100).then(|| Bytes::from("new"));
        assert_eq!(value(&cache, n).await, expected);
    }
    let disk = cache.stats().disk.unwrap();
    assert_eq!(disk.unreadable, 0, "it was taken for damage");
}
