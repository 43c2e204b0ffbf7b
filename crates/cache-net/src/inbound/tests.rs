//! What one peer sends takes up no more than its share.

use bytes::Bytes;
use cache_core::{FrameKind, Replier};

use super::*;

fn limits() -> Limits {
    Limits {
        inbound_queue: 16,
        inbound_bytes: 4000,
        frame: 500,
        ..Limits::default()
    }
}

fn peer(n: u8) -> PeerId {
    PeerId::from_bytes(&[n]).unwrap()
}

fn frame(from: PeerId, bytes: usize) -> Inbound {
    Inbound {
        from,
        kind: FrameKind::Request,
        frame: Bytes::from(vec![7; bytes]),
        reply: Replier::nobody(),
    }
}

/// How many frames of a peer are queued before one is not.
fn queued(sender: &Sender, from: PeerId, bytes: usize) -> usize {
    let all = (0..100).take_while(|_| sender.try_send(frame(from, bytes)).is_ok());
    all.count()
}

#[tokio::test]
async fn a_peer_that_sends_all_the_time_leaves_room_for_others() {
    let (sender, _receiver) = queue(&limits());

    assert_eq!(queued(&sender, peer(1), 1), 4);
    assert_eq!(queued(&sender, peer(2), 500), 2);
    assert_eq!(queued(&sender, peer(3), 1), 4);
}

#[tokio::test]
async fn what_is_accepted_takes_up_nothing_any_more() {
    let (sender, mut receiver) = queue(&limits());
    for _ in 0..10 {
        assert_eq!(queued(&sender, peer(1), 250), 4);
        for _ in 0..4 {
            assert_eq!(receiver.recv().await.unwrap().from, peer(1));
        }
    }
    assert!(lock(&sender.shares.taken).is_empty());
}
