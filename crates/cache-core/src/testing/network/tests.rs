//! What the network does to frames, and that it does the same again.

use super::*;

fn peer(name: &str) -> PeerId {
    PeerId::from_bytes(name.as_bytes()).unwrap()
}

/// Answers every frame with itself.
async fn echo(transport: &MemoryTransport) {
    while let Some(inbound) = transport.accept().await {
        inbound.reply.send(inbound.frame);
    }
}

/// Which of a hundred frames get through a network that loses every other one, by its seed.
async fn survivors(seed: u64) -> Vec<bool> {
    let network = MemoryNetwork::new(seed).with_loss(0.3);
    let [a, b] = ["a", "b"].map(|name| network.join(name));
    let ask = async {
        let mut survived = Vec::new();
        for _ in 0..100 {
            survived.push(a.request(peer("b"), Bytes::new()).await.is_ok());
        }
        survived
    };
    tokio::select! {
        survived = ask => survived,
        () = echo(&b) => unreachable!("nobody closes it"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_follows_from_the_seed() {
    let first = survivors(7).await;
    assert_eq!(first, survivors(7).await);
    assert_ne!(first, survivors(8).await);
    assert!(first.contains(&true) && first.contains(&false));
}

#[tokio::test(start_paused = true)]
async fn a_partition_parts_and_healing_joins() {
    let network = MemoryNetwork::new(1);
    let [a, _b, c] = ["a", "b", "c"].map(|name| network.join(name));
    network.partition([peer("a"), peer("b")]);
    let seen = |transport: &MemoryTransport| transport.peers().len();
    assert_eq!((seen(&a), seen(&c)), (1, 0));
    let lost = a.request(peer("c"), Bytes::new()).await;
    assert_eq!(lost, Err(TransportError::Unreachable(peer("c"))));
    network.heal();
    assert_eq!((seen(&a), seen(&c)), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn closing_ends_the_wait_for_a_frame_and_takes_the_member_off() {
    let network = MemoryNetwork::new(1);
    let [a, b] = ["a", "b"].map(|name| network.join(name));
    let (accepted, ()) = tokio::join!(a.accept(), a.close());
    assert!(accepted.is_none());
    assert!(a.accept().await.is_none());
    assert!(b.peers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_frame_over_the_limit_is_not_carried() {
    let network = MemoryNetwork::new(1);
    let [a, _b] = ["a", "b"].map(|name| network.join(name));
    let frame = Bytes::from(vec![0; MAX_FRAME + 1]);
    let refused = a.request(peer("b"), frame).await;
    assert!(matches!(refused, Err(TransportError::TooLarge { .. })));
}
