//! Order, replacement and the bound.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;

use super::*;
use crate::{Lifetime, MeshTime, PeerId};

fn key(name: u8) -> Key {
    Key::public([[name]])
}

fn entry(at: u64) -> Entry {
    let lifetime = Lifetime::fresh_for(Duration::from_secs(1));
    let value = Bytes::from_static(b"value");
    Entry::value(MeshTime::from_millis(at), PeerId::LOCAL, value, lifetime)
}

#[tokio::test]
async fn what_has_waited_longest_goes_first_in_its_newest_version() {
    let outbox = Outbox::new(usize::MAX);
    for (name, at) in [(1, 10), (2, 20), (1, 30), (1, 5)] {
        outbox.push(key(name), entry(at));
    }
    assert_eq!(outbox.pop().await, (key(1), entry(30)));
    assert_eq!(outbox.pop().await, (key(2), entry(20)));
    assert!(outbox.is_empty());
    assert!(outbox.pop().now_or_never().is_none());
}

#[tokio::test]
async fn at_the_bound_the_oldest_are_dropped_and_told() {
    let outbox = Outbox::new(2 * entry(1).weight());
    assert_eq!(outbox.push(key(1), entry(1)), 0);
    assert_eq!(outbox.push(key(2), entry(2)), 0);
    assert_eq!(outbox.push(key(2), entry(3)), 0);
    assert_eq!(outbox.push(key(3), entry(4)), 1);
    assert_eq!(outbox.pop().await.0, key(2));
    assert_eq!(outbox.pop().await.0, key(3));
    assert!(outbox.is_empty());
    assert_eq!(outbox.queue().bytes, 0);
}

#[tokio::test]
async fn an_entry_that_never_fits_pushes_out_no_other() {
    let outbox = Outbox::new(entry(1).weight());
    outbox.push(key(1), entry(1));
    let lifetime = Lifetime::fresh_for(Duration::from_secs(1));
    let value = Bytes::from_static(b"a longer value");
    let large = Entry::value(MeshTime::from_millis(2), PeerId::LOCAL, value, lifetime);
    assert_eq!(outbox.push(key(2), large), 1);
    assert_eq!(outbox.pop().await.0, key(1));
}

#[tokio::test]
async fn a_waiting_consumer_is_woken() {
    let outbox = std::sync::Arc::new(Outbox::new(usize::MAX));
    let consumer = tokio::spawn({
        let outbox = std::sync::Arc::clone(&outbox);
        async move { outbox.pop().await.0 }
    });
    tokio::task::yield_now().await;
    outbox.push(key(1), entry(1));
    assert_eq!(consumer.await.unwrap(), key(1));
}
