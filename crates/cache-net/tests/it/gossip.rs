//! Broadcasts that are published and passed on, in fleets of which nobody tells everybody himself.
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions only"
)]

use std::sync::Arc;

use bytes::Bytes;
use cache_core::{FrameKind, Misconduct, Transport};
use cache_net::{Config, Limits, P2p};

use crate::fleet::*;
use crate::mesh::Taken;

/// A member that publishes however small the fleet is.
fn publishing() -> Config {
    let mut config = member();
    config.limits.acknowledging_peers = 0;
    config
}

/// A member that only dials.
fn dialling(hosts: &[&P2p]) -> Config {
    let mut config = publishing();
    config.listen.clear();
    config.bootstrap = hosts.iter().map(|host| address(host)).collect();
    config
}

/// Two who can only dial, and the one in between.
async fn two_and_one_between() -> [Arc<P2p>; 3] {
    let between = start(publishing()).await;
    let first = start(dialling(&[&between])).await;
    let second = start(dialling(&[&between])).await;
    connected(&first, &between).await;
    connected(&second, &between).await;
    [first, between, second]
}

/// Publishes one frame after the other until `host` gets one; each is subscribed to the other's
/// frames a moment after they are connected.
async fn published(sender: &Arc<P2p>, host: &P2p) -> cache_core::Inbound {
    let sending = Arc::clone(sender);
    let sending = tokio::spawn(async move {
        for n in 0_u64.. {
            let frame = Bytes::from(n.to_be_bytes().to_vec());
            sending.broadcast(frame).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    let inbound = soon("a frame", host.accept()).await.unwrap();
    sending.abort();
    inbound
}

#[tokio::test]
async fn members_that_only_a_third_can_reach_hear_each_other() {
    let [first, between, second] = two_and_one_between().await;
    echo(&between);

    let inbound = published(&first, &second).await;

    assert_eq!(inbound.kind, FrameKind::Broadcast);
    assert_eq!(inbound.from, between.local_peer());
    assert!(!sees(&first, &second));
}

#[tokio::test]
async fn a_small_fleet_publishes_where_somebody_is_out_of_reach() {
    let between = start(member()).await;
    let dialling = || {
        let mut config = dialling(&[&between]);
        config.limits.acknowledging_peers = 16;
        config
    };
    let first = start(dialling()).await;
    let second = start(dialling()).await;
    connected(&first, &between).await;
    connected(&second, &between).await;
    echo(&between);

    let inbound = published(&first, &second).await;

    assert_eq!(inbound.from, between.local_peer());
    let delivery = first.broadcast(frame(1)).await.unwrap();
    assert_eq!(delivery.published, [between.local_peer()]);
    assert_eq!((delivery.acked, delivery.failed), (vec![], vec![]));
}

#[tokio::test]
async fn what_is_not_taken_is_not_passed_on() {
    let [first, between, second] = two_and_one_between().await;
    let refused = Bytes::from_static(b"refused");
    let refusing = Arc::clone(&between);
    tokio::spawn(async move {
        while let Some(inbound) = refusing.accept().await {
            if inbound.frame != "refused" {
                inbound.reply.send(Bytes::new());
            }
        }
    });
    published(&first, &second).await;

    for _ in 0..20 {
        first.broadcast(refused.clone()).await.unwrap();
    }
    // Whatever of them was passed on would have come before this one.
    first.broadcast(Bytes::from_static(b"last")).await.unwrap();

    loop {
        let inbound = soon("the last one", second.accept()).await.unwrap();
        assert_ne!(inbound.frame, "refused");
        if inbound.frame == "last" {
            break;
        }
    }
}

#[tokio::test]
async fn what_is_reported_costs_who_has_passed_it_on() {
    let [first, between, second] = two_and_one_between().await;
    echo(&between);

    let inbound = published(&first, &second).await;
    second.report(inbound.from, Misconduct::Forged);
    drop(inbound.reply);

    until("hung up", || !sees(&between, &second)).await;
    assert!(sees(&between, &first));
}

#[tokio::test]
async fn the_same_frame_can_be_published_twice() {
    let [first, between, second] = two_and_one_between().await;
    echo(&between);
    published(&first, &second).await.reply.send(Bytes::new());

    for _ in 0..2 {
        first.broadcast(Bytes::from_static(b"twice")).await.unwrap();
    }

    let mut times = 0;
    while times < 2 {
        let inbound = soon("both", second.accept()).await.unwrap();
        times += usize::from(inbound.frame == "twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_a_crowd_gets_all_that_is_said_to_have_reached_it() {
    let joining = |hosts: &[&P2p]| {
        let mut config = publishing();
        config.bootstrap = hosts.iter().map(|host| address(host)).collect();
        config
    };
    let (sender, taken) = (start(joining(&[])).await, Taken::default());
    let (mut others, mut sent) = (Vec::new(), Vec::new());
    for _ in 0..18 {
        let other = start(joining(&[&sender])).await;
        taken.by(&other);
        until("it has come", || sees(&sender, &other)).await;
        others.push(other);
        for _ in 0..5 {
            let frame = Bytes::from(rand::random::<[u8; 16]>().to_vec());
            let delivery = sender.broadcast(frame.clone()).await.unwrap();
            sent.push((frame, [delivery.acked, delivery.published].concat()));
        }
    }

    for (frame, reached) in &sent {
        for other in others
            .iter()
            .filter(|one| reached.contains(&one.local_peer()))
        {
            until("it has the frame", || taken.count(other, frame) > 0).await;
        }
    }
    assert!(sender.metrics().gossip.published > 0);
}

#[tokio::test]
async fn a_frame_that_is_too_large_to_be_kept_for_others_is_confirmed_by_each_peer() {
    let [first, between, second] = two_and_one_between().await;
    echo(&between);
    published(&first, &second).await.reply.send(Bytes::new());

    let large = first.broadcast(frame(cache_core::MAX_FRAME)).await.unwrap();

    assert_eq!(large.acked, [between.local_peer()]);
    assert_eq!(large.published, []);
}

#[tokio::test]
async fn what_is_more_than_may_be_published_is_confirmed_by_each_peer() {
    let mut config = publishing();
    config.limits.published_bytes_per_second = 1;
    let sender = start(config).await;
    let mut config = member_knowing(&[&sender]);
    config.limits.acknowledging_peers = 0;
    let other = start(config).await;
    connected(&sender, &other).await;
    echo(&other);

    let delivery = sender.broadcast(frame(1)).await.unwrap();

    assert_eq!(delivery.acked, [other.local_peer()]);
    assert_eq!(sender.metrics().gossip.not_published, 1);
    assert_eq!(sender.metrics().deliveries.acked, 1);
}

#[tokio::test]
async fn a_frame_of_the_largest_published_size_is_published() {
    let [first, between, second] = two_and_one_between().await;
    echo(&between);
    published(&first, &second).await.reply.send(Bytes::new());
    let largest = frame(Limits::default().published_frame);

    first.broadcast(largest.clone()).await.unwrap();

    loop {
        let inbound = soon("the largest", second.accept()).await.unwrap();
        if inbound.frame.len() == largest.len() {
            assert!(inbound.frame == largest);
            break;
        }
        inbound.reply.send(Bytes::new());
    }
}

#[tokio::test]
async fn who_is_alone_publishes_to_nobody() {
    let lonely = start(publishing()).await;

    let delivery = lonely.broadcast(frame(1)).await.unwrap();

    assert_eq!(delivery, cache_core::Delivery::default());
}
