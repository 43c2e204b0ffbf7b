//! One frame to everybody, and who has confirmed it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::{Delivery, FrameKind, Transport};
use futures::future::join_all;

use crate::fleet::*;

#[tokio::test]
async fn a_broadcast_reaches_the_peer_and_is_confirmed() {
    let (sender, receiver) = pair().await;

    let sending = sender.broadcast(Bytes::from_static(b"news"));
    let receiving = async {
        let inbound = receiver.accept().await.unwrap();
        assert_eq!(inbound.kind, FrameKind::Broadcast);
        assert_eq!(inbound.frame, "news");
        inbound.reply.send(Bytes::new());
    };
    let (delivery, ()) = soon("confirmed", async { tokio::join!(sending, receiving) }).await;

    let acked = vec![receiver.local_peer()];
    assert_eq!(
        delivery.unwrap(),
        Delivery {
            acked,
            ..Delivery::default()
        }
    );
}

#[tokio::test]
async fn nobody_has_to_be_told_where_nobody_is() {
    let lonely = start(member()).await;

    assert_eq!(lonely.broadcast(frame(1)).await, Ok(Delivery::default()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_broadcasts_among_three_hosts_are_all_confirmed() {
    let first = start(member()).await;
    let second = start(member_knowing(&[&first])).await;
    let third = start(member_knowing(&[&first, &second])).await;
    connected(&first, &second).await;
    connected(&first, &third).await;
    connected(&second, &third).await;
    for host in [&first, &second, &third] {
        echo(host);
    }

    let hosts = [&first, &second, &third];
    let broadcasts = (0..1000).map(|i| hosts[i % 3].broadcast(frame(100 + i)));
    let deliveries = soon("confirmed", join_all(broadcasts)).await;

    let confirmed = deliveries.into_iter().filter(|delivery| {
        let delivery = delivery.as_ref().unwrap();
        delivery.acked.len() == 2 && delivery.failed.is_empty()
    });
    assert_eq!(confirmed.count(), 1000);
}

#[tokio::test]
async fn a_silent_peer_is_reported_and_the_others_have_the_frame() {
    let silent = start(member()).await;
    let helpful = start(member()).await;
    let mut config = member_knowing(&[&silent, &helpful]);
    config.limits.deadline = Duration::from_millis(500);
    let sender = start(config).await;
    connected(&sender, &silent).await;
    connected(&sender, &helpful).await;
    echo(&helpful);

    let delivery = sender.broadcast(frame(1)).await.unwrap();

    assert_eq!(delivery.acked, [helpful.local_peer()]);
    assert_eq!(delivery.failed, [silent.local_peer()]);
}

#[tokio::test]
async fn a_silent_peer_is_passed_over_until_it_is_heard_again() {
    let silent = start(member()).await;
    let helpful = start(member()).await;
    let mut config = member_knowing(&[&silent, &helpful]);
    config.limits.deadline = Duration::from_secs(2);
    let sender = start(config).await;
    connected(&sender, &silent).await;
    connected(&sender, &helpful).await;
    echo(&helpful);
    echo(&sender);
    let only_helpful = Delivery {
        acked: vec![helpful.local_peer()],
        failed: vec![silent.local_peer()],
        ..Delivery::default()
    };

    let first = sender.broadcast(frame(1)).await.unwrap();
    assert_eq!(first, only_helpful);
    // Waited for each time, it would delay them by 400 seconds.
    soon("200 broadcasts", async {
        for _ in 0..200 {
            let delivery = sender.broadcast(frame(1)).await.unwrap();
            assert_eq!(delivery, only_helpful);
        }
    })
    .await;

    // By asking, it is heard.
    let answer = silent.request(sender.local_peer(), frame(2)).await;
    assert_eq!(answer.unwrap(), frame(2));
    let sending = sender.broadcast(Bytes::from_static(b"again"));
    let receiving = async {
        let mut ignored = 0;
        loop {
            let inbound = silent.accept().await.unwrap();
            let again = inbound.frame == "again";
            inbound.reply.send(Bytes::new());
            if again {
                return ignored;
            }
            ignored += 1;
        }
    };
    let (again, ignored) = soon("served again", async { tokio::join!(sending, receiving) }).await;

    assert_eq!(again.unwrap().failed, []);
    // The first, and now and then one to see whether it answers again. Its pings do not count.
    assert!((1..=5).contains(&ignored), "{ignored} frames were sent");
}

#[tokio::test]
async fn a_suspect_peer_can_still_be_asked() {
    let silent = start(member()).await;
    let mut config = member_knowing(&[&silent]);
    config.limits.deadline = Duration::from_secs(2);
    let asker = start(config).await;
    connected(&asker, &silent).await;
    let delivery = asker.broadcast(frame(1)).await.unwrap();
    assert_eq!(delivery.failed, [silent.local_peer()]);

    echo(&silent);
    let answer = asker.request(silent.local_peer(), frame(2)).await;
    let delivery = asker.broadcast(frame(3)).await.unwrap();

    assert_eq!(answer.unwrap(), frame(2));
    assert_eq!(delivery.acked, [silent.local_peer()]);
}

#[tokio::test]
async fn a_broadcast_that_is_declined_once_is_sent_again() {
    let (sender, receiver) = pair().await;
    let receiving = Arc::clone(&receiver);
    tokio::spawn(async move {
        drop(receiving.accept().await);
        let again = receiving.accept().await.unwrap();
        again.reply.send(Bytes::new());
    });

    let delivery = sender.broadcast(frame(1)).await.unwrap();

    assert_eq!(delivery.acked, [receiver.local_peer()]);
}

#[tokio::test]
async fn a_host_that_leaves_vanishes_and_the_others_are_served_on() {
    let first = start(member()).await;
    let leaving = start(member_knowing(&[&first])).await;
    let staying = start(member_knowing(&[&first])).await;
    connected(&first, &leaving).await;
    connected(&first, &staying).await;
    echo(&staying);

    leaving.close().await;
    until("gone", || !sees(&first, &leaving)).await;
    let delivery = first.broadcast(frame(1)).await.unwrap();

    let acked = vec![staying.local_peer()];
    assert_eq!(
        delivery,
        Delivery {
            acked,
            ..Delivery::default()
        }
    );
}

#[tokio::test]
async fn a_dropped_host_vanishes_too() {
    let first = start(member()).await;
    let second = start(member_knowing(&[&first])).await;
    connected(&first, &second).await;

    drop(second);

    until("gone", || first.peers().is_empty()).await;
}
