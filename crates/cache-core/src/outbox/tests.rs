//! Order, replacement and the bound.

use std::time::Duration;

use futures::FutureExt;

use super::*;
use crate::{Lifetime, MeshTime, Path, PeerId};

fn key(name: u8) -> Key {
    Key::public([[name]])
}

fn entry(at: u64, value: &'static str) -> Entry {
    let lifetime = Lifetime::fresh_for(Duration::from_secs(1));
    let at = MeshTime::from_millis(at);
    Entry::new(at, PeerId::LOCAL, Path::root(), value.into(), lifetime)
}

fn put(name: u8, at: u64) -> News {
    News::Put {
        key: key(name),
        entry: entry(at, "value"),
        renewal: None,
    }
}

fn invalidate(path: &str, at: u64) -> News {
    News::Invalidate(Tombstone {
        target: Target::Path(Path::new(path)),
        stamp: MeshTime::from_millis(at),
        kept_for: Duration::from_secs(1),
        origin: PeerId::LOCAL,
    })
}

#[tokio::test]
async fn invalidations_go_first_and_else_what_has_waited_longest_in_its_newest_version() {
    let outbox = Outbox::new(usize::MAX);
    for (name, at) in [(1, 10), (2, 20), (1, 30), (1, 5)] {
        outbox.push(put(name, at));
    }
    for (path, at) in [("/a", 10), ("/b", 5), ("/a", 30), ("/a", 20)] {
        outbox.push(invalidate(path, at));
    }
    for next in [
        invalidate("/a", 30),
        invalidate("/b", 5),
        put(1, 30),
        put(2, 20),
    ] {
        assert_eq!(outbox.pop(usize::MAX).await, Some(next));
    }
    assert!(outbox.pop(usize::MAX).now_or_never().is_none());
}

#[tokio::test]
async fn at_the_bound_the_oldest_are_dropped_and_told() {
    let outbox = Outbox::new(2 * put(1, 1).weight());
    assert_eq!(outbox.push(put(1, 1)), 0);
    assert_eq!(outbox.push(put(2, 2)), 0);
    assert_eq!(outbox.push(put(2, 3)), 0);
    assert_eq!(outbox.push(put(3, 4)), 1);
    assert_eq!(outbox.pop(usize::MAX).await, Some(put(2, 3)));
    assert_eq!(outbox.pop(usize::MAX).await, Some(put(3, 4)));
    assert!(outbox.pop(usize::MAX).now_or_never().is_none());
    assert_eq!(outbox.queue().bytes, 0);
}

#[tokio::test]
async fn no_entry_pushes_out_an_invalidation() {
    let outbox = Outbox::new(invalidate("/a", 1).weight() + put(1, 1).weight());
    outbox.push(invalidate("/a", 1));
    for name in 1..10 {
        outbox.push(put(name, 1));
    }
    assert_eq!(outbox.pop(usize::MAX).await, Some(invalidate("/a", 1)));
    assert_eq!(outbox.pop(usize::MAX).await, Some(put(9, 1)));
    assert!(outbox.pop(usize::MAX).now_or_never().is_none());
}

fn large(name: u8, at: u64) -> News {
    News::Put {
        key: key(name),
        entry: entry(at, "a longer value"),
        renewal: None,
    }
}

#[tokio::test]
async fn what_is_larger_than_the_bound_waits_alone() {
    let outbox = Outbox::new(put(1, 1).weight());
    outbox.push(put(1, 1));
    assert_eq!(outbox.push(large(2, 2)), 1);
    outbox.push(invalidate("/a", 1));
    assert_eq!(outbox.pop(usize::MAX).await, Some(invalidate("/a", 1)));
    assert_eq!(outbox.pop(usize::MAX).await, Some(large(2, 2)));
    outbox.push(large(2, 3));
    assert_eq!(outbox.push(put(1, 2)), 1);
    assert_eq!(outbox.pop(usize::MAX).await, Some(put(1, 2)));
    let queue = outbox.queue();
    assert_eq!((queue.bytes, queue.entry_bytes), (0, 0));
}

#[tokio::test]
async fn invalidations_keep_to_the_bound_beside_what_is_larger() {
    let outbox = Outbox::new(invalidate("/a", 1).weight());
    outbox.push(large(2, 2));
    outbox.push(invalidate("/a", 1));
    for at in 2..10 {
        outbox.push(invalidate(&format!("/{at}"), at));
    }
    assert_eq!(outbox.pop(usize::MAX).await, Some(invalidate("/9", 9)));
    assert!(outbox.pop(usize::MAX).now_or_never().is_none());
}

#[tokio::test]
async fn who_has_no_room_for_what_comes_first_waits() {
    let outbox = Outbox::new(usize::MAX);
    outbox.push(put(1, 1));
    let weight = put(1, 1).weight();
    assert!(outbox.pop(weight - 1).now_or_never().is_none());
    assert_eq!(outbox.pop(weight).await, Some(put(1, 1)));
}

#[tokio::test]
async fn a_waiting_consumer_is_woken_by_news_and_by_the_end() {
    let outbox = std::sync::Arc::new(Outbox::new(usize::MAX));
    let consumer = tokio::spawn({
        let outbox = std::sync::Arc::clone(&outbox);
        async move {
            [
                outbox.pop(usize::MAX).await,
                outbox.pop(usize::MAX).await,
                outbox.pop(usize::MAX).await,
            ]
        }
    });
    tokio::task::yield_now().await;
    outbox.push(put(1, 1));
    tokio::task::yield_now().await;
    outbox.push(put(2, 1));
    outbox.close();
    let expected = [Some(put(1, 1)), Some(put(2, 1)), None];
    assert_eq!(consumer.await.unwrap(), expected);
}
