//! One frame to one peer, and its reply.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::{FrameKind, MAX_FRAME, NoTransport, Transport, TransportError};
use futures::future::{Either, join_all, select};
use tokio::task::yield_now;

use crate::fleet::*;

#[tokio::test]
async fn a_request_is_answered() {
    let (asker, answerer) = pair().await;

    let asking = asker.request(answerer.local_peer(), Bytes::from_static(b"question"));
    let answering = async {
        let inbound = answerer.accept().await.unwrap();
        assert_eq!(inbound.from, asker.local_peer());
        assert_eq!(inbound.kind, FrameKind::Request);
        assert_eq!(inbound.frame, "question");
        inbound.reply.send(Bytes::from_static(b"answer"));
    };
    let (answer, ()) = soon("answer", async { tokio::join!(asking, answering) }).await;

    assert_eq!(answer.unwrap(), "answer");
}

#[tokio::test]
async fn both_sides_of_a_connection_can_ask() {
    let (first, second) = pair().await;
    echo(&first);
    echo(&second);

    let there = first.request(second.local_peer(), frame(10)).await;
    let back = second.request(first.local_peer(), frame(20)).await;

    assert_eq!((there.unwrap(), back.unwrap()), (frame(10), frame(20)));
}

#[tokio::test]
async fn frames_of_every_size_up_to_the_limit_pass() {
    let (asker, answerer) = pair().await;
    echo(&answerer);

    for size in [0, 1, 16 * 1024, 1024 * 1024, MAX_FRAME] {
        let answer = asker.request(answerer.local_peer(), frame(size)).await;
        assert!(answer.unwrap() == frame(size), "{size} bytes");
    }
}

#[tokio::test]
async fn more_can_be_asked_than_one_stream_carries() {
    let (asker, answerer) = pair().await;
    echo(&answerer);

    for _ in 0..40 {
        let answer = asker.request(answerer.local_peer(), frame(100_000)).await;
        assert!(answer.unwrap() == frame(100_000));
    }
}

#[tokio::test]
async fn a_frame_over_the_limit_is_not_sent_and_costs_no_connection() {
    let (asker, answerer) = pair().await;
    echo(&answerer);

    let refused = asker
        .request(answerer.local_peer(), frame(MAX_FRAME + 1))
        .await;
    let next = asker.request(answerer.local_peer(), frame(1)).await;

    let size = MAX_FRAME + 1;
    assert_eq!(
        refused,
        Err(TransportError::TooLarge {
            size,
            limit: MAX_FRAME
        })
    );
    assert_eq!(next.unwrap(), frame(1));
}

#[tokio::test]
async fn a_frame_over_the_receivers_limit_is_declined_and_costs_no_connection() {
    let mut small = member();
    small.limits.frame = 1000;
    let answerer = start(small).await;
    let asker = start(member_knowing(&[&answerer])).await;
    connected(&asker, &answerer).await;
    echo(&answerer);

    let refused = asker.request(answerer.local_peer(), frame(100_000)).await;
    let next = asker.request(answerer.local_peer(), frame(1000)).await;

    assert_eq!(refused, Err(TransportError::Declined));
    assert_eq!(next.unwrap(), frame(1000));
}

#[tokio::test]
async fn a_peer_that_is_not_connected_is_unreachable() {
    let lonely = start(member()).await;
    let nobody = NoTransport.local_peer();

    let outcome = lonely.request(nobody, frame(1)).await;

    assert_eq!(outcome, Err(TransportError::Unreachable(nobody)));
}

#[tokio::test]
async fn a_dropped_reply_declines() {
    let (asker, answerer) = pair().await;
    let dropping = Arc::clone(&answerer);
    tokio::spawn(async move { drop(dropping.accept().await) });

    let outcome = asker.request(answerer.local_peer(), frame(1)).await;

    assert_eq!(outcome, Err(TransportError::Declined));
}

#[tokio::test]
async fn a_peer_that_never_answers_times_out_while_others_answer() {
    let silent = start(member()).await;
    let helpful = start(member()).await;
    let mut config = member_knowing(&[&silent, &helpful]);
    config.limits.deadline = Duration::from_millis(500);
    let asker = start(config).await;
    connected(&asker, &silent).await;
    connected(&asker, &helpful).await;
    echo(&helpful);

    let (ignored, answered) = tokio::join!(
        asker.request(silent.local_peer(), frame(1)),
        asker.request(helpful.local_peer(), frame(2)),
    );

    assert_eq!(ignored, Err(TransportError::Timeout));
    assert_eq!(answered.unwrap(), frame(2));
}

#[tokio::test]
async fn requests_beyond_those_in_flight_are_busy() {
    let (asker, answerer) = pair().await;
    let asking = Arc::clone(&asker);
    let to = answerer.local_peer();
    let requests =
        tokio::spawn(async move { join_all((0..70).map(|_| asking.request(to, frame(1)))).await });

    // Nothing is answered before all that may be under way has come.
    let mut held = Vec::new();
    while held.len() < 64 {
        held.push(soon("frame", answerer.accept()).await.unwrap());
    }
    for inbound in held {
        inbound.reply.send(Bytes::new());
    }
    let outcomes = soon("outcomes", requests).await.unwrap();

    let busy = Err(TransportError::Busy);
    assert_eq!(
        outcomes.iter().filter(|outcome| outcome.is_ok()).count(),
        64
    );
    assert_eq!(
        outcomes.iter().filter(|outcome| **outcome == busy).count(),
        6
    );
    echo(&answerer);
    assert_eq!(asker.request(to, frame(1)).await.unwrap(), frame(1));
}

