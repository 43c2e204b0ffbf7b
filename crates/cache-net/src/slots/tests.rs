//! What is under way to one peer never takes up more than it may.

use super::*;

fn slots() -> Slots {
    Slots::new(&Limits {
        in_flight_per_peer: 3,
        outbound_bytes_per_peer: 1000,
        reply_bytes_per_peer: 1000,
        ..Limits::default()
    })
}

#[test]
fn one_frame_too_many_or_one_byte_gets_no_slot() {
    let slots = slots();
    let first = slots.try_take(600).unwrap();

    assert!(slots.try_take(401).is_err());
    let second = slots.try_take(400).unwrap();
    assert!(slots.try_take(1).is_err());
    drop(first);
    let empty = [slots.try_take(0).unwrap(), slots.try_take(0).unwrap()];
    assert!(slots.try_take(0).is_err());

    drop((second, empty));
    assert!(slots.are_free());
}

#[test]
fn a_frame_longer_than_all_that_may_be_under_way_goes_alone() {
    let slots = slots();
    let small = slots.try_take(1).unwrap();
    assert!(slots.try_take(5000).is_err());

    drop(small);
    let large = slots.try_take(5000).unwrap();
    assert!(slots.try_take(1).is_err());
    drop(large);
}

#[tokio::test]
async fn whoever_waits_for_a_slot_learns_that_the_peer_is_gone() {
    let slots = slots();
    let _all = slots.try_take(1000).unwrap();
    let waiting = slots.clone();
    let waiting = tokio::spawn(async move { waiting.take(1).await.is_err() });
    tokio::task::yield_now().await;

    slots.close();

    assert!(waiting.await.unwrap());
}

#[test]
fn a_reply_takes_up_room_until_it_is_written() {
    let slots = slots();
    let reply = slots.reply(vec![7; 700].into()).unwrap();
    assert_eq!(reply, vec![7; 700]);

    assert!(slots.reply(vec![7; 700].into()).is_none());
    drop(reply);
    assert!(slots.reply(vec![7; 5000].into()).is_some());
}
