//! A node of a test, and what is asked of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::disk::{Disk, Options};
use cache_core::testing::{MemoryNetwork, TestSealer};
use cache_core::{Cache, Clock, Key, Lifetime};
use tempfile::TempDir;

pub(crate) const DAY: Lifetime = Lifetime::fresh_for(Duration::from_secs(24 * 3600));

pub(crate) fn key(n: u32) -> Key {
    Key::public([n.to_le_bytes()])
}

pub(crate) fn node(network: &MemoryNetwork, clock: impl Clock, name: &str) -> Cache {
    let transport = network.join(name);
    Cache::builder().transport(transport).clock(clock).build()
}

/// A node that keeps what it has in `dir`.
pub(crate) fn node_in(dir: &TempDir, clock: impl Clock) -> Cache {
    let options = Options::new(Arc::new(TestSealer::from_seed(1)));
    let disk = Disk::open(dir.path(), options).unwrap();
    Cache::builder().clock(clock).disk(disk).build()
}

/// Ends a node, so that another can have its directory.
pub(crate) async fn end(node: Cache) {
    node.close().await;
}

pub(crate) async fn value(cache: &Cache, key: Key) -> Option<Bytes> {
    Some(cache.get(&key).await?.value().clone())
}
