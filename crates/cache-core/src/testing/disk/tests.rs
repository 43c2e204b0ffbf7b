//! What a disk in memory keeps, and what a crash takes.

use bytes::Bytes;
use tokio::time;

use super::*;
use crate::testing::VirtualClock;
use crate::{Cache, Lifetime};

fn node(disk: &MemoryDisk, clock: VirtualClock) -> Cache {
    let builder = Cache::builder().clock(clock).in_turn();
    builder.memory_disk(disk.clone()).build()
}

async fn value(node: &Cache, key: Key) -> Option<Bytes> {
    Some(node.get(&key).await?.value().clone())
}

#[tokio::test(start_paused = true)]
async fn a_crash_takes_the_last_second_and_no_more() {
    let (disk, clock) = (MemoryDisk::default(), VirtualClock::default());
    let lifetime = Lifetime::fresh_for(Duration::from_secs(60));
    let [early, late, void] = ["early", "late", "void"].map(|name| Key::public([name]));
    let first = node(&disk, clock);
    first.put(early, "value".into(), lifetime);
    first.put(void, "value".into(), lifetime);
    first.invalidate(void);
    time::sleep(Duration::from_secs(1)).await;
    first.put(late, "value".into(), lifetime);
    drop(first);
    disk.crash();
    let second = node(&disk, clock);
    assert_eq!(value(&second, early).await, Some("value".into()));
    assert_eq!(value(&second, late).await, None);
    assert_eq!(value(&second, void).await, None);
    second.put(late, "again".into(), lifetime);
    second.close().await;
    disk.crash();
    assert_eq!(value(&node(&disk, clock), late).await, Some("again".into()));
}
