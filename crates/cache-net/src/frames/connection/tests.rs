//! What a connection does before the transport knows of it, and after.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::task::noop_waker_ref;
use libp2p::swarm::ConnectionId;

use super::*;
use crate::frames::tests::behaviour;

#[test]
fn nothing_is_taken_from_a_peer_before_it_is_listed() {
    let (id, peer) = (ConnectionId::new_unchecked(1), PeerId::random());
    let mut connection = behaviour().connection(id, peer, false);
    let mut cx = Context::from_waker(noop_waker_ref());
    let is_taken = Arc::new(AtomicBool::new(false));
    let taken = Arc::clone(&is_taken);
    connection.answered.push(Box::pin(async move {
        taken.store(true, Ordering::Relaxed);
    }));

    assert!(connection.poll(&mut cx).is_pending());
    assert!(!is_taken.load(Ordering::Relaxed));

    connection.on_behaviour_event(Known);
    assert!(connection.poll(&mut cx).is_pending());
    assert!(is_taken.load(Ordering::Relaxed));
}
