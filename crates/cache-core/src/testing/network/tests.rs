//! What the network does to frames, and that it does the same again.

use bytes::Bytes;
use futures::future::join_all;
use tokio::time::{self, Instant};

use super::*;
use crate::transport::{MAX_FRAME, Transport, TransportError};

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

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn two_members_can_be_parted_from_each_other_alone() {
    let network = MemoryNetwork::new(1);
    let [a, b, c] = ["a", "b", "c"].map(|name| network.join(name));
    network.sever(peer("b"), peer("a"));
    let seen = |transport: &MemoryTransport| transport.peers().len();
    assert_eq!((seen(&a), seen(&b), seen(&c)), (1, 1, 2));
    network.heal();
    assert_eq!((seen(&a), seen(&b), seen(&c)), (2, 2, 2));
}

/// The frames that come in at `b` within a minute, by their first byte.
async fn come_in(b: &MemoryTransport) -> Vec<u8> {
    let mut came = Vec::new();
    let end = Instant::now() + 60 * SECOND;
    while let Ok(Some(inbound)) = time::timeout_at(end, b.accept()).await {
        came.push(inbound.frame[0]);
        inbound.reply.send(inbound.frame);
    }
    came
}

#[tokio::test(start_paused = true)]
async fn frames_come_in_twice_and_overtake_each_other() {
    let network = MemoryNetwork::new(1);
    let [a, b] = ["a", "b"].map(|name| network.join(name));
    let all: Vec<u8> = (0..100).collect();
    let tell = || {
        let frames = all.iter().map(|n| vec![*n].into());
        join_all(frames.map(|frame| a.request(peer("b"), frame)))
    };
    let (_, came) = tokio::join!(tell(), come_in(&b));
    assert_eq!(came, all);
    network.set_duplication(0.3);
    let (answers, came) = tokio::join!(tell(), come_in(&b));
    assert!(answers.iter().all(Result::is_ok));
    assert!((110..150).contains(&came.len()), "{}", came.len());
    network.set_duplication(0.0);
    network.set_stragglers(0.5, SECOND);
    let (_, mut came) = tokio::join!(tell(), come_in(&b));
    assert_ne!(came, all);
    came.sort_unstable();
    assert_eq!(came, all);
}

#[tokio::test(start_paused = true)]
async fn a_slow_member_takes_longer_both_ways() {
    let network = MemoryNetwork::new(1);
    let [a, b] = ["a", "b"].map(|name| network.join(name));
    network.slow_down(peer("b"), SECOND);
    let began = Instant::now();
    tokio::select! {
        _ = a.request(peer("b"), "?".into()) => {}
        _ = come_in(&b) => unreachable!("it listens for longer"),
    }
    assert_eq!(began.elapsed(), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn what_is_passed_on_reaches_everybody_once_in_few_copies() {
    let network = MemoryNetwork::new(1)
        .with_latency(SECOND / 100..=SECOND / 20)
        .with_rings(3);
    let members: Vec<_> = (0..100).map(|n| network.join(&format!("{n}"))).collect();
    let told = members[0].broadcast(vec![7].into());
    let (told, came) = tokio::join!(told, join_all(members[1..].iter().map(come_in)));
    assert_eq!(told, Ok(Default::default()));
    assert!(came.iter().all(|came| came == &[7]));
    for member in &members {
        // The last words are the acknowledgements, which are not sent back.
        let sent = network.sent_by(member.local_peer());
        assert!(sent.frames <= 6 && sent.bytes == sent.frames, "{sent:?}");
    }
}