#[tokio::test]
async fn who_drops_a_request_makes_room_for_the_next() {
    let answerer = start(member()).await;
    let mut config = member_knowing(&[&answerer]);
    config.limits.in_flight_per_peer = 1;
    // Room that only the deadline makes comes too late.
    config.limits.deadline = Duration::from_secs(60 * 60);
    let asker = start(config).await;
    connected(&asker, &answerer).await;
    let to = answerer.local_peer();

    let mut held = Vec::new();
    for _ in 0..200 {
        let unanswered = async {
            let busy = Err(TransportError::Busy);
            // The stream of the one before is reset in the background.
            while asker.request(to, frame(1)).await == busy {
                yield_now().await;
            }
        };
        // Each has got through, and none is answered.
        match select(pin!(unanswered), pin!(answerer.accept())).await {
            Either::Left(_) => panic!("answered"),
            Either::Right((inbound, _dropped)) => held.push(inbound.unwrap()),
        }
    }

    assert_eq!(held.len(), 200);
}

#[tokio::test]
async fn a_peer_whose_queue_is_full_is_busy() {
    let mut small = member();
    small.limits.inbound_queue = 1;
    let answerer = start(small).await;
    let asker = start(member_knowing(&[&answerer])).await;
    connected(&asker, &answerer).await;

    // Nothing is accepted before one of the two was refused.
    let ask = || Box::pin(asker.request(answerer.local_peer(), frame(1)));
    let (refused, queued) = match soon("refused", select(ask(), ask())).await {
        Either::Left(first) | Either::Right(first) => first,
    };
    echo(&answerer);

    assert_eq!(refused, Err(TransportError::Busy));
    assert_eq!(soon("answered", queued).await.unwrap(), frame(1));
}

#[tokio::test]
async fn a_peer_whose_queue_has_no_room_for_the_bytes_is_busy_until_it_has() {
    let mut small = member();
    small.limits.inbound_bytes = 100_000;
    small.limits.frame = 100_000;
    let answerer = start(small).await;
    let asker = start(member_knowing(&[&answerer])).await;
    connected(&asker, &answerer).await;

    // Nothing is accepted before one of the two was refused.
    let ask = |size| Box::pin(asker.request(answerer.local_peer(), frame(size)));
    let (refused, queued) = match soon("refused", select(ask(60_000), ask(60_000))).await {
        Either::Left(first) | Either::Right(first) => first,
    };
    let shorter = ask(40_000);
    let accepting = async {
        let accepted = [answerer.accept().await, answerer.accept().await];
        for inbound in accepted.map(Option::unwrap) {
            let frame = inbound.frame.clone();
            inbound.reply.send(frame);
        }
    };
    let (queued, shorter, ()) = soon("answered", async {
        tokio::join!(queued, shorter, accepting)
    })
    .await;
    echo(&answerer);
    let longest = ask(100_000).await;

    assert_eq!(refused, Err(TransportError::Busy));
    assert_eq!(queued.unwrap(), frame(60_000));
    assert_eq!(shorter.unwrap(), frame(40_000));
    assert_eq!(longest.unwrap(), frame(100_000));
}

#[tokio::test]
async fn a_frame_of_the_largest_size_fits_an_empty_queue_whatever_its_bound() {
    let mut small = member();
    small.limits.inbound_bytes = 0;
    let answerer = start(small).await;
    let asker = start(member_knowing(&[&answerer])).await;
    connected(&asker, &answerer).await;
    echo(&answerer);

    let answer = asker.request(answerer.local_peer(), frame(MAX_FRAME)).await;

    assert!(answer.unwrap() == frame(MAX_FRAME));
}

#[tokio::test]
async fn what_is_under_way_ends_when_the_host_is_closed() {
    let answerer = start(member()).await;
    let mut config = member_knowing(&[&answerer]);
    // An end that only the deadline brings comes too late.
    config.limits.deadline = Duration::from_secs(60 * 60);
    let closing = start(config).await;
    connected(&closing, &answerer).await;

    let asked = asking(&closing, &answerer);
    let _held = answerer.accept().await.unwrap();
    closing.close().await;
    let outcome = soon("end", asked).await.unwrap();

    assert_eq!(outcome, Err(TransportError::Closed));
}

#[tokio::test]
async fn a_closed_host_carries_nothing_more() {
    let (closing, other) = pair().await;

    soon("close", closing.close()).await;

    assert_eq!(
        closing.request(other.local_peer(), frame(1)).await,
        Err(TransportError::Closed)
    );
    assert_eq!(
        closing.broadcast(frame(1)).await,
        Err(TransportError::Closed)
    );
    assert!(closing.accept().await.is_none());
    assert!(closing.peers().is_empty());
    soon("closing again", closing.close()).await;
}
